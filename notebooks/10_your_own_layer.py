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
# # Writing your own layer
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/10_your_own_layer.ipynb)
#
# This package has many layers, and sooner or later you will need another. This notebook goes all
# the way from a formula to a verified layer in a trained network: derive it on paper, write it,
# verify it, mend what the verification finds, and put it into a network.
#
# The layer is *swish*, which multiplies each number by its own sigmoid. It looks like a ReLU with
# its corner rounded off. You need the chain rule, the product rule, and the notation $dv$ for the
# cotangent of $v$, from chapter 1.

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
import math
import tempfile
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from IPython.display import display
from scipy import stats

from ffnn_jax.config import preset
from ffnn_jax.data import load
from ffnn_jax.layers import relu, softmax_cross_entropy
from ffnn_jax.models import load as load_model
from ffnn_jax.models import save
from ffnn_jax.network import Network
from ffnn_jax.nn import Constant, Dense, Layer, Param, ReLU
from ffnn_jax.optim import momentum
from ffnn_jax.runs import compute
from ffnn_jax.verify import Kink, Rule, check_vjp

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "0.5"

# %% [markdown]
# ## On paper
#
# Every equation gets a tag, here (own.1), (own.2) and so on, so that the code can refer to it. The
# sigmoid turns any number into one between 0 and 1, and swish multiplies by it:
#
# $$\sigma(x) = \frac{1}{1 + e^{-x}} \tag{own.1}$$
#
# $$z_i = x_i\, \sigma(x_i) \tag{own.2}$$
#
# First, the derivative of $\sigma$. With $u = 1 + e^{-x}$ we have $\sigma = 1/u$. The derivative of
# $1/u$ with respect to $u$ is $-1/u^2$, and that of $u$ with respect to $x$ is $-e^{-x}$. The chain
# rule multiplies them:
#
# $$\sigma'(x) = -\frac{1}{u^2} \cdot (-e^{-x}) = \frac{e^{-x}}{(1 + e^{-x})^2} \tag{own.3}$$
#
# One factor $1/u$ of this is $\sigma$ itself. The remaining factor is $1 - \sigma$:
#
# $$1 - \sigma(x) = \frac{1 + e^{-x}}{1 + e^{-x}} - \frac{1}{1 + e^{-x}}
# = \frac{e^{-x}}{1 + e^{-x}} \tag{own.4}$$
#
# $$\sigma'(x) = \sigma(x)\,(1 - \sigma(x)) \tag{own.5}$$
#
# Now (own.2) is a product, and both factors contain $x_i$. The product rule gives two terms. We
# call the result the slope:
#
# $$\text{slope}_i = \frac{\partial z_i}{\partial x_i} = \sigma(x_i) + x_i\, \sigma'(x_i)
# = \sigma(x_i) + x_i\, \sigma(x_i)\,(1 - \sigma(x_i)) \tag{own.6}$$
#
# No other output depends on $x_i$. So the chain rule's sum over all outputs has a single term:
#
# $$dx_i = \sum_l dz_l\, \frac{\partial z_l}{\partial x_i} = dz_i\, \text{slope}_i \tag{own.7}$$
#
# ## Two values by hand
#
# Work out the values at two points by hand, before there is any code to bias you.
#
# At $x = 0$: $\sigma = \frac12$, so $z = 0$, and the slope is $\frac12 + 0 = \frac12$.
#
# At $x = \ln 3$: $e^{-x} = \frac13$, so $\sigma = 1 / \frac43 = \frac34$, and
# $1 - \sigma = \frac14$. Then $z = \frac34 \ln 3$, and the slope is $\frac34 + \frac{3}{16} \ln 3$.
#
# ## In code
#
# A layer consists of three functions. The *forward function* computes the output, and the values
# that the backward function will need, the *residuals*. Here they are the slopes, one number for
# each input. The *backward function* takes the residuals and $dz$, and returns a tuple with one
# cotangent for each argument. The layer itself calls the forward function and returns its
# first output, so the two always agree. `defvjp` connects the three. This first version types the
# equations as they stand.


# %%
def direct_forward(x):
    s = 1 / (1 + jnp.exp(-x))  # (own.1)
    z = x * s  # (own.2)
    slope = s + z * (1 - s)  # (own.6)
    return z, slope


@jax.custom_vjp
def direct_swish(x):
    return direct_forward(x)[0]


