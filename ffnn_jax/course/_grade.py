"""Grades a class: the package's checks on each student's chapters, in processes of their own.

Before the students, the package's own chapters are graded: they must earn every point here, and
what they compile is what the students' processes start with. A result is stored as soon as it is
there: a grading that was broken off goes on, and only who changed a chapter is graded again.
"""

import hashlib
import json
import os
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import ffnn_jax
from ffnn_jax._errors import UserError
from ffnn_jax._processor import usable_cores
from ffnn_jax.course._chapters import CHAPTERS, source_of
from ffnn_jax.course._handed_in import Files, chapters_that_count, students_in
from ffnn_jax.course._points import WEIGHTS
from ffnn_jax.course._sandbox import events

_CHILD = "ffnn_jax.course._grade_child"
_SHOWN_REMARK = 70


def grade(
    folders: Sequence[str | Path], json_file: str | None, chapters: Sequence[str] = (),
    seconds: float = 60.0,
) -> int:  # fmt: skip
    """Grades students' folders, prints a table, and stores the results; returns 0.

    Args:
        folders: each a student's, with ``chapters/NAME.py``, or one that holds students' folders.
        json_file: receives the results, and is read first; "-" is standard output.
        chapters: names of those that count; by default, those that half of the students have.
        seconds: the longest that a chapter may take.

    Raises:
        UserError: a folder, a chapter or the file cannot be used, there are no chapters, or on
            this machine processes cannot be confined, or the package's own chapters fail.
    """
    if os.name != "posix":
        raise UserError("--grade needs Linux or macOS, which confine a process")
    handed_in = students_in(folders)
    names = chapters_that_count(chapters, handed_in.values())
    students = _stored(json_file, names)
    result = {"version": ffnn_jax.__version__, "weights": WEIGHTS, "students": students}
    digests = {student: _digest(names, files) for student, files in handed_in.items()}
    known = {student: students.get(student, {}).get("digest") for student in handed_in}
    waiting = {s: files for s, files in handed_in.items() if known[s] != digests[s]}
    for count, (student, graded) in enumerate(_grade_all(waiting, names, seconds), 1):
        students[student] = {"digest": digests[student], **graded}
        _store(json_file, result)
        line = _printable(f"{count} of {len(waiting)}: {student}, {graded['seconds']:.0f} s")
        print(line, file=sys.stderr)
    table = _table(names, {student: students[student] for student in handed_in})
    print(table, file=sys.stderr if json_file == "-" else sys.stdout)
    if json_file == "-":
        print(json.dumps(result, indent=1))
    return 0


def _digest(chapters: Sequence[str], files: Files) -> str:
    """Of all that a student's result depends on."""
    parts = [ffnn_jax.__version__, WEIGHTS, [(name, repr(files.get(name))) for name in chapters]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _stored(json_file: str | None, chapters: Sequence[str]) -> dict[str, Any]:
    """The students' results in the file, if there is one; they must be of the same chapters."""
    if json_file is None or json_file == "-" or not Path(json_file).exists():
        return {}
    try:
        students = dict(json.loads(Path(json_file).read_text("utf-8"))["students"])
        others = {name for graded in students.values() for name in graded["chapters"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"--json {json_file}: not a file of results; name another") from None
    if others and others != {*chapters}:
        found = ", ".join(name for name in CHAPTERS if name in others)
        raise UserError(f"--json {json_file}: results of other chapters ({found}); name another")
    return students


def _store(json_file: str | None, result: Mapping[str, Any]) -> None:
    if json_file is None or json_file == "-":
        return
    part = Path(f"{json_file}.part")
    try:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8", newline="\n")
        part.replace(json_file)
    except OSError as error:
        raise UserError(f"--json cannot be written: {error}") from None


def _grade_all(
    waiting: Mapping[str, Files], chapters: Sequence[str], seconds: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each student's result as it comes, of as many at a time as there are cores."""
    if not waiting:
        return
    stop, own = threading.Event(), {name: source_of(name).encode() for name in chapters}
    with tempfile.TemporaryDirectory() as cache, ThreadPoolExecutor(usable_cores()) as pool:
        request = {"chapters": chapters, "cache": cache, "writable": ""}
        control = _grade_one(own, request | {"writable": cache}, 4 * seconds, stop)
        if control["total"] < 100:
            raise UserError(f"the package's own chapters fail here: {control['remark']}")
        jobs = {pool.submit(_grade_one, f, request, seconds, stop): s for s, f in waiting.items()}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _grade_one(
    files: Files, request: Mapping[str, Any], seconds: float, stop: threading.Event
) -> dict[str, Any]:
    """A student's total in percent, the remarks in one line, the time, and the chapters."""
    begin, chapters = time.monotonic(), request["chapters"]
    unread = {n: "not read: no file of at most 1 MB" if n in files else "missing" for n in chapters}
    found = {n: _nothing(remark) for n, remark in unread.items() if files.get(n) is None}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder, "chapters").mkdir()
        for name, content in files.items():
            Path(folder, "chapters", f"{name}.py").write_bytes(content or b"")
        while (left := [n for n in chapters if n not in found]) and not stop.is_set():
            found |= _by_a_process({**request, "chapters": left}, Path(folder), seconds, stop)
    found = {name: found[name] for name in chapters if name in found}
    remarks = [f"{n}: {graded['remark']}" for n, graded in found.items() if graded["remark"]]
    return {
        "total": 100 * sum(graded["points"] for graded in found.values()) / len(chapters),
        "remark": "; ".join(remarks) if files else "no chapters",
        "seconds": round(time.monotonic() - begin, 1), "chapters": found,
    }  # fmt: skip


def _by_a_process(
    request: Mapping[str, Any], folder: Path, seconds: float, stop: threading.Event
) -> dict[str, Any]:
    """The chapters that a process has graded, and the one that ended it, which earns nothing."""
    begun, ended, found = request["chapters"][0], "", {}
    for event in events(_CHILD, request, folder, seconds, stop):
        ended = event.get("ended", ended)
        if event.get("begins") in request["chapters"]:
            begun = event["begins"]
        chapter, points = event.pop("chapter", None), event.get("points")
        if chapter in request["chapters"] and isinstance(points, int | float) and 0 <= points <= 1:
            found[chapter] = event
    return {begun: _nothing(ended)} | found


def _nothing(remark: str) -> dict[str, Any]:
    return {"points": 0.0, "remark": remark, "operations": {}}


def _table(chapters: Sequence[str], students: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each student: the total and the chapters in percent, and a remark."""
    rows = [["student", "total", *chapters, "remark"]]
    for student, graded in students.items():
        points = [100 * graded["chapters"][chapter]["points"] for chapter in chapters]
        remark = textwrap.shorten(graded["remark"], _SHOWN_REMARK, placeholder=" ...")
        rows.append([student, *(f"{number:.0f}" for number in (graded["total"], *points)), remark])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(map(_printable, lines))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
