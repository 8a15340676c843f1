"""Blind cases: elementwise functions.

Written by people who had not seen the checker, its guide or the layers; rules unchanged since.
"""

# pyright: reportArgumentType=false

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.scipy import special as jsp

from experiments.wrong_gradients._case import Case
from ffnn_jax.verify import Kink, Rule

SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)
F64_F32 = ("float64", "float32")
NO_F16 = ("float64", "float32", "bfloat16")

# wrong rules


# softplus whose derivative is written exp(x) / (1 + exp(x))
@jax.custom_jvp
def A_softplus_ratio(x):
    return jnp.logaddexp(x, 0.0)


@A_softplus_ratio.defjvp
def A_softplus_ratio_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    e = jnp.exp(x)
    return A_softplus_ratio(x), dx * e / (1 + e)


# tanh-GELU with a hand-derived backward
@jax.custom_vjp
def A_gelu_hand(x):
    return 0.5 * x * (1 + jnp.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x**3)))


def A_gelu_hand_fwd(x):
    return A_gelu_hand(x), x


def A_gelu_hand_bwd(x, g):
    t = jnp.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x**3))
    inner = SQRT_2_OVER_PI * (1 + 0.044715 * x**2)
    return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner),)


A_gelu_hand.defvjp(A_gelu_hand_fwd, A_gelu_hand_bwd)


# tanh keeping its output, "to save memory"
@jax.custom_vjp
def A_tanh_detached(x):
    return jnp.tanh(x)


def A_tanh_detached_fwd(x):
    y = jnp.tanh(x)
    return y, lax.stop_gradient(y)


def A_tanh_detached_bwd(y, g):
    return (g * (1 - y * y),)


A_tanh_detached.defvjp(A_tanh_detached_fwd, A_tanh_detached_bwd)


# ELU from its output, for any alpha
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def A_elu_alpha(alpha, x):
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0)))


def A_elu_alpha_fwd(alpha, x):
    y = A_elu_alpha(alpha, x)
    return y, y


def A_elu_alpha_bwd(alpha, y, g):
    return (g * jnp.where(y > 0, 1.0, y + 1.0),)


A_elu_alpha.defvjp(A_elu_alpha_fwd, A_elu_alpha_bwd)


def A_elu_half_ref(x):
    neg = jnp.where(x > 0, 0.0, x)
    return jnp.where(x > 0, x, 0.5 * (jnp.exp(neg) - 1))


# bearing of the vector (x, y)
@jax.custom_jvp
def A_bearing(y, x):
    return jnp.arctan(y / x) + jnp.where(x < 0, math.pi, 0.0).astype(x.dtype)


@A_bearing.defjvp
def A_bearing_jvp(primals, tangents):
    y, x = primals
    dy, dx = tangents
    return A_bearing(y, x), (x * dy - y * dx) / (x * x + y * y)


# modulus of two components
@jax.custom_jvp
def A_modulus(x, y):
    return jnp.sqrt(x * x + y * y)


@A_modulus.defjvp
def A_modulus_jvp(primals, tangents):
    x, y = primals
    dx, dy = tangents
    r = A_modulus(x, y)
    return r, (x / r) * dx + (y / r) * dy


# logit with its argument clipped away from 0 and 1
@jax.custom_vjp
def A_clipped_logit(p):
    q = jnp.clip(p, 0.01, 0.99)
    return jnp.log(q) - jnp.log1p(-q)


def A_clipped_logit_fwd(p):
    return A_clipped_logit(p), jnp.clip(p, 0.01, 0.99)


def A_clipped_logit_bwd(q, g):
    return (g / (q * (1 - q)),)


A_clipped_logit.defvjp(A_clipped_logit_fwd, A_clipped_logit_bwd)


def A_clipped_logit_ref(p):
    q = jnp.clip(p, 0.01, 0.99)
    return jnp.log(q / (1 - q))


# x log y, skipping work for arguments that are not differentiated
@jax.custom_jvp
def A_xlogy_lazy(x, y):
    return x * jnp.log(y)


def A_xlogy_lazy_jvp(primals, tangents):
    x, y = primals
    dx, dy = tangents
    out = x * jnp.log(y)
    if isinstance(dx, SymbolicZero) or isinstance(dy, SymbolicZero):
        return out, jnp.zeros_like(out)
    return out, dx * jnp.log(y) + dy * x / y


A_xlogy_lazy.defjvp(A_xlogy_lazy_jvp, symbolic_zeros=True)


# log-gamma with Stirling's digamma
@jax.custom_jvp
def A_gammaln_stirling(x):
    return lax.lgamma(x)


@A_gammaln_stirling.defjvp
def A_gammaln_stirling_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    r = 1 / (x * x)
    psi = jnp.log(x) - 0.5 / x - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r / 240)))
    return A_gammaln_stirling(x), psi * dx


# log of the modified Bessel function I0
def A_log_i0_value(x):
    q = x * x / 4
    few = q * (1 + q / 4 * (1 + q / 9 * (1 + q / 16 * (1 + q / 25 * (1 + q / 36 * (1 + q / 49))))))
    return jnp.where(jnp.abs(x) < 0.5, jnp.log1p(few), jnp.log(jsp.i0e(x)) + jnp.abs(x))


@jax.custom_vjp
def A_log_bessel(x):
    return A_log_i0_value(x)


def A_log_bessel_fwd(x):
    return A_log_bessel(x), jnp.abs(x)


def A_log_bessel_bwd(a, g):
    return (g * jsp.i1e(a) / jsp.i0e(a),)


A_log_bessel.defvjp(A_log_bessel_fwd, A_log_bessel_bwd)


def A_log_i0_ref(x):
    near = jnp.abs(x) < 3
    q = jnp.where(near, x, 0) ** 2 / 4
    few = sum(q**k / float(math.factorial(k)) ** 2 for k in range(1, 17))
    a = jnp.where(near, 3, jnp.abs(x))
    return jnp.where(near, jnp.log1p(few), jnp.log(jsp.i0e(a)) + a)


# sin(x) / x guarded near zero
@jax.custom_jvp
def A_sinc_guard(x):
    small = jnp.abs(x) < 1e-4
    z = jnp.where(small, 1.0, x)
    return jnp.where(small, 1 - x * x / 6, jnp.sin(z) / z).astype(x.dtype)


