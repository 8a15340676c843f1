"""What a run needs of its network and its settings, found out before anything is computed."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from ffnn_jax.config import UserError, preset
from ffnn_jax.nn import Constant, Param
from ffnn_jax.runs._plan import _require_trained

GROUPS = "slow", "fast", ""


def network(trained: bool = True, groups: tuple[str, ...] = GROUPS) -> Any:
    specs = [Param((2,), Constant(0.0), trained=trained, group=group) for group in groups]
    return SimpleNamespace(all_params=specs)


def settings(*groups: str) -> Any:
    rates = tuple((group, 0.5) for group in groups)
    return dataclasses.replace(preset("mnist"), group_rates=rates)


@pytest.mark.parametrize("groups", [(), ("slow",), ("fast", "slow")])
def test_rates_may_be_given_for_the_groups_of_trained_parameters(groups):
    _require_trained(network(), settings(*groups))


def test_an_unknown_group_is_rejected_with_the_known_ones():
    with pytest.raises(UserError) as caught:
        _require_trained(network(), settings("fast", "slw"))
    known = "(known: fast, slow); did you mean slow?"
    assert str(caught.value) == f"group-rates: unknown group 'slw' {known}"
    with pytest.raises(UserError, match=r"'slow' \(no trained parameter has a group\)"):
        _require_trained(network(groups=("",)), settings("slow"))


def test_a_network_without_trained_parameters_is_rejected():
    with pytest.raises(UserError, match=r"^layers: none has trained parameters$"):
        _require_trained(network(trained=False), settings())
