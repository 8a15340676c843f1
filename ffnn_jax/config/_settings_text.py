"""The settings file that repeats a run: every setting by name, in TOML."""

import json
import re
from typing import Any

from ffnn_jax.config._augmentations import word_of
from ffnn_jax.config._layer_text import layers_to_text
from ffnn_jax.config._settings import Settings

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def settings_to_text(settings: Settings) -> str:
    """The content of a settings file with these settings, complete, so that it names no preset."""
    fields = settings.to_json() | {
        "layers": [layers_to_text([layer]) for layer in settings.layers],
        "augmentations": [word_of(one) for one in settings.augmentations],
    }
    named = {"name": fields.pop("preset")} | {k: v for k, v in fields.items() if v is not None}
    lines = [f"{key} = {_value(value)}" for key, value in named.items() if type(value) is not dict]
    for key, value in named.items():
        if type(value) is dict:
            lines += ["", f"[{key}]", *(f"{_key(k)} = {_value(v)}" for k, v in value.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """A value in TOML, which differs from JSON in long lists, here one item a line, and in DEL."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        return "[\n" + "".join(f"  {_value(item)},\n" for item in value) + "]"
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return text.encode(errors="replace").decode()  # a path may hold what is not Unicode