def swish_backward(slope, dz):
    return (dz * slope,)  # (own.7)


direct_swish.defvjp(direct_forward, swish_backward)

# %% [markdown]
# Does it reproduce the values found by hand? Let $dz = (1, 2)$. Then $dx$ is the slope at 0, and
# twice the slope at $\ln 3$.

# %%
x = jnp.array([0.0, math.log(3)])
z, pull = jax.vjp(direct_swish, x)
(dx,) = pull(jnp.array([1.0, 2.0]))
print("z  =", z)
print("dx =", dx)
assert np.allclose(z, [0, 3 / 4 * math.log(3)])  # (own.2)
assert np.allclose(dx, [1 / 2, 2 * (3 / 4 + 3 / 16 * math.log(3))])  # (own.6), (own.7)

# %% [markdown]
# A plot shows what kind of function we have. On the right are the slopes, by which the backward
# function multiplies.

# %%
points = jnp.linspace(-6, 6, 241)
figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 2.8), layout="constrained")
left.plot(points, relu(points), "--", color=GREY, label="ReLU")
left.plot(points, direct_swish(points), color=BLUE, label="swish")
right.plot(points, jnp.where(points > 0, 1.0, 0.0), "--", color=GREY)
right.plot(points, direct_forward(points)[1], color=BLUE)
left.set(xlabel="$x$", title="$z$")
right.set(xlabel="$x$", title="slope")
left.legend(frameon=False)
for ax in (left, right):
    ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ReLU has slope 0 for every negative input, so nothing is learned there. Swish still has a slope
# there, and to the left of its minimum even a negative one. It has no corner, so no convention is
# needed at 0.
#
# ## Verifying it
#
# Two correct values are little evidence. `check_vjp` compares the layer with a *reference
# implementation*, an ordinary function that is independent of our derivation. JAX differentiates it
# automatically. Write it as a textbook would, and share no code with the layer: a mistake in shared
# code would be on both sides of the comparison.
#
# A `Rule` holds all that we say about the layer. It also describes the argument: `"NxD"` is an
# array of real numbers with two axes, whose sizes `check_vjp` draws at random. `batch="N"` marks
# the first of them as the batch axis, and `empty_batch=True` says that it may have size 0.


# %%
def reference_swish(x):
    return x * jax.nn.sigmoid(x)


about = {"batch": "N", "empty_batch": True}
direct_result = check_vjp(Rule(direct_swish, reference_swish, ("NxD",), **about))
print(direct_result)
assert direct_result.failures == ("grad of grad",)
assert "scale 1000" in direct_result["grad of grad"].where

# %% [markdown]
# Each row is one way in which a rule can be wrong, with the worst error found, the tolerance, and
# where the error occurred. The most important rows:
#
# - *primal*: the layer returns the same value whether or not somebody asks for its gradient.
# - *cotangents*: $dx$ against autodiff of the reference implementation, for a random $dz$, in
#   float64, entry by entry.
# - *differences*: the same against difference quotients of the layer itself. This row relies
#   neither on autodiff nor on the reference implementation.
# - *linearity* and *zero*: doubling $dz$ must double $dx$, and if $dz$ is 0, so is $dx$.
# - *magnitudes*: values and cotangents again, for numbers from a millionth to ten thousand.
# - *jit*, *vmap*, *scan*, *remat*: the rule must give the same result under these transformations
#   of JAX.
# - *grad of grad*: the backward function can itself be differentiated, and correctly.
# - *float32* and the half precisions: the error is given in units of the machine epsilon, next to
#   that of autodiff.
#
# The last lines say what was *not* asked, and why. Swish is not linear in $x$, and it has no kinks.
# The checks that split a batch across devices import the layer by name, so they need a layer that
# is defined in a file.
#
# ## Far from 0
#
# All rows hold but one. The gradient is right, everywhere. But whoever differentiates it once more
# gets NaN where numbers are of the order of a thousand. In float32 it takes less:

# %%
for value in (-5.0, -50.0, -90.0):
    with jax.enable_x64(True):
        right = float(jax.grad(jax.grad(reference_swish))(value))
    second = jax.grad(jax.grad(direct_swish))(value)
    print(f"x = {value:5}   second derivative {second:10.3g}   in float64 {right:10.3g}")
assert jnp.isnan(second) and right < 0

