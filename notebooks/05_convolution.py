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
# # Chapter 5: convolution
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/05_convolution.ipynb)
#
# To a dense layer an image is a list of pixels. It has a weight for every pixel and every output,
# so what it learns about a stroke in one corner does not carry over to the same stroke in another.
# A convolution has one small table of weights, the *kernel*. It lays the kernel on every position
# of the image, and each position gives one output.
#
# This chapter derives the gradient, equations (conv.1) to (conv.8), with numbers small enough to
# work out by hand. Half of the work is done already: seen the right way, a convolution *is* a dense
# layer. So you need chapter 1, mainly (12), (15) and (16).
#
# The layer itself is in `ffnn_jax/layers/_conv.py`. This notebook imports it.

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
import itertools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from ffnn_jax.data import load
from ffnn_jax.layers import conv2d, conv2d_backward, conv2d_forward
from ffnn_jax.verify import Rule, check_vjp

# %% [markdown]
# ## The definition
#
# The library stores images as $x_{n,h,w,c}$: image number, row, column, channel. The channels are
# the values at one pixel. A grey image has one, a colour image three, and inside a network there
# may be any number. The kernel is $W_{uvck}$: row, column, input channel, output channel. There is
# one bias $b_k$ per output channel. In this chapter all indices start at 0, as in the code.
#
# Let $s$ be the *stride*, the step from one window to the next. Let $\tilde x$ be the image with
# zeros around it, the *padding*; without padding it is $x$ itself.
#
# $$z_{nijk} = b_k + \sum_{u,v,c} \tilde x_{n,\; si+u,\; sj+v,\; c}\; W_{uvck} \tag{conv.1}$$
#
# In words: put the top left corner of the kernel on pixel $(si, sj)$. Multiply each weight by the
# pixel beneath it, add everything up, and add the bias. Some books first rotate the kernel by 180
# degrees and call only that a convolution. Deep-learning libraries do not rotate it, and neither do
# we.
#
# For the examples we take one image with one channel, one output channel, no padding, and stride
# 1. Then $n$, $c$ and $k$ are always 0 and we leave them out:
#
# $$z_{ij} = b + \sum_{u,v} x_{i+u,\, j+v}\, W_{uv}.$$
#
# $$x = \begin{pmatrix} 1 & 2 & 0 & 1 \\ 0 & 1 & 3 & 2 \\ 2 & 0 & 1 & 1 \\ 1 & 2 & 0 & 3
# \end{pmatrix}, \qquad
# W = \begin{pmatrix} 1 & 2 \\ 0 & -1 \end{pmatrix}, \qquad b = 1.$$
#
# A 2 by 2 kernel fits on a 4 by 4 image in 3 times 3 positions. By hand, three of them:
#
# $$\begin{aligned}
# z_{00} &= 1 + 1 \cdot 1 + 2 \cdot 2 + 0 \cdot 0 + 1 \cdot (-1) = 5, \\
# z_{01} &= 1 + 2 \cdot 1 + 0 \cdot 2 + 1 \cdot 0 + 3 \cdot (-1) = 0, \\
# z_{11} &= 1 + 1 \cdot 1 + 3 \cdot 2 + 0 \cdot 0 + 1 \cdot (-1) = 7.
# \end{aligned}$$


# %%
def image(rows):
    """One image with one channel."""
    return jnp.asarray(np.array(rows, np.float32)[None, :, :, None])


def kernel(rows):
    """One kernel, from one channel to one."""
    return jnp.asarray(np.array(rows, np.float32)[:, :, None, None])


def matrix(v):
    """One image or one kernel as a matrix, without the axes of length one."""
    return np.asarray(v).squeeze()


x = image([[1, 2, 0, 1], [0, 1, 3, 2], [2, 0, 1, 1], [1, 2, 0, 3]])
w = kernel([[1, 2], [0, -1]])
b = jnp.array([1.0])

z = conv2d(x, w, b, "VALID")  # "VALID" is the usual name for no padding
print("z =", matrix(z), sep="\n")
assert np.array_equal(matrix(z), [[5, 0, 1], [3, 7, 7], [1, 3, 1]])  # (conv.1)

# %% [markdown]
# The window of the last sum, $z_{11}$, is framed in orange.


# %%
def numbers(ax, rows, title, marked=(), signed=True, size=10, zero="0"):
    """Draws a small matrix with its numbers; ``marked`` lists (row, column, height, width)."""
    rows = np.asarray(rows)
    limit = 2.5 * max(np.abs(rows).max(), 1)  # pale, so that the numbers can be read
    low, cmap = (-limit, "RdBu_r") if signed else (0, "Greys")
    ax.imshow(rows, cmap=cmap, vmin=low, vmax=limit)
    for (row, column), number in np.ndenumerate(rows):
        text, shade = (f"{number:g}", "black") if number else (zero, "0.6")
        ax.text(column, row, text, ha="center", va="center", color=shade, size=size)
    for row, column, height, width in marked:
        corner = (column - 0.5, row - 0.5)
        ax.add_patch(
            Rectangle(
                corner, width, height, fill=False, edgecolor="#d55e00", linewidth=3, clip_on=False
            )
        )
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])


