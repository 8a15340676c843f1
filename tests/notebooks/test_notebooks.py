"""The notebooks run, and the committed .ipynb files match their .py sources.

Every notebooks/*.py is collected automatically. After an edit, rebuild the .ipynb files with
``python tests/notebooks/rebuild.py``.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))
MAX_BYTES = 300_000

ADDRESS = "https://github.com/ffnn-jax/ffnn-jax"
RUN_BY_DEFAULT = {"02_relu"}

each_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def read_ipynb(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_every_notebook_has_a_py_and_an_ipynb():
    assert SOURCES
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == [p.stem for p in SOURCES]


@each_notebook
def test_it_opens_in_colab_and_first_installs_what_is_missing(source, monkeypatch):
    notebook = jupytext.read(source)
    address = "https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks"
    assert f"[Open in Colab]({address}/{source.stem}.ipynb)" in notebook.cells[0].source
    first, done = code_cells(notebook)[0].source, []
    assert first == code_cells(jupytext.read(SOURCES[0]))[0].source
    monkeypatch.setattr(subprocess, "run", lambda command, check: done.append(command[:5]))
    monkeypatch.setattr(os, "chdir", done.append)
    exec(first, {})
    assert done == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(first, {})
    pip = [sys.executable, "-m", "pip", "install", "-q"]
    assert done == [["git", "clone", "-q", "--depth=1", ADDRESS], pip, "ffnn-jax/notebooks"]


@each_notebook
def test_py_and_ipynb_have_the_same_cells(source):
    py, ipynb = jupytext.read(source), read_ipynb(source)
    assert [(cell.cell_type, cell.source) for cell in ipynb.cells] == [
        (cell.cell_type, cell.source) for cell in py.cells
    ]
    formats = "ipynb,py:percent"
    assert py.metadata.jupytext.formats == ipynb.metadata.jupytext.formats == formats


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(path, marks=[] if path.stem in RUN_BY_DEFAULT else pytest.mark.slow)
        for path in SOURCES
    ],
    ids=lambda path: path.stem,
)
def test_the_py_runs_in_a_fresh_kernel(source, monkeypatch):
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # compiling takes longer than running
    notebook = jupytext.read(source)
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()
    assert all(cell.execution_count for cell in code_cells(notebook))


@each_notebook
def test_the_ipynb_was_run_from_top_to_bottom_without_errors_or_warnings(source):
    notebook = read_ipynb(source)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]


@each_notebook
def test_the_ipynb_is_small_and_contains_a_figure(source):
    assert source.with_suffix(".ipynb").stat().st_size < MAX_BYTES
    assert [o for o in outputs(read_ipynb(source)) if "image/png" in o.get("data", {})]


@each_notebook
def test_the_ipynb_contains_no_trace_of_the_machine(source):
    notebook = read_ipynb(source)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    assert not [cell for cell in notebook.cells if "execution" in cell.metadata]
    printed = [o.text for o in outputs(notebook) if o.output_type == "stream"]
    assert not [text for text in printed if str(Path.home()) in text or str(FOLDER.parent) in text]