# %% [markdown]
# At $-90$ the result is NaN, and at $-50$ the sign is wrong. JAX gets a second derivative by
# differentiating our code, so look at what it meets there. In $\sigma = 1/u$ it needs $1/u^2$ and
# $e^{-x}$, as we did in (own.3). In float32, where no number is above $3.4 \cdot 10^{38}$, $e^{90}$
# is infinite: the product is $0 \cdot \infty$, which is not a number. At $-50$ it is $u^2$ that
# overflows. Then $\sigma'$ becomes 0, and the terms that would make the sum negative are lost.
#
# So we want a form in which nothing overflows. Multiply numerator and denominator of (own.4) by
# $e^x$:
#
# $$1 - \sigma(x) = \frac{1}{e^x + 1} = \sigma(-x) \tag{own.8}$$
#
# When $x$ changes sign, $\sigma$ and $1 - \sigma$ swap. So it is enough to know both for
# $x \ge 0$. There $e^{-x}$ is at most 1. With
#
# $$e_i = e^{-|x_i|} \tag{own.9}$$
#
# $$\sigma(x_i) = \begin{cases} 1 / (1 + e_i) & x_i \ge 0 \\ e_i / (1 + e_i) & x_i < 0 \end{cases}
# \tag{own.10}$$
#
# and $1 - \sigma(x_i)$ is the other of the two. The denominator lies between 1 and 2, and no
# subtraction cancels digits.
#
# One thing needs care. $|x|$ has a corner at 0, and swish has none. We write $-|x|$ with the
# condition `x < 0` and use the same condition in (own.10). Then everything at 0 comes from the
# formula for $x \ge 0$, which is smooth, and JAX can differentiate it as often as it likes.


# %%
def sigmoid_and_rest(x):
    """The sigmoid, and 1 minus the sigmoid."""
    e = jnp.exp(jnp.where(x < 0, x, -x))  # (own.9)
    larger, smaller = 1 / (1 + e), e / (1 + e)
    return jnp.where(x < 0, smaller, larger), jnp.where(x < 0, larger, smaller)  # (own.10)


def swish_forward(x):
    s, rest = sigmoid_and_rest(x)
    z = x * s  # (own.2)
    return z, s + z * rest  # (own.6)


@jax.custom_vjp
def swish(x):
    return swish_forward(x)[0]


swish.defvjp(swish_forward, swish_backward)

swish_result = check_vjp(Rule(swish, reference_swish, ("NxD",), **about))
print(swish_result)
assert swish_result

# %% [markdown]
# Now all checks hold. The second derivative at 0 can be found by hand: (own.6) has the derivative
# $2\sigma' + x\sigma''$, which is $2 \cdot \frac14$ at 0. At $-90$ the result is 0, because
# $e^{-90}$ is too small for float32.

# %%
second = jax.grad(jax.grad(swish))
print([float(second(value)) for value in (0.0, -5.0, -50.0, -90.0)])
assert second(0.0) == 0.5 and -1e-20 < second(-50.0) < -9e-21 and not jnp.isnan(second(-90.0))

# %% [markdown]
# ## A check that cannot fail is worthless
#
# So we plant a fault, and a likely one: in (own.6) we forget the factor $x_i$ of the second term.


# %%
def wrong_forward(x):
    s, rest = sigmoid_and_rest(x)
    return x * s, s + s * rest  # (own.6) is s + x s (1 - s)


@jax.custom_vjp
def wrong_swish(x):
    return wrong_forward(x)[0]


wrong_swish.defvjp(wrong_forward, swish_backward)

wrong_result = check_vjp(Rule(wrong_swish, reference_swish, ("NxD",), **about))
print(wrong_result)
assert {"cotangents", "differences"} <= set(wrong_result.failures)
assert wrong_result["value"].passed and wrong_result["linearity"].passed

# %% [markdown]
# Note which rows fail, and which do not. *value* passes: the forward function is correct, so no
# test of outputs would ever notice. *linearity* passes, and so do *jit* and *vmap*: the rule is
# well behaved, but it is not the derivative of this function. *cotangents* and *differences* detect
# the fault and name the worst entry of $dx$. Below the table follow an entry, with what was got and
# what was expected; a short program that shows the failure at the simplest input found; what was
# not asked; and a call that repeats the failed checks.
#
# How small a fault can be detected? Suppose that somebody was afraid of dividing by 0, and added a
# millionth. (There is no need: the denominator is never below 1.)


