"""Autodiff and the package's own rules are noticed under any name; a rule of one's own is not."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax import vjp as pull_back

from ffnn_jax import layers
from ffnn_jax.catalogue import DENSE, GELU, MAX_POOL, OP_SPECS, SOFTMAX, OpSpec
from ffnn_jax.course._borrowed import borrowed, files_called, files_lent
from ffnn_jax.course._operations import spec_of
from ffnn_jax.layers._arguments import product


def plain(x: Any, w: Any, b: Any) -> Any:
    return x.reshape(len(x), -1) @ w + jnp.broadcast_to(b, (len(x), w.shape[1]))


def borrows(backward: Callable[..., Any], spec: OpSpec = DENSE, forward: Any = None) -> str:
    """What is found in the operation with another backward."""
    op = jax.custom_vjp(lambda *args: spec.op.fun(*args))
    op.defvjp(forward or (lambda x, w, b: (plain(x, w, b), (x, w))), backward)
    return borrowed(files_called(dataclasses.replace(spec, op=op)), files_lent(spec))


def by_hand(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    add = lambda total, row: (total + row, None)  # noqa: E731
    db = jax.lax.scan(add, jnp.zeros_like(dz[0]), dz)[0]
    dw = jax.lax.cond(len(x) > 0, jnp.matmul, jnp.matmul, x.reshape(len(x), -1).T, dz)
    dx = jax.jit(jax.vmap(lambda d: product(d[None], w.T)[0]))(jax.nn.relu(dz) - jax.nn.relu(-dz))
    return dx.reshape(x.shape), dw, db


def by_vjp(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    return pull_back(plain, x, w, dz[0])[1](dz)


def by_a_name(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    return getattr(jax, "gr" + "ad")(lambda *args: (plain(*args) * dz).sum(), (0, 1, 2))(
        x, w, dz[0]
    )


def by_forward_mode(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    dx = jax.jit(jax.jacfwd(lambda x: (plain(x, w, 0.0) * dz).sum()))(x)
    return dx, *by_hand(residuals, dz)[1:]


def by_large_batches_only(residuals: Any, dz: Any) -> Any:
    return (by_vjp if len(dz) > 100 else by_hand)(residuals, dz)


def test_a_rule_by_hand_borrows_nothing():
    assert borrows(by_hand) == ""


@pytest.mark.parametrize("backward", [by_vjp, by_a_name, by_forward_mode, by_large_batches_only])
def test_autodiff_is_noticed(backward: Callable[..., Any]):
    assert borrows(backward) == "uses autodiff"


def of_rows_alone(residuals: Any, dz: Any) -> Any:
    x, w = residuals
    return pull_back(lambda x, w, b: x @ w + b[None], x, w, dz[0])[1](dz)


def test_a_rule_that_raises_in_a_later_case_is_still_read_in_the_first():
    spec = spec_of("dense")
    assert spec is not None and len(spec.cases) > 1
    assert borrows(of_rows_alone, spec) == "uses autodiff"
    with pytest.raises(NotImplementedError):
        borrows(unfinished, spec)


def unfinished(residuals: Any, dz: Any) -> Any:
    raise NotImplementedError


def test_autodiff_in_the_forward_is_noticed():
    assert (
        borrows(lambda pull, dz: pull(dz), forward=lambda *a: jax.vjp(plain, *a)) == "uses autodiff"
    )


def test_the_own_rule_is_noticed():
    assert borrows(layers.dense_backward) == "calls the package's own rule (_dense.py)"


def test_a_rule_made_of_another_operation_is_noticed():
    hidden = lambda z, dz: (layers.softmax_cross_entropy(dz, jnp.zeros(len(dz), int)) + dz,)  # noqa: E731
    assert "_softmax_loss.py" in borrows(hidden, SOFTMAX, lambda x: (x, x))


@pytest.mark.parametrize("spec", [DENSE, GELU, MAX_POOL], ids=lambda spec: spec.name)
def test_a_chapter_may_call_what_it_is_handed_out_with(spec: OpSpec):
    chapter = f"{spec.op.__module__.rpartition('.')[2]}.py"
    files = files_called(spec)
    assert borrowed(files, files_lent(spec)) == f"calls the package's own rule ({chapter})"
    theirs = {file for file in files if Path(file).name != chapter}
    assert borrowed(theirs, files_lent(spec)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("spec", OP_SPECS, ids=lambda spec: spec.name)
def test_no_rule_of_this_package_uses_autodiff(spec: OpSpec):
    assert borrowed(files_called(spec), files_called(spec)) == ""
    assert borrowed(files_called(spec), set()) != ""
