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
# # Chapter 12: normalisation without a batch
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/12_normalisation.ipynb)
#
# Batch normalisation needs a batch. With two images in it, its statistics are noise, and at
# prediction it needs running statistics in their place. This chapter is about its relatives, which
# normalise each image by itself: *layer*, *group*, *instance* and *root-mean-square* normalisation.
# They differ in one question only: **which entries share a mean?** A fifth relative,
# *weight standardisation*, normalises the kernels instead of the images.
#
# You need chapter 11, most of all (norm.11) and (norm.15). Most of its derivation can be used
# again. But there is one difference, and it is a classic mistake to overlook it: scale moves inside
# a sum. The layers are in `_layer_norm.py`, `_group_norm.py`, `_rms_norm.py` and
# `_weight_standardisation.py` in `ffnn_jax/layers`. This notebook imports them.

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
import functools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from ffnn_jax.data import load
from ffnn_jax.layers import (
    batch_norm,
    group_norm,
    group_norm_backward,
    group_norm_forward,
    instance_norm,
    layer_norm,
    layer_norm_backward,
    layer_norm_forward,
    rms_norm,
    rms_norm_backward,
    rms_norm_forward,
    softmax_cross_entropy,
    weight_standardisation,
    weight_standardisation_backward,
    weight_standardisation_forward,
)
from ffnn_jax.network import Network
from ffnn_jax.nn import BatchNorm, Dense, LayerNorm, ReLU
from ffnn_jax.verify import Rule, check_vjp

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "0.5"

# %% [markdown]
# ## Which entries share a mean?
#
# Take three images of four pixels and six channels. Every normalisation subtracts a mean from the
# entry $x_{npc}$ of image $n$, pixel $p$, channel $c$, and divides by a standard deviation. The
# entries over which the two are computed are the entries whose change is felt in $\hat x_{npc}$. So
# we need not draw the sets by hand. We can ask the layers: differentiate one entry of $\hat x$, and
# see where the gradient is not 0.

# %%
N, P, C = 3, 4, 6
x_images = jax.random.normal(jax.random.key(0), (N, P, C))
one, zero = jnp.ones(C), jnp.zeros(C)
normalisations = {
    "batch": lambda x: batch_norm(x, one, zero)[0],
    "layer (each pixel)": lambda x: layer_norm(x, one, zero),
    "group, 1 group": lambda x: group_norm(x, one, zero, 1),
    "group, 3 groups": lambda x: group_norm(x, one, zero, 3),
    "instance": lambda x: instance_norm(x, one, zero),
}


def shared(f):
    """The entries of x on which the first entry of f(x) depends."""
    return np.asarray(jax.jit(jax.grad(lambda x: f(x)[0, 0, 0]))(x_images) != 0)


first = {name: shared(f) for name, f in normalisations.items()}
figure, axes = plt.subplots(1, 5, figsize=(9.2, 3.6), sharey=True, layout="constrained")
for ax, (name, same) in zip(axes, first.items(), strict=True):
    colours = ListedColormap(["0.93", ORANGE])
    ax.pcolormesh(same.reshape(N * P, C), cmap=colours, edgecolors="white", linewidth=1)
    for image in range(1, N):
        ax.axhline(image * P, color="black", linewidth=1.5)
    ax.set(title=name, xlabel="channel", xticks=np.arange(C) + 0.5, yticks=np.arange(N) * P + 2)
    ax.set_xticklabels(range(C))
    ax.set_yticklabels([f"image {n}" for n in range(N)])
    ax.title.set_fontsize(10)
    ax.tick_params(length=0)
    ax.set_aspect("equal")
axes[0].invert_yaxis()
plt.show()

counts = {name: int(same.sum()) for name, same in first.items()}
print(counts)
assert list(counts.values()) == [N * P, C, P * C, P * 2, P]