# %%
def guarded_forward(x):
    e = jnp.exp(jnp.where(x < 0, x, -x))
    larger, smaller = 1 / (1 + e + 1e-6), e / (1 + e + 1e-6)
    s, rest = jnp.where(x < 0, smaller, larger), jnp.where(x < 0, larger, smaller)
    return swish_forward(x)[0], s + x * s * rest


@jax.custom_vjp
def guarded_swish(x):
    return guarded_forward(x)[0]


guarded_swish.defvjp(guarded_forward, swish_backward)

rows = ("value", "cotangents", "differences", "float32")
guarded_result = check_vjp(guarded_swish, reference_swish, "NxD", batch="N", only=rows)
print(guarded_result)
check = guarded_result["cotangents"]
print(f"in float64 the fault is {check.worst / check.allowed:.0f} times as large as the tolerance")
assert check.worst > 10 * check.allowed
assert guarded_result["float32"].passed

# %% [markdown]
# In float32 this fault is lost in rounding error, and the row passes. That is why a rule is
# verified in float64, whatever precision it is used in.
#
# ## Using it in a network
#
# A network is a tuple of layers. A layer, yours or the package's, is a frozen dataclass that
# inherits from `ffnn_jax.nn.Layer`. It can define its output shape, its parameters, and more. The
# simplest layer needs none of that: by default, `Layer` has no parameters and leaves the shape
# unchanged. So all that is left to write is `__call__`. `title` is the layer's name in the summary.


# %%
@dataclasses.dataclass(frozen=True)
class Swish(Layer):
    title: ClassVar[str] = "Swish"

    def __call__(self, params, x):
        return swish(x)


@dataclasses.dataclass(frozen=True)
class WrongSwish(Layer):
    title: ClassVar[str] = "Wrong swish"

    def __call__(self, params, x):
        return wrong_swish(x)


def network_with(activation):
    return Network((Dense(64), activation, Dense(10)), input_shape=(28, 28, 1))


for row in network_with(Swish()).summary().rows:
    shape = " x ".join(map(str, row.output_shape))
    print(f"{row.number:4}{row.title:16} {row.parameters:7,} parameters   {shape}")

# %% [markdown]
# ## Training it
#
# The data are the installed digits, scaled to the range 0 to 1 and shifted to mean 0. We train four
# networks at once, one per seed. Each seed has its own initial weights and its own 400 batches of
# 32 digits, and these are the same whichever layer is in the middle. So layers can be compared
# fairly.

# %%
train, test = load("mnist_5k", "train"), load("mnist_5k", "test")
mean = train.images.mean() / 255
x_train, x_test = (jnp.asarray(part.images / 255 - mean, jnp.float32) for part in (train, test))
y_train, y_test = jnp.asarray(train.labels), jnp.asarray(test.labels)

starts, _ = jax.vmap(network_with(ReLU()).init)(jax.random.split(jax.random.key(0), 4))
batches = np.random.default_rng(0).integers(len(train), size=(4, 400, 32))

# %% [markdown]
# `init` returns the parameters and the *state*, and `apply` returns the logits and the state after
# the batch. State is what a layer carries from one batch to the next without training it, such as a
# running mean. No layer here has any, so it is always `{}`.
#
# `scan` runs the steps, and `vmap` runs the four seeds at once. Our backward function is called
# inside both. The update rule is momentum, from chapter 4.

# %%
rule = momentum(0.1, mu=0.9)


def train_with(activation):
    """The loss of every step, and the test accuracy at the end, for each seed."""
    network = network_with(activation)

    def loss_of(params, x, labels):
        logits, _ = network.apply(params, {}, x, training=True)
        return softmax_cross_entropy(logits, labels)

    def step(carry, rows):
        params, opt_state = carry
        loss, grads = jax.value_and_grad(loss_of)(params, x_train[rows], y_train[rows])
        updates, opt_state = rule.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    def run(params, batches):
        (params, _), losses = jax.lax.scan(step, (params, rule.init(params)), batches)
        logits, _ = network.apply(params, {}, x_test)
        return losses, jnp.mean(logits.argmax(axis=1) == y_test)

    losses, accuracies = jax.jit(jax.vmap(run))(starts, batches)
    return np.asarray(losses), np.asarray(accuracies)


