"""Two-dimensional convolution."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ffnn_jax.catalogue._faults import Fault, change_cotangent, sum_in_own_dtype
from ffnn_jax.catalogue._op_spec import Case, OpSpec
from ffnn_jax.layers import conv2d, conv2d_backward, conv2d_forward

Cotangents = tuple[Array, Array, Array]
Backward = Callable[..., Cotangents]

_GROUPED, _SAME, _SAME_EVEN, _VALID, _WIDE, _DILATED, _DEPTHWISE = range(7)
_DX, _DW, _DB = range(3)


def reference_conv2d(
    x: Array,
    w: Array,
    b: Array,
    padding: int | str = "SAME",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Array:
    """Equation (conv.1): the sum over u, v, c of rows s i + d u and columns s j + d v of x~."""
    pads = _pads(x, w, padding, stride, dilation)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, columns = (
        jnp.array(_index(x.shape[axis + 1], w.shape[axis], stride, dilation)) for axis in (0, 1)
    )
    patches = x[:, rows][:, :, :, columns]
    parts = zip(jnp.split(patches, groups, 5), jnp.split(w, groups, 3), strict=True)
    z = [jnp.einsum("niujvc,uvck->nijk", p, kernel) for p, kernel in parts]
    return jnp.concatenate(z, axis=3) + b.reshape(1, 1, 1, -1)


def _index(size: int, kernel: int, stride: int, dilation: int) -> list[list[int]]:
    """The pixels of every window along an axis."""
    starts = range(0, size - dilation * (kernel - 1), stride)
    return [[start + dilation * u for u in range(kernel)] for start in starts]


def _pads(
    x: Array, w: Array, padding: int | str, stride: int, dilation: int
) -> list[tuple[int, int]]:
    if isinstance(padding, int):
        return [(padding, padding)] * 2
    kernel = [dilation * (size - 1) + 1 for size in w.shape[:2]]
    return jax.lax.padtype_to_pads(x.shape[1:3], kernel, (stride, stride), padding)


def _gradients(static: list[Any], *rest: Any) -> Cotangents:
    return conv2d_backward(*static, *rest)


def _with_other(index: int, other: Callable[..., Array]) -> Backward:
    """The backward with one cotangent replaced by a function of the statics, x, w and dz."""

    def wrong(*arguments: Any) -> Any:
        *static, (x, w), dz = arguments
        replaced = other(static, x, w, dz)
        cotangents = conv2d_backward(*arguments)
        return tuple(replaced if i == index else d for i, d in enumerate(cotangents))

    return wrong


def _with_kernel(change: Callable[[Array], Array]) -> Backward:
    """The backward with dx from a changed kernel."""
    return _with_other(_DX, lambda static, x, w, dz: _gradients(static, (x, change(w)), dz)[_DX])


def _channels_not_swapped(w: Array) -> Array:
    kh, kw, inputs, outputs = w.shape
    return w.reshape(kh, kw, outputs, inputs).swapaxes(2, 3)


def _ignoring(index: int, setting: int) -> Backward:
    """The backward with one cotangent as for stride or dilation 1, dz in the output's corner."""

    def other(static: list[Any], x: Array, w: Array, dz: Array) -> Array:
        changed = [1 if i == setting else value for i, value in enumerate(static)]
        like, _ = conv2d_forward(x, w, jnp.zeros_like(dz[0, 0, 0]), *changed)
        corner = jnp.zeros_like(like).at[:, : dz.shape[1], : dz.shape[2]].set(dz)
        return _gradients(changed, (x, w), corner)[index]

    return _with_other(index, other)


def _remainder_filled(dx: Array) -> Array:
    return dx.at[:, -1].set(dx[:, -2])


def _dw_from_the_first_image(static: list[Any], x: Array, w: Array, dz: Array) -> Array:
    return _gradients(static, (x, w), dz.at[1:].set(0))[_DW]


def _groups_interleaved(static: list[Any], x: Array, w: Array, dz: Array) -> Array:
    groups = static[-1]
    interleaved = dz.reshape(*dz.shape[:3], groups, -1).swapaxes(3, 4).reshape(dz.shape)
    return _gradients(static, (x, w), interleaved)[_DW]


def _shifted(rows: int, columns: int) -> Any:
    return change_cotangent(conv2d_backward, _DX, lambda dx: jnp.roll(dx, (rows, columns), (1, 2)))


def _rotated(dw: Array) -> Array:
    return jnp.flip(dw, (0, 1))