# %% [markdown]
# Each panel has the three images below one another, a row for each pixel and a column for each
# channel. Orange are the entries that share their statistics with the first entry of all.
#
# * **Batch** normalisation averages over all images: a column in every image.
# * **Layer** normalisation takes the channels of one pixel. For vectors, as after a dense layer or
#   for the tokens of a text, this is the whole row of the batch.
# * **Group** normalisation takes all pixels of an image and a group of neighbouring channels.
# * **Instance** normalisation is the case where each channel is a group of its own.
#
# All but the first stay within one image. So they need no running statistics, training and
# prediction do the same, and the size of the batch does not matter.
#
# ## Layer normalisation
#
# Take one row of $C$ entries. As in (norm.9), (norm.10), (norm.1) and (norm.2), but over the
# entries of the row:
#
# $$\text{mean} = \frac1C \sum_c x_c \tag{layer.1}$$
#
# $$\text{variance} = \frac1C \sum_c (x_c - \text{mean})^2 \tag{layer.2}$$
#
# $$r = \frac{1}{\sqrt{\text{variance} + \varepsilon}} \tag{layer.3}$$
#
# $$\hat x_c = (x_c - \text{mean})\; r \tag{layer.4}$$
#
# Scale and shift belong to the entry. All rows use the same ones:
#
# $$z_c = \text{scale}_c\; \hat x_c + \text{shift}_c \tag{layer.5}$$
#
# The numbers of chapter 11, as one row: $x = (1, 2, 4, 5)$ and $\varepsilon = 1.5$. Then the mean
# is 3, the variance 2.5, $r = \frac12$ and $\hat x = (-1, -\frac12, \frac12, 1)$. With
# $\text{scale} = (2, 4, 2, 0)$ and $\text{shift} = (1, 0, -1, 3)$,
#
# $$z = (-2 + 1,\; -2 + 0,\; 1 - 1,\; 0 + 3) = (-1, -2, 0, 3).$$

# %%
x, eps = jnp.array([[1.0, 2, 4, 5]]), 1.5
scale, shift = jnp.array([2.0, 4, 2, 0]), jnp.array([1.0, 0, -1, 3])

z, residuals = layer_norm_forward(x, scale, shift, eps)
x_hat = (x - residuals.mean) * residuals.rstd
print("mean", residuals.mean, "  rstd", residuals.rstd, "  z", z[0])
assert residuals.mean == 3.0  # (layer.1)
assert residuals.rstd == 0.5  # (layer.2), (layer.3)
assert jnp.array_equal(x_hat, jnp.array([[-1, -0.5, 0.5, 1]]))  # (layer.4)
assert jnp.array_equal(z, jnp.array([[-1.0, -2, 0, 3]]))  # (layer.5)

# %% [markdown]
# ### Scale and shift
#
# Each is used by every row $n$, so its cotangent is a sum over the rows:
#
# $$d\text{shift}_c = \sum_n dz_{nc} \tag{layer.6}$$
#
# $$d\text{scale}_c = \sum_n dz_{nc}\; \hat x_{nc} \tag{layer.7}$$
#
# ### The input
#
# We go back through (layer.5) first. The cotangent of $\hat x$ is
#
# $$d\hat x_c = \text{scale}_c\; dz_c \tag{layer.8}$$
#
# Now a change of $x_c$ changes $\hat x_c$ directly, and every $\hat x_k$ through the mean and
# through $r$. By (norm.11) the mean has the derivative $\frac1C$ and the variance
# $\frac2C (x_c - \text{mean})$. The derivative of $r$ with respect to the variance is
# $-\frac12 r^3$, so its derivative with respect to $x_c$ is
# $-\frac1C r^3 (x_c - \text{mean}) = -\frac1C r^2 \hat x_c$. Together, in (layer.4):
#
# $$\frac{\partial \hat x_k}{\partial x_c}
# = r\, \Bigl(\delta_{kc} - \frac1C - \frac1C\, \hat x_k\, \hat x_c\Bigr) \tag{layer.9}$$
#
# The chain rule adds up over all $k$:
#
# $$dx_c = \sum_k d\hat x_k\, \frac{\partial \hat x_k}{\partial x_c}
# = r\, \Bigl(d\hat x_c - \frac1C \sum_k d\hat x_k
# - \hat x_c\, \frac1C \sum_k d\hat x_k\, \hat x_k\Bigr) \tag{layer.10}$$
#
# In words: subtract from $d\hat x$ its mean and its component along $\hat x$, and multiply by $r$.
#
# By hand, for $dz = (4, 1, -2, 1)$: $d\hat x = (8, 4, -4, 0)$, whose mean is 2. The products with
# $\hat x$ are $(-8, -2, -2, 0)$, with mean $-3$. So
#
# $$dx = \tfrac12 \bigl((8, 4, -4, 0) - 2 + 3 \cdot (-1, -\tfrac12, \tfrac12, 1)\bigr)
# = \tfrac12\, (3, \tfrac12, -4\tfrac12, 1) = (1\tfrac12, \tfrac14, -2\tfrac14, \tfrac12).$$

# %%
dz = jnp.array([[4.0, 1, -2, 1]])
dx, dscale, dshift = layer_norm_backward(eps, residuals, dz)
print("dx =", dx[0], "  dscale =", dscale, "  dshift =", dshift)
assert jnp.array_equal(dx, jnp.array([[1.5, 0.25, -2.25, 0.5]]))  # (layer.8), (layer.10)
assert jnp.array_equal(dscale, jnp.array([-4.0, -0.5, -1, 1]))  # (layer.7)
assert jnp.array_equal(dshift, jnp.array([4.0, 1, -2, 1]))  # (layer.6)

