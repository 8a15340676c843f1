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
# # Chapter 6: max pooling
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/06_pooling.ipynb)
#
# A convolution reports, for every pixel, how strongly it finds its pattern there. For recognising
# what is in an image, the exact pixel hardly matters. Max pooling divides the image into small
# windows and keeps the largest entry of each: "somewhere in here it was found, this strongly". With
# 2 by 2 windows the image becomes half as high and half as wide, and the layers after it have a
# quarter of the work.
#
# The layer has no weights, so there is only one cotangent to find, $dx$. Its derivation, equations
# (pool.1) to (pool.4), is short. But there are points where the derivative does not exist, and
# these need some care. You need the chain rule, and the meaning of $dv$ from chapter 1.
#
# The layer itself is in `ffnn_jax/layers/_pool.py`. This notebook imports it. There the equations
# also allow windows that overlap, and padding, which are the subject of chapter 13; here the stride
# `None` stands for "the window's size", and `"VALID"` for "no padding".

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

from ffnn_jax.data import load
from ffnn_jax.layers import max_pool, max_pool_backward, max_pool_forward, relu
from ffnn_jax.verify import Kink, check_vjp

BLUE, ORANGE = "#0072b2", "#d55e00"

# %% [markdown]
# ## The definition
#
# The windows are $s$ by $s$ and lie side by side, without overlap. Window $(i, j)$ begins at pixel
# $(si, sj)$, all indices start at 0, and every image $n$ and channel $c$ is treated separately:
#
# $$z_{nijc} = \max_{u,v}\; x_{n,\; si+u,\; sj+v,\; c} \tag{pool.1}$$
#
# Our example is one image with one channel, 4 by 4, with windows of $s = 2$:
#
# $$x = \left(\begin{array}{cc|cc} 1 & 3 & 2 & 5 \\ 4 & 0 & 5 & 1 \\ \hline
# 6 & 0 & 2 & 1 \\ 3 & 2 & 7 & 8 \end{array}\right), \qquad
# z = \begin{pmatrix} 4 & 5 \\ 6 & 8 \end{pmatrix}.$$


# %%
def image(rows):
    """One image with one channel."""
    return jnp.asarray(np.array(rows, np.float32)[None, :, :, None])


def matrix(v):
    """One image with one channel, as a matrix."""
    return np.asarray(v)[0, :, :, 0]


x = image([[1, 3, 2, 5], [4, 0, 5, 1], [6, 0, 2, 1], [3, 2, 7, 8]])
z, residuals = max_pool_forward(x, 2)
print("z =", matrix(z), sep="\n")
assert np.array_equal(matrix(z), [[4, 5], [6, 8]])  # (pool.1)

# %% [markdown]
# ## The argmax
#
# Number the entries of a window from 0 to $s^2 - 1$ in reading order: along the first row, then
# along the next. The entry at row $u$ and column $v$ of its window has the number $su + v$. The
# number of the largest entry is called the *argmax*, $m$:
#
# $$m_{nijc} = \text{the first } su + v \text{ whose entry is the maximum} \tag{pool.2}$$
#
# "The first" matters where entries are equal: the top right window of our example has two fives,
# number 1 in its top right corner and number 2 in its bottom left corner. Its argmax is 1. By hand,
# window by window:
#
# | window | entries 0, 1, 2, 3 | maximum | argmax $m$ |
# |---|---|---|---|
# | $(0, 0)$ | 1, 3, 4, 0 | 4 | 2 |
# | $(0, 1)$ | 2, 5, 5, 1 | 5 | 1 |
# | $(1, 0)$ | 6, 0, 3, 2 | 6 | 0 |
# | $(1, 1)$ | 2, 1, 7, 8 | 8 | 3 |

# %%
print("m =", matrix(residuals.argmax), sep="\n")
assert np.array_equal(matrix(residuals.argmax), [[2, 1], [0, 3]])  # (pool.2)

