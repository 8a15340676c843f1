"""Blind cases: structures and jax features.

Written by people who had not seen the checker, its guide or the layers; rules unchanged since.
"""

# pyright: reportArgumentType=false

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero

from experiments.wrong_gradients._case import Case
from ffnn_jax.verify import Kink, Rule, Static

WIDE = ("float64", "float32")
WIDEB = ("float64", "float32", "bfloat16")


# -- dense layer with a dict of parameters, saved output -----------------------------------------
@jax.custom_vjp
def c_tanh_dense(params, x):
    return jnp.tanh(x @ params["w"] + params["b"])


def c_tanh_dense_fwd(params, x):
    y = c_tanh_dense(params, x)
    return y, (params["w"], x, y)


def c_tanh_dense_bwd(res, g):
    w, x, y = res
    d = g * (1 - y) * (1 + y)
    return {"w": x.T @ d, "b": d.sum(axis=0)}, d @ w.T


c_tanh_dense.defvjp(c_tanh_dense_fwd, c_tanh_dense_bwd)


def c_tanh_dense_ref(params, x):
    pre = jnp.einsum("nd,dk->nk", x, params["w"]) + params["b"][None, :]
    return jnp.tanh(pre)


# -- LSTM pointwise step, NamedTuple in and out; the old h is not used here ----------------------
class CLstm(NamedTuple):
    c: Any
    h: Any


@jax.custom_vjp
def c_lstm_step(gates, state):
    return c_lstm_step_fwd(gates, state)[0]


def c_lstm_step_fwd(gates, state):
    i, f, o = (jax.nn.sigmoid(gates[:, k]) for k in (0, 1, 3))
    u = jnp.tanh(gates[:, 2])
    c = f * state.c + i * u
    tc = jnp.tanh(c)
    return CLstm(c=c, h=o * tc), (i, f, u, o, state.c, tc)


def c_lstm_step_bwd(res, ct):
    i, f, u, o, c_old, tc = res
    dc = ct.c + ct.h * o * (1 - tc) * (1 + tc)
    d_gates = jnp.stack(
        [
            dc * u * i * (1 - i),
            dc * c_old * f * (1 - f),
            dc * i * (1 - u) * (1 + u),
            ct.h * tc * o * (1 - o),
        ],
        axis=1,
    )
    return d_gates, CLstm(c=dc * f, h=None)


c_lstm_step.defvjp(c_lstm_step_fwd, c_lstm_step_bwd)


def c_lstm_step_ref(gates, state):
    i, f, u, o = gates[:, 0], gates[:, 1], gates[:, 2], gates[:, 3]
    c = jax.nn.sigmoid(f) * state.c + jax.nn.sigmoid(i) * jnp.tanh(u)
    return CLstm(c=c, h=jax.nn.sigmoid(o) * jnp.tanh(c))


# -- Hermite polynomial, the degree first (static) ------------------------------------------------
@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def c_hermite(n, x):
    prev, cur = jnp.zeros_like(x), jnp.ones_like(x)
    for k in range(n):
        prev, cur = cur, x * cur - k * prev
    return cur


@c_hermite.defjvp
def c_hermite_jvp(n, primals, tangents):
    (x,), (dx,) = primals, tangents
    slope = n * c_hermite(n - 1, x) if n > 0 else jnp.zeros_like(x)
    return c_hermite(n, x), slope * dx


def c_hermite_ref(n, x):
    out = 0
    for m in range(n // 2 + 1):
        coef = (
            (-1) ** m * math.factorial(n) // (math.factorial(m) * math.factorial(n - 2 * m) * 2**m)
        )
        out = out + coef * x ** (n - 2 * m)
    return out


# -- fixed point of a given function (as in the JAX documentation) --------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_fixed_point(f, theta, x0):
    def cond(carry):
        old, new, k = carry
        gap = jnp.max(jnp.abs(new - old))
        return (gap > 2 * jnp.finfo(new.dtype).eps * jnp.max(jnp.abs(new))) & (k < 120)

    def body(carry):
        _, x, k = carry
        return x, f(theta, x), k + 1

    return lax.while_loop(cond, body, (x0, f(theta, x0), 0))[1]


def c_fixed_point_fwd(f, theta, x0):
    x = c_fixed_point(f, theta, x0)
    return x, (theta, x)


def c_fixed_point_rev(f, packed, u):
    theta, x, g = packed
    return g + jax.vjp(lambda x: f(theta, x), x)[1](u)[0]


def c_fixed_point_bwd(f, res, g):
    theta, x = res
    u = c_fixed_point(functools.partial(c_fixed_point_rev, f), (theta, x, g), g)
    (d_theta,) = jax.vjp(lambda t: f(t, x), theta)[1](u)
    return d_theta, jnp.zeros_like(x)


c_fixed_point.defvjp(c_fixed_point_fwd, c_fixed_point_bwd)


def c_contraction(theta, x):
    return 0.5 * jnp.tanh(theta["w"] @ x / x.shape[0] + theta["b"])


def c_fixed_point_ref(f, theta, x0):
    start = lax.stop_gradient(x0)  # the limit does not depend on the start
    return lax.scan(lambda x, _: (f(theta, x), None), start, None, length=90)[0]


# -- Lambert W by Halley's method, forward-mode rule through the equation -------------------------
@jax.custom_jvp
def c_lambertw(x):
    def halley(_, w):
        e = jnp.exp(w)
        r = w * e - x
        return w - r / (e * (w + 1) - (w + 2) * r / (2 * w + 2))

    return lax.fori_loop(0, 12, halley, jnp.log1p(x))


@c_lambertw.defjvp
def c_lambertw_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    w = c_lambertw(x)
    return w, dx / (jnp.exp(w) * (1 + w))


def c_lambertw_ref(x):
    w = jnp.log1p(x)
    for _ in range(14):
        w = w - (w - x * jnp.exp(-w)) / (1 + w)
    return w


# -- dropout that draws its mask again in the backward --------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_dropout(rate, key, x):
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


def c_dropout_fwd(rate, key, x):
    return c_dropout(rate, key, x), key


def c_dropout_bwd(rate, key, g):
    keep = jax.random.bernoulli(key, 1 - rate, g.shape)
    return None, jnp.where(keep, g / (1 - rate), 0)


c_dropout.defvjp(c_dropout_fwd, c_dropout_bwd)


def c_dropout_ref(key, x):
    mask = jax.random.bernoulli(key, 0.75, x.shape)
    return x * mask.astype(x.dtype) / 0.75


# -- Gumbel softmax -------------------------------------------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def c_gumbel_softmax(key, logits, tau):
    noise = jax.random.gumbel(key, logits.shape, logits.dtype)
    return jax.nn.softmax((logits + noise) / tau, axis=-1)


def c_gumbel_softmax_fwd(key, logits, tau):
    y = c_gumbel_softmax(key, logits, tau)
    return y, y


def c_gumbel_softmax_bwd(tau, y, g):
    inner = jnp.sum(g * y, axis=-1, keepdims=True)
    return None, y * (g - inner) / tau


c_gumbel_softmax.defvjp(c_gumbel_softmax_fwd, c_gumbel_softmax_bwd)


def c_gumbel_softmax_ref(key, logits, tau):
    z = (logits + jax.random.gumbel(key, logits.shape, logits.dtype)) / tau
    e = jnp.exp(z - lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True)))
    return e / jnp.sum(e, axis=-1, keepdims=True)


