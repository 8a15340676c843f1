"""A class of 100 folders, many of them harmful: who earns what, how long it takes, what is harmed.

Command: python -m experiments.grading
Quick: python -m experiments.grading --quick, one folder of each kind, two chapters of at most 20 s,
results to runs/quick.

The folders hold the package's own chapters, one of which is edited: a planted fault, an unfinished
backward, or code that hangs, ends, floods, writes, deletes, connects, starts processes or tampers
with the checks. A folder is as expected if that chapter earns what it may, its remark says why, and
every other chapter earns all points. What the harmful code aims at must be as it was. Seconds are
by the clock, and those of all cores.
"""

import dataclasses
import hashlib
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

import ffnn_jax
from experiments._machine import processor, provenance
from experiments._results import folder_for, run_command, write_result
from ffnn_jax._processor import core_numbers
from ffnn_jax.course import grade
from ffnn_jax.runs import device

CHAPTERS = ("conv", "dense", "pool", "relu", "softmax_loss")
_QUICK_CHAPTERS = ("dense", "relu")
_LAYERS = Path(str(ffnn_jax.__file__)).parent / "layers"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is wrong with a folder.

    Attributes:
        text: replaces ``old`` in the chapter, or precedes the whole; AIM is what it is to harm;
            None if nothing is handed in.
        remark: a regular expression for the chapter's remark.
        points: the least and the most that the chapter may earn.
        of_100: number of such folders in a class of 100.
    """

    text: str | None
    remark: str
    points: tuple[float, float] = (0.0, 0.0)
    old: str = ""
    chapter: str = "dense"
    of_100: int = 2

    def write(self, folder: Path, chapters: Sequence[str], aim: Path) -> None:
        """Writes a student's folder."""
        (folder / "chapters").mkdir(parents=True)
        for name in chapters if self.text is not None else ():
            source = (_LAYERS / f"_{name}.py").read_text("utf-8")
            if name == self.chapter:
                if self.old not in source:
                    raise ValueError(f"{name} no longer contains {self.old!r}")
                text = (self.text or "").replace("AIM", str(aim))
                source = source.replace(self.old, text) if self.old else text + source
            file = folder / "chapters" / f"{name}.py"
            file.write_text(source, "utf-8", "surrogateescape", "\n")

    def fits(self, chapters: Mapping[str, Any]) -> bool:
        """Whether the chapter earns what it may, with the remark, and the others everything."""
        (least, most), own = self.points, chapters[self.chapter]
        others = [graded["points"] for name, graded in chapters.items() if name != self.chapter]
        fair = self.text is None or all(points > 1 - 1e-9 for points in others)
        earned = least - 1e-9 <= own["points"] <= most + 1e-9
        return fair and earned and re.search(self.remark, own["remark"]) is not None


def _fault(chapter: str, old: str, new: str, remark: str, *points: float) -> Kind:
    return Kind(new, rf"^{remark}(\W|$)", (points[0], points[-1]), old, chapter, 3)


def _tried(*lines: str) -> str:
    """Lines of which each is tried, and forgiven."""
    tries = [f"try:\n    {line}\nexcept BaseException:\n    pass\n" for line in lines]
    return "".join(["import os\n", *tries])