jacobian = 0.5 * (jnp.eye(4) - 1 / 4 - x_hat.T @ x_hat / 4)  # (layer.9)
assert jnp.array_equal((scale * dz) @ jacobian, dx)

# %% [markdown]
# Autodiff of a textbook definition agrees. As in chapter 11, the loss $\sum dz\, z$ with fixed
# numbers $dz$ has these as its gradient with respect to $z$.


# %%
def reference(x, scale, shift, eps=1e-5):
    """Layer normalisation as a textbook writes it."""
    mean, variance = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
    return scale * (x - mean) / jnp.sqrt(variance + eps) + shift


def loss(x, scale, shift):
    return jnp.sum(dz * reference(x, scale, shift, eps))


for ours, autodiff in zip(
    (dx, dscale, dshift), jax.grad(loss, argnums=(0, 1, 2))(x, scale, shift), strict=True
):
    assert jnp.allclose(ours, autodiff, atol=1e-6)
print("all three agree")

# %% [markdown]
# ### What the gradient cannot contain
#
# The $\hat x_c$ add up to 0, and their squares to
# $C \cdot \text{variance} \cdot r^2 = C\, (1 - \varepsilon r^2)$. Sum (layer.10), once as it is and
# once times $\hat x_c$:
#
# $$\sum_c dx_c = 0 \tag{layer.11}$$
#
# $$\sum_c dx_c\, \hat x_c = \varepsilon\, r^3 \sum_c d\hat x_c\, \hat x_c \approx 0
# \tag{layer.12}$$
#
# The reason is the same as for a batch: the row may be shifted and stretched, and $z$ stays as it
# is. By hand: $1\frac12 + \frac14 - 2\frac14 + \frac12 = 0$, and
# $-1\frac12 - \frac18 - 1\frac18 + \frac12 = -2\frac14$, which is
# $1.5 \cdot \frac18 \cdot (-12)$. Our $\varepsilon$ is absurdly large; usually this is almost 0.

# %%
assert jnp.sum(dx) == 0  # (layer.11)
assert jnp.sum(dx * x_hat) == -2.25 == eps * 0.5**3 * jnp.sum(scale * dz * x_hat)  # (layer.12)

moved = layer_norm(2 * x - 7, scale, shift)
assert jnp.allclose(moved, layer_norm(x, scale, shift), atol=1e-4)
print("the sums are 0 and -2.25; shifted and stretched, z is the same")

# %% [markdown]
# ## Scale inside the sum
#
# In batch normalisation all entries that share a mean also share one scale. So in (norm.15) scale
# stands in front of everything. It is tempting to copy that line:
#
# $$\text{wrong:} \qquad dx_c = \text{scale}_c\; r\, \Bigl(dz_c - \frac1C \sum_k dz_k
# - \hat x_c\, \frac1C \sum_k dz_k\, \hat x_k\Bigr).$$
#
# But here every entry has its own scale, and $\text{scale}_k$ must not leave a sum over $k$. For
# our numbers the mean of $dz$ is 1, and that of $dz\, \hat x$ is $-\frac98$. The wrong rule gives
#
# $$(1\tfrac78, -1\tfrac18, -2\tfrac7{16}, 0),$$
#
# which does not even add up to 0. Look at the last entry. Its scale is 0, so *its own* output is
# constant, and the wrong rule concludes that $x_4$ does not matter. It does: $x_4$ takes part in
# the mean and the variance of the others. The correct answer is $\frac12$.
#
# The mistake is hard to see at the start of training, when every scale is 1. Then both rules agree!


# %%
def scale_outside(x, scale, dz, eps):
    """The mistake: (norm.15), copied."""
    _, kept = layer_norm_forward(x, scale, 0 * scale, eps)
    x_hat = (x - kept.mean[:, None]) * kept.rstd[:, None]
    along = x_hat * jnp.mean(dz * x_hat, axis=1, keepdims=True)
    return scale * kept.rstd[:, None] * (dz - jnp.mean(dz, axis=1, keepdims=True) - along)


wrong = scale_outside(x, scale, dz, eps)
print("correct", dx[0], "  wrong", wrong[0], "  sum", wrong.sum())
assert jnp.array_equal(wrong, jnp.array([[1.875, -1.125, -2.4375, 0]]))

ones = jnp.ones(4)
correct_at_start, *_ = layer_norm_backward(eps, residuals._replace(scale=ones), dz)
assert jnp.allclose(scale_outside(x, ones, dz, eps), correct_at_start)

# %% [markdown]
# A longer row shows the size of the error. On the left, twelve entries of $dx$ with scales between
# 0 and 2: the two rules, and difference quotients, which know nothing of either. On the right, how
# the error grows as the scales move away from 1.

