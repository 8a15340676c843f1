"""Rows of a table, from stored seeds."""

from experiments._table_rows import rows_of, training_flops
from ffnn_jax.runs.sweeps import run_seed, seeds_of
from tests.runs.sweeps.small import SMALL


def test_rows_are_lists_in_the_order_of_the_seeds():
    records = [
        {**run_seed("a", SMALL, 0), "seed": seed, "test_accuracy": seed / 10, "train_seconds": seed}
        for seed in (3, 1, 2)
    ]
    assert [record["seed"] for record in seeds_of(records, "a")] == [1, 2, 3]
    (row,) = rows_of(records, ("a", "b"), {"a": 0.5}).values()
    assert (row["report"], row["seeds"], row["train_seconds"]) == (0.5, [1, 2, 3], 1)
    assert row["test_accuracy"] == [0.1, 0.2, 0.3]
    assert "seed" not in row["settings"]
    assert len(row["device"]) == len(row["versions"]) == 1


def test_the_operations_of_a_run_cover_all_its_images():
    """A dense layer of 49 by 10: forward and dW, two operations each; dx is not computed."""
    assert training_flops(SMALL, (28, 28, 1)) == 3 * 16 * 4 * 490