def report_on(name):
    losses, accuracies = runs[name]
    print(f"{name:12} loss of the last 50 steps {losses[:, -50:].mean():.3f}", end="   ")
    print("test accuracy by seed", " ".join(f"{accuracy:.3f}" for accuracy in accuracies))


runs = {"ReLU": train_with(ReLU()), "swish": train_with(Swish())}
for name in runs:
    report_on(name)
assert min(accuracies.min() for _, accuracies in runs.values()) > 0.8

# %% [markdown]
# Swish trains. The two networks of a seed started from the same weights and saw the same batches,
# so they can be compared in pairs, as in `09_many_seeds`.

# %%
d = runs["swish"][1] - runs["ReLU"][1]
factor = stats.t.ppf(0.975, len(d) - 1)
error = d.std(ddof=1) / math.sqrt(len(d))
print(f"swish - ReLU: {100 * d.mean():+.1f} points of test accuracy,", end=" ")
print(f"95 % interval [{100 * (d.mean() - factor * error):+.1f}, ", end="")
print(f"{100 * (d.mean() + factor * error):+.1f}]")

# %% [markdown]
# Whatever this interval shows, it is about 400 steps of a small network on a few thousand digits.
# It is not a verdict on swish.
#
# ## What training does not reveal
#
# One thing is left to try: train the network with the *wrong* rule, the one with the missing
# factor.

# %%
runs["wrong swish"] = train_with(WrongSwish())
for name in runs:
    report_on(name)
assert abs(runs["wrong swish"][1].mean() - runs["swish"][1].mean()) < 0.03

figure, ax = plt.subplots(figsize=(6.4, 3.1), layout="constrained")
styles = {"ReLU": (GREY, "--"), "swish": (BLUE, "-"), "wrong swish": (ORANGE, ":")}
for name, (colour, style) in styles.items():
    losses = runs[name][0].mean(axis=0)
    smooth = np.convolve(losses, np.ones(20) / 20, "valid")  # the mean of 20 steps
    ax.plot(np.arange(20, len(losses) + 1), smooth, style, color=colour, lw=2, label=name)
ax.set(xlabel="step", ylabel="loss", yscale="log", title="Training loss, mean over the seeds")
ax.set_yticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
ax.minorticks_off()
ax.legend(frameon=False)
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# It trains almost as well. The loss falls, the accuracy is fine, and nobody would suspect a thing.
# A wrong gradient often still points downhill, and the other layers, whose rules are correct, make
# up for much. So a network that learns is not evidence for a correct gradient. The table of checks
# is.
#
# ## A layer with parameters
#
# *PReLU* multiplies every input that is not positive by a slope $a_j$, one for each feature $j$,
# and learns this slope:
#
# $$z_{ij} = \begin{cases} x_{ij} & x_{ij} > 0 \\ a_j\, x_{ij} & \text{else} \end{cases}
# \tag{own.11}$$
#
# The factor in front of $x_{ij}$ is the derivative, 1 or $a_j$:
#
# $$dx_{ij} = dz_{ij} \cdot \begin{cases} 1 & x_{ij} > 0 \\ a_j & \text{else} \end{cases}
# \tag{own.12}$$
#
# Every image $i$ whose $x_{ij}$ is not positive uses the same $a_j$, and the factor in front of
# $a_j$ is $x_{ij}$. A value that is used several times receives the sum of the cotangents:
#
# $$da_j = \sum_{i:\, x_{ij} \le 0} x_{ij}\, dz_{ij} \tag{own.13}$$


# %%
def prelu_forward(x, a):
    return jnp.where(x > 0, x, a[None, :] * x), (x, a)  # (own.11)


@jax.custom_vjp
def prelu(x, a):
    return prelu_forward(x, a)[0]


def prelu_backward(residuals, dz):
    x, a = residuals
    dx = jnp.where(x > 0, dz, a[None, :] * dz)  # (own.12)
    da = jnp.sum(jnp.where(x > 0, 0, x * dz), axis=0)  # (own.13)
    return dx, da


prelu.defvjp(prelu_forward, prelu_backward)


def reference_prelu(x, a):
    return jax.nn.leaky_relu(x, a)


prelu_result = check_vjp(Rule(prelu, reference_prelu, ("NxD", "D"), **about))
print(prelu_result)
assert prelu_result
assert prelu_result.conventions[0].startswith("x = 0 gives dx")