# %%
keys = jax.random.split(jax.random.key(3), 3)
row, d_row, direction = (jax.random.normal(key, (1, 12)) for key in keys)
scales = jnp.linspace(0.0, 2.0, 12)


def both(scale):
    """The gradients dx of the layer and of the mistake."""
    _, kept = layer_norm_forward(row, scale, 0 * scale)
    return layer_norm_backward(1e-5, kept, d_row)[0], scale_outside(row, scale, d_row, 1e-5)


def quotient(c, step=0.01):
    above, below = (row.at[0, c].add(change) for change in (step, -step))
    difference = layer_norm(above, scales, 0 * scales) - layer_norm(below, scales, 0 * scales)
    return float(jnp.sum(d_row * difference) / (2 * step))


right, mistaken = both(scales)
quotients = [quotient(c) for c in range(12)]
spreads = np.linspace(0, 1, 11)
errors = []
for spread in spreads:
    correct_dx, wrong_dx = both(1 + spread * direction[0])
    errors.append(float(jnp.linalg.norm(wrong_dx - correct_dx) / jnp.linalg.norm(correct_dx)))

figure, axes = plt.subplots(1, 2, figsize=(8.6, 2.8), width_ratios=(3, 2), layout="constrained")
places = np.arange(12)
axes[0].axhline(0, color=GREY, lw=0.8)
axes[0].bar(places - 0.2, right[0], 0.4, color=BLUE, label="(layer.10)")
axes[0].bar(places + 0.2, mistaken[0], 0.4, color=ORANGE, label="scale outside the sums")
axes[0].plot(places, quotients, "k_", ms=14, mew=2, label="difference quotients")
axes[0].set(xlabel="entry, with scale 0 on the left and 2 on the right", ylabel="$dx_c$")
axes[0].legend(frameon=False, fontsize=8)
axes[1].plot(spreads, errors, "o-", color=ORANGE)
axes[1].set(xlabel="spread of the scales around 1", ylabel="relative error of the mistake")
axes[1].grid(alpha=0.3)
plt.show()
assert np.allclose(quotients, right[0], atol=1e-2)
assert abs(float(right.sum())) < 1e-4 and errors[0] < 1e-5 and errors[-1] > 0.3

# %% [markdown]
# At a spread of 0 the error is 0. So a test of a layer at its initial values would pass. **Test a
# backward pass with random parameters**, too, and not only with a random cotangent. `check_vjp`
# draws both.


# %%
@jax.custom_vjp
def mistake(x, scale, shift):
    return layer_norm(x, scale, shift)


def mistake_backward(kept, dz):
    _, dscale, dshift = layer_norm_backward(1e-5, kept, dz)
    return scale_outside(kept.x, kept.scale, dz, 1e-5), dscale, dshift


mistake.defvjp(layer_norm_forward, mistake_backward)
shapes, checks = ("NxC", "C", "C"), ("value", "cotangents", "differences", "linearity", "zero")
correct_result = check_vjp(Rule(layer_norm, reference, shapes, batch="N"), only=checks)
print(correct_result)
assert correct_result.passed
wrong_result = check_vjp(Rule(mistake, reference, shapes, batch="N"), only=checks)
print(str(wrong_result).rpartition("\n")[0])  # the last line repeats the failed checks
assert wrong_result.failures == ("cotangents", "differences")

# %% [markdown]
# ## Group and instance normalisation
#
# Now images: $P$ pixels of $C$ channels, in $G$ groups of $K = C / G$ neighbouring channels. In
# each image, the $M = P K$ entries of a group share a mean and a variance. We write $x_{pk}$ for
# pixel $p$ and channel $k$ of the group.
#
# $$\text{mean} = \frac1M \sum_{p,k} x_{pk} \tag{group.1}$$
#
# $$\text{variance} = \frac1M \sum_{p,k} (x_{pk} - \text{mean})^2 \tag{group.2}$$
#
# $$r = \frac{1}{\sqrt{\text{variance} + \varepsilon}} \tag{group.3}$$
#
# $$\hat x_{pk} = (x_{pk} - \text{mean})\; r \tag{group.4}$$
#
# $$z_{pk} = \text{scale}_k\; \hat x_{pk} + \text{shift}_k \tag{group.5}$$
#
# A channel has one scale and one shift for all its pixels in all images:
#
# $$d\text{shift}_k = \sum_{n,p} dz_{npk} \tag{group.6}$$
#
# $$d\text{scale}_k = \sum_{n,p} dz_{npk}\; \hat x_{npk} \tag{group.7}$$
#
# For $dx$ nothing is new. The $M$ entries of the group take the place of the $C$ entries of the
# row:
#
# $$d\hat x_{pk} = \text{scale}_k\; dz_{pk} \tag{group.8}$$
#
# $$dx_{pk} = r\, \Bigl(d\hat x_{pk} - \frac1M \sum_{q,j} d\hat x_{qj}
# - \hat x_{pk}\, \frac1M \sum_{q,j} d\hat x_{qj}\, \hat x_{qj}\Bigr) \tag{group.9}$$
#
# By hand: one image with two pixels and four channels in two groups, and $\varepsilon = 3$. The
# groups have the means 2 and 7, and both the variance 1, so $r = \frac12$.
#
# $$x = \begin{pmatrix} 1 & 3 & 6 & 8 \\ 3 & 1 & 8 & 6 \end{pmatrix}, \qquad
# \hat x = \tfrac12 \begin{pmatrix} -1 & 1 & -1 & 1 \\ 1 & -1 & 1 & -1 \end{pmatrix}.$$
#
# With $\text{scale} = (4, 2, 1, 3)$, and for the cotangent $dz$,
#
# $$dz = \begin{pmatrix} 1 & 1 & 2 & 0 \\ 0 & 5 & 4 & 2 \end{pmatrix}, \qquad
# d\hat x = \begin{pmatrix} 4 & 2 & 2 & 0 \\ 0 & 10 & 4 & 6 \end{pmatrix}.$$
#
# The means of $d\hat x$ in the groups are 4 and 3, those of $d\hat x\, \hat x$ are $-\frac32$ and
# $-\frac12$. For the top left entry, $\frac12 (4 - 4 - \frac12 \cdot \frac32) = -\frac38$.