# -- polar coordinates, two outputs, forward mode -------------------------------------------------
@jax.custom_jvp
def c_polar(x, y):
    return jnp.hypot(x, y), jnp.arctan2(y, x)


@c_polar.defjvp
def c_polar_jvp(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    r, phi = c_polar(x, y)
    c, s = x / r, y / r
    return (r, phi), (c * dx + s * dy, (c * dy - s * dx) / r)


def c_polar_ref(x, y):
    return jnp.sqrt(x * x + y * y), jnp.arctan(y / x)


# -- rotation of complex numbers by real angles ---------------------------------------------------
@jax.custom_vjp
def c_rotate(theta, z):
    return z * jnp.exp(1j * theta)


def c_rotate_fwd(theta, z):
    phase = jnp.exp(1j * theta)
    return z * phase, (phase, z * phase)


def c_rotate_bwd(res, g):
    phase, y = res
    return -jnp.imag(g * y), g * phase


c_rotate.defvjp(c_rotate_fwd, c_rotate_bwd)


def c_rotate_ref(theta, z):
    c, s = jnp.cos(theta), jnp.sin(theta)
    return lax.complex(z.real * c - z.imag * s, z.real * s + z.imag * c)


# -- embedding look-up ----------------------------------------------------------------------------
@jax.custom_vjp
def c_take_rows(table, ids):
    return table[ids]


def c_take_rows_fwd(table, ids):
    return table[ids], (table, ids)


def c_take_rows_bwd(res, g):
    table, ids = res
    return jnp.zeros_like(table).at[ids].add(g), np.zeros(ids.shape, jax.dtypes.float0)


c_take_rows.defvjp(c_take_rows_fwd, c_take_rows_bwd)


def c_take_rows_ref(table, ids):
    return jnp.take(table, ids, axis=0)


# -- mean over the valid steps of each sequence ---------------------------------------------------
@jax.custom_vjp
def c_masked_pool(x, mask):
    return c_masked_pool_fwd(x, mask)[0]


def c_masked_pool_fwd(x, mask):
    m = mask.astype(x.dtype)
    weight = m / m.sum(axis=1, keepdims=True)
    return (x * weight[:, :, None]).sum(axis=1), weight


def c_masked_pool_bwd(weight, g):
    return g[:, None, :] * weight[:, :, None], None


c_masked_pool.defvjp(c_masked_pool_fwd, c_masked_pool_bwd)


def c_masked_pool_ref(x, mask):
    count = jnp.sum(mask, axis=1)[:, None, None].astype(x.dtype)
    return jnp.sum(jnp.where(mask[:, :, None], x / count, 0), axis=1)


def c_masked_pool_draw(generator, sizes):
    n, t, d = sizes["N"], sizes["T"], sizes["D"]
    lengths = generator.integers(1, t + 1, n)
    return generator.normal(size=(n, t, d)), np.arange(t)[None, :] < lengths[:, None]


# -- linear recurrence with a reverse scan --------------------------------------------------------
@jax.custom_vjp
def c_recurrence(a, b, h0):
    def step(h, ab):
        h = ab[0] * h + ab[1]
        return h, h

    return lax.scan(step, h0, (a, b))[1]


def c_recurrence_fwd(a, b, h0):
    hs = c_recurrence(a, b, h0)
    return hs, (a, h0, hs)


def c_recurrence_bwd(res, g):
    a, h0, hs = res

    def step(carry, ag):
        lam = ag[1] + carry
        return ag[0] * lam, lam

    d_h0, lam = lax.scan(step, jnp.zeros_like(h0), (a, g), reverse=True)
    before = jnp.concatenate([h0[None], hs[:-1]])
    return lam * before, lam, d_h0


c_recurrence.defvjp(c_recurrence_fwd, c_recurrence_bwd)


def c_recurrence_ref(a, b, h0):
    h, out = h0, []
    for t in range(a.shape[0]):
        h = a[t] * h + b[t]
        out.append(h)
    return jnp.stack(out)


# -- symbolic zeros done right --------------------------------------------------------------------
@jax.custom_vjp
def c_scale_and_shift(x, w, b):
    return x * w, x + b


def c_scale_and_shift_fwd(x, w, b):
    saved = (x.value if w.perturbed else None, w.value if x.perturbed else None)
    return c_scale_and_shift(x.value, w.value, b.value), saved


def c_scale_and_shift_bwd(saved, cts):
    x, w = saved
    g, h = (jnp.zeros(c.shape, c.dtype) if isinstance(c, SymbolicZero) else c for c in cts)
    d_x = None if w is None else g * w + h
    d_w = None if x is None else jnp.sum(g * x, axis=0)
    return d_x, d_w, jnp.sum(h, axis=0)


c_scale_and_shift.defvjp(c_scale_and_shift_fwd, c_scale_and_shift_bwd, symbolic_zeros=True)


def c_scale_and_shift_ref(x, w, b):
    return jnp.einsum("nd,d->nd", x, w), x + b[None]


# -- dense layer whose bias may be None -----------------------------------------------------------
@jax.custom_vjp
def c_dense(x, w, bias=None):
    y = x @ w
    return y if bias is None else y + bias


def c_dense_fwd(x, w, bias=None):
    return c_dense(x, w, bias), (x, w, bias)


def c_dense_bwd(res, g):
    x, w, bias = res
    return g @ w.T, x.T @ g, None if bias is None else g.sum(0)


c_dense.defvjp(c_dense_fwd, c_dense_bwd)


def c_dense_ref(x, w, bias=None):
    y = jnp.einsum("nd,dk->nk", x, w)
    return y if bias is None else y + bias


# -- RMS norm with a frozen configuration ---------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class CNormConfig:
    eps: float = 1e-5
    offset: float = 1.0


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_rms_norm(cfg, x, gain):
    return c_rms_norm_fwd(cfg, x, gain)[0]


def c_rms_norm_fwd(cfg, x, gain):
    wide = jnp.promote_types(x.dtype, jnp.float32)
    xw = x.astype(wide)
    rstd = lax.rsqrt(jnp.mean(xw * xw, axis=-1, keepdims=True) + cfg.eps)
    xhat = xw * rstd
    y = (xhat * (cfg.offset + gain.astype(wide))).astype(x.dtype)
    return y, (xhat, rstd, gain)


def c_rms_norm_bwd(cfg, res, g):
    xhat, rstd, gain = res
    gw = g.astype(xhat.dtype)
    t = gw * (cfg.offset + gain.astype(xhat.dtype))
    dx = rstd * (t - xhat * jnp.mean(t * xhat, axis=-1, keepdims=True))
    return dx.astype(g.dtype), jnp.sum(gw * xhat, axis=0).astype(gain.dtype)


c_rms_norm.defvjp(c_rms_norm_fwd, c_rms_norm_bwd)


def c_rms_norm_ref(cfg, x, gain):
    wide = jnp.promote_types(x.dtype, jnp.float32)
    xw, gw = x.astype(wide), gain.astype(wide)
    scale = jnp.sqrt(cfg.eps + jnp.sum(xw**2, axis=-1) / x.shape[-1])
    return (xw / scale[:, None] * (gw + cfg.offset)).astype(x.dtype)


# -- squared error with the reduction as a string -------------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def c_squared_error(pred, target, reduction):
    return c_squared_error_fwd(pred, target, reduction)[0]


def c_squared_error_fwd(pred, target, reduction):
    d = pred - target
    per = jnp.sum(d * d, axis=-1)
    return {"none": lambda v: v, "sum": jnp.sum, "mean": jnp.mean}[reduction](per), d


def c_squared_error_bwd(reduction, d, g):
    g = g[:, None] if reduction == "none" else g
    scale = 2 / d.shape[0] if reduction == "mean" else 2
    dp = d * (scale * g)
    return dp, -dp


c_squared_error.defvjp(c_squared_error_fwd, c_squared_error_bwd)


def c_squared_error_ref(pred, target, reduction):
    per = ((pred - target) ** 2).sum(-1)
    return per if reduction == "none" else getattr(per, reduction)()


# -- maximum and where it is: an integer output ---------------------------------------------------
@jax.custom_vjp
def c_max_index(x):
    idx = jnp.argmax(x, axis=-1)
    return jnp.max(x, axis=-1), idx


def c_max_index_fwd(x):
    top, idx = c_max_index(x)
    return (top, idx), (x, idx)


def c_max_index_bwd(res, cts):
    x, idx = res
    hit = jnp.arange(x.shape[-1]) == idx[..., None]
    return (jnp.where(hit, cts[0][..., None], 0),)


c_max_index.defvjp(c_max_index_fwd, c_max_index_bwd)


def c_max_index_ref(x):
    idx = jnp.argmax(x, axis=-1)
    return jnp.take_along_axis(x, idx[..., None], axis=-1)[..., 0], idx


# -- powers with an array of integer exponents ----------------------------------------------------
@jax.custom_jvp
def c_int_power(x, n):
    return jnp.power(x, n.astype(x.dtype))


@c_int_power.defjvp
def c_int_power_jvp(primals, tangents):
    x, n = primals
    dx, _ = tangents
    lower = c_int_power(x, jnp.maximum(n - 1, 0))
    return c_int_power(x, n), n.astype(x.dtype) * lower * dx


def c_int_power_ref(x, n):
    out = jnp.ones_like(x)
    for k in range(4):
        out = out * jnp.where(k < n, x, 1)
    return out


# -- norm of a whole pytree -----------------------------------------------------------------------
@jax.custom_vjp
def c_global_norm(tree):
    return jnp.sqrt(sum(jnp.sum(v * v) for v in jax.tree.leaves(tree)))


def c_global_norm_fwd(tree):
    n = c_global_norm(tree)
    return n, (tree, n)


def c_global_norm_bwd(res, g):
    tree, n = res
    inv = jnp.where(n > 0, 1 / jnp.where(n > 0, n, 1), 0)
    return (jax.tree.map(lambda v: g * (v * inv), tree),)


c_global_norm.defvjp(c_global_norm_fwd, c_global_norm_bwd)


def c_global_norm_ref(tree):
    return jnp.linalg.norm(jnp.concatenate([jnp.ravel(v) for v in jax.tree.leaves(tree)]))


C_ZERO_TREE = {"a": np.zeros(3), "b": [np.zeros((2, 3)), np.zeros(())]}


# -- softsign over a pytree, no reference ---------------------------------------------------------
@jax.custom_vjp
def c_softsign(x):
    return x / (1 + jnp.abs(x))


c_softsign.defvjp(lambda x: (c_softsign(x), x), lambda x, g: (g * (1 / (1 + jnp.abs(x))) ** 2,))


def c_softsign_tree(state):
    return jax.tree.map(c_softsign, state)


# -- a stack of layers: scan and checkpoint around a custom_jvp -----------------------------------
@jax.custom_jvp
def c_atan(x):
    return jnp.arctan(x)


c_atan.defjvps(lambda dx, y, x: dx / (1 + x * x))


def c_layers(ws, h):
    @jax.checkpoint
    def layer(h, w):
        return c_atan(h @ w), None

    return lax.scan(layer, h, ws)[0]


def c_layers_ref(ws, h):
    for k in range(ws.shape[0]):
        h = jnp.arctan(jnp.dot(h, ws[k]))
    return h


# -- identity that clips the gradient (deliberate backward) ---------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def c_clip_gradient(x, bound):
    return x


c_clip_gradient.defvjp(
    lambda x, bound: (x, None), lambda bound, _, g: (jnp.clip(g, -bound, bound),)
)


def c_clip_gradient_ref(x, bound):
    return x


def c_clip_gradient_intended(args, dz):
    bound = args[1]
    return jnp.minimum(jnp.maximum(dz, -bound), bound), None


# -- log(1 + exp x) with jax.custom_gradient ------------------------------------------------------
@jax.custom_gradient
def c_log1pexp(x):
    y = jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))
    return y, lambda g: g * jax.nn.sigmoid(x)


