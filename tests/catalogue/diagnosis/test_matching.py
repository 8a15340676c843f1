"""Texts cover what is wrong: as few as can be, and unsure where several fit."""

import numpy as np
import pytest

from ffnn_jax.catalogue.diagnosis._matching import close, cover


def test_one_text_for_all_comes_before_one_for_each():
    groups = {"{d} zero": (0, {"dx"}), "{d} ones": (0, {"dx", "dw"}), "{d} two": (0, {"db"})}
    told = cover(groups, ["dx", "dw", "db", "z"])
    assert told == (["each of dx and dw ones", "db two"], True, ["z"])


def test_texts_that_explain_the_same_are_one_of_several_unless_ranked():
    groups = {"{d} ones": (0, {"dx"}), "{d} zero": (0, {"dx"})}
    assert cover(groups, ["dx"]) == (["one of: dx ones, or dx zero"], False, [])
    assert cover(groups | {"{d} ones": (1, {"dx"})}, ["dx"]) == (["dx zero"], True, [])


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1.0, 2.0], [1.0 + 1e-9, 2.0], True),
        ([1.0, 2.0], [1.0 + 1e-4, 2.0], False),
        ([1e-9, 2.0], [0.0, 2.0], True),
        ([np.nan, np.inf], [np.nan, np.inf], True),
        ([np.nan, np.inf], [np.nan, -np.inf], False),
        ([0.0, np.nan], [0.0, 1.0], False),
        ([1.0], [1.0, 1.0], False),
    ],
)
def test_close(a, b, same):
    assert close(np.array(a), np.array(b), 1e-7) is same
