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
# # Chapter 11: batch normalisation
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/11_batch_norm.ipynb)
#
# Batch normalisation shifts and scales each channel so that, over the batch, its mean is 0 and its
# standard deviation is 1. Then two learned parameters give the channel whatever mean and standard
# deviation suit the network. It is the first layer of this course in which the images of a batch
# interact: the output for one image depends on all the others.
#
# Three things follow, and they are the subject of this chapter. The gradient has terms that are
# easy to forget. A popular test of gradients, `grad(sum(f(x)))`, cannot detect that they are
# missing. And a layer that needs a batch needs another way to handle a single image: it keeps
# *running statistics*.
#
# From chapter 1 you need the notation: $dv$ is the cotangent of $v$, the derivative of the loss $L$
# with respect to each entry of $v$. The derivation follows `ffnn_jax/layers/_batch_norm.py`, which
# this notebook imports. The last sections cover two short topics that often accompany it, dropout
# and the addition of two branches.

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
import dataclasses
import re

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from ffnn_jax.config import preset
from ffnn_jax.data import load
from ffnn_jax.layers import (
    add_backward,
    add_forward,
    batch_norm,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference_backward,
    batch_norm_inference_forward,
    dropout,
    dropout_backward,
    dropout_forward,
)
from ffnn_jax.network import Network, normalise
from ffnn_jax.nn import BatchNorm, Dense, Dropout, ReLU, Residual
from ffnn_jax.runs import compute
from ffnn_jax.verify import Rule, check_vjp

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "0.5"

# %% [markdown]
# ## The definition
#
# Take one channel, and let $x_1, \ldots, x_M$ be all its values. After a dense layer, a channel is
# one output, and $M$ is the number $N$ of images. After a convolution, it is an output channel, and
# every pixel counts: $M = N H W$. Channels do not interact, so we leave out their index.
#
# Suppose first that a mean and a variance are *given*. We subtract the mean and divide by the
# standard deviation. A small $\varepsilon$ under the root prevents a division by 0. We call the
# reciprocal of the root $r$; in the code it is `rstd`.
#
# $$r = \frac{1}{\sqrt{\text{variance} + \varepsilon}} \tag{norm.1}$$
#
# $$\hat x_m = (x_m - \text{mean})\; r \tag{norm.2}$$
#
# Two parameters of the channel then set its standard deviation and its mean:
#
# $$z_m = \text{scale} \cdot \hat x_m + \text{shift} \tag{norm.3}$$
#
# ### A worked example
#
# Let $x = (1, 2, 4, 5)$, with mean 3 and variance 2.5, and let scale be 2 and shift 1. The usual
# $\varepsilon$ is $10^{-5}$. We take $1.5$, which is absurdly large, but makes the root a whole
# number:
#
# $$r = \frac{1}{\sqrt{2.5 + 1.5}} = \frac12, \qquad
# \hat x = (-2, -1, 1, 2) \cdot \tfrac12 = (-1, -\tfrac12, \tfrac12, 1), \qquad
# z = 2 \hat x + 1 = (-1, 0, 2, 3).$$
#
# The layer expects an axis for the batch and one for the channels, so we write our numbers as a
# column.


# %%
def column(*numbers):
    """A batch with a single channel."""
    return jnp.array(numbers, jnp.float32)[:, None]


x, eps = column(1, 2, 4, 5), 1.5
mean, variance = jnp.array([3.0]), jnp.array([2.5])
scale, shift = jnp.array([2.0]), jnp.array([1.0])

z, residuals = batch_norm_inference_forward(x, mean, variance, scale, shift, eps)
print("rstd =", residuals.rstd, "  z =", z.ravel())
assert residuals.rstd == 0.5  # (norm.1)
assert jnp.array_equal(z, column(-1, 0, 2, 3))  # (norm.2), (norm.3)

# %% [markdown]
# ## The gradient when the statistics are given
#
# This is a function of five arrays: $x$, mean, variance, scale and shift. Substitute (norm.2) into
# (norm.3):
#
# $$z_m = \text{scale} \cdot r\,(x_m - \text{mean}) + \text{shift}.$$
#
# $x_m$ occurs only in $z_m$, and the factor in front of it is the derivative:
#
# $$dx_m = \text{scale} \cdot r\; dz_m \tag{norm.4}$$
#
# The other four are used by every row, so the chain rule sums over the rows. The factors in front
# of shift, scale and mean are $1$, $\hat x_m$ and $-\text{scale} \cdot r$:
#
# $$d\text{shift} = \sum_m dz_m \tag{norm.5}$$
#
# $$d\text{scale} = \sum_m dz_m\, \hat x_m \tag{norm.6}$$
#
# $$d\text{mean} = -\text{scale} \cdot r \sum_m dz_m = -\text{scale} \cdot r\; d\text{shift}
# \tag{norm.7}$$
#
# The variance appears in $r = (\text{variance} + \varepsilon)^{-1/2}$, whose derivative is
# $-\frac12 (\text{variance} + \varepsilon)^{-3/2} = -\frac12 r^3$. The factor in front of $r$ is
# $\text{scale}\,(x_m - \text{mean})$, which is $\text{scale} \cdot \hat x_m / r$. So
#
# $$d\text{variance} = -\tfrac12\, r^3 \sum_m dz_m\; \text{scale}\, (x_m - \text{mean})
# = -\tfrac12\, \text{scale} \cdot r^2\; d\text{scale} \tag{norm.8}$$
#
# Suppose that the next layer passes back $dz = (4, 0, -2, 2)$. By hand, with
# $\text{scale} \cdot r = 1$:
#
# $$dx = (4, 0, -2, 2), \qquad d\text{shift} = 4, \qquad
# d\text{scale} = -4 + 0 - 1 + 2 = -3,$$
#
# $$d\text{mean} = -4, \qquad
# d\text{variance} = -\tfrac12 \cdot 2 \cdot \tfrac14 \cdot (-3) = \tfrac34.$$