figure, axes = plt.subplots(1, 3, figsize=(5.6, 2.2), width_ratios=(4, 2, 3), layout="constrained")
numbers(axes[0], matrix(x), "image $x$", [(1, 1, 2, 2)], signed=False)
numbers(axes[1], matrix(w), "kernel $W$")
numbers(axes[2], matrix(z), "output $z$, with $b = 1$", [(1, 1, 1, 1)], signed=False)
plt.show()

# %% [markdown]
# ## A convolution is a dense layer
#
# Every output sees a window of the image and treats it in the same way: a weighted sum of its
# entries, plus a bias. That is what a dense layer does to a data point. So let us make each window,
# a *patch* of the image, a data point. We write its entries in one row and stack the rows of all
# patches in a matrix $P$. It has one row for each image $n$ and position $(i, j)$, and one column
# for each kernel entry:
#
# $$P_{nij,\; uvc} = \tilde x_{n,\; si+u,\; sj+v,\; c} \tag{conv.2}$$
#
# The kernel, read in the same order, is a matrix too, with a row for each $(u, v, c)$ and a column
# for each $k$. Call it $W$ as well. The sum in (conv.1) now runs along a row of $P$ and down a
# column of $W$. That is a matrix product, and the ones copy the bias into every row:
#
# $$Z = P\,W + \mathbf{1}\, b^T \tag{conv.3}$$
#
# This is (12), $Z = WX + b\mathbf{1}^T$, in the library's form with one *row* per data point. $P$
# takes the place of $X^T$. This way of computing a convolution is known as *im2col*, image to
# columns, since writing each patch as a column gives $P^T$.


# %%
def im2col(x, height, width, stride=1):
    """The patches P of (conv.2), for one image with one channel."""
    x = np.asarray(x)
    rows, columns = x.shape
    return np.stack(
        [
            x[i : i + height, j : j + width].ravel()
            for i in range(0, rows - height + 1, stride)
            for j in range(0, columns - width + 1, stride)
        ]
    )


p = im2col(matrix(x), 2, 2)  # (conv.2)
by_matrix = p @ matrix(w).reshape(4, 1) + np.asarray(b)[None, :]  # (conv.3)
print("P has the shape", p.shape)
print("P W + 1 b^T =", by_matrix.reshape(3, 3), sep="\n")
assert p.shape == (9, 4)
assert np.array_equal(p[4], [1, 3, 0, 1])  # the orange window
assert np.array_equal(by_matrix.reshape(z.shape), z)

# %%
figure, axes = plt.subplots(
    1, 4, figsize=(5.4, 3.1), width_ratios=(4, 4, 1, 1), layout="constrained"
)
numbers(axes[0], matrix(x), "image $x$", [(1, 1, 2, 2)], signed=False)
numbers(axes[1], p, "patches $P$", [(4, 0, 1, 4)], signed=False)
numbers(axes[2], matrix(w).reshape(4, 1), "kernel $W$")
numbers(axes[3], by_matrix, "$Z$", [(4, 0, 1, 1)], signed=False)
positions = [f"$({i}, {j})$" for i in range(3) for j in range(3)]
axes[1].set_yticks(range(9), positions)
axes[1].set_xticks(range(4), [f"$W_{{{u}{v}}}$" for u in range(2) for v in range(2)])
for ax in axes[1:]:
    ax.tick_params(length=0, labelsize=9)
plt.show()

# %% [markdown]
# A pixel that lies in several windows appears in $P$ several times. Keep that in mind: it makes
# $P$ large, and it is the only thing that is new about the gradient.
#
# ## The gradient of the kernel and the bias
#
# $P$ is data like any other, so for $W$ and $b$ there is nothing left to derive. Chapter 1 found
# $dW = dZ\,X^T$ in (15) and $db = dZ\,\mathbf{1}$ in (16), with one column per data point. With
# rows they read:
#
# $$dW = P^T\, dZ \tag{conv.4}$$
#
# $$db = dZ^T\, \mathbf{1} \tag{conv.5}$$
#
# Look at one weight. Output $(i, j)$ multiplies $W_{uv}$ by $x_{i+u,\, j+v}$, and (conv.4) adds
# this up over all outputs:
#
# $$dW_{uv} = \sum_{i,j} dz_{ij}\; x_{i+u,\, j+v}.$$
#
# So $dW$ is a sum of patches, each multiplied by its $dz$. Suppose the next layer hands back
#
# $$dz = \begin{pmatrix} 1 & 0 & 2 \\ 0 & -1 & 0 \\ 0 & 0 & 3 \end{pmatrix}.$$
#
# (If you want a loss to go with it: $L = \sum_{ij} dz_{ij}\, z_{ij}$ has this gradient, with these
# nine numbers held fixed.) Only four of the nine patches contribute. By hand:
#
# $$dW = 1 \begin{pmatrix} 1 & 2 \\ 0 & 1 \end{pmatrix}
# + 2 \begin{pmatrix} 0 & 1 \\ 3 & 2 \end{pmatrix}
# - 1 \begin{pmatrix} 1 & 3 \\ 0 & 1 \end{pmatrix}
# + 3 \begin{pmatrix} 1 & 1 \\ 0 & 3 \end{pmatrix}
# = \begin{pmatrix} 3 & 4 \\ 6 & 13 \end{pmatrix}, \qquad
# db = 1 + 2 - 1 + 3 = 5.$$
#
# The first four arguments of the backward are the forward's settings: padding, stride, dilation and
# groups. The residuals and $dz$ follow.

