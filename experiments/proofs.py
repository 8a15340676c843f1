"""What is proved by algebra: rules, forms and equations; and counterexamples of planted faults.

Command: python -m experiments.proofs
Quick: python -m experiments.proofs --quick, the dense layer alone, results to runs/quick.

Runs ``ffnn-jax verify --prove`` and stores its result with the time that it took and the machine.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments._machine import processor, provenance
from experiments._results import folder_for, run_command, write_result
from ffnn_jax.catalogue.equations import WITHOUT_ALGEBRA
from ffnn_jax.cli._verify_proofs_run import prove_layers
from ffnn_jax.runs import device


def main(quick: bool = False) -> None:
    """What is proved by algebra.

    Args:
        quick: smoke test: the dense layer alone.
    """
    write_result(folder_for(quick) / "proofs.json", {**provenance(quick), **measure(quick)})


def measure(quick: bool) -> dict[str, Any]:
    """The result of the command, and its seconds."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "proofs.json")
        prove_layers("dense" if quick else None, str(path))
        seconds = time.perf_counter() - start
        result = json.loads(path.read_text(encoding="utf-8"))
    without = {
        f"{chapter.rpartition('.')[2].strip('_')} ({tag})": reason
        for chapter, tags in WITHOUT_ALGEBRA.items()
        for tag, reason in tags.items()
    }
    where = {"processor": processor(device()), "without_algebra": without}
    return {"seconds": round(seconds, 1), **where, **result}


if __name__ == "__main__":
    run_command(main)
