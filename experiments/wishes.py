"""What the report would have tried with more time, each against model 3 under the same budget.

Report: not run; it names Leaky ReLU, other filter sizes, other numbers of filters, more layers.
Command: python -m experiments.wishes
Quick: python -m experiments.wishes --quick, 1 change, 3 steps, results to runs/quick.

Needs the data set cifar10, and model 3's seeds from table_3 (the quick setting needs neither).
Schedule, images and seeds are model 3's, so each change is compared with it in pairs.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from experiments._claims import Claim, answers
from experiments._results import RESULTS, folder_for, run_command, write_result
from experiments._rows import Record, rows_of, seeds_of
from experiments._sweep import read_records, sweep
from ffnn_jax.config import Conv, Layer, LeakyReLU, Refusal, ReLU, Settings, preset

SEEDS = 10
MODEL_3 = preset("cifar10-3")


def _with(*layers: Layer) -> Settings:
    return dataclasses.replace(MODEL_3, layers=layers)


def _leaky(slope: float) -> Settings:
    return _with(*(LeakyReLU(slope) if one == ReLU() else one for one in MODEL_3.layers))


def _convolutions(**changes: int) -> Settings:
    return _with(
        *(
            dataclasses.replace(one, **changes) if isinstance(one, Conv) else one
            for one in MODEL_3.layers
        )
    )


def _deeper() -> Settings:
    """A fourth convolution and ReLU where model 6a has a pooling layer before them."""
    *before, last = MODEL_3.layers
    third = next(one for one in reversed(before) if isinstance(one, Conv))
    return _with(*before, third, ReLU(), last)


ROWS: dict[str, tuple[str, Settings]] = {
    "leaky 0.01": ("Leaky ReLU with slope 0.01 helps", _leaky(0.01)),
    "leaky 0.1": ("Leaky ReLU with slope 0.1 helps", _leaky(0.1)),
    "leaky 0.3": ("Leaky ReLU with slope 0.3 helps", _leaky(0.3)),
    "size 3": ("filters of 3 x 3 help", _convolutions(size=3)),
    "size 7": ("filters of 7 x 7 help", _convolutions(size=7)),
    "filters 8": ("8 filters a layer help", _convolutions(filters=8)),
    "filters 32": ("32 filters a layer help", _convolutions(filters=32)),
    "deeper": ("one more convolution, without pooling, helps", _deeper()),
}
CLAIMS = tuple(Claim(name, text, name, "3", 1) for name, (text, _) in ROWS.items())


def main(seeds: int = SEEDS, quick: bool = False) -> None:
    """What the report would have tried with more time, each against model 3.

    Args:
        seeds: networks of each change, from seed 0 on.
        quick: 2 seeds of 1 change and of model 3, 3 steps on mnist_5k, to see it work.
    """
    folder = folder_for(quick)
    rows = {name: settings for name, (_, settings) in ROWS.items()}
    if quick:
        seeds, rows = 2, _quick({"3": MODEL_3, "size 3": rows["size 3"]})
    sweep(rows, range(seeds), folder / "wishes.jsonl")
    records = read_records(folder / "wishes.jsonl")
    if not quick:
        records = [*_seeds_of_model_3(), *records]
    write_result(folder / "wishes.json", table(records, quick))
    print(f"{len(records)} seeds in {folder / 'wishes.json'}")


def table(records: Sequence[Record], quick: bool) -> dict[str, Any]:
    """The result: model 3, every change, and whether it helps."""
    rows = rows_of(records, ("3", *ROWS), {})
    claims = tuple(claim for claim in CLAIMS if claim.first in rows)
    return {"quick": quick, "rows": rows, "claims": answers(rows, claims)}


def _seeds_of_model_3() -> list[Record]:
    found = seeds_of(read_records(RESULTS / "table_3.jsonl"), "3")
    if len(found) < SEEDS:
        raise Refusal(f"model 3 has {len(found)} seeds, needs {SEEDS}: run table_3 first")
    return found


def _quick(rows: dict[str, Settings]) -> dict[str, Settings]:
    changes: dict[str, Any] = {"dataset": "mnist_5k", "steps": 3, "validation_interval": 3}
    return {row: dataclasses.replace(settings, **changes) for row, settings in rows.items()}


if __name__ == "__main__":
    run_command(main)
