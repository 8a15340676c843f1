"""The process that loads one student's chapters and checks them, as ``_grade`` starts it."""

import dataclasses
import json
import os
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from ffnn_jax.catalogue import OP_SPECS, OpSpec
from ffnn_jax.catalogue.diagnosis import diagnose
from ffnn_jax.course._borrowed import borrowed, files_called, files_lent
from ffnn_jax.course._chapters import ALSO_REMOVED, TRAINING
from ffnn_jax.course._confinement import confine
from ffnn_jax.course._mistakes import diagnose_function
from ffnn_jax.course._operations import load_chapter, spec_of
from ffnn_jax.course._points import WEIGHTS, points_of
from ffnn_jax.course._sandbox import reporter
from ffnn_jax.course._tampering import difference_of, state_of_modules
from ffnn_jax.course._training_checks import problem_of
from ffnn_jax.verify import Check, Subject, check_rules

_Entries = Sequence[tuple[OpSpec, set[str]]]
_EVERYWHERE = ("value", "cotangents")
_LONGEST_REMARK, _MOST_DETAILS = 120, 6
_NOTHING = {
    "points": 0.0, "remark": "", "cotangents": {}, "checks": {}, "details": [], "diagnosis": "",
}  # fmt: skip


def grade_chapters(request: Mapping[str, Any], report: Callable[..., None]) -> None:
    """Confines this process, and grades chapters until one may have spoiled it for the next."""
    refused: list[str] = []
    confined = confine(Path(request["writable"] or "."), refused)
    jax.jit(abs)(0)  # starts jax's cache, which asks for its folder
    entries = {name: _entries(name) for name in request["chapters"]}
    # Held here, they cannot be replaced.
    steps, difference, state = (_grade_chapter, _explain), difference_of, state_of_modules
    before = state()
    for chapter, its_entries in entries.items():
        report(begins=chapter)
        refused.clear()
        graded: dict[str, Any] = {}
        file = Path("chapters", f"{chapter}.py")
        for step in steps:  # the points are reported before their loss is explained
            # A student's code does not find this function among the callers of a thread.
            thread = threading.Thread(target=step, args=(file, its_entries, graded))
            thread.start()
            thread.join()
            replaced = difference(before, state())
            if replaced:
                graded |= {"points": 0.0, "remark": f"replaces {replaced}"}
            report(chapter=chapter, confined=confined, refused=refused, **graded)
            if replaced or not graded["operations"]:
                return


def _entries(chapter: str) -> _Entries:
    """Copies of a chapter's entries, which no student has seen, and the files lent to each."""
    module = f"ffnn_jax.layers._{chapter}"
    names = [spec.name for spec in OP_SPECS if spec.op.__module__ == module]
    specs = [spec for spec in map(spec_of, names) if spec]
    return [(dataclasses.replace(spec), files_lent(spec)) for spec in specs]


def _grade_chapter(file: Path, entries: _Entries, graded: dict[str, Any]) -> None:
    """Finds the points of a chapter, from 0 to 1, a remark, and its operations."""
    graded |= {"points": 0.0, "operations": {}}
    try:
        defined = vars(load_chapter(file))
    except BaseException as error:  # exit(), too
        graded["remark"] = f"cannot be loaded: {_one_line(error.__cause__ or error)}"
        return
    functions = ALSO_REMOVED[TRAINING] if file.stem == TRAINING else ()
    operations = {name: _grade_function(name, defined.get(name)) for name in functions}
    operations |= {spec.name: _grade(spec, defined.get(spec.name), lent) for spec, lent in entries}
    graded["operations"] = {name: _NOTHING | found for name, found in operations.items()}
    graded["points"] = sum(o["points"] for o in graded["operations"].values()) / len(operations)
    _remark_on(file, graded)


