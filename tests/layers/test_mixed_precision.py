"""x in bfloat16 or float16, parameters in float32: one rule for every layer with parameters."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import OP_SPECS
from ffnn_jax.layers import _conv, batch_norm, batch_norm_inference, conv2d, dense, dense_column
from ffnn_jax.layers._geometry import Windows, pads_of
from ffnn_jax.layers.fast import _choice
from tests.layers.checking import assert_close, assert_same_bits, value_and_cotangents

REFERENCES = {spec.name: spec.reference for spec in OP_SPECS}
ROWS = 16384
OURS, AUTODIFF = 1e-6, 1e-4  # relative errors of dW


class Layer(NamedTuple):
    """An operation at one setting, its reference implementation, and the shapes of x and w."""

    op: Callable[..., Any]
    reference: Callable[..., Any]
    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: int = 1


def convolution(images: int, size: int, inputs: int, stride: int) -> Layer:
    static = {"padding": "SAME", "stride": stride}
    op, reference = (functools.partial(f, **static) for f in (conv2d, REFERENCES["conv2d"]))
    return Layer(op, reference, (images, size, size, inputs), (3, 3, inputs, 8), stride)


LAYERS = {
    "dense": Layer(dense, REFERENCES["dense"], (ROWS, 24), (24, 8)),
    "rows": convolution(64, 16, 16, 1),
    "pairs": convolution(64, 16, 2, 1),
    "im2col": convolution(64, 32, 2, 2),
}
SMALL = {
    "dense": Layer(dense, REFERENCES["dense"], (5, 4), (4, 3)),
    "dense_column": Layer(dense_column, REFERENCES["dense_column"], (4,), (4, 3)),
    "rows": convolution(2, 4, 16, 1),
    "pairs": convolution(2, 4, 2, 1),
    "im2col": convolution(2, 5, 2, 2),
}
small = pytest.mark.parametrize("layer", SMALL.values(), ids=SMALL.keys())
narrow = pytest.mark.parametrize("dtype", ["bfloat16", "float16"])


def drawn(layer: Layer, dtype: str) -> tuple[tuple[Any, Any, Any], Any]:
    """Random x in the dtype, w and b in float32, and dz in the dtype."""
    generator = np.random.default_rng(0)
    x, w, b = (
        jnp.asarray(generator.normal(size=shape), kind)
        for shape, kind in ((layer.x, dtype), (layer.w, "float32"), (layer.w[-1:], "float32"))
    )
    z = jax.eval_shape(layer.op, x, w, b)
    return (x, w, b), jnp.asarray(generator.normal(size=z.shape), z.dtype)


def by_autodiff(layer: Layer) -> Callable[..., Any]:
    """The reference implementation with its parameters cast to x's dtype."""
    return lambda x, w, b: layer.reference(x, w.astype(x.dtype), b.astype(x.dtype))


def error_of_dw(f: Callable[..., Any], layer: Layer) -> float:
    """Relative error against float64 on the same numbers, for x and dz in bfloat16."""
    arguments, dz = drawn(layer, "bfloat16")
    _, (_, dw, _) = value_and_cotangents(f, arguments, dz)
    wide = jax.tree.map(lambda array: array.astype("float64"), (arguments, dz))
    _, (_, exact, _) = value_and_cotangents(layer.reference, *wide)
    return float(jnp.linalg.norm(dw.astype("float64") - exact) / jnp.linalg.norm(exact))


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_dw_of_16384_rows_is_never_rounded_to_bfloat16(layer):
    """Measured relative errors: ours at most 1.7e-7, autodiff of the reference at least 1.4e-3."""
    assert error_of_dw(layer.op, layer) < OURS
    assert error_of_dw(by_autodiff(layer), layer) > AUTODIFF


@pytest.mark.parametrize("name", ["rows", "pairs", "im2col"])
def test_the_convolutions_here_cover_every_cpu_form(name):
    for layer in (LAYERS[name], SMALL[name]):
        pads = pads_of(layer.x, layer.w, "SAME", layer.stride)
        windows = Windows(pads, layer.stride)
        x, w = (jax.ShapeDtypeStruct(shape, "bfloat16") for shape in (layer.x, layer.w))
        form = _choice.form_on_cpu(_conv.IM2COL, x, w, windows)
        assert form.name == name


@small
@narrow
def test_gradients_have_the_dtypes_of_their_arguments(layer, dtype):
    arguments, dz = drawn(layer, dtype)
    z, cotangents = value_and_cotangents(layer.op, arguments, dz)
    assert z.dtype == dtype
    assert [d.dtype for d in cotangents] == [dtype, "float32", "float32"]
    assert [d.shape for d in cotangents] == [a.shape for a in arguments]


@small
@narrow
def test_values_and_gradients_match_float64_on_the_same_numbers(layer, dtype):
    """With the parameters rounded as they are for the products; a GPU may leave that out."""
    (x, w, b), dz = drawn(layer, dtype)
    if jax.default_backend() != "cpu":
        w = w.astype(dtype).astype(w.dtype)
    actual = value_and_cotangents(layer.op, (x, w, b), dz)
    rounded = (x, w.astype(dtype), b)
    wide = jax.tree.map(lambda array: array.astype("float64"), (rounded, dz))
    assert_close(actual, value_and_cotangents(layer.reference, *wide), 144)


