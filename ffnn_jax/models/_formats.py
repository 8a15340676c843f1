"""Current names for the arrays and metadata keys of earlier file formats.

Format 1 named arrays ``member_0/0/conv_2/w``, ``member_0/1/scale`` and
``seed_0/momentum/m/conv_2/w``. Format 2 named them ``member_0/params/conv_2/w``,
``member_0/normalisation/scale`` and ``seed_0/opt_state/m/conv_2/w``. Both counted the network's
input as layer 1; format 3 uses ``model_0/params/conv_1/w``.
"""

import re
from typing import Any

import numpy as np

FORMAT = 3
_PATHS = (
    (re.compile(r"^(member_\d+)/0/"), r"\1/params/"),
    (re.compile(r"^(member_\d+)/1/"), r"\1/normalisation/"),
    (re.compile(r"^(seed_\d+)/momentum/"), r"\1/opt_state/"),
    (re.compile(r"^member_(\d+)/"), r"model_\1/"),
)
_KEYS = {"members": "models", "shown": "running_metrics"}
_LAYER = re.compile(r"^(\w+_\d+/(?:.*?/)??)(\w+_)(\d+)(?=/)")


def renamed_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file in format 1 or 2, under their names in format 3."""
    return {_renamed(name): array for name, array in arrays.items()}


def renamed_keys(about: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a file in format 1 or 2, under the keys of format 3."""
    return {_KEYS.get(key, key): value for key, value in about.items()}


def _renamed(name: str) -> str:
    for pattern, path in _PATHS:
        name = pattern.sub(path, name)
    return _LAYER.sub(lambda match: f"{match[1]}{match[2]}{int(match[3]) - 1}", name)
