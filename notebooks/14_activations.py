# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Chapter 14: activations
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/14_activations.ipynb)
#
# Chapter 2 bent a line once, at 0. There are many other ways to bend it, and papers keep adding
# some. This chapter puts eighteen of them on one page. The mathematics of each is short; what is
# worth a chapter is what they have in common, and where floating-point numbers make trouble: far
# from 0, and at kinks.
#
# From chapter 1 you need the notation: $dv$ is the cotangent of $v$, the derivative of the loss $L$
# with respect to each entry of $v$. The derivations follow the files `_activations.py`,
# `_smooth_activations.py`, `_piecewise_activations.py`, `_gated_activations.py` and
# `_log_softmax.py` in `ffnn_jax/layers`, which this notebook imports.

# %%
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("ffnn_jax") is None:  # on Colab: install the repository
    address = "https://github.com/ffnn-jax/ffnn-jax"
    subprocess.run(["git", "clone", "-q", "--depth=1", address], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "./ffnn-jax[run]"], check=True)
    os.chdir("ffnn-jax/notebooks")

# %%
import math

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from ffnn_jax import layers
from ffnn_jax.layers import (
    elu,
    geglu,
    gelu,
    gelu_tanh,
    glu,
    glu_backward,
    glu_forward,
    hard_swish,
    log_softmax,
    log_softmax_backward,
    log_softmax_forward,
    mish,
    prelu_backward,
    prelu_forward,
    relu6_forward,
    sigmoid,
    silu,
    softmax,
    softsign,
    swiglu,
    tanh,
    tanh_backward,
    tanh_forward,
)
from ffnn_jax.verify import check_vjp

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "0.5"

# %% [markdown]
# ## What they share
#
# An activation applies one function $f$ to each entry:
#
# $$z_i = f(x_i), \qquad \text{slope}_i = f'(x_i) \tag{act.1}$$
#
# No output but $z_i$ depends on $x_i$, so the chain rule's sum over outputs has one term:
#
# $$dx_i = \sum_l dz_l\, \frac{\partial z_l}{\partial x_i} = dz_i\; \text{slope}_i \tag{act.2}$$
#
# The forward computes the slope together with $z$, since they use the same exponential, and keeps
# it for the backward. If the slope has only two values, $0$ and $c$, it keeps a boolean per entry
# instead, one byte in place of four:
#
# $$dx_i = \begin{cases} c\, dz_i & \text{if slope}_i = c \\ 0 & \text{if slope}_i = 0
# \end{cases} \tag{act.3}$$
#
# Take $x = \log 2$. Then $e^x = 2$ and $e^{-x} = \frac12$, so by hand
#
# $$\tanh x = \frac{2 - \frac12}{2 + \frac12} = \frac35, \qquad
# \text{slope} = 1 - \frac{9}{25} = \frac{16}{25}.$$

# %%
x, dz = jnp.log(jnp.array([2.0, 1.0])), jnp.array([25.0, 3.0])
z, kept = tanh_forward(x)  # (act.1)
(dx,) = tanh_backward(kept, dz)  # (act.2)
assert kept is x
print("z =", z, "  dx =", dx)
assert np.allclose(z, [3 / 5, 0]) and np.allclose(dx, [25 * 16 / 25, 3 * 1])


def with_slope(name, x, *settings):
    """The value, and the slope: what the backward makes of a cotangent of ones."""
    if name in ("elu", "celu"):
        settings = settings or (1.0,)  # alpha, which leads the backward
    z, kept = getattr(layers, f"{name}_forward")(x, *settings)
    (slope,) = getattr(layers, f"{name}_backward")(*settings, kept, jnp.ones_like(x))
    return z, slope


_, inside = relu6_forward(jnp.array([-1.0, 2.0, 7.0]))
print("relu6 keeps", inside)  # (act.3)
assert inside.dtype == bool and inside.tolist() == [False, True, False]