_DX, _DW = "dx = product(dz, cast_to_compute(w, x).T)", "dw = product(rows.T, dz)"
_VJP = "return jax.vjp(lambda x, w, b: x @ w + b, x, w, dz[0])[1](dz)"
_OWN = "import ffnn_jax.layers as own\n    return own.dense_backward(residuals, dz)"
_SOFTMAX = "(dz_wide - jnp.sum(dz_wide * z_wide, axis=-1, keepdims=True))"
_MEMORY = "import numpy\nkept = [numpy.ones(1 << 26) for _ in range(99)]\n"
_THREADS = "import threading\nwait = threading.Event().wait\nfor _ in range(9999):\n"
_THREADS += "    threading.Thread(target=wait, daemon=True).start()\n"
_FLOOD = (
    "import os\nfor n in range(3, 99):\n    try:\n        while True: os.write(n, b'{}' * 999)\n"
)
_FLOOD += "    except OSError:\n        pass\n"
_FORGED = "import os, sys\nframe = sys._getframe()\nwhile frame:\n"
_FORGED += "    if 'report' in frame.f_locals:\n"
_FORGED += (
    "        frame.f_locals['report'](chapter='dense', points=1.0, remark='', operations={})\n"
)
_FORGED += "    frame = frame.f_back\nos._exit(0)\n"
_RUN = "import ffnn_jax.verify._run as run\nrun."
_REFUSED, _WHOLE, _HALF = "refused while grading", (1.0, 1.0), (0.5, 0.5)
KINDS = {
    "right": Kind("", "^$", _WHOLE, of_100=9),
    "dx without the transpose": _fault(
        "dense", _DX, "dx = product(dz, w.reshape(w.shape[::-1]))", "wrong dx", 0.8, 0.9),
    "dw averaged": _fault("dense", _DW, f"{_DW} / len(dz)", "wrong dw", 0.8, 0.9),
    "db of ones": _fault("dense", "jnp.sum(dz,", "jnp.sum(0 * dz + 1,", "wrong db", 0.8, 0.9),
    "dx not cast back": _fault(
        "dense", "dx.reshape(x.shape).astype(x.dtype)", "upcast(dx.reshape(x.shape))",
        "fails bfloat16", 0.9, 0.99),
    "1 at the kink": _fault("relu", "z, x > 0", "z, x >= 0", "fails kinks", 0.8, 0.95),
    "softmax without its sum": _fault("softmax_loss", _SOFTMAX, "dz_wide", "wrong dx", 0.4, 0.6),
    "loss not averaged": _fault(
        "softmax_loss", "upcast(dloss) * dx / divisor)", "upcast(dloss) * dx)", "wrong dlogits",
        0.5, 0.8),
    "every tie": _fault("pool", "where(m == number,", "where(m >= number,", "wrong dx", 0),
    "db of one row": _fault("conv", "jnp.sum(dz,", "jnp.sum(dz[:, :1],", "wrong db", 0.6, 0.7),
    "unfinished": Kind("raise NotImplementedError", "unfinished", _HALF, _DX),
    "nothing handed in": Kind(None, "missing"),
    "2 MB": Kind("# large\n" * (1 << 18), "no file of at most 1 MB"),
    "syntax error": Kind("def dense(:\n", "SyntaxError"),
    "wrong encoding": Kind("name = 'gr\udcf6\udcdfer'\n", "SyntaxError"),
    "exit()": Kind("exit()\n", "SystemExit"),
    "exit in the backward": Kind("raise SystemExit", "SystemExit", _HALF, _DX),
    "os._exit": Kind("import os\nos._exit(0)\n", "ended with exit code 0"),
    "crash": Kind("import faulthandler\nfaulthandler._sigsegv()\n", "ended by SIGSEGV"),
    "endless loop": Kind("while True:\n    pass\n", "stopped after", of_100=1),
    "endless backward": Kind("while True: pass", "stopped after", old=_DX, of_100=1),
    "memory": Kind(_MEMORY, "MemoryError", of_100=1),
    "shared memory": Kind("import mmap\nmmap.mmap(-1, 1 << 36)\n", "Cannot allocate memory"),
    "threads": Kind(_THREADS, "can't start new thread"),
    "prints": Kind("for _ in range(64):\n    print('x' * (1 << 24))\n", "^$", _WHOLE),
    "writes elsewhere": Kind("open('AIM/new', 'w')\n", _REFUSED),
    "overwrites": Kind(_tried("open('AIM/kept', 'w')", "os.truncate('AIM/kept', 0)"), "^$", _WHOLE),
    "deletes": Kind("import shutil\nshutil.rmtree('AIM')\n", f"{_REFUSED}|Permission denied"),
    "renames": Kind(_tried("os.rename('AIM/kept', 'AIM/x')", "os.rmdir('AIM')"), "^$", _WHOLE),
    "network": Kind("import socket\nsocket.create_connection(('127.0.0.1', 9))\n", _REFUSED),
    "shell": Kind("import os\nos.system('touch AIM/new')\n", _REFUSED),
    "program": Kind("import subprocess\nsubprocess.run(['touch', 'AIM/new'])\n", _REFUSED),
    "fork bomb": Kind("import os\nwhile True:\n    os.fork()\n", _REFUSED),
    "kills the grader": Kind(_tried("os.kill(os.getppid(), 9)"), "^$", _WHOLE),
    "closes all files": Kind("import os\nos.closerange(3, 256)\n", "closed the pipe|ended"),
    "floods all files": Kind(_FLOOD, "flooded"),
    "replaces a check": Kind(f"{_RUN}_tasks = lambda *_: iter(())\n", "replaces ffnn_jax"),
    "replaces its code": Kind(f"{_RUN}_tasks.__code__ = (lambda *_: ()).__code__\n", "replaces"),
    "replaces a number": Kind(f"{_RUN}_SIZES = 0\n", "replaces"),
    "empties a list": Kind(f"{_RUN}_CHECKS_AT_ALL_SIZES.clear()\n", "replaces"),
    "reports by itself": Kind(_FORGED, "ended with exit code 0"),
    "uses autodiff": Kind(_VJP, "uses autodiff", _HALF, _DX),
    "calls the package's own": Kind(_OWN, "package's own rule", _HALF, _DX, of_100=3),
}  # fmt: skip


