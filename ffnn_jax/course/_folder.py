"""Writes the folder of a course: chapters without answers, tests, notebooks, and what to do."""

import ast
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any

import ffnn_jax
from ffnn_jax._errors import UserError
from ffnn_jax.course._chapters import (
    ALSO_REMOVED,
    TRAINING,
    course_json,
    definition_of,
    source_of,
)
from ffnn_jax.course._cut import cut_answers

_TEXTS = Path(__file__).with_name("texts")
_TASK = re.compile(r'raise NotImplementedError\("(.*?)"\)')
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def write_course(folder: Path, chapters: Sequence[str], with_answers: bool = False) -> None:
    """Writes the folder, with the complete chapters in its folder answers if asked for.

    Raises:
        UserError: the folder exists and is not empty.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder} must be a new or an empty folder")
    for name, text in _files(chapters, with_answers):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _files(chapters: Sequence[str], with_answers: bool) -> Iterator[tuple[str, str]]:
    rows = []
    for chapter in chapters:
        source = source_of(chapter)
        cut = cut_answers(source, definition_of(chapter), ALSO_REMOVED.get(chapter, ()))
        tasks = [task for task in _TASK.findall(cut) if "backward" in task or chapter == TRAINING]
        title, definition = re.split(
            r"[:.].*\n", str(ast.get_docstring(ast.parse(cut))), maxsplit=1
        )
        rows.append(f"| `{chapter}` | {title} | {'; '.join(tasks)} |")
        yield f"chapters/{chapter}.py", cut
        yield f"{chapter}.ipynb", _notebook(chapter, title, definition, tasks)
        if tests := _text(f"tests/test_{chapter}.txt"):
            yield f"tests/test_{chapter}.py", tests
        if with_answers:
            yield f"answers/{chapter}.py", source
    yield "README.md", Template(_text("README.md")).substitute(rows="\n".join(rows))
    yield "pytest.ini", _text("pytest.ini")
    yield course_json(chapters, ffnn_jax.__version__)


def _notebook(chapter: str, title: str, definition: str, tasks: Sequence[str]) -> str:
    """A notebook, not executed: definition, space to derive, a try, the checks, some training."""
    begin = f"# {title}\n\nThe definition, from `chapters/{chapter}.py`:\n\n```text\n"
    cells = [
        _cell("definition", "markdown", f"{begin}{definition.strip()}\n```"),
        _cell("derivation", "markdown", "\n".join(["## Your derivation\n", *tasks, "\n..."])),
        _cell("try", "code", _try(chapter)),
        _cell("check", "code", _text("check.txt").replace("CHAPTER", chapter)),
        _cell("train", "code", _text(f"train_{chapter}.txt") or _text("train.txt")),
    ]
    about = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    written = [cell for cell in cells if cell["source"]]
    notebook = {"cells": written, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(name: str, kind: str, text: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": name, "metadata": {}, "source": text.rstrip()}
    return cell if kind == "markdown" else cell | {"execution_count": None, "outputs": []}


def _try(chapter: str) -> str:
    """The first case worked by hand, as a cell that prints what comes out; "" if there is none."""
    head, _, test = _text(f"tests/test_{chapter}.txt").partition("\n\n\n")
    lines = test.partition("\n    assert")[0].partition("\n")[2]
    cotangents = re.search(r"(.*) = pull", lines)
    if cotangents is None:
        return ""
    imports, names = re.split(r"from chapters\.\w+ import (.*)\n", head.partition("\n\n")[2])[:2]
    load = [
        f'{name} = load_operations("chapters/{chapter}.py")["{name}"]'
        for name in names.split(", ") if f"({name}" in lines or f" {name}(" in lines
    ]  # fmt: skip
    use = "\nfrom ffnn_jax.course import load_operations\n"
    shown = f'print({cotangents[1].strip()}, sep="\\n")'
    return "\n".join([imports + use, *load, textwrap.dedent(lines), shown])


def _text(name: str) -> str:
    """A text of the folder texts; "" if it has none of that name."""
    return (_TEXTS / name).read_text("utf-8") if (_TEXTS / name).exists() else ""