# %%
dz = column(4, 0, -2, 2)
cotangents = batch_norm_inference_backward(eps, residuals, dz)
dx_given, dmean, dvariance, dscale, dshift = cotangents
print("dx =", dx_given.ravel(), "  dmean =", dmean, "  dvariance =", dvariance)
print("dscale =", dscale, "  dshift =", dshift)
assert jnp.array_equal(dx_given, column(4, 0, -2, 2))  # (norm.4)
assert dshift == 4.0  # (norm.5)
assert dscale == -3.0  # (norm.6)
assert dmean == -4.0  # (norm.7)
assert dvariance == 0.75  # (norm.8)

# %% [markdown]
# ## The statistics of the batch
#
# In training, the statistics are not given. They are computed from the batch itself:
#
# $$\text{mean} = \frac1M \sum_m x_m \tag{norm.9}$$
#
# $$\text{variance} = \frac1M \sum_m (x_m - \text{mean})^2 \tag{norm.10}$$
#
# This is the *biased* variance: it divides by $M$, not by $M - 1$. For our numbers,
# $\frac14 (1 + 2 + 4 + 5) = 3$ and $\frac14 (4 + 1 + 1 + 4) = 2.5$, as above. So $z$ is the same.
# But $dx$ is not! If $x_m$ changes, the mean and the variance now change with it.
#
# By how much? For the mean, the answer is $\frac1M$. In the variance, $x_m$ occurs in its own
# square, and through the mean in every square. The latter contributes nothing, since the derivative
# of (norm.10) with respect to the mean is $-\frac2M \sum_m (x_m - \text{mean})$, which is 0: the
# distances above and below the mean cancel. So
#
# $$\frac{\partial\, \text{mean}}{\partial x_m} = \frac1M, \qquad
# \frac{\partial\, \text{variance}}{\partial x_m} = \frac2M\, (x_m - \text{mean}) \tag{norm.11}$$
#
# Hence $x_m$ affects the loss along three paths: directly, through the mean, and through the
# variance. The chain rule adds them up. The direct path is (norm.4). For the other two we multiply
# (norm.11) by the cotangents of the statistics, (norm.7) and (norm.8). The layer also *returns* the
# mean and the variance, for later use. If a loss uses them, they have cotangents of their own,
# which we mark with a star:
#
# $$dx_m = \text{scale} \cdot r\, dz_m
# + \frac1M \bigl(d\text{mean}^* - \text{scale} \cdot r\, d\text{shift}\bigr)
# + \frac2M (x_m - \text{mean}) \bigl(d\text{variance}^*
# - \tfrac12\, \text{scale} \cdot r^2\, d\text{scale}\bigr) \tag{norm.12}$$
#
# By hand, when only $z$ is used and both starred cotangents are 0:
#
# $$dx = (4, 0, -2, 2) + \tfrac14 \cdot (-4) + \tfrac24 \cdot \tfrac34\, (-2, -1, 1, 2)
# = (2\tfrac14, -1\tfrac38, -2\tfrac58, 1\tfrac34).$$

# %%
(z, mean_of_batch, variance_of_batch), residuals = batch_norm_forward(x, scale, shift, eps)
assert mean_of_batch == 3.0  # (norm.9)
assert variance_of_batch == 2.5  # (norm.10)
assert jnp.array_equal(z, column(-1, 0, 2, 3))

unused, M = jnp.zeros(1), len(x)
dx, dscale, dshift = batch_norm_backward(eps, residuals, (dz, unused, unused))
print("dx =", dx.ravel(), "  dscale =", dscale, "  dshift =", dshift)
assert jnp.array_equal(dx, column(2.25, -1.375, -2.625, 1.75))
assert jnp.array_equal(dx, dx_given + dmean / M + 2 / M * (x - mean) * dvariance)  # (norm.12)

dx_of_statistics, _, _ = batch_norm_backward(eps, residuals, (0 * dz, dmean, dvariance))
print("through the statistics alone:", dx_of_statistics.ravel())
assert jnp.array_equal(dx_of_statistics, dmean / M + 2 / M * (x - mean) * dvariance)  # (norm.11)
assert jnp.array_equal(dx, dx_given + dx_of_statistics)

# %% [markdown]
# Autodiff of an ordinary function agrees. We use a trick that we will need again: the loss
# $L = \sum_m dz_m\, z_m$, with the numbers $dz_m$ held fixed, has exactly these numbers as its
# gradient with respect to $z$.


