"""The forms that were fastest on the processors that were measured: ``experiments/forms.py``.

Classes that are not in a table are best as shapes suggest, or gain nothing in a whole step.
"""

import json
from pathlib import Path

from ffnn_jax._processor import Processor
from ffnn_jax.layers.fast._forms import Table

_FILE = Path(__file__).with_name("tables.json")
TABLES: dict[str, Table] = {
    kind: tuple(table.items()) for kind, table in json.loads(_FILE.read_text("utf-8")).items()
}


def kind_of(chip: Processor) -> str:
    """The kind of a processor in ``TABLES``; "" if it is none of them."""
    if "EPYC" in chip.name:
        return "amd-epyc"
    return "intel-xeon-amx" if "Xeon" in chip.name and "amx_tile" in chip.features else ""