# %%
dz = image([[1, 0, 2], [0, -1, 0], [0, 0, 3]])

z, residuals = conv2d_forward(x, w, b, "VALID", 1)
dx, dw, db = conv2d_backward("VALID", 1, 1, 1, residuals, dz)
print("dW =", matrix(dw), sep="\n")
print("db =", db)
assert np.array_equal(matrix(dw), [[3, 4], [6, 13]])  # (conv.4)
assert np.array_equal(db, [5])  # (conv.5)
assert np.array_equal(p.T @ matrix(dz).reshape(9, 1), matrix(dw).reshape(4, 1))

# %% [markdown]
# ## The gradient of the image
#
# Here $P$ does not help directly. It is not the layer's input: a pixel appears in it several times.
# So we go back to (conv.1) and the chain rule. Which outputs does a pixel reach, and with what
# factor?
#
# Pixel $(h, w)$ enters output $(i, j)$ under kernel entry $(u, v)$ exactly when $h = si + u$ and
# $w = sj + v$. (The index $w$ is a column; the kernel is the capital $W$.) The factor is then
# $W_{uvck}$. The chain rule sums over all such cases:
#
# $$d\tilde x_{nhwc} = \sum_{\substack{i,\,j,\,u,\,v,\,k \\ h \,=\, si+u,\;\; w \,=\, sj+v}}
# dz_{nijk}\; W_{uvck} \tag{conv.6}$$
#
# Now take an output's point of view. Output $(i, j)$ used the window that begins at $(si, sj)$. To
# each pixel of that window it now sends the number $dz_{ij}$ times the weight that lay on the
# pixel. In other words, it *lays the kernel down* on its window, multiplied by $dz_{ij}$. Where
# windows overlap, the contributions add up. By hand, for the four outputs whose $dz$ is not 0:
#
# $$dx = \begin{pmatrix} 1 & 2 & \cdot & \cdot \\ 0 & -1 & \cdot & \cdot \\
# \cdot & \cdot & \cdot & \cdot \\ \cdot & \cdot & \cdot & \cdot \end{pmatrix}
# + \begin{pmatrix} \cdot & \cdot & 2 & 4 \\ \cdot & \cdot & 0 & -2 \\
# \cdot & \cdot & \cdot & \cdot \\ \cdot & \cdot & \cdot & \cdot \end{pmatrix}
# + \begin{pmatrix} \cdot & \cdot & \cdot & \cdot \\ \cdot & -1 & -2 & \cdot \\
# \cdot & 0 & 1 & \cdot \\ \cdot & \cdot & \cdot & \cdot \end{pmatrix}
# + \begin{pmatrix} \cdot & \cdot & \cdot & \cdot \\ \cdot & \cdot & \cdot & \cdot \\
# \cdot & \cdot & 3 & 6 \\ \cdot & \cdot & 0 & -3 \end{pmatrix}
# = \begin{pmatrix} 1 & 2 & 2 & 4 \\ 0 & -2 & -2 & -2 \\ 0 & 0 & 4 & 6 \\ 0 & 0 & 0 & -3
# \end{pmatrix}.$$

# %%
positions = ((0, 0), (0, 2), (1, 1), (2, 2))
stamps = np.zeros((4, 4, 4))  # four images
for stamp, (i, j) in zip(stamps, positions, strict=True):
    stamp[i : i + 2, j : j + 2] = matrix(dz)[i, j] * matrix(w)

print("dx =", matrix(dx), sep="\n")
assert np.array_equal(matrix(dx), [[1, 2, 2, 4], [0, -2, -2, -2], [0, 0, 4, 6], [0, 0, 0, -3]])
assert np.array_equal(stamps.sum(0), matrix(dx))  # (conv.6)

# %%
figure, axes = plt.subplots(1, 5, figsize=(8, 1.95), layout="constrained")
for ax, stamp, (i, j) in zip(axes, stamps, positions, strict=False):
    title = f"${matrix(dz)[i, j]:g} \\cdot W$ at $({i}, {j})$"
    numbers(ax, stamp, title, [(i, j, 2, 2)], zero="")
numbers(axes[4], matrix(dx), "their sum, $dx$")
plt.show()