# %%
def reference(x, scale, shift, eps=1e-5):
    """Batch normalisation as a textbook writes it."""
    mean, variance = jnp.mean(x, axis=0), jnp.var(x, axis=0)
    return scale * (x - mean) / jnp.sqrt(variance + eps) + shift, mean, variance


def loss(x, scale, shift):
    return jnp.sum(dz * reference(x, scale, shift, eps)[0])


for ours, autodiff in zip(
    (dx, dscale, dshift), jax.grad(loss, argnums=(0, 1, 2))(x, scale, shift), strict=True
):
    assert jnp.allclose(ours, autodiff, atol=1e-6)
print("all three agree")

# %% [markdown]
# ### A tidier form
#
# (norm.12) is correct, but does not show what it does. The distances from the mean add up to 0, and
# so do the $\hat x_m$:
#
# $$\sum_m \hat x_m = 0 \tag{norm.13}$$
#
# So in (norm.6) we may subtract any constant from $dz_m$. The best choice is the mean of $dz$,
# $d\text{shift}/M$: then a rounding error in the mean does little harm.
#
# $$d\text{scale} = \sum_m \Bigl(dz_m - \frac{d\text{shift}}{M}\Bigr)\, \hat x_m \tag{norm.14}$$
#
# In (norm.12), replace $(x_m - \text{mean})\, r$ by $\hat x_m$ and factor out
# $\text{scale} \cdot r$:
#
# $$dx_m = \text{scale} \cdot r\, \Bigl(dz_m - \frac{d\text{shift}}{M}
# - \hat x_m \frac{d\text{scale}}{M}\Bigr)
# + \frac{d\text{mean}^* + 2\,(x_m - \text{mean})\, d\text{variance}^*}{M} \tag{norm.15}$$
#
# By hand: the mean of $dz$ is 1, so subtracting it leaves $(3, -1, -3, 1)$. (norm.14) gives
# $-3 + \frac12 - \frac32 + 1 = -3$, as before. And
# $dx = (3, -1, -3, 1) + \frac34\, (-1, -\frac12, \frac12, 1)$ is the result found above.

# %%
x_hat = (x - mean) * residuals.rstd  # (norm.2)
dz_centred = dz - dshift / M
assert jnp.sum(x_hat) == 0  # (norm.13)
assert jnp.array_equal(dz_centred, column(3, -1, -3, 1))
assert jnp.sum(dz_centred * x_hat) == dscale  # (norm.14)
assert jnp.array_equal(scale * residuals.rstd * (dz_centred - x_hat * dscale / M), dx)  # (norm.15)
print("dz without its mean:", dz_centred.ravel())

# %% [markdown]
# Now we can read it: subtract from $dz$ its mean, and then its component along $\hat x$. Why these
# two? Because the layer undoes such changes of its input. Add the same number to all $x_m$: the
# mean shifts by that number, and $\hat x$ stays the same. Multiply all distances from the mean by
# the same factor: the standard deviation is multiplied by it too, and $\hat x$ stays the same
# (apart from the small effect of $\varepsilon$). In these two directions the loss does not change,
# so the gradient has no component along them:
#
# $$\sum_m dx_m = 0, \qquad \sum_m dx_m\, \hat x_m \approx 0.$$
#
# Here is a channel with twelve values and a random $dz$, with the usual $\varepsilon$.

# %%
key_x, key_dz = jax.random.split(jax.random.key(0))
x_twelve = jax.random.normal(key_x, (12, 1))
dz_twelve = jax.random.normal(key_dz, (12, 1)) + 0.8
one, zero = jnp.ones(1), jnp.zeros(1)
(x_hat, _, _), residuals_twelve = batch_norm_forward(x_twelve, one, zero)
dx_twelve, _, _ = batch_norm_backward(1e-5, residuals_twelve, (dz_twelve, zero, zero))
without_mean = dz_twelve - jnp.mean(dz_twelve)
without_both = without_mean - x_hat * jnp.mean(without_mean * x_hat)
assert jnp.allclose(residuals_twelve.rstd * without_both, dx_twelve, atol=1e-5)
assert abs(jnp.sum(dx_twelve)) < 1e-5 and abs(jnp.sum(dx_twelve * x_hat)) < 1e-4

figure, axes = plt.subplots(1, 3, figsize=(8.6, 2.5), sharey=True, layout="constrained")
panels = {
    "$dz$": dz_twelve,
    "without its mean": without_mean,
    r"without its $\hat x$ component": without_both,
}
for ax, (title, heights) in zip(axes, panels.items(), strict=True):
    slope, height = np.polyfit(np.ravel(x_hat), np.ravel(heights), 1)
    ax.axhline(0, color=GREY, lw=0.8)
    ax.axline((0, height), slope=slope, color=ORANGE, ls="--", lw=1.5)
    ax.plot(np.ravel(x_hat), np.ravel(heights), "o", color=BLUE)
    ax.set(xlabel=r"$\hat x_m$", title=title)
plt.show()

