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
# # Chapter 3: softmax and its loss
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/03_softmax_loss.ipynb)
#
# A classification network ends in scores, one number per class. The softmax turns scores into
# probabilities. The softmax loss measures how far these are from the truth. This chapter derives
# its gradient, equations (20) to (23), and arrives at the shortest formula of all: probability
# minus truth. On the way we run into the largest number a float can hold, and step around it.
#
# From chapter 1 you need the notation. $dv$ is the cotangent of $v$: the derivative of the loss $L$
# with respect to each entry of $v$.
#
# The layer itself is in `ffnn_jax/layers/_softmax_loss.py`. This notebook imports it.

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
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from ffnn_jax.data import load
from ffnn_jax.layers import (
    dense,
    dense_backward,
    dense_forward,
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    softmax_forward,
)
from ffnn_jax.optim import momentum
from ffnn_jax.verify import Kink, Rule, check_vjp

BLUE, ORANGE = "#0072B2", "#D55E00"


def near(a, b, error=1e-6):
    """Whether two arrays agree up to the rounding of float32."""
    return np.allclose(np.asarray(a), np.asarray(b), rtol=error, atol=error)


# %% [markdown]
# ## From scores to probabilities
#
# There are $K$ classes, and a data point has the scores $x_1, \ldots, x_K$. A score can be any
# number. Probabilities cannot: they are non-negative and add up to 1. Two steps get us there. The
# exponential makes every score positive. Dividing by the sum makes the total 1.
#
# $$z_i = \frac{e^{x_i}}{\sum_{j=1}^{K} e^{x_j}} \tag{20}$$
#
# A larger score has a larger probability, since the exponential is increasing.
#
# Our example has $K = 3$ classes and scores whose exponentials are simple:
#
# $$x = (0, \log 2, \log 5), \qquad e^{x} = (1, 2, 5), \qquad \text{sum} = 8, \qquad
# z = \left(\tfrac18, \tfrac14, \tfrac58\right).$$

# %%
x = jnp.log(jnp.array([1.0, 2.0, 5.0]))
z = softmax(x)
print("x =", x)
print("z =", z, "  sum", jnp.sum(z))
assert near(z, [1 / 8, 1 / 4, 5 / 8])  # (20)
assert near(jnp.sum(z), 1.0)

# %% [markdown]
# ## The loss
#
# The data point has one correct class, $c$. The network gave it the probability $z_c$. We want
# $z_c$ to be large, so we penalise small values: the loss is its negative logarithm.
#
# $$L = -\log z_c = -\log \frac{e^{x_c}}{\sum_j e^{x_j}} = -x_c + \log \sum_{j=1}^{K} e^{x_j}
# \tag{21}$$
#
# The last step used $\log(a / b) = \log a - \log b$ and $\log e^{x_c} = x_c$.
#
# Why the logarithm? Independent probabilities multiply, and logarithms turn the product into a
# sum. So the sum of the losses is $-\log$ of the probability that *all* data points get their
# correct class. Minimising it makes the data we have seen as likely as possible.
#
# By hand, for each class that could be the correct one:
#
# | correct class $c$ | $z_c$ | loss |
# | --- | --- | --- |
# | 1 | 1/8 | $\log 8 = 2.079$ |
# | 2 | 1/4 | $\log 4 = 1.386$ |
# | 3 | 5/8 | $\log \tfrac85 = 0.470$ |
#
# The library takes a batch: one row of scores and one label per data point. Its labels count from
# 0.

# %%
loss_of = jax.jit(softmax_cross_entropy)  # compiled once, fast from then on
for c, by_hand in ((1, 2.079), (2, 1.386), (3, 0.470)):
    loss = float(loss_of(x[None, :], jnp.array([c - 1])))
    print(f"c = {c}   loss {loss:.3f}")
    assert abs(loss - by_hand) < 5e-4  # (21)

# %% [markdown]
# Here are the three losses on the curve $-\log z_c$.

# %%
probability = np.linspace(0.005, 1, 400)
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(probability, -np.log(probability), color=BLUE, linewidth=2)
for c, p in ((1, 1 / 8), (2, 1 / 4), (3, 5 / 8)):
    ax.plot(p, -np.log(p), "o", color=ORANGE)
    ax.annotate(f"c = {c}", (p, -np.log(p)), xytext=(8, 4), textcoords="offset points")
ax.set_xlim(0, 1)
ax.set_ylim(0, 5)
ax.set_xlabel("$z_c$, the probability of the correct class")
ax.set_ylabel("loss")
ax.set_title(r"The loss $-\log z_c$")
plt.show()

# %% [markdown]
# Being confident and right costs almost nothing. Being confident and wrong can cost any amount.
# Knowing nothing, and giving each of ten classes the probability $\tfrac1{10}$, costs
# $\log 10 = 2.303$. This is the loss at which an untrained network starts.