def c_log1pexp_ref(x):
    return jax.nn.softplus(x)


# -- logsumexp that leaves half precision in float32 ----------------------------------------------
@jax.custom_vjp
def c_wide_lse(x):
    return jax.nn.logsumexp(x.astype(jnp.promote_types(x.dtype, jnp.float32)), axis=-1)


def c_wide_lse_bwd(x, g):
    p = jax.nn.softmax(x.astype(g.dtype), axis=-1)
    return ((g[..., None] * p).astype(x.dtype),)


c_wide_lse.defvjp(lambda x: (c_wide_lse(x), x), c_wide_lse_bwd)


def c_wide_lse_ref(x):
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    m = lax.stop_gradient(jnp.max(x, axis=-1))
    return m + jnp.log(jnp.sum(jnp.exp(x - m[..., None]), axis=-1))


# -- batch norm with running statistics, a static flag --------------------------------------------
class CStats(NamedTuple):
    mean: Any
    var: Any


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_batch_norm(train, params, stats, x):
    return c_batch_norm_fwd(train, params, stats, x)[0]


def c_batch_norm_fwd(train, params, stats, x):
    mean, var = (x.mean(0), x.var(0)) if train else stats
    new = CStats(0.9 * stats.mean + 0.1 * mean, 0.9 * stats.var + 0.1 * var) if train else stats
    rstd = lax.rsqrt(var + 1e-3)
    xhat = (x - mean) * rstd
    return (xhat * params["scale"] + params["bias"], new), (params["scale"], xhat, rstd, x - mean)


