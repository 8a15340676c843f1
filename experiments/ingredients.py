"""From model 3 to cifar10-minute, one ingredient at a time: what each is worth.

Command: python -m experiments.ingredients
Quick: python -m experiments.ingredients --quick, 2 seeds of 2 rows, 3 steps, results to runs/quick.

Needs the data set cifar10, model 3's seeds from table_3 and cifar10-minute's from ladder (the
quick setting needs none of them). Each row keeps the ingredients of the one before it and adds its
own, with the same seeds, so that rows are compared in pairs. All rows but the last two see 80,000
images, as model 3 does. Rates are those of ``budget``, then of cifar10-93, and from Muon on of
cifar10-minute; nothing is tuned here. Seeds are stored as they finish, all rows of a seed before
the next seed. ``--draw-only`` redraws from the stored results.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments._claims import Claim, answers, cells
from experiments._figures import draw_forest
from experiments._formatting import percent
from experiments._quick import quick_settings
from experiments._results import RESULTS, folder_for, read_result, run_command, write_result
from experiments._table_rows import rows_of, seeds_of_model_3
from ffnn_jax.config import Settings, Validation, preset
from ffnn_jax.layers.fast import TABLES
from ffnn_jax.nn import GELU, BatchNorm, Conv, Dense, Layer, ReLU
from ffnn_jax.reporting import save_figure
from ffnn_jax.runs.sweeps import Record, read_records, seeds_of, sweep

SEEDS = 10
IMAGES_SEEN = 80_000
MODEL_3, MINUTE, NESTEROV = map(preset, ("cifar10-3", "cifar10-minute", "cifar10-93"))
_FLIP, _CROP = MINUTE.augmentations
_LONGER, _VIEWS = "3.25 epochs", "six views"


def _model_3(conv: float, dense: float) -> tuple[Layer, ...]:
    """Model 3's layers with these scales of their initial weights."""
    scales = {Conv: conv, Dense: dense}
    return tuple(
        replace(layer, init_scale=scales[type(layer)]) if type(layer) in scales else layer
        for layer in MODEL_3.layers
    )


def _minute(*, norm: bool, gelu: bool, dirac: bool, whitening: bool) -> tuple[Layer, ...]:
    """The layers of cifar10-minute, with some of its ingredients."""
    return tuple(_changed(norm, gelu, dirac, whitening))


def _changed(norm: bool, gelu: bool, dirac: bool, whitening: bool) -> Iterator[Layer]:
    starts = {"dirac": dirac, "whitening": whitening}
    for layer in MINUTE.layers:
        if isinstance(layer, Conv):
            start = layer.start if starts[layer.start] else "normal"
            scale = layer.init_scale if norm else 1.0
            bias = layer.bias or not norm
            yield replace(layer, start=start, bias=bias, init_scale=scale)
        elif isinstance(layer, GELU):
            yield layer if gelu else ReLU()
        elif norm or not isinstance(layer, BatchNorm):
            yield layer


_INGREDIENTS: dict[str, dict[str, Any]] = {
    "all training images": {
        "train_images": None, "validation": Validation("none"), "sampling": "epochs",
    },
    "normalised inputs": {
        "pixel_scale": 1 / 255, "normalisation": "channel-mean-sd", "momentum": 0.9,
        "learning_rate": 0.01, "layers": _model_3(1.0, 0.1),
    },
    "a schedule": {"schedule": "triangular", "learning_rate": 0.05},
    "flips": {"augmentations": (_FLIP,)},
    "crops": {"augmentations": (_FLIP, _CROP)},
    "the deeper, wider network": {
        "layers": _minute(norm=False, gelu=False, dirac=False, whitening=False),
    },
    "batch normalisation": {
        "layers": _minute(norm=True, gelu=False, dirac=False, whitening=False),
    },
    "Nesterov's momentum in larger batches": {
        "optimizer": NESTEROV.optimizer, "batch_size": MINUTE.batch_size,
        "steps": IMAGES_SEEN // MINUTE.batch_size, "momentum": NESTEROV.momentum,
        "learning_rate": NESTEROV.learning_rate * MINUTE.batch_size / NESTEROV.batch_size,
        "weight_decay": NESTEROV.weight_decay, "schedule": NESTEROV.schedule,
        "rate_points": NESTEROV.rate_points, "group_rates": NESTEROV.group_rates,
    },
    "GELU": {"layers": _minute(norm=True, gelu=True, dirac=False, whitening=False)},
    "Dirac starts": {"layers": _minute(norm=True, gelu=True, dirac=True, whitening=False)},
    "whitening": {"layers": MINUTE.layers, "group_steps": MINUTE.group_steps},
    "label smoothing": {"label_smoothing": MINUTE.label_smoothing},
    "Muon": {
        "optimizer": MINUTE.optimizer, "muon_rate": MINUTE.muon_rate,
        "learning_rate": MINUTE.learning_rate, "weight_decay": MINUTE.weight_decay,
        "rate_points": MINUTE.rate_points, "group_rates": MINUTE.group_rates,
    },
}  # fmt: skip


