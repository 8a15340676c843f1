"""Settings files: TOML whose keys are those of ``Settings``, started from a preset if it names one.

``preset`` names it; ``name`` is what runs are called, by default the preset or the file. Layers are
text as of ``layers_from_text``, or a list: of such texts, and of tables with a ``type`` and the
layer's fields. Augmentations are words such as "crop:4", or tables. Without a preset, ``dataset``
and ``layers`` are needed.
"""

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax._schema import read_saved, require_schema
from ffnn_jax.config import _json
from ffnn_jax.config._augmentations import parse_augment
from ffnn_jax.config._layer_text import layers_from_text
from ffnn_jax.config._own_layers import layer_at
from ffnn_jax.config._presets import preset
from ffnn_jax.config._settings import Settings
from ffnn_jax.nn import LAYERS, Layer
from ffnn_jax.nn._chain import with_nested

_KEYS = ("preset", "name", *(f.name for f in dataclasses.fields(Settings) if f.name != "preset"))
_NAME = re.compile(r"[\w.-]+")
_LAYERS = 'text such as "conv 16 5, relu, dense 10", or a list of such texts or of tables'


class NamedSettings(NamedTuple):
    """Settings, and the names of those that differ from a preset's on purpose."""

    settings: Settings
    given: frozenset[str] = frozenset()


def named_settings(name: str) -> NamedSettings:
    """The settings of a preset, or of a file if the name ends in ".toml".

    Raises:
        UserError: there is no preset of that name, or the file cannot be read; the message names
            the key.
    """
    if not name.endswith(".toml"):
        return NamedSettings(preset(name))
    fields = _parsed(Path(name))
    try:
        return _settings_of(fields, re.sub(r"[^\w.-]", "-", Path(name).stem))
    except UserError as error:
        key = re.sub(r"^\w+(-\w+)+(?= must)", lambda found: found[0].replace("-", "_"), str(error))
        raise UserError(f"{name}: {key}") from None


def settings_of_run(folder: Path, own: Iterable[type[Layer]] = ()) -> Settings:
    """The settings of the run in a folder; ``own`` has the types of custom layers.

    Raises:
        UserError: the folder is not that of a run, or has a layer that is not known.
    """
    path = folder / "config.json"
    config = read_saved(path)
    require_schema(path, config, {})
    try:
        return Settings.from_json(config, own)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        problem = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read: {problem}") from None


def _settings_of(fields: dict[str, Any], file_name: str) -> NamedSettings:
    for key in fields:
        if key not in _KEYS:
            near = suggestion(key, _KEYS) or f" (known: {', '.join(_KEYS)})"
            raise UserError(f"unknown key {key!r}{near}")
    base = preset(str(fields.pop("preset"))) if "preset" in fields else None
    for key in ("dataset", "layers"):
        if base is None and key not in fields:
            raise UserError(f"the key {key!r} is missing, and no preset to start from")
    name = fields.pop("name", base.preset if base else file_name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"name must be letters, digits, '.', '_' and '-', got {name!r}")
    given = frozenset(k for k in fields if k != "dataset" or not base or base.dataset != fields[k])
    before = base.to_json() if base else {"forms": None}
    layers = _layers(fields["layers"]) if "layers" in fields else base.layers  # type: ignore[union-attr]
    fields["layers"] = _json.layers_to_json(layers)
    if isinstance(words := fields.get("augmentations"), list):
        fields["augmentations"] = [item for word in words for item in _augmentations(word)]
    own = {type(layer) for layer in with_nested(layers)}
    return NamedSettings(Settings.from_json(before | fields | {"preset": name}, own), given)


def _layers(value: Any) -> tuple[Layer, ...]:
    if isinstance(value, str):
        return layers_from_text(value)
    if not isinstance(value, list) or not all(isinstance(item, str | dict) for item in value):
        raise UserError(f"layers must be {_LAYERS}, got {value!r}")
    return tuple(layer for number, item in enumerate(value) for layer in _chain(number, item))


def _chain(number: int, item: str | dict[str, Any]) -> tuple[Layer, ...]:
    """The layers of an item of the list."""
    where = f"layers[{number}]"
    if isinstance(item, str):
        return layers_from_text(item, where)
    try:
        own = {location: layer_at(location) for location in _locations(item)}
        return _json.from_json([item], "layer", LAYERS | own)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _locations(value: Any) -> Iterator[str]:
    """The types of the user's own in a table, MODULE:CLASS, those of nested layers included."""
    if isinstance(value, list):
        for item in value:
            yield from _locations(item)
    elif isinstance(value, dict):
        if ":" in str(value.get("type")):
            yield str(value["type"])
        yield from _locations(list(value.values()))


def _augmentations(word: Any) -> list[Any]:
    return _json.augmentations_to_json(parse_augment([word])) if isinstance(word, str) else [word]
