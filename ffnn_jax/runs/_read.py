"""What a run left, read again: every value is checked before anything is made of it."""

import json
from pathlib import Path
from typing import Any

from ffnn_jax._schema import (
    AMOUNT,
    COUNT,
    NUMBER,
    OBJECT,
    SHARE,
    TEXT,
    Kind,
    optional,
    require_schema,
)  # fmt: skip
from ffnn_jax.config import Settings, UserError

_FACT = Kind("text, an integer or null", lambda v: v is None or TEXT.holds(v) or COUNT.holds(v))
_RESULT = {
    "dataset": TEXT, "data_sha256": {...: TEXT}, "seeds": [COUNT], "test_accuracy": [SHARE],
    "validation_accuracy": [optional(SHARE)], "train_accuracy": [SHARE], "best_seed": COUNT,
    "confusion": [[[COUNT]]], "class_names": [TEXT], "parameters": COUNT,
    "parameters_sha256": [TEXT], "compile_seconds": AMOUNT, "train_seconds": AMOUNT,
    "images_per_second": AMOUNT, "versions": {...: TEXT}, "device": {...: _FACT},
    "network?": {"headings": [TEXT], "rows": [[TEXT]]}, "warnings?": [TEXT],
}  # fmt: skip
_BY_SEED = ("test_accuracy", "validation_accuracy", "train_accuracy", "parameters_sha256")
_MEAN = {"count": COUNT, "value": NUMBER}
_METRICS = {"seed": COUNT, "loss": _MEAN, "accuracy": _MEAN, "validation_accuracy": optional(SHARE)}
_RECORD = Kind(
    "seed, step, loss, accuracy and validation accuracy",
    lambda v: isinstance(v, list) and len(v) == 5 and all(map(optional(NUMBER).holds, v)),
)
_CHECKPOINT = {
    "settings": OBJECT, "step": COUNT, "seconds": AMOUNT, "running_metrics": [_METRICS],
    "history": [_RECORD], "every?": optional(COUNT), "arithmetic?": OBJECT,
    "validation?": optional(SHARE),
}  # fmt: skip
_ANY_LAYERS = {"layers": [{"type": "Dense", "units": 1}], "augmentations": []}


def require_run(folder: Path) -> None:
    """Checks the result and the settings that a run left; its layers may be the user's own.

    Raises:
        UserError: a file or a key is missing, or a value is impossible; the message names it.
    """
    path = folder / "result.json"
    result = _read(path, _RESULT)
    seeds, classes = len(result["seeds"]), len(result["class_names"])
    _require_sizes(path, {name: result[name] for name in (*_BY_SEED, "confusion")}, seeds)
    for seed, rows in enumerate(result["confusion"]):
        lists = {f"[{true}]": row for true, row in enumerate(rows)} | {"": rows}
        _require_sizes(path, {f"confusion[{seed}]{at}": row for at, row in lists.items()}, classes)
    if result["best_seed"] not in result["seeds"]:
        raise UserError(f"{path}: best_seed must be one of seeds, got {result['best_seed']}")
    path = folder / "config.json"
    settings = _read(path, {"layers": [OBJECT]})
    try:
        Settings.from_json(settings | _ANY_LAYERS)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def require_checkpoint(path: Path, about: dict[str, Any]) -> None:
    """Checks what a checkpoint holds besides its arrays; raises UserError as ``require_run``."""
    require_schema(path, about, _CHECKPOINT)
    seeds = about["settings"].get("seeds", 1)
    _require_sizes(path, {"running_metrics": about["running_metrics"]}, seeds)


def _read(path: Path, schema: dict[str, Any]) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = f"so {path.parent} is not a finished run ({error})"
        raise UserError(f"{path} cannot be read, {reason}") from None
    require_schema(path, value, schema)
    return value


def _require_sizes(path: Path, lists: dict[str, list[Any]], size: int) -> None:
    for name, values in lists.items():
        if len(values) != size:
            raise UserError(f"{path}: {name} must have {size} entries, got {len(values)}")
