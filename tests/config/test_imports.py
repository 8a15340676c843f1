"""Importing config needs only the standard library."""

import subprocess
import sys

_PROGRAM = """
import sys
from ffnn_jax.config import PRESETS, Settings
Settings.from_json(PRESETS["mnist"].to_json())
heavy = {"jax", "jaxlib", "numpy", "optax", "matplotlib", "tensorflow_datasets", "rich", "tyro"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_config_imports_neither_jax_nor_numpy():
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
