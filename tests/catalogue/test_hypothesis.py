"""Values and shapes drawn by hypothesis, which shrinks the failures."""

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ffnn_jax.catalogue import OP_SPECS
from ffnn_jax.verify import Argument
from ffnn_jax.verify._arguments import size_of
from ffnn_jax.verify._compare import allowed_error, compare
from ffnn_jax.verify._subject import Subject

SETTINGS = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
)
AWAY_FROM_ZERO = st.floats(0.01, 3) | st.floats(-3, -0.01)
ABOVE_ZERO = st.floats(0.5, 5)


@st.composite
def draws(draw, spec):
    """A case, valid sizes, arguments without ties or zeros, and a cotangent."""
    case = draw(st.integers(0, len(spec.cases) - 1))
    rule = spec.rules()[case][0]
    sizes = {axis: draw(st.integers(1, 4)) for axis in spec.cases[0].sizes[0]}
    args = [draw(value(argument, sizes)) for argument in rule.words]
    try:
        output = jax.eval_shape(rule.op, *args)
    except ValueError:
        assume(False)
        raise
    leaves, structure = jax.tree.flatten(output)
    cotangents = [draw(hnp.arrays(float, leaf.shape, elements=st.floats(-3, 3))) for leaf in leaves]
    return Subject.of(rule, sizes), args, jax.tree.unflatten(structure, cotangents)


def value(argument: Argument, sizes):
    if not argument.is_real:
        below = size_of(str(argument.below), sizes)
        return hnp.arrays(np.int32, argument.shape(sizes), elements=st.integers(0, below - 1))
    elements = ABOVE_ZERO if argument.domain == ">0" else AWAY_FROM_ZERO
    return hnp.arrays(np.float64, argument.shape(sizes), elements=elements, unique=True)


SAMPLE = {"dense", "max_pool"}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, id=spec.name, marks=[] if spec.name in SAMPLE else pytest.mark.slow)
        for spec in OP_SPECS
    ],
)
def test_value_and_cotangents_equal_the_references(spec):
    @settings(SETTINGS, max_examples=6)
    @given(draws(spec))
    def check(drawn):
        subject, args, dz = drawn
        ours, theirs = subject.pull(args, dz), subject.reference_pull(args, dz)
        result = compare(
            "hypothesis", ("z", "cotangents"), ours, theirs, allowed_error(subject, args)
        )
        assert result.passed, result.where

    with jax.enable_x64(True):
        check()
