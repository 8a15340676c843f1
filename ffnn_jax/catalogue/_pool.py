"""Max pooling."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, change_residuals
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import max_pool, max_pool_backward, max_pool_forward
from ffnn_jax.verify import Kink

Padding = int | str
_PADDED, _TWO, _THREE, _OVERLAP, _SAME = range(5)


def reference_max_pool(
    x: Array, window: int = 2, stride: int | None = None, padding: Padding = "VALID"
) -> Array:
    """Equation (pool.1), as the entry that (pool.2) selects: half precision is full of ties."""
    return _first(entries_of(x, window, stride, padding, -jnp.inf))


def entries_of(
    x: Array, window: int, stride: int | None, padding: Padding, outside: float
) -> Array:
    """The entries of every window, (N, H_out, W_out, C, r r), with a number outside the image."""
    step = window if stride is None else stride
    pads = [(padding, padding)] * 2 if isinstance(padding, int) else jax.lax.padtype_to_pads(
        x.shape[1:3], (window, window), (step, step), padding
    )  # fmt: skip
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)), constant_values=outside)
    rows, columns = (
        jnp.array([[i + u for u in range(window)] for i in range(0, size - window + 1, step)])
        for size in x.shape[1:3]
    )
    patches = x[:, rows][:, :, :, columns].transpose(0, 1, 3, 5, 2, 4)
    return patches.reshape(*patches.shape[:4], window**2)


def _first(entries: Array) -> Array:
    argmax = jnp.argmax(entries, axis=-1, keepdims=True)
    return jnp.take_along_axis(entries, argmax, axis=-1)[..., 0]


def _by_autodiff(value: Callable[[Array], Array], outside: float = -jnp.inf) -> dict[str, Any]:
    """The correct forward, with x kept; the backward of another function of the entries."""

    def forward(x: Array, *settings: Any) -> tuple[Array, Array]:
        return max_pool_forward(x, *settings)[0], x

    def backward(window: int, stride: Any, padding: Any, x: Array, dz: Array) -> Any:
        return jax.vjp(lambda x: value(entries_of(x, window, stride, padding, outside)), x)[1](dz)

    return {"forward": forward, "backward": backward}


def _every(entries: Array) -> Array:
    return jnp.sum(jnp.where(entries == jnp.max(entries, -1, keepdims=True), entries, 0), -1)


def _placed(overwrite: bool = False, unit_stride: bool = False) -> Callable[..., tuple[Array]]:
    """The backward that places dz entry by entry, for images padded by the same on each side."""

    def backward(window: int, stride: int, padding: int, residuals: Any, dz: Array) -> Any:
        argmax, extent = residuals
        n, height, width, channels = dz.shape
        (h, w), step = extent.shape[1:], 1 if unit_stride else stride
        dx = jnp.zeros((n, h + 2 * padding + window, w + 2 * padding + window, channels), dz.dtype)
        for k in range(window**2):
            u, v = divmod(k, window)
            at = dx.at[:, u : u + step * height : step, v : v + step * width : step]
            there = dx[:, u : u + step * height : step, v : v + step * width : step]
            dx = at.set(jnp.where(argmax == k, dz if overwrite else dz + there, there))
        return (dx[:, padding : padding + h, padding : padding + w],)

    return backward


def _with_x(change: Callable[[Array], Array], undo: Callable[[Array], Array]) -> Any:
    """The correct forward of a changed x, with z changed back."""

    def forward(x: Array, *settings: Any) -> Any:
        z, residuals = max_pool_forward(change(x), *settings)
        return undo(z), residuals

    return forward


def _zeros_outside(x: Array, window: int, stride: Any, padding: Any) -> Any:
    residuals = max_pool_forward(x, window, stride, padding)[1]
    return jnp.max(entries_of(x, window, stride, padding, 0.0), axis=-1), residuals


def _same_pads_first(x: Array, window: int, *settings: Any) -> Any:
    z, residuals = max_pool_forward(jnp.flip(x, (1, 2)), window, *settings)
    argmax = jnp.flip(window**2 - 1 - residuals.argmax, (1, 2))
    return jnp.flip(z, (1, 2)), residuals._replace(argmax=argmax)


def _nan_to_minus_infinity(x: Array) -> Array:
    return jnp.where(jnp.isnan(x), jnp.full((), -jnp.inf, x.dtype), x)


def _with_argmax(change: Callable[[Array], Array]) -> Any:
    def changed(residuals: Any) -> Any:
        return residuals._replace(argmax=change(residuals.argmax))

    return change_residuals(max_pool_backward, changed)


def _with_dx(change: Callable[[Array], Array]) -> Any:
    return change_cotangent(max_pool_backward, 0, change)


def _kink(name: str, x: list[list[float]], dx: list[list[float]]) -> Kink:
    """One image of 2 by 2 pixels; the 9 windows begin at row and column -1, and dz is 1 to 9."""
    pixels, expected = (np.array(rows, float).reshape(1, 2, 2, 1) for rows in (x, dx))
    return Kink(name, (pixels,), np.arange(1.0, 10).reshape(1, 3, 3, 1), (expected,))


_NAN, _INF = np.nan, np.inf
_TIED = [[1.0 + 2 + 4 + 5, 3 + 6], [7 + 8, 9]]  # each window's first pixel receives its dz
_UPPER = [[1.0, 2 + 3 + 5 + 6], [4 + 7 + 8, 9]]  # (0, 1) wins window (1, 1)

MAX_POOL = OpSpec(
    op=max_pool,
    reference=reference_max_pool,
    arguments=("NxHxWxC",),
    cases=(
        Case(
            sizes=({"N": 2, "H": 4, "W": 5, "C": 3}, {"N": 1, "H": 7, "W": 2, "C": 4}),
            static={"window": 2, "stride": 1, "padding": 1},
        ),
        Case(
            sizes=({"N": 2, "H": 4, "W": 5, "C": 3}, {"N": 64, "H": 6, "W": 9, "C": 2}),
            static={"window": 2, "stride": None, "padding": "VALID"},
        ),
        Case(
            sizes=({"N": 2, "H": 7, "W": 10, "C": 3},),
            static={"window": 3, "stride": 3, "padding": 0},
        ),
        Case(
            sizes=({"N": 2, "H": 8, "W": 6, "C": 3},),
            static={"window": 3, "stride": 2, "padding": 1},
        ),
        Case(
            sizes=({"N": 2, "H": 3, "W": 5, "C": 1},),
            static={"window": 2, "stride": 1, "padding": "SAME"},
        ),
    ),
    batch="N",
    empty_batch=True,
    kinks=(
        _kink("a constant image", [[1, 1], [1, 1]], _TIED),
        _kink("all minus infinity", [[-_INF, -_INF], [-_INF, -_INF]], _TIED),
        _kink("bottom left and top right tied", [[1, 2], [2, 0]], _UPPER),
        _kink("two NaN, and minus infinity", [[-_INF, _NAN], [_NAN, 2]], _UPPER),
    ),
    faults=(
        Fault("last maximum wins", **_by_autodiff(lambda e: _first(jnp.flip(e, -1)))),
        Fault("every maximum receives dz", **_by_autodiff(_every, -1e9)),
        Fault("dz split among the maxima", **_by_autodiff(lambda e: jnp.max(e, -1))),
        Fault("padding wins among minus infinities", **_by_autodiff(_first)),
        Fault("padding wins as 0", forward=_zeros_outside, case=_OVERLAP),
        Fault("NaN treated as minus infinity", forward=_with_x(_nan_to_minus_infinity, jnp.array)),
        Fault("every entry receives dz", **_by_autodiff(lambda e: jnp.sum(e, -1), 0), case=_THREE),
        Fault(
            "dz averaged over the window", **_by_autodiff(lambda e: jnp.mean(e, -1), 0), case=_THREE
        ),
        Fault("windows overwrite each other", _placed(overwrite=True), case=_OVERLAP),
        Fault("stride ignored in the backward", _placed(unit_stride=True), case=_OVERLAP),
        Fault("odd row of SAME before x", forward=_same_pads_first, case=_SAME),
        Fault(
            "argmax in column-major order", _with_argmax(lambda m: m % 3 * 3 + m // 3), case=_THREE
        ),
        Fault("argmax off by one row", _with_argmax(lambda m: (m + 3) % 9), case=_OVERLAP),
        Fault("first entry always wins", _with_argmax(jnp.zeros_like)),
        Fault(
            "first channel's argmax for all channels",
            _with_argmax(lambda m: jnp.broadcast_to(m[..., :1], m.shape)),
        ),
        Fault(
            "nonzero dx outside every window",
            _with_dx(lambda dx: dx.at[:, :, -1].set(dx[:, :, -2])),
            case=_TWO,
        ),
        Fault("dx shifted by one pixel", _with_dx(lambda dx: jnp.roll(dx, 1, axis=2))),
        Fault("minimum instead of maximum", forward=_with_x(jnp.negative, jnp.negative)),
    ),
)
