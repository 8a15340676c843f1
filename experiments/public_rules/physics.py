"""Rules of packages for physics: jax-md, jaxoplanet, jaxley, e3nn-jax."""

# pyright: reportMissingImports=false

import jax
import jax.numpy as jnp
import numpy as np

from experiments.public_rules._case import public
from experiments.public_rules._references import WIDE
from ffnn_jax.verify import Kink, Rule


@public(
    "e3nn-jax",
    "e3nn_jax.spherical_harmonics",
    "right",
    "Right to degree 3 with the rule, dense and sparse, two orders.",
)
def spherical_harmonics() -> Rule:
    import e3nn_jax

    def op(x):
        return e3nn_jax.spherical_harmonics(
            "0e + 1o + 2e",
            x,
            False,
            normalization="norm",
            algorithm=("recursive", "dense", "custom_jvp"),
        ).array

    def reference(v):
        x, y, z = v[..., 0], v[..., 1], v[..., 2]
        r3 = np.sqrt(3)
        second = (
            r3 * x * z,
            r3 * x * y,
            y * y - (x * x + z * z) / 2,
            r3 * y * z,
            r3 / 2 * (z * z - x * x),
        )
        return jnp.stack([jnp.ones_like(x), x, y, z, *second], -1)

    return Rule(op, reference, ("Nx3",), batch="N")


@public(
    "e3nn-jax",
    "e3nn_jax._src.utils.einsum.einsum",
    "right",
    "Right for floating arrays (with an integer operand the gradient raises ValueError; internal).",
)
def einsum() -> Rule:
    from e3nn_jax._src.utils.einsum import einsum

    def op(x, y, w):
        return einsum("ni,nj,ijk->nk", x, y, w)

    def reference(x, y, w):
        return jnp.sum(x[:, :, None, None] * y[:, None, :, None] * w, (1, 2))

    return Rule(op, reference, ("NxI", "NxJ", "IxJxK"), batch="N")


@public(
    "jax-md",
    "jax_md.mm_forcefields.reaxff.reaxff_helper.safe_sqrt",
    "right",
    "Right for x > 0, two orders; slope 0 at 0.",
)
def safe_sqrt() -> Rule:
    from jax_md.mm_forcefields.reaxff.reaxff_helper import safe_sqrt

    kink = Kink("zero", (np.zeros(1),), np.ones(1), (np.zeros(1),))
    return Rule(safe_sqrt, lambda x: x**0.5, ("N:>0",), kinks=(kink,))


@public(
    "jax-md",
    "jax_md.space.transform",
    "by design",
    "R box^T, with the cotangent of R passed through unchanged and that of the box right, as "
    "documented.",
)
def transform() -> Rule:
    from jax_md.space import transform

    def backward(args, dz):
        return (dz.T @ args[1], dz)

    return Rule(transform, lambda box, r: r @ box.T, ("3x3", "Nx3"), backward=backward)


@public(
    "jax-md",
    "jax_md.rigid_body._quaternion_rotate",
    "by design",
    "A rotation, with the cotangent of a unit quaternion projected onto the tangent space. Half "
    "precision gives float32.",
)
def quaternion_rotate() -> Rule:
    from jax_md.rigid_body import _quaternion_rotate

    def reference(q, v):
        w, u = q[0], q[1:]
        return (w * w - u @ u) * v + 2 * (u @ v) * u + 2 * w * jnp.cross(u, v)

    def backward(args, dz):
        q, v = args
        dq, dv = jax.vjp(reference, q, v)[1](dz)
        return dq - jnp.sum(q * dq) * q, dv

    def draw(generator, sizes):
        q = generator.normal(size=4)
        return q / np.linalg.norm(q), generator.normal(size=3)

    return Rule(_quaternion_rotate, reference, draw=draw, backward=backward, dtypes=WIDE)


@public(
    "jax-md",
    "jax_md._energy.electrostatics.transform_gradients",
    "by design",
    "The identity in the coordinates, with tangents multiplied by the box.",
)
def transform_gradients() -> Rule:
    from jax_md._energy.electrostatics import transform_gradients

    def backward(args, dz):
        return (dz.T @ args[1], dz @ args[0])

    return Rule(transform_gradients, lambda box, r: r, ("3x3", "Nx3"), backward=backward)


@public(
    "jax-md",
    "jax_md._nn.uma.kernels.segment_mm",
    "right",
    "A product per segment, with an empty segment and rows past the last; right, reverse mode.",
)
def segment_mm() -> Rule:
    from jax_md._nn.uma.kernels import segment_mm

    def op(x, w):
        return segment_mm(x, w, jnp.array([2, 0, 3]))

    def reference(x, w):
        return jnp.concatenate([x[:2] @ w[0].T, x[2:5] @ w[2].T, jnp.zeros((1, 2), x.dtype)])

    return Rule(op, reference, ("6x3", "3x2x3"))


@public(
    "jaxoplanet",
    "jaxoplanet.core.kepler",
    "right",
    "Both outputs are right in the anomaly and the eccentricity, two orders.",
)
def kepler() -> Rule:
    from jaxoplanet.core import kepler

    def reference(m, e):
        big = m + e * jnp.sin(m)
        for _ in range(40):
            big = big - (big - e * jnp.sin(big) - m) / (1 - e * jnp.cos(big))
        scale = 1 - e * jnp.cos(big)
        return jnp.sqrt(1 - e * e) * jnp.sin(big) / scale, (jnp.cos(big) - e) / scale

    return Rule(kepler, reference, ("N:(0.3,6)", "N:(0.05,0.8)"), dtypes=WIDE)


@public(
    "jaxley",
    "jaxley.solver_voltage._make_dhs_solve",
    "right",
    "The solution of a tree-structured system is right in its four arguments, two orders.",
)
def make_dhs_solve() -> Rule:
    from jaxley.solver_voltage import _make_dhs_solve

    # a tree of five nodes and the solver's spare one: children 1, 2 of 0; 3, 4 of 1; 5 spare
    children, parents = np.array([1, 2, 3, 4]), np.array([0, 0, 1, 1])
    levels = [np.array([[1, 0]]), np.array([[2, 0]]), np.array([[3, 1]]), np.array([[4, 1]])]
    indexer = {
        "node_order_grouped": levels,
        "all_children": children,
        "all_parents": parents,
        "parent_lookup": None,
    }
    op = _make_dhs_solve(indexer, False, 5)

    def reference(diagonal, lower, upper, right):
        a = (
            jnp.diag(diagonal)
            .at[children, parents]
            .add(lower[children])
            .at[parents, children]
            .add(upper[children])
        )
        n = a.shape[0]
        b = right
        for k in range(n):
            factor = jnp.where(jnp.arange(n) != k, a[:, k] / a[k, k], 0)
            a, b = a - factor[:, None] * a[k], b - factor * b[k]
        return b / jnp.diag(a)

    arguments = ("6:(3,5)", "6:(-1,1)", "6:(-1,1)", "6")
    return Rule(op, reference, arguments, dtypes=WIDE)
