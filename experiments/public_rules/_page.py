"""The page of the public rules, from the stored result."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Rules = Mapping[str, Mapping[str, Any]]
EXPECTED = ("right", "by design", "defective")
VERDICTS = ("passes", "conventions listed", "rejected", "raises", "cannot be loaded")
_EARLIER = ("passes", "rejected", "raises", "cannot be said")
_UPSTREAM = Path(__file__).parent / "upstream"
_AGREEMENT = {  # of the checker with what the rule is: for a rule with a defect, and one without
    "passes": ("missed", "agrees"),
    "conventions listed": ("listed", "agrees"),
    "rejected": ("agrees", "false alarm"),
    "raises": ("agrees", "false alarm"),
    "cannot be loaded": ("not checked", "not checked"),
}


def agreement(expected: str, verdict: str) -> str:
    """How the checker's verdict agrees with what the rule is."""
    return _AGREEMENT[verdict][expected != "defective"]


def upstream_texts() -> list[Path]:
    """The texts for the packages' maintainers."""
    return sorted(_UPSTREAM.glob("*.md"))


def public_rules_page(result: Mapping[str, Any]) -> str:
    """The page, in Markdown."""
    rules = result["rules"]
    tables = "\n".join(f"## {word.capitalize()}\n\n{_table(rules, word)}" for word in EXPECTED)
    return f"""# Rules of released packages

`python -m experiments.public_rules` wrote this page from `public_rules.json`.

{_introduction(rules)}

{_counts(rules, result["before_commit"])}
{_times(rules)}

{tables}
## Texts for the maintainers

Each has a reproduction of at most ten lines, with its output.

{_links()}"""


def _introduction(rules: Rules) -> str:
    packages = {rule["package"] for rule in rules.values()}
    new = sum(not rule["known"] for rule in rules.values())
    return f"""{len(rules)} rules of \
{len(packages)} packages, {new} of which an earlier review of the checker does not name. What a \
rule is was found out without the checker: *right*; *by design* not the derivative, as its \
documentation says; or *defective* in some point. The checker was given each rule as a user would \
describe it. A right rule that is rejected is a false alarm; a defective one that is neither \
rejected nor among the conventions listed is missed."""


def _counts(rules: Rules, before_commit: str | None) -> str:
    earlier = [f"at {before_commit}: {word}" for word in _EARLIER] if before_commit else []
    outcomes = ("false alarm", "missed")
    heads = ["rules", "n", *VERDICTS, *outcomes, *earlier]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for expected in EXPECTED:
        chosen = [rule for rule in rules.values() if rule["expected"] == expected]
        words = [rule["verdict"] for rule in chosen]
        agreements = [agreement(expected, word) for word in words]
        before = [rule.get("before", {}).get("verdict") for rule in chosen]
        numbers = [len(chosen), *map(words.count, VERDICTS), *map(agreements.count, outcomes)]
        numbers += map(before.count, _EARLIER) if before_commit else []
        lines.append(f"| {expected} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines) + "\n"


def _times(rules: Rules) -> str:
    seconds = {name: rule["seconds"] for name, rule in rules.items() if "seconds" in rule}
    if not seconds:
        return ""
    slowest = max(seconds, key=seconds.__getitem__)
    return (
        f"Processor time a rule: median {statistics.median(seconds.values()):.1f} s, maximum "
        f"{seconds[slowest]:.1f} s (`{slowest}`)."
    )


def _table(rules: Rules, expected: str) -> str:
    heads = ("package", "version", "function", "what was seen", "checker", "s")
    lines = [f"| {' | '.join(heads)} |", "| --- | --- | --- | --- | --- | ---: |"]
    for name, rule in rules.items():
        if rule["expected"] == expected:
            time = f"{rule['seconds']:.1f}" if "seconds" in rule else "–"
            cells = (rule["package"], rule.get("version", "–"), f"`{name}`", rule["seen"],
                     _said(rule), time)  # fmt: skip
            lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _said(rule: Mapping[str, Any]) -> str:
    """The checker's verdict, in a cell."""
    rows = f": {', '.join(rule['rows'])}" if rule.get("rows") else ""
    outcome = agreement(rule["expected"], rule["verdict"])
    return f"{rule['verdict']}{rows}{f' ({outcome})' if outcome != 'agrees' else ''}"


def _links() -> str:
    return "".join(
        f"- [{_title(path)}](../public_rules/upstream/{path.name})\n" for path in upstream_texts()
    )


def _title(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line[2:] for line in lines if line.startswith("# "))