# %%
x_groups = jnp.array([[[1.0, 3, 6, 8], [3, 1, 8, 6]]])
scale_groups, shift_groups = jnp.array([4.0, 2, 1, 3]), jnp.array([10.0, 0, 5, 6])
z, residuals = group_norm_forward(x_groups, scale_groups, shift_groups, 2, 3)
print("z =", z[0], sep="\n")
assert jnp.array_equal(residuals.mean, jnp.array([[2.0, 7]]))  # (group.1)
assert jnp.array_equal(residuals.rstd, jnp.array([[0.5, 0.5]]))  # (group.2), (group.3)
expected_z = [[8, 1, 4.5, 7.5], [12, -1, 5.5, 4.5]]
assert jnp.array_equal(z[0], jnp.array(expected_z))  # (group.4), (group.5)

dz_groups = jnp.array([[[1.0, 1, 2, 0], [0, 5, 4, 2]]])
dx, dscale, dshift = group_norm_backward(2, 3, residuals, dz_groups)
print("dx =", dx[0], "dscale =", dscale, sep="\n")
expected_dx = [[-0.375, -0.625, -0.625, -1.375], [-1.625, 2.625, 0.625, 1.375]]
assert jnp.array_equal(dx[0], jnp.array(expected_dx))  # (group.8), (group.9)
assert jnp.array_equal(dscale, jnp.array([-0.5, -2, 1, -1]))  # (group.7)
assert jnp.array_equal(dshift, jnp.array([1.0, 6, 6, 2]))  # (group.6)

# %% [markdown]
# **Instance normalisation** is the case $G = C$, where each group is one channel. Now all entries
# that share a mean share a scale again, it can be taken out of the sums, and we are back at
# (norm.15) for a batch of one image:
#
# $$dx_p = \text{scale}\; r\, \Bigl(dz_p - \frac1P \sum_q dz_q
# - \hat x_p\, \frac1P \sum_q dz_q\, \hat x_q\Bigr) \tag{group.10}$$
#
# The relatives meet at the edges of their definitions. Here are four such identities, for value and
# gradient.

# %%
key_scale, key_shift, key_dz = jax.random.split(jax.random.key(1), 3)
parameters = jax.random.normal(key_scale, (C,)), jax.random.normal(key_shift, (C,))
cotangent = jax.random.normal(key_dz, (N, P, C))


@functools.partial(jax.jit, static_argnums=0)
def results(f, x, dz):
    """The output z, and dx, dscale and dshift."""
    z, pull = jax.vjp(f, x, *parameters)
    return z, *pull(dz)


def same(f, g, x=x_images, dz=cotangent):
    pairs = zip(results(f, x, dz), results(g, x, dz), strict=True)
    return all(np.allclose(*pair, atol=1e-4) for pair in pairs)


def layer_over_images(x, scale, shift):
    flat = layer_norm(x.reshape(-1, P * C), jnp.tile(scale, P), jnp.tile(shift, P))
    return flat.reshape(x.shape)


def one_group(x, scale, shift):
    return group_norm(x, scale, shift, 1)