@A_sinc_guard.defjvp
def A_sinc_guard_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    small = jnp.abs(x) < 0.1
    z = jnp.where(small, 1.0, x)
    slope = jnp.where(small, 0.0, (jnp.cos(z) - jnp.sin(z) / z) / z)
    return A_sinc_guard(x), slope.astype(x.dtype) * dx


def A_sinc_ref(x):
    near = jnp.abs(x) < 1.0
    s = jnp.where(near, x, 0.0) ** 2
    series = sum((-1) ** k / math.factorial(2 * k + 1) * s**k for k in range(11))
    z = jnp.where(near, 1.0, x)
    return jnp.where(near, series, jnp.sin(z) / z)


# log(1 - exp(-x)), straight from the formula
@jax.custom_vjp
def A_log1mexp_plain(x):
    return jnp.log(1 - jnp.exp(-x))


def A_log1mexp_plain_fwd(x):
    return A_log1mexp_plain(x), x


def A_log1mexp_plain_bwd(x, g):
    return (g * jnp.exp(-x) / (-jnp.expm1(-x)),)


A_log1mexp_plain.defvjp(A_log1mexp_plain_fwd, A_log1mexp_plain_bwd)


def A_log1mexp_ref(x):
    near = x < 1.0
    a = jnp.where(near, x, 1.0)
    b = jnp.where(near, 1.0, x)
    return jnp.where(near, jnp.log(-jnp.expm1(-a)), jnp.log1p(-jnp.exp(-b)))


# gaussian bump, normalised by a numpy constant
A_NORM = 1 / np.sqrt(2 * np.pi)


@jax.custom_jvp
def A_normal_pdf(x):
    return A_NORM * jnp.exp(-0.5 * x * x)


@A_normal_pdf.defjvp
def A_normal_pdf_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = A_normal_pdf(x)
    return y, -x * y * dx


def A_normal_pdf_ref(x):
    return jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


# arcsinh of a shifted input
@jax.custom_vjp
def A_arcsinh_shift(x, b):
    return jnp.arcsinh(x + b)


def A_arcsinh_shift_fwd(x, b):
    return jnp.arcsinh(x + b), (x, b)


def A_arcsinh_shift_bwd(res, g):
    x, b = res
    dx = g / jnp.sqrt(1 + (x + b) ** 2)
    return dx, jnp.broadcast_to(jnp.sum(dx), b.shape)


A_arcsinh_shift.defvjp(A_arcsinh_shift_fwd, A_arcsinh_shift_bwd)


def A_arcsinh_shift_ref(x, b):
    # odd function, written so that neither sign nor size loses digits
    z = x + b
    a = jnp.abs(z)
    return jnp.where(z < 0, -1.0, 1.0) * jnp.log1p(a + a * a / (1 + jnp.sqrt(1 + a * a)))


# polar coordinates to the plane
@jax.custom_vjp
def A_from_polar(r, theta):
    return r * jnp.cos(theta), r * jnp.sin(theta)


def A_from_polar_fwd(r, theta):
    c, s = jnp.cos(theta), jnp.sin(theta)
    return (r * c, r * s), (r, c, s)


def A_from_polar_bwd(res, gs):
    r, c, s = res
    gx, gy = gs
    return gx * c + gy * s, -r * (gx * s + gy * c)


A_from_polar.defvjp(A_from_polar_fwd, A_from_polar_bwd)


def A_from_polar_ref(r, theta):
    return r * jnp.cos(theta), r * jnp.sin(theta)


# Kepler's equation E - e sin E = M by Newton, implicit derivative
@jax.custom_jvp
def A_kepler_newton(m, e):
    def step(_, E):
        return E - (E - e * jnp.sin(E) - m) / (1 - e * jnp.cos(E))

    return lax.fori_loop(0, 30, step, jnp.full_like(m, math.pi))


@A_kepler_newton.defjvp
def A_kepler_newton_jvp(primals, tangents):
    m, e = primals
    dm, de = tangents
    E = A_kepler_newton(m, e)
    return E, (dm + jnp.sin(E) * de) / (1 + e * jnp.cos(E))


def A_kepler_ref(m, e):
    E = m + e * jnp.sin(m)
    for _ in range(25):
        f = E - e * jnp.sin(E) - m
        E = jnp.clip(E - f / (1 - e * jnp.cos(E)), -1.0, 7.5)
    for _ in range(3):
        E = E - (E - e * jnp.sin(E) - m) / (1 - e * jnp.cos(E))
    return E


# x**n, the derivative from the saved output
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def A_power_out(x, n):
    return x**n


def A_power_out_fwd(x, n):
    y = x**n
    return y, (x, y)


def A_power_out_bwd(n, res, g):
    x, y = res
    return (g * n * y / x,)


A_power_out.defvjp(A_power_out_fwd, A_power_out_bwd)


def A_power_ref(x, n):
    y = jnp.ones_like(x)
    for _ in range(n):
        y = y * x
    return y


# binarisation with a straight-through gradient inside [-1, 1]
@jax.custom_vjp
def A_binarize(x):
    return jnp.where(x >= 0, 1.0, -1.0).astype(x.dtype)


def A_binarize_fwd(x):
    return A_binarize(x), jnp.abs(x) <= 1


def A_binarize_bwd(inside, g):
    return (g,)


A_binarize.defvjp(A_binarize_fwd, A_binarize_bwd)


def A_binarize_ref(x):
    return jnp.where(x < 0, -1.0, 1.0).astype(x.dtype)


def A_binarize_backward(args, dz):
    (x,) = args
    return (dz * (jnp.abs(x) <= 1),)


# square root meant to have derivative 0 at 0
@jax.custom_vjp
def A_safe_sqrt(x):
    return jnp.sqrt(jnp.maximum(x, 0))


def A_safe_sqrt_fwd(x):
    y = A_safe_sqrt(x)
    return y, y


def A_safe_sqrt_bwd(y, g):
    return (jnp.where(y >= 0, 0.5 * g / y, 0),)


A_safe_sqrt.defvjp(A_safe_sqrt_fwd, A_safe_sqrt_bwd)


# log cosh residual
@jax.custom_vjp
def A_log_cosh(x, y):
    return jnp.log(jnp.cosh(x - y))