# %%
uniform_loss = float(loss_of(jnp.zeros((1, 10)), jnp.array([7])))
print(f"ten equal scores: loss {uniform_loss:.3f}")
assert abs(uniform_loss - 2.303) < 5e-4

# %% [markdown]
# ## The gradient
#
# Differentiate (21) with respect to one score $x_i$. It has two terms.
#
# **The first term**, $-x_c$, depends on $x_i$ only if $i$ is $c$. With the Kronecker delta,
# $\delta_{ci} = 1$ if $c = i$ and 0 otherwise:
#
# $$\frac{\partial (-x_c)}{\partial x_i} = -\delta_{ci}.$$
#
# **The second term** is the logarithm of a sum. Call the sum $S = \sum_j e^{x_j}$. Only the term
# $j = i$ contains $x_i$, and the exponential is its own derivative:
#
# $$\frac{\partial S}{\partial x_i} = \sum_j \delta_{ij}\, e^{x_j} = e^{x_i}.$$
#
# The derivative of $\log S$ is $1/S$ times that of $S$. This puts the sum into the denominator,
# and the result is (20):
#
# $$\frac{\partial \log S}{\partial x_i} = \frac{1}{S}\, \frac{\partial S}{\partial x_i}
# = \frac{e^{x_i}}{\sum_j e^{x_j}} = z_i.$$
#
# Together:
#
# $$dx_i = -\delta_{ci} + \frac{e^{x_i}}{\sum_j e^{x_j}} = z_i - \delta_{ci} \tag{22}$$
#
# Read $\delta_{ci}$ as the truth: probability 1 for the correct class, 0 for the others. Then (22)
# says *what the network believes, minus what is true*.
#
# By hand, for $c = 2$:
#
# $$dx = \left(\tfrac18,\ \tfrac14 - 1,\ \tfrac58\right)
# = \left(\tfrac18,\ -\tfrac34,\ \tfrac58\right).$$

# %%
labels = jnp.array([1])  # class 2, counted from 0
loss, residuals = softmax_cross_entropy_forward(x[None, :], labels)
dx, _ = softmax_cross_entropy_backward(0.0, None, residuals, jnp.ones(()))
print("dx =", dx[0])
assert near(dx[0], [1 / 8, -3 / 4, 5 / 8])  # (22)

# %% [markdown]
# A step goes against the gradient, so it raises $x_2$ and lowers the other two. Of these it lowers
# $x_3$ five times as much as $x_1$: the more likely a wrong class seemed, the harder it is pushed.
#
# What does $-\tfrac34$ mean? If we add 0.01 to $x_2$, $L$ should change by about $-0.0075$. Try it
# in float64, since subtracting two nearly equal numbers loses digits.

# %%
with jax.enable_x64(True):
    x64 = jnp.log(jnp.array([[1.0, 2.0, 5.0]]))
    moved = x64.at[0, 1].add(0.01)
    change = float(loss_of(moved, labels) - loss_of(x64, labels))
print(f"predicted {0.01 * -0.75:.5f}, L changed by {change:.5f}")
assert abs(change - -0.0075) < 1e-5

# %% [markdown]
# ### Two facts for checking an implementation
#
# *The entries of $dx$ add up to 0.* The probabilities add up to 1, and so do the deltas:
#
# $$\sum_i dx_i = \sum_i z_i - \sum_i \delta_{ci} = 1 - 1 = 0.$$
#
# *Their absolute values add up to $2(1 - z_c)$.* The correct class has $|z_c - 1| = 1 - z_c$. The
# others have $z_i$ each, and these add up to $1 - z_c$ as well:
#
# $$\sum_i |dx_i| = (1 - z_c) + \sum_{i \neq c} z_i = 2\,(1 - z_c).$$
#
# So the worse a data point is misjudged, the harder it pulls. One that is classified with certainty
# no longer pulls at all. In our example $z_c = \tfrac14$, and the sum is
# $\tfrac18 + \tfrac34 + \tfrac58 = \tfrac32$.

# %%
print("sum", float(jnp.sum(dx)), "  sum of absolute values", float(jnp.sum(jnp.abs(dx))))
assert near(jnp.sum(dx), 0.0)
assert near(jnp.sum(jnp.abs(dx)), 3 / 2)
assert near(jnp.sum(jnp.abs(dx)), 2 * (1 - z[1]))