def c_batch_norm_bwd(train, res, cts):
    scale, xhat, rstd, centred = res
    g, gs = cts
    d_params = {"scale": jnp.sum(g * xhat, 0), "bias": jnp.sum(g, 0)}
    t = g * scale
    if not train:
        d_var = gs.var - 0.5 * rstd**2 * jnp.sum(t * xhat, 0)
        return d_params, CStats(gs.mean - rstd * jnp.sum(t, 0), d_var), t * rstd
    dx = rstd * (t - jnp.mean(t, 0) - xhat * jnp.mean(t * xhat, 0))
    dx = dx + (0.1 * gs.mean + 0.2 * gs.var * centred) / g.shape[0]
    return d_params, CStats(0.9 * gs.mean, 0.9 * gs.var), dx


c_batch_norm.defvjp(c_batch_norm_fwd, c_batch_norm_bwd)


def c_batch_norm_ref(train, params, stats, x):
    mean, var = stats
    if train:
        mean = jnp.sum(x, axis=0) / x.shape[0]
        var = jnp.sum((x - mean) ** 2, axis=0) / x.shape[0]
        stats = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, stats, CStats(mean, var))
    y = (x - mean) / jnp.sqrt(var + 1e-3) * params["scale"] + params["bias"]
    return y, stats


# -- Chebyshev polynomial: the derivative is n U_(n-1), not n T_(n-1) -----------------------------
@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def c_chebyshev(n, x):
    prev, cur = x, jnp.ones_like(x)
    for _ in range(n):
        prev, cur = cur, 2 * x * cur - prev
    return cur


@c_chebyshev.defjvp
def c_chebyshev_jvp(n, primals, tangents):
    (x,), (dx,) = primals, tangents
    return c_chebyshev(n, x), n * c_chebyshev(n - 1, x) * dx


def c_chebyshev_ref(n, x):
    coefs = np.polynomial.chebyshev.cheb2poly([0] * n + [1])
    return sum(float(c) * x**k for k, c in enumerate(coefs))


# -- gather and add positions; repeated ids overwrite each other in the backward ------------------
@jax.custom_vjp
def c_embed(params, ids):
    return params["tokens"][ids] + params["positions"]


def c_embed_fwd(params, ids):
    return c_embed(params, ids), (params["tokens"], ids)


def c_embed_bwd(res, g):
    tokens, ids = res
    return {"tokens": jnp.zeros_like(tokens).at[ids].set(g), "positions": g}, None


c_embed.defvjp(c_embed_fwd, c_embed_bwd)


def c_embed_ref(params, ids):
    hot = jax.nn.one_hot(ids, params["tokens"].shape[0], dtype=params["tokens"].dtype)
    return hot @ params["tokens"] + params["positions"]


# -- exponential moving average: the first element starts the average -----------------------------
@jax.custom_vjp
def c_ema(alpha, x):
    def step(m, v):
        m = (1 - alpha) * m + alpha * v
        return m, m

    rest = lax.scan(step, x[0], x[1:])[1]
    return jnp.concatenate([x[:1], rest])


def c_ema_fwd(alpha, x):
    m = c_ema(alpha, x)
    return m, (alpha, x, m)


def c_ema_bwd(res, g):
    alpha, x, m = res

    def step(lam, gt):
        lam = gt + (1 - alpha) * lam
        return lam, lam

    lam = lax.scan(step, jnp.zeros_like(g[0]), g, reverse=True)[1]
    return jnp.sum(lam[1:] * (x[1:] - m[:-1])), alpha * lam


c_ema.defvjp(c_ema_fwd, c_ema_bwd)


def c_ema_ref(alpha, x):
    out = [x[0]]
    for t in range(1, x.shape[0]):
        out.append(alpha * x[t] + (1 - alpha) * out[-1])
    return jnp.stack(out)


# -- complex matrix times complex vector, the other convention for cotangents ---------------------
@jax.custom_vjp
def c_complex_matvec(a, z):
    return a @ z


def c_complex_matvec_fwd(a, z):
    return a @ z, (a, z)


def c_complex_matvec_bwd(res, g):
    a, z = res
    return jnp.outer(g, z.conj()), a.conj().T @ g


c_complex_matvec.defvjp(c_complex_matvec_fwd, c_complex_matvec_bwd)


def c_complex_matvec_ref(a, z):
    return jnp.einsum("ij,j->i", a, z)


# -- reparameterised Gaussian: sigma * eps recovered as z - mu ------------------------------------
def c_normal32(key, like):
    return jax.random.normal(key, like.shape, jnp.float32).astype(like.dtype)


@jax.custom_vjp
def c_gauss_sample(key, mu, log_sigma):
    return mu + jnp.exp(log_sigma) * c_normal32(key, mu)


def c_gauss_sample_fwd(key, mu, log_sigma):
    z = c_gauss_sample(key, mu, log_sigma)
    return z, (z, mu)


def c_gauss_sample_bwd(res, g):
    z, mu = res
    return None, g, g * (z - mu)


c_gauss_sample.defvjp(c_gauss_sample_fwd, c_gauss_sample_bwd)


def c_gauss_sample_ref(key, mu, log_sigma):
    return c_normal32(key, mu) * jnp.exp(log_sigma) + mu


# -- dropout before a residual connection: no rescaling in the backward ---------------------------
@jax.custom_vjp
def c_drop_residual(key, branch):
    keep = jax.random.bernoulli(key, 0.8, branch["x"].shape)
    return branch["skip"] + jnp.where(keep, branch["x"] / 0.8, 0)


def c_drop_residual_fwd(key, branch):
    keep = jax.random.bernoulli(key, 0.8, branch["x"].shape)
    return c_drop_residual(key, branch), keep


def c_drop_residual_bwd(keep, g):
    return None, {"x": jnp.where(keep, g, 0), "skip": g}


c_drop_residual.defvjp(c_drop_residual_fwd, c_drop_residual_bwd)


def c_drop_residual_ref(key, branch):
    mask = jax.random.bernoulli(key, 0.8, branch["x"].shape).astype(branch["x"].dtype)
    return branch["skip"] + mask * branch["x"] / 0.8


# -- a momentum step: the cotangent of the new momentum is left out for the gradient --------------
class CMomentum(NamedTuple):
    params: Any
    velocity: Any


@jax.custom_vjp
def c_momentum_step(state, grad):
    v = jax.tree.map(lambda v, g: 0.9 * v + g, state.velocity, grad)
    return CMomentum(jax.tree.map(lambda p, v: p - 0.1 * v, state.params, v), v)


def c_momentum_step_fwd(state, grad):
    return c_momentum_step(state, grad), None


def c_momentum_step_bwd(_, ct):
    through = jax.tree.map(lambda p: -0.1 * p, ct.params)
    d_velocity = jax.tree.map(lambda t, v: 0.9 * (t + v), through, ct.velocity)
    return CMomentum(ct.params, d_velocity), through


c_momentum_step.defvjp(c_momentum_step_fwd, c_momentum_step_bwd)


def c_momentum_step_ref(state, grad):
    params, velocity = {}, {}
    for k in grad:
        velocity[k] = 0.9 * state.velocity[k] + grad[k]
        params[k] = state.params[k] - 0.1 * velocity[k]
    return CMomentum(params, velocity)


# -- spherical coordinates: a sign in the tangent of z --------------------------------------------
@jax.custom_jvp
def c_spherical(r, theta, phi):
    s = r * jnp.sin(theta)
    return s * jnp.cos(phi), s * jnp.sin(phi), r * jnp.cos(theta)