# %% [markdown]
# ## The table
#
# $s = 1/(1 + e^{-x})$ is the sigmoid, with slope $s(1-s)$; $\Phi$ and $\phi$ are the distribution
# function and the density of the normal distribution. Where a pair stands in braces, the upper one
# is for $x > 0$. A bracket is 1 where its condition holds, and else 0.
#
# $$\begin{array}{llll}
# f & z & \text{slope} & \text{equations} \\ \hline
# \text{tanh} & \frac{e^x - e^{-x}}{e^x + e^{-x}}
#   & 1 - z^2 = \frac{4e}{(1+e)^2}, \; e = e^{-2|x|} & \text{(smooth.1), (smooth.2)} \\
# \text{softplus} & \log(1 + e^x) & s & \text{(smooth.3), (smooth.4)} \\
# \text{softsign} & \frac{x}{1 + |x|} & \frac{1}{(1 + |x|)^2} & \text{(smooth.5), (smooth.6)} \\
# \text{silu} & x s & s + x\, s (1-s) & \text{(smooth.7), (smooth.8)} \\
# \text{gelu} & x\, \Phi & \Phi + x\, \phi & \text{(smooth.9), (smooth.10)} \\
# \text{gelu\_tanh} & x\, s(v), \; v = \sqrt{8/\pi}\,(x + 0.044715\, x^3)
#   & s(v) + x\, s(v) (1 - s(v))\, v' & \text{(smooth.11), (smooth.12)} \\
# \text{mish} & x\, t, \; t = \tanh \log(1 + e^x)
#   & t + x\, (1 - t^2)\, s & \text{(smooth.13), (smooth.14)} \\
# \text{elu} & \{x, \; \alpha (e^x - 1)\} & \{1, \; \alpha e^x\} & \text{(piecewise.1)} \\
# \text{selu} & \lambda\, \text{elu} & \lambda\, \text{elu}' & \text{(piecewise.2)} \\
# \text{celu} & \{x, \; \alpha (e^{x/\alpha} - 1)\} & \{1, \; e^{x/\alpha}\}
#   & \text{(piecewise.3)} \\
# \text{relu6} & \min(\max(x, 0), 6) & [0 < x < 6] & \text{(piecewise.4)} \\
# \text{hard\_tanh} & \min(\max(x, -1), 1) & [-1 < x < 1] & \text{(piecewise.5)} \\
# \text{hard\_sigmoid} & h = \frac16 \min(\max(x + 3, 0), 6) & \frac16 [-3 < x < 3]
#   & \text{(piecewise.6)} \\
# \text{hard\_swish} & x\, h & h + \frac{x}{6} [-3 < x < 3] & \text{(piecewise.7)}
# \end{array}$$
#
# The slopes take one rule each: the quotient rule for softsign,
# the product rule wherever $z$ is $x$ times something. Three steps are less obvious.
#
# - *softplus.* The derivative of $\log(1 + e^x)$ is $e^x / (1 + e^x)$. Divide both by $e^x$, and it
#   is the sigmoid.
# - *gelu_tanh.* $\frac12 (1 + \tanh \frac{v}{2})$ is the sigmoid of $v$. Written so, it needs no
#   difference of nearly equal numbers.
# - *mish.* With $u = e^x$ and $n = u^2 + 2u$, the hyperbolic tangent of $\log(1 + u)$ is
#   $\frac{(1 + u)^2 - 1}{(1 + u)^2 + 1} = \frac{n}{n + 2}$, which again has no such difference.
#
# ### The slope by $z$
#
# Some slopes can be written by $z$ alone. elu's, for one, is $z + \alpha$ where $x \leq 0$, because
# $z$ is $\alpha e^x - \alpha$ there:

# %%
draws = jnp.linspace(-8, 8, 321)
for name, of_z in {
    "tanh": lambda z: 1 - z**2,
    "softplus": lambda z: 1 - jnp.exp(-z),
    "softsign": lambda z: (1 - abs(z)) ** 2,
    "elu": lambda z: jnp.minimum(z, 0) + 1,
    "relu6": lambda z: (z > 0) & (z < 6),
}.items():
    z, slope = with_slope(name, draws)
    print(f"{name:9} largest difference {jnp.abs(of_z(z) - slope.astype(float)).max():.0e}")
    assert np.allclose(of_z(z), slope, atol=1e-6)

# %% [markdown]
# Their curves, $z$ in blue and the slope in orange:

# %%
names = (
    "tanh", "softplus", "softsign", "silu", "gelu", "mish", "elu", "selu", "celu", "relu6",
    "hard_tanh", "hard_sigmoid", "hard_swish",
)  # fmt: skip
line = jnp.linspace(-7, 7, 561)
figure, axes = plt.subplots(3, 5, figsize=(9, 5.2), layout="constrained", sharex=True, sharey=True)
for ax, name in zip(axes.ravel(), names, strict=False):
    z, slope = with_slope(name, line)
    ax.axhline(0, color=GREY, lw=0.6)
    ax.axvline(0, color=GREY, lw=0.6)
    ax.plot(line, slope, color=ORANGE, lw=1.4)
    ax.plot(line, z, color=BLUE, lw=1.8)
    ax.set(title=name, ylim=(-2.1, 3.2), xticks=(-6, -3, 0, 3, 6))