# %% [markdown]
# ## Softmax on its own
#
# The loss absorbed the softmax, and (22) never needed the derivative of (20). Here it is anyway,
# as a second route to the same result. By the quotient rule, with $S$ as above,
#
# $$\frac{\partial z_j}{\partial x_i}
# = \frac{\delta_{ij}\, e^{x_j}\, S - e^{x_j}\, e^{x_i}}{S^2}
# = \delta_{ij}\, z_j - z_j z_i = z_j\, (\delta_{ij} - z_i).$$
#
# Every output depends on every score, since all share the sum. So the chain rule keeps all its
# terms:
#
# $$dx_i = \sum_j dz_j\, z_j\, (\delta_{ij} - z_i) = z_i \Big( dz_i - \sum_j dz_j\, z_j \Big)
# \tag{softmax.1}$$
#
# The loss $-\log z_c$ hands back $dz_j = -\delta_{cj} / z_c$. Then $\sum_j dz_j z_j = -1$, and
#
# $$dx_i = z_i \left( -\frac{\delta_{ci}}{z_c} + 1 \right) = z_i - \delta_{ci}.$$
#
# The last step holds since $\delta_{ci}\, z_i / z_c$ is 1 where $i = c$ and 0 elsewhere. This is
# (22) again.
#
# By hand, with $c = 2$: $dz = (0, -4, 0)$, the sum $\sum_j dz_j z_j$ is $-1$, and
# $dx = (\tfrac18 (0 + 1), \tfrac14 (-4 + 1), \tfrac58 (0 + 1))
# = (\tfrac18, -\tfrac34, \tfrac58)$.

# %%
z, residual = softmax_forward(x)
dz = jnp.array([0.0, -4.0, 0.0])
(dx,) = softmax_backward(residual, dz)
print("sum of dz_j z_j =", float(jnp.sum(dz * z)), "  dx =", dx)
assert near(jnp.sum(dz * z), -1.0)
assert near(dx, [1 / 8, -3 / 4, 5 / 8])  # (softmax.1)

# %% [markdown]
# ## When the exponential is too large
#
# On paper we are done. On a computer we are not. The largest float32 is about
# $3.4 \cdot 10^{38}$. $e^{88}$ is below it. $e^{89}$ is above it, and becomes `inf`. At the other
# end $e^{-110}$ becomes 0. Scores of this size are not rare: a network that is fed unscaled pixels
# produces them, and so does one that is very confident.

# %%
largest = float(jnp.finfo(jnp.float32).max)
print(f"largest float32 {largest:.1e}")
print(f"e^88 {jnp.exp(88.0):.1e}   e^89 {jnp.exp(89.0):.1e}   e^-110 {jnp.exp(-110.0):.1e}")
assert 3.4e38 < largest < 3.5e38
assert jnp.isfinite(jnp.exp(88.0)) and jnp.isinf(jnp.exp(89.0)) and jnp.exp(-110.0) == 0

# %% [markdown]
# Here are (20) and (21), typed exactly as written. We compute the loss and, by autodiff, its
# gradient. The correct class is the first.


# %%
def direct_loss(x):
    exponentials = jnp.exp(x)
    z = exponentials / jnp.sum(exponentials)
    return -jnp.log(z[0])


def print_losses(loss):
    """Prints the loss and gradient of four data points; returns the losses."""
    losses, loss_and_gradient = [], jax.jit(jax.value_and_grad(loss))
    for scores in ([1.0, 3.0], [100.0, 98.0], [-120.0, -118.0], [0.0, 200.0]):
        value, dx = loss_and_gradient(jnp.array(scores))
        print(f"x = ({scores[0]:6.1f}, {scores[1]:6.1f})   loss {value:7.3f}   dx {dx}")
        losses.append(float(value))
    return np.array(losses)


losses = print_losses(direct_loss)
assert near(losses[0], 2.126928)
assert not np.isfinite(losses[1:]).any()

# %% [markdown]
# Only the first line is right. Line two divides `inf` by `inf`, line three 0 by 0. In line four the
# correct class has probability 0, and $-\log 0$ is `inf`. Each `nan` would spread through the whole
# network and into every weight.
#
# ### The shift
#
# Subtract any number $M$ from all scores. In (20) it cancels:
#
# $$\frac{e^{x_i - M}}{\sum_j e^{x_j - M}} = \frac{e^{-M}\, e^{x_i}}{e^{-M} \sum_j e^{x_j}} = z_i.$$
#
# In (21) it comes out of the logarithm and cancels too:
#
# $$-(x_c - M) + \log \sum_j e^{x_j - M}
# = -x_c + M + \log \Big( e^{-M} \sum_j e^{x_j} \Big)
# = -x_c + M - M + \log \sum_j e^{x_j} = L.$$
#
# On paper nothing has changed. So we are free to choose $M$, and we choose the largest score. Then
#
# - every exponent is at most 0, so every exponential is at most 1: nothing overflows;
# - the largest score has the exponential $e^0 = 1$, so the sum is at least 1 and at most $K$: we
#   never divide by 0, and the logarithm is between 0 and $\log K$;
# - an exponential that becomes 0 is added to a sum of at least 1, so nothing noticeable is lost.
#
# The library's `softmax` applies this shift. Is it enough to take $-\log$ of its output?

# %%
losses = print_losses(lambda x: -jnp.log(softmax(x)[0]))
assert near(losses[:3], [2.126928, 0.126928, 2.126928])
assert losses[3] == np.inf

