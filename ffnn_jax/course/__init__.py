"""A course: chapters without their answers, for students who derive and write them.

``write_course`` writes a folder for them. ``use_chapters`` lets this process's networks compute
with the chapters of such a folder; ``load_operations`` loads a single one. ``judge_chapter`` checks
one by the package's own checks, and times it; ``grade`` does so for a class.
"""

import importlib
from typing import Any

from ffnn_jax.course._chapters import USUAL, course_chapters, select_chapters
from ffnn_jax.course._folder import write_course

_WITH_JAX = {
    "grade": "_grade",
    "judge_chapter": "_judging",
    "load_operations": "_operations",
    "use_chapters": "_operations",
}

__all__ = ["USUAL", "course_chapters", "select_chapters", "write_course"]


def __getattr__(name: str) -> Any:
    """What needs jax is imported when it is used: a folder is written without."""
    if name in _WITH_JAX:
        return getattr(importlib.import_module(f"{__name__}.{_WITH_JAX[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
