"""Layers of a user's own modules, imported only where the user names them."""

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax.nn import LAYERS, Layer
from ffnn_jax.nn._chain import with_nested

OWN: dict[str, type[Layer]] = {}
"""The layers of the modules that ``use_layers`` was given, by name."""
_LAYER = "a frozen dataclass that inherits from ffnn_jax.nn.Layer"


def use_layers(modules: str) -> None:
    """From now on what was saved may have the layers of these modules, which commas separate.

    Raises:
        UserError: a module cannot be imported, or has no layer of its own.
    """
    for module in modules.split(","):
        if not (kinds := _layers_of(module)):
            raise UserError(f"module {module} has no layer, {_LAYER}")
        OWN.update(kinds)


def layer_at(location: str) -> type[Layer]:
    """The layer class at MODULE:CLASS.

    Raises:
        UserError: the module cannot be imported, or has no such layer, or it is called like ours.
    """
    module, _, name = location.partition(":")
    kinds = _layers_of(module)
    if name not in kinds:
        near = suggestion(name, kinds)
        raise UserError(f"module {module} has no layer {name!r}, {_LAYER}{near}")
    if name in LAYERS:
        raise UserError(f"ffnn_jax.nn has another {name}: rename that of {module}")
    return kinds[name]


def name_of(kind: type[Layer]) -> str:
    """A layer class in text: its name in small letters, or MODULE:CLASS."""
    name = kind.__name__
    return name.lower() if LAYERS.get(name) is kind else f"{kind.__module__}:{kind.__qualname__}"


def layers_from(layers: Iterable[Layer]) -> str:
    """The option that names the modules of the user's own layers among these, or nothing."""
    names = {name_of(type(layer)) for layer in with_nested(tuple(layers))}
    modules = ",".join(sorted({name.partition(":")[0] for name in names if ":" in name}))
    return f" --layers-from {modules}" if modules else ""


def _layers_of(module: str) -> dict[str, type[Layer]]:
    """A module's layers but this package's; it may be in the current folder, or installed."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        names = vars(importlib.import_module(module))
    except Exception as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"module {module!r} cannot be imported: {problem}") from error
    kinds = {name: kind for name, kind in names.items() if isinstance(kind, type)}
    known = {Layer, *LAYERS.values()}
    return {n: kind for n, kind in kinds.items() if issubclass(kind, Layer) and kind not in known}