# %% [markdown]
# Lines two and three are fixed. Line three has the same loss as line one, as it must: the scores
# differ by a constant. But line four is still wrong. The probability $e^{-200}$ is too small for
# float32 and is rounded to 0, so the logarithm comes too late.
#
# The remedy is the last expression in (21). There the logarithm has been taken *on paper*, and
# $z_c$ is never formed. This is why softmax and loss are one layer and not two.

# %%
losses = print_losses(lambda x: softmax_cross_entropy(x[None, :], jnp.array([0])))
assert near(losses, [2.126928, 0.126928, 2.126928, 200.0])

# %% [markdown]
# All four are right, and so are their gradients. Equation (22) does not divide by $z_c$. It needs
# only probabilities, and these are always between 0 and 1.
#
# ## A batch
#
# The loss of a batch of $N$ data points is the mean of their losses:
#
# $$L = \frac1N \sum_{n=1}^{N} L\left(x^{(n)}, c^{(n)}\right) \tag{23}$$
#
# Row $n$ of the scores is in only one term of this sum, so its gradient is (22) times the
# $\tfrac1N$ in front. If the loss itself is later multiplied by some number, that number arrives
# as the cotangent $dL$, and the chain rule multiplies by it:
#
# $$dx_i^{(n)} = \frac{dL}{N} \left( z_i^{(n)} - \delta_{c^{(n)} i} \right).$$
#
# Taking the mean keeps the size of a step independent of the size of the batch.
#
# ### The numbers
#
# Keep the first data point, with $c = 2$, and add a second, $x^{(2)} = (\log 3, 0, 0)$ with
# $c = 1$. By hand, its exponentials are $(3, 1, 1)$, so
# $z^{(2)} = (\tfrac35, \tfrac15, \tfrac15)$ and its loss is $\log \tfrac53 = 0.511$. Then
#
# $$L = \tfrac12 \left( \log 4 + \log \tfrac53 \right) = 0.949, \qquad
# dx = \tfrac12 \begin{pmatrix} \tfrac18 & -\tfrac34 & \tfrac58 \\[2pt]
# -\tfrac25 & \tfrac15 & \tfrac15 \end{pmatrix}
# = \begin{pmatrix} \tfrac1{16} & -\tfrac38 & \tfrac5{16} \\[2pt]
# -\tfrac15 & \tfrac1{10} & \tfrac1{10} \end{pmatrix}.$$

# %%
batch = jnp.log(jnp.array([[1.0, 2.0, 5.0], [3.0, 1.0, 1.0]]))
labels = jnp.array([1, 0])  # classes 2 and 1, counted from 0
loss, residuals = softmax_cross_entropy_forward(batch, labels)
dx, _ = softmax_cross_entropy_backward(0.0, None, residuals, jnp.ones(()))
print(f"L = {loss:.3f}")
print("dx =", dx, sep="\n")
assert abs(float(loss_of(batch[1:], labels[1:])) - 0.511) < 5e-4
assert abs(float(loss) - 0.949) < 5e-4  # (23)
assert near(dx, [[1 / 16, -3 / 8, 5 / 16], [-1 / 5, 1 / 10, 1 / 10]])  # (22), (23)

# %% [markdown]
# What does the backward pass have to remember? Equation (22) contains $z$ and $c$, so the residuals
# are the probabilities and the labels. The scores are not needed again. The labels are integers: a
# data point cannot be a little more class 2, so they have no cotangent, and the backward returns
# `None` in their place. The first two arguments, `0.0` and `None`, are settings, the subject of a
# later section.

# %%
kept_z, kept_labels = residuals
assert near(kept_z, softmax(batch)) and jnp.array_equal(kept_labels, labels)
dx_scaled, dlabels = softmax_cross_entropy_backward(0.0, None, residuals, jnp.array(4.0))  # dL = 4
print("with dL = 4:", dx_scaled, sep="\n")
assert near(dx_scaled, 4 * dx) and dlabels is None

# %% [markdown]
# ## What the gradient looks like
#
# Let a dense layer score digits from their 784 pixels, as in chapter 1. Train it for 100 steps
# on 2000 digits.

# %%
train = load("mnist_5k", "train")
images = jnp.asarray(train.images[:3000].reshape(-1, 784) / 255.0, jnp.float32)
labels = jnp.asarray(train.labels[:3000])


@jax.jit
def loss_and_gradients(params, x, labels):
    scores, dense_residuals = dense_forward(x, params["w"], params["b"])
    loss, loss_residuals = softmax_cross_entropy_forward(scores, labels)
    dscores, _ = softmax_cross_entropy_backward(0.0, None, loss_residuals, jnp.ones(()))
    dx, dw, db = dense_backward(dense_residuals, dscores)
    return loss, {"w": dw, "b": db}, scores, dscores, dx


