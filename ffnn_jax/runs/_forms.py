"""The forms of convolutions that are fastest on this machine: shipped, or timed here once."""

import dataclasses
import json
from pathlib import Path

import jax
from platformdirs import user_cache_path

from ffnn_jax._processor import processor
from ffnn_jax.config import UserError, preset
from ffnn_jax.layers.fast import ACCELERATOR, TABLES, Table, kind_of


def forms_here(one_program: bool = False) -> Table:
    """The table of this processor: the one timed on it, or shipped.

    Other devices need one only where one program trains several seeds.
    """
    if jax.default_backend() != "cpu":
        return ((ACCELERATOR, "im2col"),) if one_program else ()
    path = timed_forms_path()
    try:
        if not path.exists():
            return TABLES.get(kind_of(processor()), ())
        table = tuple(json.loads(path.read_text(encoding="utf-8")).items())
        dataclasses.replace(preset("mnist"), forms=table)  # a UserError unless settings take it
        return table
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: {error}; remove it, or time the forms again") from None


def timed_forms_path() -> Path:
    """The file of a table that was timed on this kind of processor, if one was."""
    return user_cache_path("ffnn_jax") / f"forms-{processor().digest}.json"
