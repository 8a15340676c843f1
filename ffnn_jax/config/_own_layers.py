"""Layers of a user's own module, imported only where the user names it."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.nn import LAYERS, Layer

_LAYER = "a frozen dataclass that inherits from ffnn_jax.nn.Layer"


def layer_at(location: str) -> type[Layer]:
    """The layer class at MODULE:CLASS.

    Raises:
        UserError: the module cannot be imported, or has no such layer.
    """
    module, _, name = location.partition(":")
    kinds = _layers_of(_module(module))
    if name not in kinds:
        near = suggestion(name, kinds)
        raise UserError(f"module {module} has no layer {name!r}, {_LAYER}{near}")
    return kinds[name]


def layers_in(module: str | None) -> list[type[Layer]]:
    """All layer classes of a module that are not this package's own; none without a module.

    Raises:
        UserError: the module cannot be imported, or has no layer.
    """
    if module is None:
        return []
    own = [kind for kind in _layers_of(_module(module)).values() if kind not in LAYERS.values()]
    if not own:
        raise UserError(f"module {module} has no layer, {_LAYER}")
    return own


def name_of(kind: type[Layer]) -> str:
    """A layer class in text: its name in small letters, or MODULE:CLASS."""
    name = kind.__name__
    return name.lower() if LAYERS.get(name) is kind else f"{kind.__module__}:{kind.__qualname__}"


def _module(name: str) -> ModuleType:
    """The module, from the current folder if it is not installed."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"module {name!r} cannot be imported: {problem}") from error


def _layers_of(module: ModuleType) -> dict[str, type[Layer]]:
    kinds = {name: kind for name, kind in vars(module).items() if isinstance(kind, type)}
    return {n: k for n, k in kinds.items() if issubclass(k, Layer) and k is not Layer}
