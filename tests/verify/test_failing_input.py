"""The smallest failing input, as a program that runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest

from ffnn_jax.verify import Rule, check_vjp
from tests.verify import structures, toys
from tests.verify.running import check_product

MAIN = ("value", "cotangents", "differences")


def run(program):
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("rule", "pieces"),
    [
        (
            Rule(toys.ignores_its_cotangent, toys.reference_product, ("NxD", "DxK")),
            ["[[1.]]"],
        ),
        (
            Rule(structures.averaging_affine, structures.reference_affine,
                 ({"w": "DxK", "b": "K"}, "NxD"), sizes=[{"D": 2, "K": 3, "N": 2}]),
            ["'b': array([1., 1.])"],
        ),
        (
            Rule(structures.wrong_power, structures.reference_power, (3, "N")),
            ["6."],
        ),
        (
            Rule(structures.overwriting_look_up, structures.reference_look_up,
                 ("NxD", "K:int<N"), sizes=[{"N": 3, "D": 2, "K": 7}]),
            ["[1., 1.]"],
        ),
    ],
    ids=["product", "dict", "static argument", "integers"],
)  # fmt: skip
def test_the_smallest_failing_input_is_a_program_that_shows_the_failure(rule, pieces):
    result = check_vjp(rule, only=MAIN)
    assert not result
    assert result.failing_input, str(result)
    done = run(result.failing_input)
    assert done.returncode == 0, done.stderr
    for piece in pieces:
        assert piece in done.stdout


def test_the_failing_input_is_small_and_says_what_was_expected():
    result = check_product(toys.ignores_its_cotangent, only=["cotangents"])
    lines = result.failing_input.splitlines()
    assert "from tests.verify.toys import ignores_its_cotangent" in lines
    assert sum("np.array([[" in line for line in lines) == 2
    assert any(line.startswith("# dx[0, 0] is ") and "expected" in line for line in lines)


def test_a_fault_far_from_0_has_a_failing_input_too():
    wrong = toys.unary(jnp.sin, lambda x: jnp.where(jnp.abs(x) > 50, 7.0, jnp.cos(x)))
    result = check_vjp(wrong, jnp.sin, "N", only=["cotangents", "magnitudes"])
    assert result.failures == ("magnitudes",)
    assert "# dx" in result.failing_input