def A_log_cosh_bwd(res, g):
    d = g * jnp.tanh(res)
    return d, -d


A_log_cosh.defvjp(lambda x, y: (A_log_cosh(x, y), x - y), A_log_cosh_bwd)


def A_log_cosh_ref(x, y):
    d = x - y
    return d + jax.nn.softplus(-2 * d) - math.log(2.0)


# a gain, its gradient accumulated sample by sample
@jax.custom_vjp
def A_gain(x, s):
    return s * x


def A_gain_fwd(x, s):
    return s * x, (x, s)


def A_gain_bwd(res, g):
    x, s = res
    total, _ = lax.scan(lambda acc, gx: (acc + gx, None), jnp.zeros((), x.dtype), g * x)
    return g * s, total


A_gain.defvjp(A_gain_fwd, A_gain_bwd)


def A_gain_ref(x, s):
    return x * s


# sigmoid of a normalised input, parameters in a dict
@jax.custom_vjp
def A_gate(x, params):
    return jax.nn.sigmoid((x - params["center"]) * params["slope"])


def A_gate_fwd(x, params):
    y = A_gate(x, params)
    return y, (x, params, y)


def A_gate_bwd(res, g):
    x, params, y = res
    gz = g * y * (1 - y)
    dcenter = -jnp.sum(gz, axis=0) * params["slope"]
    dslope = jnp.sum(gz * (x - params["center"]), axis=0)
    leaves, treedef = jax.tree.flatten(params)
    return gz * params["slope"], jax.tree.unflatten(treedef, [dslope, dcenter])


A_gate.defvjp(A_gate_fwd, A_gate_bwd)


def A_gate_ref(x, params):
    z = (x - params["center"]) * params["slope"]
    return 0.5 * (1 + jnp.tanh(0.5 * z))


# Chebyshev polynomial T_n, derivative n U_{n-1}
@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def A_chebyshev_t(x, n):
    a, b = jnp.ones_like(x), x
    for _ in range(n):
        a, b = b, 2 * x * b - a
    return a


@A_chebyshev_t.defjvp
def A_chebyshev_t_jvp(n, primals, tangents):
    (x,), (dx,) = primals, tangents
    a, b = jnp.ones_like(x), 2 * x
    for _ in range(n):
        a, b = b, 2 * x * b - a
    return A_chebyshev_t(x, n), n * a * dx


def A_chebyshev_ref(x, n):
    coefs = np.polynomial.chebyshev.cheb2poly([0] * n + [1])
    return sum(float(c) * x**k for k, c in enumerate(coefs) if c)


# softsign that keeps its input on the module, as in other frameworks
class A_SoftsignState:
    saved = None


@jax.custom_vjp
def A_softsign_stateful(x):
    return x / (1 + jnp.abs(x))


def A_softsign_stateful_fwd(x):
    A_SoftsignState.saved = x
    return x / (1 + jnp.abs(x)), None


def A_softsign_stateful_bwd(_, g):
    return (g / (1 + jnp.abs(A_SoftsignState.saved)) ** 2,)


A_softsign_stateful.defvjp(A_softsign_stateful_fwd, A_softsign_stateful_bwd)


def A_softsign_ref(x):
    return jnp.where(x >= 0, x / (1 + jnp.where(x >= 0, x, 0)), x / (1 - jnp.where(x >= 0, 0, x)))


# exact GELU; training uses the fast forward
@jax.custom_vjp
def A_gelu_two_paths(x):
    return x * 0.5 * jsp.erfc(-x / math.sqrt(2.0))


def A_gelu_two_paths_fwd(x):
    return x * jax.nn.sigmoid(1.702 * x), x


def A_gelu_two_paths_bwd(x, g):
    cdf = 0.5 * jsp.erfc(-x / math.sqrt(2.0))
    pdf = jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return (g * (cdf + x * pdf),)


A_gelu_two_paths.defvjp(A_gelu_two_paths_fwd, A_gelu_two_paths_bwd)


def A_gelu_exact_ref(x):
    return jax.nn.gelu(x, approximate=False)


# right rules


# x log y; only the tangents that exist
@jax.custom_jvp
def A_xlogy(x, y):
    return x * jnp.log(y)


def A_xlogy_jvp(primals, tangents):
    x, y = primals
    dx, dy = tangents
    out = x * jnp.log(y)
    tangent = jnp.zeros_like(out)
    if not isinstance(dx, SymbolicZero):
        tangent = tangent + jnp.log(y) * dx
    if not isinstance(dy, SymbolicZero):
        tangent = tangent + x / y * dy
    return out, tangent


A_xlogy.defjvp(A_xlogy_jvp, symbolic_zeros=True)


# swish with a trained beta
@jax.custom_vjp
def A_swish(x, beta):
    return x * jax.nn.sigmoid(beta * x)


def A_swish_fwd(x, beta):
    p, q = jax.nn.sigmoid(beta * x), jax.nn.sigmoid(-beta * x)
    return x * p, (x, beta, p, q)


def A_swish_bwd(res, g):
    x, beta, p, q = res
    bump = x * (p * q)
    return g * (p + beta * bump), jnp.sum(g * (x * bump))


A_swish.defvjp(A_swish_fwd, A_swish_bwd)


def A_swish_ref(x, beta):
    return x * jnp.exp(jax.nn.log_sigmoid(beta * x))


# exact GELU, residuals: input and cdf
@jax.custom_vjp
def A_gelu_exact(x):
    return x * (0.5 * jsp.erfc(-x / math.sqrt(2.0)))


def A_gelu_exact_fwd(x):
    cdf = 0.5 * jsp.erfc(-x / math.sqrt(2.0))
    return x * cdf, (x, cdf)


def A_gelu_exact_bwd(res, g):
    x, cdf = res
    return (g * (cdf + x * jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)),)


A_gelu_exact.defvjp(A_gelu_exact_fwd, A_gelu_exact_bwd)


# tanh-GELU, with 0.5 (1 + tanh u) = sigmoid(2u)
@jax.custom_jvp
def A_gelu_as_sigmoid(x):
    return x * jax.nn.sigmoid(2 * SQRT_2_OVER_PI * x * (1 + 0.044715 * x * x))


