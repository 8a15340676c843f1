"""The chapters that can be handed out, and which of their equations are the definition."""

import json
import re
from collections.abc import Collection
from pathlib import Path

from ffnn_jax._errors import UserError, suggestion

TRAINING = "training"
USUAL = ("dense", "relu", "softmax_loss", "conv", "pool", TRAINING)
"""The chapters of the report's MNIST network, and the pieces of the loop that trains it."""
_DEFINITIONS = {
    "dense": "1 11-12", "relu": "17", "softmax_loss": "20-21 23 softmax.2-6",
    "conv": "conv.1-3 conv.11", "conv1d": "line.1", "conv_transpose": "transpose.1-2 transpose.6-8",
    "pool": "pool.1-2", "avg_pool": "avg.1-2", "adaptive_pool": "adaptive.1 adaptive.3-4",
    "leaky_relu": "leaky.1", "sigmoid": "sigmoid.1 sigmoid.6",
    "piecewise_activations": "piecewise.1-8", "gated_activations": "gated.1-3",
    "log_softmax": "logsoftmax.1", "batch_norm": "norm.1-3 norm.9-10", "dropout": "dropout.1-2",
    "add": "add.1", "upsample": "upsample.1 upsample.3-4", "pad": "pad.1", "scale": "scale.1",
    "layer_norm": "layer.1-5", "group_norm": "group.1-5", "rms_norm": "rms.1-4",
    "weight_standardisation": "weight.1-4", TRAINING: "24-25",
}  # fmt: skip
"""The tags of each chapter's definition; what a student derives from it are the others."""
CHAPTERS = tuple(_DEFINITIONS)
ALSO_REMOVED = {
    "conv": ("_im2col_images", "_im2col_kernels"),
    TRAINING: (
        "momentum_update",
        "draw_batch",
        "mean_recall",
        "count_parameters",
        "digit_of_class",
        "start_deviation",
    ),
}
"""What answers besides a backward: maps that the convolution's forward reaches; all functions."""
_COURSE = "course.json"


def definition_of(chapter: str) -> set[str]:
    """The tags of the equations that stay."""
    found = re.findall(r"([a-z]*\.?)(\d+)-?(\d*)", _DEFINITIONS[chapter])
    return {f"{a}{k}" for a, low, high in found for k in range(int(low), int(high or low) + 1)}


def source_of(chapter: str) -> str:
    """The package's own file of a chapter."""
    folder = Path(__file__).parent / ("." if chapter == TRAINING else "../layers")
    return (folder / f"_{chapter}.py").read_text("utf-8")


def select_chapters(words: str) -> tuple[str, ...]:
    """The chapters named, separated by commas; "all" stands for every one.

    Raises:
        UserError: a chapter is unknown.
    """
    names = dict.fromkeys(word.strip() for word in words.split(","))
    return CHAPTERS if words == "all" else _known(names)


def course_json(chapters: Collection[str], version: str) -> tuple[str, str]:
    """Name and text of the file that makes a folder that of a course."""
    about = {"ffnn_jax_course": list(chapters), "version": version}
    return _COURSE, json.dumps(about, indent=2) + "\n"


def course_chapters(folder: Path) -> tuple[str, ...]:
    """The chapters of a course's folder; none for any other folder.

    Raises:
        UserError: its file names one that is unknown, or the folder is one inside a course's.
    """
    folder = folder.resolve()
    chapters = _chapters_in(folder)
    if not chapters and _chapters_in(folder.parent):
        raise UserError(f"a course's commands are run in its folder, {folder.parent}")
    return _known(chapters)


def _chapters_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(json.loads((folder / _COURSE).read_text("utf-8"))["ffnn_jax_course"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _known(names: Collection[str]) -> tuple[str, ...]:
    for name in names:
        if name not in CHAPTERS:
            end = f"(known: {', '.join(CHAPTERS)}){suggestion(name, CHAPTERS)}"
            raise UserError(f"unknown chapter {name!r} {end}")
    return tuple(names)
