"""A peer is left out by name alone; any other that could not be timed fails the command."""

import pytest

from experiments._left_out import is_left_out, require_known, require_none_skipped
from experiments._variants import VARIANTS
from ffnn_jax.config import UserError


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("torch", {"torch-1", "torch-last-2"}),
        ("torch-last", {"torch-last-2"}),
        ("flax-split", {"flax-split", "flax-split-eigen"}),
        ("tor", set()),
    ],
)
def test_a_name_stands_for_a_library_or_one_of_its_variants(name: str, variants: set[str]):
    timed = ["ours", "torch-1", "torch-last-2", "flax", "flax-split", "flax-split-eigen"]
    assert {variant for variant in timed if is_left_out(variant, [name])} == variants


def test_an_unknown_name_is_rejected_with_the_nearest():
    require_known(["keras", "flax-split", "torch-compiled"], VARIANTS)
    message = r"^--without: unknown peer 'kears' \(known: plain, flax, equinox, keras, torch\)"
    with pytest.raises(UserError, match=message + "; did you mean keras\\?$"):
        require_known(["flax", "kears"], VARIANTS)


def test_ours_cannot_be_left_out():
    with pytest.raises(UserError, match="unknown peer 'ours'"):
        require_known(["ours"], VARIANTS)


def test_what_was_skipped_is_named_in_one_line():
    require_none_skipped({})
    why = "No module\nnamed 'keras'"
    with pytest.raises(UserError) as error:
        require_none_skipped({"keras": why, "keras-eigen": why, "torch-1": "aborted"})
    assert str(error.value) == (
        "skipped: keras, keras-eigen (No module named 'keras'); torch-1 (aborted). The others are "
        'stored. Install the extra "bench", or leave out by name: '
        "--without keras keras-eigen torch-1"
    )