@c_spherical.defjvp
def c_spherical_jvp(primals, tangents):
    (r, theta, phi), (dr, dt, dp) = primals, tangents
    st, ct, sp, cp = jnp.sin(theta), jnp.cos(theta), jnp.sin(phi), jnp.cos(phi)
    ds = dr * st + r * ct * dt
    tangent = (ds * cp - r * st * sp * dp, ds * sp + r * st * cp * dp, dr * ct + r * st * dt)
    return c_spherical(r, theta, phi), tangent


def c_spherical_ref(r, theta, phi):
    return (
        r * jnp.sin(theta) * jnp.cos(phi),
        r * jnp.sin(theta) * jnp.sin(phi),
        r * jnp.cos(theta),
    )


# -- mean log loss: the forward of the rule returns the sum ---------------------------------------
@jax.custom_vjp
def c_mean_nll(logits, labels):
    return jnp.mean(jax.nn.softplus(jnp.where(labels, -logits, logits)))


def c_mean_nll_fwd(logits, labels):
    losses = jax.nn.softplus(jnp.where(labels, -logits, logits))
    return jnp.sum(losses), (logits, labels)


def c_mean_nll_bwd(res, g):
    logits, labels = res
    diff = jax.nn.sigmoid(logits) - labels.astype(logits.dtype)
    return g * diff / logits.shape[0], None


c_mean_nll.defvjp(c_mean_nll_fwd, c_mean_nll_bwd)


def c_mean_nll_ref(logits, labels):
    y = labels.astype(logits.dtype)
    return jnp.mean(y * jax.nn.softplus(-logits) + (1 - y) * jax.nn.softplus(logits))


# -- attention pooling with a detached residual ---------------------------------------------------
@jax.custom_vjp
def c_attention_pool(params, xs):
    return jax.nn.softmax(xs @ params["query"]) @ xs


def c_attention_pool_fwd(params, xs):
    p = jax.nn.softmax(xs @ params["query"])
    return p @ xs, (lax.stop_gradient(p), xs, params["query"])


def c_attention_pool_bwd(res, g):
    p, xs, q = res
    dp = xs @ g
    ds = p * (dp - jnp.dot(p, dp))
    return {"query": ds @ xs}, jnp.outer(p, g) + jnp.outer(ds, q)


c_attention_pool.defvjp(c_attention_pool_fwd, c_attention_pool_bwd)


def c_attention_pool_ref(params, xs):
    s = jnp.einsum("nd,d->n", xs, params["query"])
    e = jnp.exp(s - lax.stop_gradient(jnp.max(s)))
    return jnp.einsum("n,nd->d", e / jnp.sum(e), xs)


# -- tanh whose derivative has a rule of its own, with a sign wrong -------------------------------
@jax.custom_vjp
def c_sech2(x):
    return 1 - jnp.tanh(x) ** 2


c_sech2.defvjp(lambda x: (c_sech2(x), x), lambda x, g: (2 * g * jnp.tanh(x) * c_sech2(x),))


@jax.custom_vjp
def c_tanh2(x):
    return jnp.tanh(x)


c_tanh2.defvjp(lambda x: (c_tanh2(x), x), lambda x, g: (g * c_sech2(x),))


def c_tanh2_ref(x):
    return jnp.tanh(x)


# -- temperature scaling: the backward forgets to return to the argument's dtype ------------------
@jax.custom_vjp
def c_temper(x, temp):
    return x / temp


def c_temper_fwd(x, temp):
    return x / temp, (x, temp)


def c_temper_bwd(res, g):
    wide = jnp.promote_types(g.dtype, jnp.float32)
    x, temp = (r.astype(wide) for r in res)
    gw = g.astype(wide)
    return gw / temp, -jnp.sum(gw * x) / temp**2


c_temper.defvjp(c_temper_fwd, c_temper_bwd)


def c_temper_ref(x, temp):
    return x * (1 / temp)


# -- GELU computed in float32 and left there ------------------------------------------------------
@jax.custom_vjp
def c_gelu(x):
    xw = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return xw * jax.scipy.stats.norm.cdf(xw)


def c_gelu_bwd(x, g):
    xw = x.astype(g.dtype)
    slope = jax.scipy.stats.norm.cdf(xw) + xw * jnp.exp(-xw * xw / 2) / math.sqrt(2 * math.pi)
    return ((g * slope).astype(x.dtype),)


c_gelu.defvjp(lambda x: (c_gelu(x), x), c_gelu_bwd)


def c_gelu_ref(x):
    return jax.nn.gelu(x, approximate=False)


# -- symbolic zeros: one zero cotangent taken for both --------------------------------------------
@jax.custom_vjp
def c_sincos(x):
    return jnp.sin(x), jnp.cos(x)


def c_sincos_fwd(x):
    s, c = c_sincos(x.value)
    return (s, c), (s, c)


def c_sincos_bwd(res, cts):
    s, c = res
    if any(isinstance(t, SymbolicZero) for t in cts):
        return (jnp.zeros_like(s),)
    return (cts[0] * c - cts[1] * s,)


c_sincos.defvjp(c_sincos_fwd, c_sincos_bwd, symbolic_zeros=True)


def c_sincos_ref(x):
    return jnp.sin(x), jnp.cos(x)


# -- symbolic zeros: the residuals are kept for the wrong argument --------------------------------
@jax.custom_vjp
def c_bilinear(w, x):
    return w @ x


def c_bilinear_fwd(w, x):
    keep = lambda p: p.value if p.perturbed else None
    return w.value @ x.value, (keep(w), keep(x))


def c_bilinear_bwd(res, g):
    w, x = res
    return None if x is None else jnp.outer(g, x), None if w is None else w.T @ g


c_bilinear.defvjp(c_bilinear_fwd, c_bilinear_bwd, symbolic_zeros=True)


def c_bilinear_ref(w, x):
    return jnp.einsum("ij,j->i", w, x)


# -- residuals kept in a module variable ----------------------------------------------------------
C_SAVED = {}


@jax.custom_vjp
def c_square_saved(x):
    return x * x


def c_square_saved_fwd(x):
    C_SAVED["x"] = x
    return x * x, None


def c_square_saved_bwd(_, g):
    return (2 * C_SAVED["x"] * g,)


c_square_saved.defvjp(c_square_saved_fwd, c_square_saved_bwd)


def c_square_saved_ref(x):
    return x**2


# -- a python `if` on a value in the backward -----------------------------------------------------
@jax.custom_vjp
def c_unit_vector(x):
    n = jnp.sqrt(jnp.sum(x * x))
    return x / jnp.where(n == 0, 1, n)


def c_unit_vector_fwd(x):
    u = c_unit_vector(x)
    return u, (u, jnp.sqrt(jnp.sum(x * x)))


def c_unit_vector_bwd(res, g):
    u, n = res
    if n == 0:
        return (jnp.zeros_like(g),)
    return ((g - u * jnp.dot(u, g)) / n,)


c_unit_vector.defvjp(c_unit_vector_fwd, c_unit_vector_bwd)