params = {"w": jnp.zeros((784, 10)), "b": jnp.zeros(10)}
rule = momentum(0.1, mu=0.9)
state = rule.init(params)
for step in range(100):
    begin = 100 * (step % 20)
    rows = slice(begin, begin + 100)
    loss, gradients, *_ = loss_and_gradients(params, images[rows], labels[rows])
    updates, state = rule.update(gradients, state, params)
    params = optax.apply_updates(params, updates)
    if step in (0, 99):
        print(f"step {step:2d}   batch loss {loss:.3f}")
    assert step or abs(float(loss) - 2.303) < 5e-4  # it starts by knowing nothing

# %% [markdown]
# Of 1000 digits that these steps did not use, take two: the one with the smallest loss and the one
# with the largest. Each is a batch of one, so $dx = z - \delta$ without the $\tfrac1N$.

# %%
probabilities = np.asarray(softmax(dense(images[2000:], params["w"], params["b"])))
correct = probabilities[np.arange(1000), labels[2000:]]  # z_c of each
chosen = [2000 + int(correct.argmax()), 2000 + int(correct.argmin())]

figure, axes = plt.subplots(2, 4, figsize=(9.6, 4.2), layout="constrained")
for row, n in zip(axes, chosen, strict=True):
    loss, _, scores, dscores, dpixels = loss_and_gradients(
        params, images[n : n + 1], labels[n : n + 1]
    )
    z, pull, dpixels = np.asarray(softmax(scores))[0], np.asarray(dscores)[0], np.asarray(dpixels)
    c = int(labels[n])
    assert near(pull, z - np.eye(10)[c])  # (22)
    colors = [BLUE if k == c else ORANGE for k in range(10)]
    limit = np.abs(dpixels).max()
    row[0].imshow(train.images[n].squeeze(), cmap="gray")
    row[0].set_title(f"a {c}, loss {loss:.3f}", fontsize=11)
    row[1].bar(range(10), z, color=colors)
    row[1].set_ylim(0, 1.05)
    row[1].set_title("$z$", fontsize=11)
    row[2].bar(range(10), pull, color=colors)
    row[2].axhline(0, color="black", linewidth=0.8)
    row[2].set_ylim(-1.05, 1.05)
    row[2].set_title(r"$z - \delta$", fontsize=11)
    row[3].imshow(dpixels.reshape(28, 28), cmap="RdBu_r", vmin=-limit, vmax=limit)
    row[3].set_title(f"pixel gradient, max {limit:.3f}", fontsize=11)
    for ax in (row[1], row[2]):
        ax.set_xticks(range(10))
    for ax in (row[0], row[3]):
        ax.set_xticks([])
        ax.set_yticks([])
figure.suptitle("The smallest and the largest loss of 1000 digits; blue bars: the correct class")
plt.show()

# %% [markdown]
# In the top row the network is right and confident, and $z - \delta$ is nearly 0: there is nothing
# to learn. In the bottom row the probability is spread over wrong classes. Each of them is pushed
# down by exactly the probability it was given. The correct class, given hardly any, is pushed up by
# almost 1.
#
# The dense layer passes this on to the pixels, by equation (14). For a smaller loss, blue pixels
# should be brighter and red ones darker. Both rows show the same kind of image. Only the scale
# differs, and the titles give it.

# %%
total = np.abs(pull).sum()
print(f"the worst mistake: z_c = {z[c]:.4f}, sum of |z - delta| = {total:.3f}")
assert near(total, 2 * (1 - z[c]))
assert correct.max() > 0.99 and correct.min() < 0.02

# %% [markdown]
# ## The gradient is a slope
#
# Back to $x = (0, \log 2, \log 5)$ with $c = 2$ and $dx = (\tfrac18, -\tfrac34, \tfrac58)$. Walk
# from $x$ in a direction $d$: at position $t$ the scores are $x + t d$. The chain rule gives the
# slope of the loss at the start:
#
# $$\frac{d}{dt} L(x + t d) \bigg|_{t=0} = \sum_i dx_i\, d_i.$$
#
# Take two directions.
#
# - Against the gradient, $d = -dx$. The slope is
#   $-\left(\tfrac1{64} + \tfrac{36}{64} + \tfrac{25}{64}\right) = -\tfrac{31}{32}$.
# - All scores rising together, $d = (1, 1, 1)$. The slope is the sum of the entries of $dx$, which
#   is 0.
#
# These slopes hold at $t = 0$, and a central difference of the loss should reproduce them there.