# %% [markdown]
# ### The condition goes away
#
# Laying kernels down makes a good picture but a slow program: many windows write to one pixel. It
# is better to *gather*, pixel by pixel. Take pixel $(1, 1)$. Four windows contain it:
#
# | output $(i, j)$ | kernel entry on the pixel | $dz_{ij}$ | product |
# |---|---|---|---|
# | $(0, 0)$ | $W_{11} = -1$ | $1$ | $-1$ |
# | $(0, 1)$ | $W_{10} = 0$ | $0$ | $0$ |
# | $(1, 0)$ | $W_{01} = 2$ | $0$ | $0$ |
# | $(1, 1)$ | $W_{00} = 1$ | $-1$ | $-1$ |
#
# The sum is $-2$, as above. Look at the first two columns. As the output moves forward, the kernel
# entry moves *back*: the later a window begins, the earlier the pixel comes within it. So the pixel
# sees a window of $dz$ through the kernel rotated by 180 degrees.
#
# To write this without a condition we need two things. The first is to count kernel entries from
# the other end, $u' = K_H - 1 - u$ and $v' = K_W - 1 - v$, where $K_H$ and $K_W$ are the kernel's
# height and width. The second is to make room for the windows at the edge. Let $\widehat{dz}$ be
# $dz$ with $K_H - 1$ rows and $K_W - 1$ columns of zeros on every side, and with $s - 1$ zeros
# between neighbours:
#
# $$\widehat{dz}_{K_H - 1 + si,\; K_W - 1 + sj} = dz_{ij}, \qquad \text{and zero elsewhere.}$$
#
# Now look at row $h + u'$ of $\widehat{dz}$. It is row $i$ of $dz$ when
# $h + u' = K_H - 1 + si$. Substitute $u' = K_H - 1 - u$, and this becomes $h = si + u$. That is the
# condition of (conv.6)! If no $i$ satisfies it, the row is one of the rows of zeros. The same holds
# for columns. So we may sum over *all* $u'$ and $v'$: where the condition fails, we add zero.
#
# $$d\tilde x_{nhwc} = \sum_{u',v',k} \widehat{dz}_{n,\; h+u',\; w+v',\; k}\;\,
# W_{K_H-1-u',\; K_W-1-v',\; c,\; k} \tag{conv.7}$$
#
# This is (conv.1) again: a convolution of $\widehat{dz}$ with the rotated kernel and stride 1. Its
# sum runs over the output channels $k$ where (conv.1) has the input channels $c$, so those two
# axes of the kernel are swapped. By hand, for pixel $(2, 2)$ and the window of $\widehat{dz}$ at
# $(2, 2)$:
#
# $$\widehat{dz} = \begin{pmatrix} 0 & 0 & 0 & 0 & 0 \\ 0 & 1 & 0 & 2 & 0 \\
# 0 & 0 & -1 & 0 & 0 \\ 0 & 0 & 0 & 3 & 0 \\ 0 & 0 & 0 & 0 & 0 \end{pmatrix}, \qquad
# W_\text{rotated} = \begin{pmatrix} -1 & 0 \\ 2 & 1 \end{pmatrix}, \qquad
# dx_{22} = -1 \cdot (-1) + 0 \cdot 0 + 0 \cdot 2 + 3 \cdot 1 = 4.$$

# %%
dz_hat = jnp.pad(dz, ((0, 0), (1, 1), (1, 1), (0, 0)))
rotated = jnp.flip(w, (0, 1)).swapaxes(2, 3)
gathered = conv2d(dz_hat, rotated, jnp.zeros(1), "VALID")  # (conv.7)
print("rotated kernel =", matrix(rotated), sep="\n")
print("dx =", matrix(gathered), sep="\n")
assert np.array_equal(matrix(rotated), [[-1, 0], [2, 1]])
assert np.array_equal(matrix(dz_hat)[2:4, 2:4], [[-1, 0], [0, 3]])
assert matrix(gathered)[2, 2] == 4
assert np.array_equal(gathered, dx)

# %% [markdown]
# ### Padding
#
# Each convolution with a kernel larger than one pixel makes the image smaller. Zeros around the
# image prevent this. Put $p$ rows of zeros above it and $q$ columns to the left. Everything we
# derived holds for the padded image $\tilde x$. Pixel $(h, w)$ of $x$ is pixel $(h + p, w + q)$ of
# $\tilde x$. The zeros are constants, so nobody needs their cotangents. They are cut off:
#
# $$dx_{nhwc} = d\tilde x_{n,\; h+p,\; w+q,\; c} \tag{conv.8}$$
#
# Our image with one zero on every side is 6 by 6, and the output is 5 by 5. Its middle is the old
# output. Let $dz$ have the old numbers in the middle, and a 4 in the top left corner, which is now
# output $(0, 0)$. By hand: output $(0, 0)$ lays down
# $4W = \begin{pmatrix} 4 & 8 \\ 0 & -4 \end{pmatrix}$
# on the corner of $\tilde x$. The 4, the 8 and the 0 fall on padding and are lost. The $-4$ falls
# on $x_{00}$, where $dx$ was 1, and gives $dx_{00} = -3$. No other pixel is affected. The window of
# output $(0, 0)$ contains three zeros, and $x_{00} = 1$ under $W_{11}$. So $dW_{11}$ grows by
# $4 \cdot 1$, from 13 to 17, and $db$ grows from 5 to 9.

# %%
dz_padded = jnp.pad(dz, ((0, 0), (1, 1), (1, 1), (0, 0))).at[0, 0, 0, 0].set(4.0)
z_padded, residuals = conv2d_forward(x, w, b, 1, 1)  # padding 1, stride 1
dx_padded, dw_padded, db_padded = conv2d_backward(1, 1, 1, 1, residuals, dz_padded)

x_tilde = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
dx_tilde, _, _ = conv2d_backward("VALID", 1, 1, 1, (x_tilde, w), dz_padded)

print("dx =", matrix(dx_padded), sep="\n")
print("dW =", matrix(dw_padded), sep="\n")
print("db =", db_padded)
assert z_padded.shape == (1, 5, 5, 1)
assert np.array_equal(matrix(z_padded)[1:4, 1:4], matrix(z))
assert np.array_equal(matrix(dx_tilde)[:2, :2], [[4, 8], [0, -3]])
assert np.array_equal(matrix(dx_tilde)[1:5, 1:5], matrix(dx_padded))  # (conv.8)
changed = matrix(dx_padded) != matrix(dx)
assert changed.sum() == 1 and matrix(dx_padded)[0, 0] == -3
assert np.array_equal(matrix(dw_padded), [[3, 4], [6, 17]])
assert np.array_equal(db_padded, [9])