@A_gelu_as_sigmoid.defjvp
def A_gelu_as_sigmoid_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    v = 2 * SQRT_2_OVER_PI * x * (1 + 0.044715 * x * x)
    s = jax.nn.sigmoid(v)
    # x dv/dx = 3 v - 2 (2 sqrt(2/pi) x)
    return x * s, dx * s * (1 + jax.nn.sigmoid(-v) * (3 * v - 4 * SQRT_2_OVER_PI * x))


def A_gelu_tanh_ref(x):
    # 0.5 (1 + tanh u) = exp(log sigmoid(2u)), accurate in both tails
    return x * jnp.exp(jax.nn.log_sigmoid(2 * SQRT_2_OVER_PI * (x + 0.044715 * x**3)))


# log(1 - exp(-x)) in two regions
@jax.custom_jvp
def A_log1mexp(x):
    return jnp.where(x < 0.6931, jnp.log(-jnp.expm1(-x)), jnp.log1p(-jnp.exp(-x)))


A_log1mexp.defjvps(lambda dx, ans, x: dx * jnp.exp(-x) / -jnp.expm1(-x))


# sin(x) / x, the derivative by a series near zero
@jax.custom_jvp
def A_sinc(x):
    z = jnp.where(x == 0, 1, x)
    return jnp.where(x == 0, 1, jnp.sin(z) / z)


@A_sinc.defjvp
def A_sinc_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    near = jnp.abs(x) < 0.9
    a = jnp.where(near, x, 0)
    s = a * a
    series = (
        -a
        / 3
        * (1 - s / 10 * (1 - s / 28 * (1 - s / 54 * (1 - s / 88 * (1 - s / 130 * (1 - s / 180))))))
    )
    z = jnp.where(near, 1, x)
    far = (jnp.cos(z) - jnp.sin(z) / z) / z
    return A_sinc(x), jnp.where(near, series, far) * dx


# tanh from nothing but its output
@jax.custom_vjp
def A_tanh(x):
    return jnp.tanh(x)


def A_tanh_fwd(x):
    y = A_tanh(x)
    return y, y


def A_tanh_bwd(y, g):
    return (g * (1 - y) * (1 + y),)


A_tanh.defvjp(A_tanh_fwd, A_tanh_bwd)


# smooth maximum of features and a threshold per column
@jax.custom_vjp
def A_smooth_max(x, b):
    return jnp.maximum(x, b) + jnp.log1p(jnp.exp(-jnp.abs(x - b)))


def A_smooth_max_fwd(x, b):
    return A_smooth_max(x, b), x - b


def A_smooth_max_bwd(d, g):
    return g * jax.nn.sigmoid(d), jnp.sum(g * jax.nn.sigmoid(-d), axis=0)


A_smooth_max.defvjp(A_smooth_max_fwd, A_smooth_max_bwd)


def A_smooth_max_ref(x, b):
    d = x - b
    up, down = jnp.where(d >= 0, d, 0), jnp.where(d >= 0, 0, d)
    return jnp.where(d >= 0, x + jnp.log1p(jnp.exp(-up)), b + jnp.log1p(jnp.exp(down)))


# angle of (x, y), each tangent scaled before it is combined
@jax.custom_jvp
def A_angle(y, x):
    return jnp.arctan2(y, x)


@A_angle.defjvp
def A_angle_jvp(primals, tangents):
    y, x = primals
    dy, dx = tangents
    r2 = x * x + y * y
    return A_angle(y, x), x / r2 * dy - y / r2 * dx


# Charbonnier penalty, eps bound by partial
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def A_charbonnier(eps, x):
    return jnp.sqrt(x * x + eps * eps)


def A_charbonnier_fwd(eps, x):
    y = A_charbonnier(eps, x)
    return y, (x, y)


def A_charbonnier_bwd(eps, res, g):
    x, y = res
    return (x / y * g,)


A_charbonnier.defvjp(A_charbonnier_fwd, A_charbonnier_bwd)


def A_charbonnier_ref(x):
    return 0.5 * jnp.sqrt(1 + 4 * x**2)


# Chebyshev polynomial by angles, its derivative by the recurrence of U
@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def A_chebyshev_angle(n, x):
    return jnp.cos(n * jnp.arccos(x))


@A_chebyshev_angle.defjvp
def A_chebyshev_angle_jvp(n, primals, tangents):
    (x,), (dx,) = primals, tangents
    below, u = jnp.zeros_like(x), jnp.ones_like(x)
    for _ in range(n - 1):
        below, u = u, 2 * x * u - below
    return A_chebyshev_angle(n, x), n * u * dx


def A_chebyshev_angle_ref(n, x):
    return A_chebyshev_ref(x, n)


# -x log x, with value and slope 0 at 0
@jax.custom_vjp
def A_entropy(x):
    return jnp.where(x > 0, -x * jnp.log(jnp.where(x > 0, x, 1)), 0)


def A_entropy_fwd(x):
    return A_entropy(x), x


def A_entropy_bwd(x, g):
    safe = jnp.where(x > 0, x, 1)
    return (jnp.where(x > 0, -g * (1 + jnp.log(safe)), 0),)


A_entropy.defvjp(A_entropy_fwd, A_entropy_bwd)


def A_entropy_ref(x):
    return -x * jnp.log(x)


# cross-entropy with logits and soft labels
@jax.custom_vjp
def A_soft_bce(logit, label):
    return jnp.maximum(logit, 0) - logit * label + jnp.log1p(jnp.exp(-jnp.abs(logit)))


def A_soft_bce_fwd(logit, label):
    return A_soft_bce(logit, label), (logit, label)


def A_soft_bce_bwd(res, g):
    logit, label = res
    return (jax.nn.sigmoid(logit) - label) * g, -g * logit


A_soft_bce.defvjp(A_soft_bce_fwd, A_soft_bce_bwd)


def A_soft_bce_ref(logit, label):
    return jax.nn.softplus(logit) - logit * label


# log-gamma, digamma by shift and Stirling
def A_digamma(x):
    shift = sum(1 / (x + k) for k in range(8))
    z = x + 8
    r = 1 / (z * z)
    tail = r * (
        1 / 12
        - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * (691 / 32760 - r / 12)))))
    )
    return jnp.log(z) - 0.5 / z - tail - shift


@jax.custom_jvp
def A_gammaln(x):
    return lax.lgamma(x)


