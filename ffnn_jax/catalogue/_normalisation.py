"""Mistakes that any normalisation can have, whichever entries share its statistics."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, Function, change_residuals, sum_in_own_dtype


class Terms(NamedTuple):
    """What (layer.10) is made of, in one rank; the entries along ``axes`` share their statistics.

    From a forward, ``dz`` is z. All are in float32 or wider; ``dtype`` is that of x.
    """

    dz: Array
    x: Array
    mean: Array
    rstd: Array
    scale: Array
    axes: tuple[int, ...]
    dtype: Any

    @property
    def x_hat(self) -> Array:
        """(layer.4)."""
        return (self.x - self.mean) * self.rstd

    @property
    def dx_hat(self) -> Array:
        """(layer.8)."""
        return self.scale * self.dz

    def average(self, values: Array) -> Array:
        """The mean over the entries that share their statistics."""
        return jnp.mean(values, self.axes, keepdims=True)

    def share(self, dx_hat: Array) -> Array:
        """The last term of (layer.10)."""
        return self.x_hat * self.average(dx_hat * self.x_hat)


TermsOf = Callable[[Any, Array], Terms]
Formula = Callable[[Terms], Array]


def wide(array: Array) -> Array:
    """The array in float32, or float64 if it is that."""
    return array.astype(jnp.float64 if array.dtype == jnp.float64 else jnp.float32)


def with_dx(backward: Function, terms_of: TermsOf, formula: Formula) -> Function:
    """The backward with a different formula for its first cotangent."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        dz = arguments[-1]
        dx = formula(terms_of(*arguments[-2:]))
        return dx.reshape(dz.shape).astype(dz.dtype), *backward(*arguments)[1:]

    return wrong


def with_dscale(backward: Function, terms_of: TermsOf, formula: Formula) -> Function:
    """The backward with a different formula for its second cotangent."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        dx, dscale, *rest = backward(*arguments)
        of_channels = formula(terms_of(*arguments[-2:])).reshape(-1, dscale.size).sum(axis=0)
        return dx, of_channels.astype(dscale.dtype), *rest

    return wrong


def with_rstd(
    forward: Function, terms_of: TermsOf, rstd: Callable[[Terms, float], Array]
) -> Function:
    """The forward with another rstd in z."""

    def wrong(*arrays: Array, **static: Any) -> tuple[Array, Any]:
        z, residuals = forward(*arrays, **static)
        t = terms_of(residuals, z)
        changed = t.dz + t.scale * (t.x - t.mean) * (rstd(t, static["eps"]) - t.rstd)
        return changed.reshape(z.shape).astype(z.dtype), residuals

    return wrong


def _count(t: Terms) -> int:
    return math.prod(t.x.shape[axis] for axis in t.axes)


def _with_one_fewer(t: Terms) -> Array:
    count = _count(t)
    return t.rstd * (t.dx_hat - t.average(t.dx_hat) - t.share(t.dx_hat) * count / (count - 1))


def _outside_the_root(t: Terms, eps: float) -> Array:
    return 1 / (jnp.sqrt(t.average((t.x - t.mean) ** 2)) + eps)


def _unbiased(t: Terms, eps: float) -> Array:
    count = _count(t)
    return 1 / jnp.sqrt(t.average((t.x - t.mean) ** 2) * count / (count - 1) + eps)


def mean_in_own_dtype(t: Terms, power: int) -> Array:
    """The mean of x to a power, with every partial sum rounded to x's dtype."""
    first, count = jnp.moveaxis(t.x, t.axes, range(len(t.axes))), _count(t)
    terms = first.astype(t.dtype).reshape(count, t.rstd.size) ** power
    return wide(sum_in_own_dtype(terms) / count).reshape(t.rstd.shape)


def _one_pass(t: Terms, eps: float) -> Array:
    variance = mean_in_own_dtype(t, 2) - mean_in_own_dtype(t, 1) ** 2
    return 1 / jnp.sqrt(jnp.maximum(variance, 0) + eps)


DX: dict[str, Formula] = {
    "statistics held constant": lambda t: t.rstd * t.dx_hat,
    "mean term left out": lambda t: t.rstd * (t.dx_hat - t.share(t.dx_hat)),
    "variance term left out": lambda t: t.rstd * (t.dx_hat - t.average(t.dx_hat)),
    "scale outside the sums": lambda t: t.scale * t.rstd * (t.dz - t.average(t.dz) - t.share(t.dz)),
    "scale left out of dx": lambda t: t.rstd * (t.dz - t.average(t.dz) - t.share(t.dz)),
    "M - 1 in the variance term": _with_one_fewer,
    "rstd left out of dx": lambda t: t.dx_hat - t.average(t.dx_hat) - t.share(t.dx_hat),
}
RSTD: dict[str, Callable[[Terms, float], Array]] = {
    "eps outside the root": _outside_the_root,
    "variance divided by M - 1": _unbiased,
}
DSCALE: dict[str, Formula] = {
    "dscale from x instead of x^": lambda t: t.dz * t.x,
    "dscale summed over the wrong axes": lambda t: jnp.swapaxes(t.dz * t.x_hat, 0, -1),
}


def normalisation_faults(
    op: Any, terms_of: TermsOf, without: tuple[str, ...] = (), scaled: bool = True
) -> Iterator[Fault]:
    """The mistakes in dx, in dscale if it is ``scaled``, in the variance and in eps."""
    for name, formula in DX.items():
        if name not in without:
            yield Fault(name, with_dx(op.bwd, terms_of, formula))
    for name, rstd in RSTD.items():
        yield Fault(name, forward=with_rstd(op.fwd, terms_of, rstd))
    for name, formula in DSCALE.items() if scaled else ():
        yield Fault(name, with_dscale(op.bwd, terms_of, formula))
    one_pass = with_rstd(op.fwd, terms_of, _one_pass)
    yield Fault("E[x^2] - E[x]^2 in half precision", forward=one_pass, many=True)
    yield Fault("eps left out of the backward", without_eps(op.bwd, "rstd"))


def without_eps(backward: Function, field: str) -> Function:
    """The backward with a reciprocal root that lacks eps; eps is its last static argument."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        *_, eps, residuals, _ = arguments
        bare = 1 / jnp.sqrt(1 / getattr(residuals, field) ** 2 - eps)
        return change_residuals(backward, lambda r: r._replace(**{field: bare}))(*arguments)

    return wrong
