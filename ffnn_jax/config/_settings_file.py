"""Settings files: TOML whose keys are those of ``Settings``, started from a preset if it names one.

``preset`` names it; ``name`` is what runs are called, by default the preset or the file. Layers are
text as of ``layers_from_text``, or a list of such texts; augmentations words such as "crop:4".
Without a preset, ``dataset`` and ``layers`` are needed, there or among the options.
"""

import contextlib
import dataclasses
import re
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ffnn_jax._errors import UserError, suggestion
from ffnn_jax._schema import read_saved, require_schema
from ffnn_jax.config import _json
from ffnn_jax.config._augmentations import parse_augment
from ffnn_jax.config._layer_text import layers_from_text
from ffnn_jax.config._presets import PRESETS, preset
from ffnn_jax.config._settings import Settings
from ffnn_jax.config._validation import Validation
from ffnn_jax.nn import Layer
from ffnn_jax.nn._chain import with_nested

NAMES = tuple(f.name for f in dataclasses.fields(Settings) if f.name != "preset")
_KEYS = ("preset", "name", *NAMES)
_NEEDED = ("dataset", "layers")
_PARSERS: dict[str, Callable[[Any], Any]] = {
    "layers": layers_from_text, "augmentations": parse_augment, "validation": Validation.parse,
}  # fmt: skip
_NAME = re.compile(r"[\w.-]+")
_LAYERS = 'text such as "conv 16 5, relu, dense 10", or a list of such texts'


class NamedSettings(NamedTuple):
    """Settings, and the names of those that differ from a preset's on purpose."""

    settings: Settings
    given: frozenset[str] = frozenset()

    def overridden(self, changes: Mapping[str, Any]) -> "NamedSettings":
        """With other values of some settings."""
        base, given = self
        same = {"dataset"} if changes.get("dataset") == base.dataset else set()
        return NamedSettings(dataclasses.replace(base, **changes), given | (changes.keys() - same))


def named_settings(name: str, options: Mapping[str, Any] = {}) -> NamedSettings:
    """The settings of a preset, of a file if the name ends in ".toml", or of a run's folder.

    Options are settings in the words of the command line, which override them or stand for what the
    file lacks; other options, None and False are left out.

    Raises:
        UserError: there is no preset of that name, or the file cannot be read; the message names
            the key.
    """
    changes = {k: v for k in NAMES if (v := options.get(k)) is not None and v is not False}
    for key, parse in _PARSERS.items():
        if key in changes:
            changes[key] = parse(changes[key])
    return _named(name, changes).overridden(changes)


def _named(name: str, changes: Mapping[str, Any]) -> NamedSettings:
    path = Path(name)
    with errors_in(name):
        if path.suffix == ".toml":
            return _settings_of(parsed(path), re.sub(r"[^\w.-]", "-", path.stem), changes)
        if name not in PRESETS and (path / "config.json").exists():
            config = read_saved(path / "config.json")
            require_schema("config.json", config, {})
            return NamedSettings(Settings.from_json(config), frozenset(NAMES))
    if name not in PRESETS:
        _require_no_path(name)
    return NamedSettings(preset(name))


@contextlib.contextmanager
def errors_in(place: str) -> Iterator[None]:
    """Puts the place before the message of a UserError, and a key as files write it."""
    try:
        yield
    except UserError as error:
        key = re.sub(r"^\w+(-\w+)+(?= must)", lambda found: found[0].replace("-", "_"), str(error))
        raise UserError(f"{place}: {key}") from None


def _require_no_path(name: str) -> None:
    """Rejects what is a path or is written as one, and not as a preset's name."""
    path, known = Path(name), "a settings file (.toml) or the folder of a run"
    if path.exists():
        hint = f"if it is a data set: ffnn-jax train --dataset {shlex.quote(name)}"
        raise UserError(f"{name}: not {known}; {hint}")
    if Path("runs", name).exists():
        raise UserError(
            f"{name}: no preset, and no folder here; did you mean {Path('runs', name)}?"
        )
    if not _NAME.fullmatch(name) or "." in name:
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"{name}: no such file or folder{suggestion(path.name, beside)}")


def parsed(path: Path) -> dict[str, Any]:
    """The content of a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _settings_of(
    fields: dict[str, Any], file_name: str, changes: Mapping[str, Any]
) -> NamedSettings:
    require_known(fields, _KEYS)
    base = preset(str(fields.pop("preset"))) if "preset" in fields else None
    for key in () if base else _NEEDED:
        if (value := fields.get(key, changes.get(key))) is None:
            raise UserError(f"the key {key!r} is missing, and no preset to start from")
        fields[key] = value
    name = fields.pop("name", base.preset if base else file_name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"name must be letters, digits, '.', '_' and '-', got {name!r}")
    return changed(base, fields, name)


def require_known(keys: Iterable[str], known: Sequence[str]) -> None:
    """Rejects a key that is not known, naming the nearest."""
    for key in keys:
        if key not in known:
            near = suggestion(key, known) or f" (known: {', '.join(known)})"
            raise UserError(f"unknown key {key!r}{near}")


def changed(base: Settings | None, fields: Mapping[str, Any], name: str) -> NamedSettings:
    """Settings of this name, changed where a file's fields say so; all of them without a base."""
    fields = dict(fields)
    given = frozenset(k for k in fields if k != "dataset" or not base or base.dataset != fields[k])
    before = base.to_json() if base else {"forms": None}
    layers = _layers(fields["layers"]) if "layers" in fields else base.layers  # type: ignore[union-attr]
    fields["layers"] = _json.layers_to_json(layers)
    if not _is_texts(words := fields.get("augmentations", [])):
        raise UserError(f"augmentations must be a list of words such as 'crop:4', got {words!r}")
    if "augmentations" in fields:
        fields["augmentations"] = _json.augmentations_to_json(parse_augment(words))
    own = {type(layer) for layer in with_nested(layers)}
    return NamedSettings(Settings.from_json(before | fields | {"preset": name}, own), given)


def _layers(value: Any) -> tuple[Layer, ...]:
    if isinstance(value, tuple):  # of an option
        return value
    if isinstance(value, str):
        return layers_from_text(value)
    if not _is_texts(value):
        raise UserError(f"layers must be {_LAYERS}, got {value!r}")
    chains = (layers_from_text(text, f"layers[{number}]") for number, text in enumerate(value))
    return tuple(layer for chain in chains for layer in chain)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