# %% [markdown]
# The dashed line is the straight line that fits the points best. Subtracting the mean lowers it to
# height 0, and subtracting the component along $\hat x$ turns it to slope 0. The remainder, times
# $r$, is $dx$.
#
# ## A test that detects nothing
#
# Many people test a layer like this: sum its outputs, differentiate the sum, and compare with
# autodiff. It is quick, and for most layers it finds most faults. Try it on paper first. By
# (norm.13), whatever $x$ is,
#
# $$\sum_m z_m = \text{scale} \sum_m \hat x_m + M\, \text{shift} = M\, \text{shift} \tag{norm.16}$$
#
# The sum of the outputs does not depend on $x$ at all, so its gradient is exactly 0. (norm.15)
# agrees: the sum has $dz_m = 1$ in every row, so $dz$ equals its mean, and $d\text{scale} = 0$.
#
# A test whose correct answer is 0 cannot detect a wrong factor. Nor can it detect that a term is
# missing, if that term is 0 as well. So let us write some wrong rules. The first is the classic
# one: it forgets the path through the variance.


# %%
def with_dx(dx_of):
    """Batch normalisation with another rule for the dx that comes from z."""

    def backward(residuals, cotangents):
        x, mean, rstd, scale = residuals
        dz, dmean, dvariance = cotangents
        _, dscale, dshift = batch_norm_backward(1e-5, residuals, cotangents)
        dx_of_statistics, _, _ = batch_norm_backward(1e-5, residuals, (0 * dz, dmean, dvariance))
        dx = dx_of((x - mean) * rstd, scale * rstd, dz) + dx_of_statistics
        return dx, dscale, dshift

    @jax.custom_vjp
    def wrong_batch_norm(x, scale, shift):
        return batch_norm_forward(x, scale, shift)[0]

    wrong_batch_norm.defvjp(batch_norm_forward, backward)
    return wrong_batch_norm


def mean_of(v):
    return jnp.mean(v, axis=0)


def without_factor(x_hat, factor, dz):
    return dz - mean_of(dz) - x_hat * mean_of(dz * x_hat)


without_variance = with_dx(lambda x_hat, factor, dz: factor * (dz - mean_of(dz)))
rules = {
    "correct": batch_norm,
    "variance term dropped": without_variance,
    "factor scale rstd dropped": with_dx(without_factor),
    "sign flipped": with_dx(lambda x_hat, factor, dz: -factor * without_factor(x_hat, factor, dz)),
    "no gradient at all": with_dx(lambda x_hat, factor, dz: 0 * dz),
    "mean term dropped": with_dx(
        lambda x_hat, factor, dz: factor * (dz - x_hat * mean_of(dz * x_hat))
    ),
}

x_batch = 1 + 2 * jax.random.normal(jax.random.key(1), (8, 3))
scale_batch, shift_batch = jnp.array([0.5, 1.0, 2.0]), jnp.array([1.0, 0.0, -1.0])
ones = jnp.ones_like(x_batch)
random = jax.random.normal(jax.random.key(2), x_batch.shape)


def dx_by(rule, dz):
    return jax.grad(lambda x: jnp.sum(dz * rule(x, scale_batch, shift_batch)[0]))(x_batch)


print("largest error of dx        grad(sum)   random dz")
errors = {
    name: [float(jnp.abs(dx_by(rule, dz) - dx_by(reference, dz)).max()) for dz in (ones, random)]
    for name, rule in rules.items()
}
for name, (of_sum, of_random) in errors.items():
    print(f"{name:27}{of_sum:9.1e}{of_random:12.1e}")
assert all(of_sum < 1e-5 for name, (of_sum, _) in errors.items() if name != "mean term dropped")
assert all(of_random > 0.1 for name, (_, of_random) in errors.items() if name != "correct")
assert errors["correct"][1] < 1e-5 and errors["mean term dropped"][0] > 0.1

# %% [markdown]
# Look at the left column. All but one of the wrong rules pass, including the one with the wrong
# sign and the one that returns only zeros. With a random $dz$, every one of them is off by far more
# than rounding error. This is the lesson of the chapter: **test a backward pass with a random
# cotangent.** A vector of ones will not do: here it points exactly in the direction that the layer
# removes.
#
# ### The same with `check_vjp`
#
# `check_vjp` draws a random cotangent for every output, including the mean and the variance, and
# works in float64, where "zero" and "small" are far apart. The first axis is the batch, and
# `reduces="mixed"` declares that every output depends on all of it.

# %%
rows = ("value", "cotangents", "differences", "linearity", "zero")
shapes, mixed = ("MxC", "C", "C"), {"batch": "M", "reduces": "mixed"}
rule = Rule(batch_norm, reference, shapes, **mixed)
correct_result = check_vjp(rule, only=(*rows, "float32"))
print(correct_result)
assert correct_result.passed

wrong_result = check_vjp(Rule(without_variance, reference, shapes, **mixed), only=rows)
print(str(wrong_result).rpartition("\n")[0])  # the last line repeats the failed checks
assert wrong_result.failures == ("cotangents", "differences")
assert wrong_result["cotangents"].where.startswith("dx")