def _explain(file: Path, entries: _Entries, graded: dict[str, Any]) -> None:
    """Adds the mistakes behind what is wrong, as far as they are known."""
    operations = graded["operations"]
    wrong = {n: o for n, o in operations.items() if o["details"] or not all(o["checks"].values())}
    defined = vars(load_chapter(file)) if wrong else {}
    for name, its in wrong.items():
        spec = next((spec for spec, _ in entries if spec.name == name), None)
        found = diagnose(spec, defined[name]) if spec else diagnose_function(name, defined[name])
        its["diagnosis"] = str(found)
        if found.sure and found.mistakes:
            its["remark"] = _short(f"{its['remark'].partition(':')[0]}: {found}")
    _remark_on(file, graded)


def _remark_on(file: Path, graded: dict[str, Any]) -> None:
    remarks = {name: found["remark"] for name, found in graded["operations"].items()}
    graded["remark"] = ", ".join(
        remark + f" ({name})" * (len(remarks) > 1) for name, remark in remarks.items() if remark
    )


def _grade_function(name: str, function: Any) -> dict[str, Any]:
    """The points of a function of the chapter "training"."""
    if getattr(function, "__module__", "") != f"chapters.{TRAINING}":
        return {"remark": "not a function of this file"}
    try:
        problem = problem_of(name, function)
    except NotImplementedError:
        return {"remark": "unfinished"}
    except BaseException as error:
        return {"remark": _one_line(error)}
    return {"remark": "wrong", "details": [problem]} if problem else {"points": 1.0}


def _grade(spec: OpSpec, op: Any, lent: set[str]) -> dict[str, Any]:
    """The points of an operation, a remark, and what the checks found."""
    if type(op) is not jax.custom_vjp or op.bwd is None:
        return {"remark": "no jax.custom_vjp of this name that is wired"}
    theirs = dataclasses.replace(spec, op=op)
    try:
        remark = borrowed(files_called(theirs), lent)
        return {"remark": remark} if remark else _check(theirs)
    except NotImplementedError:
        return {"remark": "unfinished"}
    except BaseException as error:
        return {"remark": _one_line(error)}


def _check(spec: OpSpec) -> dict[str, Any]:
    """All checks at the first sizes of the first case; the essential ones in the others, too."""
    rules = spec.rules()
    (first, sizes), others = rules[0], [(rule, sizes[:1]) for rule, sizes in rules[1:]]
    tasks = [((first, sizes[:1]), (*WEIGHTS,)), *((rule, _EVERYWHERE) for rule in others)]
    tasks += [((first, sizes[1:2]), _EVERYWHERE)] if len(sizes) > 1 else []
    results = [check_rules(spec.name, [rule], 0, names, explained=False) for rule, names in tasks]
    subjects = [Subject.of(rule, sizes[0]) for rule, sizes in rules]
    names = dict.fromkeys(name for subject in subjects for name in subject.cotangent_names)
    points = points_of([*names], results)
    rows = sorted((row.name, row.passed) for result in results for row in result.checks)
    checks = dict(reversed(rows))  # a failure counts more
    return {
        "points": sum(points.values()) / len(points), "cotangents": points, "checks": checks,
        "details": [line for result in results for line in result.details][:_MOST_DETAILS],
        "remark": _remark(points, [row for r in results for row in r.checks if not row.passed]),
    }  # fmt: skip


def _remark(points: Mapping[str, float], failed: Sequence[Check]) -> str:
    """What lacks, in a few words."""
    if any(row.name == "value" and row.parts for row in failed):
        return "the forward differs from the given one"
    if wrong := [name for name, earned in points.items() if not earned]:
        notes = [f": {row.note}" for row in failed if row.name in _EVERYWHERE and row.note]
        return _short(f"wrong {', '.join(wrong)}{''.join(notes[:1])}")
    return f"fails {', '.join(dict.fromkeys(row.name for row in failed))}" * bool(failed)


def _one_line(error: BaseException) -> str:
    return _short(f"{type(error).__name__}: {error}")


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST_REMARK])
    return textwrap.shorten(printable, _LONGEST_REMARK, placeholder=" ...")


if __name__ == "__main__":
    request = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_compilation_cache_dir", request["cache"])
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A student's programs are not stored: what one compiles, another would run.
    least = 0.0 if request["writable"] else float("inf")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)
    grade_chapters(request, reporter(request.pop("descriptor"), request.pop("token")))
    os._exit(0)  # without waiting for a student's threads
