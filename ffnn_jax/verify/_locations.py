"""A user's functions and rules, found where a command line says they are."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from ffnn_jax._errors import suggestion
from ffnn_jax.verify._rule import Rule


def rules_in(file: str) -> dict[str, Rule]:
    """The rules at the top level of a file by title, numbered where several have the same.

    Raises:
        ValueError: there is none, or the file has the name of another module.
    """
    path = Path(file).resolve()
    sys.path.insert(0, str(path.parent))
    module = importlib.import_module(path.stem)
    if getattr(module, "__file__", None) != str(path):
        raise ValueError(f"rename the file, since {path.stem} is the name of another module")
    values = (list(v.values()) if isinstance(v, dict) else v for v in vars(module).values())
    groups = (v if isinstance(v, list | tuple) else [v] for v in values)
    rules = list(dict.fromkeys(r for group in groups for r in group if isinstance(r, Rule)))
    if not rules:
        raise ValueError("no Rule at its top level, in a variable, list, tuple or dict")
    counts = [sum(r.title == rule.title for r in rules[:i]) for i, rule in enumerate(rules)]
    names = [r.title + f" ({n + 1})" * (n > 0) for r, n in zip(rules, counts, strict=True)]
    return dict(zip(names, rules, strict=True))


def function_at(location: str) -> Any:
    """The function at MODULE:NAME.

    Raises:
        ValueError: the module has no function of that name.
    """
    module_name, _, name = location.partition(":")
    module = importlib.import_module(module_name)
    if not callable(getattr(module, name, None)):
        hint = suggestion(name, [key for key, value in vars(module).items() if callable(value)])
        raise ValueError(f"module {module_name} has no function {name!r}{hint}")
    return getattr(module, name)


def error_line(error: BaseException) -> str:
    """The message in one line, with the kind of error if that is not plain, and the user's line."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f" ({Path(f.filename).name}:{f.lineno})" for f in frames if f.name == "<module>"]
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return "".join([kind, " ".join(str(error).split()), *lines[-1:]])