# %% [markdown]
# *cotangents* and *differences* point at $dx$. *value* notices nothing, since the forward pass is
# correct. *linearity* notices nothing, since the wrong rule is linear in $dz$, like the correct
# one.
#
# ### A proof, step by step
#
# A check samples numbers. A proof holds for all of them. The code is a program of additions,
# products and roots, and a program can run on symbols as well as on numbers: three rows
# $x_1, x_2, x_3$ of one channel, and three cotangents. First, what is the program? jax writes down
# the operations of the backward pass, one after another (the algebra is python-flint's):

# %%
if importlib.util.find_spec("flint") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "python-flint"], check=True)

from ffnn_jax.proof import prove_vjp
from ffnn_jax.proof.algebra import Field, Interpreter, derivative, objects


# %%
def normalised(x):
    """The output of the layer, with scale 1, shift 0 and eps 1/4."""
    return batch_norm(x, jnp.ones(1), jnp.zeros(1), 0.25)[0]


def definition(x):
    """(norm.9), (norm.10) and (norm.2), and nothing else."""
    mean = jnp.mean(x, axis=0, keepdims=True)
    variance = jnp.mean((x - mean) ** 2, axis=0, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 0.25)


with jax.enable_x64(True):
    like = jnp.ones((3, 1))
    program = jax.make_jaxpr(lambda x, dz: jax.vjp(normalised, x)[1](dz)[0])(like, like)
    program_of_definition = jax.make_jaxpr(definition)(like)
print("\n".join(program.pretty_print(use_color=False).splitlines()[1:7]))
print(f"... {len(program.jaxpr.eqns)} operations")

# %% [markdown]
# Now both programs run on symbols. A number is a quotient of two polynomials, and each root is one
# more symbol $t$, of which the algebra knows $t^2$. Here is $\hat x_1$:


# %%
def written(element):
    """An element in the names of this chapter: t is the root that occurs."""
    names = ["x1", "x2", "x3", "dz1", "dz2", "dz3", "t"]
    top, bottom = (
        re.sub(r"g(\d+)", lambda found: names[int(found[1])], str(p))
        for p in (element.num, element.den)
    )
    return f"({top}) / ({bottom})"


field = Field(6)  # six symbols
symbols = [field.generator(index) for index in range(6)]
x_symbols, dz_symbols = objects(symbols[:3], (3, 1)), objects(symbols[3:], (3, 1))
run = Interpreter(field, sign=lambda element: 1)  # no comparison occurs
with jax.enable_x64(True):
    (z_symbolic,) = run(program_of_definition, [x_symbols])
    (dx_symbolic,) = run(program, [x_symbols, dz_symbols])
print("x^1 =", written(z_symbolic[0, 0]))
print("t^2 =", written(field.generators[6].argument))

# %% [markdown]
# The inner product of $dz$ with the definition is one such quotient, and we know how to
# differentiate those: the sum rule, the product rule, the quotient rule, and $t' = (t^2)' / 2t$.
# Subtract that from what the code computed. If nothing is left, the two are the same for every $x$
# and $dz$:

# %%
terms = len(list(dx_symbolic[0, 0].num.terms()))
print(f"dx1 has {terms} terms above the line")
for row in range(3):
    slopes = [derivative(z_symbolic[m, 0], row) * dz_symbols[m, 0] for m in range(3)]
    rest = dx_symbolic[row, 0] - sum(slopes, start=field.zero)
    print(f"dx{row + 1} minus the derivative: {rest.num}")
    assert rest.is_zero

# %% [markdown]
# That is the proof, for three rows and in exact arithmetic. It says nothing of rounding, or of
# other shapes. `prove_vjp` does all of this by itself, and where a rule is wrong it finds rational
# numbers that show it. Here is the rule without the path through the variance:


# %%
def without_path(x):
    mean = jnp.mean(x, axis=0, keepdims=True)
    variance = jax.lax.stop_gradient(jnp.mean((x - mean) ** 2, axis=0, keepdims=True))
    return (x - mean) / jnp.sqrt(variance + 0.25)


print(prove_vjp(normalised, definition, "3x1"))
disproof = prove_vjp(without_path, definition, "3x1")
print(disproof.verdict, disproof.reason.replace(" at ", "\n    at "), sep=": ")
assert disproof.verdict == "disproved"

# %% [markdown]
# `ffnn-jax verify --prove --layer batch_norm` proves the layer itself, with all its outputs.
#
# ## Running statistics
#
# Which mean and which variance should prediction use? During training the layer keeps a moving
# average of the batch statistics. After each batch
#
# $$\text{running} \leftarrow 0.9 \cdot \text{running} + 0.1 \cdot \text{batch},$$
#
# for the mean, which starts at 0, and for the variance, which starts at 1. These arrays are not
# parameters: no gradient flows through them, and neither the optimiser nor weight decay touches
# them. They are the layer's *state*. `apply` takes the state, and returns the state after the
# batch.
#
# Two conventions differ between libraries. The 0.9 is called `momentum` here and in Flax; PyTorch
# gives that name to the 0.1. And the running variance here and in Flax is the average of the biased
# variances, (norm.10); PyTorch multiplies each by $M/(M-1)$ first.
#
# By hand, for our four numbers: the running mean becomes $0.9 \cdot 0 + 0.1 \cdot 3 = 0.3$, and the
# running variance $0.9 \cdot 1 + 0.1 \cdot 2.5 = 1.15$.

