"""Blind cases: functions whose arguments have a domain.

Written by people who had not seen the checker, its guide or the layers; rules unchanged since.
"""

import functools

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
from jax import lax
from jax.scipy.special import digamma, gammaln

from experiments.wrong_gradients._case import Case
from ffnn_jax.verify import Kink, Rule

LAPACK = ("float64", "float32")  # no half precision
NARROW = ("float64", "float32")  # supported by choice


def d_sym(a):
    return 0.5 * (a + jnp.swapaxes(a, -1, -2))


# 1. SPD solve, Cholesky factor kept for the backward ------------------------------------------
@jax.custom_vjp
def d_spd_solve(a, b):
    return d_spd_solve_fwd(a, b)[0]


def d_spd_solve_fwd(a, b):
    c = jnp.linalg.cholesky(d_sym(a))
    x = jsp.linalg.cho_solve((c, True), b)
    return x, (c, x)


def d_spd_solve_bwd(res, g):
    c, x = res
    w = jsp.linalg.cho_solve((c, True), g)
    return -d_sym(w @ x.T), w


d_spd_solve.defvjp(d_spd_solve_fwd, d_spd_solve_bwd)


def d_spd_solve_ref(a, b):
    return jnp.linalg.solve((a + a.T) / 2, b)


# 2. inverse, tangent from the output ----------------------------------------------------------
@jax.custom_jvp
def d_inverse(a):
    return jnp.linalg.inv(a)


@d_inverse.defjvp
def d_inverse_jvp(primals, tangents):
    y = d_inverse(*primals)
    return y, -(y @ tangents[0] @ y)


def d_inverse_ref(a):
    return jnp.linalg.solve(a, jnp.eye(a.shape[0], dtype=a.dtype))


def d_draw_general(rng, sizes):
    n = sizes["N"]
    return (rng.normal(size=(n, n)) + 2 * np.sqrt(n) * np.eye(n),)


# 3. Cholesky, Murray's reverse rule -----------------------------------------------------------
@jax.custom_vjp
def d_cholesky(a):
    return jnp.linalg.cholesky(a)


def d_cholesky_fwd(a):
    l = jnp.linalg.cholesky(a)
    return l, l


def d_cholesky_bwd(l, lbar):
    p = jnp.tril(l.T @ jnp.tril(lbar))
    p = p - 0.5 * jnp.diag(jnp.diag(p))
    t = jsp.linalg.solve_triangular(l, p, lower=True, trans=1)  # L^-T P
    s = jsp.linalg.solve_triangular(l, t.T, lower=True, trans=1).T  # ... L^-1
    return (0.5 * (s + s.T),)


d_cholesky.defvjp(d_cholesky_fwd, d_cholesky_bwd)


def d_cholesky_ref(a):
    return jnp.linalg.cholesky(a)


# 4. log det of an SPD matrix, as a jvp --------------------------------------------------------
@jax.custom_jvp
def d_logdet(a):
    return 2 * jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(d_sym(a)))))


@d_logdet.defjvp
def d_logdet_jvp(primals, tangents):
    (a,), (da,) = primals, tangents
    return d_logdet(a), jnp.sum(jnp.linalg.inv(d_sym(a)) * d_sym(da))


def d_logdet_ref(a):
    return jnp.linalg.slogdet((a + a.T) / 2)[1]


# 5. matrix square root, tangent from the Sylvester equation S dS + dS S = dA -------------------
@jax.custom_jvp
def d_sqrtm(a):
    w, v = jnp.linalg.eigh(d_sym(a))
    return (v * jnp.sqrt(w)) @ v.T


@d_sqrtm.defjvp
def d_sqrtm_jvp(primals, tangents):
    s = d_sqrtm(*primals)
    eye = jnp.eye(s.shape[0], dtype=s.dtype)
    k = jnp.kron(s, eye) + jnp.kron(eye, s)
    ds = jnp.linalg.solve(k, d_sym(tangents[0]).reshape(-1))
    return s, ds.reshape(s.shape)


def d_sqrtm_ref(a):
    """Denman-Beavers iteration, differentiated as it is."""
    size = lax.stop_gradient(jnp.trace(a))

    def step(yz, _):
        y, z = yz
        return ((y + jnp.linalg.inv(z)) / 2, (z + jnp.linalg.inv(y)) / 2), None

    start = (a + a.T) / (2 * size), jnp.eye(a.shape[0], dtype=a.dtype)
    return lax.scan(step, start, None, length=24)[0][0] * jnp.sqrt(size)


# 6. matrix exponential, adjoint by a block matrix of twice the size ----------------------------
@jax.custom_vjp
def d_expm(a):
    return jsp.linalg.expm(a)


def d_expm_fwd(a):
    return d_expm(a), a


def d_expm_bwd(a, g):
    n = a.shape[0]
    size = lax.stop_gradient(jnp.max(jnp.abs(g)))  # linear in g: keep the block's norm small
    size = jnp.where(size > 0, size, 1)
    big = jnp.block([[a.T, g / size], [jnp.zeros_like(a), a.T]])
    return (jsp.linalg.expm(big)[:n, n:] * size,)


d_expm.defvjp(d_expm_fwd, d_expm_bwd)


def d_expm_ref(a):
    s, term, total = a / 64, jnp.eye(a.shape[0], dtype=a.dtype), jnp.eye(a.shape[0], dtype=a.dtype)
    for k in range(1, 15):
        term = term @ s / k
        total = total + term
    for _ in range(6):
        total = total @ total
    return total


# 7. pseudo-inverse of full rank, Golub and Pereyra ---------------------------------------------
@jax.custom_jvp
def d_pinv(a):
    u, s, vh = jnp.linalg.svd(a, full_matrices=False)
    return (vh.T / s) @ u.T


@d_pinv.defjvp
def d_pinv_jvp(primals, tangents):
    (a,), (da,) = primals, tangents
    p = d_pinv(a)
    left = jnp.eye(a.shape[0], dtype=a.dtype) - a @ p
    right = jnp.eye(a.shape[1], dtype=a.dtype) - p @ a
    return p, -p @ da @ p + p @ p.T @ da.T @ left + right @ da.T @ p.T @ p


def d_pinv_ref(a):
    return jnp.linalg.solve(a.T @ a, a.T)


def d_draw_tall(rng, sizes):
    m, n = sizes["M"], sizes["N"]
    q = np.linalg.qr(rng.normal(size=(m, n)))[0]
    z = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (q * rng.uniform(0.5, 3.0, size=n) @ z,)


# 8. thin QR with a positive diagonal, two outputs ----------------------------------------------
@jax.custom_vjp
def d_qr_positive(a):
    q, r = jnp.linalg.qr(a)
    s = jnp.where(jnp.diagonal(r) < 0, -1, 1).astype(a.dtype)
    return q * s, s[:, None] * r


def d_qr_positive_fwd(a):
    q, r = d_qr_positive(a)
    return (q, r), (q, r)


def d_qr_positive_bwd(res, cts):
    q, r = res
    qbar, rbar = cts[0], jnp.triu(cts[1])
    m = r @ rbar.T - qbar.T @ q
    m = jnp.tril(m) + jnp.tril(m, -1).T
    return (jsp.linalg.solve_triangular(r, (qbar + q @ m).T, lower=False).T,)


d_qr_positive.defvjp(d_qr_positive_fwd, d_qr_positive_bwd)


def d_qr_positive_ref(a):
    r = jnp.linalg.cholesky(a.T @ a).T
    return jnp.linalg.solve(r.T, a.T).T, r


