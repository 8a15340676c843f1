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
# # Chapter 13: pooling and convolution, continued
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/13_pooling_and_convolution_2.ipynb)
#
# Chapters 5 and 6 derived convolution and max pooling as the first networks need them. This chapter
# is about what later networks added.
#
# The first part lets the windows of pooling overlap, and surrounds the image with padding. Then a
# pixel lies in several windows, and its gradient is a sum; the question is over which windows. It
# goes on to averages over windows, over the whole image, and over as many bins as one wants.
#
# The second part gives the convolution a dilation and groups, and then turns it round: the
# transposed convolution, whose forward is a convolution's backward.
#
# You need chapters 5 and 6. The layers are in `ffnn_jax/layers/_pool.py`, `_avg_pool.py` and
# `_adaptive_pool.py`, and in `_conv.py` and `_conv_transpose.py`. This notebook imports them.

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
from matplotlib.patches import Rectangle

from ffnn_jax.layers import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    adaptive_avg_pool_forward,
    avg_pool,
    avg_pool_backward,
    avg_pool_forward,
    conv2d,
    conv2d_backward,
    conv2d_forward,
    conv_transpose2d,
    conv_transpose2d_backward,
    conv_transpose2d_forward,
    global_avg_pool,
    global_avg_pool_backward,
    global_avg_pool_forward,
    max_pool,
    max_pool_backward,
    max_pool_forward,
)
from ffnn_jax.verify import check_vjp

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

# %% [markdown]
# # Part 1: pooling
#
# ## Windows that overlap
#
# Let the windows be $r$ by $r$ pixels and the *stride* $s$ be the step from one window to the next.
# Let $p$ rows and $q$ columns of padding precede the image. Then window $(i, j)$ begins at pixel
# $(si - p,\; sj - q)$, which is outside the image if it is negative. Entries outside take no part
# in the maximum:
#
# $$z_{nijc} = \max_{(u,v) \text{ inside}}\; x_{n,\; si+u-p,\; sj+v-q,\; c} \tag{pool.1}$$
#
# The argmax is numbered in reading order, $ru + v$, and the slope is 1 for the argmax and 0 for all
# other entries, as in chapter 6:
#
# $$m_{nijc} = \text{the first } ru + v \text{ inside whose entry is the maximum} \tag{pool.2}$$
#
# $$\frac{\partial z_{nijc}}{\partial x_{n,\; si+u-p,\; sj+v-q,\; c}} =
# \begin{cases} 1 & \text{if } ru + v = m_{nijc}, \\ 0 & \text{otherwise.} \end{cases}
# \tag{pool.3}$$
#
# Our example has windows of $r = 3$ with stride $s = 2$, and no padding. Neighbouring windows share
# a row or a column, and all four share the pixel in the middle:
#
# $$x = \begin{pmatrix} 1 & 2 & 0 & 3 & 1 \\ 0 & 4 & 1 & 8 & 2 \\ 3 & 1 & 7 & 0 & 5 \\
# 2 & 6 & 1 & 0 & 3 \\ 0 & 1 & 5 & 2 & 4 \end{pmatrix}, \qquad
# z = \begin{pmatrix} 7 & 8 \\ 7 & 7 \end{pmatrix}, \qquad
# m = \begin{pmatrix} 8 & 4 \\ 2 & 0 \end{pmatrix}.$$
#
# The 7 in the middle is the maximum of three windows. In each it has another number: it is the last
# entry of window $(0, 0)$, the third of window $(1, 0)$, and the first of window $(1, 1)$.


# %%
def image(rows):
    """One image with one channel."""
    return jnp.asarray(np.array(rows, np.float32)[None, :, :, None])


def matrix(v):
    """One image with one channel, as a matrix."""
    return np.asarray(v)[0, :, :, 0]


x = image([[1, 2, 0, 3, 1], [0, 4, 1, 8, 2], [3, 1, 7, 0, 5], [2, 6, 1, 0, 3], [0, 1, 5, 2, 4]])
z, residuals = max_pool_forward(x, 3, 2)
print("z =", matrix(z), "m =", matrix(residuals.argmax), sep="\n")
assert np.array_equal(matrix(z), [[7, 8], [7, 7]])  # (pool.1)
assert np.array_equal(matrix(residuals.argmax), [[8, 4], [2, 0]])  # (pool.2)

