"""Blind cases: reductions, losses, attention and whole-array functions.

Written by people who had not seen the checker, its guide or the layers; rules unchanged since.
"""

# pyright: reportAttributeAccessIssue=false

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.wrong_gradients._case import Case
from ffnn_jax.verify import Kink, Rule

F64_F32 = ("float64", "float32")
NO_F16 = ("float64", "float32", "bfloat16")


def b_up(x):  # accumulate in at least float32
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


# --- 1 layer norm, saves xhat and rstd, params in a dict
@jax.custom_vjp
def b_layer_norm(x, params):
    return b_layer_norm_fwd(x, params)[0]


def b_layer_norm_fwd(x, params):
    xf = b_up(x)
    c = xf - xf.mean(-1, keepdims=True)
    rstd = lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    xhat = c * rstd
    return (xhat * params["scale"] + params["bias"]).astype(x.dtype), (xhat, rstd, params)


def b_layer_norm_bwd(res, g):
    xhat, rstd, params = res
    gf = b_up(g)
    gs = gf * params["scale"]
    dx = rstd * (gs - gs.mean(-1, keepdims=True) - xhat * (gs * xhat).mean(-1, keepdims=True))
    lead = tuple(range(g.ndim - 1))
    dp = {
        "scale": (gf * xhat).sum(lead).astype(params["scale"].dtype),
        "bias": gf.sum(lead).astype(params["bias"].dtype),
    }
    return dx.astype(g.dtype), dp


b_layer_norm.defvjp(b_layer_norm_fwd, b_layer_norm_bwd)


def b_layer_norm_ref(x, params):
    m = jnp.mean(x, axis=-1, keepdims=True)
    v = jnp.var(x, axis=-1, keepdims=True)
    return (x - m) / jnp.sqrt(v + 1e-5) * params["scale"] + params["bias"]


# --- 2 rms norm by custom_jvp
@jax.custom_jvp
def b_rms_norm(x, w):
    xf = b_up(x)
    return (xf * lax.rsqrt(jnp.mean(xf**2, -1, keepdims=True) + 1e-6) * w).astype(x.dtype)


@b_rms_norm.defjvp
def b_rms_norm_jvp(primals, tangents):
    x, w = primals
    dx, dw = tangents
    xf, dx = b_up(x), b_up(dx)
    r = lax.rsqrt(jnp.mean(xf**2, -1, keepdims=True) + 1e-6)
    n = xf * r
    dn = r * (dx - n * jnp.mean(n * dx, -1, keepdims=True))
    return (n * w).astype(x.dtype), (dn * w + n * dw).astype(x.dtype)


def b_rms_norm_ref(x, w):
    return x / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * w


# --- 3 l2 normalisation, backward from the output; axis is static
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def b_l2_normalize(x, axis):
    return b_l2_normalize_fwd(x, axis)[0]


def b_l2_normalize_fwd(x, axis):
    xf = b_up(x)
    r = lax.rsqrt(jnp.sum(xf * xf, axis, keepdims=True) + 1e-12)
    y = xf * r
    return y.astype(x.dtype), (y, r)


def b_l2_normalize_bwd(axis, res, g):
    y, r = res
    return (((g - y * jnp.sum(y * g, axis, keepdims=True)) * r).astype(g.dtype),)


b_l2_normalize.defvjp(b_l2_normalize_fwd, b_l2_normalize_bwd)


def b_l2_normalize_ref(x, axis):
    return x / jnp.sqrt(jnp.sum(x**2, axis=axis, keepdims=True) + 1e-12)


# --- 4 label-smoothed cross entropy, mean over the batch
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def b_smooth_xent(smoothing, logits, labels):
    return b_smooth_xent_fwd(smoothing, logits, labels)[0]


def b_smooth_xent_fwd(smoothing, logits, labels):
    logp = jax.nn.log_softmax(b_up(logits), -1)
    nll = -jnp.take_along_axis(logp, labels[:, None], -1)[:, 0]
    loss = (1 - smoothing) * nll - smoothing * logp.mean(-1)
    return loss.mean().astype(logits.dtype), (logp, labels)


def b_smooth_xent_bwd(smoothing, res, g):
    logp, labels = res
    b, k = logp.shape
    d = jnp.exp(logp) - smoothing / k
    d = d.at[jnp.arange(b), labels].add(-(1 - smoothing))
    return (d * (g / b)).astype(g.dtype), None


b_smooth_xent.defvjp(b_smooth_xent_fwd, b_smooth_xent_bwd)


def b_smooth_xent_ref(logits, labels):
    k = logits.shape[-1]
    target = 0.9 * jax.nn.one_hot(labels, k, dtype=logits.dtype) + 0.1 / k
    lse = jax.scipy.special.logsumexp(logits, axis=-1, keepdims=True)
    return jnp.mean(jnp.sum(target * (lse - logits), axis=-1))


# --- 5 binary hinge, convention 0 at the margin
@jax.custom_vjp
def b_hinge(scores, labels):
    t = 2 * labels - 1
    return jnp.mean(jnp.maximum(0, 1 - t * b_up(scores))).astype(scores.dtype)


def b_hinge_fwd(scores, labels):
    t = 2 * labels - 1
    active = t * b_up(scores) < 1
    return b_hinge(scores, labels), jnp.where(active, -t, 0)  # integers are all that is kept


b_hinge.defvjp(
    b_hinge_fwd, lambda sign, g: ((sign * b_up(g) / sign.shape[0]).astype(g.dtype), None)
)


def b_hinge_ref(scores, labels):
    return jnp.mean(jax.nn.relu(1 - jnp.where(labels == 1, scores, -scores)))


# --- 6 Huber with custom_jvp, mean over features
@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def b_huber(pred, target, delta=1.5):
    r = b_up(pred) - b_up(target)
    a = jnp.abs(r)
    return jnp.mean(jnp.where(a <= delta, r * r / 2, delta * (a - delta / 2)), -1).astype(
        pred.dtype
    )


@b_huber.defjvp
def b_huber_jvp(delta, primals, tangents):
    (p, t), (dp, dt) = primals, tangents
    r = b_up(p) - b_up(t)
    psi = jnp.where(jnp.abs(r) <= delta, r, delta * jnp.sign(r))
    return b_huber(p, t, delta), jnp.mean(psi * (b_up(dp) - b_up(dt)), -1).astype(p.dtype)


def b_huber_op(pred, target):
    return b_huber(pred, target, 1.5)


def b_huber_ref(pred, target):
    r = jnp.abs(pred - target)
    q = jnp.minimum(r, 1.5)
    return jnp.mean(q * q / 2 + 1.5 * (r - q), axis=-1)


# --- 7 binary focal loss on logits, gamma 2
@jax.custom_vjp
def b_focal(logits, labels):
    z = jnp.where(labels == 1, b_up(logits), -b_up(logits))
    return (-(jax.nn.sigmoid(-z) ** 2) * jax.nn.log_sigmoid(z)).astype(logits.dtype)


def b_focal_fwd(logits, labels):
    return b_focal(logits, labels), (logits, labels)


def b_focal_bwd(res, g):
    logits, labels = res
    s = 2 * labels - 1
    z = s * b_up(logits)
    logp = jax.nn.log_sigmoid(z)
    p, q = jnp.exp(logp), jnp.exp(jax.nn.log_sigmoid(-z))
    dz = q**2 * (2 * p * logp - q)
    return (g * s * dz).astype(g.dtype), None


b_focal.defvjp(b_focal_fwd, b_focal_bwd)


def b_focal_ref(logits, labels):
    lp1, lp0 = -jnp.logaddexp(-logits, 0), -jnp.logaddexp(logits, 0)
    return jnp.where(labels == 1, -jnp.exp(2 * lp0) * lp1, -jnp.exp(2 * lp1) * lp0)


# --- 8 KL divergence between two distributions
@jax.custom_vjp
def b_kl(p, q):
    pf, qf = b_up(p), b_up(q)
    return jnp.sum(pf * (jnp.log(pf) - jnp.log(qf)), -1).astype(p.dtype)


def b_kl_bwd(res, g):
    p, q = res
    g = b_up(g)[..., None]
    pf, qf = b_up(p), b_up(q)
    return (g * (1 + jnp.log(pf) - jnp.log(qf))).astype(p.dtype), (-g * pf / qf).astype(q.dtype)


b_kl.defvjp(lambda p, q: (b_kl(p, q), (p, q)), b_kl_bwd)


def b_kl_ref(p, q):
    return jnp.sum(jax.scipy.special.rel_entr(p, q), axis=-1)


