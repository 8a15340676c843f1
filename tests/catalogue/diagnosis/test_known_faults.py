"""A planted fault is known by what it returns, wherever it shows."""

import re

import jax
import jax.numpy as jnp
import pytest

from ffnn_jax.catalogue import DENSE, OP_SPECS, RELU, SIGMOID, SOFTMAX
from ffnn_jax.catalogue.diagnosis._known_faults import known_faults, phrase
from tests.catalogue.test_verification import FAULTS, fault_id


def with_fault(spec, fault):
    def op(*args, **static):
        def forward(*args):
            return (fault.forward or spec.op.fwd)(*args, **static)

        own = jax.custom_vjp(lambda *args: forward(*args)[0])
        own.defvjp(forward, lambda *kept: (fault.backward or spec.op.bwd)(*static.values(), *kept))
        return own(*args)

    op.__name__ = spec.name
    return op


SHOWN_BY = {
    "ordinary numbers": (SOFTMAX, "sum left out of (softmax.1)"),
    "a kink": (RELU, "slope 1/2 at 0"),
    "large numbers": (SOFTMAX, "shifted by the minimum"),
    "second derivatives": (SIGMOID, "residuals detached"),
    "half precision": (RELU, "dx left in float32"),
    "long sums": (SOFTMAX, "denominator summed in half precision"),
}


@pytest.mark.parametrize("spec_and_name", SHOWN_BY.values(), ids=SHOWN_BY)
def test_a_planted_fault_is_named_wherever_it_shows(spec_and_name):
    spec, name = spec_and_name
    require_named(spec, next(fault for fault in spec.all_faults if fault.name == name))


@pytest.mark.slow
@pytest.mark.parametrize("spec_and_fault", FAULTS[7::60], ids=fault_id)
def test_a_sample_of_the_planted_faults_is_named(spec_and_fault):
    require_named(*spec_and_fault)


def require_named(spec, fault):
    (text,), sure, case = known_faults(spec, with_fault(spec, fault))
    assert (sure, case) == (True, None)
    assert re.fullmatch(re.escape(phrase(fault.name)).replace(r"\{d\}", ".+"), text)


@pytest.mark.parametrize("spec", [SOFTMAX, RELU], ids=lambda spec: spec.name)
def test_the_packages_own_operation_has_no_fault(spec):
    assert known_faults(spec, spec.op) == ([], True, None)


def relu_with(slope):
    op = jax.custom_vjp(RELU.op.fun)
    op.defvjp(lambda x: (jnp.maximum(x, 0), x), lambda x, dz: (slope(x).astype(x.dtype) * dz,))
    return op


def test_a_rule_written_otherwise_has_the_fault_that_it_shares_at_a_kink():
    half = relu_with(lambda x: jnp.heaviside(x, 0.5))  # at NaN, it is as no planted fault is
    assert known_faults(RELU, half)[0] == ['dx matches the known fault "slope 1/2 at 0"']


def test_what_is_wrong_by_no_known_fault_is_told_by_where_it_is():
    third = relu_with(lambda x: jnp.heaviside(x, 1 / 3))
    assert known_faults(RELU, third) == (
        ["dx: right at ordinary numbers, wrong at 0 and -0"],
        False,
        None,
    )
    assert known_faults(RELU, relu_with(jnp.sin)) == ([], False, 0)
    assert known_faults(RELU, relu_with(lambda x: 1 / 0)) == ([], False, 0)


def test_two_faults_at_once_are_both_named():
    op = jax.custom_vjp(DENSE.op.fun)
    op.defvjp(DENSE.op.fwd, lambda r, dz: (-dz @ r[1].T, r[0].T @ dz / len(dz), dz.sum(0)))
    wrong, average = "dx has the wrong sign", "dw is averaged: sum or mean?"
    assert known_faults(DENSE, op) == ([wrong, average], True, None)


def test_the_name_of_a_fault_is_a_sentence():
    assert phrase("dx negated") == "{d} has the wrong sign"
    assert phrase("db summed in half precision") == "db is summed in half precision, not in float32"
    assert phrase("a left out") == '{d} matches the known fault "a left out"'
    names = {fault.name for spec in OP_SPECS for fault in spec.all_faults}
    assert not [name for name in names if "\\" in phrase(name)]
