import re

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.config._settings import FORMS
from ffnn_jax.layers import conv2d, conv_transpose2d
from ffnn_jax.layers.fast import (
    ACCELERATOR,
    MICRO_BATCH,
    NAMES,
    TABLES,
    _forms,
    class_of,
    compiler_options,
    forms,
)
from tests.layers.checking import assert_close, assert_same_bits, normal, value_and_cotangents
from tests.layers.geometries import drawn

F32, BF16 = jnp.dtype("float32"), jnp.dtype("bfloat16")
X, W, B = (array.astype("float32") for array in drawn((7, 6), (3, 3)))
ACCELERATED = ((ACCELERATOR, "im2col"),)
DZ = normal(3, *jax.eval_shape(conv2d, X, W, B).shape).astype("float32")
PARTS = "forward", "images", "kernels"
CLASSES = [class_of(part, W.shape, F32) for part in PARTS]


@pytest.mark.parametrize(
    ("kernel", "dtype", "expected"),
    [((5, 5, 3, 16), F32, "forward more 4-16"), ((3, 3, 16, 25), F32, "forward 9 16-more"),
     ((2, 2, 1, 17), F32, "forward 4 1-24"), ((1, 1, 64, 4), BF16, "narrow forward 1 more-4")],
)  # fmt: skip
def test_a_class_rounds_the_kernel_s_sizes_up(kernel, dtype, expected):
    assert class_of("forward", kernel, dtype) == expected


def program_on_cpu(jitted, *arguments):
    """The text of a function's program for a CPU."""
    return jitted.trace(*arguments).lower(lowering_platforms=("cpu",)).as_text()


def convolutions_in(table, dtype="float32"):
    """The number of convolutions in the program of conv2d and its gradients."""
    arguments = tuple(array.astype(dtype) for array in (X, W, B))

    def both(*arguments):
        with forms(table):
            return value_and_cotangents(conv2d, arguments, DZ.astype(dtype))

    return program_on_cpu(jax.jit(both), *arguments).count("stablehlo.convolution")


@pytest.mark.parametrize("count", range(4))
def test_a_table_decides_map_by_map(count):
    table = tuple((name, "native") for name in CLASSES[:count])
    assert convolutions_in(table) == count


def test_a_table_holds_for_its_own_dtype_alone():
    assert convolutions_in(tuple((name, "native") for name in CLASSES), "bfloat16") == 0


def test_no_table_holds_outside_its_context():
    with forms(tuple((name, "native") for name in CLASSES)):
        pass
    assert convolutions_in(()) == 0


def program_for(table, dtype="float32", platform="cuda"):
    """The text of conv2d and its gradients, and of a transposed one, lowered for a platform."""
    arguments = tuple(array.astype(dtype) for array in (X, W, B))

    def both(*arguments):
        with forms(table):
            up = conv_transpose2d(arguments[0], jnp.ones((2, 2, 3, 3), dtype), jnp.ones(3, dtype))
            return value_and_cotangents(conv2d, arguments, DZ.astype(dtype)), up

    traced = jax.jit(both).trace(*arguments)
    return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_an_accelerator_uses_matrix_products_where_its_table_says_so(platform):
    usual = program_for((), platform=platform)
    assert (usual.count("stablehlo.convolution"), usual.count("dot_general")) == (4, 0)
    ours = program_for(ACCELERATED, platform=platform)
    assert (ours.count("stablehlo.convolution"), ours.count("dot_general")) == (0, 4)


def test_an_accelerator_s_form_changes_nothing_on_a_cpu():
    usual, ours = (program_for(table, platform="cpu") for table in ((), ACCELERATED))
    assert ours == usual


@pytest.mark.parametrize(("dtype", "short"), [("bfloat16", "bf16"), ("float32", "f32")])
def test_an_accelerator_s_convolutions_have_results_as_narrow_as_their_operands(dtype, short):
    text = program_for((), dtype)
    lines = [line for line in text.splitlines() if "stablehlo.convolution(" in line]
    assert len(lines) == 4
    for line in lines:
        assert re.findall(r"x(bf16|f16|f32|f64)>", line.split(" : ")[-1]) == [short] * 3


def test_a_cpu_s_native_convolutions_have_wide_results():
    """There, asking for wide results widens nothing first."""
    table = tuple((class_of(part, W.shape, BF16), "native") for part in PARTS)
    narrow = tuple(array.astype("bfloat16") for array in (X, W, B))
    with forms(table):
        both = lambda *a: value_and_cotangents(conv2d, a, DZ.astype("bfloat16"))  # noqa: E731
        text = program_on_cpu(jax.jit(both), *narrow)
    lines = [line for line in text.splitlines() if "stablehlo.convolution(" in line]
    kinds = [re.findall(r"x(bf16|f32)>", line.split(" : ")[-1]) for line in lines]
    assert kinds == [["bf16", "bf16", "f32"]] * 3


@pytest.mark.parametrize("name", NAMES)
def test_every_named_form_gives_the_same_numbers(name):
    usual = value_and_cotangents(conv2d, (X, W, B), DZ)
    with forms(tuple((each, name) for each in CLASSES)):
        assert_close(value_and_cotangents(conv2d, (X, W, B), DZ), usual, 32)


def test_a_jitted_function_is_another_program_under_another_table():
    """Its caches depend on the table: the second call must not take the first one's program."""
    jitted = jax.jit(conv2d)
    usual = jitted(X, W, B)
    with forms(tuple((name, "native") for name in CLASSES)):
        assert "stablehlo.convolution" in program_on_cpu(jitted, X, W, B)
    assert_same_bits(jitted(X, W, B), usual)


def test_a_table_leaves_strides_and_groups_alone():
    w = W[:, :, :1]
    table = tuple((class_of(part, w.shape, F32), "native") for part in ("forward", "images"))
    with forms(table):
        strided = program_on_cpu(jax.jit(lambda *a: conv2d(*a, "SAME", 2)), X, W, B)
        grouped = jax.jit(lambda *a: conv2d(*a, "SAME", 1, 1, 3))
        in_groups = program_on_cpu(grouped, X, w[..., :3], B[:3])
    assert "stablehlo.convolution" not in strided
    assert "stablehlo.convolution" not in in_groups


def test_only_native_convolutions_change_how_a_program_is_compiled(monkeypatch):
    assert compiler_options(()) is None
    assert compiler_options(((CLASSES[0], "rows"),)) is None
    native = ((CLASSES[0], "native"),)
    assert jax.jit(lambda: 0, compiler_options=compiler_options(native))() == 0
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler_options(native) is None


def test_an_xla_without_the_option_compiles_without_it(monkeypatch):
    _forms._are_known.cache_clear()
    monkeypatch.setattr(_forms, "_OPTIONS", {"xla_no_such_option": "1"})
    assert compiler_options(((CLASSES[0], "native"),)) is None
    _forms._are_known.cache_clear()


def test_shipped_tables_name_known_forms_and_possible_classes():
    assert NAMES == FORMS
    parts = ("forward", "images", "kernels")
    entries, channels = [(1, 1), (2, 2), (3, 3), (5, 5)], (1, 4, 16, 24, 25)
    possible = {
        class_of(part, (*size, inputs, outputs), dtype)
        for part in parts for size in entries for inputs in channels for outputs in channels
        for dtype in (F32, BF16)
    }  # fmt: skip
    for table in TABLES.values():
        named = dict(table)
        assert int(named.pop(MICRO_BATCH, 16)) > 0
        assert set(named) <= possible and set(named.values()) <= set(NAMES)
