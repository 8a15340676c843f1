"""Stored seeds: the cost of a truncated line, and rejected files."""

from pathlib import Path

import pytest

from ffnn_jax.config import UserError
from ffnn_jax.runs.sweeps import append, read_records

RECORD = '{"row": "a", "seed": 0}'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{", RECORD], "line 1: damaged"),
        ([RECORD, "[1, 2]"], "line 2: damaged"),
        (['{"row": "2"}'], "line 1: damaged"),
        ([RECORD, RECORD], "line 2: seed 0 of 'a' is stored twice"),
    ],
)
def test_a_damaged_line_and_a_seed_stored_twice_are_rejected(
    tmp_path: Path, lines: list[str], message: str
):
    path = tmp_path / "s.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(UserError, match=message):
        read_records(path)


def test_a_process_killed_while_writing_costs_only_that_seed(tmp_path: Path):
    path = tmp_path / "some.jsonl"
    append(path, {"row": "0", "seed": 0})
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"row": "0", "se')
    assert [record["seed"] for record in read_records(path)] == [0]
    append(path, {"row": "0", "seed": 1})
    assert path.read_bytes() == whole + b'{"row": "0", "seed": 1}\n'
