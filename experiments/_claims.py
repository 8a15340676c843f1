"""The report's claims about Table 3 as paired tests, each with an answer in a sentence."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments._statistics import Comparison, compare

Rows = Mapping[str, Mapping[str, Any]]


class Claim(NamedTuple):
    """What the report says, and the difference that it is about.

    Attributes:
        letter: orders the claims.
        text: the claim.
        first: a row of the table.
        second: the row it is compared with.
        expected: the sign of the difference, or 0 where none is claimed.
        gap: whether the difference is of training minus validation accuracy.
    """

    letter: str
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
    Claim("c", "a third convolution helps", "3", "0", 1),
    Claim("c", "so does model 4", "4", "0", 1),
    Claim("c", "so does model 5", "5", "0", 1),
    Claim("d", "4 is no better than 3", "4", "3", 0),
    Claim("d", "5 is no better than 3", "5", "3", 0),
    Claim("d", "5 is no better than 4", "5", "4", 0),
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
        {**claim._asdict(), **found._asdict(), "answer": answer(claim, found)}
        for claim, found in comparisons(rows, claims).items()
    ]


def answer(claim: Claim, found: Comparison) -> str:
    """The verdict in a sentence; differences in points of accuracy."""
    points = (
        f"{100 * found.difference:+.1f} points [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    )
    if not found.decided:
        return f"Not decided: {points}; {100 * found.smallest:.1f} would have been seen."
    if claim.expected == 0:
        return f"There is a difference: {points}."
    return (
        f"{'Holds' if found.difference * claim.expected > 0 else 'The opposite holds'}: {points}."
    )


def other_reading(
    rows: Rows, instead: Mapping[str, str], claims: tuple[Claim, ...] = CLAIMS
) -> list[tuple[Claim, Comparison]]:
    """The claims about some rows, with others in their place, corrected together.

    Args:
        rows: as for ``comparisons``.
        instead: for some rows, the rows to read in their place.
        claims: of which those that name such a row are looked at.
    """
    read = {
        claim: claim._replace(
            first=instead.get(claim.first, claim.first),
            second=instead.get(claim.second, claim.second),
        )
        for claim in claims
    }
    changed = {claim: other for claim, other in read.items() if other != claim}
    found = comparisons(rows, tuple(changed.values()))
    return [(claim, found[other]) for claim, other in changed.items()]


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