# %% [markdown]
# ## The gradient
#
# Look at window $(0, 0)$, with the entries 1, 3, 4, 0. Make the 4 a little larger, 4.01. Then the
# maximum is 4.01: it grows by as much as the largest entry did. Make the 3 a little larger, 3.01.
# The maximum is still 4. So the slope is 1 for the largest entry and 0 for all others:
#
# $$\frac{\partial z_{nijc}}{\partial x_{n,\; si+u,\; sj+v,\; c}} =
# \begin{cases} 1 & \text{if } su + v = m_{nijc}, \\ 0 & \text{otherwise.} \end{cases}
# \tag{pool.3}$$
#
# The chain rule sums over all outputs that a pixel reaches. Windows do not overlap, so pixel
# $(h, w)$ lies in only one, window $(h \operatorname{div} s,\; w \operatorname{div} s)$, where
# $\operatorname{div}$ divides and rounds down. Within it, the pixel is at row $h \bmod s$ and
# column $w \bmod s$. So the sum has one term. Write $[\ldots]$ for 1 where the condition holds and
# 0 elsewhere:
#
# $$dx_{nhwc} = dz_{n,\; h \operatorname{div} s,\; w \operatorname{div} s,\; c}\;
# \bigl[\, s\,(h \bmod s) + w \bmod s = m \,\bigr] \tag{pool.4}$$
#
# where $m$ is the argmax of that window. In words: the largest entry gets all of its window's $dz$,
# and the others get nothing. By hand, with a $dz$ from the next layer:
#
# $$dz = \begin{pmatrix} 1 & -2 \\ 3 & 4 \end{pmatrix}, \qquad
# dx = \left(\begin{array}{cc|cc} 0 & 0 & 0 & -2 \\ 1 & 0 & 0 & 0 \\ \hline
# 3 & 0 & 0 & 0 \\ 0 & 0 & 0 & 4 \end{array}\right).$$

# %%
dz = image([[1, -2], [3, 4]])
(dx,) = max_pool_backward(2, None, "VALID", residuals, dz)
print("dx =", matrix(dx), sep="\n")
by_hand = [[0, 0, 0, -2], [1, 0, 0, 0], [3, 0, 0, 0], [0, 0, 0, 4]]
assert np.array_equal(matrix(dx), by_hand)  # (pool.4)

# %%
for entry, slope in (((1, 0), 1), ((0, 1), 0)):  # the largest entry, 4, and the 3
    nudged = matrix(x).copy()
    nudged[entry] += 0.01
    growth = float(matrix(max_pool(image(nudged)))[0, 0]) - 4
    print(f"entry {entry} up by 0.01: the maximum grows by {growth:.2f}")
    assert abs(growth - 0.01 * slope) < 1e-6  # (pool.3)


# %%
def numbers(ax, rows, title, window=0, marked=(), signed=True):
    """Draws a small matrix with its numbers, lines between windows and frames around entries."""
    rows = np.asarray(rows)
    limit = 2.5 * max(np.abs(rows).max(), 1)  # pale, so that the numbers can be read
    low, cmap = (-limit, "RdBu_r") if signed else (0, "Greys")
    ax.imshow(rows, cmap=cmap, vmin=low, vmax=limit)
    for (row, column), number in np.ndenumerate(rows):
        shade = "black" if number else "0.6"
        ax.text(column, row, f"{number:g}", ha="center", va="center", color=shade)
    for edge in range(window, max(rows.shape), window) if window else ():
        ax.axhline(edge - 0.5, color="black", linewidth=1)
        ax.axvline(edge - 0.5, color="black", linewidth=1)
    for row, column in marked:
        corner = (column - 0.46, row - 0.46)
        ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=ORANGE, linewidth=2.5))
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])


maxima = [(1, 0), (0, 3), (2, 0), (3, 3)]
figure, axes = plt.subplots(
    1, 4, figsize=(7.6, 2.3), width_ratios=(4, 2, 2, 4), layout="constrained"
)
numbers(axes[0], matrix(x), "image $x$ and its maxima", 2, maxima, signed=False)
numbers(axes[1], matrix(z), "output $z$", 1, signed=False)
numbers(axes[2], matrix(dz), "$dz$", 1)
numbers(axes[3], matrix(dx), "$dx$", 2, maxima)
plt.show()