# %%
single = Network((BatchNorm(),), input_shape=(1,))
params, state = single.init(jax.random.key(0))
for batches in range(101):
    if batches in (0, 1, 10, 100):
        (running,) = state.values()
        print(f"batches {batches:3}   mean {running['mean'][0]:.4f}", end="")
        print(f"   variance {running['variance'][0]:.4f}")
    if batches == 1:
        assert np.allclose([running["mean"][0], running["variance"][0]], [0.3, 1.15])
    _, state = single.apply(params, state, x, training=True)
assert np.allclose([running["mean"][0], running["variance"][0]], [3, 2.5], atol=1e-3)

_, after = single.apply(params, state, x)  # prediction leaves the state unchanged
assert all(map(jnp.array_equal, jax.tree.leaves(after), jax.tree.leaves(state)))

# %% [markdown]
# ### An image and its neighbours
#
# Now a real network, trained on the installed digits. The dense layer before the normalisation has
# no bias, since subtracting the mean would remove it again.

# %%
settings = dataclasses.replace(
    preset("quickstart"),
    layers=(Dense(64, bias=False), BatchNorm(), ReLU(), Dense(10)),
    steps=300,
)
(model,) = compute(settings).models
test = load("mnist_5k", "test")
forty = test.images[:40]


def one_by_one(predict):
    return np.concatenate([predict(forty[n : n + 1]) for n in range(40)])


difference = np.abs(one_by_one(model.probabilities) - model.probabilities(forty)).max()
print("state", {name: array.shape for name, array in model.state["batchnorm_2"].items()})
print("alone or in a batch of 40, probabilities agree to 1e-6:", difference <= 1e-6)
assert difference <= 1e-6

# %% [markdown]
# With running statistics, the prediction for an image does not depend on its neighbours. It has to
# be so: nobody wants a digit to be read differently because of what was scanned with it.
#
# Now a common bug. Somebody forgets to switch to prediction, and the layer keeps using the
# statistics of the batch. This is what `training=True` does:


# %%
@jax.jit
def with_batch_statistics(pixels):
    x = normalise(pixels, model.normalisation)
    logits, _ = model.network.apply(model.params, model.state, x, training=True)
    return jax.nn.softmax(logits)


alone, together = one_by_one(with_batch_statistics), with_batch_statistics(forty)
difference = np.abs(alone - together).max()
print(f"alone or in a batch of 40, a probability differs by up to {difference:.2f}")
print("alone, the first image: ", np.round(alone[0], 2))
print("alone, the second image:", np.round(alone[1], 2))
assert difference > 0.5
assert np.allclose(alone, alone[0], atol=1e-5)

# %% [markdown]
# Alone, every image gets the same prediction! In a batch of one, each value is its own mean. So
# $\hat x = 0$ and $z = \text{shift}$, and nothing of the image is left.
#
# The bug stays hidden because it does little harm in large, well-mixed batches. Here is the test
# accuracy for batches of several sizes, once with the images shuffled and once sorted by class.

# %%
shuffled = np.random.default_rng(0).permutation(len(test))
orders = {"shuffled": shuffled, "sorted by class": np.argsort(test.labels, kind="stable")}
sizes = (1, 2, 5, 20, 100, 1000)


@jax.jit
def classes(batches):
    return jax.lax.map(with_batch_statistics, batches).argmax(axis=-1)


def accuracy(order, size):
    batches = test.images[order].reshape(-1, size, 28, 28, 1)
    return np.mean(np.ravel(classes(batches)) == test.labels[order])


accuracies = {name: [accuracy(order, size) for size in sizes] for name, order in orders.items()}
with_running = np.mean(model.predict(test.images) == test.labels)

figure, ax = plt.subplots(figsize=(6.2, 3), layout="constrained")
ax.axhline(with_running, color=BLUE, label="running statistics")
for (name, curve), style in zip(accuracies.items(), ("o--", "s:"), strict=True):
    ax.plot(sizes, curve, style, color=ORANGE, label=f"batch statistics, {name}")
ax.set(xscale="log", xlabel="images per batch", ylabel="test accuracy", ylim=(0, 1))
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend(frameon=False, fontsize=9)
ax.grid(alpha=0.3)
plt.show()

assert accuracies["shuffled"][0] < 0.2 and accuracies["shuffled"][-1] > with_running - 0.02
assert max(accuracies["sorted by class"][:-1]) < 0.5 < with_running

# %% [markdown]
# Shuffled batches of 100 do nearly as well as running statistics. So a test with such batches would
# pass, and the bug would surface only when images arrive one by one, or sorted.
#
# ## Why the variance takes two passes
#
# There is a well-known formula that needs a single pass over the numbers: the variance is the mean
# of $x^2$ minus the square of the mean. On paper it is correct. In float32 it subtracts two large
# numbers to get a small one. Take $x = 4096 + (-1, 0, 0, 1)$, whose variance is $\frac12$.

