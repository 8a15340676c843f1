"""The forms of convolutions that are fastest on this machine: shipped, or timed here once."""

import json
import logging
from pathlib import Path

import jax
from platformdirs import user_cache_path

from ffnn_jax._processor import Processor, processor
from ffnn_jax.layers.fast import MICRO_BATCH, NAMES, TABLES, Table

_log = logging.getLogger(__name__)


def forms_here() -> Table:
    """The table of this processor: the one timed on it, or shipped; none on other devices."""
    if jax.default_backend() != "cpu":
        return ()
    timed, shipped = timed_forms_path(), TABLES.get(kind_of(processor()), ())
    try:
        table = dict(json.loads(timed.read_text(encoding="utf-8"))) if timed.exists() else shipped
        if not all(value in NAMES or name == MICRO_BATCH for name, value in dict(table).items()):
            raise ValueError(f"a form is none of {', '.join(NAMES)}")
    except (OSError, ValueError, TypeError) as error:
        _log.warning("%s is ignored: %s", timed, error)
        return shipped
    return tuple(dict(table).items())


def timed_forms_path() -> Path:
    """The file of a table that was timed on this kind of processor, if one was."""
    return user_cache_path("ffnn_jax") / f"forms-{processor().digest}.json"


def kind_of(chip: Processor) -> str:
    """The kind of a processor in ``TABLES``; "" if it is none of them."""
    if "EPYC" in chip.name:
        return "amd-epyc"
    return "intel-xeon-amx" if "Xeon" in chip.name and "amx_tile" in chip.features else ""