def _row_settings() -> dict[str, Settings]:
    """The settings of each row that is trained here, each with the ingredients before it."""
    start = replace(MODEL_3, forms=TABLES["amd-epyc"])
    settings = itertools.accumulate(
        _INGREDIENTS.values(), lambda before, changes: replace(before, **changes), initial=start
    )
    return dict(zip(_INGREDIENTS, itertools.islice(settings, 1, None), strict=True))


ROWS = _row_settings()
_PATH = ("3", *ROWS, _LONGER, _VIEWS)
CLAIMS = tuple(
    Claim(row, f"adding {row} helps", row, before, 1) for before, row in itertools.pairwise(_PATH)
)


def main(seeds: int = SEEDS, quick: bool = False, draw_only: bool = False) -> None:
    """From model 3 to cifar10-minute, one ingredient at a time.

    Args:
        seeds: number of networks per row, from seed 0 on.
        quick: smoke test: 2 seeds of 2 rows, 3 steps on mnist_5k.
        draw_only: draw from the stored results without training.
    """
    folder = folder_for(quick)
    if not draw_only:
        write_result(folder / "ingredients.json", measure(seeds, folder, quick))
    result = read_result(folder / "ingredients.json")
    names = {row: _label(row) for row in result["rows"]}
    title = "From model 3 to cifar10-minute: test accuracy"
    save_figure(draw_forest(result["rows"], names, title), folder / "ingredients_forest.png")
    print(f"{sum(len(row['seeds']) for row in result['rows'].values())} seeds, figure in {folder}")


def measure(seeds: int, folder: Path, quick: bool) -> dict[str, Any]:
    """Trains every row; returns the path from model 3, and whether each ingredient helps."""
    rows, ends = ROWS, [] if quick else _ends(seeds)
    if quick:
        seeds = 2
        rows = {name: quick_settings(ROWS[name]) for name in list(ROWS)[:2]}
    sweep(rows, range(seeds), folder / "ingredients.jsonl")
    records = [*ends, *read_records(folder / "ingredients.jsonl")]
    found = rows_of(records, _PATH, {})
    known = tuple(claim for claim in CLAIMS if {claim.first, claim.second} <= set(found))
    return {"quick": quick, "rows": found, "claims": answers(found, known)}


def _ends(seeds: int) -> list[Record]:
    """Model 3's stored seeds, and those of cifar10-minute with one view and with six."""
    minute = seeds_of(read_records(RESULTS / "ladder.jsonl"), MINUTE.preset)[:seeds]
    views = [{**one, "row": _VIEWS} for one in minute]
    model_3 = seeds_of_model_3(RESULTS / "table_3.jsonl", seeds)[:seeds]
    return [*model_3, *map(_with_one_view, minute), *views]


def _with_one_view(record: Record) -> Record:
    """A seed as it was tested with one view, of which no confusion matrix is stored."""
    of_six_views = ("confusion", "plain_test_accuracy")
    kept = {name: value for name, value in record.items() if name not in of_six_views}
    return {**kept, "row": _LONGER, "test_accuracy": record["plain_test_accuracy"]}


def section(result: dict[str, Any]) -> str:
    """Every row against the one before it, in Markdown."""
    claims = {claim["first"]: claim for claim in result["claims"]}
    lines = "".join(
        f"| {_label(name)} | {row['parameters']:,} | {row['training_flops'] / 1e12:.2f} "
        f"| {percent(row['test_accuracy'])} | {row['train_seconds']:.0f} "
        f"{cells(claims[name]) if name in claims else '| | | | |'}\n"
        for name, row in result["rows"].items()
    )
    return f"""Each row keeps what the rows above it have and adds one ingredient; each is \
compared with the row above in pairs of seeds, and the answers are corrected together. All but the \
last two rows see {IMAGES_SEEN:,} images. Nothing was tuned for a row: what is worth nothing here \
may be worth something at rates of its own, or in longer training.

| with | parameters | training, 10^12 operations | test accuracy, % | s per seed \
| points [95 %, uncorrected] | n | p, corrected | it helps |
| --- | ---: | ---: | --- | ---: | --- | ---: | ---: | --- |
{lines}
![forest plot of the ingredients](results/ingredients_forest.png)
"""


def _label(row: str) -> str:
    return "model 3" if row == "3" else f"+ {row}"


if __name__ == "__main__":
    run_command(main)