# %%
directions = {"against": np.array([-1.0, 6.0, -5.0]) / 8, "together": np.ones(3)}
predicted = {"against": -31 / 32, "together": 0.0}
places = np.linspace(-2, 5, 141)
curves = {}
with jax.enable_x64(True):
    start = jnp.log(jnp.array([1.0, 2.0, 5.0]))
    for name, d in directions.items():

        def loss_at(t, d=d):
            return softmax_cross_entropy((start + t * d)[None, :], jnp.array([1]))

        along = jax.jit(jax.vmap(loss_at))
        behind, ahead = along(np.array([-1e-4, 1e-4]))
        measured = float(ahead - behind) / 2e-4
        print(f"{name:9s}  slope predicted {predicted[name]:+.6f}   measured {measured:+.6f}")
        assert abs(measured - predicted[name]) < 1e-7
        curves[name] = np.asarray(along(places))

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
tangent = np.log(4) - 31 / 32 * places
ax.plot(places, curves["against"], color=BLUE, linewidth=2, label="$d = -dx$")
ax.plot(places, tangent, "--", color=BLUE, label="its tangent, slope $-31/32$")
ax.plot(places, curves["together"], color=ORANGE, linewidth=2, label="$d = (1, 1, 1)$")
ax.plot(0, np.log(4), "o", color="black", label=r"here, $L = \log 4$")
ax.set_ylim(-0.4, 4)
ax.set_xlabel("$t$")
ax.set_ylabel("$L(x + t\\,d)$")
ax.set_title("The loss along two directions")
ax.legend(frameon=False, fontsize=9)
plt.show()
assert (curves["against"] > tangent - 1e-12).all()
assert np.allclose(curves["together"], np.log(4), rtol=0, atol=1e-12)

# %% [markdown]
# Along $(1, 1, 1)$ nothing ever changes. This is the shift again: a constant added to all scores
# cancels.
#
# Along $-dx$ the curve touches its tangent and never falls below it. The same is true of every
# direction. The slope at $t$ is $\sum_i (z_i - \delta_{ci})\, d_i$, where $z$ changes with $t$.
# Differentiate once more, with $\partial z_j / \partial x_i = z_j (\delta_{ij} - z_i)$ from above:
#
# $$\frac{d^2}{dt^2} L(x + t d) = \sum_{ij} d_j\, z_j\, (\delta_{ij} - z_i)\, d_i
# = \sum_i z_i\, d_i^2 - \Big( \sum_i z_i\, d_i \Big)^2.$$
#
# This is the mean of $d^2$ minus the square of the mean of $d$, under the probabilities $z$: a
# variance. A variance is never negative, so the loss never bends downwards. As a function of the
# scores it is convex, with no second valley to get trapped in. By hand, for $d = -dx$ at $t = 0$:
#
# $$\tfrac18 \cdot \tfrac1{64} + \tfrac14 \cdot \tfrac{36}{64} + \tfrac58 \cdot \tfrac{25}{64}
# - \left(-\tfrac1{64} + \tfrac{12}{64} - \tfrac{25}{64}\right)^2
# = \tfrac{198}{512} - \tfrac{49}{1024} = \tfrac{347}{1024} = 0.339.$$

# %%
step = places[1] - places[0]
here = int(np.abs(places).argmin())
bend = np.diff(curves["against"], 2) / step**2
print(f"second difference at t = 0: {bend[here - 1]:.3f}")
assert abs(347 / 1024 - 0.339) < 5e-4
assert abs(bend[here - 1] - 347 / 1024) < 1e-3
assert (bend > 0).all()

# %% [markdown]
# ## Smoothed labels, weighted classes
#
# (22) is 0 only where $z_c$ is 1, and no finite score gets there. So training pushes the scores of
# the correct classes up for ever, also of images whose label is a mistake. *Label smoothing* sets a
# limit. It takes a share $s$ from the label and spreads it evenly over all $K$ classes. Write the
# label as $y_k$, which is $\delta_{ck}$:
#
# $$t_k = (1 - s)\, y_k + \frac{s}{K} \tag{softmax.2}$$
#
# A second wish: a mistake in one class may be worse than in another, or one class may be rare. Then
# each class gets a weight $w_k$:
#
# $$q_k = w_k\, t_k \tag{softmax.3}$$
#
# The loss was $-\log z_c$. Now every class has a part in it. The sum over the batch is divided by
# the weights of the labels, so that it is still a mean; without weights, $D$ is $N$ as before.
#
# $$L = -\frac1D \sum_n \sum_k q_{nk} \log z_{nk} \tag{softmax.4}$$
#
# $$D = \sum_n w_{c(n)} \tag{softmax.5}$$
#
# For the gradient we need only the logarithm of (20) and its derivative, which is (22) with the
# other sign:
#
# $$\log z_k = x_k - \log \sum_j e^{x_j}, \qquad
# \frac{\partial \log z_k}{\partial x_i} = \delta_{ki} - z_i. \tag{softmax.6}$$
#
# In the sum over $k$ the delta picks $q_i$, but $z_i$ is in every term, so it is multiplied by the
# sum of all $q_k$. Without weights that sum is 1, as for $t$:
#
# $$dx_i = \frac{dL}{D} \Big( z_i \sum_k q_k - q_i \Big) \tag{softmax.7}$$
#
# By hand, for $x = (0, \log 2, \log 5)$ and $c = 2$ as above. Let $s = 0.3$, so
# $t = (0.1, 0.8, 0.1)$. Without weights
#
# $$L = 0.1 \log 8 + 0.8 \log 4 + 0.1 \log \tfrac85 = 1.364, \qquad
# dx = z - t = (0.025, -0.55, 0.525).$$
#
# With $w = (1, 2, 4)$ we have $q = (0.1, 1.6, 0.4)$ with the sum 2.1, and $D = w_2 = 2$:
#
# $$dx = \tfrac12 \big( 2.1 \cdot (\tfrac18, \tfrac14, \tfrac58) - (0.1, 1.6, 0.4) \big)
# = (0.08125, -0.5375, 0.45625).$$

