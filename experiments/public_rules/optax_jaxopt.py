"""Rules of optax and jaxopt."""

# pyright: reportMissingImports=false

import jax
import jax.numpy as jnp
import numpy as np

from experiments.public_rules._case import public
from experiments.public_rules._references import simplex_reference
from ffnn_jax.verify import Rule


@public(
    "optax",
    "optax.scale_gradient",
    "by design",
    "The identity, with the cotangent times the scale, as documented.",
    sample=True,
)
def scale_gradient() -> Rule:
    import optax

    def op(tree):
        return optax.scale_gradient(tree, 0.3)

    def backward(args, dz):
        return (jax.tree.map(lambda d: d * 0.3, dz),)

    return Rule(op, lambda tree: tree, ({"w": "NxD", "b": "D"},), backward=backward)


@public(
    "optax",
    "optax.losses.weighted_logsoftmax",
    "defective",
    "Right for finite x, and in reverse mode; for x = -inf with weight 0 forward mode gives NaN.",
    known=True,
)
def weighted_logsoftmax() -> Rule:
    from optax.losses._classification import weighted_logsoftmax

    weights = np.array([1.0, 0.0, 2.0, 0.5])

    def reference(x):
        top = jax.lax.stop_gradient(jnp.max(x, -1, keepdims=True))
        finite = x > -jnp.inf
        shift = jnp.where(finite, jnp.where(finite, x, 0) - top, 0)
        total = jnp.sum(jnp.where(finite, jnp.exp(shift), 0), -1, keepdims=True)
        return weights.astype(x.dtype) * jnp.where(finite, shift - jnp.log(total), 0)

    def draw(generator, sizes):
        x = generator.normal(size=(3, 4))
        x[0, 1] = -np.inf  # where the weight is 0
        return (x,)

    def op(x):
        return weighted_logsoftmax(x, jnp.asarray(weights, x.dtype))

    return Rule(op, reference, draw=draw)


@public(
    "optax",
    "optax.projections.projection_simplex",
    "defective",
    "Right in float64; with half-precision input the gradient raises TypeError (the value comes "
    "back in float32).",
    known=True,
    sample=True,
)
def projection_simplex() -> Rule:
    import optax

    return Rule(optax.projections.projection_simplex, simplex_reference, ("N",))


@public(
    "jaxopt",
    "jaxopt.projection.projection_sparse_simplex",
    "defective",
    "Right in the default dtype; in half precision (and in float32 under jax_enable_x64) the value "
    "comes back in a wider dtype and the gradient raises TypeError.",
)
def projection_sparse_simplex() -> Rule:
    from jaxopt.projection import projection_sparse_simplex

    return Rule(
        lambda x: projection_sparse_simplex(x, 3),
        lambda x: simplex_reference(x, 3),
        ("N",),
        sizes=({"N": 5}, {"N": 8}),
    )


@public(
    "jaxopt", "jaxopt.projection.projection_simplex", "right", "Right in every dtype, two orders."
)
def jaxopt_projection_simplex() -> Rule:
    from jaxopt.projection import projection_simplex

    return Rule(projection_simplex, simplex_reference, ("N",))