# --- 9 sum over monotonic alignments (CTC without blanks), forward-backward posteriors
def b_align_sweep(lp):  # log-weight of all prefixes ending at (t, s)
    def step(a, row):
        a = row + jnp.logaddexp(a, jnp.concatenate([jnp.full((1,), -1e30, a.dtype), a[:-1]]))
        return a, a

    first = jnp.where(jnp.arange(lp.shape[1]) == 0, lp[0], -1e30)
    _, rest = lax.scan(step, first, lp[1:])
    return jnp.concatenate([first[None], rest])


@jax.custom_vjp
def b_align_loglik(lp):
    return b_align_sweep(b_up(lp))[-1, -1].astype(lp.dtype)


def b_align_loglik_fwd(lp):
    x = b_up(lp)
    alpha = b_align_sweep(x)
    beta = b_align_sweep(x[::-1, ::-1])[::-1, ::-1]
    # both contain x itself, so it is taken off once
    return alpha[-1, -1].astype(lp.dtype), jnp.exp(alpha + beta - x - alpha[-1, -1])


b_align_loglik.defvjp(b_align_loglik_fwd, lambda post, g: ((g * post).astype(g.dtype),))


def b_align_loglik_ref(lp):
    t, s = lp.shape
    scores = []
    for jumps in itertools.combinations(range(1, t), s - 1):
        state = [sum(j <= i for j in jumps) for i in range(t)]
        scores.append(sum(lp[i, state[i]] for i in range(t)))
    return jax.scipy.special.logsumexp(jnp.stack(scores))


# --- 10 InfoNCE: a plain function around a rule for the diagonal cross entropy
@jax.custom_vjp
def b_diag_xent(logits):
    return jnp.mean(jax.nn.logsumexp(logits, -1) - jnp.diagonal(logits))


def b_diag_xent_bwd(p, g):
    off = jnp.where(jnp.eye(len(p), dtype=bool), 0, p)  # 1 - p_ii as the sum of the others
    return (g / len(p) * (off - jnp.diag(off.sum(-1))),)


b_diag_xent.defvjp(lambda l: (b_diag_xent(l), jax.nn.softmax(l, -1)), b_diag_xent_bwd)


def b_info_nce(za, zb):
    a, b = b_up(za), b_up(zb)
    a = a * lax.rsqrt(jnp.sum(a * a, -1, keepdims=True) + 1e-8)
    b = b * lax.rsqrt(jnp.sum(b * b, -1, keepdims=True) + 1e-8)
    return b_diag_xent(a @ b.T / 0.2).astype(za.dtype)


def b_info_nce_ref(za, zb):
    a = za / jnp.sqrt(jnp.sum(za**2, 1, keepdims=True) + 1e-8)
    b = zb / jnp.sqrt(jnp.sum(zb**2, 1, keepdims=True) + 1e-8)
    logp = jax.nn.log_softmax(5 * jnp.einsum("id,jd->ij", a, b), axis=1)
    return -jnp.mean(jnp.diag(logp))


# --- 11 triplet loss with squared distances on a dict
@jax.custom_vjp
def b_triplet_sq(batch):
    return b_triplet_sq_fwd(batch)[0]


def b_triplet_sq_fwd(batch):
    a, p, n = (b_up(batch[k]) for k in ("anchor", "pos", "neg"))
    loss = 1 + jnp.sum((a - p) ** 2, -1) - jnp.sum((a - n) ** 2, -1)
    return jnp.maximum(loss, 0).astype(batch["anchor"].dtype), (a - p, a - n, loss > 0)


def b_triplet_sq_bwd(res, g):
    ap, an, active = res
    c = jnp.where(active, 2 * b_up(g), 0)[..., None]
    out = {"anchor": c * (ap - an), "pos": -c * ap, "neg": c * an}
    return ({k: v.astype(g.dtype) for k, v in out.items()},)


b_triplet_sq.defvjp(b_triplet_sq_fwd, b_triplet_sq_bwd)


def b_triplet_sq_ref(batch):
    d = lambda k: jnp.sum(jnp.square(batch["anchor"] - batch[k]), axis=-1)
    return jax.nn.relu(d("pos") - d("neg") + 1)


# --- 12 causal attention that recomputes the probabilities from the saved logsumexp
def b_flash_scores(q, k):
    s = jnp.einsum("bid,bjd->bij", b_up(q), b_up(k)) / np.sqrt(q.shape[-1])
    return jnp.where(jnp.tril(jnp.ones(s.shape[1:], bool)), s, -1e30)


@jax.custom_vjp
def b_flash(q, k, v):
    return b_flash_fwd(q, k, v)[0]


def b_flash_fwd(q, k, v):
    s = b_flash_scores(q, k)
    lse = jax.nn.logsumexp(s, -1, keepdims=True)
    o = jnp.exp(s - lse) @ b_up(v)
    return o.astype(v.dtype), (q, k, v, o, lse)


def b_flash_bwd(res, do):
    q, k, v, o, lse = res
    do = b_up(do)
    p = jnp.exp(b_flash_scores(q, k) - lse)
    delta = jnp.sum(do * o, -1, keepdims=True)
    ds = p * (jnp.einsum("bie,bje->bij", do, b_up(v)) - delta) / np.sqrt(q.shape[-1])
    dq = jnp.einsum("bij,bjd->bid", ds, b_up(k))
    dk = jnp.einsum("bij,bid->bjd", ds, b_up(q))
    dv = jnp.einsum("bij,bie->bje", p, do)
    return dq.astype(q.dtype), dk.astype(k.dtype), dv.astype(v.dtype)


b_flash.defvjp(b_flash_fwd, b_flash_bwd)


def b_attention_ref(q, k, v):
    s = q @ jnp.swapaxes(k, 1, 2) / np.sqrt(q.shape[-1]).item()
    t = q.shape[1]
    s = jnp.where(jnp.arange(t)[:, None] >= jnp.arange(t), s, -jnp.inf)
    return jax.nn.softmax(s, axis=-1) @ v


# --- 13 softmax with a learnt temperature; the shift is detached (its coefficient sums to 0)
@jax.custom_vjp
def b_temp_softmax(x, temp):
    return jax.nn.softmax((b_up(x) - jnp.max(b_up(x), -1, keepdims=True)) / temp, -1).astype(
        x.dtype
    )


def b_temp_softmax_fwd(x, temp):
    z = b_up(x) - lax.stop_gradient(jnp.max(b_up(x), -1, keepdims=True))
    y = jax.nn.softmax(z / temp, -1)
    return y.astype(x.dtype), (y, z, temp)


def b_temp_softmax_bwd(res, g):
    y, z, temp = res
    t = b_up(temp)
    pairs = b_up(g)[:, :, None] - b_up(g)[:, None, :]  # keeps its digits when y is saturated
    dx = y * jnp.einsum("bj,bij->bi", y, pairs) / t
    return dx.astype(g.dtype), (-jnp.sum(dx * z) / t).astype(temp.dtype)


b_temp_softmax.defvjp(b_temp_softmax_fwd, b_temp_softmax_bwd)


def b_temp_softmax_ref(x, temp):
    e = jnp.exp((x - jnp.max(x, axis=-1, keepdims=True)) / temp)
    return e / jnp.sum(e, axis=-1, keepdims=True)


# --- 14 sparsemax by sorting
@jax.custom_vjp
def b_sparsemax(x):
    z = b_up(x) - jnp.max(b_up(x), -1, keepdims=True)
    zs = -jnp.sort(-z, -1)
    k = jnp.arange(1, x.shape[-1] + 1)
    cs = jnp.cumsum(zs, -1)
    n = jnp.sum(1 + k * zs > cs, -1, keepdims=True)
    tau = (jnp.take_along_axis(cs, n - 1, -1) - 1) / n
    return jnp.maximum(z - tau, 0).astype(x.dtype)


def b_sparsemax_fwd(x):
    y = b_sparsemax(x)
    return y, y > 0


def b_sparsemax_bwd(support, g):
    gf = jnp.where(support, b_up(g), 0)
    mean = gf.sum(-1, keepdims=True) / support.sum(-1, keepdims=True)
    return (jnp.where(support, gf - mean, 0).astype(g.dtype),)


b_sparsemax.defvjp(b_sparsemax_fwd, b_sparsemax_bwd)


def b_sparsemax_ref(x):
    gap = jnp.sum(jax.nn.relu(x[..., None, :] - x[..., :, None]), axis=-1)
    support = gap < 1
    x = x - lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    tau = (jnp.sum(jnp.where(support, x, 0), -1, keepdims=True) - 1) / support.sum(
        -1, keepdims=True
    )
    return jnp.where(support, x - tau, 0)


