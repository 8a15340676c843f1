"""Rules of released packages: right, by design or defective, and what the checker says of them.

Ours: results/public_rules.md, from results/public_rules.json.
Time: about 10 minutes of one core.
Command: python -m experiments.public_rules
Quick: python -m experiments.public_rules --quick, the 5 rules of the default tests, to runs/quick.

The packages are those of ``pip install -r experiments/public_rules/requirements.txt``; rules of
one that is missing cannot be loaded. What each rule is was found out without this checker, in
float64 and in lower precision, at several magnitudes. Then ``check_vjp`` judges each rule in full,
from its description alone. Results are stored as they come; the command checks what is not stored.
"""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import jax

from experiments._machine import provenance
from experiments._results import folder_for, read_result, run_command, write_result
from experiments.public_rules._case import PublicRule
from experiments.public_rules._cases import CASES
from experiments.public_rules._page import public_rules_page
from ffnn_jax.verify import Rule, check_vjp

_REASON = 200


def main(names: tuple[str, ...] = (), quick: bool = False) -> None:
    """Rules of released packages, and what the checker says of them.

    Args:
        names: parts of names of rules to check again (a dot is in every name); without any, those
            that are not stored.
        quick: only the rules of the default tests.
    """
    path = folder_for(quick) / "public_rules.json"
    stored = read_result(path) if path.exists() and not quick else {}
    rules = stored.get("rules", {})
    for case in chosen(names, () if names else tuple(rules), quick):
        before = {k: v for k, v in rules.get(case.function, {}).items() if k == "before"}
        rules[case.function] = checked(case) | before
        print(case.function, rules[case.function]["verdict"], flush=True)
        write_result(path, _result(rules, quick, stored.get("before_commit")))
    page = public_rules_page(read_result(path))
    (path.parent / "public_rules.md").write_text(page, encoding="utf-8")


def chosen(names: Sequence[str], done: Sequence[str], quick: bool) -> list[PublicRule]:
    """The rules to check: those with a part of their name among ``names``, and not ``done``."""
    return [
        case
        for case in CASES
        if case.function not in done
        and (not names or any(name in case.function for name in names))
        and (case.sample or not quick)
    ]


def checked(case: PublicRule) -> dict[str, Any]:
    """What is stored for a rule: what it is, and what the checker says."""
    facts = {"package": case.package, "expected": case.expected, "known": case.known}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that import what is deprecated
        try:
            rule = case.load()
        except ImportError as error:
            return facts | {"seen": case.seen, "verdict": "cannot be loaded", "note": _short(error)}
        facts |= {"version": case.version, "seen": case.seen}
        began = processor_seconds()
        said = verdict(rule)
        seconds = round(processor_seconds() - began, 2)
    jax.clear_caches()  # else the programs of all rules fill the memory
    return facts | said | {"seconds": seconds}


def verdict(rule: Rule) -> dict[str, Any]:
    """What the checker says of a rule: "passes", "conventions listed", "rejected" or "raises"."""
    try:
        result = check_vjp(rule)
    except Exception as error:
        return {"verdict": "raises", "rows": [], "note": _short(error)}
    listed = list(result.conventions)
    word = "conventions listed" if listed else "passes"
    return {
        "verdict": word if result else "rejected",
        "rows": list(result.failures),
        "conventions": listed,
        "details": [_short(detail) for detail in result.details],
    }


def processor_seconds() -> float:
    """The processor time of this process and of the child processes that have ended."""
    return sum(os.times()[:4])


def _result(rules: dict[str, Any], quick: bool, before_commit: str | None) -> dict[str, Any]:
    in_order = {case.function: rules[case.function] for case in CASES if case.function in rules}
    return {
        "quick": quick, "measured": provenance(quick), "before_commit": before_commit,
        "rules": in_order,
    }  # fmt: skip


def _short(value: object) -> str:
    kind = f"{type(value).__name__}: " if isinstance(value, Exception) else ""
    return f"{kind}{' '.join(str(value).split())}"[:_REASON]


if __name__ == "__main__":
    run_command(main)
