"""Which checkers find a wrong gradient, and which reject a right one.

Ours: the table in README, from results/wrong_gradients.json.
Time: about an hour of one core, most of it for ours.
Command: python -m experiments.wrong_gradients
Quick: python -m experiments.wrong_gradients --quick, a few cases without torch, to runs/quick.

Three sets of rules: *planted* faults in this package's layers, and the layers as they are; *known*
bugs from public reports, and the same functions mended; *blind* ones, wrong and right, by authors
who had not seen the checker. Ours chooses its arguments itself. The other checkers run in float64
at the same random arguments, of the case's smallest sizes, drawn with seeds 0, 1 and 2; none sees
the witness. A case is rejected if any draw is, or if an exception ends the check. Where torch is
not installed (``pip install -r experiments/wrong_gradients/requirements.txt``), its row stays as
stored; so do the sets that are not among ``--sets``. The blind set was run once before anything
was mended by what it showed: that count, ``first_run``, is the one to quote.
"""

import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax

from experiments._machine import provenance
from experiments._results import folder_for, read_result, run_command, write_result
from experiments.wrong_gradients._case import Case
from experiments.wrong_gradients._checkers import CHECKERS, TORCH, Checker
from experiments.wrong_gradients._known_bugs import KNOWN_BUGS
from experiments.wrong_gradients._planted import planted_cases
from experiments.wrong_gradients._table import checkers_table, exact_interval

Set = Literal["planted", "known", "blind"]
SETS: tuple[Set, ...] = ("planted", "known", "blind")
_REASON = 200
_BLIND = ("elementwise", "reductions", "structures", "domains")


def main(sets: tuple[Set, ...] = SETS, quick: bool = False) -> None:
    """Which checkers find a wrong gradient, and which reject a right one.

    Args:
        sets: the sets of rules to measure; the others stay as stored.
        quick: only a few cases, without torch.
    """
    path = folder_for(quick) / "wrong_gradients.json"
    stored = read_result(path) if path.exists() and not quick else {}
    cases = {name: few_cases(name) if quick else all_cases(name) for name in SETS}
    result = {"quick": quick, "cases": {name: _counts(cases[name]) for name in SETS}}
    result["rows"] = rows = stored.get("rows", {})
    result |= {"first_run": stored["first_run"]} if "first_run" in stored else {}
    for name in sets:
        for checker, check in CHECKERS.items():
            if not (quick and checker == TORCH):
                part = measure(check, cases[name], exact=name == "blind")
                rows.setdefault(checker, {})[name] = part | {"measured": provenance(quick)}
                write_result(path, result)
    print(checkers_table(result))


def all_cases(name: Set) -> tuple[Case, ...]:
    """The cases of a set."""
    if name != "blind":
        return planted_cases() if name == "planted" else KNOWN_BUGS
    modules = [importlib.import_module(f"{__package__}.blind_{part}") for part in _BLIND]
    return tuple(case for module in modules for case in module.CASES)


def few_cases(name: Set) -> tuple[Case, ...]:
    """A wrong case and a right one, and a planted one."""
    if name == "planted":
        return tuple(case for case in planted_cases() if case.name == "relu: dx negated")
    return KNOWN_BUGS[:2] if name == "known" else ()


def measure(check: Checker, cases: Sequence[Case], exact: bool = False) -> dict[str, Any]:
    """Counts, names and reasons of what a checker rejects, with exact intervals if asked for."""
    began = time.process_time()
    rejected: dict[str, str] = {}
    listed: list[str] = []
    for case in cases:
        try:
            if check(case) and case.wrong:
                listed.append(case.name)
        except Exception as error:
            reason = " ".join(str(error).split())[:_REASON]
            rejected[case.name] = f"{type(error).__name__}: {reason}"
        jax.clear_caches()  # else hundreds of programs fill the memory
    wrong = [case.name for case in cases if case.wrong]
    right = [case.name for case in cases if not case.wrong]
    alarms = {name: rejected[name] for name in right if name in rejected}
    found = sum(name in rejected for name in wrong)
    part = {"found": found, "rejected": len(alarms), "seconds": time.process_time() - began}
    if exact:
        part["found_interval"] = exact_interval(found, len(wrong))
        part["rejected_interval"] = exact_interval(len(alarms), len(right))
    missed = [name for name in wrong if name not in rejected]
    return part | {"missed": missed, "listed": listed, "alarms": alarms}


def _counts(cases: Sequence[Case]) -> Mapping[str, int]:
    wrong = sum(case.wrong for case in cases)
    return {"wrong": wrong, "right": len(cases) - wrong}


if __name__ == "__main__":
    run_command(main)
