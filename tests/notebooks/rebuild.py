"""Executes each notebooks/*.py and writes its .ipynb: ``python tests/notebooks/rebuild.py``.

Traces of a single machine or run (timings, versions, random ids) are left out.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"


def rebuild(source: Path) -> None:
    """Executes a notebook from its .py file in a fresh kernel and writes its .ipynb."""
    notebook = jupytext.read(source)
    resources = {"metadata": {"path": str(FOLDER)}}
    client = NotebookClient(
        notebook, timeout=120, resources=resources, record_timing=False, coalesce_streams=True
    )
    client.execute()
    notebook.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number}"
    nbformat.write(notebook, source.with_suffix(".ipynb"))


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(FOLDER.glob("*.py")):
        rebuild(Path(name))
