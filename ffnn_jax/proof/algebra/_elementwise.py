"""The elementwise primitives, as functions of elements."""

from collections.abc import Callable
from typing import Any

from ffnn_jax.proof.algebra._field import Element, Field
from ffnn_jax.proof.algebra._functions import erf, exact, exp, log, root


def elementwise(
    field: Field, order: Callable[[Any, Any], int], choice: Callable[[Any, Any], int]
) -> dict[str, Callable[..., Any]]:
    """The elementwise primitives, as functions of elements and of the primitive's parameters.

    ``order`` gives the sign of a difference, and ``choice`` that by which max and min choose.
    """

    def tanh(a: Element) -> Element:
        double = exp(2 * a)
        return (double - 1) / (double + 1)

    def extreme(a: Any, b: Any, sign: int) -> Any:
        order = sign * choice(a, b)
        number_first = order == 0 and isinstance(a, Element) and a.rational is not None
        return a if order > 0 or number_first else b

    def maximum(a: Any, b: Any) -> Any:
        return extreme(a, b, 1)

    def minimum(a: Any, b: Any) -> Any:
        return extreme(a, b, -1)

    def power(a: Element, y: Any) -> Element:
        exponent = y.rational if isinstance(y, Element) else exact(field, float(y)).rational
        if exponent is None:
            return exp(y * log(a))
        return root(a, exponent.denominator) ** exponent.numerator

    return {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b, "neg": lambda a: -a, "add_any": lambda a, b: a + b,
        "integer_pow": lambda a, y: a**y, "pow": power, "square": lambda a: a * a,
        "exp": exp, "expm1": lambda a: exp(a) - 1, "log": log,
        "exp2": lambda a: exp(a * log(field.of(2))),
        "log1p": lambda a: log(1 + a), "tanh": tanh, "erf": erf,
        "erfc": lambda a: 1 - erf(a), "sqrt": root, "cbrt": lambda a: root(a, 3),
        "rsqrt": lambda a: 1 / root(a), "logistic": lambda a: 1 / (1 + exp(-a)),
        "max": maximum, "min": minimum, "abs": lambda a: maximum(a, -a),
        "clamp": lambda low, a, high: minimum(maximum(a, low), high),
        "sign": lambda a: field.of(order(a, field.zero)),
        "is_finite": lambda a: isinstance(a, Element),
    }  # fmt: skip
