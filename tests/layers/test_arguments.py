"""What every operation says of arguments that are not arrays, and of static ones that are."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import OP_SPECS, OpSpec
from ffnn_jax.layers import relu

each_op = pytest.mark.parametrize("spec", OP_SPECS, ids=lambda spec: spec.name)


def example(spec: OpSpec) -> dict[str, Any]:
    """Every argument of an operation by name, as numpy arrays and static values."""
    case = spec.cases[0]
    drawn = spec.draw_arguments(case, case.sizes[0])
    names = list(inspect.signature(spec.op).parameters)
    return dict(zip(names, drawn, strict=False)) | dict(case.static)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, id=spec.name, marks=() if number % 4 == 0 else pytest.mark.slow)
        for number, spec in enumerate(OP_SPECS)
    ],
)
def test_numpy_arrays_are_taken(spec: OpSpec):
    spec.op(*example(spec).values())


@each_op
@pytest.mark.parametrize("forward", [False, True], ids=["op", "forward"])
def test_a_list_or_a_number_in_place_of_an_array_is_named(spec: OpSpec, forward: bool):
    given = example(spec)
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            message = f"^{spec.name}: {name} must be an array, not a list or a Python number"
            numbers_too = forward or spec.name != "relu"
            for wrong in (value.tolist(), *[1.0] * numbers_too):
                with pytest.raises(TypeError, match=message):
                    (spec.op.fwd if forward else spec.op)(*(given | {name: wrong}).values())


def test_relu_takes_the_numbers_of_grad():
    assert jax.grad(relu)(0.0) == 0.0
    assert jax.grad(lambda x: relu(relu(x)))(2.0) == 1.0


@each_op
def test_an_array_in_place_of_a_setting_is_named(spec: OpSpec):
    given = example(spec)
    for name in spec.cases[0].static:
        with pytest.raises(ValueError, match=f"^{spec.name}: {name} must be .*, got Array"):
            spec.op(*(given | {name: jnp.float32(0.5)}).values())