assert same(lambda *a: group_norm(*a, C), instance_norm)  # one channel per group
assert same(one_group, layer_over_images)  # one group; each pixel uses the channels' scales
assert same(one_group, layer_norm, x_images[:, :1], cotangent[:, :1])  # one group, one pixel
batch_of_one = x_images[:1], cotangent[:1]
assert same(instance_norm, lambda *a: batch_norm(*a)[0], *batch_of_one)  # (group.10)
print("four identities hold, for z, dx, dscale and dshift")

# %% [markdown]
# ## Root-mean-square normalisation
#
# Large language models often leave out the mean. A row is divided by the root of the mean of its
# squares; there is no shift.
#
# $$\text{square} = \frac1C \sum_c x_c^2 \tag{rms.1}$$
#
# $$r = \frac{1}{\sqrt{\text{square} + \varepsilon}} \tag{rms.2}$$
#
# $$\hat x_c = x_c\; r \tag{rms.3}$$
#
# $$z_c = \text{scale}_c\; \hat x_c \tag{rms.4}$$
#
# In the code $r$ is called `rrms`, the reciprocal root mean square. Its derivative with respect to
# $x_c$ is $-\frac12 r^3 \cdot \frac2C x_c = -\frac1C r^2 \hat x_c$, as before. There is no mean to
# go through, so one term is missing from (layer.9) and (layer.10):
#
# $$d\text{scale}_c = \sum_n dz_{nc}\; \hat x_{nc} \tag{rms.5}$$
#
# $$d\hat x_c = \text{scale}_c\; dz_c \tag{rms.6}$$
#
# $$\frac{\partial \hat x_k}{\partial x_c} = r\, \Bigl(\delta_{kc} - \frac1C\, \hat x_k\, \hat
# x_c\Bigr) \tag{rms.7}$$
#
# $$dx_c = r\, \Bigl(d\hat x_c - \hat x_c\, \frac1C \sum_k d\hat x_k\, \hat x_k\Bigr) \tag{rms.8}$$
#
# By hand: $x = (1, 2)$ and $\varepsilon = 1.5$. The mean square is $2.5$, so $r = \frac12$ and
# $\hat x = (\frac12, 1)$. With $\text{scale} = (4, 1)$ and $dz = (1, 2)$: $z = (2, 1)$,
# $d\hat x = (4, 2)$, the mean of $d\hat x\, \hat x$ is 2, and
# $dx = \frac12 \bigl((4, 2) - 2 \cdot (\frac12, 1)\bigr) = (1\frac12, 0)$.

# %%
x_rms, scale_rms, dz_rms = jnp.array([[1.0, 2]]), jnp.array([4.0, 1]), jnp.array([[1.0, 2]])
z, residuals = rms_norm_forward(x_rms, scale_rms, 1.5)
dx, dscale = rms_norm_backward(1.5, residuals, dz_rms)
print("z =", z[0], "  dx =", dx[0], "  dscale =", dscale)
assert residuals.rrms == 0.5  # (rms.1), (rms.2)
assert jnp.array_equal(z, jnp.array([[2.0, 1]]))  # (rms.3), (rms.4)
assert jnp.array_equal(dscale, jnp.array([0.5, 2]))  # (rms.5)
assert jnp.array_equal(dx, jnp.array([[1.5, 0]]))  # (rms.6), (rms.8)
jacobian = 0.5 * (jnp.eye(2) - jnp.outer(x_rms * 0.5, x_rms * 0.5) / 2)  # (rms.7)
assert jnp.array_equal((scale_rms * dz_rms) @ jacobian, dx)

centred = row - jnp.mean(row)
layer_z, layer_kept = layer_norm_forward(centred, scales, 0 * scales)
rms_z, rms_kept = rms_norm_forward(centred, scales)
assert jnp.allclose(layer_z, rms_z, atol=1e-5)
layer_dx, *_ = layer_norm_backward(1e-5, layer_kept, d_row + 1)
rms_dx, _ = rms_norm_backward(1e-5, rms_kept, d_row + 1)
assert jnp.allclose(rms_dx - jnp.mean(rms_dx), layer_dx, atol=1e-4)
print("mean of dx:", float(rms_dx.mean()), "against", float(layer_dx.mean()))
assert abs(rms_dx.mean()) > 0.1 and abs(layer_dx.mean()) < 1e-6