# %% [markdown]
# All checks hold, and below the table are some points at which the layer differs from the reference
# implementation. The infinities need not bother us: there, autodiff multiplies them by 0. But 0 is
# a kink. We count it among the inputs that are not positive, and `jax.nn.leaky_relu` among those
# that are. Both are conventions, so the checker does not say who is right. A `Kink` states ours: a
# point, a $dz$ and the expected cotangents. From then on it is checked.

# %%
kink = Kink(
    name="x = 0",
    args=(np.zeros((1, 2)), np.array([0.5, 3.0])),
    cotangent=np.array([[1.0, 10.0]]),
    expected=(np.array([[0.5, 30.0]]), np.zeros(2)),  # (own.12), (own.13)
)
prelu_rule = Rule(prelu, reference_prelu, ("NxD", "D"), kinks=(kink,), **about)
prelu_result = check_vjp(prelu_rule, only=("cotangents", "kinks"))
print(prelu_result)
assert prelu_result and not any("x = 0" in line for line in prelu_result.conventions)

# %% [markdown]
# In a network, the layer now has to declare its parameters. Its method `params` receives the shape
# of one input and returns a `Param` for each parameter: its shape, its initialiser, and how it is
# treated. `__call__` then receives the arrays under the same names. From then on they are
# parameters like any others: they are counted, trained and saved.
#
# One option deserves some thought. Weight decay pulls every parameter towards 0. With a slope of 0,
# PReLU is ReLU, so decay would push our layer back to the one that it is meant to improve on. We
# set `decayed=False`.


# %%
@dataclasses.dataclass(frozen=True)
class PReLU(Layer):
    title: ClassVar[str] = "PReLU"
    start: float = 0.25
    learned: bool = True

    def params(self, shape):
        start = Constant(self.start)
        return {"a": Param(shape, start, trained=self.learned, decayed=False, group="slopes")}

    def __call__(self, params, x):
        return prelu(x, params["a"])


settings = dataclasses.replace(
    preset("quickstart"),
    layers=(Dense(64), PReLU(), Dense(10)),
    steps=400,
    validation_interval=20,
)
result = compute(settings)
(model,) = result.models
print(f"{model.network.summary().parameters:,} parameters")
print("slopes from", model.params["prelu_2"]["a"].min(), "to", model.params["prelu_2"]["a"].max())
assert np.std(model.params["prelu_2"]["a"]) > 0.01
assert result.test_accuracy[0] > 0.85
display(result)

# %% [markdown]
# ### Frozen parameters and separate learning rates
#
# `Param` has two more options. With `trained=False` a parameter is *frozen*: it takes part in the
# forward pass and is saved with the model, but it is not differentiated and keeps its initial
# value. And `group` assigns a parameter to a named *group*, whose learning rate
# `Settings.group_rates` can multiply by a factor. The slopes above hardly moved, so we train once
# with the slopes frozen, and once with ten times the learning rate for the slopes alone.

# %%
slopes = {"learned": model.params["prelu_2"]["a"]}
for name, layer, rates in (
    ("frozen", PReLU(learned=False), ()),
    ("ten times the rate", PReLU(), (("slopes", 10.0),)),
):
    layers = (Dense(64), layer, Dense(10))
    changed = dataclasses.replace(settings, layers=layers, group_rates=rates)
    slopes[name] = compute(changed).models[0].params["prelu_2"]["a"]
for name, a in slopes.items():
    print(f"{name:20} slopes from {a.min():6.3f} to {a.max():6.3f}")
assert (slopes["frozen"] == 0.25).all()
assert np.std(slopes["ten times the rate"]) > 2 * np.std(slopes["learned"])

# %% [markdown]
# A saved model stores the names of its layers. When you load it, pass the layers that the package
# does not know:

# %%
with tempfile.TemporaryDirectory() as folder:
    save(Path(folder) / "prelu.npz", [model])
    reloaded = load_model(Path(folder) / "prelu.npz", layers=[PReLU])
print(reloaded)
assert (reloaded.predict(test.images) == model.predict(test.images)).all()

