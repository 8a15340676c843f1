"""A row that has moved is told from rows that have not."""

import numpy as np

from experiments._before_after import moved


def test_a_row_that_has_moved_is_named_by_its_difference():
    generator = np.random.default_rng(0)
    before = {row: generator.normal(0.5, 0.01, 20).tolist() for row in "ab"}
    noise = generator.normal(0, 0.01, (2, 25))
    now = {
        "a": {"test_accuracy": [*(np.array(before["a"]) + noise[0, :20]), *noise[0, 20:]]},
        "b": {"test_accuracy": [*(np.array(before["b"]) + 0.02 + noise[1, :20]), *noise[1, 20:]]},
    }
    said = moved(now, before)
    assert "1 of 2 rows have moved" in said
    line = next(line for line in said.splitlines() if line.startswith("| b |"))
    change = 100 * (np.mean(now["b"]["test_accuracy"][:20]) - np.mean(before["b"]))
    assert f"| {change:+.1f} [" in line
    now["b"] = {"test_accuracy": before["b"]}
    assert "no row has moved" in moved(now, before)


def test_a_row_that_only_scatters_more_has_moved():
    before = {"a": np.random.default_rng(0).normal(0.5, 0.01, 20).tolist()}
    mean = np.mean(before["a"])
    wide = mean + 30 * (np.array(before["a"]) - mean)
    assert "1 of 1 rows have moved" in moved({"a": {"test_accuracy": wide.tolist()}}, before)
