"""Runs the record's own script on our copy of the data: ``python -m experiments._record FILE N``.

The file is one of KellerJordan/cifar10-airbench, which need PyTorch, torchvision and a GPU:
airbench94_muon.py, or legacy/airbench94.py, which does not wait to be compiled. It is run as it is,
but for its number of runs.
"""

import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np

from ffnn_jax.data import load_splits


def main(script: Path, runs: int) -> None:
    """Writes the data as the script reads them, and runs it there."""
    import torch  # pyright: ignore[reportMissingImports]

    code = re.sub(r"for run in range\(\d+\)", f"for run in range({runs})", script.read_text())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("cifar10").mkdir()
        splits = load_splits("cifar10")
        for name, part in (("train", splits.train), ("test", splits.test)):
            images = torch.tensor(np.ascontiguousarray(part.images))
            labels = torch.tensor(part.labels.astype(np.int64))
            data = {"images": images, "labels": labels, "classes": list(part.class_names)}
            torch.save(data, f"cifar10/{name}.pt")
        Path("record.py").write_text(code)
        sys.argv = ["record.py"]
        runpy.run_path("record.py", run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
