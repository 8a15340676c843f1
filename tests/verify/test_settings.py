"""Settings that are rejected, and how many there may be."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.verify import Rule, check_vjp
from tests.verify import toys


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("NxD", "DxK"), {"only": ["vamp"]}, "unknown 'vamp' .*did you mean vmap"),
        (("NxD", "DxK"), {"only": ()}, "names no check"),
        (("NxD", "DxK"), {"skip": {"vamp": "why"}}, "skip: unknown 'vamp'"),
        (("NxD", "DxK"), {"dtypes": ("float8",)}, "dtypes: unknown 'float8'"),
        (("NxD", "DxK"), {"dtypes": ()}, "at least one dtype"),
        (("NxD", "DxK"), {"order": 3}, "order must be 1 or 2, got 3"),
        (("NxD", "DxK"), {"rtol": 0}, "rtol must be between 0 and 1, got 0"),
        (("NxD", "NxK"), {}, r"operation cannot be called with shapes \(3, 4\), \(3, 5\)"),
        (("NxD",), {}, "operation cannot be called"),
        (("NxD", "DxK"), {"batch": "K"}, "no argument begins with the batch axis 'K'"),
        ((), {}, "at least one argument, or draw="),
        (("N:bool", "N:bool"), {}, "no argument has a cotangent"),
        (({"a": {1, 2}},), {}, "holds a set"),
    ],
)
def test_invalid_settings_are_rejected(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        check_vjp(toys.product, toys.reference_product, *arguments, **settings)


def test_an_unknown_way_to_reduce_is_rejected():
    with pytest.raises(ValueError, match="reduces: unknown 'max'"):
        Rule(toys.product, toys.reference_product, ("NxD", "DxK"), reduces="max")


def test_an_array_among_the_nondiff_argnums_is_explained():
    op = jax.custom_vjp(lambda x, w: x * w, nondiff_argnums=(1,))
    op.defvjp(lambda x, w: (x * w, None), lambda w, _, dz: (w * dz,))
    with pytest.raises(ValueError, match="an array must not be in nondiff_argnums"):
        check_vjp(op, lambda x, w: x * w, "N", "N")


def test_a_function_without_real_outputs_is_rejected():
    with pytest.raises(ValueError, match="no output is real or complex"):
        check_vjp(lambda x: x > 0, None, "N")


def test_check_vjp_has_at_most_twelve_keywords():
    parameters = inspect.signature(check_vjp).parameters.values()
    assert sum(p.kind is p.KEYWORD_ONLY for p in parameters) <= 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": [{"N": 3}]}, "sizes: {'N': 3} lacks D"),
        ({"sizes": []}, "sizes at least one set"),
        ({"linear": (1,)}, r"linear has the indices of arguments, got \(1,\)"),
    ],
)
def test_a_rule_rejects_what_does_not_belong_to_its_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        Rule(jnp.sin, jnp.sin, ("NxD",), **settings)