def conv_settings(
    padding: int | str, stride: int = 1, dilation: int = 1, groups: int = 1
) -> dict[str, Any]:
    """The static arguments of a convolution by name."""
    return {"padding": padding, "stride": stride, "dilation": dilation, "groups": groups}


CONV2D = OpSpec(
    op=conv2d,
    reference=reference_conv2d,
    arguments=("NxHxWxC", "KHxKWxBxK", "K"),
    cases=(
        Case(
            sizes=({"N": 5, "H": 8, "W": 7, "C": 6, "B": 3, "KH": 2, "KW": 1, "K": 4},),
            static=conv_settings("SAME", groups=2),
        ),
        Case(
            sizes=(
                {"N": 1, "H": 7, "W": 6, "C": 3, "B": 3, "KH": 3, "KW": 1, "K": 5},
                {"N": 64, "H": 6, "W": 6, "C": 1, "B": 1, "KH": 3, "KW": 3, "K": 20},
            ),
            static=conv_settings("SAME"),
        ),
        Case(
            sizes=({"N": 3, "H": 7, "W": 6, "C": 1, "B": 1, "KH": 4, "KW": 2, "K": 5},),
            static=conv_settings("SAME", 2),
        ),
        Case(
            sizes=({"N": 3, "H": 6, "W": 8, "C": 3, "B": 3, "KH": 3, "KW": 2, "K": 4},),
            static=conv_settings("VALID", 2),
        ),
        Case(
            sizes=({"N": 4, "H": 5, "W": 6, "C": 1, "B": 1, "KH": 2, "KW": 3, "K": 7},),
            static=conv_settings(3, 3),
        ),
        Case(
            sizes=({"N": 2, "H": 8, "W": 7, "C": 8, "B": 8, "KH": 2, "KW": 3, "K": 2},),
            static=conv_settings("SAME", dilation=2),
        ),
        Case(
            sizes=({"N": 4, "H": 6, "W": 5, "C": 3, "B": 1, "KH": 3, "KW": 2, "K": 6},),
            static=conv_settings("SAME", 2, groups=3),
        ),
    ),
    batch="N",
    linear=(0, 1, 2),
    exact=True,
    empty_batch=True,
    faults=(
        Fault("kernel not rotated in (conv.7)", _with_kernel(lambda w: jnp.flip(w, (0, 1)))),
        Fault(
            "kernel flipped along one axis only",
            _with_kernel(lambda w: jnp.flip(w, 1)),
            case=_SAME_EVEN,
        ),
        Fault("dw rotated by 180 degrees", change_cotangent(conv2d_backward, _DW, _rotated)),
        Fault("channel axes not swapped", _with_kernel(_channels_not_swapped)),
        Fault("one padding row too many before x", _shifted(1, 0), case=_SAME),
        Fault("odd padding row of SAME before x", _shifted(1, 0), case=_SAME_EVEN),
        Fault("rows and columns swapped in (conv.8)", _shifted(1, -1), case=_WIDE),
        Fault("stride ignored in dx", _ignoring(_DX, 1), case=_VALID),
        Fault("stride ignored in dw", _ignoring(_DW, 1), case=_VALID),
        Fault("dilation ignored in dx", _ignoring(_DX, 2), case=_DILATED),
        Fault("dilation ignored in dw", _ignoring(_DW, 2), case=_DILATED),
        Fault("groups interleaved", _with_other(_DW, _groups_interleaved), case=_GROUPED),
        Fault(
            "nonzero dx outside every window",
            change_cotangent(conv2d_backward, _DX, _remainder_filled),
            case=_VALID,
        ),
        Fault(
            "db from one pixel only",
            _with_other(_DB, lambda static, x, w, dz: jnp.sum(dz[:, 0, 0], axis=0)),
        ),
        Fault(
            "db averaged", _with_other(_DB, lambda static, x, w, dz: jnp.mean(dz, axis=(0, 1, 2)))
        ),
        Fault("dw from the first image only", _with_other(_DW, _dw_from_the_first_image)),
        Fault(
            "db summed in half precision",
            _with_other(
                _DB, lambda static, x, w, dz: sum_in_own_dtype(dz.reshape(-1, dz.shape[3]))
            ),
            case=_SAME,
            many=True,
        ),
        Fault(
            "kernel not rotated, depthwise",
            _with_kernel(lambda w: jnp.flip(w, (0, 1))),
            case=_DEPTHWISE,
        ),
    ),
)
