"""A student's operations: loaded from their files, and put in the place of the package's."""

import dataclasses
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import jax

from ffnn_jax import layers
from ffnn_jax._errors import UserError
from ffnn_jax.catalogue import DENSE, OP_SPECS, Case, OpSpec  # before anything is replaced
from ffnn_jax.course._chapters import TRAINING, course_chapters
from ffnn_jax.course._differences import fall_back_on_differences

_IMAGES = Case(
    arguments=("NxHxW", "DxK", "K"), sizes=({"N": 2, "H": 2, "W": 3, "D": 6, "K": 4},)
)  # fmt: skip


def load_chapter(file: Path | str) -> ModuleType:
    """The module of a chapter, ``chapters.dense`` for dense.py, executed anew.

    Raises:
        UserError: it cannot be read or imported.
    """
    path = Path(file)
    spec = importlib.util.spec_from_file_location(f"chapters.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: not a Python file")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(
        spec
    )  # dataclasses look there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: {type(error).__name__}: {reason}") from error
    return module


def operations_of(module: ModuleType) -> dict[str, jax.custom_vjp]:
    """The operations that a chapter defines, by name."""
    found = {name: getattr(module, name, None) for name in getattr(module, "__all__", ())}
    return {name: one for name, one in found.items() if isinstance(one, jax.custom_vjp)}


def load_operations(file: Path | str) -> dict[str, jax.custom_vjp]:
    """The operations of a chapter; central differences stand in for unfinished backwards.

    A backward is unfinished if it raises NotImplementedError. A line on standard error says so.

    Raises:
        UserError: the file cannot be read or imported.
    """
    operations = operations_of(load_chapter(file))
    for name, operation in operations.items():
        fall_back_on_differences(operation, rows_of(spec_of(name)))
    return operations


def use_chapters(folder: Path | str = ".") -> tuple[str, ...]:
    """Lets this process's networks compute with the chapters of a course folder.

    Returns:
        The chapters that have operations; none if the folder is not a course's.

    Raises:
        UserError: a chapter cannot be read or imported.
    """
    chapters = tuple(name for name in course_chapters(Path(folder)) if name != TRAINING)
    for chapter in chapters:
        for name, operation in load_operations(Path(folder, "chapters", f"{chapter}.py")).items():
            setattr(layers, name, operation)
    return chapters


def spec_of(name: str) -> OpSpec | None:
    """The catalogue's entry of an operation; None for one that the package does not have.

    A dense layer is also asked about images, which it flattens: the network passes it those.
    """
    spec = next((spec for spec in OP_SPECS if spec.name == name), None)
    return dataclasses.replace(DENSE, cases=(*DENSE.cases, _IMAGES)) if spec is DENSE else spec


def rows_of(spec: OpSpec | None) -> Sequence[int]:
    """For each array argument, the least number of axes with which it has rows of the batch.

    Row n of the output depends on row n of these alone. 0 for other arguments, () if all are.
    """
    if spec is None or spec.reduces != "sum":
        return ()
    arguments = spec.arguments_of(spec.cases[0])
    return [len(a.axes) if a.axes[:1] == (spec.batch,) else 0 for a in arguments]
