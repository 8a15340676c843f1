"""How often the mistake behind a wrong rule is named.

Command: python -m experiments.diagnosis
Exam: python -m experiments.diagnosis --exam MODULE, a Python module or file that holds
    WRONG = [("dense", backward, "what is wrong"), ...], each backward with the arguments of the
    package's, as in dense_backward(residuals, dz); results to results/diagnosis_exam.json.
Quick: python -m experiments.diagnosis --quick, two layers, results to runs/quick.
Time: a quarter of an hour of one core.

A planted fault is *named* if the one text is its own; a *twin* is a text for another fault that
returns the same at numbers drawn afresh; *misnamed* is one that does not. As a stranger's, the same
faulty rule is known by its reference alone: a text is *expected* if it fits what the fault's name
says, by a table written for that; *explained* is any other that gives the same results; faults
that show neither in value nor in cotangents in float64 are *not visible*. The real mistakes are
those of hand-ins of the original assignment, programmed anew. The blind rules are those of
``wrong_gradients``, beside what their authors say is wrong, for a reader to judge.
"""

import dataclasses
import importlib
import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from experiments._judged_faults import as_student, judge_planted, judge_stranger
from experiments._machine import processor, provenance
from experiments._real_mistakes import real_mistakes
from experiments._results import folder_for, run_command, write_result
from experiments.wrong_gradients.__main__ import all_cases
from experiments.wrong_gradients._case import Case
from ffnn_jax.catalogue import OP_SPECS, OpSpec
from ffnn_jax.catalogue.diagnosis import diagnose
from ffnn_jax.config import UserError, suggestion
from ffnn_jax.runs import device

_QUICK = ("dense", "relu")


def main(quick: bool = False, exam: str | None = None) -> None:
    """How often the mistake behind a wrong rule is named.

    Args:
        quick: smoke test: two layers alone.
        exam: a module, or its file, of wrong rules to diagnose instead.
    """
    jax.config.update("jax_disable_most_optimizations", True)  # programs run a few times each
    began = time.perf_counter()
    if exam:
        measured, name = {"exam": take_exam(wrong_rules(exam))}, "diagnosis_exam.json"
    else:
        specs = [spec for spec in OP_SPECS if not quick or spec.name in _QUICK]
        rows = {kind: measure(kind, specs) for kind in ("planted", "strangers")}
        blind = [] if quick else [case for case in all_cases("blind") if case.wrong]
        rows["blind"] = {case.name: judge_blind(case) for case in blind}
        measured, name = {"real": real_mistakes(), **rows}, "diagnosis.json"
    where = {**provenance(quick), "processor": processor(device(), 1)}
    seconds = {"seconds": round(time.perf_counter() - began)}
    write_result(folder_for(quick) / name, where | seconds | measured)


def measure(kind: str, specs: Sequence[OpSpec]) -> dict[str, Any]:
    """Verdict and text for each planted fault, and counts of verdicts."""
    judge = {"planted": judge_planted, "strangers": judge_stranger}[kind]
    rows = {}
    for spec in specs:
        rows |= {f"{spec.name}: {fault.name}": judge(spec, fault) for fault in spec.all_faults}
        print(kind, spec.name, dict(Counter(verdict for verdict, _ in rows.values())), flush=True)
        jax.clear_caches()
    return {"counts": Counter(verdict for verdict, _ in rows.values()), "rows": rows}


def judge_blind(case: Case) -> dict[str, Any]:
    """What is said of a rule of the benchmark, beside what is wrong with it."""
    found = diagnose(dataclasses.replace(case.rule, sizes=case.sizes or case.rule.sizes))
    jax.clear_caches()
    return {"shows": case.shows, "what": case.what, "told": str(found), "sure": found.sure}


def wrong_rules(exam: str) -> Sequence[tuple[str, Callable[..., Any], str]]:
    """The wrong rules of a module, or of its file."""
    if not exam.endswith(".py"):
        return importlib.import_module(exam).WRONG
    spec = importlib.util.spec_from_file_location(Path(exam).stem, exam)
    if spec is None or spec.loader is None or not Path(exam).is_file():
        raise UserError(f"--exam {exam}: no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


def take_exam(wrong: Sequence[tuple[str, Callable[..., Any], str]]) -> list[dict[str, Any]]:
    """What is said of each wrong backward, beside what is wrong with it."""
    specs, rows = {spec.name: spec for spec in OP_SPECS}, []
    for name, backward, what in wrong:
        if name not in specs:
            raise UserError(f"WRONG: no operation {name!r}{suggestion(name, specs)}")
        found = diagnose(specs[name], as_student(specs[name], backward=backward))
        rows.append({"op": name, "what": what, "told": str(found), "sure": found.sure})
        print(f"{name}: {what}\n    {found}", flush=True)
    return rows


def diagnosis_lines(result: Mapping[str, Any]) -> str:
    """How often a mistake is named, in Markdown."""
    planted, strangers = (Counter(result[kind]["counts"]) for kind in ("planted", "strangers"))
    total, told = planted.total(), strangers["expected"] + strangers["explained"]
    shown = strangers.total() - strangers["not visible"]
    real = [named for named, _ in result["real"].values()]
    return f"""Of {total} faults planted in the package's own layers, {planted["named"]} \
({100 * planted["named"] / total:.1f} %) are named where the layer is known, {planted["twin"]} by \
another fault that gives the same results, {planted["unsure"]} not surely, {planted["misnamed"]} \
wrongly. \
In rules of which only the reference is known, {told} of the {shown} that show in float64 \
({100 * told / shown:.0f} %) get a text that gives the same results. Of {len(real)} mistakes in \
hand-ins of the original assignment, {sum(real)} are named \
([`diagnosis.py`](../../experiments/diagnosis.py))."""


if __name__ == "__main__":
    run_command(main)
