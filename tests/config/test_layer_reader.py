"""The grammar of layers as text: each mistake is one line with its position and what is allowed."""

import pytest

from ffnn_jax.config import UserError, layers_from_text


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 1, "expected a layer, as in 'dense 10', got the end"),
        ("relu,, dense 10", 6, "expected a layer, as in 'dense 10', got ','"),
        ("relu, 5", 7, "expected a layer, as in 'dense 10', got '5'"),
        ("conv2d 8 3", 1, "unknown layer 'conv2d'; did you mean conv?"),
        ("relu, flatten, dense 2", 7, "unknown layer 'flatten'; leave it out: dense takes images"),
        ("relu, cnv 32 5", 7, "unknown layer 'cnv'; did you mean conv?"),
        ("relu, conv 32", 7, "conv needs size (its arguments: filters, size, padding, "),
        ("conv 32 5 paddin=SAME", 11, "conv has no argument 'paddin'; did you mean padding?"),
        ("conv 32 5 filters=3", 11, "conv has filters twice"),
        (
            "dense 10 20",
            10,
            "dense takes no more arguments in order; a comma ends a layer, got '20'",
        ),
        ("dense units=10 20", 16, "dense takes no more arguments in order; a comma ends a layer"),
        ("relu dense 10", 6, "relu takes no more arguments in order; a comma ends a layer"),
        ("relu, conv 0 5", 7, "Conv(filters=0, size=5): filters must be an integer of at least 1"),
        ("dense ten", 1, "Dense(units='ten'): units must be an integer of at least 1"),
        ("residual (relu, cnv 3 3)", 17, "unknown layer 'cnv'; did you mean conv?"),
        ("residual (relu", 15, "expected ')', got the end"),
        ("residual (relu))", 16, "expected a comma, got ')'"),
        ("pad ((1 2), (3, 4))", 9, "expected ')', got '2'"),
        ("dense units=", 13, "expected a value, got the end"),
        ("dense units=,", 13, "expected a value, got ','"),
        ('upsample "nearest', 10, "expected a value, got '\"'"),
        (r'upsample 2 "a\q"', 12, "expected a value, got '\"'"),
    ],
)
def test_a_mistake_is_named_with_its_position(text: str, position: int, problem: str):
    with pytest.raises(UserError) as raised:
        layers_from_text(text)
    message = str(raised.value)
    assert message.startswith(f"layers, character {position}: {problem}")
    assert "\n" not in message


def test_a_name_like_none_gets_an_example():
    with pytest.raises(UserError, match=r"unknown layer 'zzzz', as in 'dense 10'$"):
        layers_from_text("zzzz")