# 9. nuclear norm, polar factor as the residual -------------------------------------------------
@jax.custom_vjp
def d_nuclear(a):
    return jnp.sum(jnp.linalg.svd(a, compute_uv=False))


def d_nuclear_fwd(a):
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return jnp.sum(s), u @ vt


d_nuclear.defvjp(d_nuclear_fwd, lambda polar, g: (g * polar,))


def d_nuclear_ref(a):
    return jnp.sum(jnp.sqrt(jnp.linalg.eigvalsh(a.T @ a)))


# 10. multivariate normal log density, three arguments ------------------------------------------
@jax.custom_vjp
def d_mvn_logpdf(x, mean, cov):
    return d_mvn_logpdf_fwd(x, mean, cov)[0]


def d_mvn_logpdf_fwd(x, mean, cov):
    l = jnp.linalg.cholesky(d_sym(cov))
    z = jsp.linalg.solve_triangular(l, x - mean, lower=True)
    n = x.shape[-1]
    logp = (
        -0.5 * jnp.vdot(z, z)
        - jnp.sum(jnp.log(jnp.diagonal(l)))
        - 0.5 * n * np.log(2 * np.pi).item()
    )
    return logp, (l, z)


def d_mvn_logpdf_bwd(res, g):
    l, z = res
    y = jsp.linalg.solve_triangular(l, z, lower=True, trans=1)
    prec = jsp.linalg.cho_solve((l, True), jnp.eye(l.shape[0], dtype=l.dtype))
    return -g * y, g * y, 0.5 * g * (jnp.outer(y, y) - prec)


d_mvn_logpdf.defvjp(d_mvn_logpdf_fwd, d_mvn_logpdf_bwd)


def d_mvn_logpdf_ref(x, mean, cov):
    cov = (cov + cov.T) / 2
    r = x - mean
    return -0.5 * (
        r @ jnp.linalg.solve(cov, r)
        + jnp.linalg.slogdet(cov)[1]
        + x.shape[0] * jnp.log(2 * jnp.pi).astype(x.dtype)
    )


# 11. fixed point of z = tanh(W z + x), implicit differentiation --------------------------------
@jax.custom_vjp
def d_deq(w, x):
    def far(state):
        z, old, i = state
        return (jnp.max(jnp.abs(z - old)) > 4 * jnp.finfo(x.dtype).eps) & (i < 200)

    def step(state):
        z, _, i = state
        return jnp.tanh(w @ z + x), z, i + 1

    return lax.while_loop(far, step, (jnp.tanh(x), jnp.full_like(x, 2), 0))[0]


def d_deq_fwd(w, x):
    z = d_deq(w, x)
    return z, (w, x, z)


def d_deq_bwd(res, g):
    w, x, z = res
    d = 1 - jnp.tanh(w @ z + x) ** 2
    u = d * jnp.linalg.solve(jnp.eye(x.size, dtype=x.dtype) - (d[:, None] * w).T, g)
    return jnp.outer(u, z), u


d_deq.defvjp(d_deq_fwd, d_deq_bwd)


def d_deq_ref(w, x):
    z = jnp.zeros_like(x)
    for _ in range(90):
        z = jnp.tanh(w @ z + x)
    return z


def d_draw_contraction(rng, sizes):
    n = sizes["N"]
    w = rng.normal(size=(n, n))
    return 0.6 * w / np.linalg.norm(w, 2), rng.normal(size=n)


# 12. Lambert W on the positive axis by Newton, derivative from the output ----------------------
@jax.custom_jvp
def d_lambertw(x):
    w = jnp.log1p(x)
    return lax.fori_loop(0, 20, lambda _, w: w - (w - x * jnp.exp(-w)) / (1 + w), w)


@d_lambertw.defjvp
def d_lambertw_jvp(primals, tangents):
    w = d_lambertw(*primals)
    return w, tangents[0] * jnp.exp(-w) / (1 + w)


def d_lambertw_ref(x):
    """Newton on w exp(w) = x in its positive form, unrolled and differentiated as it is."""
    w = jnp.where(x < 1, x, jnp.log(jnp.maximum(x, 1)) + 1)
    for _ in range(16):
        w = (w * w + x * jnp.exp(-w)) / (1 + w)
    return w


# 13. projection onto the simplex, support read off the output ----------------------------------
@jax.custom_vjp
def d_project_simplex(x):
    x = x - jnp.max(x)
    u = jnp.flip(jnp.sort(x))
    taus = (jnp.cumsum(u) - 1) / jnp.arange(1, x.size + 1, dtype=x.dtype)
    return jnp.maximum(x - jnp.max(taus), 0)


def d_project_simplex_fwd(x):
    y = d_project_simplex(x)
    return y, y > 0


def d_project_simplex_bwd(support, g):
    s = support.astype(g.dtype)
    return (s * (g - jnp.vdot(s, g) / jnp.sum(s)),)


d_project_simplex.defvjp(d_project_simplex_fwd, d_project_simplex_bwd)


def d_project_simplex_ref(x):
    x = x - lax.stop_gradient(jnp.max(x))
    u = -jnp.sort(-x)
    k = jnp.arange(1, x.shape[0] + 1)
    total = jnp.cumsum(u)
    rho = jnp.sum(u * k > total - 1)
    tau = (total[rho - 1] - 1) / rho.astype(x.dtype)
    return jnp.where(x > tau, x - tau, 0)


# 14. isotonic regression, the backward averages over the blocks --------------------------------
def d_interval_means(x):
    i = jnp.arange(x.size)
    j, k, l = i[:, None, None], i[None, :, None], i[None, None, :]
    total = jnp.sum(jnp.where((j <= l) & (l <= k), x, 0), -1)
    return total / jnp.maximum(k - j + 1, 1)[..., 0].astype(x.dtype), i


@jax.custom_vjp
def d_isotonic(x):
    return d_isotonic_fwd(x)[0]


def d_isotonic_fwd(x):
    m, i = d_interval_means(x)  # m[j, k] = mean x[j..k]
    up = jnp.max(jnp.where(i[:, None, None] <= i, m[:, :, None], -jnp.inf), 0)  # over j <= i
    y = jnp.min(jnp.where(i[:, None] >= i, up, jnp.inf), 0)  # over k >= i
    return y, y


def d_isotonic_bwd(y, g):
    same = (y[:, None] == y[None, :]).astype(g.dtype)
    return (same @ g / jnp.sum(same, 1),)


d_isotonic.defvjp(d_isotonic_fwd, d_isotonic_bwd)


def d_isotonic_ref(x):
    """max-min form; equal neighbours count as one block."""
    m, i = d_interval_means(lax.stop_gradient(x))
    low = jnp.min(jnp.where(i[None, :, None] >= i, m[:, :, None], jnp.inf), 1)
    y = jnp.max(jnp.where(i[:, None] <= i, low, -jnp.inf), 0)
    same = y[:, None] == y
    return jnp.sum(jnp.where(same, x, 0), 1) / jnp.sum(same, 1).astype(x.dtype)


# 15. piecewise linear interpolation, three cotangents ------------------------------------------
@jax.custom_vjp
def d_interp(x, xp, fp):
    return d_interp_fwd(x, xp, fp)[0]


def d_interp_fwd(x, xp, fp):
    i = jnp.clip(jnp.searchsorted(xp, x, side="right"), 1, xp.size - 1)
    width = xp[i] - xp[i - 1]
    t = jnp.clip((x - xp[i - 1]) / width, 0, 1)
    inside = (x >= xp[0]) & (x <= xp[-1])
    y = (1 - t) * fp[i - 1] + t * fp[i]
    return y, (i, t, inside, width, xp, fp)


