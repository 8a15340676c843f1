"""Errors for users, and requests to stop."""

from ffnn_jax._errors import StopRequest, suggestion


def test_a_request_to_stop_holds_a_signal_or_none():
    assert StopRequest() == StopRequest(None) != StopRequest(signal=2)


def test_the_nearest_name_is_suggested_whatever_its_case():
    assert suggestion("mnits", ["cifar10", "MNIST"]) == "; did you mean MNIST?"
    assert suggestion("unlike", ["cifar10"]) == ""
