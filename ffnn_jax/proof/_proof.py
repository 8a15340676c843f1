"""What is proved, and what came of it; the algebra itself is imported by the first proof."""

import dataclasses
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ffnn_jax._errors import suggestion
from ffnn_jax.verify import Rule, Sizes, Subject

TIES = ("any", "number", "below")


@dataclasses.dataclass(frozen=True)
class Proof:
    """What came of a proof; true if it is one.

    Attributes:
        verdict: "proved", "disproved" or "not decided".
        reason: the counterexample, or what was not decided.
        shapes: the shapes of the arguments.
        entries: entries of cotangents that were proved, over all cases.
        cases: combinations of integer arguments and of signs, some of which no numbers may meet.
        seconds: the time it took.
        primitives: names of the primitives that were interpreted.
    """

    verdict: str
    reason: str
    shapes: tuple[tuple[int, ...], ...]
    entries: int
    cases: int
    seconds: float
    primitives: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether it is proved."""
        return self.verdict == "proved"

    def as_json(self) -> dict[str, Any]:
        """The proof as JSON can hold it."""
        return dataclasses.asdict(self) | {"seconds": round(self.seconds, 2)}

    def __str__(self) -> str:
        """The verdict in a line."""
        shapes = " ".join("x".join(map(str, shape)) or "scalar" for shape in self.shapes)
        cases = f", {self.cases} case{'s' * (self.cases != 1)}" if self.cases else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.verdict} at {shapes}{cases}, {self.seconds:.1f} s{reason}"


def prove_vjp(
    op: Callable[..., Any] | Rule, reference: Callable[..., Any] | None = None, *arguments: Any,
    sizes: Sizes | None = None, ties: str = "any", within: float | None = None,
    timeout: float = 60.0,
) -> Proof:  # fmt: skip
    """Proves by algebra that a rule computes the derivative of its definition, at one small shape.

    Every value of an integer argument is tried, and comparisons are proved case by case. This is a
    proof for exact numbers, wherever every step of both functions is defined: of rounding, dtypes,
    infinities, NaN, other shapes and derivatives of the derivative it says nothing. Constants stand
    for what they are but for rounding, such as 1/3 or sqrt(2 / pi). The kinks of a ``Rule`` are not
    read; ``ties`` says what holds there.

    Args:
        op: the function, usually a ``jax.custom_vjp`` or ``jax.custom_jvp``; or a ``Rule``, which
            says its reference and arguments, too.
        reference: the definition, in ordinary JAX operations.
        *arguments: one description per argument, as for ``check_vjp``.
        sizes: the size of each axis name; by default 2, 3, 4, ... in order. Time grows with them,
            and with the signs that comparisons can have.
        ties: the derivative where two operands of max or min are equal, and of abs at 0: "any" of
            the pieces that meet; of the "number", where one operand is one, else of the second;
            or of the piece "below", where the first is smaller.
        within: what the absolute values of the arguments are below; by default there is no bound.
        timeout: seconds after which what is not proved is not decided.

    Raises:
        ValueError: a description or option is invalid, or the functions cannot be called so.
        ImportError: python-flint is not installed.
    """
    return _prove(op, reference, arguments, sizes, ties, within, timeout, derivatives=True)


def prove_equal(
    first: Callable[..., Any], second: Callable[..., Any], *arguments: Any,
    sizes: Sizes | None = None, ties: str = "any", within: float | None = None,
    timeout: float = 60.0,
) -> Proof:  # fmt: skip
    """Proves by algebra that two functions have the same values; settings are as in ``prove_vjp``.

    Raises:
        ValueError: a description or option is invalid, or the functions cannot be called so.
        ImportError: python-flint is not installed.
    """
    return _prove(first, second, arguments, sizes, ties, within, timeout, derivatives=False)


def known_primitives() -> list[str]:
    """The names of jax's primitives that a proof can interpret; any other leaves it undecided.

    Raises:
        ImportError: python-flint is not installed.
    """
    return _algebra().known_primitives()


def _prove(
    op: Any, reference: Any, arguments: Any, sizes: Sizes | None, ties: str,
    within: float | None, timeout: float, derivatives: bool,
) -> Proof:  # fmt: skip
    if ties not in TIES:
        raise ValueError(
            f"ties: unknown {ties!r} (known: {', '.join(TIES)}){suggestion(ties, TIES)}"
        )
    if within is not None and not 0 < within < float("inf"):
        raise ValueError(f"within must be a number above 0, got {within}")
    rule = op if isinstance(op, Rule) else Rule(op, reference, arguments)
    if rule.reference is None:
        raise ValueError("reference: a proof needs the definition")
    if rule.backward is not None:
        raise ValueError("backward: what is stated not to be the derivative cannot be proved to be")
    if sizes is None:
        sizes = {name: 2 + i for i, name in enumerate(rule.sample_sizes(0, 1)[0])}
    start = time.monotonic()
    prover = _algebra().Prover(Subject.of(rule, sizes), sizes, ties, within, derivatives)
    verdict, reason = prover.verdict(start + timeout)
    return Proof(
        verdict, reason, prover.shapes, prover.entries, prover.cases, time.monotonic() - start,
        tuple(sorted(prover.used)),
    )  # fmt: skip


def _algebra() -> ModuleType:
    try:
        from ffnn_jax.proof import _prover
    except ModuleNotFoundError as error:
        command = 'python -m pip install "ffnn-jax[proof]"'
        text = f"a proof needs {error.name}, which is not installed: {command}"
        raise ImportError(text, name=error.name) from None
    return _prover