def d_interp_bwd(res, g):
    i, t, inside, width, xp, fp = res
    slope = jnp.where(inside, (fp[i] - fp[i - 1]) / width, 0) * g
    dxp = jnp.zeros_like(xp).at[i - 1].add((t - 1) * slope).at[i].add(-t * slope)
    dfp = jnp.zeros_like(fp).at[i - 1].add((1 - t) * g).at[i].add(t * g)
    return slope, dxp, dfp


d_interp.defvjp(d_interp_fwd, d_interp_bwd)


def d_interp_ref(x, xp, fp):
    return jnp.interp(x, xp, fp)


# 16. rows permuted; the inverse permutation by a scatter ---------------------------------------
@jax.custom_vjp
def d_permute_rows(x, perm):
    return x[perm]


def d_permute_rows_bwd(perm, g):
    return jnp.zeros_like(g).at[perm].set(g, unique_indices=True), None


d_permute_rows.defvjp(lambda x, perm: (x[perm], perm), d_permute_rows_bwd)


def d_permute_rows_ref(x, perm):
    return jnp.take(x, perm, axis=0)


# 17. Dirichlet log density of a batch of compositions ------------------------------------------
@jax.custom_vjp
def d_dirichlet_logpdf(p, alpha):
    return (jnp.log(p) @ (alpha - 1)) + gammaln(jnp.sum(alpha)) - jnp.sum(gammaln(alpha))


def d_dirichlet_logpdf_fwd(p, alpha):
    return d_dirichlet_logpdf(p, alpha), (p, alpha)


def d_dirichlet_logpdf_bwd(res, g):
    p, alpha = res
    dp = g[:, None] * (alpha - 1) / p
    dalpha = g @ jnp.log(p) + jnp.sum(g) * (digamma(jnp.sum(alpha)) - digamma(alpha))
    return dp, dalpha


d_dirichlet_logpdf.defvjp(d_dirichlet_logpdf_fwd, d_dirichlet_logpdf_bwd)


def d_dirichlet_logpdf_ref(p, alpha):
    each = jnp.sum((alpha - 1) * jnp.log(p), axis=-1)
    return each - (jnp.sum(gammaln(alpha)) - gammaln(jnp.sum(alpha)))


# 18. leapfrog step of a pendulum; the backward reconstructs the inputs from the outputs ---------
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def d_leapfrog(q, p, h):
    half = p - 0.5 * h * jnp.sin(q)
    q1 = q + h * half
    return q1, half - 0.5 * h * jnp.sin(q1)


def d_leapfrog_fwd(q, p, h):
    out = d_leapfrog(q, p, h)
    return out, out


def d_leapfrog_bwd(h, out, cts):
    q1, p1 = out
    gq, gp = cts
    half = p1 + 0.5 * h * jnp.sin(q1)
    q = q1 - h * half  # reversible: no input was stored
    gq = gq - 0.5 * h * jnp.cos(q1) * gp
    gp = gp + h * gq
    return gq - 0.5 * h * jnp.cos(q) * gp, gp


d_leapfrog.defvjp(d_leapfrog_fwd, d_leapfrog_bwd)


def d_leapfrog_ref(q, p, h):
    k = p - h / 2 * jnp.sin(q)
    return q + h * k, k - h / 2 * jnp.sin(q + h * k)


# 19. straight-through rounding, the stop_gradient idiom ----------------------------------------
def d_round_ste(x):
    return x + lax.stop_gradient(jnp.round(x) - x)


def d_round_ref(x):
    return jnp.round(x)


def d_round_backward(args, dz):
    return (dz,)


# 20. spike with an arctan surrogate ------------------------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def d_spike_op(alpha, v):
    return (v >= 1.0).astype(v.dtype)


def d_spike_bwd(alpha, v, g):
    return (0.5 * alpha * g / (1 + (0.5 * np.pi * alpha * (v - 1)) ** 2),)


d_spike_op.defvjp(lambda alpha, v: (d_spike_op(alpha, v), v), d_spike_bwd)


def d_spike_ref(v):
    return jnp.where(v >= 1, jnp.ones_like(v), jnp.zeros_like(v))


def d_spike_backward(args, dz):
    """Derivative of arctan(pi x) / pi at x = v - 1, the surrogate for alpha = 2."""
    (v,) = args
    u = jnp.pi * (v - 1)
    return (dz / (1 + u * u),)


# 21. gradient clipped by its norm over the whole tree ------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def d_clip_tree(tree, limit):
    return tree


def d_clip_tree_bwd(limit, _, g):
    sq = sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(g))
    over = sq > limit * limit
    scale = jnp.where(over, limit / jnp.sqrt(jnp.where(over, sq, 1)), 1)
    return (jax.tree.map(lambda leaf: leaf * scale, g),)


d_clip_tree.defvjp(lambda tree, limit: (tree, None), d_clip_tree_bwd)


def d_clip_tree_ref(tree, limit):
    return tree


def d_clip_tree_backward(args, dz):
    flat = jnp.concatenate([dz["bias"].reshape(-1), dz["kernel"].reshape(-1)])
    norm = jnp.linalg.norm(flat)
    factor = jnp.minimum(1.0, args[1] / norm).astype(flat.dtype)
    return {"bias": dz["bias"] * factor, "kernel": dz["kernel"] * factor}, None


# 22. gradient only where the mask is set -------------------------------------------------------
@jax.custom_vjp
def d_freeze(x, trainable):
    return x


d_freeze.defvjp(
    lambda x, trainable: (x, trainable), lambda trainable, g: (jnp.where(trainable, g, 0), None)
)


def d_freeze_ref(x, trainable):
    return x


def d_freeze_backward(args, dz):
    return dz * args[1].astype(dz.dtype), None


# 23. row maximum, the first of several equal entries takes the gradient -------------------------
@jax.custom_vjp
def d_rowmax_first(x):
    return jnp.max(x, axis=-1)


def d_rowmax_first_fwd(x):
    first = jnp.argmax(x, axis=-1)
    return jnp.max(x, axis=-1), jax.nn.one_hot(first, x.shape[-1], dtype=x.dtype)


d_rowmax_first.defvjp(d_rowmax_first_fwd, lambda hot, g: (hot * g[..., None],))


def d_rowmax_first_ref(x):
    return jnp.max(x, axis=-1)


# 24. projection onto a box, the faces count as inside -------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def d_project_box(x, lo, hi):
    return jnp.minimum(jnp.maximum(x, lo), hi)


d_project_box.defvjp(
    lambda x, lo, hi: (d_project_box(x, lo, hi), (x >= lo) & (x <= hi)),
    lambda lo, hi, inside, g: (jnp.where(inside, g, jnp.zeros_like(g)),),
)


def d_project_box_ref(x, lo, hi):
    return jnp.clip(x, lo, hi)


# 25. median, odd and even lengths ---------------------------------------------------------------
@jax.custom_vjp
def d_median(x):
    return d_median_fwd(x)[0]


