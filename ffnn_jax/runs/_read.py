"""What a run left, read again: every value is checked before anything is made of it."""

import contextlib
import json
from pathlib import Path
from typing import Any

from ffnn_jax import _schema
from ffnn_jax._base_config import Allowed
from ffnn_jax._schema import AMOUNT, COUNT, NUMBER, OBJECT, SHARE, TEXT, optional, require_schema
from ffnn_jax.config import Settings, UserError

_FACT = Allowed("text, an integer or null", lambda v: v is None or TEXT.holds(v) or COUNT.holds(v))
_MEAN = {"count": COUNT, "value": NUMBER}
_METRICS = {"seed": COUNT, "loss": _MEAN, "accuracy": _MEAN, "validation_accuracy": optional(SHARE)}
_RECORD = {"seed": COUNT, "step": COUNT, "loss": NUMBER, "accuracy": SHARE}
_RECORD |= {"validation_accuracy": optional(SHARE)}
_MOST_SEEDS = 10_000  # as in Settings
_ANY_LAYERS = {"layers": [{"type": "Dense", "units": 1}], "augmentations": []}


def require_run(folder: Path) -> None:
    """Checks the result and the settings that a run left; raises UserError as they do."""
    read_result(folder)
    read_settings(folder)


def read_result(folder: Path) -> dict[str, Any]:
    """The result that a finished run left.

    Raises:
        UserError: the file or a key is missing, or a value is impossible; the message names it.
    """
    path = folder / "result.json"
    result = _schema.read_saved(path)
    require_schema(path, result, {"seeds": [COUNT], "class_names": [TEXT]})
    require_schema(path, result, _result(result["seeds"], len(result["class_names"])))
    return result


def read_dataset(folder: Path) -> dict[str, Any]:
    """The settings of a run as far as they are there, among them the data set's name.

    Raises:
        UserError: there are none, or none names a data set.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        return {"dataset": config["dataset"]} | config
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        problem = "no config.json that names a data set; pass --dataset"
        raise UserError(f"{folder}: {problem}") from None


def changed_images(folder: Path, name: str, sha256: str) -> str:
    """What to say if the images of this name were others in a finished run; else nothing."""
    with contextlib.suppress(UserError):
        was = read_result(folder)["data_sha256"].get(name, sha256)
        if was != sha256:
            digests = f"SHA-256 {sha256[:12]}, was {was[:12]}"
            return f"{name} has changed since {folder} was trained ({digests})"
    return ""


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of a run, whose layers may be the user's own; raises as ``read_result``."""
    path = folder / "config.json"
    settings = _schema.read_saved(path)
    require_schema(path, settings, {"layers": [OBJECT]})
    try:
        Settings.from_json(settings | _ANY_LAYERS)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return settings


def read_metrics(folder: Path, seeds: int) -> list[dict[str, Any]]:
    """The records so far of a run that may go on: those of a step once every seed has one.

    Raises:
        UserError: a record is damaged; the message names the file.
    """
    path = folder / "metrics.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        records = [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error})") from None
    require_schema(path, records, [_RECORD])
    return records[: len(records) // seeds * seeds]


def require_checkpoint(path: Path, about: dict[str, Any]) -> None:
    """Checks what a checkpoint holds besides its arrays; raises UserError as ``require_run``."""
    require_schema(path, about, {"settings": {"seeds?": COUNT}})
    require_schema(path, about, {
        "step": COUNT, "seconds": AMOUNT, "every?": optional(COUNT), "validation?": optional(SHARE),
        "history": [(COUNT, COUNT, NUMBER, SHARE, optional(SHARE))], "arithmetic?": OBJECT,
        "running_metrics": (_METRICS,) * min(about["settings"].get("seeds", 1), _MOST_SEEDS),
    })  # fmt: skip


def _result(seeds: list[int], classes: int) -> dict[str, Any]:
    """The schema of ``result.json``: lists have one item per seed, or per class."""
    each, one_of = len(seeds), Allowed(f"one of the seeds {seeds}", seeds.__contains__)
    return {
        "dataset": TEXT, "data_sha256": {...: TEXT}, "test_accuracy": (SHARE,) * each,
        "validation_accuracy": (optional(SHARE),) * each, "train_accuracy": (SHARE,) * each,
        "best_seed": one_of, "confusion": (((COUNT,) * classes,) * classes,) * each,
        "parameters": COUNT, "parameters_sha256": (TEXT,) * each, "compile_seconds": AMOUNT,
        "train_seconds": AMOUNT, "images_per_second": AMOUNT, "versions": {...: TEXT},
        "device": {...: _FACT}, "network?": {"headings": [TEXT], "rows": [[TEXT]]},
        "warnings?": [TEXT],
    }  # fmt: skip
