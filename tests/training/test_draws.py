import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from ffnn_jax.training import sample_without_replacement
from ffnn_jax.training._draws import permute

LEAST_P = 1e-4


def draw_many(count, size, below):
    keys = jax.random.split(jax.random.key(7), count)
    return np.asarray(
        jax.jit(jax.vmap(lambda key: sample_without_replacement(key, size, below)))(keys)
    )


@pytest.mark.parametrize(("size", "below"), [(16, 57_999), (16, 33), (16, 31), (16, 16), (1, 1)])
def test_indices_in_a_batch_are_distinct_and_in_range(size, below):
    drawn = draw_many(500, size, below)
    assert all(len(set(batch.tolist())) == size for batch in drawn)
    assert drawn.min() >= 0
    assert drawn.max() < below


@pytest.mark.parametrize(("size", "below"), [(2, 5), (3, 5)], ids=["redrawn", "permuted"])
def test_every_ordered_outcome_is_equally_likely(size, below):
    """20 ordered pairs of 5, and 60 ordered triples."""
    drawn = draw_many(12_000, size, below)
    codes = drawn @ (below ** np.arange(size))
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == np.prod(range(below - size + 1, below + 1))
    assert chisquare(counts).pvalue > LEAST_P


def test_every_image_is_drawn_equally_often():
    counts = np.bincount(draw_many(20_000, 16, 100).ravel(), minlength=100)
    assert chisquare(counts).pvalue > LEAST_P


def test_the_cost_of_a_batch_does_not_depend_on_the_data_set():
    """No traced array has more entries than the comparison's size * size."""
    size, below = 16, 10**7
    traced = jax.make_jaxpr(lambda key: sample_without_replacement(key, size, below))(
        jax.random.key(0)
    )
    assert max(sizes_in(traced.jaxpr)) <= size**2


def sizes_in(jaxpr):
    for equation in jaxpr.eqns:
        yield from (int(np.prod(variable.aval.shape)) for variable in equation.outvars)
        for part in jax.tree.leaves(list(equation.params.values())):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from sizes_in(inner)


def test_the_key_determines_the_batch():
    first, again, other = (
        sample_without_replacement(jax.random.key(seed), 8, 99) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == jnp.int32


@pytest.mark.parametrize(
    ("count", "expected"),
    [(65, [46, 17, 23, 62, 14]), (128, [92, 17, 100, 62, 14]),
     (50_000, [41537, 41660, 33064, 18260, 29709])],
)  # fmt: skip
def test_a_run_that_is_resumed_years_later_draws_the_same(count, expected):
    positions = jnp.arange(5, dtype=jnp.int32)
    assert permute(jax.random.key(7), positions, count).tolist() == expected


def test_drawing_too_many_is_rejected():
    with pytest.raises(ValueError, match="size must be at most 4, got 5"):
        sample_without_replacement(jax.random.key(0), 5, 4)