for ax in axes.ravel()[len(names) :]:
    ax.axis("off")
axes[2, 3].plot([], [], color=BLUE, label="$z$")
axes[2, 3].plot([], [], color=ORANGE, label="slope")
axes[2, 3].legend(frameon=False, loc="center", fontsize=12)
plt.show()

# %% [markdown]
# Look at silu, gelu and mish: they dip below 0 before they rise. So the same $z$ occurs twice, once
# on the way down and once on the way up, with slopes of opposite signs. $z$ alone cannot tell
# which, so no formula gives the slope by $z$.
#
# ## Tails
#
# Far from 0 all of these formulas are simple in theory. On a computer, some are wrong.
#
# ### A difference of nearly equal numbers
#
# By hand, the slope of tanh at 10 is $4 e^{-20}$, to eight digits: $8.2 \cdot 10^{-9}$. But $z$ is
# $1 - 4 \cdot 10^{-9}$, and float32 has no number between 1 and $1 - 6 \cdot 10^{-8}$. So $z$ is
# stored as 1, or as a neighbour of 1, and not a digit of $1 - z^2$ is right. From $e = e^{-2|x|}$
# none is lost, since nothing is subtracted.

# %%
x = jnp.array([1.0, 5.0, 8.0, 10.0, 20.0])
z, slope = with_slope("tanh", x)
exact = 1 / np.cosh(np.asarray(x, np.float64)) ** 2
print("   x       1 - z^2    4e/(1 + e)^2         exact")
for row in zip(x, 1 - z**2, slope, exact, strict=True):
    print("{:4.0f}  {:12.5e}  {:14.5e}  {:12.5e}".format(*map(float, row)))
assert abs((1 - z**2)[3] / exact[3] - 1) > 0.9 and np.allclose(slope, exact, rtol=1e-5, atol=0)

# %% [markdown]
# The left tail of gelu has the same disease: $\frac12 (1 + \mathrm{erf}(x / \sqrt 2))$ subtracts a
# number near 1 from 1. The complementary error function, erfc, is made for that.

# %%
left = jnp.array([-3.0, -5.0, -6.0, -8.0])
naive = left / 2 * (1 + jax.lax.erf(left / math.sqrt(2)))
exact = [x / 2 * math.erfc(-x / math.sqrt(2)) for x in left.tolist()]
print("   x   with 1 + erf           gelu          exact")
for row in zip(left, naive, gelu(left), exact, strict=True):
    print("{:4.0f}  {:13.5e}  {:13.5e}  {:13.5e}".format(*map(float, row)))
assert naive[-1] == 0 and np.allclose(gelu(left), exact, rtol=1e-5, atol=0)

# %% [markdown]
# ### Infinity times nothing
#
# The limit of silu at $-\infty$ is 0, since the exponential beats $x$. Written as $x \cdot s$ it is
# $-\infty \cdot 0$, which is NaN. Such an infinity is rare, but a NaN ruins everything after it.
# Our functions clip the factor $x$ to $\pm 800$ where the other factor has vanished: $e^{-800}$ is
# 0 in float64 already, so no result changes but the NaN. The slope has the same problem at both
# ends.

# %%
ends = jnp.array([-jnp.inf, -1e4, 1e4, jnp.inf])
naive = ends / (1 + jnp.exp(-ends))
z, slope = with_slope("silu", ends)
print("naive silu", naive, "\nsilu      ", z, "\nslope     ", slope)
assert jnp.isnan(naive[0])
assert z.tolist() == [0, 0, 1e4, math.inf]  # (smooth.7)
assert slope.tolist() == [0, 0, 1, 1]  # (smooth.8)

limits = {tanh: -1, softsign: -1, elu: -1, gelu: 0, gelu_tanh: 0, mish: 0, hard_swish: 0}
for f, limit in limits.items():
    assert f(ends)[0] == limit and f(ends)[3] in (1, math.inf)

# %% [markdown]
# An overflow is as easy: softplus as $\log(1 + e^x)$ is infinite from $x = 89$ on in float32. The
# larger part is taken out: $\max(x, 0) + \log(1 + e^{-|x|})$ is the same number, and its
# exponential is at most 1.