@A_gammaln.defjvp
def A_gammaln_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return A_gammaln(x), A_digamma(x) * dx


# log I0(x), even; its derivative is I1 / I0 in scaled form
@jax.custom_jvp
def A_log_i0(x):
    return A_log_i0_value(x)


@A_log_i0.defjvp
def A_log_i0_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return A_log_i0(x), jsp.i1e(x) / jsp.i0e(x) * dx


# saturating response x / (1 + |x| / cap), cap per column in a dict
@jax.custom_vjp
def A_saturate(x, params):
    return x / (1 + jnp.abs(x) / params["cap"])


def A_saturate_fwd(x, params):
    u = x / params["cap"]
    w = 1 / (1 + jnp.abs(u))
    return x * w, (u, w)


def A_saturate_bwd(res, g):
    u, w = res
    gw = g * w * w
    return gw, {"cap": jnp.sum(gw * u * jnp.abs(u), axis=0)}


A_saturate.defvjp(A_saturate_fwd, A_saturate_bwd)


def A_saturate_ref(x, params):
    cap = params["cap"]
    up = jnp.where(x >= 0, x, 0)
    down = jnp.where(x >= 0, 0, -x)
    return jnp.where(x >= 0, up / (1 + up / cap), -down / (1 + down / cap))


# Kepler's equation by Newton with an implicit derivative
@jax.custom_jvp
def A_kepler(m, e):
    def go_on(state):
        i, E, step = state
        return (i < 50) & (jnp.max(jnp.abs(step)) > 4 * jnp.finfo(E.dtype).eps)

    def newton(state):
        i, E, _ = state
        step = (E - e * jnp.sin(E) - m) / (1 - e * jnp.cos(E))
        return i + 1, E - step, step

    start = jnp.full_like(m, math.pi)
    return lax.while_loop(go_on, newton, (0, start, jnp.ones_like(m)))[1]


@A_kepler.defjvp
def A_kepler_jvp(primals, tangents):
    m, e = primals
    dm, de = tangents
    E = A_kepler(m, e)
    return E, (dm + jnp.sin(E) * de) / (1 - e * jnp.cos(E))


# ELU (alpha = 1), only the output is kept
@jax.custom_vjp
def A_elu(x):
    return jnp.where(x > 0, x, jnp.expm1(jnp.minimum(x, 0)))


def A_elu_fwd(x):
    y = A_elu(x)
    return y, y


def A_elu_bwd(y, g):
    return (g * (1 + jnp.minimum(y, 0)),)


A_elu.defvjp(A_elu_fwd, A_elu_bwd)


def A_elu_ref(x):
    return jax.nn.elu(x)


# leaky ReLU, in place: the mask comes from the output; slope 0.125 at 0
@jax.custom_vjp
def A_leaky_relu(x):
    return jnp.maximum(x, 0.125 * x)


def A_leaky_relu_fwd(x):
    y = A_leaky_relu(x)
    return y, y > 0


def A_leaky_relu_bwd(mask, g):
    return (jnp.where(mask, g, 0.125 * g),)


A_leaky_relu.defvjp(A_leaky_relu_fwd, A_leaky_relu_bwd)


def A_leaky_relu_ref(x):
    return jnp.where(x >= 0, x, x / 8)


# symmetric logarithm
@jax.custom_jvp
def A_symlog(x):
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


A_symlog.defjvps(lambda dx, ans, x: dx / (1 + jnp.abs(x)))


def A_symlog_ref(x):
    up = jnp.where(x >= 0, x, 0)
    down = jnp.where(x >= 0, 0, -x)
    return jnp.where(x >= 0, jnp.log1p(up), -jnp.log1p(down))


# logit, its slope 1 / (p (1 - p)) = 2 + 2 cosh(logit) from the output
@jax.custom_vjp
def A_logit(p):
    return jnp.log(p) - jnp.log1p(-p)


def A_logit_fwd(p):
    y = A_logit(p)
    return y, y


def A_logit_bwd(y, g):
    return (g * (2 + 2 * jnp.cosh(y)),)


A_logit.defvjp(A_logit_fwd, A_logit_bwd)


def A_logit_ref(p):
    return jnp.log(p / (1 - p))


# polar to plane with a named output, the angle's cotangent from the saved outputs
class A_Point(NamedTuple):
    x: jax.Array
    y: jax.Array


@jax.custom_vjp
def A_polar(r, theta):
    return A_Point(r * jnp.cos(theta), r * jnp.sin(theta))


def A_polar_fwd(r, theta):
    c, s = jnp.cos(theta), jnp.sin(theta)
    point = A_Point(r * c, r * s)
    return point, (point, c, s)


def A_polar_bwd(res, ct):
    (x, y), c, s = res
    return ct.x * c + ct.y * s, ct.y * x - ct.x * y


A_polar.defvjp(A_polar_fwd, A_polar_bwd)


def A_polar_ref(r, theta):
    return A_Point(r * jnp.cos(theta), r * jnp.sin(theta))


# quantise to quarters, straight-through inside [-8, 8]
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def A_quantise(x, levels):
    return jnp.round(jnp.clip(x, -8, 8) * levels) / levels


def A_quantise_fwd(x, levels):
    return A_quantise(x, levels), (x >= -8) & (x <= 8)


def A_quantise_bwd(levels, inside, g):
    return (jnp.where(inside, g, jnp.zeros_like(g)),)


A_quantise.defvjp(A_quantise_fwd, A_quantise_bwd)


def A_quantise_ref(x, levels):
    return jnp.clip(jnp.round(x * levels) / levels, -8, 8)


def A_quantise_backward(args, dz):
    return dz * (jnp.abs(args[0]) <= 8), None


# PReLU with a slope per group, the group an integer per entry
@jax.custom_vjp
def A_group_prelu(x, group, slopes):
    return jnp.where(x >= 0, x, slopes[group] * x)


def A_group_prelu_fwd(x, group, slopes):
    return A_group_prelu(x, group, slopes), (x, group, slopes)


def A_group_prelu_bwd(res, g):
    x, group, slopes = res
    dx = jnp.where(x >= 0, g, slopes[group] * g)
    dslopes = jnp.zeros_like(slopes).at[group].add(g * jnp.minimum(x, 0))
    return dx, np.zeros(group.shape, jax.dtypes.float0), dslopes


