"""The chapters in reading order: equations, derivation, test and notebook, from the files."""

import re
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).parents[1]
_LAYERS, _OPTIM = _HERE / "ffnn_jax" / "layers", _HERE / "ffnn_jax" / "optim"
_TAG = re.compile(r"\(((?:[a-z]+\.)?\d+)\)\s*$", re.MULTILINE)
_NORMS = ("layer_norm", "group_norm", "rms_norm", "weight_standardisation")
_FAST = ("row_conv", "pair_conv", "depthwise_conv", "blocks")
_FAMILIES = ("smooth", "piecewise", "gated")
_SECOND = "pooling_and_convolution_2"
_NOTEBOOKS = {"conv": "convolution", "pool": "pooling", "log_softmax": "activations"}
_NOTEBOOKS |= dict.fromkeys(("avg_pool", "adaptive_pool", "conv1d", "conv_transpose"), _SECOND)
_NOTEBOOKS |= dict.fromkeys(_NORMS, "normalisation")
_NOTEBOOKS |= {f"{family}_activations": "activations" for family in _FAMILIES}


def chapters_table() -> str:
    """One row per chapter."""
    head = "| chapter | equations | derivation and code | test | notebook |"
    rows = [_row(path) for path in chapters()]
    return "\n".join(["", head, "| --- | --- | --- | --- | --- |", *rows, "", ""])


def chapters() -> Iterator[Path]:
    """The files that derive something: layers, update rules, then faster forms."""
    contents = (_LAYERS / "__init__.py").read_text(encoding="utf-8")
    for name in re.findall(r"^__all__ \+= (_\w+)\.__all__$", contents, re.MULTILINE):
        yield _LAYERS / f"{name}.py"
    yield _OPTIM / "_momentum.py"
    yield _OPTIM / "_schedules.py"
    yield from (_LAYERS / "fast" / f"_{name}.py" for name in _FAST)


def _row(path: Path) -> str:
    name = path.stem.removeprefix("_")
    title, docstring = _title_and_docstring(path)
    tags = _TAG.findall(docstring)
    tags = [tag for tag in tags if tag.split(".")[:-1] == tags[0].split(".")[:-1]]
    equations = f"({tags[0]})-({tags[-1]})" if len(tags) > 1 else f"({tags[0]})"
    tests = _HERE / "tests" / path.relative_to(_HERE / "ffnn_jax").parent
    test = tests / f"test_{name}.py"
    if not test.exists():
        shared = "conv" if path.parent.name == "fast" else "activations"
        test = _HERE / "tests" / "layers" / f"test_{shared}.py"
    notebooks = sorted((_HERE / "notebooks").glob(f"*_{_NOTEBOOKS.get(name, name)}.ipynb"))
    cells = [title, equations, _link(path), _link(test), " ".join(map(_link, notebooks))]
    return f"| {' | '.join(cells)} |"


def _title_and_docstring(path: Path) -> tuple[str, str]:
    docstring = path.read_text(encoding="utf-8").split('"""')[1]
    title = re.split(r"[:.]", docstring, maxsplit=1)[0]
    return title.removeprefix("The ").capitalize(), docstring


def _link(path: Path) -> str:
    name = path.stem if path.suffix == ".ipynb" else path.name
    return f"[`{name}`](../../{path.relative_to(_HERE).as_posix()})"