# %%
figure, axes = plt.subplots(1, 3, figsize=(6, 2.35), layout="constrained")
numbers(axes[0], matrix(dz_padded), "$dz$", [(0, 0, 1, 1)])
numbers(axes[1], matrix(dx_tilde), r"$d\tilde x$; orange: what is kept", [(1, 1, 4, 4)])
numbers(axes[2], matrix(dx_padded), "$dx$")
plt.show()

# %% [markdown]
# The padding `"SAME"` chooses the zeros so that with stride 1 the output has the size of the image.
# For a 3 by 3 kernel that is one zero on every side.
#
# ### Stride 2
#
# With stride $s = 2$ the kernel stops only at every second position, and our image has 2 by 2
# outputs: four of the nine that we know already, $z_{00}$, $z_{02}$, $z_{20}$ and $z_{22}$. Here
# they are, with a $dz$ for them:
#
# $$z = \begin{pmatrix} 5 & 1 \\ 1 & 1 \end{pmatrix}, \qquad
# dz = \begin{pmatrix} 1 & 2 \\ -1 & 3 \end{pmatrix}.$$
#
# Windows of 2 by 2 pixels that begin two pixels apart do not overlap, so here each output lays down
# its kernel and nothing is added to it. (Windows of 3 by 3 would overlap.) In $\widehat{dz}$ there
# is $s - 1 = 1$ zero between neighbours, where stride 1 would have had an output. That output is
# missing, so it sends nothing back.
#
# $$dx = \begin{pmatrix} 1W & 2W \\ -1W & 3W \end{pmatrix}
# = \begin{pmatrix} 1 & 2 & 2 & 4 \\ 0 & -1 & 0 & -2 \\ -1 & -2 & 3 & 6 \\ 0 & 1 & 0 & -3
# \end{pmatrix}, \qquad
# dW = 1 \begin{pmatrix} 1 & 2 \\ 0 & 1 \end{pmatrix}
# + 2 \begin{pmatrix} 0 & 1 \\ 3 & 2 \end{pmatrix}
# - 1 \begin{pmatrix} 2 & 0 \\ 1 & 2 \end{pmatrix}
# + 3 \begin{pmatrix} 1 & 1 \\ 0 & 3 \end{pmatrix}
# = \begin{pmatrix} 2 & 7 \\ 5 & 12 \end{pmatrix}.$$

# %%
dz_strided = image([[1, 2], [-1, 3]])
z_strided, residuals = conv2d_forward(x, w, b, "VALID", 2)
dx_strided, dw_strided, _ = conv2d_backward("VALID", 2, 1, 1, residuals, dz_strided)
dz_hat = jnp.zeros((1, 5, 5, 1)).at[:, 1:4:2, 1:4:2].set(dz_strided)
gathered = conv2d(dz_hat, rotated, jnp.zeros(1), "VALID", 1)

print("dx =", matrix(dx_strided), sep="\n")
print("dW =", matrix(dw_strided), sep="\n")
assert np.array_equal(matrix(z_strided), [[5, 1], [1, 1]])
assert np.array_equal(matrix(z_strided), matrix(z)[::2, ::2])
by_hand = [[1, 2, 2, 4], [0, -1, 0, -2], [-1, -2, 3, 6], [0, 1, 0, -3]]
assert np.array_equal(matrix(dx_strided), by_hand)
assert np.array_equal(matrix(gathered), by_hand)  # (conv.7), still with stride 1
assert np.array_equal(matrix(dw_strided), [[2, 7], [5, 12]])

# %%
figure, axes = plt.subplots(
    1, 4, figsize=(6.8, 2.2), width_ratios=(2, 5, 2, 4), layout="constrained"
)
spots = [(1, 1, 1, 1), (1, 3, 1, 1), (3, 1, 1, 1), (3, 3, 1, 1)]
numbers(axes[0], matrix(dz_strided), "$dz$")
numbers(axes[1], matrix(dz_hat), r"$\widehat{dz}$: zeros between and around", spots)
numbers(axes[2], matrix(rotated), "rotated $W$")
numbers(axes[3], matrix(dx_strided), "$dx$")
plt.show()

# %% [markdown]
# So the backward pass of every convolution, with any padding and stride, is made of the same parts
# as the forward pass: im2col and a matrix product.
#
# ## A kernel on a digit
#
# Now real images. A 3 by 3 kernel with negative weights on its left and positive ones on its right
# gives a large output where the image is dark on the left and bright on the right: an edge.
# Transposed, it finds edges between top and bottom. The two kernels go into one layer with two
# output channels, and each output channel is an image.

# %%
train = load("mnist_5k", "train")
pixels = np.float32(train.images / 255.0)  # (N, 28, 28, 1)
digit = jnp.asarray(pixels[train.labels == 5][:1])
digits = jnp.asarray(pixels[:32])

across = jnp.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
edges = jnp.stack([across, across.T], axis=-1)[:, :, None, :]  # (3, 3, 1, 2)
edge_maps = conv2d(digit, edges, jnp.zeros(2), "SAME")
print("image", digit.shape, "  kernels", edges.shape, "  output", edge_maps.shape)
assert edge_maps.shape == (1, 28, 28, 2)


