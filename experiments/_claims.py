"""The report's claims about Table 3 as paired tests, each with a verdict."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments._statistics import Comparison, compare

Rows = Mapping[str, Mapping[str, Any]]


class Claim(NamedTuple):
    """What the report says, and the difference that it is about.

    Attributes:
        label: orders the claims.
        text: the claim.
        first: a row of the table.
        second: the row it is compared with.
        expected: the sign of the difference, or 0 where none is claimed.
        gap: whether the difference is of training minus validation accuracy.
    """

    label: str
    text: str
    first: str
    second: str
    expected: int
    gap: bool = False

    @property
    def name(self) -> str:
        """As in "1 - 0"."""
        return f"{self.first} - {self.second}" + (", gap" if self.gap else "")


CLAIMS = (
    Claim("a", "the first ReLU does not matter", "1", "0", 0),
    Claim("b", "without both ReLUs it is worse", "2", "0", -1),
    Claim("c", "model 3, a third convolution, helps", "3", "0", 1),
    Claim("c", "model 4 helps", "4", "0", 1),
    Claim("c", "model 5 helps", "5", "0", 1),
    Claim("d", "4 and 3 do not differ", "4", "3", 0),
    Claim("d", "5 and 3 do not differ", "5", "3", 0),
    Claim("d", "5 and 4 do not differ", "5", "4", 0),
    Claim("e", "a fourth convolution falls back", "6a", "3", -1),
    Claim("f", "half the rate, twice the steps help", "6b", "0", 1),
    Claim("f", "twice the batch helps", "7", "0", 1),
    Claim("g", "model 4 over-fits more than 3", "4", "3", 1, gap=True),
    Claim("g", "6b over-fits more than 0", "6b", "0", 1, gap=True),
    Claim("g", "7 over-fits more than 0", "7", "0", 1, gap=True),
)


def comparisons(rows: Rows, claims: tuple[Claim, ...] = CLAIMS) -> dict[Claim, Comparison]:
    """Every claim's comparison over the seeds that both its rows have, corrected together."""
    found = compare({claim.name: _differences(rows, claim) for claim in claims})
    return {claim: found[claim.name] for claim in claims}


def answers(rows: Rows, claims: tuple[Claim, ...] = CLAIMS) -> list[dict[str, Any]]:
    """The claims with their comparisons and verdicts, as they are stored."""
    return [
        {
            **claim._asdict(),
            "compared": claim.name,
            **found._asdict(),
            "verdict": verdict(claim, found),
        }
        for claim, found in comparisons(rows, claims).items()
    ]


def verdict(claim: Claim, found: Comparison) -> str:
    """Whether the claim holds, after the correction for all that were looked at together."""
    if not found.decided:
        return "not decided"
    if claim.expected == 0:
        return "refuted: there is a difference"
    return "holds" if found.difference * claim.expected > 0 else "the opposite holds"


def cells(one: Mapping[str, Any]) -> str:
    """A stored answer as cells of a table: difference in points, n, p, verdict."""
    seen = ""
    if one["verdict"] == "not decided":
        seen = f"; {100 * one['smallest']:.1f} points would have been seen"
    return f"| {points(one)} | {one['n']} | {one['adjusted']:.2g} | {one['verdict']}{seen} |"


def points(one: Mapping[str, Any], unit: str = "") -> str:
    """A stored difference in points, with its interval."""
    low, high = 100 * one["low"], 100 * one["high"]
    return f"{100 * one['difference']:+.1f}{unit} [{low:+.1f}, {high:+.1f}]"


def other_reading(
    rows: Rows, instead: Mapping[str, str], claims: tuple[Claim, ...] = CLAIMS
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The claims about some rows, as they stand and with others in their place.

    Both are answered with the seeds that all these rows have, and corrected for the same claims.

    Args:
        rows: as for ``comparisons``.
        instead: for some rows, the rows to read in their place.
        claims: of which those that name such a row are looked at.
    """
    named = [claim for claim in claims if {claim.first, claim.second} & set(instead)]
    read = [
        claim._replace(
            first=instead.get(claim.first, claim.first),
            second=instead.get(claim.second, claim.second),
        )
        for claim in named
    ]
    used = {row for claim in (*named, *read) for row in (claim.first, claim.second)}
    common = set.intersection(*(set(rows[row]["seeds"]) for row in used))
    some = {row: _only(rows[row], common) for row in used}
    return list(zip(answers(some, tuple(named)), answers(some, tuple(read)), strict=True))


def _only(row: Mapping[str, Any], seeds: set[int]) -> dict[str, Any]:
    """A row with some of its seeds."""
    places = [place for place, seed in enumerate(row["seeds"]) if seed in seeds]
    lists = ("seeds", "test_accuracy", "train_accuracy", "validation_accuracy")
    return {name: [row[name][place] for place in places] for name in lists}


def dominating(rows: Rows, row: str, cost: str) -> list[str]:
    """The rows that are more accurate on average, and cost no more.

    Args:
        rows: with test accuracies and the cost.
        row: the one they are compared with.
        cost: the name of the cost, "training_flops" or "parameters".
    """
    mean = {name: float(np.mean(one["test_accuracy"])) for name, one in rows.items()}
    return [
        name
        for name, one in rows.items()
        if mean[name] > mean[row] and one[cost] <= rows[row][cost]
    ]


def _differences(rows: Rows, claim: Claim) -> list[float]:
    value = _gap if claim.gap else _test_accuracy
    first, second = value(rows[claim.first]), value(rows[claim.second])
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def _by_seed(row: Mapping[str, Any], of: Callable[[int], float]) -> dict[int, float]:
    return {seed: of(place) for place, seed in enumerate(row["seeds"])}


def _test_accuracy(row: Mapping[str, Any]) -> dict[int, float]:
    return _by_seed(row, lambda place: row["test_accuracy"][place])


def _gap(row: Mapping[str, Any]) -> dict[int, float]:
    train, validation = row["train_accuracy"], row["validation_accuracy"]
    return _by_seed(row, lambda place: train[place] - validation[place])