def d_median_fwd(x):
    order = jnp.argsort(x)
    pair = order[jnp.array([(x.size - 1) // 2, x.size // 2])]
    return 0.5 * x[pair[0]] + 0.5 * x[pair[1]], (pair, x)


def d_median_bwd(res, g):
    pair, x = res
    return (jnp.zeros_like(x).at[pair].add(0.5 * g),)  # the same index twice when odd


d_median.defvjp(d_median_fwd, d_median_bwd)


def d_median_ref(x):
    s = jnp.sort(x)
    n = x.shape[0]
    return (s[(n - 1) // 2] + s[n // 2]) / 2


# 1. general solve, the backward does not transpose ----------------------------------------------
@jax.custom_vjp
def d_solve_plain(a, b):
    return jnp.linalg.solve(a, b)


def d_solve_plain_fwd(a, b):
    x = jnp.linalg.solve(a, b)
    return x, (a, x)


def d_solve_plain_bwd(res, g):
    a, x = res
    w = jnp.linalg.solve(a, g)
    return -jnp.outer(w, x), w


d_solve_plain.defvjp(d_solve_plain_fwd, d_solve_plain_bwd)


def d_solve_plain_ref(a, b):
    return jnp.linalg.inv(a) @ b


def d_draw_system(rng, sizes):
    n = sizes["N"]
    return rng.normal(size=(n, n)) + 2 * np.sqrt(n) * np.eye(n), rng.normal(size=n)


# 2. Cholesky, diagonal not halved ---------------------------------------------------------------
@jax.custom_vjp
def d_chol_nohalf(a):
    return jnp.linalg.cholesky(a)


def d_chol_nohalf_fwd(a):
    l = jnp.linalg.cholesky(a)
    return l, l


def d_chol_nohalf_bwd(l, g):
    linv = jnp.linalg.inv(l)
    s = linv.T @ jnp.tril(l.T @ g) @ linv
    return ((s + s.T) / 2,)


d_chol_nohalf.defvjp(d_chol_nohalf_fwd, d_chol_nohalf_bwd)


# 3. log det, the function itself forgets the factor two that its forward has ---------------------
@jax.custom_vjp
def d_logdet_half(a):
    return jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(a))))


def d_logdet_half_fwd(a):
    l = jnp.linalg.cholesky(a)
    return 2.0 * jnp.sum(jnp.log(jnp.diag(l))), a


def d_logdet_half_bwd(a, g):
    return (g * jnp.linalg.inv(d_sym(a)),)


d_logdet_half.defvjp(d_logdet_half_fwd, d_logdet_half_bwd)


# 4. matrix exponential as if everything commuted -------------------------------------------------
@jax.custom_jvp
def d_expm_commuting(a):
    return jsp.linalg.expm(a)


@d_expm_commuting.defjvp
def d_expm_commuting_jvp(primals, tangents):
    e = d_expm_commuting(primals[0])
    return e, e @ tangents[0]


# 5. eigenvalues, the eigenvector matrix the wrong way round --------------------------------------
@jax.custom_vjp
def d_eigvals(a):
    return jnp.linalg.eigvalsh(a)


def d_eigvals_fwd(a):
    w, v = jnp.linalg.eigh(a)
    return w, v


d_eigvals.defvjp(d_eigvals_fwd, lambda v, g: (v.T @ (g[:, None] * v),))


def d_eigvals_ref(a):
    return jnp.linalg.eigvalsh(a)


# 6. triangular solve, the cotangent is not restricted to the triangle ----------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def d_tri_solve(l, b, lower):
    return jsp.linalg.solve_triangular(l, b, lower=lower)


def d_tri_solve_fwd(l, b, lower):
    x = d_tri_solve(l, b, lower)
    return x, (l, x)


def d_tri_solve_bwd(lower, res, g):
    l, x = res
    w = jsp.linalg.solve_triangular(l, g, lower=lower, trans=1)
    return -w @ x.T, w


d_tri_solve.defvjp(d_tri_solve_fwd, d_tri_solve_bwd)


def d_tri_solve_ref(l, b, lower):
    return jnp.linalg.solve(jnp.tril(l) if lower else jnp.triu(l), b)


def d_draw_triangular(rng, sizes):
    n = sizes["N"]
    l = 0.5 * rng.normal(size=(n, n)) + np.diag(rng.uniform(1.5, 2.5, size=n))
    return l, rng.normal(size=(n, sizes["K"])), True


# 7. least squares with its residual sum of squares, one term of one output missing ---------------
@jax.custom_vjp
def d_lstsq(a, b):
    return d_lstsq_fwd(a, b)[0]


def d_lstsq_fwd(a, b):
    q, r = jnp.linalg.qr(a)
    x = jsp.linalg.solve_triangular(r, q.T @ b)
    res = b - a @ x
    return (x, jnp.sum(res**2)), (a, r, x, res)


def d_lstsq_bwd(saved, cts):
    a, r, x, res = saved
    gx, grss = cts
    w = jsp.linalg.solve_triangular(r, jsp.linalg.solve_triangular(r, gx, trans=1))
    aw = a @ w
    return jnp.outer(res, w) - jnp.outer(aw, x), aw + 2 * grss * res


d_lstsq.defvjp(d_lstsq_fwd, d_lstsq_bwd)


def d_lstsq_ref(a, b):
    x = jnp.linalg.solve(a.T @ a, a.T @ b)
    return x, jnp.sum((b - a @ x) ** 2)


def d_draw_regression(rng, sizes):
    (a,) = d_draw_tall(rng, sizes)
    return a, rng.normal(size=sizes["M"])


# 8. fixed point, Neumann series cut after a few terms ---------------------------------------------
def d_deq_iterate(w, x):
    return lax.fori_loop(0, 80, lambda _, z: jnp.tanh(w @ z + x), jnp.zeros_like(x))


@jax.custom_vjp
def d_deq_neumann(w, x):
    return d_deq_iterate(w, x)


def d_deq_neumann_fwd(w, x):
    z = d_deq_iterate(w, x)
    return z, (w, x, z)


def d_deq_neumann_bwd(res, g):
    w, x, z = res
    _, pull = jax.vjp(lambda w, x, z: jnp.tanh(w @ z + x), w, x, z)
    u = g
    for _ in range(6):
        u = g + pull(u)[2]
    return pull(u)[:2]


d_deq_neumann.defvjp(d_deq_neumann_fwd, d_deq_neumann_bwd)


# 9. Lambert W, the saved output is cut off from the input ------------------------------------------
def d_halley(x):
    w = jnp.log1p(x)
    for _ in range(8):
        e = w - x * jnp.exp(-w)
        w = w - e / (w + 1 - (w + 2) * e / (2 * w + 2))
    return w


@jax.custom_vjp
def d_productlog(x):
    return d_halley(x)


def d_productlog_fwd(x):
    w = lax.stop_gradient(d_halley(x))  # the iterations need not be differentiated
    return w, w


d_productlog.defvjp(d_productlog_fwd, lambda w, g: (g * jnp.exp(-w) / (1 + w),))


# 10. simplex projection, mean over all entries ------------------------------------------------------
@jax.custom_vjp
def d_sparsemax(z):
    z = z - jnp.max(z)
    srt = jnp.sort(z)[::-1]
    k = jnp.arange(1, z.shape[0] + 1)
    cum = jnp.cumsum(srt)
    size = jnp.sum(1 + k * srt > cum)
    tau = (cum[size - 1] - 1) / size
    return jnp.maximum(z - tau.astype(z.dtype), 0)


def d_sparsemax_fwd(z):
    p = d_sparsemax(z)
    return p, p


def d_sparsemax_bwd(p, g):
    s = jnp.where(p > 0, g, 0)
    return (jnp.where(p > 0, g - jnp.mean(s), 0),)


d_sparsemax.defvjp(d_sparsemax_fwd, d_sparsemax_bwd)


# 11. projection onto a ball, the radial part stays ---------------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def d_ball(radius, x):
    n = jnp.linalg.norm(x)
    return jnp.where(n > radius, radius / n, 1.0) * x


def d_ball_fwd(radius, x):
    n = jnp.linalg.norm(x)
    scale = jnp.where(n > radius, radius / n, 1.0)
    return scale * x, scale


d_ball.defvjp(d_ball_fwd, lambda radius, scale, g: (scale * g,))


def d_ball_ref(x):
    sq = jnp.sum(x * x)
    outside = sq > 4.0
    return jnp.where(outside, x * 2.0 / jnp.sqrt(jnp.where(outside, sq, 1.0)), x)


# 12. table lookup, held constant beyond the ends but with a slope there -------------------------------
D_TABLE_X = np.array([0.0, 0.5, 1.5, 2.0, 4.0])
D_TABLE_Y = np.array([1.0, 1.4, -0.3, 0.2, 2.5])


@jax.custom_vjp
def d_table(x):
    return jnp.interp(x, jnp.asarray(D_TABLE_X, x.dtype), jnp.asarray(D_TABLE_Y, x.dtype))


def d_table_bwd(x, g):
    slopes = jnp.asarray(np.diff(D_TABLE_Y) / np.diff(D_TABLE_X), g.dtype)
    i = jnp.searchsorted(jnp.asarray(D_TABLE_X, x.dtype), x, side="right") - 1
    return (g * slopes[jnp.clip(i, 0, len(D_TABLE_X) - 2)],)


d_table.defvjp(lambda x: (d_table(x), x), d_table_bwd)


def d_table_ref(x):
    y = jnp.full_like(x, D_TABLE_Y[0].item())
    for a, b, u, v in zip(
        D_TABLE_X[:-1].tolist(),
        D_TABLE_X[1:].tolist(),
        D_TABLE_Y[:-1].tolist(),
        D_TABLE_Y[1:].tolist(),
    ):
        y = jnp.where(x >= a, u + (x - a) * ((v - u) / (b - a)), y)
    return jnp.where(x > D_TABLE_X[-1].item(), D_TABLE_Y[-1].item(), y)


# 13. permutation, the same permutation on the way back ------------------------------------------------
@jax.custom_vjp
def d_shuffle(x, perm):
    return jnp.take(x, perm, axis=-1)


d_shuffle.defvjp(
    lambda x, perm: (jnp.take(x, perm, axis=-1), perm),
    lambda perm, g: (jnp.take(g, perm, axis=-1), None),
)


def d_shuffle_ref(x, perm):
    return x[..., perm]


# 14. Bernoulli log likelihood, a stabiliser in the backward only --------------------------------------
@jax.custom_vjp
def d_bernoulli(p, hit):
    return jnp.sum(jnp.where(hit, jnp.log(p), jnp.log1p(-p)))


def d_bernoulli_bwd(res, g):
    p, hit = res
    return g * jnp.where(hit, 1 / (p + 1e-5), -1 / (1 - p + 1e-5)), None


d_bernoulli.defvjp(lambda p, hit: (d_bernoulli(p, hit), (p, hit)), d_bernoulli_bwd)


def d_bernoulli_ref(p, hit):
    y = hit.astype(p.dtype)
    return jnp.sum(jax.scipy.special.xlogy(y, p) + jax.scipy.special.xlog1py(1 - y, -p))


# 15. beta log density, a term of the second parameter is missing --------------------------------------
@jax.custom_jvp
def d_beta_logpdf(x, a, b):
    return (a - 1) * jnp.log(x) + (b - 1) * jnp.log1p(-x) + gammaln(a + b) - gammaln(a) - gammaln(b)


@d_beta_logpdf.defjvp
def d_beta_logpdf_jvp(primals, tangents):
    x, a, b = primals
    dx, da, db = tangents
    t = dx * ((a - 1) / x - (b - 1) / (1 - x))
    t = t + da * (jnp.log(x) + digamma(a + b) - digamma(a))
    t = t + db * (jnp.log1p(-x) - digamma(b))
    return d_beta_logpdf(x, a, b), t


def d_beta_logpdf_ref(x, a, b):
    log_beta = gammaln(a) + gammaln(b) - gammaln(a + b)
    return jax.scipy.special.xlogy(a - 1, x) + jax.scipy.special.xlog1py(b - 1, -x) - log_beta


# 16. logistic loss, overflow of the exponential in the backward ----------------------------------------
@jax.custom_vjp
def d_logistic_nll(z, y):
    return jnp.mean(jnp.logaddexp(0.0, z) - jnp.where(y, z, 0))


def d_logistic_nll_fwd(z, y):
    return d_logistic_nll(z, y), (z, y)


def d_logistic_nll_bwd(res, g):
    z, y = res
    e = jnp.exp(z)
    return g / z.size * (e / (1 + e) - y.astype(z.dtype)), None


d_logistic_nll.defvjp(d_logistic_nll_fwd, d_logistic_nll_bwd)


def d_logistic_nll_ref(z, y):
    return jnp.mean(jax.nn.softplus(jnp.where(y, -z, z)))


# 17. Runge-Kutta step of logistic growth, one weight of the adjoint --------------------------------------
def d_growth(y):
    return y * (1 - y)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def d_rk4(y, h):
    return d_rk4_fwd(y, h)[0]


def d_rk4_fwd(y, h):
    k1 = d_growth(y)
    y2 = y + h / 2 * k1
    y3 = y + h / 2 * d_growth(y2)
    y4 = y + h * d_growth(y3)
    out = y + h / 6 * (k1 + 2 * d_growth(y2) + 2 * d_growth(y3) + d_growth(y4))
    return out, (y, y2, y3, y4)


def d_rk4_bwd(h, stages, g):
    y1, y2, y3, y4 = stages
    a4 = h / 6 * g * (1 - 2 * y4)
    a3 = (h / 6 * g + h * a4) * (1 - 2 * y3)
    a2 = (h / 3 * g + h / 2 * a3) * (1 - 2 * y2)
    a1 = (h / 6 * g + h / 2 * a2) * (1 - 2 * y1)
    return (g + a1 + a2 + a3 + a4,)


d_rk4.defvjp(d_rk4_fwd, d_rk4_bwd)


def d_rk4_ref(y, h):
    def f(y):
        return y - y**2

    k1 = f(y)
    k2 = f(y + 0.5 * h * k1)
    k3 = f(y + 0.5 * h * k2)
    k4 = f(y + h * k3)
    return y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6


# 18. Heun step, the numpy tableau turns float32 into float64 ----------------------------------------------
D_HEUN_B = np.array([0.5, 0.5])


@jax.custom_vjp
def d_heun(y):
    k1 = -jnp.sin(y)
    k2 = -jnp.sin(y + 0.1 * k1)
    return y + 0.1 * (D_HEUN_B[0] * k1 + D_HEUN_B[1] * k2)


def d_heun_bwd(y, g):
    k1 = -jnp.sin(y)
    a2 = -0.05 * g * jnp.cos(y + 0.1 * k1)
    a1 = -(0.05 * g + 0.1 * a2) * jnp.cos(y)
    return ((g + a1 + a2).astype(y.dtype),)


d_heun.defvjp(lambda y: (d_heun(y), y), d_heun_bwd)


def d_heun_ref(y):
    f = lambda y: -jnp.sin(y)
    mid = y + 0.1 * f(y)
    return y + 0.05 * (f(y) + f(mid))


# 19. binarisation, meant to be saturated, passes everything ------------------------------------------------
@jax.custom_vjp
def d_binarise(x):
    return jnp.where(x >= 0, 1, -1).astype(x.dtype)


d_binarise.defvjp(lambda x: (d_binarise(x), x), lambda x, g: (g,))


def d_binarise_ref(x):
    return 2 * (x >= 0).astype(x.dtype) - 1


def d_binarise_backward(args, dz):
    return (jnp.where(jnp.abs(args[0]) <= 1, dz, 0),)


# 20. gradient clipped per example, the norm is over the whole batch ------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def d_clip_rows(x, limit):
    return x


def d_clip_rows_bwd(limit, _, g):
    norm = jnp.sqrt(jnp.sum(g * g, keepdims=True) + 1e-30)
    return (g * jnp.minimum(1, limit / norm),)


d_clip_rows.defvjp(lambda x, limit: (x, None), d_clip_rows_bwd)


def d_clip_rows_ref(x, limit):
    return x


def d_clip_rows_backward(args, dz):
    norm = jnp.sqrt(jnp.sum(dz * dz, axis=-1, keepdims=True) + 1e-30)
    return jnp.where(norm > args[1], dz * (args[1] / norm), dz), None


# 21. learned step size quantisation, saturated entries give the step no gradient ------------------------------
@jax.custom_vjp
def d_lsq(x, step):
    return step * jnp.clip(jnp.round(x / step), -4, 3)


def d_lsq_bwd(res, g):
    x, step = res
    v = x / step
    inside = (v > -4) & (v < 3)
    dx = jnp.where(inside, g, 0)
    return dx, jnp.sum(dx * (jnp.round(v) - v), axis=0)


d_lsq.defvjp(lambda x, step: (d_lsq(x, step), (x, step)), d_lsq_bwd)


def d_lsq_ref(x, step):
    return step * jnp.round(jnp.clip(x / step, -4, 3))


def d_lsq_backward(args, dz):
    x, step = args
    v = x / step
    per_entry = jnp.where(v <= -4, -4.0, jnp.where(v >= 3, 3.0, jnp.round(v) - v))
    return dz * ((v > -4) & (v < 3)), jnp.sum(dz * per_entry, axis=0)


# 22. Euclidean norm, NaN at the origin where zero is promised ---------------------------------------------------
@jax.custom_vjp
def d_norm(x):
    return jnp.sqrt(jnp.sum(x * x))


def d_norm_fwd(x):
    n = d_norm(x)
    return n, (x, n)


d_norm.defvjp(d_norm_fwd, lambda res, g: (g * res[0] / res[1],))


def d_norm_ref(x):
    return jnp.sqrt(jnp.vdot(x, x))


# 23. maximum, every one of the equal entries gets the whole gradient ----------------------------------------------
@jax.custom_jvp
def d_amax(x):
    return jnp.max(x, axis=0)


@d_amax.defjvp
def d_amax_jvp(primals, tangents):
    m = d_amax(primals[0])
    return m, jnp.sum(jnp.where(primals[0] == m, tangents[0], 0), axis=0)


def d_amax_ref(x):
    return jnp.max(x, axis=0)


# 24. isotonic regression on the host, cannot be mapped ------------------------------------------------------------
def d_pav_host(x):
    x = np.asarray(x)
    blocks = []
    for v in x.tolist():
        blocks.append([v, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [[(m * a + n * b) / (m + n), m + n]]
    return np.concatenate([np.full(n, v, x.dtype) for v, n in blocks])


@jax.custom_vjp
def d_isotonic_host(x):
    return jax.pure_callback(d_pav_host, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def d_isotonic_host_fwd(x):
    y = d_isotonic_host(x)
    return y, y


def d_isotonic_host_bwd(y, g):
    same = (y[:, None] == y).astype(g.dtype)
    return (same @ g / same.sum(1),)


d_isotonic_host.defvjp(d_isotonic_host_fwd, d_isotonic_host_bwd)


# 25. log of the sample variance, by the difference of two large means ----------------------------------------------
@jax.custom_vjp
def d_log_var(x):
    return jnp.log(jnp.mean(x * x) - jnp.mean(x) ** 2)


def d_log_var_fwd(x):
    m = jnp.mean(x)
    var = jnp.mean(x * x) - m * m
    return jnp.log(var), (x - m, var)


d_log_var.defvjp(d_log_var_fwd, lambda res, g: (2 * g * res[0] / (res[1] * res[0].size),))


def d_log_var_ref(x):
    return jnp.log(jnp.mean((x - jnp.mean(x)) ** 2))


def d_draw_readings(rng, sizes):
    return (1000 + 2 * rng.normal(size=sizes["N"]),)


D_SPD = np.array([[2.0, 0.5, -0.3], [0.5, 1.5, 0.4], [-0.3, 0.4, 1.0]])
D_GEN = np.array([[3.0, 1.0, -0.5], [-0.7, 2.5, 0.8], [0.2, -1.1, 2.0]])

CASES = (
    # right
    Case(
        "d_spd_solve",
        "linear algebra",
        False,
        "SPD solve, Cholesky factor and solution saved, symmetrised cotangent",
        Rule(d_spd_solve, d_spd_solve_ref, ("NxN:spd", "NxK"), dtypes=LAPACK),
    ),
    Case(
        "d_inverse",
        "linear algebra",
        False,
        "matrix inverse, custom_jvp from the output",
        Rule(
            d_inverse, d_inverse_ref, draw=d_draw_general, dtypes=LAPACK, sizes=({"N": 2}, {"N": 4})
        ),
    ),
    Case(
        "d_cholesky",
        "linear algebra",
        False,
        "Cholesky factor with Murray's reverse rule on the output",
        Rule(d_cholesky, d_cholesky_ref, ("NxN:spd",), dtypes=LAPACK),
    ),
    Case(
        "d_logdet",
        "linear algebra",
        False,
        "log det of the symmetrised matrix as a custom_jvp",
        Rule(d_logdet, d_logdet_ref, ("NxN:spd",), dtypes=LAPACK),
    ),
    Case(
        "d_sqrtm",
        "matrix function",
        False,
        "matrix square root, tangent from a Kronecker-sum Sylvester solve",
        Rule(d_sqrtm, d_sqrtm_ref, ("NxN:spd",), dtypes=LAPACK, sizes=({"N": 2}, {"N": 4})),
    ),
    Case(
        "d_expm",
        "matrix function",
        False,
        "matrix exponential, adjoint Frechet derivative by a block matrix, cotangent rescaled",
        Rule(d_expm, d_expm_ref, ("NxN:(-1,1)",), dtypes=LAPACK, sizes=({"N": 2}, {"N": 4})),
    ),
    Case(
        "d_pinv",
        "least squares",
        False,
        "pseudo-inverse of a full-rank matrix, Golub-Pereyra tangent",
        Rule(
            d_pinv,
            d_pinv_ref,
            draw=d_draw_tall,
            dtypes=LAPACK,
            sizes=({"M": 4, "N": 2}, {"M": 6, "N": 3}),
        ),
    ),
    Case(
        "d_qr_positive",
        "linear algebra",
        False,
        "thin QR with a positive diagonal, two outputs, rule from the outputs",
        Rule(
            d_qr_positive,
            d_qr_positive_ref,
            draw=d_draw_tall,
            dtypes=LAPACK,
            sizes=({"M": 4, "N": 2}, {"M": 6, "N": 3}),
        ),
    ),
    Case(
        "d_nuclear",
        "trace norm",
        False,
        "nuclear norm, the polar factor is the gradient",
        Rule(
            d_nuclear,
            d_nuclear_ref,
            draw=d_draw_tall,
            dtypes=LAPACK,
            sizes=({"M": 4, "N": 2}, {"M": 5, "N": 3}),
        ),
    ),
    Case(
        "d_mvn_logpdf",
        "log likelihood",
        False,
        "multivariate normal log density, three cotangents from whitened residuals",
        Rule(d_mvn_logpdf, d_mvn_logpdf_ref, ("N", "N", "NxN:spd"), dtypes=LAPACK),
    ),
    Case(
        "d_deq",
        "implicit",
        False,
        "fixed point in a while_loop, implicit function theorem, forward calls the rule itself",
        Rule(
            d_deq,
            d_deq_ref,
            draw=d_draw_contraction,
            dtypes=LAPACK,
            rtol=1e-8,
            sizes=({"N": 2}, {"N": 5}),
        ),
    ),
    Case(
        "d_lambertw",
        "implicit",
        False,
        "Lambert W by Newton, derivative exp(-w) / (1 + w)",
        Rule(d_lambertw, d_lambertw_ref, ("N:>0",), dtypes=NARROW, rtol=1e-10),
    ),
    Case(
        "d_project_simplex",
        "projection",
        False,
        "projection onto the simplex, support from the output",
        Rule(d_project_simplex, d_project_simplex_ref, ("N",), dtypes=NARROW),
    ),
    Case(
        "d_isotonic",
        "projection",
        False,
        "isotonic regression, the backward averages over blocks of equal output",
        Rule(d_isotonic, d_isotonic_ref, ("N",), dtypes=NARROW, sizes=({"N": 3}, {"N": 7})),
    ),
    Case(
        "d_interp",
        "interpolation",
        False,
        "piecewise linear interpolation, gradients for points, knots and values",
        Rule(
            d_interp,
            d_interp_ref,
            ("M", "N:sorted", "N"),
            dtypes=NARROW,
            sizes=({"M": 5, "N": 2}, {"M": 7, "N": 6}),
        ),
    ),
    Case(
        "d_permute_rows",
        "permutation",
        False,
        "rows permuted, backward by a scatter with the same permutation",
        Rule(d_permute_rows, d_permute_rows_ref, ("NxD", "N:perm")),
    ),
    Case(
        "d_dirichlet_logpdf",
        "log likelihood",
        False,
        "Dirichlet log density over a batch on the simplex",
        Rule(
            d_dirichlet_logpdf,
            d_dirichlet_logpdf_ref,
            ("BxN:simplex", "N:(0.5,20)"),
            batch="B",
            dtypes=NARROW,
        ),
    ),
    Case(
        "d_leapfrog",
        "ODE step",
        False,
        "reversible leapfrog step, inputs reconstructed from the outputs in the backward",
        Rule(d_leapfrog, d_leapfrog_ref, ("N:(-3,3)", "N:(-3,3)", 0.1), dtypes=NARROW),
    ),
    Case(
        "d_round_ste",
        "deliberate backward",
        False,
        "straight-through rounding as a stop_gradient expression",
        Rule(d_round_ste, d_round_ref, ("NxD",), backward=d_round_backward),
    ),
    Case(
        "d_spike",
        "deliberate backward",
        False,
        "threshold at one with an arctan surrogate gradient, through functools.partial",
        Rule(
            functools.partial(d_spike_op, 2.0),
            d_spike_ref,
            ("N",),
            backward=d_spike_backward,
            dtypes=NARROW,
        ),
    ),
    Case(
        "d_clip_tree",
        "deliberate backward",
        False,
        "identity on a dict, gradient clipped by the norm of the whole tree",
        Rule(
            d_clip_tree,
            d_clip_tree_ref,
            ({"kernel": "NxD", "bias": "D"}, 1.5),
            backward=d_clip_tree_backward,
            dtypes=NARROW,
        ),
    ),
    Case(
        "d_freeze",
        "deliberate backward",
        False,
        "identity whose gradient passes only where a boolean mask is set",
        Rule(d_freeze, d_freeze_ref, ("NxD", "NxD:bool"), backward=d_freeze_backward),
    ),
    Case(
        "d_rowmax_first",
        "ties",
        False,
        "row maximum, the first of equal entries takes the gradient, as declared",
        Rule(
            d_rowmax_first,
            d_rowmax_first_ref,
            ("BxN",),
            batch="B",
            dtypes=NARROW,
            kinks=(
                Kink(
                    "first of two equal",
                    (np.array([[1.0, 3.0, 3.0]]),),
                    np.array([2.0]),
                    (np.array([[0.0, 2.0, 0.0]]),),
                ),
            ),
        ),
    ),
    Case(
        "d_project_box",
        "projection",
        False,
        "clip to a box, gradient one on both faces, as declared",
        Rule(
            d_project_box,
            d_project_box_ref,
            ("N", -1.0, 2.0),
            dtypes=NARROW,
            kinks=(
                Kink(
                    "lower face",
                    (np.array([-1.0, 0.3]), -1.0, 2.0),
                    np.array([3.0, 1.0]),
                    (np.array([3.0, 1.0]), None, None),
                ),
                Kink(
                    "upper face",
                    (np.array([2.0, 7.0]), -1.0, 2.0),
                    np.array([3.0, 1.0]),
                    (np.array([3.0, 0.0]), None, None),
                ),
            ),
        ),
    ),
    Case(
        "d_median",
        "ties",
        False,
        "median of odd or even length by argsort, ties as a stable sort has them",
        Rule(
            d_median,
            d_median_ref,
            ("N",),
            dtypes=NARROW,
            sizes=({"N": 5}, {"N": 6}),
            kinks=(
                Kink(
                    "all equal",
                    (np.array([2.0, 2.0, 2.0]),),
                    np.array(1.0),
                    (np.array([0.0, 1.0, 0.0]),),
                ),
            ),
        ),
    ),
    # wrong
    Case(
        "d_solve_plain",
        "linear algebra",
        True,
        "the backward of a general solve uses A instead of its transpose",
        Rule(
            d_solve_plain,
            d_solve_plain_ref,
            draw=d_draw_system,
            dtypes=LAPACK,
            sizes=({"N": 2}, {"N": 4}),
        ),
        (D_GEN, np.array([1.0, -2.0, 0.5])),
    ),
    Case(
        "d_chol_nohalf",
        "linear algebra",
        True,
        "Cholesky reverse rule takes the lower triangle without halving the diagonal",
        Rule(d_chol_nohalf, d_cholesky_ref, ("NxN:spd",), dtypes=LAPACK),
        (D_SPD,),
    ),
    Case(
        "d_logdet_half",
        "linear algebra",
        True,
        "undifferentiated log det lacks the factor two that the forward has",
        Rule(d_logdet_half, d_logdet_ref, ("NxN:spd",), dtypes=LAPACK),
        (D_SPD,),
        "primal",
    ),
    Case(
        "d_expm_commuting",
        "matrix function",
        True,
        "matrix exponential differentiated as if A and dA commuted",
        Rule(
            d_expm_commuting, d_expm_ref, ("NxN:(-1,1)",), dtypes=LAPACK, sizes=({"N": 2}, {"N": 4})
        ),
        (np.array([[0.2, 0.7], [-0.4, 0.5]]),),
    ),
    Case(
        "d_eigvals",
        "linear algebra",
        True,
        "gradient of eigenvalues V^T diag(g) V instead of V diag(g) V^T",
        Rule(d_eigvals, d_eigvals_ref, ("NxN:spd",), dtypes=LAPACK),
        (D_SPD,),
    ),
    Case(
        "d_tri_solve",
        "linear algebra",
        True,
        "cotangent of the triangular matrix is not restricted to its triangle",
        Rule(
            d_tri_solve,
            d_tri_solve_ref,
            draw=d_draw_triangular,
            dtypes=LAPACK,
            sizes=({"N": 2, "K": 1}, {"N": 4, "K": 2}),
        ),
        (D_GEN, np.array([[1.0, 0.5], [-2.0, 0.3], [0.5, 1.2]]), True),
    ),
    Case(
        "d_lstsq",
        "least squares",
        True,
        "gradient of the residual sum of squares for the design matrix is dropped",
        Rule(
            d_lstsq,
            d_lstsq_ref,
            draw=d_draw_regression,
            dtypes=LAPACK,
            sizes=({"M": 4, "N": 2}, {"M": 6, "N": 3}),
        ),
        (
            np.array([[1.0, 0.2], [0.5, -1.0], [0.3, 0.8], [-0.6, 0.4]]),
            np.array([1.0, -0.5, 2.0, 0.3]),
        ),
    ),
    Case(
        "d_deq_neumann",
        "implicit",
        True,
        "fixed point backward cut to seven Neumann terms, far from the stated tolerance",
        Rule(
            d_deq_neumann,
            d_deq_ref,
            draw=d_draw_contraction,
            dtypes=LAPACK,
            rtol=1e-6,
            sizes=({"N": 2}, {"N": 5}),
        ),
        (np.array([[0.5, -0.2], [0.1, 0.55]]), np.array([0.2, -0.1])),
    ),
    Case(
        "d_productlog",
        "implicit",
        True,
        "Lambert W: saved output detached, so the second derivative is zero",
        Rule(d_productlog, d_lambertw_ref, ("N:>0",), dtypes=NARROW, rtol=1e-10),
        (np.array([0.3, 1.0, 20.0]),),
        "second",
    ),
    Case(
        "d_sparsemax",
        "projection",
        True,
        "sparsemax backward divides by the length instead of the support's size",
        Rule(d_sparsemax, d_project_simplex_ref, ("N",), dtypes=NARROW),
        (np.array([0.9, 0.6, -1.5]),),
    ),
    Case(
        "d_ball",
        "projection",
        True,
        "projection onto a ball: radial part not removed outside it",
        Rule(functools.partial(d_ball, 2.0), d_ball_ref, ("N",), dtypes=NARROW),
        (np.array([2.0, -1.0, 3.0]),),
    ),
    Case(
        "d_table",
        "interpolation",
        True,
        "lookup table constant beyond its ends, but the backward keeps the last slope there",
        Rule(d_table, d_table_ref, ("N",), dtypes=NARROW),
        (np.array([0.7, 5.0, -3.0]),),
    ),
    Case(
        "d_shuffle",
        "permutation",
        True,
        "backward applies the permutation again instead of its inverse",
        Rule(
            d_shuffle, d_shuffle_ref, ("DxN", "N:perm"), sizes=({"D": 2, "N": 4}, {"D": 3, "N": 6})
        ),
        (np.array([[1.0, 2.0, 3.0]]), np.array([1, 2, 0])),
    ),
    Case(
        "d_bernoulli",
        "log likelihood",
        True,
        "1e-5 added to the denominators in the backward only, wrong near zero and one",
        Rule(d_bernoulli, d_bernoulli_ref, ("N:(0,1)", "N:bool"), dtypes=NARROW),
        (np.array([1e-5, 0.3, 0.9999]), np.array([True, True, False])),
    ),
    Case(
        "d_beta_logpdf",
        "log likelihood",
        True,
        "beta log density: digamma(a + b) is missing from the tangent of b",
        Rule(
            d_beta_logpdf, d_beta_logpdf_ref, ("N:(0,1)", "N:(0.5,20)", "N:(0.5,20)"), dtypes=NARROW
        ),
        (np.array([0.3, 0.8]), np.array([2.0, 5.0]), np.array([3.0, 1.5])),
    ),
    Case(
        "d_logistic_nll",
        "log likelihood",
        True,
        "sigmoid as exp(z) / (1 + exp(z)) in the backward, NaN for large logits",
        Rule(
            d_logistic_nll,
            d_logistic_nll_ref,
            ("N", "N:bool"),
            batch="N",
            reduces="mean",
            dtypes=NARROW,
        ),
        (np.array([0.5, 1200.0, -3.0]), np.array([True, True, False])),
    ),
    Case(
        "d_rk4",
        "ODE step",
        True,
        "adjoint of a Runge-Kutta step weighs the third stage by 1/6 instead of 1/3",
        Rule(d_rk4, d_rk4_ref, ("N:(0,1)", 0.2), dtypes=NARROW),
        (np.array([0.1, 0.3, 0.8]), 0.2),
    ),
    Case(
        "d_heun",
        "ODE step",
        True,
        "numpy float64 tableau promotes a float32 state to float64",
        Rule(d_heun, d_heun_ref, ("N:(-3,3)",), dtypes=NARROW),
        (np.array([0.3, -1.2]),),
        "float32",
    ),
    Case(
        "d_binarise",
        "deliberate backward",
        True,
        "sign with a saturated straight-through backward, but nothing is saturated for |x| > 1",
        Rule(d_binarise, d_binarise_ref, ("N",), backward=d_binarise_backward, dtypes=NARROW),
        (np.array([0.4, 1.7, -3.0]),),
    ),
    Case(
        "d_clip_rows",
        "deliberate backward",
        True,
        "per-example gradient clipping takes the norm over the whole batch",
        Rule(
            d_clip_rows, d_clip_rows_ref, ("BxD", 0.5), backward=d_clip_rows_backward, dtypes=NARROW
        ),
        (np.array([[1.0, 2.0], [0.1, -0.4]]), 0.5),
    ),
    Case(
        "d_lsq",
        "deliberate backward",
        True,
        "learned per-channel step quantiser: saturated entries give no gradient to the step",
        Rule(d_lsq, d_lsq_ref, ("NxD", "D:>0"), backward=d_lsq_backward, dtypes=NARROW),
        (np.array([[0.32, 1.1], [5.0, -9.0]]), np.array([0.5, 0.8])),
    ),
    Case(
        "d_norm",
        "kink",
        True,
        "Euclidean norm gives NaN at the origin where the declared convention is zero",
        Rule(
            d_norm,
            d_norm_ref,
            ("N",),
            dtypes=NARROW,
            kinks=(Kink("origin", (np.zeros(3),), np.array(1.0), (np.zeros(3),), np.array(0.0)),),
        ),
        (np.zeros(3),),
        "kink",
    ),
    Case(
        "d_amax",
        "ties",
        True,
        "maximum over the first axis: each of several equal entries gets the whole gradient",
        Rule(
            d_amax,
            d_amax_ref,
            ("NxD",),
            dtypes=NARROW,
            kinks=(
                Kink(
                    "tie shared",
                    (np.array([[2.0], [2.0], [1.0]]),),
                    np.array([1.0]),
                    (np.array([[0.5], [0.5], [0.0]]),),
                ),
            ),
        ),
        (np.array([[2.0], [2.0], [1.0]]),),
        "kink",
    ),
    Case(
        "d_isotonic_host",
        "projection",
        True,
        "isotonic regression through pure_callback without vmap_method: fails under vmap",
        Rule(d_isotonic_host, d_isotonic_ref, ("N",), dtypes=NARROW, sizes=({"N": 3}, {"N": 7})),
        (np.array([1.0, 0.5, 2.0, 1.2]),),
        "transform",
    ),
    Case(
        "d_log_var",
        "log likelihood",
        True,
        "log variance as mean of squares minus squared mean, float32 loses it for readings near 1000",
        Rule(
            d_log_var,
            d_log_var_ref,
            draw=d_draw_readings,
            dtypes=NARROW,
            sizes=({"N": 5}, {"N": 12}),
        ),
        (np.array([1000.1, 999.7, 1001.2, 1000.6, 998.9]),),
        "float32",
    ),
)
