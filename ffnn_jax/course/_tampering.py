"""What the checks consist of, and whether a student's code has replaced some of it."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OWN = ("__main__", "ffnn_jax")
_WATCHED = (*_OWN, "builtins", "jax", "numpy")


def state_of_modules() -> dict[str, list[Any]]:
    """What the checks consist of, by name: functions, and all else that our own modules hold."""
    found: dict[str, list[Any]] = {}
    for module in [m for n, m in sys.modules.items() if n.partition(".")[0] in _WATCHED]:
        is_own = module.__name__.partition(".")[0] in _OWN
        if is_own:  # a new name may hide a builtin; a module that is imported later hides nothing
            names = [n for n, value in vars(module).items() if not inspect.ismodule(value)]
            found[f"{module.__name__}.*"] = names
        for name, value in [item for item in vars(module).items() if not item[0].startswith("__")]:
            members = vars(value).items() if isinstance(value, type) else ()
            for key, member in (("", value), *members):
                if is_own or callable(member) or isinstance(member, property):
                    path = f"{module.__name__}.{name}.{key}".rstrip(".")
                    found[path] = [member, *_inside(member)]
    return found


def difference_of(
    before: Mapping[str, Sequence[Any]], after: Mapping[str, Sequence[Any]],
    identity: Callable[[Any], int] = id,
) -> str:  # fmt: skip
    """The name of something that is another object than before, or ""."""
    for name, held in before.items():
        if [identity(o) for o in held] != [identity(o) for o in after.get(name, ())]:
            return name
    return ""


def _inside(value: Any) -> Sequence[Any]:
    """What can be exchanged in a function or a container."""
    if inspect.isfunction(value):
        return (value.__code__,)
    if isinstance(value, dict):
        return [*value, *value.values()]
    return [*value] if isinstance(value, list | set) else ()