def c_unit_vector_ref(x):
    return x / jnp.linalg.norm(x)


# -- softmax whose own batching rule normalises over the whole batch ------------------------------
@custom_vmap
def c_softmax_core(x):
    e = jnp.exp(x - jnp.max(x))
    return e / jnp.sum(e)


@c_softmax_core.def_vmap
def c_softmax_core_batched(axis_size, in_batched, x):
    e = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return e / jnp.sum(e), True


@jax.custom_vjp
def c_softmax_vmap(x):
    return c_softmax_core(x)


def c_softmax_vmap_fwd(x):
    y = c_softmax_vmap(x)
    return y, y


c_softmax_vmap.defvjp(c_softmax_vmap_fwd, lambda y, g: (y * (g - jnp.sum(g * y)),))


def c_softmax_vmap_ref(x):
    return jax.nn.softmax(x)


# -- logarithm of the Student kernel, no reference: a factor 1 / nu is missing --------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_student(nu, x):
    return -0.5 * (nu + 1) * jnp.log1p(x * x / nu)


c_student.defvjp(
    lambda nu, x: (c_student(nu, x), x), lambda nu, x, g: (-(nu + 1) * g * x / (1 + x * x / nu),)
)


# -- linear inside, logarithmic outside, no reference: wrong for large negative entries -----------
@jax.custom_jvp
def c_soft_log(x):
    size = jnp.maximum(jnp.abs(x), 1)
    return jnp.where(jnp.abs(x) < 1, x, jnp.sign(x) * (1 + jnp.log(size)))


@c_soft_log.defjvp
def c_soft_log_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    slope = jnp.where(jnp.abs(x) < 1, 1, 1 / jnp.where(jnp.abs(x) < 1, 1, x))
    return c_soft_log(x), slope * dx


def c_compress(obs):
    return {k: c_soft_log(v) for k, v in obs.items()}


# -- masked mean of squares: the backward divides by all entries ----------------------------------
@jax.custom_vjp
def c_masked_mse(pred, target, mask):
    m = mask.astype(pred.dtype)
    return jnp.sum(m * (pred - target) ** 2) / jnp.maximum(jnp.sum(m), 1)


def c_masked_mse_fwd(pred, target, mask):
    return c_masked_mse(pred, target, mask), (pred - target, mask)


def c_masked_mse_bwd(res, g):
    d, mask = res
    dp = jnp.where(mask, 2 * g * d / mask.size, 0)
    return dp, -dp, None


c_masked_mse.defvjp(c_masked_mse_fwd, c_masked_mse_bwd)


def c_masked_mse_ref(pred, target, mask):
    sq = jnp.where(mask, (pred - target) ** 2, 0)
    return jnp.sum(sq) / jnp.maximum(jnp.sum(mask), 1).astype(pred.dtype)


# -- an activation by name: elu with alpha 1/2 ----------------------------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_activation(name, x):
    if name == "elu":
        return jnp.where(x > 0, x, 0.5 * jnp.expm1(jnp.minimum(x, 0)))
    if name == "relu":
        return jnp.maximum(x, 0)
    raise ValueError(name)


def c_activation_fwd(name, x):
    y = c_activation(name, x)
    return y, y


def c_activation_bwd(name, y, g):
    left = y + 1 if name == "elu" else jnp.zeros_like(y)
    return (jnp.where(y > 0, g, g * left),)


c_activation.defvjp(c_activation_fwd, c_activation_bwd)


def c_activation_ref(name, x):
    return (
        jnp.where(x > 0, x, (jnp.exp(jnp.minimum(x, 0)) - 1) / 2)
        if name == "elu"
        else jax.nn.relu(x)
    )


# -- equilibrium of a given map: the solved adjoint is not used -----------------------------------
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def c_equilibrium(f, theta):
    return lax.fori_loop(0, 80, lambda _, z: f(theta, z), jnp.zeros_like(theta))


def c_equilibrium_fwd(f, theta):
    z = c_equilibrium(f, theta)
    return z, (theta, z)


def c_equilibrium_bwd(f, res, g):
    theta, z = res
    _, pull = jax.vjp(f, theta, z)
    u = lax.fori_loop(0, 80, lambda _, u: g + pull(u)[1], g)
    return (pull(g)[0],)


c_equilibrium.defvjp(c_equilibrium_fwd, c_equilibrium_bwd)


def c_damped_cosine(theta, z):
    return theta + 0.5 * jnp.cos(z)


def c_equilibrium_ref(f, theta):
    z = jnp.zeros_like(theta)
    for _ in range(80):
        z = f(theta, z)
    return z


# -- relu over a pytree: slope one at zero, where zero is declared --------------------------------
@jax.custom_vjp
def c_relu_tree(tree):
    return jax.tree.map(lambda v: jnp.maximum(v, 0), tree)


def c_relu_tree_fwd(tree):
    return c_relu_tree(tree), jax.tree.map(lambda v: v >= 0, tree)


def c_relu_tree_bwd(on, cts):
    return (jax.tree.map(lambda m, g: jnp.where(m, g, 0), on, cts),)


c_relu_tree.defvjp(c_relu_tree_fwd, c_relu_tree_bwd)


def c_relu_tree_ref(tree):
    return jax.tree.map(jax.nn.relu, tree)


C_RELU_POINT = {"a": np.array([0.0, -1.0, 2.0]), "b": np.array([[0.0, 3.0]])}
C_RELU_COT = {"a": np.array([1.5, 0.5, -1.0]), "b": np.array([[2.0, 1.0]])}
C_RELU_GRAD = {"a": np.array([0.0, 0.0, -1.0]), "b": np.array([[0.0, 1.0]])}


# -- reordering: the backward applies the permutation again ---------------------------------------
@jax.custom_vjp
def c_reorder(x, perm):
    return x[perm]


c_reorder.defvjp(
    lambda x, perm: (x[perm], perm),
    lambda perm, g: (g[perm], np.zeros(perm.shape, jax.dtypes.float0)),
)


def c_reorder_ref(x, perm):
    return jnp.take(x, perm, axis=0)