# %%
x_far = column(4095, 4096, 4096, 4097)
one_pass = jnp.mean(x_far**2) - jnp.mean(x_far) ** 2
(z_far, _, two_passes), _ = batch_norm_forward(x_far, one, zero)
z_one_pass = (x_far - jnp.mean(x_far)) / jnp.sqrt(one_pass + 1e-5)
print(f"one pass:   variance {one_pass:.2f}, largest z {z_one_pass.max():.2f}")
print(f"two passes: variance {two_passes[0]:.2f}, largest z {z_far.max():.2f}")
assert one_pass != 0.5 and two_passes == 0.5
assert jnp.allclose(z_far.max(), jnp.sqrt(2.0), atol=1e-4)

# %% [markdown]
# $4096^2$ is $2^{24}$, and beyond that float32 has only the even integers. So the $\frac12$ is
# lost, and $z$ comes out hundreds of times too large. The layer computes the mean first, then the
# squared distances from it, and sums in float32 even when $x$ is in half precision.
#
# ## What is saved
#
# (norm.14) and (norm.15) need $\hat x$, $r$ and scale. $\hat x$ is as large as $x$, and easy to
# recompute from $x$, the mean and $r$. So the residuals are one large array, which the previous
# layer often keeps anyway, and three numbers per channel.

# %%
x_images = jnp.ones((8, 14, 14, 16))  # statistics over all axes but the last: M = 8 * 14 * 14
_, saved = batch_norm_forward(x_images, jnp.ones(16), jnp.zeros(16))
print({name: array.shape for name, array in saved._asdict().items()})
assert saved.mean.shape == saved.rstd.shape == saved.scale.shape == (16,)

# %% [markdown]
# ## Dropout
#
# Dropout also behaves differently in training and in prediction. In training it sets each number to
# 0 with a certain probability, the *rate*, so that the network cannot rely on any single one of
# them. Randomness is awkward to test. So this layer draws nothing itself: it *receives* a mask $m$
# of zeros and ones as data. The numbers that are kept are divided by $1 - \text{rate}$:
#
# $$z_i = \frac{m_i\, x_i}{1 - \text{rate}} \tag{dropout.1}$$
#
# Why divide? A mask keeps entry $i$ with probability $1 - \text{rate}$. So the mean over all masks
# is $x_i$, and prediction needs no correction: the layer does nothing then. This is called
# *inverted* dropout.
#
# $$E[z_i] = \frac{(1 - \text{rate})\, x_i}{1 - \text{rate}} = x_i \tag{dropout.2}$$
#
# Given the mask, nothing is random, and each output is a constant times its own input:
#
# $$\frac{\partial z_i}{\partial x_i} = \frac{m_i}{1 - \text{rate}} \tag{dropout.3}$$
#
# $$dx_i = \frac{m_i\, dz_i}{1 - \text{rate}} \tag{dropout.4}$$
#
# By hand, with the rate $\frac12$ and $m = (1, 0, 1, 1)$: $x = (3, -1, 4, 2)$ becomes
# $z = (6, 0, 8, 4)$, and $dz = (1, 2, -1, 3)$ becomes $dx = (2, 0, -2, 6)$. The same mask applies
# in both directions: an entry that took no part gets no gradient.

# %%
x_four, mask = jnp.array([3.0, -1.0, 4.0, 2.0]), jnp.array([True, False, True, True])
z_four, residuals_four = dropout_forward(x_four, mask, 0.5)
dx_four, dmask = dropout_backward(0.5, residuals_four, jnp.array([1.0, 2.0, -1.0, 3.0]))
print("z =", z_four, "  dx =", dx_four)
assert jnp.array_equal(z_four, jnp.array([6.0, 0.0, 8.0, 4.0]))  # (dropout.1)
assert jnp.array_equal(dx_four, jnp.array([2.0, 0.0, -2.0, 6.0]))  # (dropout.3), (dropout.4)
assert dmask is None  # a mask is discrete, so it has no cotangent

masks = jax.random.bernoulli(jax.random.key(3), 0.7, (10_000, 4))
averaged = dropout(jnp.broadcast_to(x_four, masks.shape), masks, 0.3).mean(axis=0)
print("mean over 10,000 masks:", averaged)
assert jnp.allclose(averaged, x_four, rtol=0.03)  # (dropout.2)

# %% [markdown]
# In a network, the layer `Dropout` draws the mask of each image from a key, which is a function of
# the seed, the step, the layer, and the image's position in the batch. So a run can be repeated bit
# for bit.
#
# ## Adding two branches
#
# The last topic is the shortest. A *residual block* computes $z = x + y$, where $y$ is the output
# of some layers applied to $x$. Each output is the sum of two inputs, both with the factor 1:
#
# $$z_i = x_i + y_i \tag{add.1}$$
#
# $$\frac{\partial z_l}{\partial x_i} = \frac{\partial z_l}{\partial y_i} = \delta_{il}
# \tag{add.2}$$
#
# $$dx_i = dy_i = \sum_l dz_l\, \delta_{il} = dz_i \tag{add.3}$$
#
# Each branch gets all of $dz$, not half of it. If the input of the block is $u$, and its layers
# compute $y = f(u)$, then $u$ is used twice, and its two cotangents add up:
#
# $$du_i = dz_i + \sum_l dz_l\, \frac{\partial f_l}{\partial u_i} \tag{add.4}$$
#
# So $dz$ reaches $u$ in full, whatever $f$ does. We propagate a gradient back through 20 dense
# layers with small weights, without and with such shortcuts.

