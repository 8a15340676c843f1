"""The diagnosis of a rule, or of an operation that takes the place of one of the package's."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

from ffnn_jax.catalogue._op_spec import OpSpec
from ffnn_jax.catalogue.diagnosis._draws import draw_sets, results, settings
from ffnn_jax.catalogue.diagnosis._known_faults import known_faults
from ffnn_jax.catalogue.diagnosis._matching import NOTHING, explain
from ffnn_jax.verify import Rule, VerificationResult

_MORE_SIZES = 3
_SHARE, _ENOUGH = 0.5, 15.0  # of the seconds left; what a kind of mistake may take


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a rule.

    Attributes:
        mistakes: a text for each; none where nothing wrong was found.
        sure: whether every wrong result is explained, and in one way alone.
    """

    mistakes: Sequence[str] = ()
    sure: bool = False

    def __str__(self) -> str:
        """One line; what is not sure begins with "one of", or says that nothing matches."""
        return "; ".join(self.mistakes) or "nothing wrong was found"


def diagnose(
    rule: Rule | OpSpec, operation: Any = None, seed: int = 0, timeout: float = math.inf
) -> Diagnosis:
    """Finds the mistake behind a wrong value or cotangents.

    Args:
        rule: a rule, which is compared with general mistakes; its reference is needed, or that its
            forward can be traced. Or the entry of one of the package's own operations.
        operation: what takes the place of that operation, to be compared with the planted faults,
            and with general mistakes where none matches.
        seed: seed of the numbers for general mistakes.
        timeout: seconds after which no other kind of mistake is tried.
    """
    deadline = time.monotonic() + timeout
    if isinstance(rule, OpSpec):
        texts, sure, case = known_faults(rule, operation)
        if case is None:
            return Diagnosis(tuple(texts), sure)
        own, sizes = dataclasses.replace(rule, op=operation).rules(_MORE_SIZES)[case]
        rule = dataclasses.replace(own, sizes=sizes[:2])
    with settings():
        for draws in draw_sets(rule, seed):
            found = {draw: got for draw in draws if (got := results(rule, draw))}
            if found:
                texts, sure = explain([*found], [*found.values()], deadline)
                return Diagnosis(tuple(texts), sure)
    return Diagnosis((NOTHING,))


def diagnosed(
    result: VerificationResult, rule: Rule, seed: int, seconds: float
) -> VerificationResult:
    """The result of a rule's checks, with a diagnosis among its details if there is time for it."""
    found = diagnose(rule, None, seed, _SHARE * seconds) if seconds > _ENOUGH else Diagnosis()
    told = (f"diagnosis: {found}",) if found.mistakes else ()
    return dataclasses.replace(result, details=(*result.details, *told))