# %%
scores, label, weighted = jnp.log(jnp.array([[1.0, 2, 5]])), jnp.array([1]), (0.3, (1.0, 2.0, 4.0))
loss, residuals = softmax_cross_entropy_forward(scores, label, 0.3)
dx, _ = softmax_cross_entropy_backward(0.3, None, residuals, jnp.ones(()))
print(f"smoothed: L = {loss:.3f}, dx =", dx[0])
assert abs(loss - 1.364) < 5e-4  # (softmax.2), (softmax.4), (softmax.6)
assert near(dx[0], [0.025, -0.55, 0.525])  # (softmax.7)

loss, residuals = softmax_cross_entropy_forward(scores, label, *weighted)
dx, _ = softmax_cross_entropy_backward(*weighted, residuals, jnp.ones(()))
print("and weighted: dx =", dx[0])
assert near(dx[0], [0.08125, -0.5375, 0.45625])  # (softmax.3), (softmax.5), (softmax.7)

# %% [markdown]
# Where is the limit? Without weights (softmax.7) is 0 for $z = t$. With ten classes and $s = 0.1$
# the correct class should have the probability 0.91, and each other 0.01. If its score is $m$ and
# all others are 0, that is $e^m = 91$, or $m = 4.51$.

# %%
margins = jnp.linspace(-2, 12, 141)


def loss_at(margin, smoothing):
    row = margin * (jnp.arange(10) == 0)
    return softmax_cross_entropy(row[None, :], jnp.array([0]), smoothing)


figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for smoothing, color in ((0.0, BLUE), (0.1, ORANGE)):
    curve = jax.jit(jax.vmap(lambda m, s=smoothing: loss_at(m, s)))(margins)
    ax.plot(margins, curve, color=color, linewidth=2, label=f"$s = {smoothing}$")
ax.axvline(np.log(91), color="0.5", linewidth=0.8)
ax.set_xlabel("$m$, the score of the correct class above the others")
ax.set_ylabel("loss")
ax.legend(frameon=False)
plt.show()
assert abs(float(margins[curve.argmin()]) - np.log(91)) < 0.1

# %% [markdown]
# A label may also be given as a whole distribution, say of what several people saw in an image. It
# takes the place of the one-hot $y$, and $D$ is $N$. Being real numbers, its entries have a
# cotangent. By (softmax.2) and (softmax.4) the loss is linear in them:
#
# $$dy_{nk} = -\frac{dL}{N} (1 - s)\, w_k \log z_{nk} \tag{softmax.8}$$
#
# By hand, for $y = (0, \frac12, \frac12)$ without smoothing and weights: $dx = z - y =
# (\frac18, -\frac14, \frac18)$ and $dy = (\log 8, \log 4, \log \frac85)$.

# %%
_, residuals = softmax_cross_entropy_forward(scores, jnp.array([[0.0, 0.5, 0.5]]))
dx, dy = softmax_cross_entropy_backward(0.0, None, residuals, jnp.ones(()))
print("dx =", dx[0], "  dy =", dy[0])
assert near(dx[0], [1 / 8, -1 / 4, 1 / 8])  # (softmax.7)
assert near(dy[0], np.log([8, 4, 8 / 5]))  # (softmax.8)

# %% [markdown]
# ## The check
#
# `check_vjp` compares the layer with autodiff of a reference implementation, in float64 and for
# random scores and labels. That definition is (20), (21) and (23) as written, without any shift.
# Random scores are small, so it can be trusted.
#
# `"N:int<K"` describes the labels: $N$ integers below $K$. For scores at which the unshifted
# definition overflows, we state the expected result. The scores $(10^4, -10^4)$ have $z = (1, 0)$.
# If the second class is the correct one, $dx = (1, -1)$, times the $dL = 3$ that we hand in.
#
# Chapter 2 shows all rows of the table. Here we request only the most informative ones.


# %%
def reference(scores, labels):
    z = jnp.exp(scores) / jnp.sum(jnp.exp(scores), axis=1, keepdims=True)
    return -jnp.mean(jnp.log(z[jnp.arange(len(labels)), labels]))


extreme = Kink(
    name="scores of 1e4 and -1e4",
    args=(np.array([[1e4, -1e4]]), np.array([1])),
    cotangent=np.array(3.0),
    expected=(np.array([[3.0, -3.0]]),),
)
settings = {
    "batch": "N",
    "reduces": "mean",
    "kinks": (extreme,),
    "sizes": [{"N": 3, "K": 5}, {"N": 20, "K": 10}],
}
rows = ("value", "cotangents", "differences", "linearity", "zero", "kinks")