# %% [markdown]
# ## Which windows contain a pixel
#
# The chain rule sums over all outputs. Those count that have the pixel as their argmax. Pixel
# $(h, w)$ is at row $h + p - si$ and column $w + q - sj$ of window $(i, j)$, so
#
# $$dx_{nhwc} = \sum_{\substack{i,j:\text{ window } (i,j) \\ \text{contains pixel } (h,w)}}
# dz_{nijc}\; \bigl[\, r\,(h + p - si) + w + q - sj = m_{nijc} \,\bigr] \tag{pool.4}$$
#
# where $[\ldots]$ is 1 if the condition holds and 0 otherwise. If $s = r$ and $p = q = 0$, this is
# the (pool.4) of chapter 6, with one window and one term.
#
# To compute the sum, we have to name the windows. Cut the padded image into blocks of $s$ by $s$
# pixels. Let row $h$ lie in block $a$, at row $b$ of the block, and column $w$ in block $e$ at
# column $f$:
#
# $$h + p = sa + b, \qquad w + q = se + f, \qquad 0 \le b, f < s \tag{pool.5}$$
#
# Window $i$ begins where block $i$ begins. So row $h$ is in window $a$, at $u = b$; in window
# $a - 1$, at $u = s + b$; in window $a - 2$, at $u = 2s + b$; and so on, while $u$ is below $r$.
# That is at most $r / s$ windows, rounded up. The columns go the same way:
#
# $$dx_{nhwc} = \sum_{g,k} dz_{n,\; a-g,\; e-k,\; c}\;
# \bigl[\, r\,(sg + b) + sk + f = m_{n,\; a-g,\; e-k,\; c} \,\bigr] \tag{pool.6}$$
#
# over $g, k \ge 0$ with $sg + b < r$ and $sk + f < r$, if the window exists. By hand, for two
# pixels of the example:
#
# | pixel | blocks | windows that contain it | argmax of |
# |---|---|---|---|
# | $(2, 2)$ | $a = e = 1$, $b = f = 0$ | $(0,0), (0,1), (1,0), (1,1)$ | $(0,0), (1,0), (1,1)$ |
# | $(1, 3)$ | $a = 0$, $e = 1$, $b = f = 1$ | $(0,1)$ | $(0,1)$ |
#
# $$dz = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}, \qquad dx_{22} = 1 + 3 + 4 = 8, \qquad
# dx_{13} = 2,$$
#
# and all other entries of $dx$ are 0.

# %%
dz = image([[1, 2], [3, 4]])
(dx,) = max_pool_backward(3, 2, "VALID", residuals, dz)
print("dx =", matrix(dx), sep="\n")
by_hand = np.zeros((5, 5))
by_hand[2, 2], by_hand[1, 3] = 8, 2
assert np.array_equal(matrix(dx), by_hand)  # (pool.4), (pool.6)


def by_blocks(x, dz, argmax, r, s):
    """(pool.6) for one pixel after another, without padding."""
    dx = np.zeros(x.shape)
    for h, w in np.ndindex(*x.shape):
        (a, b), (e, f) = divmod(h, s), divmod(w, s)  # (pool.5)
        for g, k in np.ndindex(-(-r // s), -(-r // s)):
            inside = s * g + b < r and s * k + f < r
            exists = 0 <= a - g < dz.shape[0] and 0 <= e - k < dz.shape[1]
            if inside and exists and r * (s * g + b) + s * k + f == argmax[a - g, e - k]:
                dx[h, w] += dz[a - g, e - k]
    return dx


argmax = matrix(residuals.argmax)
assert np.array_equal(by_blocks(matrix(x), matrix(dz), argmax, 3, 2), by_hand)


# %%
def numbers(ax, rows, title, signed=False):
    """Draws a small matrix with its numbers."""
    rows = np.asarray(rows)
    limit = 2.5 * max(np.abs(rows).max(), 1)  # pale, so that the numbers can be read
    low, cmap = (-limit, "RdBu_r") if signed else (0, "Greys")
    ax.imshow(rows, cmap=cmap, vmin=low, vmax=limit)
    for (row, column), number in np.ndenumerate(rows):
        shade = "black" if number else "0.6"
        ax.text(column, row, f"{number:.3g}", ha="center", va="center", color=shade)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])


def frame(ax, row, column, size, colour, inset=0.0):
    """Draws the frame of a window that begins at this row and column."""
    corner, side = (column - 0.5 + inset, row - 0.5 + inset), size - 2 * inset
    style = {"fill": False, "edgecolor": colour, "linewidth": 2.2, "clip_on": False}
    ax.add_patch(Rectangle(corner, side, side, **style))


figure, axes = plt.subplots(1, 4, figsize=(8, 2.6), width_ratios=(5, 2, 2, 5), layout="constrained")
numbers(axes[0], matrix(x), "$x$ and its four windows")
numbers(axes[1], matrix(z), "$z$")
numbers(axes[2], matrix(dz), "$dz$", signed=True)
numbers(axes[3], matrix(dx), "$dx$", signed=True)
for (i, j), colour in zip(np.ndindex(2, 2), COLOURS, strict=True):
    frame(axes[0], 2 * i, 2 * j, 3, colour, 0.06 + 0.05 * (2 * i + j))
    for ax in axes[1:3]:
        frame(ax, i, j, 1, colour, 0.06)
    u, v = divmod(int(argmax[i, j]), 3)
    frame(axes[3], 2 * i + u, 2 * j + v, 1, colour, 0.06 + 0.05 * (2 * i + j))
plt.show()

# %% [markdown]
# Each window has a colour. It hands its $dz$ to one pixel, in $dx$ with frames of the same colours.
# The pixel in the middle gets three of them. That they are *added* is the whole difference to
# chapter 6: an implementation that writes each window's $dz$ to its pixel would keep only the last.
#
# How many windows is a pixel in? That is the number of terms in (pool.6), and it depends on the
# pixel. Below are the counts for three settings.

