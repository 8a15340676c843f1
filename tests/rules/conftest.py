"""Modules with rules that are right, are wrong, hang or crash."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULE = """
import jax

print("{")  # no result may be lost in what a module prints

def reference(x):
    return 3 * x

def custom_vjp_with(slope):
    op = jax.custom_vjp(reference)
    op.defvjp(lambda x: (3 * x, None), lambda _, dz: (slope * dz,))
    return op

right, wrong = custom_vjp_with(3), custom_vjp_with(2)
number = 3

def fails_to_draw(generator):
    return {}["no such argument"]

def shows_its_shape(x):
    print(x.shape)
    return x
"""
RULES = """
import mine
from ffnn_jax.verify import CHECKS, Rule

few = dict.fromkeys(CHECKS[3:], "to be quick")
right = Rule(mine.right, mine.reference, ("3x4",), skip=few, name="the :two:")
table = {
    "first": Rule(mine.wrong, mine.reference, ("3x4",), skip=few, name="wrong"),
    "again": right,
    "not a rule": 3,
}
"""
HANGS = """
import os
from pathlib import Path

import rules
from ffnn_jax.verify import Rule

def hangs(x):
    Path("process").write_text(str(os.getpid()))
    while True:
        pass

def crashes(x):
    os._exit(5)

def leaves(x):
    raise SystemExit("enough")

every = [*(Rule(op, None, ("N",)) for op in (hangs, crashes, leaves)), rules.right]
"""
OPTIONS = {
    "reference": None, "shapes": "NxD", "batch": None, "thorough": False, "seed": 0,
    "timeout": 600.0, "figure": None, "again": "the command", "first": 0, "prove": False,
}  # fmt: skip


def write_modules(folder: Path) -> None:
    (folder / "mine.py").write_text(MODULE)
    (folder / "rules.py").write_text(RULES)
    (folder / "hangs.py").write_text(HANGS)


@contextlib.contextmanager
def modules_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with modules that can be imported, here and in other processes."""
    write_modules(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The modules' folder, which is the working folder."""
    with modules_in(tmp_path, monkeypatch):
        yield tmp_path