@pytest.mark.cpu
@small
@narrow
def test_the_cast_is_inside(layer, dtype):
    """Casting w by hand leads to the same z and dx; the bias is exact in the dtype."""
    (x, w, b), dz = drawn(layer, dtype)
    b = jnp.round(b)
    z, (dx, _, _) = value_and_cotangents(layer.op, (x, w, b), dz)
    by_hand = tuple(array.astype(dtype) for array in (x, w, b))
    z_by_hand, (dx_by_hand, _, _) = value_and_cotangents(layer.op, by_hand, dz)
    assert_same_bits((z, dx), (z_by_hand, dx_by_hand))


@small
def test_the_gradient_of_a_gradient_matches_float64(layer):
    """On integers, which no cast rounds: the backward pass through the casts is correct."""
    (x, w, b), dz = jax.tree.map(jnp.round, drawn(layer, "bfloat16"))

    def objective(f, w, b, x, dz):
        _, dw, db = jax.vjp(f, x, w, b)[1](dz)
        return jnp.sum(dw**2) + jnp.sum(db) + jnp.sum(f(x, w, b).astype(dw.dtype) * 3)

    gradient = jax.jit(jax.grad(objective, argnums=(1, 2, 3)), static_argnums=0)
    dw, db, dx = gradient(layer.op, w, b, x, dz)
    assert (dw.dtype, db.dtype, dx.dtype) == ("float32", "float32", "bfloat16")
    wide = jax.tree.map(lambda array: array.astype("float64"), (w, b, x, dz))
    assert_close((dw, db, dx), gradient(layer.reference, *wide), 144)


@small
@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        (("float32", "bfloat16", "float32"), "w must be of x's dtype float32, got bfloat16"),
        (("float32", "float32", "bfloat16"), "b must be of x's dtype float32, got bfloat16"),
        (("float64", "float32", "float32"), "w must be of x's dtype float64, got float32"),
        (("float16", "bfloat16", "bfloat16"), "w must be of x's dtype float16 or float32, got"),
        (("bfloat16", "float64", "float64"), "w must be of x's dtype bfloat16 or float32, got"),
        (("bfloat16", "float32", "bfloat16"), "b must be of w's dtype float32, got bfloat16"),
        (("bfloat16", "bfloat16", "float32"), "b must be of w's dtype bfloat16, got float32"),
        (("int32", "float32", "float32"), "x must be of a floating-point dtype, got int32"),
    ],
)
def test_any_other_mix_of_dtypes_is_rejected(layer, dtypes, message):
    shapes = layer.x, layer.w, layer.w[-1:]
    mixed = [jnp.ones(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    with pytest.raises(ValueError, match=message):
        layer.op(*mixed)


def batch_norm_arguments(rows: int, dtype: str) -> tuple[Any, Any]:
    """Arguments and cotangents of ``batch_norm``: x and dz in the dtype, the rest in float32."""
    generator = np.random.default_rng(0)
    x, dz = (jnp.asarray(generator.normal(size=(rows, 8)) + 1, dtype) for _ in range(2))
    scale, shift, *rest = (jnp.asarray(generator.normal(size=8), "float32") for _ in range(4))
    return (x, scale, shift), (dz, *rest)


@narrow
def test_batch_norm_s_gradients_have_the_dtypes_of_its_arguments(dtype):
    arguments, dz = batch_norm_arguments(5, dtype)
    z, cotangents = value_and_cotangents(batch_norm, arguments, dz)
    assert [output.dtype for output in z] == [dtype, "float32", "float32"]
    assert [d.dtype for d in cotangents] == [dtype, "float32", "float32"]
    x, *channels = arguments
    arguments = x, *z[1:], *channels
    z, cotangents = value_and_cotangents(batch_norm_inference, arguments, dz[0])
    assert z.dtype == dtype
    assert [d.dtype for d in cotangents] == [dtype, *["float32"] * 4]


def test_batch_norm_s_dscale_and_dshift_of_16384_rows_are_never_rounded_to_bfloat16():
    """Measured relative errors: at most 1.6e-7."""
    narrow_inputs = batch_norm_arguments(ROWS, "bfloat16")
    _, (_, *actual) = value_and_cotangents(batch_norm, *narrow_inputs)
    wide = jax.tree.map(lambda array: array.astype("float64"), narrow_inputs)
    _, (_, *expected) = value_and_cotangents(REFERENCES["batch_norm"], *wide)
    for ours, exact in zip(actual, expected, strict=True):
        assert jnp.linalg.norm(ours.astype("float64") - exact) < OURS * jnp.linalg.norm(exact)


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        (("float32", "bfloat16", "bfloat16"), "scale must be of x's dtype float32, got bfloat16"),
        (("bfloat16", "float32", "bfloat16"), "shift must be of scale's dtype float32, got"),
        (("bfloat16", "float16", "float16"), "scale must be of x's dtype bfloat16 or float32"),
    ],
)
def test_batch_norm_rejects_any_other_mix_of_dtypes(dtypes, message):
    shapes = (5, 8), (8,), (8,)
    mixed = [jnp.ones(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    with pytest.raises(ValueError, match=message):
        batch_norm(*mixed)
