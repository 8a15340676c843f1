"""What a run needs of its network and its settings, found out before anything is computed."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ffnn_jax.config import UserError, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.nn import Constant, Dense, Param
from ffnn_jax.runs import plan
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


def part(name: str, side: int = 4, classes: tuple[str, ...] = ("a", "b")) -> Dataset:
    labels = np.zeros(100, np.int32)
    return Dataset(name, np.zeros((100, side, side, 1), np.uint8), labels, classes)


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("other", [{"side": 3}, {"side": 5}, {"classes": ("a", "c")}])
def test_parts_of_another_kind_than_the_training_images_are_rejected(
    place: int, other: dict[str, Any]
):
    small = dataclasses.replace(
        preset("quickstart"), layers=(Dense(2),), train_images=None, batch_size=8
    )
    parts = [part("t/train"), part("t/validation"), part("t/test")]
    plan(small, Splits(*parts))
    parts[place] = part("t/other", **other)
    with pytest.raises(UserError) as error:
        plan(small, Splits(*parts))
    assert str(error.value) == "t/other and t/train differ in image shape or classes"