# %% [markdown]
# ## The tie
#
# Where two entries share the maximum, (pool.3) is more than a derivation: it is a choice. Take the
# window with the two fives, and move the first of them from 5 to $5 + t$. The other stays at 5. The
# maximum is
#
# $$z(t) = \max(5 + t,\; 5).$$
#
# For $t > 0$ the first of the two is the only maximum, and $z$ grows with slope 1. For $t < 0$ the
# other is, and $z$ stays at 5, with slope 0. At $t = 0$ the graph has a corner, a *kink*. The slope
# from the right is 1 and the slope from the left is 0. There is no derivative. But the backward
# pass has to return some number.

# %%
steps = np.linspace(-1, 1, 81)
top_right = np.stack([[[2, 5 + t], [5, 1]] for t in steps])[..., None]  # one window per t
curve = np.asarray(max_pool(jnp.asarray(top_right, jnp.float32))).ravel()
right, left = curve[-1] - curve[40], curve[40] - curve[0]  # the rise from 0 to 1 and from -1 to 0
print(f"slope from the right {right:g}, slope from the left {left:g}")
assert (right, left) == (1, 0)

figure, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
ax.plot(steps, curve, color=BLUE, linewidth=2.5, label=r"$z(t) = \max(5 + t,\, 5)$")
ax.plot(steps, 5 + steps, "--", color=ORANGE, linewidth=1.5, label="slope 1, all to this entry")
ax.plot(steps, 5 + steps / 2, ":", color="black", linewidth=1.5, label="slope ½, shared")
ax.plot(steps, 5 + 0 * steps, "-.", color="0.5", linewidth=1.5, label="slope 0, all to the other")
ax.plot(0, 5, "o", color="black")
ax.set_ylim(4.4, 6.05)
ax.set_xticks([-1, -0.5, 0, 0.5, 1])
ax.set_yticks([4.5, 5, 5.5, 6])
ax.set_xlabel("$t$, the change of one of two equal entries")
ax.legend(frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# Lines with any slope from 0 to 1 touch the graph at the kink without crossing it. So there is
# freedom, but not for each entry separately. Move *both* fives from 5 to $5 + t$. Now
# $z = 5 + t$ without any kink, and the slope is 1. If all entries of a window move together, $z$
# moves with them. So whatever the rule gives to the entries, the shares have to add up to $dz$:
#
# $$\sum_{u,v} dx_{n,\; si+u,\; sj+v,\; c} = dz_{nijc}.$$
#
# Giving all of $dz$ to the first satisfies this, and so does giving half to each. Giving all of it
# to *both* does not: that counts the window twice.
#
# The library gives all of it to the first. Then
#
# - one number per window, $m$, is all that the backward pass needs;
# - a window sends its gradient to one pixel, in a tie as everywhere else.
#
# JAX itself is not consistent here. There are two obvious ways to write max pooling, and its
# autodiff makes a different choice for each:

# %%
tie = image([[2, 5], [5, 1]])


def by_reduce_window(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def by_max(x):
    n, height, width, c = x.shape
    windows = x.reshape(n, height // 2, 2, width // 2, 2, c)
    return jnp.max(windows, axis=(2, 4))


one = image([[1]])
at_tie = {}
for name, pool in (("max_pool", max_pool), ("reduce_window", by_reduce_window), ("max", by_max)):
    (dx_tie,) = jax.vjp(pool, tie)[1](one)
    at_tie[name] = matrix(dx_tie).tolist()
    print(f"{name:14} dx = {at_tie[name]}")
assert at_tie["max_pool"] == at_tie["reduce_window"] == [[0, 1], [0, 0]]
assert at_tie["max"] == [[0, 0.5], [0.5, 0]]

# %% [markdown]
# Both are right. So a library has to state which one it uses, and a test has to hold it to that.
#
# Are ties rare? Between random numbers, yes. In images, no. Paper has one colour, so the background
# of a digit is zero everywhere, and a window of four zeros is a tie. The same happens after a ReLU:
# everything that was negative is exactly 0.

# %%
train = load("mnist_5k", "train")
digits = np.float32(train.images[:1000] / 255.0)  # (N, 28, 28, 1)
windows = digits.reshape(1000, 14, 2, 14, 2).swapaxes(2, 3).reshape(-1, 4)  # one window per row
tied = (windows == windows.max(1, keepdims=True)).sum(1) > 1
empty = windows.max(1) == 0
print(f"windows with a tie         {100 * tied.mean():.0f} %")
print(f"of these, windows of zeros {100 * empty[tied].mean():.0f} %")
assert tied.mean() > 0.8 and empty[tied].mean() > 0.85

# %% [markdown]
# More than four windows out of five have a tie, and nearly all of these are windows of zeros.
#
# Does the choice change what a network learns? If a ReLU comes before the pooling, a window of
# zeros hands its $dz$ to an entry where the ReLU's output was 0. There the ReLU's slope is 0, so
# nothing goes any further, whichever zero it was. Without a ReLU before it, the choice does matter.
#
# ## Where the gradient goes
#
# Let us pull the pooled image $z$ of one digit towards the pooled image $t$ of another, with
# $L = \tfrac12 \sum (z - t)^2$ and so $dz = z - t$. Red means too bright, blue means too dark.

# %%
three, seven = (jnp.asarray(digits[train.labels[:1000] == label][:1]) for label in (3, 7))
z, residuals = max_pool_forward(three, 2)
target = max_pool(seven)
dz = z - target
(dx,) = max_pool_backward(2, None, "VALID", residuals, dz)


def draw(ax, pixels, title, signed=False):
    """Draws an image, in red and blue if it is signed."""
    if signed:
        ax.imshow(pixels, cmap="RdBu_r", vmin=-1, vmax=1)
    else:
        ax.imshow(pixels, cmap="cividis", vmin=0, vmax=1)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])


figure, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained")
draw(axes[0], matrix(three), "$x$, 28 by 28")
draw(axes[1], matrix(z), "$z$, 14 by 14")
draw(axes[2], matrix(target), "$t$, 14 by 14")
draw(axes[3], matrix(dz), "$dz = z - t$", signed=True)
draw(axes[4], matrix(dx), "$dx$, 28 by 28", signed=True)
plt.show()

# %%
nonzero = np.abs(matrix(dx)) > 0
per_window = nonzero.reshape(14, 2, 14, 2).sum((1, 3))
corners = nonzero[::2, ::2].sum()
print(f"{nonzero.sum()} of {nonzero.size} pixels get a gradient,")
print(f"{corners} of these are in the top left corner of their window")
assert per_window.max() == 1

# %% [markdown]
# $dx$ is full of holes. No window sends its gradient to more than one pixel. Inside the 3, that is
# the brightest pixel of the window. Look at the blue dots where the 3 has no ink and the 7 does:
# they form a regular grid. These windows are ties of four zeros, and the first entry, in the top
# left corner, gets all of $dz$.
#
# ## Sizes that do not divide evenly
#
# A 3 by 5 image has room for one row of two 2 by 2 windows. The last row and the last column do not
# fill a window. They are left out, however large their entries are, so no output depends on them,
# and their gradient is 0. By hand:
#
# $$x = \left(\begin{array}{cc|cc|c} 1 & 4 & 5 & 1 & 9 \\ 3 & 2 & 6 & 0 & 9 \\ \hline
# 9 & 9 & 9 & 9 & 9 \end{array}\right), \quad
# z = \begin{pmatrix} 4 & 6 \end{pmatrix}, \quad
# dz = \begin{pmatrix} 1 & 2 \end{pmatrix}, \quad
# dx = \left(\begin{array}{cc|cc|c} 0 & 1 & 0 & 0 & 0 \\ 0 & 0 & 2 & 0 & 0 \\ \hline
# 0 & 0 & 0 & 0 & 0 \end{array}\right).$$

# %%
x_uneven = image([[1, 4, 5, 1, 9], [3, 2, 6, 0, 9], [9, 9, 9, 9, 9]])
z_uneven, residuals_uneven = max_pool_forward(x_uneven, 2)
(dx_uneven,) = max_pool_backward(2, None, "VALID", residuals_uneven, image([[1, 2]]))
print("z =", matrix(z_uneven), sep="\n")
print("dx =", matrix(dx_uneven), sep="\n")
assert np.array_equal(matrix(z_uneven), [[4, 6]])
assert np.array_equal(matrix(dx_uneven), [[0, 1, 0, 0, 0], [0, 0, 2, 0, 0], [0, 0, 0, 0, 0]])

# %% [markdown]
# ## Mean pooling
#
# One can also keep the mean of each window. Then every entry has the slope $1/s^2$, and $dz$ is
# spread evenly over the window, the same for every $x$: no argmax, no kink, no choice. The price is
# that a strong response at one pixel is diluted by its neighbours. Below, the same $dz$ goes
# through both.


# %%
def mean_pool(x):
    n, height, width, c = x.shape
    return jnp.mean(x.reshape(n, height // 2, 2, width // 2, 2, c), axis=(2, 4))


dz_small = image([[1, -2], [3, 4]])
(dx_small,) = jax.vjp(mean_pool, x)[1](dz_small)
(dx_mean,) = jax.vjp(mean_pool, three)[1](dz)
assert np.array_equal(matrix(dx_small)[:2], [[0.25, 0.25, -0.5, -0.5]] * 2)
assert np.array_equal(matrix(dx_small)[2:], [[0.75, 0.75, 1, 1]] * 2)
assert np.allclose(matrix(dx_mean), np.kron(matrix(dz), np.full((2, 2), 1 / 4)))

figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
numbers(axes[0], by_hand, "max pooling, $dx$", 2)
numbers(axes[1], matrix(dx_small), "mean pooling, $dx$", 2)
draw(axes[2], matrix(dx), "max pooling, $dx$", signed=True)
draw(axes[3], 4 * matrix(dx_mean), "mean pooling, $4\\, dx$", signed=True)
plt.show()

# %% [markdown]
# ## What is saved
#
# (pool.4) needs $m$ and $dz$, but not $x$. So the forward pass keeps only $m$. It is less than
# $s^2$, so for windows up to 11 by 11 it fits into one byte. The size of $x$ is kept too, since $z$
# does not show whether a row was left out; an array with no entries carries it. Keeping $x$ instead
# would take four pixels of four bytes each for every 2 by 2 window.

# %%
print("saved: argmax", residuals.argmax.shape, residuals.argmax.dtype, end="")
print(", extent", residuals.extent.shape)
print(
    f"bytes: argmax {residuals.argmax.nbytes}, extent {residuals.extent.nbytes}, x {three.nbytes}"
)
assert residuals.argmax.dtype == np.int8 and residuals.extent.nbytes == 0
assert three.nbytes == 16 * residuals.argmax.nbytes
for window, dtype in ((11, np.int8), (12, np.int32)):
    one_window = jnp.zeros((1, window, window, 1))
    _, kept = jax.eval_shape(functools.partial(max_pool_forward, window=window), one_window)
    assert kept.argmax.dtype == dtype

# %% [markdown]
# ## The check
#
# `check_vjp` compares a layer with a reference implementation in several ways, one row per check;
# chapter 5 explains what the rows mean. The reference is `by_max` from above. It splits ties, and
# we do not. This does no harm in the rows with random numbers, which are never equal. But for the
# same reason those rows cannot detect what a rule does at a tie. So we state the convention
# explicitly, as a `Kink`: a point, a $dz$, and the expected $dx$.

# %%
expected = image([[0, 1], [0, 0]])
kinks = (Kink("a tie", (np.asarray(tie, np.float64),), np.ones((1, 1, 1, 1)), (expected,)),)
settings = {"kinks": kinks, "only": ("value", "cotangents", "differences", "linearity", "kinks")}

report = check_vjp(max_pool, by_max, "2x4x6x3", **settings)
print(report)
assert report.passed

# %% [markdown]
# Below the table are points that we did not declare, and at which the two differ. They are ties,
# too: of infinities, and of NaN.
#
# Now a wrong rule: $dz$ is shared equally among all the maxima of a window.


# %%
@jax.custom_vjp
def max_pool_shared(x):
    return by_max(x)


def shared_forward(x):
    z = by_max(x)
    return z, (x, z)


def shared_backward(residuals, dz):
    x, z = residuals
    n, rows, columns, c = z.shape
    windows = x.reshape(n, rows, 2, columns, 2, c)
    mine = (windows == z[:, :, None, :, None, :]).astype(x.dtype)
    share = mine / jnp.sum(mine, axis=(2, 4), keepdims=True)
    return ((share * dz[:, :, None, :, None, :]).reshape(x.shape),)


max_pool_shared.defvjp(shared_forward, shared_backward)

report = check_vjp(max_pool_shared, by_max, "2x4x6x3", **settings)
print(str(report).partition("\nnot asked")[0])
assert report.failures == ("kinks",)
assert report["kinks"].where.startswith("dx[0, 1, 0, 0]")
assert "dx[0, 0, 1, 0] is 0.5, expected 1" in report.details[0]

# %% [markdown]
# One row fails, *kinks*: the first of the two fives got 0.5 where 1 was expected, and the second
# 0.5 where 0 was expected. All other rows pass, and rightly so. Away from ties both rules give the
# derivative, and even at the tie the sum is right. "Wrong" here means: not what the library
# promises. Another rule gives all of $dz$ to *every* maximum. That one is wrong by any measure, and
# again only this row can detect it.
#
# So a test with random numbers, however many, does not test a kink. Kinks have to be listed.
#
# ## Exercises
#
# 1. A window has the rows $(2, 7)$ and $(7, 7)$, and $dz = 6$. What is $dx$? What would it be if
#    the maxima shared it? What is the sum of each?
#
#    *Answer:* $dx$ has the rows $(0, 6)$ and $(0, 0)$; shared, $(0, 2)$ and $(2, 2)$. The sum is 6
#    in both cases.
#
# 2. What does pooling with $s = 1$ do, forward and backward?
#
#    *Answer:* nothing: $z = x$, $m = 0$, and $dx = dz$.
#
# 3. Use `max_pool` to find the smallest entry of each window. Where does its gradient go?
#
#    *Answer:* `-max_pool(-x)`. The two signs cancel in the backward, and $dz$ goes to the first
#    minimum.
#
# 4. Does it matter whether a ReLU comes before or after max pooling?
#
#    *Answer:* not for the values: ReLU preserves order, so the ReLU of the maximum is the maximum
#    of the ReLUs. Nor for $dx$: where the maximum is positive the argmax is the same, and elsewhere
#    both give 0. But after 2 by 2 pooling the ReLU has only a quarter of the entries to process.
#
# The next cell checks these answers.

# %%
window, six = image([[2, 7], [7, 7]]), image([[6]])
first = matrix(jax.vjp(max_pool, window)[1](six)[0])
shared = matrix(jax.vjp(max_pool_shared, window)[1](six)[0])
assert np.array_equal(first, [[0, 6], [0, 0]]) and np.array_equal(shared, [[0, 2], [2, 2]])

z_one, kept = max_pool_forward(x, 1)
assert np.array_equal(z_one, x) and not kept.argmax.any()
assert np.array_equal(max_pool_backward(1, None, "VALID", kept, dx_small)[0], dx_small)

z_min, vjp_min = jax.vjp(lambda x: -max_pool(-x), x)
assert np.array_equal(matrix(z_min), [[0, 1], [0, 1]])
assert np.array_equal(matrix(vjp_min(dz_small)[0])[:2], [[0, 0, 0, 0], [0, 1, 0, -2]])

signed = x - 4  # its window (0, 0) has the maximum 0
before, vjp_before = jax.vjp(lambda x: max_pool(relu(x)), signed)
after, vjp_after = jax.vjp(lambda x: relu(max_pool(x)), signed)
assert np.array_equal(before, after)
assert np.array_equal(vjp_before(dz_small)[0], vjp_after(dz_small)[0])
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_pool.py` has this derivation next to the code, with one line per equation. It
# also says what happens to a NaN. `tests/layers/test_pool.py` checks the layer as this chapter
# does, and in more ways.