# %%
settings = {
    "$r=3$, $s=2$, no padding": (3, 2, "VALID"),
    '$r=3$, $s=1$, "SAME"': (3, 1, "SAME"),
    "$r=2$, $s=3$, no padding": (2, 3, "VALID"),
}
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
for ax, (name, (r, s, padding)) in zip(axes, settings.items(), strict=True):
    ones, extent = avg_pool_forward(image(np.ones((7, 7))), r, s, padding)
    (share,) = avg_pool_backward(r, s, padding, True, extent, jnp.ones_like(ones))
    counts = np.round(r**2 * matrix(share))
    numbers(ax, counts, name)
    ax.title.set_y(1.12)  # above the windows that begin outside
    before = 1 if padding == "SAME" else 0
    for (i, j), colour in zip(((0, 0), (0, 1), (1, 0), (1, 1)), COLOURS, strict=True):
        frame(ax, s * i - before, s * j - before, r, colour, 0.06 + 0.04 * (2 * i + j))
    assert counts.max() == (-(-r // s)) ** 2
plt.show()

# %% [markdown]
# The coloured frames are the first four windows. With stride 2, the pixels between two windows are
# in both: 1, 2 or 4 windows. With stride 1 it is 9, fewer at the border. If the stride exceeds the
# window, some pixels are in no window at all, and their gradient is 0. (The counts were computed
# from the gradient of average pooling, which comes below: it spreads each $dz$ evenly.)
#
# ## Padding
#
# `"VALID"` means no padding: rows that do not fill a window are dropped. `"SAME"` is the padding
# with which the output has $H / s$ rows, rounded up. A number is the padding on each side. It must
# be smaller than the window, so that every window contains a pixel.
#
# What are the padded entries? For a convolution, zeros. For a maximum, that would be wrong: among
# negative numbers a 0 wins. By hand, with $r = s = 2$ and one row and column of padding, so that
# each window contains one pixel:
#
# $$x = \begin{pmatrix} -1 & -2 \\ -3 & -4 \end{pmatrix}, \qquad
# z = \begin{pmatrix} -1 & -2 \\ -3 & -4 \end{pmatrix}, \qquad
# \text{with zeros instead: } \begin{pmatrix} 0 & 0 \\ 0 & 0 \end{pmatrix}.$$
#
# Minus infinity is better, and usual. But in a window whose pixels are all minus infinity, which
# masks produce, it ties with them, and it comes first. Then the argmax would be a padded entry, and
# $dz$ would be lost. So the layer does something else: it replaces an entry outside the image with
# its *nearest pixel*, number included. That pixel is in the same window, since the window contains
# a pixel and has no holes. And seeing one of its entries twice does not change a maximum.

# %%
negative = image([[-1, -2], [-3, -4]])
with_zeros = max_pool(jnp.pad(negative, ((0, 0), (1, 1), (1, 1), (0, 0))), 2, 2)
assert np.array_equal(max_pool(negative, 2, 2, 1), negative)
assert not with_zeros.any()

nothing, dz_nine = image([[-np.inf] * 2] * 2), image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
z_nothing, residuals_nothing = max_pool_forward(nothing, 2, 1, 1)
(dx_nothing,) = max_pool_backward(2, 1, 1, residuals_nothing, dz_nine)
print("dx =", matrix(dx_nothing), sep="\n")
assert np.array_equal(matrix(dx_nothing), [[1 + 2 + 4 + 5, 3 + 6], [7 + 8, 9]])
assert dx_nothing.sum() == dz_nine.sum()

# %% [markdown]
# All four pixels are minus infinity, and each window's $dz$ goes to its first pixel. Nothing is
# lost: $dx$ has the sum of $dz$. JAX's own `reduce_window` pads with minus infinity. Of the same
# $dz$, less arrives:


# %%
def max_pool_of_jax(x, window, stride, padding):
    size, steps = (1, window, window, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, size, steps, padding)


around = ((0, 0), (1, 1), (1, 1), (0, 0))
(dx_of_jax,) = jax.vjp(lambda x: max_pool_of_jax(x, 2, 1, around), nothing)[1](dz_nine)
print(f"sum of dz {dz_nine.sum():g}; of dx by reduce_window {dx_of_jax.sum():g}, by us ", end="")
print(f"{dx_nothing.sum():g}")
assert dx_of_jax.sum() < dz_nine.sum() == dx_nothing.sum()

# %% [markdown]
# ## The check against plain JAX
#
# Elsewhere the two agree. We compare value and gradient with autodiff of `reduce_window`. Random
# numbers have no ties, so conventions do not matter.

# %%
checks = ("value", "cotangents", "differences")
for name, (r, s, padding) in list(settings.items())[:2]:
    chosen = {"window": r, "stride": s, "padding": padding}
    ours = functools.partial(max_pool, **chosen)
    report = check_vjp(ours, functools.partial(max_pool_of_jax, **chosen), "2x7x6x3", only=checks)
    print(f"{name:28}", *(f"{row.name} {row.worst:.0e}" for row in report.checks))
    assert report.passed

# %% [markdown]
# The results agree, but the work differs. Autodiff keeps $x$, and finds the maximum of every window
# a second time in the backward pass. The rule keeps one byte per window, the argmax, and adds up at
# most $\lceil r/s \rceil^2$ numbers per pixel.

# %%
wide = jnp.zeros((8, 31, 31, 16))
_, kept = jax.eval_shape(functools.partial(max_pool_forward, window=3, stride=2), wide)
print(f"x: {wide.nbytes:,} bytes; kept: {kept.argmax.size * kept.argmax.dtype.itemsize:,} bytes")
assert kept.argmax.dtype == np.int8 and kept.argmax.shape == (8, 15, 15, 16)

# %% [markdown]
# ## Averages over windows
#
# Instead of the maximum one can keep the mean. Entries outside the image count as 0:
#
# $$z_{nijc} = \frac{1}{\text{count}_{ij}} \sum_{(u,v) \text{ inside}}
# x_{n,\; si+u-p,\; sj+v-q,\; c} \tag{avg.1}$$
#
# There are two ways to count, and libraries differ. Either padded entries count as zeros that were
# averaged, or only pixels count:
#
# $$\text{count}_{ij} = r^2 \quad\text{or}\quad \text{the number of pixels in window } (i, j)
# \tag{avg.2}$$
#
# The first, `count_padding=True`, is the default here, in PyTorch and in Flax. It darkens the
# border of an image. The second keeps a constant image constant.
#
# Every entry of a window has the same slope, whatever $x$ is:
#
# $$\frac{\partial z_{nijc}}{\partial x_{n,\; si+u-p,\; sj+v-q,\; c}} = \frac{1}{\text{count}_{ij}}
# \tag{avg.3}$$
#
# The windows of a pixel are those of (pool.5), and now all of them have a share:
#
# $$dx_{nhwc} = \sum_{g,k} \frac{dz_{n,\; a-g,\; e-k,\; c}}{\text{count}_{a-g,\; e-k}} \tag{avg.4}$$
#
# Mind the order. $dz$ is divided first and summed afterwards, because the windows of one pixel may
# have different counts. By hand, with $r = 2$, $s = 1$ and one row and column of padding, counting
# pixels only:
#
# $$x = \begin{pmatrix} 4 & 8 \\ 12 & 16 \end{pmatrix}, \qquad
# \text{count} = \begin{pmatrix} 1 & 2 & 1 \\ 2 & 4 & 2 \\ 1 & 2 & 1 \end{pmatrix}, \qquad
# z = \begin{pmatrix} 4 & 6 & 8 \\ 8 & 10 & 12 \\ 12 & 14 & 16 \end{pmatrix}.$$
#
# $$dz = \begin{pmatrix} 4 & 8 & 12 \\ 16 & 20 & 24 \\ 28 & 32 & 36 \end{pmatrix}, \qquad
# dx_{00} = \frac{4}{1} + \frac{8}{2} + \frac{16}{2} + \frac{20}{4} = 21.$$

# %%
small = image([[4, 8], [12, 16]])
dz_small = image([[4, 8, 12], [16, 20, 24], [28, 32, 36]])
z_pixels, extent = avg_pool_forward(small, 2, 1, 1, False)
(dx_pixels,) = avg_pool_backward(2, 1, 1, False, extent, dz_small)
print("z =", matrix(z_pixels), "dx =", matrix(dx_pixels), sep="\n")
assert np.array_equal(matrix(z_pixels), [[4, 6, 8], [8, 10, 12], [12, 14, 16]])  # (avg.1), (avg.2)
assert np.array_equal(matrix(dx_pixels), [[21, 33], [57, 69]])  # (avg.3), (avg.4)

grey = image(np.full((6, 6), 9))
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
numbers(axes[0], matrix(grey), "a constant image")
for ax, counted in zip(axes[1:], (True, False), strict=True):
    numbers(ax, matrix(avg_pool(grey, 3, 1, "SAME", counted)), f"count_padding={counted}")
plt.show()
assert np.array_equal(avg_pool(grey, 3, 1, "SAME", False), grey)


# %%
def avg_pool_of_jax(x):
    steps = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, *steps) / 9


report = check_vjp(
    functools.partial(avg_pool, window=3, stride=2, padding=1),
    avg_pool_of_jax, "2x7x6x3", only=checks,
)  # fmt: skip
print(*(f"{row.name} {row.worst:.0e}" for row in report.checks))
assert report.passed

# %% [markdown]
# ## One average, or as many as one wants
#
# Most networks since 2015 end with the average of each channel over the *whole* image. Then the
# dense layer after it fits, however large the image is. All pixels have the same slope:
#
# $$z_{nc} = \frac{1}{HW} \sum_{h,w} x_{nhwc} \tag{adaptive.1}$$
#
# $$dx_{nhwc} = \frac{dz_{nc}}{HW} \tag{adaptive.2}$$
#
# Between a window and the whole image there is *adaptive* pooling. One chooses the size of the
# output, $A$ by $B$, and the image is divided into as many bins. If $A$ does not divide $H$, the
# ends of a bin fall between two rows. Its beginning is rounded down and its end is rounded up, so
# that every row is in a bin, and no bin is empty:
#
# $$\text{rows of bin } i: \quad \lfloor iH/A \rfloor \;\le\; h \;<\; \lceil (i+1)H/A \rceil
# \tag{adaptive.3}$$
#
# With $R_i$ rows in bin $i$, and $S_j$ columns in bin $j$ of the columns,
#
# $$z_{nijc} = \frac{1}{R_i S_j} \sum_{h \in i,\; w \in j} x_{nhwc} \tag{adaptive.4}$$
#
# $$dx_{nhwc} = \sum_{i \ni h,\; j \ni w} \frac{dz_{nijc}}{R_i S_j} \tag{adaptive.5}$$
#
# The second sum needs the bins that contain row $h$. Since $h$ is an integer,
# $\lfloor iH/A \rfloor \le h$ says no more than $iH/A < h + 1$, and the end of the bin no more than
# $h < (i+1)H/A$. Solved for $i$:
#
# $$hA/H - 1 \;<\; i \;<\; (h+1)A/H \tag{adaptive.6}$$
#
# $i$ is an integer, too, so we may round again:
#
# $$\text{bins of row } h: \quad \lfloor hA/H \rfloor \;\le\; i \;<\; \lceil (h+1)A/H \rceil
# \tag{adaptive.7}$$
#
# Compare this with (adaptive.3). It is the same formula, with rows and bins exchanged! The backward
# pass sums over bins as the forward pass does. It treats $dz$ divided by its counts as an image of
# $A$ rows, and pools it to $H$. So the layer has one function for both.
#
# By hand, one row of five pixels and three bins: pixels 0 and 1, 1 to 3, 3 and 4.
#
# $$x = (1, 3, 4, 8, 10), \qquad z = (2, 5, 9), \qquad dz = (2, 30, 400), \qquad
# dx = (1,\; 1 + 10,\; 10,\; 10 + 200,\; 200).$$

# %%
five = image([[1, 3, 4, 8, 10]])
z_five, extent = adaptive_avg_pool_forward(five, (1, 3))
(dx_five,) = adaptive_avg_pool_backward((1, 3), extent, image([[2, 30, 400]]))
print("z =", matrix(z_five)[0], "  dx =", matrix(dx_five)[0])
assert np.array_equal(matrix(z_five), [[2, 5, 9]])  # (adaptive.3), (adaptive.4)
assert np.array_equal(matrix(dx_five), [[1, 11, 10, 210, 200]])  # (adaptive.5)

z_mean, extent = global_avg_pool_forward(five)
(dx_mean,) = global_avg_pool_backward(extent, jnp.array([[10.0]]))
assert np.array_equal(z_mean, [[5.2]]) or abs(z_mean[0, 0] - 5.2) < 1e-6  # (adaptive.1)
assert np.array_equal(matrix(dx_mean), [[2] * 5])  # (adaptive.2)


def bins(rows, count):
    """The rows of each bin, (adaptive.3)."""
    return [range(i * rows // count, -(-(i + 1) * rows // count)) for i in range(count)]


for rows, count in np.ndindex(12, 12):
    turned = bins(count + 1, rows + 1)  # (adaptive.7)
    for h, i in np.ndindex(rows + 1, count + 1):
        assert (h in bins(rows + 1, count + 1)[i]) == (i in turned[h])

figure, axes = plt.subplots(1, 2, figsize=(8, 2.4), layout="constrained")
for ax, (rows, count) in zip(axes, ((7, 3), (3, 7)), strict=True):
    for i, one in enumerate(bins(rows, count)):
        ax.plot(
            [one[0], one[-1] + 1], [i, i], linewidth=6, solid_capstyle="butt", color=COLOURS[i % 4]
        )
    for edge in range(rows + 1):
        ax.axvline(edge, color="0.85", linewidth=1, zorder=0)
    ax.set_xticks(np.arange(rows) + 0.5, range(rows))
    ax.set_yticks(range(count))
    ax.invert_yaxis()
    ax.set(xlabel="row", ylabel="bin", title=f"{rows} rows in {count} bins")
plt.show()

# %% [markdown]
# Left, 7 rows in 3 bins: the bins overlap in rows 2 and 4. Right, 3 rows in 7 bins. Exchange the
# axes of one picture and you get the other: that is (adaptive.7).
#
# Three of these layers are the same where their settings meet.

# %%
batch = jax.random.normal(jax.random.key(0), (2, 6, 9, 3))
assert jnp.allclose(adaptive_avg_pool(batch, 1)[:, 0, 0], global_avg_pool(batch), atol=1e-6)
assert jnp.allclose(adaptive_avg_pool(batch, (2, 3)), avg_pool(batch, 3), atol=1e-6)
assert jnp.array_equal(adaptive_avg_pool(batch, (6, 9)), batch)
print("1 bin: global; a divisor: windows; as many bins as pixels: the image itself")

# %% [markdown]
# # Part 2: convolution, continued
#
# ## A step between the pixels of a window
#
# The *dilation* $d$ is the step between the pixels that a kernel covers. A kernel of three entries
# with $d = 2$ covers five pixels and reads three of them. In (conv.1) it multiplies $u$ and $v$, as
# the stride $s$ multiplies $i$ and $j$:
#
# $$z_{nijk} = b_k + \sum_{u,v,c} \tilde x_{n,\,si + du,\,sj + dv,\,c}\; w_{uvck}. \tag{conv.1}$$
#
# Nothing in the derivation of chapter 5 depended on $d = 1$. Pixel $(h, w)$ now contributes to
# output $(i, j)$ through entry $(u, v)$ exactly when $h = si + du$ and $w = sj + dv$, and the
# gradient is the sum over those:
#
# $$d\tilde x_{nhwc} = \sum_{\substack{i,j,u,v,k:\\ h = si + du,\; w = sj + dv}}
# dz_{nijk}\, w_{uvck}. \tag{conv.6}$$
#
# By hand, on one row: the kernel $(1, 10)$ with $d = 3$ on the pixels $1 \dots 5$ gives
# $1 + 40$ and $2 + 50$, and $dz = (1, 2)$ comes back as $(1, 2, 0, 10, 20)$. The pixel in the
# middle is under no kernel entry.

# %%
x = jnp.arange(1.0, 6).reshape(1, 1, 5, 1)
w = jnp.array([1.0, 10]).reshape(1, 2, 1, 1)
z, residuals = conv2d_forward(x, w, jnp.zeros(1), "VALID", 1, 3)
dx, dw, _ = conv2d_backward("VALID", 1, 3, 1, residuals, jnp.array([1.0, 2]).reshape(z.shape))
print("z  =", z.ravel(), "\ndx =", dx.ravel(), "\ndw =", dw.ravel())
assert np.array_equal(z.ravel(), [41, 52])
assert np.array_equal(dx.ravel(), [1, 2, 0, 10, 20])
assert np.array_equal(dw.ravel(), [1 + 4, 4 + 10])

# %% [markdown]
# The backward's first arguments are the forward's settings, in the same order: padding, stride,
# dilation and groups.
#
# ## Groups of channels
#
# With $G$ *groups* the input and the output channels are split into $G$ equal parts, and an output
# sees the inputs of its own part alone. The kernels have $C_{in} / G$ inputs, so there are $G$
# times fewer weights:
#
# $$z_g = \mathrm{conv2d}(x_g, w_g, b_g), \qquad g = 1 \dots G. \tag{conv.11}$$
#
# There is no new gradient: each part is a convolution of its own. With as many groups as channels,
# the convolution is called *depthwise*.

# %%
keys = jax.random.split(jax.random.key(2), 4)
x, dz = jax.random.normal(keys[0], (2, 6, 5, 4)), jax.random.normal(keys[1], (2, 6, 5, 4))
w, b = jax.random.normal(keys[2], (3, 3, 2, 4)), jax.random.normal(keys[3], (4,))
z, residuals = conv2d_forward(x, w, b, "SAME", 1, 1, 2)
dx, dw, db = conv2d_backward("SAME", 1, 1, 2, residuals, dz)
for part in (slice(0, 2), slice(2, 4)):
    own, kept = conv2d_forward(x[..., part], w[..., part], b[part])
    alone = conv2d_backward("SAME", 1, 1, 1, kept, dz[..., part])
    for ours, theirs in zip((z, dx, dw, db), (own, *alone), strict=True):
        assert np.allclose(ours[..., part], theirs, rtol=1e-4, atol=1e-4)
print("weights:", w.size, "in two groups,", 2 * w.size, "without groups")

# %% [markdown]
# ## One sum, three ways to read it
#
# Leave out the bias. Then $z = F(x, w)$ is linear in $x$ and linear in $w$, and
#
# $$\langle y, F(x, w) \rangle = \sum_{n,i,j,u,v,c,k} y_{nijk}\,
# \tilde x_{n,\,si + du,\,sj + dv,\,c}\; w_{uvck}$$
#
# is one sum of triple products, for any $y$ in the shape of $z$. Factor out $x$, and the rest is
# what (conv.6) calls $d\tilde x$ for $dz = y$; call it $D(y, w)$. Factor out $w$, and the rest is
# $dw$; call it $K(x, y)$:
#
# $$\langle y, F(x, w) \rangle = \langle D(y, w), x \rangle = \langle K(x, y), w \rangle.
# \tag{conv.12}$$
#
# Each of the three is the gradient of the other two. So one derivation gives the rules of three
# layers. Two of them are the backward of a convolution; the third is next.

# %%
none = jnp.zeros(4)
y = jax.random.normal(keys[1], (2, 3, 2, 4))
w = jax.random.normal(keys[2], (3, 2, 4, 4))
z, residuals = conv2d_forward(x, w, none, 1, 2, 2)
y = jax.random.normal(keys[1], z.shape)
d, k, _ = conv2d_backward(1, 2, 2, 1, residuals, y)
three = [float(jnp.vdot(*pair)) for pair in ((y, z), (d, x), (k, w))]
print("three times the same number:", *(f"{one:.4f}" for one in three))
assert np.allclose(three, three[0], rtol=1e-4)

# %% [markdown]
# ## Transposed convolution
#
# A convolution with stride 2 halves an image. Networks that draw images need the opposite. A
# *transposed convolution* takes $D$ for its forward. Where a convolution gathers a window, it
# scatters one: every pixel adds its multiple of the kernel to the output, and neighbouring pixels'
# windows begin $s$ pixels apart.
#
# $$\tilde z_{nhwk} = \sum_{\substack{i,j,u,v,c:\\ h = si + u,\; w = sj + v}} x_{nijc}\, w_{uvck},
# \tag{transpose.1}$$
#
# $$z_{nhwk} = b_k + \tilde z_{n,\,h + p,\,w + q,\,k}. \tag{transpose.2}$$
#
# By hand: the pixels $(1, 10)$ and the kernel $(1, 2, 4)$ with stride 2. The first pixel adds
# $1, 2, 4$ at the start and the second adds $10, 20, 40$ two further on. They meet in the middle:
# $1,\; 2,\; 4 + 10,\; 20,\; 40$.
#
# By (conv.12) the gradients are the other two maps. $x$'s is an ordinary convolution with stride
# $s$, and the kernel's is a product of the windows of $dz$ with $x$:
#
# $$dx_{nijc} = \sum_{u,v,k} d\tilde z_{n,\,si + u,\,sj + v,\,k}\, w_{uvck}, \tag{transpose.3}$$
#
# $$dw_{uvck} = \sum_{n,i,j} d\tilde z_{n,\,si + u,\,sj + v,\,k}\, x_{nijc}, \tag{transpose.4}$$
#
# $$db_k = \sum_{n,h,w} dz_{nhwk}. \tag{transpose.5}$$
#
# With $dz = (1, 0, 3, 0, 5)$ that is $dx = (1 + 4 \cdot 3,\; 3 + 4 \cdot 5)$.

# %%
x = jnp.array([1.0, 10]).reshape(1, 1, 2, 1)
w = jnp.array([1.0, 2, 4]).reshape(1, 3, 1, 1)
z, residuals = conv_transpose2d_forward(x, w, jnp.zeros(1), 2, ((0, 0), (0, 0)))
dz = jnp.array([1.0, 0, 3, 0, 5]).reshape(z.shape)
dx, dw, _ = conv_transpose2d_backward(2, ((0, 0), (0, 0)), residuals, dz)
print("z  =", z.ravel(), "\ndx =", dx.ravel(), "\ndw =", dw.ravel())
assert np.array_equal(z.ravel(), [1, 2, 14, 20, 40])
assert np.array_equal(dx.ravel(), [1 + 12, 3 + 20])
assert np.array_equal(dw.ravel(), [1 + 30, 0, 3 + 50])

# %% [markdown]
# The sizes are those of the convolution that is transposed: "SAME" makes an image $s$ times as
# large, "VALID" crops nothing, and a number $p$ crops $p$ rows and columns on each side.
#
# $$\text{SAME: } H_{out} = sH, \quad p = \lfloor \max(K_H - s, 0) / 2 \rfloor, \tag{transpose.6}$$
#
# $$\text{VALID: } H_{out} = sH + \max(K_H - s, 0), \quad p = 0, \tag{transpose.7}$$
#
# $$p: \; H_{out} = s(H - 1) + K_H - 2p. \tag{transpose.8}$$
#
# ## Where a transposed convolution sends its gradient
#
# Left: what one pixel of a 4 by 4 image, in orange, adds to the output. Middle: how many pixels
# reach each output. Right: how much gradient each pixel of the image gets when every output sends
# 1. A kernel of three and a stride of two reach the outputs unevenly, once, twice or four times,
# in a checkerboard that generated images are known for. A kernel whose size is a multiple of the
# stride reaches them evenly, but for the border.


# %%
def reach(size):
    """What one pixel and all pixels add, and the gradient of the image, for a kernel of ones."""
    kernel, zero = jnp.ones((size, size, 1, 1)), jnp.zeros(1)
    one = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1, 0].set(1)
    alone = conv_transpose2d(one, kernel, zero, 2)
    counts, residuals = conv_transpose2d_forward(jnp.ones((1, 4, 4, 1)), kernel, zero, 2)
    back, _, _ = conv_transpose2d_backward(2, "SAME", residuals, jnp.ones_like(counts))
    return [np.asarray(image)[0, :, :, 0] for image in (alone, counts, back)]


figure, axes = plt.subplots(2, 3, figsize=(8.4, 5.8), layout="constrained")
titles = ("what one pixel adds", "pixels that reach an output", "gradient of the image")
for row, size in zip(axes, (3, 4), strict=True):
    for panel, title, shown in zip(row, titles, reach(size), strict=True):
        panel.imshow(shown, cmap="Blues", vmin=0, vmax=1.6 * shown.max())
        for (i, j), number in np.ndenumerate(shown):
            panel.text(j, i, f"{number:g}", ha="center", va="center", fontsize=8)
        panel.set(title=title if size == 3 else "", xticks=[], yticks=[])
    row[0].add_patch(Rectangle((1.5, 1.5), 2, 2, fill=False, edgecolor=COLOURS[1], linewidth=2))
    row[0].set_ylabel(f"kernel {size} by {size}, stride 2")
plt.show()

_, counts_3, _ = reach(3)
_, counts_4, back_4 = reach(4)
assert set(counts_3.ravel()) == {1, 2, 4}
assert (counts_4[1:-1, 1:-1] == 4).all()
assert (back_4[1:3, 1:3] == 16).all()

# %% [markdown]
# ## The check against plain JAX, again
#
# `jax.lax.conv_transpose` places the kernel the other way round, so that it equals ours for
# `w[::-1, ::-1]`. In PyTorch's `conv_transpose2d` the weight has the axes $(c, k, u, v)$ and is not
# turned. The checker compares value and gradients with autodiff of XLA's own operations.


# %%
def conv_transpose_of_lax(x, w, b, stride=2, padding="SAME"):
    """(transpose.2) as users of JAX write it."""
    return jax.lax.conv_transpose(x, w[::-1, ::-1], (stride, stride), padding) + b


def depthwise_of_lax(x, w, b):
    """(conv.11) with as many groups as channels."""
    layout = ("NHWC", "HWIO", "NHWC")
    z = jax.lax.conv_general_dilated(
        x, w, (2, 2), "SAME", feature_group_count=3, dimension_numbers=layout
    )
    return z + b


checked = ("value", "cotangents", "differences", "vmap")
transposed = functools.partial(conv_transpose2d, stride=2)
depthwise = functools.partial(conv2d, padding="SAME", stride=2, dilation=1, groups=3)
for ours, theirs, shapes in (
    (transposed, conv_transpose_of_lax, ("2x3x4x3", "4x4x3x2", "2")),
    (depthwise, depthwise_of_lax, ("2x5x4x3", "3x3x1x3", "3")),
):
    print(check_vjp(ours, theirs, *shapes, only=checked))

# %% [markdown]
# ## Exercises
#
# 1. Windows of $r = 5$ with stride 2 and no padding, on a long row of pixels. In how many windows
#    is pixel 4, and in how many is pixel 5?
#
#    *Answer:* $4 = 2 \cdot 2 + 0$, so $u = 0, 2, 4$: three windows. $5 = 2 \cdot 2 + 1$, so
#    $u = 1, 3$: two.
#
# 2. Why must the padding be smaller than the window?
#
#    *Answer:* with padding $p = r$, the first window ends before the first pixel. Its maximum would
#    be that of no number, and its average $0 / 0$ if only pixels count.
#
# 3. Both layers get a constant $dz$ of 1, with $r = 3$, $s = 1$ and `"SAME"`. What does the sum of
#    all $dx$ become for max pooling, and what for average pooling?
#
#    *Answer:* for max pooling the sum of $dz$, since each window hands its $dz$ to one pixel. For
#    average pooling that counts pixels only, the same. If padding is counted it is less: the shares
#    of the padded entries are lost.
#
# 4. An implementation rounds both ends of a bin down. Which pixels get a wrong gradient, for 5
#    pixels in 3 bins?
#
#    *Answer:* the bins become pixel 0, pixels 1 and 2, pixels 3 and 4. They no longer overlap, and
#    pixels 1 and 3 lose a share; the counts change, too, so pixel 0 gets $dz_0$ instead of a half.
#
# The next cell checks these answers.

# %%
ones = jnp.ones((1, 1, 9, 1))
row = image(np.ones((5, 21)))
_, extent = avg_pool_forward(row, 5, 2)
(share,) = avg_pool_backward(5, 2, "VALID", True, extent, ones)
assert np.array_equal(np.round(25 * matrix(share)[0, 4:6]), [3, 2])

try:
    max_pool(row, 3, 1, 3)
except ValueError as error:
    print(error)
else:
    raise AssertionError("padding of the window's size was accepted")

sums = {}
square = jax.random.normal(jax.random.key(1), (1, 4, 4, 1))
for name, pool in {
    "maximum": lambda x: max_pool(x, 3, 1, "SAME"),
    "average of pixels": lambda x: avg_pool(x, 3, 1, "SAME", False),
    "average with padding": lambda x: avg_pool(x, 3, 1, "SAME", True),
}.items():
    sums[name] = float(jax.grad(lambda x, pool=pool: pool(x).sum())(square).sum())
    print(f"{name:21} {sums[name]:.2f}")
assert sums["maximum"] == 16 and abs(sums["average of pixels"] - 16) < 1e-5
assert sums["average with padding"] < 12

down = [range(i * 5 // 3, (i + 1) * 5 // 3) for i in range(3)]
assert [list(one) for one in down] == [[0], [1, 2], [3, 4]]
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_pool.py`, `_avg_pool.py` and `_adaptive_pool.py` have these derivations next to
# the code, with one line per equation. `_windows.py` holds what the first two share: the entries of
# a window, and the windows of a pixel. The tests are `tests/layers/test_pool.py`,
# `test_avg_pool.py` and `test_adaptive_pool.py`. The convolutions are in `_conv.py`, `_conv1d.py`
# and `_conv_transpose.py`; how a CPU computes them is in `fast/_depthwise_conv.py` and
# `fast/_blocks.py`.
