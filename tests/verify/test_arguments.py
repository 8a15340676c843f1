"""Descriptions of arguments: text, sizes, domains, and what is rejected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.verify import Argument, Rule, check_vjp, sample_sizes
from ffnn_jax.verify._subject import SCALES
from tests.verify import toys
from tests.verify.running import IN_PROCESS

TEXTS = [
    "NxD", "4x7", "4:int<10", "N:int<K", "NxD:>0", ":>0", "", "N:(0,1)", "N:(-1,2.5)", "NxN:spd",
    "N:perm", "NxD:simplex", "N:sorted", "N:bool", "N:complex",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_an_argument_round_trips(text):
    assert str(Argument.parse(text)) == text


@pytest.mark.parametrize("word", ["key", "bool", "complex"])
def test_a_word_alone_is_a_scalar(word):
    assert Argument.parse(word) == Argument((), word)


def is_positive_definite(array):
    return np.array_equal(array, array.T) and np.linalg.eigvalsh(array).min() > 0


DOMAINS = {
    "N:>0": lambda a: (a > 0).all(),
    "N:(0,1)": lambda a: ((a > 0) & (a < 1)).all(),
    "N:(-1,2.5)": lambda a: ((a > -1) & (a < 2.5)).all(),
    "NxN:spd": is_positive_definite,
    "N:perm": lambda a: sorted(a) == list(range(len(a))),
    "KxN:perm": lambda a: (np.sort(a, -1) == np.arange(a.shape[-1])).all(),
    "KxN:simplex": lambda a: (a > 0).all() and np.allclose(a.sum(-1), 1, 1e-14),
    "KxN:sorted": lambda a: (np.diff(a) > 0).all() and (a[:, 0] < 0).all() and (a[:, -1] > 0).all(),
    "N:bool": lambda a: a.dtype == bool,
    "N:complex": np.iscomplexobj,
    "N:int<K": lambda a: a.dtype == np.int32 and (a >= 0).all() and (a < 3).all(),
}


@pytest.mark.parametrize("text", DOMAINS)
def test_values_stay_in_their_domain_at_every_scale(text):
    argument, generator = Argument.parse(text), np.random.default_rng(0)
    sizes = {"N": 7, "K": 3}
    for scale in SCALES:
        drawn = argument.draw(generator, sizes, scale)
        assert drawn.shape == argument.shape(sizes)
        assert DOMAINS[text](drawn), (text, scale, drawn)


def test_sizes_are_small_and_different_and_then_those_of_a_batch_of_one():
    arguments = [Argument.parse("x".join("ABCDEFGHIJ")), Argument.parse("AxK")]
    first, alone, _, *others = sample_sizes(arguments, "A", seed=0, count=6)
    assert alone["A"] == 1
    assert 1 not in {sizes["A"] for sizes in others}
    for sizes in (first, *others):
        assert list(sizes) == list("ABCDEFGHIJK")
        assert min(sizes.values()) >= 1
        assert len(set(sizes.values())) == 11
    assert max(first.values()) < 20


def test_scales_go_from_1e_minus_6_to_1e4_and_to_both_ends_of_an_interval():
    assert min(SCALES) == 1e-6
    assert max(SCALES) == 1e4
    generator, argument = np.random.default_rng(0), Argument.parse("99:(0,1)")
    drawn = argument.draw(generator, {}, 1e-6)
    assert drawn.min() < 1e-6
    assert 1 - drawn.max() < 1e-6


def test_positive_numbers_are_drawn_away_from_0_over_an_order_of_magnitude():
    argument = Argument.parse("NxD:>0")
    sampled = argument.draw(np.random.default_rng(0), {"N": 50, "D": 4})
    assert sampled.shape == (50, 4)
    assert 0.5 <= sampled.min() < sampled.max() / 10
    integers = argument.draw_integers(np.random.default_rng(0), {"N": 50, "D": 4})
    assert set(integers.ravel()) == {1.0, 2.0, 3.0}
    anything = Argument.parse("N").draw_integers(np.random.default_rng(0), {"N": 200})
    assert set(anything) == set(range(-3, 4))


def test_a_key_is_two_words_of_data():
    drawn = Argument.parse("key").draw(np.random.default_rng(0), {})
    assert (drawn.shape, drawn.dtype) == ((2,), np.uint32)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("D*K", r"must have axes such as .* got 'D\*K'"),
        ("nxk", "got 'nxk'"),
        ("NXD", "got 'NXD'"),
        ("N:>=0", "unknown domain '>=0' in 'N:>=0' .*known: >0"),
        ("NxN:sdp", "did you mean spd\\?"),
        ("N:(1,0)", "unknown domain"),
        ("N:(0,inf)", "unknown domain"),
        ("NxD:spd", "must be square"),
        ("N:spd", "must be square"),
        (":perm", "needs an axis"),
        ("N:int<0", "must be at least 1"),
        ("same", "got 'same'"),
    ],
)
def test_a_description_that_is_not_understood_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        Argument.parse(text)
    with pytest.raises(ValueError, match=message):
        check_vjp(toys.absolute, toys.absolute, text)


def test_sizes_are_small_and_different_then_a_batch_of_one_then_equal_then_large():
    arguments = Argument.parse("NxD"), Argument.parse("DxK"), Argument.parse("4:int<K")
    sampled = list(sample_sizes(arguments, "N", seed=0, count=8))
    assert len(sampled) == 8
    assert all(set(sizes) == {"N", "D", "K"} for sizes in sampled)
    assert len(set(sampled[0].values())) == 3
    assert sampled[1]["N"] == 1
    assert any(size % 2 for sizes in sampled for size in sizes.values())
    assert len(set(sampled[2].values())) == 1 < sampled[2]["N"]
    assert all(len(set(sizes.values())) == 3 for sizes in sampled[3:])
    assert max(map(max, (sizes.values() for sizes in sampled[:4]))) < 32
    large = [{name for name, size in sizes.items() if size > 32} for sizes in sampled[4:]]
    assert large == [{"D"}, {"K"}, {"N"}, {"D"}]
    assert sampled == list(sample_sizes(arguments, "N", seed=0, count=8))


def test_axes_given_as_numbers_are_not_sampled():
    arguments = (Argument.parse("4x7"),)
    assert list(sample_sizes(arguments, None, seed=0, count=8)) == [{}]
    assert arguments[0].shape({}) == (4, 7)


def test_every_check_stays_in_the_domain_of_an_argument():
    affine = toys.affine_where_positive
    with jax.debug_nans(True):
        assert check_vjp(toys.logarithm, jnp.log, "NxD:>0", only=IN_PROCESS)
    assert check_vjp(Rule(affine, affine, ("N:>0",), linear=(0,)), only=["adjoint"])


@pytest.mark.parametrize(
    ("text", "below", "is_real"),
    [("NxD", None, True), ("N:>0", None, True), ("N:int<K", "K", False), ("N:bool", None, False)],
)
def test_integers_have_a_bound_and_no_cotangent(text, below, is_real):
    argument = Argument.parse(text)
    assert argument.below == below
    assert argument.is_real is is_real
