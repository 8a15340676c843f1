import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import CONV2D
from ffnn_jax.layers import _conv, conv2d, conv_transpose2d
from ffnn_jax.layers._geometry import Windows, output_size, pads_of
from ffnn_jax.layers.fast import _blocks, _choice
from ffnn_jax.layers.fast._pair_conv import pairs_fit
from tests.layers.checking import assert_close, assert_same_bits, normal, value_and_cotangents
from tests.layers.geometries import GEOMETRIES, drawn, sampled, static


@pytest.fixture(params=["rows", "pairs", "im2col", "blocks", "native", "standard"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Forces one of the forms for every kernel that it fits; blocks of one image."""
    jax.clear_caches()
    monkeypatch.setattr(_blocks, "_BYTES", 1)
    monkeypatch.setattr(_blocks, "_WHOLE_BYTES", 0)

    def form_on_cpu(im2col, images, kernels, windows):
        x, w = images.shape, kernels.shape
        columns = output_size(x[2], w[1], windows.pads[1], windows.stride, windows.dilation)
        pairs = _choice.pairs(im2col) if pairs_fit(columns, w, windows) else im2col
        rows = _choice.ROWS if windows.groups == 1 else im2col
        blocks = _choice.DEPTHWISE if windows.groups == x[3] > 1 else im2col
        forms = {"rows": rows, "pairs": pairs, "im2col": im2col, "native": _choice.NATIVE}
        standard = _choice.STANDARD if (windows.stride, windows.groups) == (1, 1) else im2col
        return (forms | {"blocks": _choice.blocks(blocks), "standard": standard})[request.param]

    monkeypatch.setattr(_choice, "form_on_cpu", form_on_cpu)
    monkeypatch.setattr(_conv, "form_on_cpu", form_on_cpu)
    yield request.param
    jax.clear_caches()


@sampled(GEOMETRIES)
def test_every_form_is_the_same_rule(geometry, form):
    image, kernel, *settings = geometry
    given = static(*settings)
    ours, reference = (functools.partial(f, **given) for f in (conv2d, CONV2D.reference))
    arguments = drawn(image, kernel, groups=given["groups"])
    dz = normal(3, *jax.eval_shape(reference, *arguments).shape)
    expected = value_and_cotangents(reference, arguments, dz)
    assert_close(value_and_cotangents(ours, arguments, dz), expected, 64)


def test_every_form_gives_zero_dw_and_db_for_an_empty_batch(form):
    x, w, b = drawn((4, 3), (2, 3))
    ours = functools.partial(conv2d, padding=1, stride=2)
    z, cotangents = value_and_cotangents(ours, (x[:0], w, b), jnp.ones((0, 3, 2, 4)))
    assert z.shape == (0, 3, 2, 4)
    assert_same_bits(cotangents, (x[:0], jnp.zeros_like(w), jnp.zeros_like(b)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_every_form_keeps_the_dtype_and_sums_in_float32(dtype, form):
    arguments = tuple(array.astype(dtype) for array in drawn((7, 6), (2, 3)))
    dz = normal(3, 2, 3, 2, 4).astype(dtype)
    ours = functools.partial(conv2d, padding=0, stride=2)
    actual = value_and_cotangents(ours, arguments, dz)
    wide = jax.tree.map(lambda array: array.astype("float32"), (arguments, dz))
    expected = value_and_cotangents(ours, *wide)
    for leaf, exact in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert leaf.dtype == dtype
        rounded = exact.astype(dtype).astype("float32")
        np.testing.assert_allclose(leaf.astype("float32"), rounded, rtol=2e-2, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "columns", "stride", "name"),
    [((5, 5, 16, 16), 6, 1, "rows"), ((3, 3, 16, 32), 6, 1, "rows"),
     ((3, 3, 64, 128), 7, 2, "im2col"), ((5, 5, 3, 16), 6, 1, "pairs"),
     ((5, 5, 1, 16), 6, 1, "pairs"), ((5, 5, 3, 16), 7, 1, "im2col"),
     ((5, 5, 3, 16), 8, 2, "im2col"), ((1, 1, 3, 16), 6, 1, "im2col")],
)  # fmt: skip
def test_a_cpu_uses_the_form_with_the_smallest_matrices(kernel, columns, stride, name):
    """The kernel matrix is that of (row.2), (pair.2) or (conv.3)."""
    height, width, inputs, outputs = kernel
    shape = {
        "rows": (height * inputs, width * outputs),
        "pairs": (height * (width + 1) * inputs, 2 * outputs),
        "im2col": (height * width * inputs, outputs),
    }[name]
    x, w, b = jnp.ones((2, 7, columns, inputs)), jnp.ones(kernel), jnp.ones(outputs)
    traced = jax.jit(conv2d, static_argnums=(3, 4)).trace(x, w, b, "SAME", stride)
    text = traced.lower(lowering_platforms=("cpu",)).as_text()
    (product,) = (line for line in text.splitlines() if "stablehlo.dot_general" in line)
    assert f"tensor<{shape[0]}x{shape[1]}xf64>" in product


@pytest.mark.parametrize("settings", [("SAME", 1), (1, 2)])
@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", 0), ("cuda", 3), ("tpu", 3)])
def test_a_cpu_uses_matrix_products_and_other_platforms_native_convolutions(
    settings, platform, convolutions
):
    """Forward, dw and dx, when a program is lowered for the platform."""
    padding, stride = settings
    ours = functools.partial(conv2d, padding=padding, stride=stride)
    arguments = drawn((4, 3), (2, 3))
    dz = jnp.ones(jax.eval_shape(ours, *arguments).shape)
    both = jax.jit(functools.partial(value_and_cotangents, ours))
    text = both.trace(arguments, dz).lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.convolution") == convolutions
    assert text.count("stablehlo.dot_general") == 3 - convolutions


def test_the_catalogue_covers_every_cpu_form():
    """Some sizes of the catalogue select each form."""
    names = set()
    for case in CONV2D.cases:
        padding, stride, dilation, groups = case.static.values()
        for n in case.sizes:
            x, w = tuple(n[a] for a in "NHWC"), (n["KH"], n["KW"], n["B"], n["K"])
            windows = Windows(pads_of(x, w, padding, stride, dilation), stride, dilation, groups)
            images, kernels = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, w))
            names.add(_choice.form_on_cpu(_conv.IM2COL, images, kernels, windows).name)
    assert names == {"rows", "pairs", "im2col", "depthwise"}


def test_a_batch_of_open_size_is_one_block():
    """As ``jax.export`` needs it: transposed, depthwise and strided convolutions go by blocks."""
    (n,) = jax.export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((n, 6, 8, 3), jnp.float32)
    w, up, b = jnp.ones((3, 3, 1, 3)), jnp.ones((2, 2, 3, 3)), jnp.ones(3)
    w, up, b = (array.astype("float32") for array in (w, up, b))

    def chain(x):
        z = conv2d(x, w, b, "SAME", 2, 1, 3)
        return conv2d(conv_transpose2d(z, up, b, 2), up, b, "SAME", 2)

    exported = jax.export.export(jax.jit(chain))(x)
    images = normal(0, 5, 6, 8, 3).astype("float32")
    assert_close(exported.call(images), jax.jit(chain)(images), 12)


@pytest.mark.parametrize(
    ("images", "bytes_of_p", "block"),
    [(64, 2**25, 4), (64, 2**28, 1), (60, 2**25, 3), (7, 2**25, 1), (64, 2**24, 64), (0, 0, 0)],
)
def test_a_block_s_matrix_fits_in_the_cache_and_blocks_are_equal(images, bytes_of_p, block):
    assert _blocks.images_in_a_block(images, bytes_of_p) == block