# %% [markdown]
# ## A layer that draws random numbers
#
# `__call__` sees only parameters and inputs. Some layers need more: random numbers, state, or
# whether they are in training. Such a layer defines `apply` instead of `__call__`, and returns its
# output together with its state after the batch. This one adds noise of standard deviation `stddev`
# in training. It requests keys with `needs_key`, and receives one for each image, so that an
# image's noise does not depend on how a batch is split into micro-batches or across devices.


# %%
@dataclasses.dataclass(frozen=True)
class Noise(Layer):
    title: ClassVar[str] = "Noise"
    needs_key: ClassVar[bool] = True
    stddev: float = 0.3

    def apply(self, params, state, x, *, training=False, key=None):
        if not training:
            return x, state
        noise = jax.vmap(lambda key: jax.random.normal(key, x.shape[1:]))(key)
        return x + self.stddev * noise, state


noisy = Network((Dense(64), Noise(), Swish(), Dense(10)), input_shape=(28, 28, 1))
params, state = noisy.init(jax.random.key(0))
x, key = x_test[:40], jax.random.key(1)
trained_on, _ = noisy.apply(params, state, x, training=True, key=key)
repeated, _ = noisy.apply(params, state, x, training=True, key=key)
predicted, _ = noisy.apply(params, state, x)
alone, _ = noisy.apply(params, state, x[:1])
print("state", state, "  largest change by noise", jnp.abs(trained_on - predicted).max())
assert (trained_on == repeated).all() and (trained_on != predicted).all()
assert np.allclose(alone, predicted[:1], atol=1e-5)

# %% [markdown]
# The same key gives the same noise, so a run can be repeated bit for bit. In prediction there is no
# noise, and the output for an image does not depend on its neighbours. A layer with state declares
# its arrays in a method `state`, again each as a `Param`; chapter 11, batch normalisation, is about
# such a layer.
#
# ## Exercises
#
# 1. *Softplus* is $z_i = \ln(1 + e^{x_i})$. Derive $dx_i$.
#
#    *Answer:* the derivative of the logarithm gives $1/(1 + e^{x_i})$, that of its argument
#    $e^{x_i}$. The product is $e^{x_i}/(1 + e^{x_i}) = \sigma(x_i)$, so
#    $dx_i = dz_i\, \sigma(x_i)$. The cell below checks it.
#
# 2. What is the slope of swish far to the right, and far to the left?
#
#    *Answer:* to the right $\sigma$ tends to 1, and $1 - \sigma$ vanishes faster than $x$ grows, so
#    the slope tends to 1. To the left $\sigma$ vanishes faster than $|x|$ grows, and the slope
#    tends to 0.
#
# 3. Which rows would fail if the backward returned `jnp.abs(dz) * slope`?
#
#    *Answer:* *linearity*, and the rows that compare $dx$ with correct values, such as
#    *cotangents*, since the random $dz$ has both signs. A check with a $dz$ of ones would notice
#    nothing.


# %%
def softplus_forward(x):
    z = jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))  # the same value, without overflow
    return z, jax.nn.sigmoid(x)


@jax.custom_vjp
def softplus(x):
    return softplus_forward(x)[0]


softplus.defvjp(softplus_forward, lambda slope, dz: (dz * slope,))
softplus_result = check_vjp(
    softplus, jax.nn.softplus, "NxD", batch="N", only=("value", "cotangents")
)
print(softplus_result)
assert softplus_result


@jax.custom_vjp
def absolute(x):
    return swish(x)


absolute.defvjp(swish_forward, lambda slope, dz: (jnp.abs(dz) * slope,))
rows = ("cotangents", "linearity")
assert check_vjp(absolute, reference_swish, "NxD", batch="N", only=rows).failures == rows
assert np.allclose(swish_forward(jnp.array([30.0, -30.0]))[1], [1, 0])

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_sigmoid.py` shows how the package writes a layer of this kind: the derivation in
# the docstring, one tagged line for each equation, and a form that stays accurate far from 0. The
# dataclasses of the package are in `ffnn_jax/nn`. `notebooks/guides/verify.md` lists all checks,
# and says how to describe other arguments, how to state a gradient that is not the derivative on
# purpose, and how to use your rule in Equinox and Flax. In your own tests, `assert_vjp` takes the
# same arguments as `check_vjp`. And with your layer in a file,
#
# ```sh
# ffnn-jax verify my_module:swish --reference my_module:reference_swish --shapes NxD --batch N
# ```
#
# runs all of these checks from a terminal, including those across several devices.
