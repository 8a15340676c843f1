"""Lookahead: equations (lookahead.1) and (lookahead.2), against a loop in numpy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.optim import Lookahead
from tests.tolerances import SAME_ARITHMETIC

Trees = list[dict[str, np.ndarray]]


def moved(count: int) -> dict[str, np.ndarray]:
    """By how much an optimiser, and a batch, move parameters and a running mean."""
    rng = np.random.default_rng(count)
    return {"w": rng.normal(size=(3, 2)), "mean": rng.normal(size=2)}


def by_hand(every: int, steps: int, decay: float) -> tuple[Trees, Trees]:
    """The slow and the fast tree after each update."""
    slow, fast, slows, fasts = moved(0), moved(0), [], []
    for count in range(1, steps + 1):
        fast = {name: fast[name] + change for name, change in moved(count).items()}
        if count % every == 0:
            beta = decay**every * (count / steps) ** 3
            slow = {name: beta * slow[name] + (1 - beta) * fast[name] for name in slow}
            fast = slow
        elif count == steps:
            fast = slow
        slows.append(slow)
        fasts.append(fast)
    return slows, fasts


def ours(lookahead: Lookahead, steps: int) -> tuple[Trees, Trees]:
    step = jax.jit(lambda slow, fast, count: lookahead(slow, fast, count))
    slow = fast = jax.tree.map(jnp.asarray, moved(0))
    slows, fasts = [], []
    for count in range(1, steps + 1):
        fast = jax.tree.map(lambda w, d: w + d, fast, moved(count))
        slow, fast = step(slow, fast, jnp.int32(count))
        slows.append(slow)
        fasts.append(fast)
    return slows, fasts


@pytest.mark.parametrize(("every", "steps"), [(5, 200), (5, 10), (5, 12), (7, 20), (1, 6), (9, 4)])
def test_slow_and_fast_trees_equal_those_of_a_loop(every, steps):
    """The last update may be a multiple of k or not, and k may be more than all updates."""
    expected, actual = by_hand(every, steps, 0.95), ours(Lookahead(every, steps), steps)
    for theirs, mine in zip(expected, actual, strict=True):
        for before, after in zip(theirs, mine, strict=True):
            assert before.keys() == after.keys()
            for name, array in before.items():
                np.testing.assert_allclose(after[name], array, rtol=0, atol=SAME_ARITHMETIC)


def test_the_decay_is_a_field():
    (*_, expected), _ = by_hand(3, 9, 0.5)
    (*_, actual), _ = ours(Lookahead(3, 9, 0.5), 9)
    np.testing.assert_allclose(actual["w"], expected["w"], rtol=0, atol=SAME_ARITHMETIC)


def test_between_two_meetings_nothing_changes_and_both_trees_meet_at_the_end():
    slow, fast = {"w": jnp.zeros(2)}, {"w": jnp.ones(2)}
    for count, together in ((3, False), (4, True), (5, False), (6, True)):
        s, w = Lookahead(4, 6)(slow, fast, jnp.int32(count))
        assert (s["w"] == w["w"]).all() == together
        assert together or (s["w"][0], w["w"][0]) == (0, 1)
    np.testing.assert_array_equal(w["w"], slow["w"])  # the last update is no multiple of 4


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_trees_keep_their_dtype(dtype):
    one: Any = {"w": jnp.ones(2, dtype)}
    for tree in Lookahead(2, 4)(one, one, jnp.int32(2)):
        assert tree["w"].dtype == dtype
