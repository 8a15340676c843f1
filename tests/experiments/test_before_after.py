"""Rows that changed are distinguished from rows that did not."""

import numpy as np

from experiments._before_after import before_after_section


def test_a_changed_row_is_listed_with_its_difference():
    generator = np.random.default_rng(0)
    before = {row: generator.normal(0.5, 0.01, 20).tolist() for row in "ab"}
    noise = generator.normal(0, 0.01, (2, 25))
    now = {
        "a": {"test_accuracy": [*(np.array(before["a"]) + noise[0, :20]), *noise[0, 20:]]},
        "b": {"test_accuracy": [*(np.array(before["b"]) + 0.02 + noise[1, :20]), *noise[1, 20:]]},
    }
    section = before_after_section(now, before)
    assert "1 of 2 rows have changed" in section
    line = next(line for line in section.splitlines() if line.startswith("| b |"))
    change = 100 * (np.mean(now["b"]["test_accuracy"][:20]) - np.mean(before["b"]))
    assert f"| {change:+.1f} [" in line
    now["b"] = {"test_accuracy": before["b"]}
    assert "no row has changed" in before_after_section(now, before)


def test_a_row_with_only_a_wider_spread_has_changed():
    before = {"a": np.random.default_rng(0).normal(0.5, 0.01, 20).tolist()}
    mean = np.mean(before["a"])
    wide = mean + 30 * (np.array(before["a"]) - mean)
    assert "1 of 1 rows have changed" in before_after_section(
        {"a": {"test_accuracy": wide.tolist()}}, before
    )