A_group_prelu.defvjp(A_group_prelu_fwd, A_group_prelu_bwd)


def A_group_prelu_ref(x, group, slopes):
    one_hot = (group[:, None] == jnp.arange(slopes.shape[0])).astype(x.dtype)
    return jnp.where(x >= 0, 1.0, one_hot @ slopes) * x


# mish; `temperature` is kept for an older signature and not used
@jax.custom_vjp
def A_mish_core(x, temperature):
    return x * jnp.tanh(jax.nn.softplus(x))


def A_mish_fwd(x, temperature):
    t = jnp.tanh(jax.nn.softplus(x))
    return x * t, (x, t)


def A_mish_bwd(res, g):
    x, t = res
    return g * (t + x * jax.nn.sigmoid(x) * (1 - t * t)), None


A_mish_core.defvjp(A_mish_fwd, A_mish_bwd)


def A_mish(x, temperature):
    return A_mish_core(x, temperature)


def A_mish_ref(x, temperature):
    # tanh(log(1 + e^x)) = (e^2 + 2 e) / (e^2 + 2 e + 2), in powers of exp(-|x|)
    up = jnp.where(x >= 0, x, 0)
    down = jnp.where(x >= 0, 0, x)
    p, q = jnp.exp(-up), jnp.exp(down)
    return jnp.where(
        x >= 0, x * (1 + 2 * p) / (1 + 2 * p + 2 * p * p), x * (q * q + 2 * q) / (q * q + 2 * q + 2)
    )