# %% [markdown]
# The second half compares it with layer normalisation on a row whose mean is 0. The outputs are
# equal, but the gradients are not. Layer normalisation would undo a change of the mean, so its $dx$
# has mean 0. RMS normalisation would not, so its $dx$ keeps the mean.
#
# ## Weight standardisation
#
# The same idea, applied to the weights. Take one output of a convolution or a dense layer, with the
# $D$ weights $w_1, \ldots, w_D$. Before use they get mean 0 and variance 1:
#
# $$\text{mean} = \frac1D \sum_d w_d \tag{weight.1}$$
#
# $$\text{variance} = \frac1D \sum_d (w_d - \text{mean})^2 \tag{weight.2}$$
#
# $$r = \frac{1}{\sqrt{\text{variance} + \varepsilon}} \tag{weight.3}$$
#
# $$z_d = (w_d - \text{mean})\; r \tag{weight.4}$$
#
# There is no scale, so $z$ is its own $\hat w$, and (layer.10) reads
#
# $$dw_d = r\, \Bigl(dz_d - \frac1D \sum_e dz_e - z_d\, \frac1D \sum_e dz_e\, z_e\Bigr)
# \tag{weight.5}$$
#
# $$\sum_d dw_d = 0, \qquad \sum_d dw_d\, z_d = \varepsilon\, r^3 \sum_d dz_d\, z_d \approx 0
# \tag{weight.6}$$
#
# By hand, again with $(1, 2, 4, 5)$ and $\varepsilon = 1.5$: $z = (-1, -\frac12, \frac12, 1)$. For
# $dz = (4, 0, -2, 2)$ the mean is 1 and that of $dz\, z$ is $-\frac34$, so
# $dw = \frac12 \bigl((3, -1, -3, 1) + \frac34 z\bigr)
# = (1\frac18, -\frac{11}{16}, -1\frac5{16}, \frac78)$.

# %%
w, dz_w = jnp.array([[1.0], [2], [4], [5]]), jnp.array([[4.0], [0], [-2], [2]])
z, residuals = weight_standardisation_forward(w, 1.5)
(dw,) = weight_standardisation_backward(1.5, residuals, dz_w)
print("z =", z.ravel(), "  dw =", dw.ravel())
assert residuals.mean == 3.0 and residuals.rstd == 0.5  # (weight.1)-(weight.3)
assert jnp.array_equal(z.ravel(), jnp.array([-1, -0.5, 0.5, 1]))  # (weight.4)
assert jnp.array_equal(dw.ravel(), jnp.array([1.125, -0.6875, -1.3125, 0.875]))  # (weight.5)
assert jnp.sum(dw) == 0 and jnp.sum(dw * z) == 1.5 / 8 * jnp.sum(dz_w * z)  # (weight.6)

kernel = jax.random.normal(jax.random.key(5), (3, 3, 16, 8)) + 0.3
ready = weight_standardisation(kernel)
assert jnp.allclose(ready.mean((0, 1, 2)), 0, atol=1e-5)
assert jnp.allclose(ready.std((0, 1, 2)), 1, atol=1e-4)

# %% [markdown]
# In a network, `Conv(16, 3, standardised=True)` does this. Each output is then a sum of $D$
# products with weights of size 1, which grows as $\sqrt D$. So a normalisation should follow, most
# often group normalisation.
#
# ## Small batches
#
# Does it matter? We train a small network on the installed digits, once with batch and once with
# layer normalisation: 1,000 steps of plain gradient descent, with 32 images in a batch, and with 2.

# %%
digits, test = load("mnist_5k", "train"), load("mnist_5k", "test")
pixels, test_pixels = (data.images.reshape(-1, 784) / np.float32(255) for data in (digits, test))


def accuracy(layer, size):
    """Test accuracy after 1,000 steps with batches of this size."""
    network = Network((Dense(64, bias=False), layer, ReLU(), Dense(10)), input_shape=(784,))

    def step(carry, batch):
        params, state = carry

        def loss(params):
            logits, after = network.apply(params, state, pixels_on_device[batch], training=True)
            return softmax_cross_entropy(logits, labels_on_device[batch]), after

        gradient, after = jax.grad(loss, has_aux=True)(params)
        params = jax.tree.map(lambda v, dv: v - 0.05 * dv, params, gradient)
        return (params, after), None

    pixels_on_device, labels_on_device = jnp.asarray(pixels), jnp.asarray(digits.labels)
    batches = jax.random.randint(jax.random.key(1), (1000, size), 0, len(pixels))
    scan = jax.jit(lambda *start: jax.lax.scan(step, start, batches)[0])
    params, state = scan(*network.init(jax.random.key(0)))
    logits, _ = network.apply(params, state, test_pixels)  # prediction: any batch will do
    return float(np.mean(logits.argmax(-1) == test.labels))


accuracies = {}
for name, layer in {"batch": BatchNorm(), "layer": LayerNorm()}.items():
    for size in (2, 32):
        accuracies[name, size] = accuracy(layer, size)
        print(f"{name} normalisation, batches of {size:2}: {accuracies[name, size]:.2f}")

figure, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
for offset, (name, colour) in enumerate({"batch": ORANGE, "layer": BLUE}.items()):
    heights = [accuracies[name, size] for size in (2, 32)]
    bars = ax.bar(np.arange(2) + 0.36 * offset, heights, 0.34, color=colour, label=name)
    ax.bar_label(bars, fmt="%.2f", fontsize=9)