# %%
large = jnp.array([80.0, 89.0, 1000.0])
z, slope = with_slope("softplus", large)
print("log(1 + exp(x)):", jnp.log(1 + jnp.exp(large)), "  softplus:", z)
assert jnp.isinf(jnp.log(1 + jnp.exp(large)))[1] and jnp.array_equal(z, large)  # (smooth.3)
assert slope.tolist() == [1, 1, 1]  # (smooth.4)

# %% [markdown]
# ## Kinks
#
# Where two pieces meet at an angle there is no derivative, and the library takes one of the slopes
# beside it. For relu6, hard_tanh and hard_sigmoid it is 0 at both ends, as it is for relu: off is
# off. elu takes its left side's $\alpha$ at 0. hard_swish is flat at $-3$, and has slope 1 at 3.
# `jax.nn` takes the same ones, except that its hard_tanh has slope 1 at both ends. celu was made to
# have no kink: dividing $x$ by $\alpha$ inside makes both slopes 1 at 0.

# %%
kinks = {"relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0), "elu": (0.0,), "hard_swish": (-3.0, 3.0)}
print("                 left   taken   right   jax.nn")
for name, places in kinks.items():
    for place in places:
        near = jnp.array([place - 1e-3, place, place + 1e-3])
        _, slope = with_slope(name, near)
        theirs = float(jax.grad(getattr(jax.nn, name))(place))
        print(f"{name:10} {place:2.0f}", *(f"{float(v):7.3f}" for v in (*slope, theirs)))
        assert (float(slope[1]) == theirs) == (name != "hard_tanh")

zero = jnp.array(0.0)
_, of_elu = with_slope("elu", zero, 2.0)
_, of_celu = with_slope("celu", zero, 2.0)
print("with alpha 2, slopes at 0: elu", of_elu, " celu", of_celu)
assert (of_elu, of_celu) == (2.0, 1.0)

# %% [markdown]
# ## A slope that is learned
#
# prelu is relu with a slope for $x \leq 0$ that is a parameter, one for each channel $c$:
#
# $$z_{mc} = x_{mc} \text{ if } x_{mc} > 0, \quad \text{slope}_c\, x_{mc} \text{ if } x_{mc} \leq 0
# \tag{piecewise.8}$$
#
# $$dx_{mc} = dz_{mc} \text{ if } x_{mc} > 0, \quad \text{slope}_c\, dz_{mc} \text{ if }
# x_{mc} \leq 0 \tag{piecewise.9}$$
#
# The rows $m$ share it, so the chain rule sums over them. Only rows with a negative $x$ contribute:
#
# $$d\text{slope}_c = \sum_m dz_{mc} \min(x_{mc}, 0) \tag{piecewise.10}$$
#
# By hand, with one channel, slope $\frac12$, $x = (-4, 2, -1)$ and $dz = (1, 3, 5)$:
#
# $$z = (-2, 2, -\tfrac12), \qquad dx = (\tfrac12, 3, \tfrac52), \qquad
# d\text{slope} = -4 - 5 = -9.$$

# %%
column = jnp.array([[-4.0], [2.0], [-1.0]])
z, residuals = prelu_forward(column, jnp.array([0.5]))
dx, dslope = prelu_backward(residuals, jnp.array([[1.0], [3.0], [5.0]]))
print("z =", z.ravel(), "  dx =", dx.ravel(), "  dslope =", dslope)
assert z.ravel().tolist() == [-2, 2, -0.5]  # (piecewise.8)
assert dx.ravel().tolist() == [0.5, 3, 2.5] and dslope.tolist() == [
    -9
]  # (piecewise.9), (piecewise.10)

# %% [markdown]
# ## One half gates the other
#
# Transformers use activations of two arguments. The last axis of $x$ is split into $a$ and $b$:
#
# $$\text{glu} = a\, s(b) \tag{gated.1}$$
# $$\text{swiglu} = \text{silu}(a)\, b \tag{gated.2}$$
# $$\text{geglu} = \text{gelu}(a)\, b \tag{gated.3}$$
#
# One factor bends, by a function $f$ of the table. By the product rule its slope is $f'$ times the
# other factor, and the other factor's slope is $f$:
#
# $$\text{glu:}\quad \text{slope}_a = s(b), \quad \text{slope}_b = a\, s'(b); \qquad
# \text{the others:}\quad \text{slope}_a = f'(a)\, b, \quad \text{slope}_b = f(a) \tag{gated.4}$$
#
# $$da = dz\; \text{slope}_a, \qquad db = dz\; \text{slope}_b \tag{gated.5}$$
#
# Which half is which is a convention. glu is gated by the second half, as in `jax.nn.glu` and
# PyTorch; swiglu and geglu bend the first, as in the paper that named them (Shazeer, 2020). By
# hand, $a = 4$ and $b = \log 3$, where $s = \frac34$ and $s' = \frac{3}{16}$: glu is 3, and its
# slopes are $\frac34$ and $\frac34$.

# %%
x = jnp.array([[4.0, math.log(3)]])
z, kept = glu_forward(x)
(dx,) = glu_backward(kept, jnp.array([[8.0]]))
print("z =", z, "  dx =", dx)
assert np.allclose(z, 3) and np.allclose(dx, 8 * 3 / 4)  # (gated.4), (gated.5)

x = jax.random.normal(jax.random.key(0), (5, 6))
a, b = jnp.split(x, 2, axis=1)
assert np.allclose(glu(x), a * sigmoid(b), atol=1e-6)
assert np.allclose(swiglu(x), silu(a) * b, atol=1e-6)
assert np.allclose(geglu(x), gelu(a) * b, atol=1e-6)

# %% [markdown]
# ## Log softmax
#
# Not an activation of one number, but short enough to stand here. With softmax from chapter 3,
#
# $$z_i = x_i - \log \sum_j e^{x_j} \tag{logsoftmax.1}$$
#
# $$\frac{\partial z_j}{\partial x_i} = \delta_{ij} - e^{z_i} \tag{logsoftmax.2}$$
#
# $$dx_i = dz_i - e^{z_i} \sum_j dz_j \tag{logsoftmax.3}$$
#
# The second line is (22) of chapter 3 with the sign turned: the derivative of the log of a sum of
# exponentials is softmax, and $e^{z_i}$ is softmax. By hand, for $x = (0, \log 3)$: the
# probabilities are $\frac14$ and $\frac34$, and $dz = (4, 8)$ gives $dx = (4 - 3, 8 - 9) = (1,
# -1)$.
#
# Why not take the logarithm of softmax? A probability below $10^{-45}$ is 0 in float32, and the
# logarithm of 0 is $-\infty$.

# %%
z, _ = log_softmax_forward(jnp.array([[0.0, math.log(3)]]))
(dx,) = log_softmax_backward(z, jnp.array([[4.0, 8.0]]))
print("exp(z) =", jnp.exp(z), "  dx =", dx)
assert np.allclose(jnp.exp(z), [0.25, 0.75]) and np.allclose(dx, [1, -1], atol=1e-6)

far = jnp.array([[0.0, -200.0]])
print("log of softmax:", jnp.log(softmax(far)), "  log_softmax:", log_softmax(far))
assert jnp.isinf(jnp.log(softmax(far)))[0, 1] and log_softmax(far)[0, 1] == -200

# %% [markdown]
# ## A neighbour's slope
#
# The commonest mistake on this page is the slope of a neighbour. gelu_tanh differs from gelu by
# less than 0.0005, and in many libraries "gelu" is the one, in others the other. Here is gelu with
# the slope of gelu_tanh. A test with a tolerance of $10^{-2}$ will not notice.


# %%
@jax.custom_vjp
def mixed_up(x):
    return gelu(x)


mixed_up.defvjp(
    lambda x: (gelu(x), x),
    lambda x, dz: (dz * with_slope("gelu_tanh", x)[1],),
)
error = jnp.abs(with_slope("gelu", line)[1] - with_slope("gelu_tanh", line)[1]).max()
print(f"largest difference of the slopes: {error:.4f}")


def plain_gelu(x):
    return x * jax.scipy.stats.norm.cdf(x)


checks = ("value", "cotangents", "differences")
correct, wrong = (check_vjp(f, plain_gelu, "NxD", only=checks) for f in (gelu, mixed_up))
print("gelu:", correct.failures or "all checks pass", "  mixed up:", wrong.failures)
assert correct.passed and wrong.failures == ("cotangents", "differences")

# %% [markdown]
# ## Summary
#
# - An activation's backward is one product per entry, $dz_i$ times the slope, computed forward.
# - Write what vanishes as it is, never as a difference from 1; give exponentials arguments of at
#   most 0; and mind infinity times 0.
# - At a kink, one of the slopes beside it is taken, and a test says which.
# - gelu has two definitions, and glu's halves two orders. State yours.
