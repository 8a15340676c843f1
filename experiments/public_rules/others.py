"""Rules of lineax, equinox, optimistix, rlax, flax, brainstate and spyx."""

# pyright: reportMissingImports=false

import jax
import jax.numpy as jnp
import numpy as np

from experiments.public_rules._case import public
from ffnn_jax.verify import Kink, Rule


@public(
    "lineax",
    "lineax.internal.two_norm",
    "right",
    "Right for a pytree; gradient 0 at 0, as documented.",
)
def two_norm() -> Rule:
    import lineax.internal as lxi

    kink = Kink(
        "zero",
        ({"a": np.zeros(2), "b": np.zeros((1, 2))},),
        1.0,
        ({"a": np.zeros(2), "b": np.zeros((1, 2))},),
    )

    def reference(tree):
        return jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(tree)))

    return Rule(lxi.two_norm, reference, ({"a": "N", "b": "MxK"},), kinks=(kink,))


@public("lineax", "lineax.internal.max_norm", "right", "Right for a pytree; gradient 0 at 0.")
def max_norm() -> Rule:
    import lineax.internal as lxi

    kink = Kink("zero", (np.zeros(3),), 1.0, (np.zeros(3),))
    return Rule(lxi.max_norm, lambda x: jnp.max(jnp.where(x > 0, x, -x)), ("N",), kinks=(kink,))


@public(
    "equinox",
    "equinox.internal.nextafter",
    "by design",
    "The next floating number, with the identity as derivative.",
)
def nextafter() -> Rule:
    from equinox.internal import nextafter

    return Rule(nextafter, None, ("N",), backward=lambda args, dz: (dz,))


@public(
    "optimistix",
    "optimistix.root_find",
    "right",
    "Right by the implicit function theorem, in two parameters, to the solver's tolerance.",
)
def root_find() -> Rule:
    import optimistix

    def op(a, b):
        solver = optimistix.Newton(rtol=1e-12, atol=1e-12)

        def f(y, args):
            return y + args[0] * jnp.tanh(y) - args[1]

        return optimistix.root_find(f, solver, jnp.zeros_like(b), (a, b), max_steps=100).value

    def reference(a, b):
        y = jnp.zeros_like(b)
        for _ in range(25):
            t = jnp.tanh(y)
            y = y - (y + a * t - b) / (1 + a * (1 - t * t))
        return y

    return Rule(op, reference, ("N:(0.1,1)", "N:(-2,2)"), dtypes=("float64",), rtol=1e-7)


@public(
    "rlax",
    "rlax.clip_gradient",
    "by design",
    "The identity, with the cotangent clipped, as documented.",
)
def clip_gradient() -> Rule:
    import rlax

    return Rule(
        lambda x: rlax.clip_gradient(x, -0.5, 0.5),
        lambda x: x,
        ("NxD",),
        backward=lambda args, dz: (jnp.clip(dz, -0.5, 0.5),),
        skip={"linearity": "the clipped cotangent is not linear in the cotangent, as documented"},
    )


@public(
    "flax",
    "flax.linen.fp8_ops.dot_general_with_precision",
    "right",
    "Right in both factors, two orders.",
)
def dot_general_with_precision() -> Rule:
    from flax.linen.fp8_ops import dot_general_with_precision

    def op(a, b):
        return dot_general_with_precision(a, b, (((1,), (0,)), ((), ())))

    return Rule(op, lambda a, b: jnp.sum(a[:, :, None] * b, 1), ("NxD", "DxK"), batch="N")


@public(
    "brainstate",
    "brainstate.nn.Embedding",
    "by design",
    "A lookup whose gradient leaves out the padding row and divides by frequency, as documented.",
)
def embedding() -> Rule:
    from brainstate.nn._embedding import _embedding_lookup_fn

    indices = np.array([0, 2, 2, 4, 1])

    def backward(args, dz):
        counts = np.bincount(indices, minlength=5)[indices].astype(np.float32)
        keep = (indices != 1)[:, None]
        one_hot = jnp.asarray(indices[:, None] == np.arange(5), dz.dtype)
        return (one_hot.T @ (dz * keep / jnp.asarray(counts[:, None], dz.dtype)),)

    return Rule(
        lambda w: _embedding_lookup_fn(1, True)(w, jnp.asarray(indices)),
        lambda w: w[indices],
        ("5xD",),
        backward=backward,
        order=1,
    )


@public(
    "spyx",
    "spyx.axn.superspike",
    "by design",
    "A step with the surrogate slope 1 / (1 + 25 |x|)^2, as documented.",
)
def superspike() -> Rule:
    import spyx.axn

    def backward(args, dz):
        return (dz / (1 + 25 * jnp.abs(args[0])) ** 2,)

    return Rule(
        spyx.axn.superspike(25),
        lambda x: jnp.where(x > 0, 1, 0).astype(x.dtype),
        ("NxD",),
        batch="N",
        backward=backward,
    )


@public(
    "spyx",
    "spyx.experimental.compress.packed_spike_dense",
    "right",
    "spikes @ weight for spikes of 0 and 1, once, as documented.",
)
def packed_spike_dense() -> Rule:
    from spyx.experimental.compress import packed_spike_dense

    def draw(generator, sizes):
        return generator.integers(0, 2, (4, 9)).astype(float), generator.normal(size=(9, 3))

    return Rule(packed_spike_dense, lambda s, w: jnp.sum(s[:, :, None] * w, 1), draw=draw, order=1)