ax.set_xticks(np.arange(2) + 0.18, ["2 images", "32 images"])
ax.set(xlabel="size of the batch", ylabel="test accuracy", ylim=(0, 1.15))
ax.legend(frameon=False, ncols=2, loc="upper left", fontsize=9)
plt.show()
assert accuracies["batch", 2] < accuracies["layer", 2] - 0.1
assert abs(accuracies["batch", 32] - accuracies["layer", 32]) < 0.05

# %% [markdown]
# With 32 images both do equally well. With 2, both lose, but batch normalisation far more. Of two
# numbers, $\hat x$ is about $+1$ for the larger and $-1$ for the smaller, whatever they are: in
# training, the network only ever sees the signs of differences. This network is so small that it
# would do as well as with layer normalisation without any; deep ones would not.
#
# Sometimes one wants *more* noise of this kind, as a regulariser in large batches.
# `BatchNorm(ghost_size=4)` divides the batch into *ghost batches* of 4 images, and normalises each
# by its own statistics. Prediction is unchanged.

# %%
ghosts = BatchNorm(ghost_size=4)
twelve = jax.random.normal(jax.random.key(6), (12, 3))
values = {"scale": jnp.ones(3), "shift": jnp.zeros(3)}
state = {"mean": jnp.zeros(3), "variance": jnp.ones(3)}
z, after = ghosts.apply(values, state, twelve, training=True)
parts = [batch_norm(twelve[i : i + 4], *values.values()) for i in (0, 4, 8)]
assert jnp.allclose(z, jnp.concatenate([part for part, _, _ in parts]), atol=1e-5)
mean_of_means = sum(mean for _, mean, _ in parts) / 3
assert jnp.allclose(after["mean"], 0.1 * mean_of_means, atol=1e-6)

two = 100 * jax.random.normal(jax.random.key(7), (2, 5))
signs = batch_norm(two, jnp.ones(5), jnp.zeros(5))[0]
print("a batch of two, normalised:", signs, sep="\n")
assert jnp.allclose(jnp.abs(signs), 1, atol=1e-3)

# %% [markdown]
# ## Exercises
#
# 1. All entries of a row are 7. What is $z$ by layer normalisation, and what by RMS normalisation,
#    with scale 1, shift 0 and a small $\varepsilon$?
#
#    *Answer:* the variance is 0, so $\hat x = 0$ and $z = 0$: layer normalisation sees no
#    difference between the row and any other constant one. The mean square is 49, so RMS
#    normalisation gives 1 everywhere.
#
# 2. Which normalisation makes no sense after a dense layer, where an image is a vector?
#
#    *Answer:* instance normalisation. There is a single pixel, so each number is its own mean, and
#    $z = \text{shift}$ whatever the image is. `InstanceNorm` in a network rejects such an input.
#
# 3. A convolution with a bias precedes group normalisation. Is the gradient of the bias 0, as
#    before batch normalisation?
#
#    *Answer:* no. The group's gradients add up to 0, those of a single channel need not. With
#    instance normalisation they do.
#
# 4. By (weight.6) a small step along $dw$ does not change the length of the weights. What happens
#    to it in many steps of gradient descent?
#
#    *Answer:* the step is at a right angle to the weights, so by Pythagoras their length grows a
#    little each time. Since $r$ falls as it grows, the effective learning rate falls.

# %%
sevens, three = jnp.full((1, 3), 7.0), jnp.ones(3)
assert jnp.array_equal(layer_norm(sevens, three, 0 * three), 0 * sevens)
assert jnp.allclose(rms_norm(sevens, three), 1)
vector = jnp.array([[3.0, -2, 8]])
assert jnp.array_equal(instance_norm(vector, three, three), jnp.ones((1, 3)))

of_group = results(lambda *a: group_norm(*a, 3), x_images, cotangent)[1].sum((0, 1))
of_instance = results(instance_norm, x_images, cotangent)[1].sum((0, 1))
assert jnp.abs(of_group).min() > 1e-3 and jnp.abs(of_instance).max() < 1e-4
assert jnp.allclose(of_group.reshape(3, 2).sum(1), 0, atol=1e-4)

centred_w = w - jnp.mean(w)
_, pull = jax.vjp(weight_standardisation, centred_w)
after_step = centred_w - 0.5 * pull(dz_w)[0]
assert jnp.linalg.norm(after_step) > jnp.linalg.norm(centred_w)
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# The four chapter files in `ffnn_jax/layers` contain these derivations next to the code.
# `tests/layers/test_group_norm.py` and its neighbours check the identities, and
# `ffnn_jax/nn/_norm.py` contains the layers of a network: `LayerNorm`, `GroupNorm`, `InstanceNorm`
# and `RMSNorm`.
