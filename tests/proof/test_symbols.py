"""Numbers in the place of symbols are inside the domains, and shown argument by argument."""

import random
from fractions import Fraction

import pytest

pytest.importorskip("flint")

from ffnn_jax.proof._domains import Domain
from ffnn_jax.proof._symbols import Symbols

HALF, SIMPLEX = Domain(Fraction(0), Fraction(1)), Domain(outside="a simplex", simplex=3)
SYMBOLS = Symbols(["p", "x"], [HALF, SIMPLEX], [2, 6], 1)


def test_random_points_are_inside_the_domains():
    for seed in range(20):
        point = SYMBOLS.random_point(random.Random(seed))
        assert list(point) == list(range(SYMBOLS.count)) == list(range(9))
        assert 0 < point[0] < 1 and 0 < point[1] < 1
        assert sum(point[i] for i in range(2, 5)) == sum(point[i] for i in range(5, 8)) == 1
        assert min(point[i] for i in range(2, 8)) > 0


def test_facts_are_those_of_each_entry():
    assert [min(k for k in fact if k is not None) for fact, _ in SYMBOLS.facts()] == [0, 0, 1, 1]


def test_a_point_is_shown_by_argument():
    point = {i: Fraction(i, 2) for i in range(4)}
    assert Symbols(["a", "b"], [HALF, HALF], [2, 1], 1).shown(point) == (
        "a = [0, 1/2]; b = [1]; cotangent = [3/2]"
    )


def test_a_domain_from_which_none_is_drawn_is_a_doubt():
    assert SYMBOLS.doubt() == ""
    assert Symbols(["x"], [Domain(outside="sorted")], [2], 0).doubt() == "sorted"