# %%
z_sum, no_residuals = add_forward(jnp.array([1.0, 2.0]), jnp.array([3.0, -5.0]))
assert jnp.array_equal(z_sum, jnp.array([4.0, -3.0]))  # (add.1)
for branch in add_backward(no_residuals, jnp.array([7.0, -1.0])):
    assert jnp.array_equal(branch, jnp.array([7.0, -1.0]))  # (add.2), (add.3)

block, norms = (Dense(32, init_scale=0.5), ReLU()), {}
for name, layers in {"without": 20 * block, "with": 20 * (Residual(block),)}.items():
    deep = Network(layers, input_shape=(32,))
    params, state = deep.init(jax.random.key(0))
    u = jax.random.normal(jax.random.key(1), (1, 32))
    du = jax.jit(jax.grad(lambda u: deep.apply(params, state, u)[0].sum()))(u)  # noqa: B023
    norms[name] = float(jnp.linalg.norm(du))
    print(f"{name:7} shortcuts: norm of the gradient at the input {norms[name]:.1e}")
assert norms["without"] < 1e-3 < 1 < norms["with"]

# %% [markdown]
# Without shortcuts almost nothing arrives. With them the gradient even grows, since the paths
# through the blocks add up.
#
# ## All of them in one network
#
# Layers can be nested. A `Residual` has a tuple of layers as its body, and owns their parameters
# and state.

# %%
body = (Dense(64, bias=False), BatchNorm(), ReLU(), Dropout(0.2))
layers = (Dense(64, bias=False), BatchNorm(), ReLU(), Residual(body), Dense(10))
result = compute(dataclasses.replace(settings, layers=layers))
(nested,) = result.models
for row in nested.network.summary().rows:
    print(f"{row.number:4} {row.title:20} {row.parameters:7,} parameters")
print("layers with state:", *nested.state)
print(f"test accuracy {result.test_accuracy[0]:.3f}")
assert np.abs(one_by_one(nested.probabilities) - nested.probabilities(forty)).max() <= 1e-6
assert result.test_accuracy[0] > 0.85

# %% [markdown]
# ## Exercises
#
# 1. Both values of a channel are 7. What is $z$, and what is $dx$ for $dz = (1, -1)$, scale 1 and
#    $\varepsilon = 10^{-4}$?
#
#    *Answer:* the variance is 0, so $\hat x = 0$ and $z = \text{shift}$. $r$ is 100, and
#    $dx = (100, -100)$. Near-constant channels have large gradients.
#
# 2. A dense layer with a bias precedes batch normalisation. What is the gradient of the bias?
#
#    *Answer:* 0, since it is the sum of the $dx_m$ of a channel. This is why
#    `Dense(64, bias=False)` suffices.
#
# 3. All weights of the previous layer are multiplied by 10. How do $z$ and $dx$ change?
#
#    *Answer:* apart from the effect of $\varepsilon$, $\hat x$ and $z$ do not change. $r$ becomes a
#    tenth of its former value, and so does $dx$.
#
# 4. To avoid an answer of 0, somebody differentiates $\sum_m z_m^2$ instead of $\sum_m z_m$, with
#    scale 1 and shift 0. Is that better?
#
#    *Answer:* hardly. $\sum_m \hat x_m^2$ is
#    $M \cdot \text{variance} / (\text{variance} + \varepsilon)$, almost $M$ whatever $x$ is. So the
#    correct answer is again almost 0, and a wrong factor goes undetected. It does detect the
#    missing variance term.

# %%
(z_flat, _, _), residuals_flat = batch_norm_forward(column(7, 7), one, zero + 3, 1e-4)
dx_flat, _, _ = batch_norm_backward(1e-4, residuals_flat, (column(1, -1), zero, zero))
assert jnp.array_equal(z_flat, column(3, 3)) and jnp.allclose(dx_flat, column(100, -100))


def z_of(x):
    return batch_norm(x, one, zero)[0]


assert abs(jax.grad(lambda b: jnp.sum(dz * z_of(x + b)))(0.0)) < 1e-5

(z_once, pull_once), (z_tenfold, pull_tenfold) = jax.vjp(z_of, x), jax.vjp(z_of, 10 * x)
assert jnp.allclose(z_once, z_tenfold, atol=1e-4)
assert jnp.allclose(pull_once(dz)[0] / 10, pull_tenfold(dz)[0], atol=1e-4)


def dx_of_squares(rule):
    return jnp.abs(jax.grad(lambda x: jnp.sum(rule(x, jnp.ones(3), jnp.zeros(3))[0] ** 2))(x_batch))


assert dx_of_squares(batch_norm).max() < 1e-4
assert dx_of_squares(rules["factor scale rstd dropped"]).max() < 1e-3
assert dx_of_squares(without_variance).max() > 0.1
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_batch_norm.py` contains this derivation next to the code, one line for each
# equation, and `_dropout.py` and `_add.py` contain theirs. `tests/layers/test_batch_norm.py` checks
# the layer as this chapter does, and in more ways. The layers with state or keys are in
# `ffnn_jax/nn`, and notebook `10_your_own_layer` shows how to write one.