CASES = (
    # ------------------------------------------------------------------------------ wrong
    Case(
        "a_softplus_ratio",
        "overflow",
        True,
        "softplus: the derivative exp(x)/(1+exp(x)) is inf/inf = NaN for large x",
        Rule(A_softplus_ratio, lambda x: jax.nn.softplus(x), ("NxD",)),
        (np.array([[1000.0, -2.0, 0.5]]),),
    ),
    Case(
        "a_gelu_missing_three",
        "factor",
        True,
        "tanh-GELU backward: d(x + c x^3) taken as 1 + c x^2 instead of 1 + 3 c x^2",
        Rule(A_gelu_hand, A_gelu_tanh_ref, ("NxD",), dtypes=NO_F16),
        (np.array([[1.2, -0.7, 2.0]]),),
    ),
    Case(
        "a_tanh_detached",
        "detached residual",
        True,
        "tanh keeps stop_gradient(y): first derivative right, second derivative zero",
        Rule(A_tanh_detached, jnp.tanh, ("NxD",), dtypes=F64_F32),
        (np.array([[0.4, -1.1, 0.9]]),),
        "second",
    ),
    Case(
        "a_elu_alpha_ignored",
        "wrong constant",
        True,
        "ELU from its output: y + 1 where alpha exp(x) is y + alpha (alpha = 0.5)",
        Rule(functools.partial(A_elu_alpha, 0.5), A_elu_half_ref, ("NxD",), dtypes=F64_F32),
        (np.array([[-1.0, 0.5, -3.0]]),),
    ),
    Case(
        "a_bearing_quadrant",
        "wrong region",
        True,
        "angle by arctan(y/x) + pi (x<0): off by 2 pi in the third quadrant; the slopes are right",
        Rule(A_bearing, jnp.arctan2, ("N", "N"), dtypes=NO_F16),
        (np.array([-1.0, 2.0]), np.array([-1.5, 0.5])),
        "value",
    ),
    Case(
        "a_modulus_half_overflow",
        "half precision overflow",
        True,
        "sqrt(x^2+y^2) without scaling: inf in float16 from entries of 256 on, with slopes 0",
        Rule(A_modulus, jnp.hypot, ("N:>0", "N:>0")),
        (np.array([300.0, 2.0]), np.array([400.0, 1.0])),
        "float16",
    ),
    Case(
        "a_clipped_logit",
        "clip ignored",
        True,
        "logit of clip(p, 0.01, 0.99): the backward forgets that the clip stops the gradient",
        Rule(A_clipped_logit, A_clipped_logit_ref, ("N:(0,1)",), dtypes=NO_F16),
        (np.array([0.001, 0.3, 0.995]),),
    ),
    Case(
        "a_xlogy_lazy_zero",
        "symbolic zeros",
        True,
        "x log y: if one tangent is a symbolic zero the whole tangent is dropped, so the derivative "
        "is zero when only one argument is differentiated (right when both are)",
        Rule(A_xlogy_lazy, lambda x, y: x * jnp.log(y), ("N:>0", "N:>0"), dtypes=F64_F32),
        (np.array([0.5, 2.0]), np.array([3.0, 0.7])),
        "transform",
    ),
    Case(
        "a_gammaln_stirling_small",
        "wrong region",
        True,
        "log-gamma: Stirling's digamma without a shift, wrong for small x",
        Rule(A_gammaln_stirling, jsp.gammaln, ("N:>0",), dtypes=F64_F32),
        (np.array([0.5, 1.5, 30.0]),),
    ),
    Case(
        "a_log_bessel_even",
        "sign in a region",
        True,
        "log I0: the derivative is odd but is computed from |x|, wrong sign for x < 0",
        Rule(A_log_bessel, A_log_i0_ref, ("NxD:(-4,4)",), dtypes=F64_F32),
        (np.array([[-1.3, 0.8]]),),
    ),
    Case(
        "a_sinc_flat_near_zero",
        "wrong region",
        True,
        "sin(x)/x: the slope is set to 0 for |x| < 0.1 instead of -x/3",
        Rule(A_sinc_guard, A_sinc_ref, ("NxD",), dtypes=NO_F16),
        (np.array([[0.08, 1.0, -0.05]]),),
    ),
    Case(
        "a_log1mexp_plain",
        "cancellation",
        True,
        "log(1 - exp(-x)) by the plain formula: digits lost for small x, -inf in float32 at 1e-8",
        Rule(A_log1mexp_plain, A_log1mexp_ref, ("N:>0",), dtypes=F64_F32, order=2),
        (np.array([1e-6, 3e-7, 1e-5]),),
        "float32",
    ),
    Case(
        "a_normal_pdf_numpy_constant",
        "dtype",
        True,
        "gaussian density: a numpy float64 constant promotes the result; bfloat16 in, wider out",
        Rule(A_normal_pdf, A_normal_pdf_ref, ("NxD",), dtypes=NO_F16),
        (np.array([[0.5, -1.0]]),),
        "bfloat16",
    ),
    Case(
        "a_arcsinh_shift_total",
        "broadcast reduction",
        True,
        "arcsinh(x + b): the bias cotangent is summed over columns too",
        Rule(A_arcsinh_shift, A_arcsinh_shift_ref, ("NxD", "D"), dtypes=F64_F32),
        (np.array([[0.3, -1.0], [2.0, 0.1]]), np.array([0.2, -0.4])),
    ),
    Case(
        "a_from_polar_second_output",
        "sign",
        True,
        "polar to plane: the share of the second output in the angle's cotangent has the wrong sign",
        Rule(A_from_polar, A_from_polar_ref, ("N:>0", "N")),
        (np.array([1.5, 0.4]), np.array([0.3, -2.0])),
    ),
    Case(
        "a_kepler_sign",
        "sign",
        True,
        "Kepler's equation: implicit derivative divides by 1 + e cos E instead of 1 - e cos E",
        Rule(A_kepler_newton, A_kepler_ref, ("N:(0,6.28)", "N:(0,0.6)"), dtypes=F64_F32, rtol=1e-8),
        (np.array([1.0, 4.0]), np.array([0.3, 0.55])),
    ),
    Case(
        "a_power_from_output",
        "nan at zero",
        True,
        "x**3: derivative from the output, n y / x, is 0/0 at x = 0 where the truth is 0",
        Rule(A_power_out, A_power_ref, ("NxD", 3), dtypes=NO_F16),
        (np.array([[0.0, 1.5, -2.0]]), 3),
    ),
    Case(
        "a_binarize_no_window",
        "straight-through",
        True,
        "sign with straight-through gradient: meant to stop outside [-1, 1], passes everywhere",
        Rule(A_binarize, A_binarize_ref, ("NxD",), backward=A_binarize_backward, order=1),
        (np.array([[0.5, -1.7, 3.0]]),),
    ),
    Case(
        "a_safe_sqrt_at_zero",
        "kink",
        True,
        "square root declared to have slope 0 at 0 gives inf there (y >= 0 for y > 0)",
        Rule(
            A_safe_sqrt,
            jnp.sqrt,
            ("N:>0",),
            dtypes=NO_F16,
            kinks=(
                Kink(
                    "zero", (np.array([0.0, 4.0]),), np.array([1.0, 1.0]), (np.array([0.0, 0.25]),)
                ),
            ),
        ),
        (np.array([0.0, 4.0]),),
        "kink",
    ),
    Case(
        "a_log_cosh_overflow",
        "overflow",
        True,
        "log(cosh(x - y)): value inf for |x - y| > 710 where the truth is |x - y| - log 2",
        Rule(A_log_cosh, A_log_cosh_ref, ("NxD", "NxD"), dtypes=F64_F32),
        (np.array([[1500.0, 0.4]]), np.array([[2.0, 1.0]])),
        "value",
    ),
    Case(
        "a_gain_running_sum",
        "half precision sum",
        True,
        "gain's gradient summed in a bfloat16 carry over 2048 samples: stalls at 256",
        Rule(A_gain, A_gain_ref, ("N:(0.5,2)", ""), dtypes=NO_F16, sizes=({"N": 2048}, {"N": 5})),
        (np.ones(2048), np.array(1.5)),
        "bfloat16",
    ),
    Case(
        "a_gate_swapped_leaves",
        "pytree order",
        True,
        "sigmoid gate: cotangents of the dict's two leaves swapped (flatten order is alphabetical)",
        Rule(A_gate, A_gate_ref, ("NxD", {"slope": "D", "center": "D"}), dtypes=F64_F32),
        (
            np.array([[0.3, -1.0], [2.0, 0.1]]),
            {"slope": np.array([1.2, 0.5]), "center": np.array([0.2, -0.3])},
        ),
    ),
    Case(
        "a_chebyshev_off_by_one",
        "off by one",
        True,
        "Chebyshev T_n: the derivative is n U_n instead of n U_{n-1}",
        Rule(A_chebyshev_t, A_chebyshev_ref, ("N:(-1,1)", 4), dtypes=NO_F16),
        (np.array([0.3, -0.6]), 4),
    ),
    Case(
        "a_softsign_stateful",
        "hidden state",
        True,
        "softsign keeps its input in a class attribute: a pullback used after another forward takes "
        "the wrong input, and grad of jit / scan / checkpoint leaks a tracer",
        Rule(A_softsign_stateful, A_softsign_ref, ("NxD",), dtypes=F64_F32),
        (np.array([[0.5, -2.0]]),),
        "transform",
    ),
    Case(
        "a_gelu_two_paths",
        "primal and forward",
        True,
        "exact GELU whose forward under differentiation is the approximation x sigmoid(1.702 x)",
        Rule(A_gelu_two_paths, A_gelu_exact_ref, ("NxD",), dtypes=NO_F16, order=2),
        (np.array([[1.0, -0.8, 2.2]]),),
        "primal",
    ),
    # ------------------------------------------------------------------------------ right
    Case(
        "a_xlogy_symbolic_zeros",
        "symbolic zeros",
        False,
        "x log y, custom_jvp that skips symbolic zero tangents",
        Rule(A_xlogy, lambda x, y: x * jnp.log(y), ("N:>0", "N:>0"), dtypes=F64_F32),
    ),
    Case(
        "a_swish_beta",
        "broadcast scalar",
        False,
        "swish with a scalar beta, residuals sigmoid(bx) and sigmoid(-bx)",
        Rule(A_swish, A_swish_ref, ("NxD", ""), dtypes=F64_F32),
    ),
    Case(
        "a_gelu_exact_saved_cdf",
        "saved residual",
        False,
        "exact GELU with its cdf saved",
        Rule(A_gelu_exact, A_gelu_exact_ref, ("NxD",), dtypes=NO_F16),
    ),
    Case(
        "a_gelu_as_sigmoid",
        "unusual algebra",
        False,
        "tanh-GELU written as x sigmoid(2u), slope by Euler's relation for the cubic",
        Rule(A_gelu_as_sigmoid, A_gelu_tanh_ref, ("NxD",), dtypes=F64_F32),
    ),
    Case(
        "a_log1mexp_regions",
        "two regions",
        False,
        "log(1 - exp(-x)) in two regions, defjvps",
        Rule(A_log1mexp, A_log1mexp_ref, ("N:>0",), dtypes=F64_F32),
    ),
    Case(
        "a_sinc_series",
        "series near zero",
        False,
        "sin(x)/x with a series for the slope near zero",
        Rule(A_sinc, A_sinc_ref, ("NxD",), dtypes=NO_F16),
    ),
    Case(
        "a_tanh_from_output",
        "saved output",
        False,
        "tanh from its output, as (1 - y)(1 + y)",
        Rule(A_tanh, jnp.tanh, ("NxD:(-3,3)",), dtypes=F64_F32),
    ),
    Case(
        "a_smooth_max_columns",
        "broadcast",
        False,
        "log(e^x + e^b) with b per column",
        Rule(A_smooth_max, A_smooth_max_ref, ("NxD", "D"), dtypes=F64_F32),
    ),
    Case(
        "a_angle_jvp",
        "angle",
        False,
        "atan2 with scaled tangents",
        Rule(A_angle, jnp.arctan2, ("NxD", "NxD"), dtypes=NO_F16),
    ),
    Case(
        "a_charbonnier_partial",
        "partial",
        False,
        "sqrt(x^2 + eps^2) with eps bound by functools.partial, slope x / y",
        Rule(
            functools.partial(A_charbonnier, 0.5),
            A_charbonnier_ref,
            ("NxD:(-4,4)",),
            dtypes=F64_F32,
        ),
    ),
    Case(
        "a_chebyshev_by_angle",
        "static argument",
        False,
        "T_n as cos(n arccos x), slope by the recurrence of U (finite at the ends)",
        Rule(A_chebyshev_angle, A_chebyshev_angle_ref, (5, "N:(-1,1)"), dtypes=F64_F32),
    ),
    Case(
        "a_entropy_zero",
        "kink",
        False,
        "-x log x with value and slope 0 declared at 0",
        Rule(
            A_entropy,
            A_entropy_ref,
            ("NxD:(0,1)",),
            dtypes=NO_F16,
            kinks=(
                Kink(
                    "zero",
                    (np.array([[0.0, 0.5]]),),
                    np.array([[1.0, 2.0]]),
                    (np.array([[0.0, -2.0 * (1 + math.log(0.5))]]),),
                    value=np.array([[0.0, 0.5 * math.log(2.0)]]),
                ),
            ),
        ),
    ),
    Case(
        "a_soft_bce",
        "two arguments",
        False,
        "cross-entropy with logits; the labels have a cotangent too",
        Rule(A_soft_bce, A_soft_bce_ref, ("NxD", "NxD:(0,1)"), dtypes=F64_F32),
    ),
    Case(
        "a_gammaln_shifted",
        "special function",
        False,
        "log-gamma with digamma by shift and asymptotic series",
        Rule(A_gammaln, jsp.gammaln, ("N:>0",), dtypes=F64_F32),
    ),
    Case(
        "a_log_i0_ratio",
        "special function",
        False,
        "log I0 with slope i1e / i0e",
        Rule(A_log_i0, A_log_i0_ref, ("NxD:(-4,4)",), dtypes=F64_F32),
    ),
    Case(
        "a_saturate_cap",
        "pytree",
        False,
        "x / (1 + |x|/cap), cap per column in a dict",
        Rule(A_saturate, A_saturate_ref, ("NxD:(-50,50)", {"cap": "D:(2,20)"}), dtypes=F64_F32),
    ),
    Case(
        "a_kepler_implicit",
        "implicit",
        False,
        "Kepler's equation, Newton in a while loop, implicit derivative by custom_jvp",
        Rule(A_kepler, A_kepler_ref, ("N:(0,3)", "N:(0,0.6)"), dtypes=F64_F32, rtol=1e-8),
    ),
    Case(
        "a_elu_from_output",
        "saved output",
        False,
        "ELU, slope 1 + min(y, 0) from its output",
        Rule(A_elu, A_elu_ref, ("NxD:(-4,4)",), dtypes=F64_F32),
    ),
    Case(
        "a_leaky_relu_mask",
        "kink",
        False,
        "leaky ReLU with a boolean residual, slope 0.125 at 0 declared",
        Rule(
            A_leaky_relu,
            A_leaky_relu_ref,
            ("NxD",),
            kinks=(
                Kink(
                    "zero",
                    (np.array([[0.0, -1.0, 2.0]]),),
                    np.array([[2.0, 1.0, 1.0]]),
                    (np.array([[0.25, 0.125, 1.0]]),),
                ),
            ),
        ),
    ),
    Case(
        "a_symlog",
        "defjvps",
        False,
        "sign(x) log(1 + |x|), slope 1 at 0 where autodiff of the formula gives 0",
        Rule(A_symlog, A_symlog_ref, ("NxD",), dtypes=NO_F16),
    ),
    Case(
        "a_logit_cosh",
        "unusual algebra",
        False,
        "logit with slope 2 + 2 cosh(y) from its output",
        Rule(A_logit, A_logit_ref, ("N:(0,1)",), dtypes=F64_F32),
    ),
    Case(
        "a_polar_named_output",
        "several outputs",
        False,
        "polar to plane, a NamedTuple output, the angle's cotangent from the saved outputs",
        Rule(A_polar, A_polar_ref, ("N:>0", "N"), dtypes=F64_F32),
    ),
    Case(
        "a_quantise_straight_through",
        "straight-through",
        False,
        "quantiser with straight-through gradient inside [-8, 8], as declared by backward",
        Rule(A_quantise, A_quantise_ref, ("NxD", 4), backward=A_quantise_backward, order=1),
    ),
    Case(
        "a_group_prelu",
        "integer argument",
        False,
        "PReLU with a slope per group; float0 cotangent for the integers",
        Rule(A_group_prelu, A_group_prelu_ref, ("N", "N:int<K", "K"), dtypes=F64_F32),
    ),
    Case(
        "a_mish_unused_argument",
        "unused argument",
        False,
        "mish behind a plain function; the unused argument's cotangent is None",
        Rule(A_mish, A_mish_ref, ("NxD", ""), dtypes=F64_F32),
    ),
)
