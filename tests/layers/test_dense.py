import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ffnn_jax.catalogue import DENSE, DENSE_COLUMN
from ffnn_jax.layers import (
    dense,
    dense_column,
    dense_column_forward,
    dense_forward,
)
from tests.layers.checking import (
    assert_close,
    assert_same_bits,
    assert_same_rule,
    assert_verified,
    kept_residuals,
    normal,
    value_and_cotangents,
)


def column() -> list[jax.Array]:
    return [normal(0, 5), normal(1, 5, 3), normal(2, 3)]


def batch(*leading: int) -> list[jax.Array]:
    return [normal(3, *leading, 6, 5), normal(4, *leading, 5, 3), normal(5, *leading, 3)]


def test_all_catalogue_checks_pass():
    """Autodiff of (1) and (12) gives (4), (9), (10) and (14), (15), (16)."""
    assert_verified(DENSE_COLUMN)
    assert_verified(DENSE)


def test_jacobians_are_2_5_6():
    """(2) is W, (5) is delta_il x_j and (6) is delta_il; here W_ij is w[j, i]."""
    x, w, b = column()
    dx, dw, db = jax.jacrev(dense_column, (0, 1, 2))(x, w, b)
    assert_close(dx, w.T)
    assert_close(dw, jnp.einsum("li,j->lji", jnp.eye(3), x))
    assert_close(db, jnp.eye(3))


def test_column_cotangents_are_the_sums_3_7_8_over_every_output():
    x, w, b = column()
    dz = normal(6, 3)
    _, cotangents = value_and_cotangents(dense_column, (x, w, b), dz)
    delta = np.eye(3)
    dx = [sum(dz[k] * w[i, k] for k in range(3)) for i in range(5)]  # (3)
    dw = [
        [sum(dz[k] * delta[i, k] * x[j] for k in range(3)) for i in range(3)] for j in range(5)
    ]  # (7)
    db = [sum(dz[k] * delta[i, k] for k in range(3)) for i in range(3)]  # (8)
    assert_close(cotangents, (jnp.array(dx), jnp.array(dw), jnp.array(db)), 3)


def test_value_11_stacks_the_column_of_every_data_point():
    x, w, b = batch()
    columns = jnp.stack([dense_column(point, w, b) for point in x])
    assert_close(dense(x, w, b), columns, 5)


def test_cotangent_of_a_data_point_13_14_depends_on_its_own_row_alone():
    x, w, b = batch()
    dz = jnp.zeros((6, 3)).at[4].set(normal(6, 3))
    _, (dx, _, _) = value_and_cotangents(dense, (x, w, b), dz)
    expected = jnp.zeros((6, 5)).at[4].set(w @ dz[4])
    assert_close(dx, expected, 3)


def test_batch_is_the_mapped_column_with_dw_15_and_db_16_summed():
    x, w, b = batch()
    mapped = jax.vmap(dense_column, (0, None, None))
    assert_same_rule(dense, mapped, "6x5", "5x3", "3")
    dz = normal(6, 6, 3)
    alone = [value_and_cotangents(dense_column, (x[n], w, b), dz[n])[1] for n in range(6)]
    _, (_, dw, db) = value_and_cotangents(dense, (x, w, b), dz)
    assert_close(dw, sum(point[1] for point in alone), 6)
    assert_close(db, sum(point[2] for point in alone), 6)


def test_images_are_flattened_and_dx_has_the_shape_of_x():
    images = [normal(0, 5, 2, 3, 4), normal(1, 24, 7), normal(2, 7)]
    assert_same_rule(dense, DENSE.reference, "5x2x3x4", "24x7", "7")
    _, (dx, _, _) = value_and_cotangents(dense, images, normal(3, 5, 7))
    assert dx.shape == (5, 2, 3, 4)


def test_bfloat16_sums_over_the_batch_do_not_stall():
    """A running bfloat16 sum that has reached 1 drops each of 512 addends of 2^-8."""
    one = jnp.ones((1, 1), jnp.bfloat16)
    dz = jnp.full((513, 1), 2.0**-8, jnp.bfloat16).at[0].set(1)
    _, (_, dw, db) = value_and_cotangents(dense, (jnp.ones_like(dz), one, one[0]), dz)
    assert (dw.item(), db.item()) == (3, 3)


def test_residuals_are_x_and_w():
    x, w, b = batch()
    assert kept_residuals(dense, x, w, b) == [("float64", (5, 3)), ("float64", (6, 5))]
    assert_same_bits(dense_forward(x, w, b)[1], (x, w))
    assert_same_bits(dense_column_forward(*column())[1], tuple(column()[:2]))


def test_an_empty_batch_has_zero_dw_and_db():
    z, cotangents = value_and_cotangents(
        dense, (jnp.ones((0, 2, 3)), jnp.ones((6, 4)), jnp.ones(4)), jnp.ones((0, 4))
    )
    assert z.shape == (0, 4)
    assert_same_bits(cotangents, (jnp.zeros((0, 2, 3)), jnp.zeros((6, 4)), jnp.zeros(4)))


@pytest.mark.parametrize(
    ("x", "w", "b", "message"),
    [
        ((5, 4), (3, 2), (2,), "dense: x must be .* 3 numbers per row, got .5, 4"),
        ((3,), (3, 2), (2,), "dense: x must be"),
        ((5, 3), (3, 2, 1), (2,), "dense: w must be of shape"),
        ((5, 3), (3, 2), (3,), "dense: b must be of shape .2,., got .3,"),
        ((5, 3), (3, 2), (1, 2), "dense: b must be"),
    ],
)
def test_shapes_that_do_not_match_are_rejected(x, w, b, message):
    with pytest.raises(ValueError, match=message):
        dense(jnp.ones(x), jnp.ones(w), jnp.ones(b))


def test_dense_column_rejects_a_batch():
    with pytest.raises(ValueError, match="dense_column: x must be of shape"):
        dense_column(*batch())


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        (("int32", "float32", "float32"), "dense: x must be of a floating-point dtype"),
        (("float32", "float64", "float32"), "dense: w must be of x's dtype"),
        (("float32", "float32", "bfloat16"), "dense: b must be of x's dtype"),
    ],
)
def test_dtypes_that_differ_are_rejected(dtypes, message):
    x, w, b = (a.astype(dtype) for a, dtype in zip(batch(), dtypes, strict=True))
    with pytest.raises(ValueError, match=message):
        dense(x, w, b)