# --- 15 2x2 max pooling, ties share evenly
@jax.custom_vjp
def b_max_pool(x):
    low = jnp.array(-jnp.inf, x.dtype)
    return lax.reduce_window(x, low, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def b_spread(y):
    return jnp.repeat(jnp.repeat(y, 2, axis=1), 2, axis=2)


def b_max_pool_fwd(x):
    return b_max_pool(x), x


def b_max_pool_bwd(x, g):
    hit = x == b_spread(b_max_pool(lax.stop_gradient(x)))
    b, h, w, c = x.shape
    n = hit.reshape(b, h // 2, 2, w // 2, 2, c).sum((2, 4))
    return (jnp.where(hit, b_spread(g / n), 0).astype(g.dtype),)


b_max_pool.defvjp(b_max_pool_fwd, b_max_pool_bwd)


def b_max_pool_ref(x):
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


# --- 16 1-D convolution written with shifts, parameters in a NamedTuple
class BConv(NamedTuple):
    w: object
    b: object


@jax.custom_vjp
def b_conv1d(x, conv):
    n = x.shape[1] - conv.w.shape[0] + 1
    y = sum(b_up(x[:, k : k + n]) @ b_up(conv.w[k]) for k in range(conv.w.shape[0]))
    return (y + conv.b).astype(x.dtype)


def b_conv1d_fwd(x, conv):
    return b_conv1d(x, conv), (x, conv)


def b_conv1d_bwd(res, g):
    x, conv = res
    size, n, gf = conv.w.shape[0], g.shape[1], b_up(g)
    dx = sum(
        jnp.pad(gf @ b_up(conv.w[k]).T, ((0, 0), (k, size - 1 - k), (0, 0))) for k in range(size)
    )
    dw = jnp.stack(
        [jnp.tensordot(b_up(x[:, k : k + n]), gf, ((0, 1), (0, 1))) for k in range(size)]
    )
    return dx.astype(x.dtype), BConv(dw.astype(conv.w.dtype), gf.sum((0, 1)).astype(conv.b.dtype))


b_conv1d.defvjp(b_conv1d_fwd, b_conv1d_bwd)


def b_conv1d_ref(x, conv):
    return (
        lax.conv_general_dilated(x, conv.w, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))
        + conv.b
    )


# --- 17 depthwise strided 2-D convolution, backward by linear_transpose
def b_dw_raw(x, w):
    return lax.conv_general_dilated(
        x,
        w,
        (2, 2),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@jax.custom_vjp
def b_depthwise(x, w):
    return b_dw_raw(b_up(x), b_up(w)).astype(x.dtype)


def b_depthwise_bwd(res, g):
    x, w = res
    xf, wf, gf = b_up(x), b_up(w), b_up(g)
    (dx,) = jax.linear_transpose(lambda a: b_dw_raw(a, wf), xf)(gf)
    (dw,) = jax.linear_transpose(lambda a: b_dw_raw(xf, a), wf)(gf)
    return dx.astype(x.dtype), dw.astype(w.dtype)


b_depthwise.defvjp(lambda x, w: (b_depthwise(x, w), (x, w)), b_depthwise_bwd)


def b_depthwise_ref(x, w):  # 5x5 input, 3x3 kernel: one row and column of zeros on each side
    xp = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(xp[:, i : i + 5 : 2, j : j + 5 : 2] * w[i, j, 0] for i in range(3) for j in range(3))


# --- 18 bilinear sampling
@jax.custom_vjp
def b_bilinear(img, u, v):
    return b_bilinear_fwd(img, u, v)[0]


def b_bilinear_fwd(img, u, v):
    i, j = jnp.floor(u).astype(int), jnp.floor(v).astype(int)
    f, h = b_up(u) - i, b_up(v) - j
    a, b, c, d = (b_up(img[i + m, j + n]) for m in (0, 1) for n in (0, 1))
    top, bottom = a + h * (b - a), c + h * (d - c)
    y = top + f * (bottom - top)
    return y.astype(img.dtype), (img, u, v, bottom - top, (b - a) + f * ((d - c) - (b - a)))


def b_bilinear_bwd(res, g):
    img, u, v, yu, yv = res
    i, j = jnp.floor(u).astype(int), jnp.floor(v).astype(int)
    f, h, gf = b_up(u) - i, b_up(v) - j, b_up(g)
    dimg = jnp.zeros_like(b_up(img))
    for m in (0, 1):
        for n in (0, 1):
            dimg = dimg.at[i + m, j + n].add(gf * jnp.abs(1 - m - f) * jnp.abs(1 - n - h))
    return dimg.astype(img.dtype), (gf * yu).astype(u.dtype), (gf * yv).astype(v.dtype)


b_bilinear.defvjp(b_bilinear_fwd, b_bilinear_bwd)


def b_bilinear_ref(img, u, v):
    return jax.scipy.ndimage.map_coordinates(img, [u, v], order=1, mode="nearest").astype(img.dtype)


# --- 19 embedding, backward by a one-hot product
@jax.custom_vjp
def b_embed(table, ids):
    return table[ids]


def b_embed_bwd(res, g):
    table, ids = res
    hot = ids[:, None] == jnp.arange(table.shape[0])
    return jnp.einsum("nv,nd->vd", hot.astype(b_up(g).dtype), b_up(g)).astype(table.dtype), None


b_embed.defvjp(lambda table, ids: (table[ids], (table, ids)), b_embed_bwd)


def b_embed_ref(table, ids):
    return jnp.take(table, ids, axis=0)


# --- 20 segment mean, empty segments give 0
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def b_segment_mean(x, ids, num):
    return b_segment_mean_fwd(x, ids, num)[0]


def b_segment_mean_fwd(x, ids, num):
    count = jnp.maximum(jnp.bincount(ids, length=num), 1)[:, None]
    total = jnp.zeros((num, x.shape[1]), b_up(x).dtype).at[ids].add(b_up(x))
    return (total / count).astype(x.dtype), (ids, count)


def b_segment_mean_bwd(num, res, g):
    ids, count = res
    dx = (b_up(g) / count)[ids]
    return dx.astype(g.dtype), np.zeros(ids.shape, jax.dtypes.float0)


b_segment_mean.defvjp(b_segment_mean_fwd, b_segment_mean_bwd)


def b_segment_mean_ref(x, ids, num):
    hot = (ids == jnp.arange(num)[:, None]).astype(x.dtype)
    return (hot @ x) / jnp.maximum(hot.sum(axis=1, keepdims=True), 1)


# --- 21 cumulative product without division
@jax.custom_vjp
def b_cumprod(x):
    return jnp.cumprod(b_up(x), axis=-1).astype(x.dtype)


def b_cumprod_fwd(x):
    xf = b_up(x)
    y = jnp.cumprod(xf, axis=-1)
    return y.astype(x.dtype), (xf, y)


def b_cumprod_bwd(res, g):
    x, y = res
    before = jnp.concatenate([jnp.ones_like(y[:, :1]), y[:, :-1]], -1)
    after = jnp.concatenate([x[:, 1:], jnp.zeros_like(x[:, :1])], -1)

    def step(r, row):
        gi, nxt = row
        r = gi + nxt * r
        return r, r

    _, r = lax.scan(step, jnp.zeros_like(x[:, 0]), (b_up(g).T, after.T), reverse=True)
    return ((before * r.T).astype(g.dtype),)


b_cumprod.defvjp(b_cumprod_fwd, b_cumprod_bwd)


def b_cumprod_ref(x):
    n = x.shape[-1]
    return jnp.stack(
        [functools.reduce(jnp.multiply, [x[:, j] for j in range(i + 1)]) for i in range(n)], -1
    )


# --- 22 cumulative logsumexp, backward as a product with prefix softmaxes
@jax.custom_vjp
def b_logcumsumexp(x):
    return lax.associative_scan(jnp.logaddexp, b_up(x), axis=-1).astype(x.dtype)


def b_logcumsumexp_bwd(x, g):
    n = x.shape[-1]
    prefix = jnp.where(jnp.tril(jnp.ones((n, n), bool)), b_up(x)[..., None, :], -jnp.inf)
    return (jnp.einsum("bj,bji->bi", b_up(g), jax.nn.softmax(prefix, -1)).astype(x.dtype),)


b_logcumsumexp.defvjp(lambda x: (b_logcumsumexp(x), x), b_logcumsumexp_bwd)


def b_logcumsumexp_ref(x):
    return jnp.stack([jax.nn.logsumexp(x[:, : i + 1], axis=1) for i in range(x.shape[1])], axis=1)


# --- 23 ordered weighted average (weights on the sorted values)
@jax.custom_vjp
def b_owa(x, w):
    return (jnp.sort(b_up(x), axis=-1) @ b_up(w)).astype(x.dtype)


def b_owa_fwd(x, w):
    order = jnp.argsort(x, axis=-1)
    xs = jnp.take_along_axis(b_up(x), order, -1)
    return (xs @ b_up(w)).astype(x.dtype), (order, xs, w)


def b_owa_bwd(res, g):
    order, xs, w = res
    rank = jnp.argsort(order, axis=-1)
    dx = b_up(g)[:, None] * b_up(w)[rank]
    return dx.astype(g.dtype), (b_up(g) @ xs).astype(w.dtype)


b_owa.defvjp(b_owa_fwd, b_owa_bwd)


def b_owa_ref(x, w):
    return jnp.sum(jnp.sort(x, axis=-1) * w, axis=-1)


# --- 24 one-sided power spectrum
@jax.custom_vjp
def b_power(x):
    f = jnp.fft.rfft(x, axis=-1)
    return f.real**2 + f.imag**2


def b_power_fwd(x):
    f = jnp.fft.rfft(x, axis=-1)
    return f.real**2 + f.imag**2, (f, x)


def b_power_bwd(res, g):
    f, x = res
    n = x.shape[-1]
    half = jnp.pad(
        g * f, ((0, 0), (0, n - f.shape[-1]))
    )  # no mirrored half: g has one entry per bin
    return (2 * n * jnp.fft.ifft(half, axis=-1).real,)


b_power.defvjp(b_power_fwd, b_power_bwd)


def b_power_ref(x):
    n = x.shape[-1]
    angle = 2 * np.pi / n * (np.outer(np.arange(n), np.arange(n // 2 + 1)) % n)
    return (x @ np.cos(angle).astype(x.dtype)) ** 2 + (x @ np.sin(angle).astype(x.dtype)) ** 2


# --- 25 masked mean accumulated in float32
@jax.custom_vjp
def b_masked_mean(x, mask):
    n = jnp.maximum(jnp.count_nonzero(mask), 1)
    return (jnp.sum(b_up(x), where=mask) / n).astype(x.dtype)


def b_masked_mean_bwd(mask, g):
    return (mask * (b_up(g) / jnp.maximum(jnp.count_nonzero(mask), 1))).astype(g.dtype), None


b_masked_mean.defvjp(lambda x, mask: (b_masked_mean(x, mask), mask), b_masked_mean_bwd)


def b_masked_mean_ref(x, mask):
    return jnp.sum(jnp.where(mask, x / jnp.maximum(mask.sum(), 1), 0))


# --- 1 layer norm: the projection on xhat uses the cotangent before the scale
@jax.custom_vjp
def b_layer_norm_gain(x, gain, bias):
    return b_layer_norm_gain_fwd(x, gain, bias)[0]


def b_layer_norm_gain_fwd(x, gain, bias):
    xf = b_up(x)
    mu = jnp.mean(xf, -1, keepdims=True)
    inv = 1 / jnp.sqrt(jnp.var(xf, -1, keepdims=True) + 1e-5)
    xhat = (xf - mu) * inv
    return (xhat * gain + bias).astype(x.dtype), (xhat, inv, gain)


def b_layer_norm_gain_bwd(res, g):
    xhat, inv, gain = res
    g = b_up(g)
    dxhat = g * gain
    dx = inv * (dxhat - dxhat.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
    t = gain.dtype
    return dx.astype(t), jnp.sum(g * xhat, 0).astype(t), jnp.sum(g, 0).astype(t)


b_layer_norm_gain.defvjp(b_layer_norm_gain_fwd, b_layer_norm_gain_bwd)


def b_layer_norm_gain_ref(x, gain, bias):
    return b_layer_norm_ref(x, {"scale": gain, "bias": bias})


# --- 2 group norm: gradient of the scale is a mean over positions
def b_group_xhat(x, groups):
    b, s, c = x.shape
    h = b_up(x).reshape(b, s, groups, c // groups)
    h = (h - h.mean((1, 3), keepdims=True)) * lax.rsqrt(h.var((1, 3), keepdims=True) + 1e-5)
    return h.reshape(b, s, c)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def b_group_norm(x, scale, groups):
    return (b_group_xhat(x, groups) * scale).astype(x.dtype)


def b_group_norm_fwd(x, scale, groups):
    return b_group_norm(x, scale, groups), (x, scale)


def b_group_norm_bwd(groups, res, g):
    x, scale = res
    xhat, pull = jax.vjp(lambda a: b_group_xhat(a, groups), x)
    dscale = jnp.sum(jnp.mean(b_up(g) * xhat, axis=1), axis=0)
    return pull(b_up(g) * scale)[0], dscale.astype(scale.dtype)


b_group_norm.defvjp(b_group_norm_fwd, b_group_norm_bwd)


def b_group_norm_ref(x, scale, groups):
    parts = jnp.split(x, groups, axis=2)
    norm = lambda p: (
        (p - p.mean((1, 2), keepdims=True)) / jnp.sqrt(p.var((1, 2), keepdims=True) + 1e-5)
    )
    return jnp.concatenate([norm(p) for p in parts], axis=2) * scale


# --- 3 rms norm whose squares overflow in float16
@jax.custom_vjp
def b_rms_half(x):
    return x * lax.rsqrt(jnp.mean(lax.square(x), -1, keepdims=True) + 1e-5)


def b_rms_half_fwd(x):
    r = lax.rsqrt(jnp.mean(lax.square(x), -1, keepdims=True) + 1e-5)
    return x * r, (x * r, r)


def b_rms_half_bwd(res, g):
    y, r = res
    return (r * (g - y * jnp.mean(y * g, -1, keepdims=True)),)


b_rms_half.defvjp(b_rms_half_fwd, b_rms_half_bwd)


def b_rms_half_ref(x):
    xf = b_up(x)
    return (xf / jnp.sqrt(jnp.mean(xf**2, axis=-1, keepdims=True) + 1e-5)).astype(x.dtype)


# --- 4 weight norm: the saved norm is detached, so second derivatives lack a term
@jax.custom_vjp
def b_weight_norm(v, g):
    return g[:, None] * v / jnp.sqrt(jnp.sum(v * v, 1, keepdims=True))


def b_weight_norm_fwd(v, g):
    norm = lax.stop_gradient(jnp.sqrt(jnp.sum(v * v, 1, keepdims=True)))
    return b_weight_norm(v, g), (v, g, norm)


def b_weight_norm_bwd(res, dw):
    v, g, norm = res
    u = v / norm
    dg = jnp.sum(dw * u, 1)
    return g[:, None] / norm * (dw - u * dg[:, None]), dg


b_weight_norm.defvjp(b_weight_norm_fwd, b_weight_norm_bwd)


def b_weight_norm_ref(v, g):
    return jax.vmap(lambda row, s: row * (s / jnp.linalg.norm(row)))(v, g)


# --- 5 standardisation with E[x^2] - E[x]^2
@jax.custom_vjp
def b_standardize(x):
    return b_standardize_fwd(x)[0]


def b_standardize_fwd(x):
    mean, sq = jnp.mean(x, -1, keepdims=True), jnp.mean(x * x, -1, keepdims=True)
    inv = lax.rsqrt(jnp.maximum(sq - mean * mean, 0) + 1e-5)
    y = (x - mean) * inv
    return y, (y, inv)


def b_standardize_bwd(res, g):
    y, inv = res
    return (inv * (g - g.mean(-1, keepdims=True) - y * (g * y).mean(-1, keepdims=True)),)


b_standardize.defvjp(b_standardize_fwd, b_standardize_bwd)


def b_standardize_ref(x):
    c = x - jnp.mean(x, axis=-1, keepdims=True)
    return c / jnp.sqrt(jnp.mean(c**2, axis=-1, keepdims=True) + 1e-5)


# --- 6 scale norm: fwd adds eps outside the root, the undifferentiated function inside
@jax.custom_vjp
def b_scale_norm(x, s):
    xf = b_up(x)
    return (s * xf / jnp.sqrt(jnp.sum(xf**2, -1, keepdims=True) + 1e-2)).astype(x.dtype)


def b_scale_norm_fwd(x, s):
    xf = b_up(x)
    y = xf / (jnp.sqrt(jnp.sum(xf**2, -1, keepdims=True)) + 1e-2)
    return (s * y).astype(x.dtype), (x, s)


def b_scale_norm_bwd(res, g):
    x, s = res
    xf = b_up(x)
    r = lax.rsqrt(jnp.sum(xf**2, -1, keepdims=True) + 1e-2)
    y = xf * r
    dx = s * r * (g - y * jnp.sum(y * g, -1, keepdims=True))
    return dx.astype(x.dtype), jnp.sum(g * y).astype(s.dtype)


b_scale_norm.defvjp(b_scale_norm_fwd, b_scale_norm_bwd)


def b_scale_norm_ref(x, s):
    return s * (x / jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-2))


# --- 7 smoothing mass over K classes forward, over the K-1 others backward
@jax.custom_vjp
def b_ls_loss(logits, label):
    logp = jax.nn.log_softmax(b_up(logits))
    k = logits.shape[-1]
    target = 0.8 * jax.nn.one_hot(label, k) + 0.2 / k
    return -jnp.sum(target * logp, -1).astype(logits.dtype)


def b_ls_loss_bwd(res, g):
    p, label = res
    k = p.shape[-1]
    target = jnp.where(jax.nn.one_hot(label, k) > 0, 0.8, 0.2 / (k - 1))
    return (g[:, None] * (p - target)).astype(g.dtype), None


b_ls_loss.defvjp(lambda z, y: (b_ls_loss(z, y), (jax.nn.softmax(b_up(z)), y)), b_ls_loss_bwd)


def b_ls_loss_ref(logits, label):
    logp = jax.nn.log_softmax(logits, axis=-1)
    hit = jnp.take_along_axis(logp, label[:, None], axis=-1)[:, 0]
    return -0.8 * hit - 0.2 * jnp.mean(logp, axis=-1)


# --- 8 masked token loss: mean over valid tokens forward, over all backward
@jax.custom_vjp
def b_token_loss(logits, targets, valid):
    lp = jax.nn.log_softmax(b_up(logits))[jnp.arange(len(targets)), targets]
    return (-jnp.sum(lp * valid) / jnp.maximum(valid.sum(), 1)).astype(logits.dtype)


def b_token_loss_fwd(logits, targets, valid):
    return b_token_loss(logits, targets, valid), (jax.nn.softmax(b_up(logits)), targets, valid)


def b_token_loss_bwd(res, g):
    p, targets, valid = res
    d = p - jax.nn.one_hot(targets, p.shape[1], dtype=p.dtype)
    return (g * d * valid[:, None] / valid.size).astype(g.dtype), None, None


b_token_loss.defvjp(b_token_loss_fwd, b_token_loss_bwd)


def b_token_loss_ref(logits, targets, valid):
    lse = jax.nn.logsumexp(logits, axis=1)
    nll = lse - jnp.take_along_axis(logits, targets[:, None], axis=1)[:, 0]
    return jnp.sum(jnp.where(valid, nll, 0)) / jnp.maximum(valid.sum(), 1)


# --- 9 Huber value: linear branch delta*(|r| - delta)
@jax.custom_vjp
def b_huber_sum(r):
    a = jnp.abs(b_up(r))
    return jnp.sum(jnp.where(a < 2.0, 0.5 * a**2, 2.0 * (a - 2.0)), -1).astype(r.dtype)


b_huber_sum.defvjp(
    lambda r: (b_huber_sum(r), r), lambda r, g: (g[..., None] * jnp.clip(r, -2.0, 2.0),)
)


def b_huber_sum_ref(r):
    a = jnp.abs(r)
    return jnp.sum(jnp.where(a < 2, a * a / 2, 2 * a - 2), axis=-1)


# --- 10 focal loss: log(sigmoid) in the backward pass is -inf far in the tail
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def b_focal_pos(x, gamma):
    xf = b_up(x)
    return (jax.nn.sigmoid(-xf) ** gamma * jax.nn.softplus(-xf)).astype(x.dtype)


def b_focal_pos_fwd(x, gamma):
    return b_focal_pos(x, gamma), x


def b_focal_pos_bwd(gamma, x, g):
    p = jax.nn.sigmoid(b_up(x))
    return ((g * (1 - p) ** gamma * (gamma * p * jnp.log(p) - (1 - p))).astype(x.dtype),)


b_focal_pos.defvjp(b_focal_pos_fwd, b_focal_pos_bwd)


def b_focal_pos_ref(x, gamma):
    lp = jax.nn.log_sigmoid(x)
    return -jnp.exp(gamma * (lp - x)) * lp


# --- 11 Jensen-Shannon divergence: factor 1/2 missing for the second argument
@jax.custom_jvp
def b_js(p, q):
    m = (p + q) / 2
    return 0.5 * jnp.sum(p * jnp.log(p / m) + q * jnp.log(q / m), -1)


@b_js.defjvp
def b_js_jvp(primals, tangents):
    p, q = primals
    dp, dq = tangents
    m = (p + q) / 2
    return b_js(p, q), jnp.sum(0.5 * jnp.log(p / m) * dp + jnp.log(q / m) * dq, -1)


def b_js_ref(p, q):
    h = lambda a: jnp.sum(jax.scipy.special.entr(a), axis=-1)
    return h((p + q) / 2) - (h(p) + h(q)) / 2


# --- 12 triplet with Euclidean distances: 0/0 when anchor and positive coincide
@jax.custom_vjp
def b_triplet(a, p, n):
    return b_triplet_fwd(a, p, n)[0]


def b_triplet_fwd(a, p, n):
    dp = jnp.linalg.norm(a - p, axis=-1)
    dn = jnp.linalg.norm(a - n, axis=-1)
    loss = dp - dn + 1.0
    return jnp.maximum(loss, 0.0), (a - p, a - n, dp, dn, loss > 0)


def b_triplet_bwd(res, g):
    ap, an, dp, dn, active = res
    c = (g * active)[..., None]
    up, un = ap / dp[..., None], an / dn[..., None]
    return c * (up - un), -c * up, c * un


b_triplet.defvjp(b_triplet_fwd, b_triplet_bwd)


def b_safe_dist(d):
    s = jnp.sum(d * d, axis=-1)
    return jnp.where(s > 0, jnp.sqrt(jnp.where(s > 0, s, 1)), 0)


def b_triplet_ref(a, p, n):
    return jax.nn.relu(b_safe_dist(a - p) - b_safe_dist(a - n) + 1)


# --- 13 contrastive loss: transpose missing for the second tower
@jax.custom_vjp
def b_clip_loss(img, txt):
    s = img @ txt.T
    return jnp.mean(jax.nn.logsumexp(s, 1) - jnp.diagonal(s))


def b_clip_loss_fwd(img, txt):
    return b_clip_loss(img, txt), (img, txt)


def b_clip_loss_bwd(res, g):
    img, txt = res
    ds = (jax.nn.softmax(img @ txt.T, axis=1) - jnp.eye(len(img), dtype=img.dtype)) * g / len(img)
    return ds @ txt, ds @ img


b_clip_loss.defvjp(b_clip_loss_fwd, b_clip_loss_bwd)


def b_clip_loss_ref(img, txt):
    s = jnp.sum(img[:, None] * txt[None], axis=-1)
    return -jnp.mean(jnp.diag(jax.nn.log_softmax(s, axis=1)))


# --- 14 attention: the key's cotangent lacks 1/sqrt(d)
@jax.custom_vjp
def b_attn(q, k, v):
    return b_attn_fwd(q, k, v)[0]


def b_attn_fwd(q, k, v):
    scale = q.shape[-1] ** -0.5
    w = jax.nn.softmax(jnp.einsum("bid,bjd->bij", q * scale, k), axis=-1)
    return jnp.einsum("bij,bje->bie", w, v), (q, k, v, w)


def b_attn_bwd(res, g):
    q, k, v, w = res
    dw = jnp.einsum("bie,bje->bij", g, v)
    ds = w * (dw - jnp.sum(w * dw, -1, keepdims=True))
    dq = jnp.einsum("bij,bjd->bid", ds, k) * q.shape[-1] ** -0.5
    return dq, jnp.einsum("bij,bid->bjd", ds, q), jnp.einsum("bij,bie->bje", w, g)


b_attn.defvjp(b_attn_fwd, b_attn_bwd)


def b_attn_ref(q, k, v):
    one = lambda q, k, v: jax.nn.softmax(q @ k.T / q.shape[-1] ** 0.5, axis=1) @ v
    return jax.vmap(one)(q, k, v)


# --- 15 log-softmax: tangent summed along the batch instead of the classes
@jax.custom_jvp
def b_log_softmax(x):
    s = x - jnp.max(x, -1, keepdims=True)
    return s - jnp.log(jnp.sum(jnp.exp(s), -1, keepdims=True))


@b_log_softmax.defjvp
def b_log_softmax_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    y = b_log_softmax(x)
    return y, t - jnp.sum(jnp.exp(y) * t, axis=0, keepdims=True)


def b_log_softmax_ref(x):
    return x - jax.nn.logsumexp(x, axis=1, keepdims=True)


# --- 16 average pooling without padding in the count: backward divides by the full window
def b_window3(x):
    xp = jnp.pad(x, ((0, 0), (1, 1)))
    return xp[:, :-2] + xp[:, 1:-1] + xp[:, 2:]


@jax.custom_vjp
def b_avg_pool(x):
    return (b_window3(b_up(x)) / b_window3(jnp.ones_like(b_up(x)))).astype(x.dtype)


b_avg_pool.defvjp(
    lambda x: (b_avg_pool(x), None), lambda _, g: ((b_window3(b_up(g)) / 3).astype(g.dtype),)
)


def b_avg_pool_ref(x):
    n = x.shape[1]
    i = np.arange(n)
    near = (np.abs(i[:, None] - i) <= 1).astype(float)
    return x @ jnp.asarray(near / near.sum(0), x.dtype)


# --- 17 SAME convolution with a 2x2 kernel: the transposed padding is on the wrong side
B_DN = ("NHWC", "HWIO", "NHWC")


@jax.custom_vjp
def b_conv2d(x, w):
    return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=B_DN)


def b_conv2d_bwd(res, g):
    x, w = res
    wt = jnp.flip(w, (0, 1)).swapaxes(2, 3)
    dx = lax.conv_general_dilated(g, wt, (1, 1), "SAME", dimension_numbers=B_DN)
    xp = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    h, v = g.shape[1:3]
    dw = jnp.stack(
        [
            jnp.stack(
                [jnp.einsum("bhwc,bhwo->co", xp[:, i : i + h, j : j + v], g) for j in range(2)]
            )
            for i in range(2)
        ]
    )
    return dx, dw


b_conv2d.defvjp(lambda x, w: (b_conv2d(x, w), (x, w)), b_conv2d_bwd)


def b_conv2d_ref(x, w):
    h, v = x.shape[1:3]
    xp = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    return sum(xp[:, i : i + h, j : j + v] @ w[i, j] for i in range(2) for j in range(2))


# --- 18 embedding: .set loses repeated tokens
@jax.custom_vjp
def b_lookup(ids, table):
    return jnp.take(table, ids, axis=0)


def b_lookup_fwd(ids, table):
    return jnp.take(table, ids, axis=0), (ids, table)


def b_lookup_bwd(res, g):
    ids, table = res
    return None, jnp.zeros_like(table).at[ids].set(g)


b_lookup.defvjp(b_lookup_fwd, b_lookup_bwd)


def b_lookup_ref(ids, table):
    return jax.nn.one_hot(ids, table.shape[0], dtype=table.dtype) @ table


# --- 19 gather of time steps: numpy scatter in the backward pass, breaks under jit and vmap
@jax.custom_vjp
def b_pick_steps(x, steps):
    return x[steps]


def b_pick_steps_fwd(x, steps):
    return x[steps], (x, steps)


def b_pick_steps_bwd(res, g):
    x, steps = res
    dx = np.zeros(x.shape, x.dtype)
    np.add.at(dx, np.asarray(steps), np.asarray(g))
    return jnp.asarray(dx), None


b_pick_steps.defvjp(b_pick_steps_fwd, b_pick_steps_bwd)


def b_pick_steps_ref(x, steps):
    return jnp.take(x, steps, axis=0)


# --- 20 cumulative product with division by the input
@jax.custom_vjp
def b_cumprod_div(x):
    return jnp.cumprod(x, -1)


def b_cumprod_div_bwd(res, g):
    x, y = res
    return (jnp.flip(jnp.cumsum(jnp.flip(g * y, -1), -1), -1) / x,)


b_cumprod_div.defvjp(lambda x: (jnp.cumprod(x, -1), (x, jnp.cumprod(x, -1))), b_cumprod_div_bwd)


# --- 21 sort: permutation instead of its inverse
@jax.custom_vjp
def b_sort(x):
    return jnp.sort(x)


def b_sort_fwd(x):
    order = jnp.argsort(x)
    return jnp.take_along_axis(x, order, -1), order


b_sort.defvjp(b_sort_fwd, lambda order, g: (jnp.take_along_axis(g, order, -1),))


def b_sort_ref(x):
    return lax.sort(x, dimension=1)


# --- 22 spectral filter: the Nyquist bin is counted twice
@jax.custom_vjp
def b_spectral_filter(x, h):
    return jnp.fft.irfft(jnp.fft.rfft(x) * h, x.shape[-1])


def b_spectral_filter_fwd(x, h):
    return b_spectral_filter(x, h), (x, h)


def b_spectral_filter_bwd(res, g):
    x, h = res
    n = x.shape[-1]
    fx, fg = jnp.fft.rfft(x), jnp.fft.rfft(g)
    weight = jnp.full(h.shape, 2.0, h.dtype).at[0].set(1.0)
    return jnp.fft.irfft(fg * h, n), jnp.sum((fx.conj() * fg).real, 0) * weight / n


b_spectral_filter.defvjp(b_spectral_filter_fwd, b_spectral_filter_bwd)


def b_spectral_filter_ref(x, h):
    full = jnp.concatenate([h, h[1:-1][::-1]])
    return jnp.fft.ifft(jnp.fft.fft(x, axis=-1) * full, axis=-1).real


# --- 23 running mean accumulated in the input's dtype
@jax.custom_vjp
def b_running_mean(x):
    total = lax.fori_loop(0, x.shape[0], lambda i, s: s + x[i], jnp.zeros((), x.dtype))
    return total / x.shape[0]


b_running_mean.defvjp(
    lambda x: (b_running_mean(x), x), lambda x, g: (jnp.broadcast_to(g / x.shape[0], x.shape),)
)


def b_running_mean_ref(x):
    return jnp.mean(x)


# --- 24 cosine similarity: float32 output for half inputs
@jax.custom_vjp
def b_cosine(a, b):
    return b_cosine_fwd(a, b)[0]


def b_cosine_fwd(a, b):
    af, bf = b_up(a), b_up(b)
    ra = lax.rsqrt(jnp.sum(af * af, -1) + 1e-8)
    rb = lax.rsqrt(jnp.sum(bf * bf, -1) + 1e-8)
    return jnp.sum(af * bf, -1) * ra * rb, (a, b, ra[..., None], rb[..., None])


def b_cosine_bwd(res, g):
    a, b, ra, rb = res
    ua, ub, g = b_up(a) * ra, b_up(b) * rb, g[..., None]
    c = jnp.sum(ua * ub, -1, keepdims=True)
    return (g * ra * (ub - c * ua)).astype(a.dtype), (g * rb * (ua - c * ub)).astype(b.dtype)


b_cosine.defvjp(b_cosine_fwd, b_cosine_bwd)


def b_cosine_ref(a, b):
    na = jnp.sqrt(jnp.sum(a**2, axis=-1) + 1e-8)
    nb = jnp.sqrt(jnp.sum(b**2, axis=-1) + 1e-8)
    return jnp.sum(a * b, axis=-1) / (na * nb)


# --- 25 segment softmax: the inner product is summed over all segments
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def b_edge_softmax(x, ids, num):
    return b_edge_softmax_fwd(x, ids, num)[0]


def b_edge_softmax_fwd(x, ids, num):
    xf = b_up(x)
    e = jnp.exp(xf - jax.ops.segment_max(xf, ids, num)[ids])
    y = e / jax.ops.segment_sum(e, ids, num)[ids]
    return y.astype(x.dtype), (y, ids)


def b_edge_softmax_bwd(num, res, g):
    y, ids = res
    return (y * (g - jnp.sum(y * g))).astype(g.dtype), None


b_edge_softmax.defvjp(b_edge_softmax_fwd, b_edge_softmax_bwd)


def b_edge_softmax_ref(x, ids, num):
    same = ids[:, None] == ids[None, :]
    return jnp.diagonal(jax.nn.softmax(jnp.where(same, x[None, :], -jnp.inf), axis=1))


def b_a(*rows):
    return np.array(rows, dtype=np.float64)


CASES = (
    # ------------------------------------------------------------ right
    Case(
        "b_layer_norm",
        "normalisation",
        False,
        "layer norm with scale and bias in a dict, saved xhat and rstd",
        Rule(
            b_layer_norm,
            b_layer_norm_ref,
            ("BxD", {"scale": "D", "bias": "D"}),
            batch="B",
            sizes=({"B": 1, "D": 3}, {"B": 3, "D": 5}, {"B": 2, "D": 16}),
        ),
    ),
    Case(
        "b_rms_norm_jvp",
        "normalisation",
        False,
        "rms norm with a weight, custom_jvp",
        Rule(
            b_rms_norm,
            b_rms_norm_ref,
            ("BxD", "D"),
            batch="B",
            sizes=({"B": 1, "D": 3}, {"B": 3, "D": 5}, {"B": 2, "D": 16}),
        ),
    ),
    Case(
        "b_l2_normalize",
        "normalisation",
        False,
        "l2 normalisation, backward from the output; static axis",
        Rule(
            b_l2_normalize,
            b_l2_normalize_ref,
            ("BxD", -1),
            batch="B",
            sizes=({"B": 1, "D": 3}, {"B": 3, "D": 5}, {"B": 2, "D": 16}),
        ),
    ),
    Case(
        "b_smooth_xent",
        "loss",
        False,
        "label-smoothed cross entropy, mean over the batch, integer labels, partial",
        Rule(
            functools.partial(b_smooth_xent, 0.1),
            b_smooth_xent_ref,
            ("BxK", "B:int<K"),
            batch="B",
            reduces="mean",
        ),
    ),
    Case(
        "b_hinge",
        "loss",
        False,
        "mean binary hinge, keeps integers only, convention 0 at the margin",
        Rule(
            b_hinge,
            b_hinge_ref,
            ("B", "B:int<2"),
            batch="B",
            reduces="mean",
            kinks=(
                Kink(
                    "margin",
                    (b_a(1.0, -1.0, 0.5, 3.0), np.array([1, 0, 1, 1])),
                    np.float64(1.0),
                    (b_a(0.0, 0.0, -0.25, 0.0), None),
                ),
            ),
        ),
    ),
    Case(
        "b_huber_jvp",
        "loss",
        False,
        "Huber loss of prediction and target, mean over features, custom_jvp",
        Rule(b_huber_op, b_huber_ref, ("BxD", "BxD"), batch="B"),
    ),
    Case(
        "b_focal",
        "loss",
        False,
        "binary focal loss on logits with gamma 2, stable in both tails",
        Rule(b_focal, b_focal_ref, ("B", "B:int<2"), batch="B"),
    ),
    Case(
        "b_kl",
        "loss",
        False,
        "KL divergence with respect to both distributions",
        Rule(b_kl, b_kl_ref, ("BxK:simplex", "BxK:simplex"), batch="B", dtypes=NO_F16),
    ),
    Case(
        "b_align_loglik",
        "loss",
        False,
        "CTC-like sum over monotonic alignments, forward-backward posteriors as residual",
        Rule(
            b_align_loglik,
            b_align_loglik_ref,
            ("TxS:(-20,0)",),
            sizes=({"T": 3, "S": 2}, {"T": 5, "S": 3}, {"T": 6, "S": 4}),
        ),
    ),
    Case(
        "b_info_nce",
        "contrastive",
        False,
        "InfoNCE: plain normalisation around a rule for the diagonal cross entropy",
        Rule(b_info_nce, b_info_nce_ref, ("BxD", "BxD"), batch="B", reduces="mixed"),
    ),
    Case(
        "b_triplet_sq",
        "contrastive",
        False,
        "triplet loss with squared distances on a dict, anchor's terms cancelled",
        Rule(
            b_triplet_sq,
            b_triplet_sq_ref,
            ({"anchor": "BxD", "pos": "BxD", "neg": "BxD"},),
            batch="B",
            dtypes=NO_F16,
        ),
    ),
    Case(
        "b_flash",
        "attention",
        False,
        "causal attention, probabilities recomputed from the saved logsumexp",
        Rule(
            b_flash,
            b_attention_ref,
            ("BxTxD:(-3,3)", "BxTxD:(-3,3)", "BxTxE"),
            batch="B",
            sizes=({"B": 2, "T": 3, "D": 2, "E": 2}, {"B": 1, "T": 5, "D": 4, "E": 3}),
        ),
    ),
    Case(
        "b_temp_softmax",
        "softmax",
        False,
        "softmax with a learnt temperature, detached shift that does not matter",
        Rule(b_temp_softmax, b_temp_softmax_ref, ("BxD", ":(0.2,5)"), batch="B"),
    ),
    Case(
        "b_sparsemax",
        "softmax",
        False,
        "sparsemax by sorting, only the support is kept",
        Rule(
            b_sparsemax,
            b_sparsemax_ref,
            ("BxD",),
            batch="B",
            kinks=(
                Kink(
                    "edge_of_support",
                    (b_a([1.0, 0.0, -3.0]),),
                    b_a([0.3, -0.7, 2.0]),
                    (b_a([0.0, 0.0, 0.0]),),
                ),
            ),
        ),
    ),
    Case(
        "b_max_pool",
        "pooling",
        False,
        "2x2 max pooling, ties share the cotangent evenly",
        Rule(
            b_max_pool,
            b_max_pool_ref,
            ("Bx4x6xC",),
            batch="B",
            kinks=(
                Kink(
                    "all_equal",
                    (np.zeros((1, 2, 2, 1)),),
                    np.ones((1, 1, 1, 1)),
                    (np.full((1, 2, 2, 1), 0.25),),
                ),
            ),
        ),
    ),
    Case(
        "b_conv1d",
        "convolution",
        False,
        "1-D convolution with bias written with shifts, NamedTuple of parameters",
        Rule(b_conv1d, b_conv1d_ref, ("Bx7xC", BConv("3xCxO", "O")), batch="B"),
    ),
    Case(
        "b_depthwise",
        "convolution",
        False,
        "strided depthwise 2-D convolution, backward by linear_transpose",
        Rule(b_depthwise, b_depthwise_ref, ("Bx5x5xC", "3x3x1xC"), batch="B"),
    ),
    Case(
        "b_bilinear",
        "interpolation",
        False,
        "bilinear sampling of an image, with respect to image and coordinates",
        Rule(b_bilinear, b_bilinear_ref, ("4x5", "B:(0.2,2.8)", "B:(0.2,3.8)"), batch="B"),
    ),
    Case(
        "b_embed",
        "gather",
        False,
        "embedding lookup, backward by a one-hot product",
        Rule(b_embed, b_embed_ref, ("VxD", "B:int<V"), batch="B"),
    ),
    Case(
        "b_segment_mean",
        "segment",
        False,
        "segment mean, empty segments give 0, float0 cotangent of the ids",
        Rule(b_segment_mean, b_segment_mean_ref, ("NxD", "N:int<4", 4)),
    ),
    Case(
        "b_cumprod",
        "cumulative",
        False,
        "cumulative product without division, right at zeros",
        Rule(b_cumprod, b_cumprod_ref, ("BxN:(-2,2)",), batch="B"),
    ),
    Case(
        "b_logcumsumexp",
        "cumulative",
        False,
        "cumulative logsumexp, backward as a product with prefix softmaxes",
        Rule(b_logcumsumexp, b_logcumsumexp_ref, ("BxN",), batch="B"),
    ),
    Case(
        "b_owa",
        "sorting",
        False,
        "weights on sorted values, ranks from a double argsort",
        Rule(b_owa, b_owa_ref, ("BxN", "N"), batch="B"),
    ),
    Case(
        "b_power",
        "fft",
        False,
        "one-sided power spectrum, backward by an unmirrored inverse transform",
        Rule(b_power, b_power_ref, ("BxN",), batch="B", dtypes=F64_F32),
    ),
    Case(
        "b_masked_mean",
        "reduction",
        False,
        "mean over the unmasked entries, accumulated in float32, 0 if none",
        Rule(b_masked_mean, b_masked_mean_ref, ("BxN", "BxN:bool")),
    ),
    # ------------------------------------------------------------ wrong
    Case(
        "b_layer_norm_gain",
        "normalisation",
        True,
        "projection on xhat uses the cotangent before the gain",
        Rule(b_layer_norm_gain, b_layer_norm_gain_ref, ("BxD", "D", "D"), batch="B"),
        (b_a([1.0, 2.0, 4.0], [0.5, -1.0, 3.0]), b_a(0.5, 2.0, -1.0), b_a(0.0, 1.0, 2.0)),
    ),
    Case(
        "b_group_norm_scale",
        "normalisation",
        True,
        "cotangent of the scale is a mean over positions, not a sum",
        Rule(b_group_norm, b_group_norm_ref, ("BxSx4", "4", 2), batch="B"),
        (np.sin(np.arange(24.0)).reshape(2, 3, 4), b_a(1.0, 2.0, 0.5, -1.0), 2),
    ),
    Case(
        "b_rms_half",
        "normalisation",
        True,
        "squares overflow in float16 from 256 on: the output is 0",
        Rule(b_rms_half, b_rms_half_ref, ("BxD",), batch="B"),
        (b_a([300.0, -400.0, 500.0]),),
        "float16",
    ),
    Case(
        "b_weight_norm",
        "normalisation",
        True,
        "saved norm is detached: second derivative lacks terms",
        Rule(b_weight_norm, b_weight_norm_ref, ("OxI:(0.5,2)", "O"), dtypes=F64_F32),
        (b_a([1.0, 0.6, 1.5], [0.7, 1.9, 1.1]), b_a(1.5, -2.0)),
        "second",
    ),
    Case(
        "b_standardize",
        "normalisation",
        True,
        "variance as E[x^2] - E[x]^2 loses its digits in float32",
        Rule(b_standardize, b_standardize_ref, ("BxN:(4000,4010)",), batch="B", dtypes=F64_F32),
        (b_a([4000.5, 4001.25, 4002.125, 4003.75, 4001.875]),),
        "float32",
    ),
    Case(
        "b_scale_norm",
        "normalisation",
        True,
        "fwd adds eps outside the root, the undifferentiated function inside",
        Rule(b_scale_norm, b_scale_norm_ref, ("BxD", ""), batch="B"),
        (b_a([0.3, -0.2, 0.1], [1.0, 0.5, -2.0]), np.float64(1.5)),
        "primal",
    ),
    Case(
        "b_ls_loss",
        "loss",
        True,
        "smoothing over K classes forward, over the K-1 others backward",
        Rule(
            b_ls_loss,
            b_ls_loss_ref,
            ("BxK", "B:int<K"),
            batch="B",
            sizes=({"B": 2, "K": 3}, {"B": 3, "K": 8}),
        ),
        (b_a([1.0, -0.5, 0.2], [0.0, 2.0, 1.0]), np.array([2, 0])),
    ),
    Case(
        "b_token_loss",
        "loss",
        True,
        "mean over valid tokens forward, over all tokens backward",
        Rule(b_token_loss, b_token_loss_ref, ("NxV", "N:int<V", "N:bool")),
        (
            b_a([1.0, -0.5], [0.3, 0.4], [2.0, 0.0]),
            np.array([0, 1, 1]),
            np.array([True, False, True]),
        ),
    ),
    Case(
        "b_huber_sum",
        "loss",
        True,
        "value of the linear branch is delta(|r|-delta) instead of delta(|r|-delta/2)",
        Rule(b_huber_sum, b_huber_sum_ref, ("BxD",), batch="B"),
        (b_a([0.5, 5.0], [-3.0, 1.0]),),
        "value",
    ),
    Case(
        "b_focal_tail",
        "loss",
        True,
        "log(sigmoid(x)) in the backward pass: NaN for very negative logits",
        Rule(b_focal_pos, b_focal_pos_ref, ("B", 2), batch="B"),
        (b_a(0.5, -1000.0), 2),
    ),
    Case(
        "b_js",
        "loss",
        True,
        "factor 1/2 missing for the second argument",
        Rule(b_js, b_js_ref, ("BxK:simplex", "BxK:simplex"), batch="B", dtypes=NO_F16),
        (b_a([0.2, 0.3, 0.5]), b_a([0.6, 0.3, 0.1])),
    ),
    Case(
        "b_triplet_dist",
        "contrastive",
        True,
        "0/0 where anchor and positive coincide, declared to give 0",
        Rule(
            b_triplet,
            b_triplet_ref,
            ("BxD", "BxD", "BxD"),
            batch="B",
            dtypes=NO_F16,
            kinks=(
                Kink(
                    "anchor_is_positive",
                    (b_a([1.0, 2.0]), b_a([1.0, 2.0]), b_a([1.5, 2.0])),
                    b_a(1.0),
                    (b_a([1.0, 0.0]), b_a([0.0, 0.0]), b_a([-1.0, 0.0])),
                ),
            ),
        ),
        (b_a([1.0, 2.0]), b_a([1.0, 2.0]), b_a([1.5, 2.0])),
        "kink",
    ),
    Case(
        "b_clip_loss",
        "contrastive",
        True,
        "transpose of the logits' cotangent missing for the second tower",
        Rule(
            b_clip_loss, b_clip_loss_ref, ("BxD:(-1,1)", "BxD:(-1,1)"), batch="B", reduces="mixed"
        ),
        (b_a([0.5, -0.2], [0.1, 0.9], [-0.7, 0.3]), b_a([0.2, 0.4], [-0.6, 0.8], [0.9, -0.1])),
    ),
    Case(
        "b_attn_key",
        "attention",
        True,
        "the key's cotangent lacks 1/sqrt(d)",
        Rule(b_attn, b_attn_ref, ("BxTxD:(-3,3)", "BxSxD:(-3,3)", "BxSxE"), batch="B"),
        (
            b_a([[0.5, -1.0], [1.0, 2.0]]),
            b_a([[0.3, 0.7], [-0.4, 1.0], [1.5, 0.2]]),
            b_a([[1.0], [-2.0], [0.5]]),
        ),
    ),
    Case(
        "b_log_softmax_axis",
        "softmax",
        True,
        "tangent summed along the batch axis instead of the classes",
        Rule(b_log_softmax, b_log_softmax_ref, ("BxK",), batch="B"),
        (b_a([1.0, 0.0, -1.0], [0.5, 0.2, 2.0]),),
        "jvp",
    ),
    Case(
        "b_avg_pool_edges",
        "pooling",
        True,
        "backward divides by the full window where the forward counts 2 at the edges",
        Rule(b_avg_pool, b_avg_pool_ref, ("BxL",), batch="B"),
        (b_a([1.0, 2.0, 3.0, 5.0]),),
    ),
    Case(
        "b_conv2d_same",
        "convolution",
        True,
        "SAME with an even kernel: input cotangent padded on the wrong side",
        Rule(b_conv2d, b_conv2d_ref, ("Bx4x5xC", "2x2xCxO"), batch="B"),
        (
            np.cos(np.arange(20.0)).reshape(1, 4, 5, 1),
            b_a([1.0, 2.0], [3.0, -1.0]).reshape(2, 2, 1, 1),
        ),
    ),
    Case(
        "b_lookup_set",
        "gather",
        True,
        "scatter with set: repeated tokens keep one cotangent",
        Rule(b_lookup, b_lookup_ref, ("B:int<7", "7xD"), batch="B"),
        (np.array([3, 1, 3, 6]), np.arange(14.0).reshape(7, 2)),
    ),
    Case(
        "b_pick_steps",
        "gather",
        True,
        "numpy scatter in the backward pass fails under jit and vmap",
        Rule(b_pick_steps, b_pick_steps_ref, ("TxD", "N:int<T"), order=1),
        (np.arange(8.0).reshape(4, 2), np.array([0, 2, 2])),
        "transform",
    ),
    Case(
        "b_cumprod_div",
        "cumulative",
        True,
        "division by the input: NaN where an entry is 0",
        Rule(b_cumprod_div, b_cumprod_ref, ("BxN:(-2,2)",), batch="B"),
        (b_a([1.5, 0.0, -1.2, 0.7]),),
    ),
    Case(
        "b_sort_order",
        "sorting",
        True,
        "permutation instead of its inverse, unseen with two entries",
        Rule(b_sort, b_sort_ref, ("BxN",), batch="B"),
        (b_a([2.0, 3.0, 1.0, 5.0]),),
    ),
    Case(
        "b_spectral_filter",
        "fft",
        True,
        "the Nyquist bin of the filter's cotangent is counted twice",
        Rule(b_spectral_filter, b_spectral_filter_ref, ("Bx8", "5"), batch="B", dtypes=F64_F32),
        (b_a([1.0, -2.0, 0.5, 3.0, 0.0, 1.5, -1.0, 2.0]), b_a(1.0, 0.5, 0.2, -0.3, 0.7)),
    ),
    Case(
        "b_running_mean",
        "reduction",
        True,
        "sum accumulated in bfloat16 stops growing",
        Rule(b_running_mean, b_running_mean_ref, ("N:(0,1)",), sizes=({"N": 1024},)),
        (np.full(1024, 0.75),),
        "bfloat16",
    ),
    Case(
        "b_cosine_dtype",
        "reduction",
        True,
        "float32 output for bfloat16 inputs",
        Rule(b_cosine, b_cosine_ref, ("BxD", "BxD"), batch="B"),
        (b_a([1.0, 2.0, -1.0]), b_a([0.5, -0.5, 2.0])),
        "bfloat16",
    ),
    Case(
        "b_edge_softmax",
        "segment",
        True,
        "inner product of the softmax's backward summed over all segments",
        Rule(b_edge_softmax, b_edge_softmax_ref, ("N", "N:int<3", 3)),
        (b_a(0.5, -1.0, 2.0, 0.3, 1.0), np.array([0, 0, 1, 1, 2]), 3),
    ),
)