# %%
def draw(ax, pixels, title, limit=None):
    """Draws an image; with a limit, a signed one in red and blue."""
    if limit is None:
        picture = ax.imshow(pixels, cmap="cividis")
    else:
        picture = ax.imshow(pixels, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
    return picture


figure, axes = plt.subplots(
    1, 5, figsize=(9, 2.2), width_ratios=(3, 1.3, 3, 1.3, 3), layout="constrained"
)
draw(axes[0], matrix(digit), "a 5")
for k, name in enumerate(("left to right", "top to bottom")):
    draw(axes[1 + 2 * k], edges[:, :, 0, k], "kernel", 0.5)
    draw(axes[2 + 2 * k], edge_maps[0, :, :, k], f"edges {name}", 1)
plt.show()

# %% [markdown]
# Red is an edge from dark to bright, blue one from bright to dark. A network is not given such
# kernels. It learns them from $dW$.
#
# ## What $dW$ looks like
#
# $dW$ has the shape of the kernel, so it is a small image: by (conv.4), a sum of patches, each
# times its $dz$. To see this, we hide a 5 by 5 kernel $W^*$ and reveal only its outputs $t$ for
# some digits. A layer that starts with all weights zero has to find $W^*$. The loss compares
# outputs; without padding there are $24 \cdot 24 = 576$ per digit:
#
# $$L = \frac{1}{2N} \sum_{n,i,j} (z_{nij} - t_{nij})^2, \qquad
# dz_{nij} = \frac{z_{nij} - t_{nij}}{N}.$$

# %%
row, column = np.mgrid[-2:3, -2:3]
hidden = (row + column) * np.exp(-(row**2 + column**2) / 3)  # edges along a diagonal
hidden = jnp.asarray(hidden / np.abs(hidden).sum(), jnp.float32)[:, :, None, None]


@jax.jit
def loss_and_gradients(w, x):
    zero = jnp.zeros(1)
    t = conv2d(x, hidden, zero, "VALID")
    z, residuals = conv2d_forward(x, w, zero, "VALID", 1)
    dz = (z - t) / len(x)
    _, dw, _ = conv2d_backward("VALID", 1, 1, 1, residuals, dz)
    return jnp.sum((z - t) ** 2) / (2 * len(x)), dz, dw


start = jnp.zeros((5, 5, 1, 1))
_, dz_digit, dw_digit = loss_and_gradients(start, digit)
_, _, dw_many = loss_and_gradients(start, digits)
assert dz_digit.size == 576

# %% [markdown]
# The upper row of the figure shows four of the 576 terms that make up the $dW$ of one digit: a
# patch of the 5, times its $dz$. The lower row shows the sum of all 576 terms, then the same for
# 32 digits, once as it is and once with its sign flipped, and last the hidden kernel. Each panel
# has its own colour scale.

# %%
patches = im2col(matrix(digit), 5, 5)
order = np.argsort(matrix(dz_digit).ravel())
chosen = [order[rank] for rank in (0, 60, -60, -1)]

figure, axes = plt.subplots(2, 4, figsize=(5.8, 3.4), layout="constrained")
for ax, index in zip(axes[0], chosen, strict=True):
    number = matrix(dz_digit).ravel()[index]
    term = number * patches[index].reshape(5, 5)
    i, j = divmod(index, 24)
    draw(ax, term, f"patch $({i}, {j})$\n$dz$ = {number:+.2f}", np.abs(term).max())
panels = {
    "$dW$ of this 5": dw_digit,
    "$dW$ of 32 digits": dw_many,
    "$-dW$ of 32 digits": -dw_many,
    "the hidden $W^*$": hidden,
}
for ax, (title, kernel_image) in zip(axes[1], panels.items(), strict=True):
    draw(ax, matrix(kernel_image), title, np.abs(kernel_image).max())
plt.show()

# %% [markdown]
# One patch says little, but the sum of all says a lot. A step goes against the gradient, so look at
# $-dW$: it already resembles the hidden kernel. It is blurred, because neighbouring pixels of a
# digit are similar. More steps make it sharp.

# %%
w_found, velocity = start, start
for step in range(201):
    loss, _, dw_step = loss_and_gradients(w_found, digits)
    if step % 50 == 0:
        print(f"step {step:3d}   loss {loss:.5f}")
    velocity = 0.95 * velocity + dw_step  # momentum: a running sum of gradients
    w_found = w_found - 0.002 * velocity

error = float(jnp.abs(w_found - hidden).max() / jnp.abs(hidden).max())
print(f"largest error of a weight: {100 * error:.1f} % of the largest weight")
assert error < 0.02

# %% [markdown]
# ## What $dx$ looks like
#
# $dx$ has the shape of the image, so it is an image too. It says how fast $L$ grows when a pixel is
# made brighter. Take the two edge kernels from above and the loss $L = \tfrac12 \sum z_{ijk}^2$,
# "how much edge there is". Then $dz = z$. Both output channels send their gradients to the same
# pixels: this is the sum over $k$ in (conv.7). Each step of the loop below subtracts a tenth of
# $dx$ from the image.


# %%
@jax.jit
def edge_loss_and_dx(x):
    z, residuals = conv2d_forward(x, edges, jnp.zeros(2), "SAME", 1)
    dx, _, _ = conv2d_backward("SAME", 1, 1, 1, residuals, z)
    return 0.5 * jnp.sum(z**2), z, dx


softer, losses = digit, []
for _ in range(10):
    loss, _, dx_step = edge_loss_and_dx(softer)
    losses.append(float(loss))
    softer = softer - 0.1 * dx_step
checkerboard = image(np.indices((6, 6)).sum(0) % 2)
print("L =", " ".join(f"{loss:.1f}" for loss in losses))
assert not conv2d(checkerboard, edges, jnp.zeros(2), "VALID").any()
assert all(late < early for early, late in itertools.pairwise(losses))

# %%
_, z_edges, dx_edges = edge_loss_and_dx(digit)
figure, axes = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
draw(axes[0], matrix(digit), "$x$")
draw(axes[1], z_edges[0, :, :, 0], "$dz = z$, channel 0", 1)
draw(axes[2], matrix(dx_edges), "$dx$", np.abs(dx_edges).max())
draw(axes[3], matrix(softer), "$x$ after 10 steps")
plt.show()

# %% [markdown]
# The pixels just inside a stroke are red: making them darker weakens the edge. Those just outside
# are blue: making them brighter weakens it too. So the steps blur the digit. They leave a fine grid
# on it, because both kernels give 0 on a checkerboard of single pixels: what the forward pass
# cannot see, $dx$ cannot change. In a network there is another layer below, and $dx$ is what this
# layer hands to it.
#
# ## Which pixels one output reaches
#
# With one 3 by 3 layer, an output lays its kernel down on 9 pixels. With two layers, each of these
# 9 lays down a kernel in turn, on 25 pixels in all. The pixels that one output sends its gradient
# to are the pixels that it sees. They are called its *receptive field*.
#
# If all weights are 1 and $dz$ is 1 at the output in the middle and 0 elsewhere, then $dx$ counts
# the paths by which the gradient reaches each pixel.


# %%
@functools.partial(jax.jit, static_argnums=0)
def path_counts(strides):
    """The dx of the middle output, through 3 by 3 layers with these strides."""
    ones, x, kept = jnp.ones((3, 3, 1, 1)), jnp.zeros((1, 9, 9, 1)), []
    for stride in strides:
        x, residuals = conv2d_forward(x, ones, jnp.zeros(1), 1, stride)
        kept.append((stride, residuals))
    middle = x.shape[1] // 2
    cotangent = jnp.zeros_like(x).at[0, middle, middle, 0].set(1.0)
    for stride, residuals in reversed(kept):
        cotangent, _, _ = conv2d_backward(1, stride, 1, 1, residuals, cotangent)
    return cotangent[0, :, :, 0]


stacks = {
    "1 layer": (1,),
    "2 layers": (1, 1),
    "3 layers": (1, 1, 1),
    "2 layers of stride 2": (2, 2),
}
counts = {name: np.asarray(path_counts(strides)) for name, strides in stacks.items()}
for name, count in counts.items():
    print(f"{name:22}{int((count > 0).sum())} pixels")
assert [int((count > 0).sum()) for count in counts.values()] == [9, 25, 49, 49]
assert counts["2 layers"].max() == 9 and counts["2 layers"].min() == 0

# %%
figure, axes = plt.subplots(1, 4, figsize=(7.6, 2.1), layout="constrained")
for ax, (name, count) in zip(axes, counts.items(), strict=True):
    numbers(ax, count, name, size=7, zero="")
plt.show()

# %% [markdown]
# The middle counts most: with two layers it is reached by 9 paths, a corner by one. Two layers of
# stride 2 see 49 pixels, just like three of stride 1, but unevenly: where two windows overlap the
# numbers double. Gradient images of networks with strides often show such a grid.
#
# ## What is saved
#
# (conv.4) needs $P$, and (conv.7) needs $W$. But the forward pass keeps `x` and `w`. With a 3 by 3
# kernel, stride 1 and the padding `"SAME"`, $P$ is 9 times as large as $x$. To rebuild it, the
# backward pass only copies slices of `x`. That is cheap compared with the matrix product, and
# memory is what a large network runs out of first. So $P$ is discarded after the forward pass and
# rebuilt in the backward pass.

# %%
x_large, w_large = jnp.ones((8, 28, 28, 16)), jnp.ones((3, 3, 16, 32))
z_large, residuals = conv2d_forward(x_large, w_large, jnp.zeros(32), "SAME", 1)
size_of_p = z_large[..., 0].size * w_large[..., 0].size  # rows times columns
print("saved:", [array.shape for array in residuals])
print(f"numbers in x {x_large.size:,}, in w {w_large.size:,}, in P {size_of_p:,}")
assert [array.shape for array in residuals] == [x_large.shape, w_large.shape]
assert size_of_p == 9 * x_large.size

# %% [markdown]
# ## The check
#
# Chapter 1 compared its gradient with autodiff of a reference implementation. The library's
# `check_vjp` does this and more, and prints one row per check. The reference is JAX's own
# convolution, which shares no code with ours. We use padding 1 and stride 2, so that every part of
# the derivation is exercised, and sizes that are all different.
#
# - *value*: the outputs agree;
# - *cotangents*: $dx$, $dW$ and $db$ agree with autodiff of the reference, for a random $dz$;
# - *differences*: they agree with small steps of our own forward, so autodiff is not needed;
# - *adjoint*: the output changes by exactly what the cotangents predict. As a function of any one
#   of its arguments a convolution is a straight line, so the step need not be small;
# - *exact*: on integers nothing is rounded, and every bit agrees;
# - *linearity*: twice the $dz$ gives twice the cotangents.


# %%
def reference(x, w, b):
    layout = ("NHWC", "HWIO", "NHWC")
    z = jax.lax.conv_general_dilated(x, w, (2, 2), ((1, 1), (1, 1)), dimension_numbers=layout)
    return z + b[None, None, None, :]


shapes = ("4x7x6x2", "3x5x2x8", "8")  # x, w, b
rows = ("value", "cotangents", "differences", "adjoint", "exact", "linearity")
properties = {"linear": (0, 1, 2), "exact": True}

strided = functools.partial(conv2d, padding=1, stride=2)
report = check_vjp(Rule(strided, reference, shapes, **properties), only=rows)
print(report)
assert report.passed

# %% [markdown]
# The lines below the table are no failures. They list points, here an infinite kernel, at which
# ours differs from the reference and nobody has said what should happen.
#
# Now a wrong rule: $dx$ with the kernel *not* rotated. It is the classic mistake in this chapter.
# The shapes are right, and so are $dW$ and $db$. A network whose only convolution is its first
# layer would even train as it should, since nobody needs the $dx$ of its images.


# %%
def not_rotated(residuals, dz):
    x, w = residuals
    _, dw, db = conv2d_backward(1, 2, 1, 1, residuals, dz)
    pre_rotated = (x, jnp.flip(w, (0, 1)))  # the backward rotates it again, which undoes this
    dx, _, _ = conv2d_backward(1, 2, 1, 1, pre_rotated, dz)
    return dx, dw, db


@jax.custom_vjp
def conv2d_not_rotated(x, w, b):
    return conv2d_forward(x, w, b, 1, 2)[0]


conv2d_not_rotated.defvjp(lambda x, w, b: conv2d_forward(x, w, b, 1, 2), not_rotated)

report = check_vjp(Rule(conv2d_not_rotated, reference, shapes, **properties), only=rows)
print(str(report).partition("\nsmallest")[0])  # leaves out an input that shows it, a long one
assert report.failures == ("cotangents", "differences", "adjoint", "exact")
assert all(report[name].where.startswith("dx") for name in report.failures[:3])

# %% [markdown]
# Four rows fail. In the first three of them the column *where* names the culprit, $dx$, and two
# also give the entry with the largest error. The lines below the table show an entry each, and what
# it should be. *value* notices nothing, since the forward pass is right. *linearity* notices
# nothing either: the wrong rule is still linear. Each row can detect some faults and is blind to
# others. That is why there are several.
#
# ## Exercises
#
# 1. Take the image and the kernel of this chapter with stride 1 and no padding, and let every entry
#    of $dz$ be 0 except $dz_{12} = 2$. Find $dW$, $db$ and $dx$.
#
#    *Answer:* $dW$ is twice the patch at $(1, 2)$, with the rows $(6, 4)$ and $(2, 2)$. $db = 2$.
#    $dx$ is zero except for $2W$ laid down at $(1, 2)$: row 1 ends in $2, 4$, and row 2 in $0, -2$.
#
# 2. Take a 5 by 5 image, a 2 by 2 kernel, stride 2 and no padding. Which pixels have $dx = 0$
#    whatever $W$ and $dz$ are?
#
#    *Answer:* the last row and the last column, 9 pixels. The windows begin at 0 and 2, and the
#    last one ends at 3.
#
# 3. For which kernels is the wrong rule of the last section right?
#
#    *Answer:* for those that a rotation by 180 degrees does not change, such as a kernel of ones. A
#    test with such a kernel cannot detect the fault.
#
# 4. What is a convolution with a 1 by 1 kernel and stride 1?
#
#    *Answer:* a dense layer from the channels of a pixel to those of the output, the same at
#    every pixel. $P$ is $x$ itself, with one row per pixel.
#
# The next cell checks these answers.

# %%
one = image([[0, 0, 0], [0, 0, 2], [0, 0, 0]])
dx, dw, db = conv2d_backward("VALID", 1, 1, 1, (x, w), one)
assert np.array_equal(matrix(dw), [[6, 4], [2, 2]]) and db[0] == 2
assert np.array_equal(matrix(dx), [[0, 0, 0, 0], [0, 0, 2, 4], [0, 0, 0, -2], [0, 0, 0, 0]])

dx, _, _ = conv2d_backward(
    "VALID", 2, 1, 1, (jnp.ones((1, 5, 5, 1)), w + 5), jnp.ones((1, 2, 2, 1))
)
unseen = np.zeros((5, 5), bool)
unseen[4, :] = unseen[:, 4] = True
assert unseen.sum() == 9
assert np.array_equal(matrix(dx) == 0, unseen)

assert np.array_equal(np.flip(np.ones((3, 2))), np.ones((3, 2)))

weights = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
by_dense = edge_maps.reshape(-1, 2) @ weights  # edge_maps has 2 channels
by_conv = conv2d(edge_maps, weights[None, None], jnp.zeros(3), "VALID")
assert jnp.allclose(by_dense.reshape(by_conv.shape), by_conv, atol=1e-5)
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_conv.py` has this derivation next to the code, with one line per equation.
# `tests/layers/test_conv.py` checks the layer as this chapter does, and with many more kernels,
# paddings and strides. The next chapter is pooling, which often follows a convolution.
