"""The report's claims about Table 3 as paired tests, each with a verdict."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments._statistics import Comparison, compare

Rows = Mapping[str, Mapping[str, Any]]


class Claim(NamedTuple):
    """A claim of the report, and the difference that it is about.

    Attributes:
        label: the letter that orders the claims.
        text: the claim in words.
        first: a row of the table.
        second: the row that it is compared with.
        expected: the sign of the difference, or 0 where none is claimed.
        gap: whether the difference is between gaps, training minus validation accuracy.
    """

    label: str
    text: str
    first: str
    second: str
    expected: int
    gap: bool = False

    @property
    def name(self) -> str:
        """The compared rows, as in "1 - 0"."""
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
    """The comparison for each claim over the seeds that both rows have, corrected together."""
    by_name = compare({claim.name: _differences(rows, claim) for claim in claims})
    return {claim: by_name[claim.name] for claim in claims}


def answers(rows: Rows, claims: tuple[Claim, ...] = CLAIMS) -> list[dict[str, Any]]:
    """The claims with their comparisons and verdicts, in the stored form."""
    return [
        {
            **claim._asdict(),
            "compared": claim.name,
            **comparison._asdict(),
            "verdict": verdict(claim, comparison),
        }
        for claim, comparison in comparisons(rows, claims).items()
    ]


def verdict(claim: Claim, comparison: Comparison) -> str:
    """Whether the claim holds, after the correction for all claims tested together."""
    if not comparison.decided:
        return "not decided"
    if claim.expected == 0:
        return "refuted: there is a difference"
    return "holds" if comparison.difference * claim.expected > 0 else "the opposite holds"


def cells(answer: Mapping[str, Any]) -> str:
    """A stored answer as table cells: difference in points, n, p, verdict."""
    limit = ""
    if answer["verdict"] == "not decided":
        limit = f"; {100 * answer['smallest']:.1f} points would have been detected"
    numbers = f"{points(answer)} | {answer['n']} | {answer['adjusted']:.2g}"
    return f"| {numbers} | {answer['verdict']}{limit} |"


def points(answer: Mapping[str, Any], unit: str = "") -> str:
    """A stored difference in points, with its interval."""
    low, high = 100 * answer["low"], 100 * answer["high"]
    return f"{100 * answer['difference']:+.1f}{unit} [{low:+.1f}, {high:+.1f}]"


def other_reading(
    rows: Rows, instead: Mapping[str, str], claims: tuple[Claim, ...] = CLAIMS
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The claims about some rows, as they stand and with other rows substituted.

    Both are answered on the seeds that all these rows share, and corrected for the same claims.

    Args:
        rows: as for ``comparisons``.
        instead: for some rows, the rows to substitute.
        claims: the claims to choose from; only those that name such a row are answered.
    """
    affected = [claim for claim in claims if {claim.first, claim.second} & set(instead)]
    substituted = [
        claim._replace(
            first=instead.get(claim.first, claim.first),
            second=instead.get(claim.second, claim.second),
        )
        for claim in affected
    ]
    used = {row for claim in (*affected, *substituted) for row in (claim.first, claim.second)}
    common = set.intersection(*(set(rows[row]["seeds"]) for row in used))
    restricted = {row: _select_seeds(rows[row], common) for row in used}
    return list(
        zip(
            answers(restricted, tuple(affected)),
            answers(restricted, tuple(substituted)),
            strict=True,
        )
    )


def _select_seeds(row: Mapping[str, Any], seeds: set[int]) -> dict[str, Any]:
    """A row restricted to some of its seeds."""
    indices = [index for index, seed in enumerate(row["seeds"]) if seed in seeds]
    fields = ("seeds", "test_accuracy", "train_accuracy", "validation_accuracy")
    return {name: [row[name][index] for index in indices] for name in fields}


def dominating(rows: Rows, row: str, cost: str) -> list[str]:
    """The rows that are more accurate on average at no higher cost.

    Args:
        rows: rows with test accuracies and the cost.
        row: the row that they are compared with.
        cost: the name of the cost: "training_flops" or "parameters".
    """
    mean = {name: float(np.mean(other["test_accuracy"])) for name, other in rows.items()}
    return [
        name
        for name, other in rows.items()
        if mean[name] > mean[row] and other[cost] <= rows[row][cost]
    ]


def _differences(rows: Rows, claim: Claim) -> list[float]:
    value = _gap if claim.gap else _test_accuracy
    first, second = value(rows[claim.first]), value(rows[claim.second])
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def _by_seed(row: Mapping[str, Any], value_at: Callable[[int], float]) -> dict[int, float]:
    return {seed: value_at(index) for index, seed in enumerate(row["seeds"])}


def _test_accuracy(row: Mapping[str, Any]) -> dict[int, float]:
    return _by_seed(row, lambda index: row["test_accuracy"][index])


def _gap(row: Mapping[str, Any]) -> dict[int, float]:
    train, validation = row["train_accuracy"], row["validation_accuracy"]
    return _by_seed(row, lambda index: train[index] - validation[index])