arguments = ("NxK", "N:int<K")

rule = Rule(softmax_cross_entropy, reference, arguments, **settings)
report = check_vjp(rule, only=(*rows, "float32"))
print(report)
assert report.passed

# %% [markdown]
# `worst` is the largest error found. In float64, values and cotangents are off by less than
# $10^{-15}$, the rounding error of both sides. The row `float32` is in units of that type's own
# rounding error, and its note gives the error of plain autodiff in the same units. The line below
# the table says where the two differ at points that we did not declare: at scores of $10^{300}$ the
# unshifted definition is not a number, and ours is $\log 5$.

# %%
assert report["value"].worst < 1e-15 and report["cotangents"].worst < 1e-15

# %% [markdown]
# ### What wrong rules look like
#
# A check that cannot fail proves nothing. First, a backward without the $\tfrac1N$ of (23).


# %%
def summed_backward(residuals, dloss):
    z, _ = residuals
    dx, _ = softmax_cross_entropy_backward(0.0, None, residuals, dloss)
    return z.shape[0] * dx, None


@jax.custom_vjp
def summed(scores, labels):
    return softmax_cross_entropy_forward(scores, labels)[0]


summed.defvjp(softmax_cross_entropy_forward, summed_backward)

report = check_vjp(Rule(summed, reference, arguments, **settings), only=rows)
print(str(report).partition("\nnot asked")[0])  # leaves out what follows
assert report.failures == ("cotangents", "differences")

# %% [markdown]
# The rows that compare numbers detect it, and the line below the table recognises it: every entry
# is 20 times as large as it should be, and 20 is $N$. The other rows cannot notice: a sum is as
# linear as a mean, and the extreme example has a batch of one. A batch of one hides this fault
# completely.

# %%
of_one = {**settings, "sizes": [{"N": 1, "K": 4}]}
report = check_vjp(Rule(summed, reference, arguments, **of_one), only=rows)
print(str(report).splitlines()[0])
assert report.passed

# %% [markdown]
# Second, a backward that ignores the $dL$ it receives. In training $dL$ is 1, so no training run
# would reveal it. It shows up on the day somebody halves the loss.


# %%
def unscaled_backward(residuals, dloss):
    return softmax_cross_entropy_backward(0.0, None, residuals, jnp.ones_like(dloss))


@jax.custom_vjp
def unscaled(scores, labels):
    return softmax_cross_entropy_forward(scores, labels)[0]


unscaled.defvjp(softmax_cross_entropy_forward, unscaled_backward)

report = check_vjp(Rule(unscaled, reference, arguments, **settings), only=rows)
print(str(report).partition("\nnot asked")[0])
assert report.failures == ("cotangents", "differences", "linearity", "zero", "kinks")

# %% [markdown]
# Now `linearity` and `zero` fail too. They need no reference: twice the $dL$ must give twice the
# $dx$, and zero must give zero.
#
# ## Exercises
#
# 1. Take the scores $(\log 4, 0, \log 3)$ and the correct class 3. Find $z$, the loss and $dx$.
#
#    *Answer:* $z = (\tfrac12, \tfrac18, \tfrac38)$, $L = \log \tfrac83 = 0.981$,
#    $dx = (\tfrac12, \tfrac18, -\tfrac58)$.
#
# 2. With two classes, write $z_1$ as a function of the difference $x_1 - x_2$.
#
#    *Answer:* divide the numerator and denominator of (20) by $e^{x_1}$:
#    $z_1 = 1 / (1 + e^{-(x_1 - x_2)})$. It is the sigmoid of the difference.
#
# 3. The scores are divided by a positive number $T$ before the softmax. What happens to $z$ if $T$
#    is very large, or very small? And to the gradient with respect to the scores?
#
#    *Answer:* for large $T$ all probabilities become equal; for small $T$ the largest score takes
#    almost all of the probability. The chain rule puts a $\tfrac1T$ in front:
#    $dx_i = (z_i - \delta_{ci}) / T$.

# %%
scores, c = jnp.log(jnp.array([[4.0, 1.0, 3.0]])), jnp.array([2])
loss, dx = jax.jit(jax.value_and_grad(softmax_cross_entropy))(scores, c)
assert near(softmax(scores)[0], [1 / 2, 1 / 8, 3 / 8])
assert abs(float(loss) - 0.981) < 5e-4
assert near(dx[0], [1 / 2, 1 / 8, -5 / 8])
assert near(softmax(jnp.array([1.5, 0.3]))[0], 1 / (1 + np.exp(-1.2)))
softened = jax.jit(jax.grad(lambda x: softmax_cross_entropy(x / 2.0, c)))(scores)  # T = 2
assert near(softened, (softmax(scores / 2.0) - np.eye(3)[2]) / 2.0)
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_softmax_loss.py` has this derivation next to the code.
# `tests/layers/test_softmax_loss.py` checks it. The next chapter uses the gradient of (23) to take
# steps.