CASES = (
    # right
    Case(
        "c_tanh_dense",
        "dict of parameters",
        False,
        "tanh layer with a dict, saves its output",
        Rule(c_tanh_dense, c_tanh_dense_ref, ({"w": "DxK", "b": "K"}, "NxD"), batch="N"),
    ),
    Case(
        "c_lstm_step",
        "NamedTuple",
        False,
        "LSTM pointwise step, an unused leaf with None cotangent",
        Rule(c_lstm_step, c_lstm_step_ref, ("Nx4xH", CLstm(c="NxH", h="NxH")), batch="N"),
    ),
    Case(
        "c_hermite",
        "static int first",
        False,
        "Hermite polynomial He_n, custom_jvp calling itself",
        Rule(c_hermite, c_hermite_ref, (4, "N"), dtypes=WIDE),
    ),
    Case(
        "c_fixed_point",
        "static function",
        False,
        "implicit fixed point by while_loop, twice differentiable",
        Rule(
            c_fixed_point,
            c_fixed_point_ref,
            (c_contraction, {"w": "DxD:(-1,1)", "b": "D:(-2,2)"}, "D:(-1,1)"),
            dtypes=WIDE,
            rtol=1e-9,
        ),
    ),
    Case(
        "c_lambertw",
        "fori_loop",
        False,
        "Lambert W with an implicit custom_jvp",
        Rule(c_lambertw, c_lambertw_ref, ("N:>0",), dtypes=WIDE, rtol=1e-9),
    ),
    Case(
        "c_dropout",
        "PRNG key",
        False,
        "dropout drawing the mask again in the backward",
        Rule(functools.partial(c_dropout, 0.25), c_dropout_ref, ("key", "NxD")),
    ),
    Case(
        "c_gumbel_softmax",
        "PRNG key",
        False,
        "Gumbel softmax, noise in the dtype of the logits, saved output",
        Rule(
            functools.partial(c_gumbel_softmax, tau=0.5),
            functools.partial(c_gumbel_softmax_ref, tau=0.5),
            ("key", "NxK"),
        ),
    ),
    Case(
        "c_polar",
        "several outputs",
        False,
        "polar coordinates by custom_jvp",
        Rule(c_polar, c_polar_ref, ("N:>0", "N:>0"), dtypes=WIDE),
    ),
    Case(
        "c_rotate",
        "complex",
        False,
        "complex numbers turned by real angles",
        Rule(c_rotate, c_rotate_ref, ("N", "N:complex"), dtypes=WIDE),
    ),
    Case(
        "c_take_rows",
        "integer input",
        False,
        "embedding look-up with scatter-add, float0 cotangent",
        Rule(c_take_rows, c_take_rows_ref, ("VxD", "N:int<V")),
    ),
    Case(
        "c_masked_pool",
        "bool input",
        False,
        "mean over valid steps, own draw",
        Rule(
            c_masked_pool,
            c_masked_pool_ref,
            draw=c_masked_pool_draw,
            batch="N",
            sizes=({"N": 1, "T": 1, "D": 2}, {"N": 3, "T": 5, "D": 2}, {"N": 4, "T": 2, "D": 1}),
        ),
    ),
    Case(
        "c_recurrence",
        "scan",
        False,
        "linear recurrence with a reverse scan",
        Rule(c_recurrence, c_recurrence_ref, ("TxD:(0,1)", "TxD", "D")),
    ),
    Case(
        "c_scale_and_shift",
        "symbolic zeros",
        False,
        "symbolic zeros, residuals only for perturbed arguments",
        Rule(c_scale_and_shift, c_scale_and_shift_ref, ("NxD", "D", "D"), batch="N"),
    ),
    Case(
        "c_dense",
        "None argument",
        False,
        "dense layer whose bias is None",
        Rule(c_dense, c_dense_ref, ("NxD", "DxK", None), batch="N"),
    ),
    Case(
        "c_rms_norm",
        "static object",
        False,
        "RMS norm with a frozen configuration, float32 inside",
        Rule(c_rms_norm, c_rms_norm_ref, (CNormConfig(), "Nx4", "4"), batch="N"),
    ),
    Case(
        "c_squared_error",
        "static string",
        False,
        "squared error with the reduction as a string",
        Rule(
            c_squared_error,
            c_squared_error_ref,
            ("NxD", "NxD", Static("mean")),
            batch="N",
            reduces="mean",
            dtypes=WIDEB,
        ),
    ),
    Case(
        "c_max_index",
        "integer output",
        False,
        "row maximum and its index; all of the gradient to the first",
        Rule(c_max_index, c_max_index_ref, ("NxK",), batch="N"),
    ),
    Case(
        "c_int_power",
        "integer input",
        False,
        "powers with an array of exponents, custom_jvp with float0 tangent",
        Rule(c_int_power, c_int_power_ref, ("N", "N:int<5"), dtypes=WIDE),
    ),
    Case(
        "c_global_norm",
        "pytree",
        False,
        "norm of a whole pytree, zero gradient at zero",
        Rule(
            c_global_norm,
            c_global_norm_ref,
            ({"a": "N", "b": ["MxN", ""]},),
            dtypes=WIDEB,
            kinks=(Kink("zero", (C_ZERO_TREE,), 1.0, (C_ZERO_TREE,), value=0.0),),
        ),
    ),
    Case(
        "c_softsign_tree",
        "no reference",
        False,
        "softsign of every leaf",
        Rule(c_softsign_tree, None, ({"pos": "N", "vel": "NxD"},)),
    ),
    Case(
        "c_layers",
        "scan",
        False,
        "checkpointed scan of layers around a custom_jvp arctan",
        Rule(c_layers, c_layers_ref, ("LxDxD", "NxD"), batch="N", dtypes=WIDEB),
    ),
    Case(
        "c_clip_gradient",
        "intended backward",
        False,
        "identity that clips the cotangent",
        Rule(
            c_clip_gradient,
            c_clip_gradient_ref,
            ("NxD", 1),
            backward=c_clip_gradient_intended,
            order=1,
        ),
    ),
    Case(
        "c_log1pexp",
        "custom_gradient",
        False,
        "softplus by jax.custom_gradient",
        Rule(c_log1pexp, c_log1pexp_ref, ("N",)),
    ),
    Case(
        "c_wide_lse",
        "dtypes",
        False,
        "logsumexp, float32 out for half precision in",
        Rule(c_wide_lse, c_wide_lse_ref, ("NxK",), batch="N"),
    ),
    Case(
        "c_batch_norm",
        "static bool",
        False,
        "batch norm in training, with running statistics out",
        Rule(
            c_batch_norm,
            c_batch_norm_ref,
            (True, {"scale": "D", "bias": "D"}, CStats("D", "D:>0"), "5xD"),
            dtypes=WIDE,
        ),
    ),
    # wrong
    Case(
        "c_chebyshev",
        "static int first",
        True,
        "derivative n T_(n-1) in place of n U_(n-1)",
        Rule(c_chebyshev, c_chebyshev_ref, (4, "N"), dtypes=WIDE),
        (4, np.array([0.3, -0.7, 1.5])),
    ),
    Case(
        "c_embed",
        "integer input",
        True,
        "repeated ids overwrite (set in place of add)",
        Rule(c_embed, c_embed_ref, ({"tokens": "VxD", "positions": "NxD"}, "N:int<V")),
        (
            {"tokens": np.arange(6.0).reshape(3, 2), "positions": np.ones((4, 2))},
            np.array([1, 0, 1, 2]),
        ),
    ),
    Case(
        "c_ema",
        "scan",
        True,
        "the first element's part as the initial state is missing",
        Rule(c_ema, c_ema_ref, (":(0,1)", "T")),
        (np.array(0.3), np.array([1.0, -2.0, 0.5, 3.0])),
    ),
    Case(
        "c_complex_matvec",
        "complex",
        True,
        "cotangents conjugated (the other convention)",
        Rule(c_complex_matvec, c_complex_matvec_ref, ("MxN:complex", "N:complex"), dtypes=WIDE),
        (np.array([[1 + 2j, 0.5 - 1j], [0.3j, 2.0 + 0j]]), np.array([1 - 1j, 0.5 + 2j])),
    ),
    Case(
        "c_gauss_sample",
        "PRNG key",
        True,
        "sigma*eps recovered as z - mu: cancels in float32 for large mu",
        Rule(c_gauss_sample, c_gauss_sample_ref, ("key", "N", "N:(-6,2)")),
        (jax.random.key(1), np.array([1e4, -5e3, 2.0]), np.array([-5.0, -4.0, 0.0])),
        "float32",
    ),
    Case(
        "c_drop_residual",
        "PRNG key",
        True,
        "no division by the keep probability in the backward",
        Rule(c_drop_residual, c_drop_residual_ref, ("key", {"x": "NxD", "skip": "NxD"})),
        (jax.random.key(3), {"x": np.ones((2, 3)), "skip": np.zeros((2, 3))}),
    ),
    Case(
        "c_momentum_step",
        "NamedTuple",
        True,
        "cotangent of the new velocity dropped for the gradient",
        Rule(
            c_momentum_step,
            c_momentum_step_ref,
            (CMomentum({"w": "MxN", "b": "N"}, {"w": "MxN", "b": "N"}), {"w": "MxN", "b": "N"}),
        ),
        (
            CMomentum(
                {"w": np.ones((2, 2)), "b": np.ones(2)}, {"w": np.ones((2, 2)), "b": np.ones(2)}
            ),
            {"w": np.full((2, 2), 0.5), "b": np.array([1.0, -1.0])},
        ),
    ),
    Case(
        "c_spherical",
        "several outputs",
        True,
        "sign of r sin(theta) dtheta in the tangent of z",
        Rule(c_spherical, c_spherical_ref, ("N:>0", "N:(0,3)", "N:(-3,3)"), dtypes=WIDE),
        (np.array([1.0, 2.0]), np.array([0.4, 2.0]), np.array([1.0, -2.0])),
        "jvp",
    ),
    Case(
        "c_mean_nll",
        "primal",
        True,
        "the forward of the rule returns the sum, the function the mean",
        Rule(c_mean_nll, c_mean_nll_ref, ("N", "N:bool"), batch="N", reduces="mean"),
        (np.array([0.5, -1.0, 2.0]), np.array([True, False, False])),
        "primal",
    ),
    Case(
        "c_attention_pool",
        "second order",
        True,
        "saved probabilities are detached",
        Rule(c_attention_pool, c_attention_pool_ref, ({"query": "D"}, "NxD")),
        ({"query": np.array([0.5, -0.3])}, np.array([[1.0, 2.0], [0.5, -1.0], [-0.7, 0.2]])),
        "second",
    ),
    Case(
        "c_tanh2",
        "second order",
        True,
        "the rule of the derivative function has its sign wrong",
        Rule(c_tanh2, c_tanh2_ref, ("N",)),
        (np.array([0.5, -1.2]),),
        "second",
    ),
    Case(
        "c_temper",
        "dtypes",
        True,
        "float32 cotangents for half precision arguments",
        Rule(c_temper, c_temper_ref, ("NxK", ":(0.1,10)")),
        (np.array([[1.0, -2.0, 0.5]]), np.array(2.0)),
        "bfloat16",
    ),
    Case(
        "c_gelu",
        "dtypes",
        True,
        "float32 output for half precision input",
        Rule(c_gelu, c_gelu_ref, ("N",)),
        (np.array([0.5, -1.0, 2.0]),),
        "bfloat16",
    ),
    Case(
        "c_sincos",
        "symbolic zeros",
        True,
        "zero gradient when only one of the outputs is used",
        Rule(c_sincos, c_sincos_ref, ("N",)),
        (np.array([0.3, 2.0]),),
        "transform",
    ),
    Case(
        "c_bilinear",
        "symbolic zeros",
        True,
        "zero gradient when only one argument is differentiated",
        Rule(c_bilinear, c_bilinear_ref, ("MxN", "N")),
        (np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([0.5, 1.5])),
        "transform",
    ),
    Case(
        "c_square_saved",
        "transformation",
        True,
        "residual in a module variable: leaks, and two calls mix",
        Rule(c_square_saved, c_square_saved_ref, ("N",), dtypes=WIDEB),
        (np.array([1.0, -2.0, 3.0]),),
        "transform",
    ),
    Case(
        "c_unit_vector",
        "transformation",
        True,
        "python if on a value in the backward: fails under jit and vmap",
        Rule(c_unit_vector, c_unit_vector_ref, ("D",), dtypes=WIDEB),
        (np.array([3.0, -4.0, 1.0]),),
        "transform",
    ),
    Case(
        "c_softmax_vmap",
        "transformation",
        True,
        "own batching rule normalises over the whole batch",
        Rule(c_softmax_vmap, c_softmax_vmap_ref, ("K",)),
        (np.array([0.1, 1.0, -2.0]),),
        "transform",
    ),
    Case(
        "c_student",
        "no reference",
        True,
        "a factor 1 / nu is missing",
        Rule(c_student, None, (3, "N"), dtypes=WIDE),
        (3, np.array([0.5, -2.0])),
    ),
    Case(
        "c_compress",
        "no reference",
        True,
        "sign of the slope below -1",
        Rule(c_compress, None, ({"pos": "N", "vel": "MxN"},)),
        ({"pos": np.array([0.5, -3.0]), "vel": np.array([[2.0, -100.0]])},),
    ),
    Case(
        "c_masked_mse",
        "bool input",
        True,
        "divides by all entries in place of the valid ones",
        Rule(c_masked_mse, c_masked_mse_ref, ("N", "N", "N:bool"), dtypes=WIDEB),
        (np.array([1.0, 2.0, -1.0]), np.array([0.5, 0.0, 1.0]), np.array([True, False, True])),
    ),
    Case(
        "c_activation",
        "static string",
        True,
        "elu slope y + 1 in place of y + alpha for negative entries",
        Rule(c_activation, c_activation_ref, (Static("elu"), "NxD")),
        ("elu", np.array([[0.5, -1.0]])),
    ),
    Case(
        "c_equilibrium",
        "static function",
        True,
        "the cotangent in place of the solved adjoint",
        Rule(
            c_equilibrium,
            c_equilibrium_ref,
            (c_damped_cosine, "N:(-3,3)"),
            order=1,
            dtypes=WIDE,
            rtol=1e-9,
        ),
        (c_damped_cosine, np.array([0.5, -1.0])),
    ),
    Case(
        "c_relu_tree",
        "kink",
        True,
        "slope one at zero, zero is declared",
        Rule(
            c_relu_tree,
            c_relu_tree_ref,
            ({"a": "N", "b": "MxN"},),
            kinks=(Kink("zero", (C_RELU_POINT,), C_RELU_COT, (C_RELU_GRAD,)),),
        ),
        (C_RELU_POINT,),
        "kink",
    ),
    Case(
        "c_reorder",
        "integer input",
        True,
        "the permutation in place of its inverse",
        Rule(c_reorder, c_reorder_ref, ("NxD", "N:perm")),
        (np.array([[1.0], [2.0], [3.0]]), np.array([1, 2, 0])),
    ),
)