def main(quick: bool = False) -> None:
    """A class of 100 folders.

    Args:
        quick: one folder of each kind, two chapters.
    """
    result = measure(_QUICK_CHAPTERS, 20.0, 1) if quick else measure(CHAPTERS, 60.0)
    write_result(
        folder_for(quick) / "grading.json",
        {**provenance(quick), "processor": processor(device(), len(core_numbers())), **result},
    )
    print(grading_table(result))


def measure(chapters: Sequence[str], seconds: float, each: int = 0) -> dict[str, Any]:
    """Grades a class: how many of each kind are as expected, how long it takes, what is changed."""
    kinds = {name: kind for name, kind in KINDS.items() if kind.chapter in chapters}
    students = {
        f"{name} {n}": kind for name, kind in kinds.items() for n in range(each or kind.of_100)
    }
    with tempfile.TemporaryDirectory() as folder:
        aim, class_, file = (Path(folder, name) for name in ("aim", "class", "results.json"))
        aim.mkdir()
        (aim / "kept").write_text("kept")
        for student, kind in students.items():
            kind.write(class_ / student, chapters, aim)
        before, begin = _digest(Path(folder)), time.monotonic()
        grade([class_], str(file), chapters, seconds)
        spent, of_all_cores = time.monotonic() - begin, sum(os.times()[2:4])
        graded = json.loads(file.read_text())["students"]
        file.unlink()
        unharmed, left = _digest(Path(folder)) == before, psutil.Process().children(recursive=True)
    results = {n: [graded[s] for s, its in students.items() if its is k] for n, k in kinds.items()}
    return {
        "cores": len(core_numbers()), "chapters": chapters, "folders": len(students),
        "seconds": round(spent), "seconds_of_all_cores": round(of_all_cores),
        "unharmed": unharmed, "processes_left": len(left),
        "rows": [_row(name, kind, results[name]) for name, kind in kinds.items()],
    }  # fmt: skip


def _digest(folder: Path) -> str:
    """Of all names, contents and permissions in a folder."""
    files = sorted(folder.rglob("*"))
    parts = [(str(f), f.lstat().st_mode, f.is_file() and f.read_bytes()) for f in files]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _row(name: str, kind: Kind, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    of_chapter = results[0]["chapters"][kind.chapter]
    return {
        "kind": name, "folders": len(results),
        "as_expected": sum(kind.fits(result["chapters"]) for result in results),
        "points": of_chapter["points"], "remark": of_chapter["remark"].split("/")[0],
        "median_seconds": statistics.median(result["seconds"] for result in results),
    }  # fmt: skip


def grading_table(result: Mapping[str, Any]) -> str:
    """A Markdown table with one line per kind."""
    lines = ["| kind | folders | as expected | points | seconds | remark |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | --- |"]
    for row in result["rows"]:
        numbers = (
            f"{row['as_expected']} | {100 * row['points']:.0f} % | {row['median_seconds']:.0f}"
        )
        lines.append(f"| {row['kind']} | {row['folders']} | {numbers} | {row['remark']} |")
    time_ = f"{result['seconds']} s ({result['seconds_of_all_cores']} s of all cores)"
    summary = f"{result['folders']} folders in {time_} on {result['cores']} cores"
    state = "nothing was changed" if result["unharmed"] else "SOMETHING WAS CHANGED"
    return "\n".join([*lines, "", f"{summary}; {state}; {result['processes_left']} processes left"])


def grading_line(result: Mapping[str, Any]) -> str:
    """What became of the class, in a sentence of Markdown."""
    rows = result["rows"]
    good, minutes = sum(row["as_expected"] for row in rows), result["seconds"] / 60
    harmed = (
        "nothing outside of them was" if result["unharmed"] else "something outside of them was"
    )
    where = f"{result['cores']} cores of {result['processor'].partition(' of ')[2]}"
    return f"""A class of {result["folders"]} folders of {len(rows)} kinds, right, faulty and \
harmful (endless loops, `exit()`, floods of memory and output, network, attempts on the checks and \
on other files), took {minutes:.0f} minutes on {where}. \
{good} got what was due, and {harmed} changed ([`grading.py`](../../experiments/grading.py))."""


if __name__ == "__main__":
    run_command(main)
