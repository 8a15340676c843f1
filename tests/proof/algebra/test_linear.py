"""A solution has the signs that are asked for; where there is none, no grid point has them."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("flint")

from ffnn_jax.proof.algebra._linear import solution

GRID = [Fraction(k, 2) for k in range(-9, 10)]


def value(form, point):
    return sum(c * (1 if name is None else point.get(name, 0)) for name, c in form.items())


def sign(number):
    return (number > 0) - (number < 0)


@pytest.mark.parametrize("seed", range(40))
def test_a_solution_is_found_exactly_where_there_is_one(seed: int):
    generator = np.random.default_rng(seed)
    facts = []
    for _ in range(int(generator.integers(1, 6))):
        names = [0, 1, None][: int(generator.integers(1, 4))]
        coefficients = [Fraction(int(generator.integers(-2, 3))) for _ in names]
        form = {name: c for name, c in zip(names, coefficients, strict=True) if c}
        facts.append((form, int(generator.integers(-1, 2))))
    found = solution(facts)
    if found is not None:
        assert all(sign(value(form, found)) == wanted for form, wanted in facts)
    else:
        points = ({0: x, 1: y} for x, y in itertools.product(GRID, GRID))
        assert not any(
            all(sign(value(form, point)) == wanted for form, wanted in facts) for point in points
        )
