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
# # Chapter 1: the dense layer
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/01_dense.ipynb)
#
# A dense layer maps $m$ numbers to $n$ numbers. Each output is a weighted sum of all inputs, plus
# a constant. This chapter derives its gradient, equations (1) to (16), and repeats every step with
# numbers small enough to work out by hand.
#
# You need calculus (partial derivatives and the chain rule) and matrix products. You do not need
# to know back-propagation: by the end of this chapter you will have done it.
#
# The layer itself is in `ffnn_jax/layers/_dense.py`. This notebook imports it.

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
    dense_column,
    dense_column_backward,
    dense_forward,
    softmax,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)
from ffnn_jax.optim import momentum

# %% [markdown]
# ## What $dv$ means
#
# A network ends in one number, the loss $L$. To train it we need to know how $L$ changes when a
# weight changes. So for every array $v$ on the way to $L$ we write
#
# $$dv = \frac{\partial L}{\partial v}, \qquad (dv)_i = \frac{\partial L}{\partial v_i}.$$
#
# $dv$ has the shape of $v$ and is called the *cotangent* of $v$. Unlike in a calculus course, $dv$
# does not stand for a small change of $v$. It answers the question: if $v_i$ grows a little, how
# much does $L$ grow per unit of that growth?
#
# A layer does not know $L$; it knows only its own inputs and outputs. The next layer hands it $dz$,
# the cotangent of its output $z$. From $dz$ it computes the cotangents of everything that went in:
# $dx$, $dW$ and $db$. It then hands $dx$ to the previous layer, which produced $x$. This passing of
# cotangents from the last layer to the first is back-propagation.
#
# **Rows and columns.** On paper a data point is a column $x$, a batch is a matrix $X$ with one
# column per data point, and the layer is $Z = WX + b\mathbf{1}^T$. The library puts the batch
# first, with one *row* per data point, as JAX libraries do. Its arrays are the transposes:
# `x` is $X^T$, `w` is $W^T$, `z` is $Z^T$. Below we type matrices as they appear on paper and
# append `.T`.

# %% [markdown]
# ## One data point
#
# The layer multiplies by a matrix and adds a vector, $z = Wx + b$. Output by output:
#
# $$z_i = \sum_{j=1}^{m} W_{ij}\, x_j + b_i \tag{1}$$
#
# Our example has $m = 3$ inputs and $n = 2$ outputs:
#
# $$W = \begin{pmatrix} 1 & 2 & -1 \\ 0 & 3 & 1 \end{pmatrix}, \quad
# x = \begin{pmatrix} 2 \\ 1 \\ 3 \end{pmatrix}, \quad
# b = \begin{pmatrix} 1 \\ -2 \end{pmatrix}.$$
#
# By hand, from (1):
#
# $$z_1 = 1 \cdot 2 + 2 \cdot 1 - 1 \cdot 3 + 1 = 2, \qquad
# z_2 = 0 \cdot 2 + 3 \cdot 1 + 1 \cdot 3 - 2 = 4.$$

# %%
w = jnp.array([[1.0, 2.0, -1.0], [0.0, 3.0, 1.0]]).T
x = jnp.array([2.0, 1.0, 3.0])
b = jnp.array([1.0, -2.0])

z = dense_column(x, w, b)
print("z =", z)
assert jnp.array_equal(z, jnp.array([2.0, 4.0]))  # (1)

# %% [markdown]
# We need a loss, and any scalar will do. Take half the squared distance to a target
# $t = (-1, 5)$:
#
# $$L = \tfrac12 (z_1 - t_1)^2 + \tfrac12 (z_2 - t_2)^2 = \tfrac12 \cdot 9 + \tfrac12 \cdot 1 = 5.$$
#
# Its derivative is $dz_i = z_i - t_i$, so $dz = (3, -1)$. This is what the layer receives.

# %%
target = jnp.array([-1.0, 5.0])


def loss_of_column(x, w, b):
    return 0.5 * jnp.sum((dense_column(x, w, b) - target) ** 2)


dz = z - target
print("L =", loss_of_column(x, w, b), "  dz =", dz)
assert loss_of_column(x, w, b) == 5.0
assert jnp.array_equal(dz, jnp.array([3.0, -1.0]))

# %% [markdown]
# ### The input's cotangent
#
# Differentiate (1) with respect to one input. The sum in (1) already uses the letter $j$, so we
# call the output $l$ and the input $i$. In $z_l = \sum_j W_{lj} x_j + b_l$ only the term $j = i$
# contains $x_i$:
#
# $$\frac{\partial z_l}{\partial x_i} = W_{li} \tag{2}$$
#
# The chain rule sums over every path from $x_i$ to $L$, and there is one through each output:
#
# $$dx_i = \sum_{l=1}^{n} dz_l\, \frac{\partial z_l}{\partial x_i}
# = \sum_{l=1}^{n} dz_l\, W_{li} \tag{3}$$
#
# This is the dot product of column $i$ of $W$ and $dz$. For all inputs at once:
#
# $$dx = W^T dz \tag{4}$$
#
# By hand, from (3), with $dz = (3, -1)$:
#
# $$dx_1 = 3 \cdot 1 - 1 \cdot 0 = 3, \qquad
# dx_2 = 3 \cdot 2 - 1 \cdot 3 = 3, \qquad
# dx_3 = 3 \cdot (-1) - 1 \cdot 1 = -4.$$
#
# ### The parameters' cotangents
#
# Weight $W_{ij}$ is in row $i$, so it is a factor in output $i$ and in no other. The *Kronecker
# delta* puts this into a formula: $\delta_{il}$ is 1 if $i = l$, and 0 otherwise.
#
# $$\frac{\partial z_l}{\partial W_{ij}} = \delta_{il}\, x_j \tag{5}$$
#
# $$\frac{\partial z_l}{\partial b_i} = \delta_{il} \tag{6}$$
#
# The chain rule sums over the outputs $l$, as before. The delta is 0 in every term except
# $l = i$. It picks out that term, and the sum disappears. The index $i$ stays free: it says which
# weight is meant.
#
# $$dW_{ij} = \sum_{l=1}^{n} dz_l\, \frac{\partial z_l}{\partial W_{ij}}
# = \sum_{l=1}^{n} dz_l\, \delta_{il}\, x_j = dz_i\, x_j \tag{7}$$
#
# $$db_i = \sum_{l=1}^{n} dz_l\, \frac{\partial z_l}{\partial b_i}
# = \sum_{l=1}^{n} dz_l\, \delta_{il} = dz_i \tag{8}$$
#
# A matrix whose entry $(i, j)$ is $dz_i x_j$ is an outer product: a column times a row.
#
# $$dW = dz\, x^T \tag{9}$$
#
# $$db = dz \tag{10}$$
#
# By hand, from (7) and (8):
#
# $$dW = \begin{pmatrix} 3 \\ -1 \end{pmatrix} \begin{pmatrix} 2 & 1 & 3 \end{pmatrix}
# = \begin{pmatrix} 6 & 3 & 9 \\ -2 & -1 & -3 \end{pmatrix}, \qquad
# db = \begin{pmatrix} 3 \\ -1 \end{pmatrix}.$$

# %%
dx, dw, db = dense_column_backward((x, w), dz)
print("dx =", dx)
print("dW =", dw.T, sep="\n")
print("db =", db)
assert jnp.array_equal(dx, jnp.array([3.0, 3.0, -4.0]))  # (3), (4)
assert jnp.array_equal(dw.T, jnp.array([[6.0, 3.0, 9.0], [-2.0, -1.0, -3.0]]))  # (7), (9)
assert jnp.array_equal(db, jnp.array([3.0, -1.0]))  # (8), (10)

# %% [markdown]
# What do these numbers mean? $dW_{12} = 3$ means: if we add 0.01 to $W_{12}$, $L$ grows by about
# $0.01 \cdot 3 = 0.03$. Try it. By hand, $z_1$ becomes 2.01 and
# $L = \tfrac12 \cdot 3.01^2 + \tfrac12 = 5.03005$.

# %%
nudged = w.at[1, 0].add(0.01)  # W_12 on paper (row 1, column 2), transposed and zero-based
growth = float(loss_of_column(x, nudged, b) - loss_of_column(x, w, b))
print(f"dW_12 predicts {0.01 * float(dw[1, 0]):.5f}, L grew by {growth:.5f}")
assert abs(growth - 0.03005) < 1e-5

# %% [markdown]
# ## A batch
#
# Training passes $N$ data points through the layer at once. They do not interact: each has its own
# column, and all share the same $W$ and $b$.
#
# $$Z = \begin{pmatrix} W x^{(1)} + b & W x^{(2)} + b & \cdots & W x^{(N)} + b \end{pmatrix}
# \tag{11}$$
#
# Side by side, the columns form a matrix product. The row $\mathbf{1}^T = (1, \ldots, 1)$ of $N$
# ones copies $b$ into every column. JAX calls this copying *broadcasting*.
#
# $$Z = W X + b\, \mathbf{1}^T \tag{12}$$
#
# **The inputs.** $X$ and its cotangent have one column per data point:
#
# $$dX = \begin{pmatrix} dx^{(1)} & dx^{(2)} & \cdots & dx^{(N)} \end{pmatrix} \tag{13}$$
#
# Column $l$ of $Z$ depends only on column $l$ of $X$, so (4) holds for each column:
#
# $$dX = \begin{pmatrix} W^T dz^{(1)} & W^T dz^{(2)} & \cdots & W^T dz^{(N)} \end{pmatrix}
# = W^T dZ \tag{14}$$
#
# **The parameters.** Now $W_{ij}$ affects $L$ through every data point. The chain rule sums over
# all of them and, within each, over the outputs $k$. The delta removes the inner sum, as in (7),
# and leaves the outer one:
#
# $$\begin{aligned}
# dW_{ij} &= \sum_{l=1}^{N} \sum_{k=1}^{n} dz_k^{(l)}\, \frac{\partial z_k^{(l)}}{\partial W_{ij}}
# = \sum_{l=1}^{N} \sum_{k=1}^{n} dz_k^{(l)}\, \delta_{ik}\, x_j^{(l)}
# = \sum_{l=1}^{N} dz_i^{(l)}\, x_j^{(l)}, \\
# dW &= \sum_{l=1}^{N} dz^{(l)}\, x^{(l)T} = dZ\, X^T
# \end{aligned} \tag{15}$$
#
# $$\begin{aligned}
# db_i &= \sum_{l=1}^{N} \sum_{k=1}^{n} dz_k^{(l)}\, \frac{\partial z_k^{(l)}}{\partial b_i}
# = \sum_{l=1}^{N} \sum_{k=1}^{n} dz_k^{(l)}\, \delta_{ik}
# = \sum_{l=1}^{N} dz_i^{(l)}, \\
# db &= \sum_{l=1}^{N} dz^{(l)} = dZ\, \mathbf{1}
# \end{aligned} \tag{16}$$
#
# Compare the end of (12) with the end of (16). Forward, $\mathbf{1}^T$ copies $b$ to $N$ places.
# Backward, $\mathbf{1}$ adds up what comes back from those $N$ places. This is a rule for every
# layer: *what is broadcast forward is summed backward.*
#
# ### The numbers
#
# Keep the first data point and add a second, $x^{(2)} = (1, 0, -1)$, with target $(1, -1)$.
# The loss is the sum over the two. By hand:
#
# $$z^{(2)} = \begin{pmatrix} 1 + 0 + 1 + 1 \\ 0 + 0 - 1 - 2 \end{pmatrix}
# = \begin{pmatrix} 3 \\ -3 \end{pmatrix}, \qquad
# dz^{(2)} = \begin{pmatrix} 3 - 1 \\ -3 + 1 \end{pmatrix}
# = \begin{pmatrix} 2 \\ -2 \end{pmatrix}, \qquad
# dx^{(2)} = W^T dz^{(2)} = \begin{pmatrix} 2 \\ -2 \\ -4 \end{pmatrix}.$$
#
# The second data point has its own outer product, and (15) adds it to the first:
#
# $$dW = \begin{pmatrix} 6 & 3 & 9 \\ -2 & -1 & -3 \end{pmatrix}
# + \begin{pmatrix} 2 & 0 & -2 \\ -2 & 0 & 2 \end{pmatrix}
# = \begin{pmatrix} 8 & 3 & 7 \\ -4 & -1 & -1 \end{pmatrix}, \qquad
# db = \begin{pmatrix} 3 \\ -1 \end{pmatrix} + \begin{pmatrix} 2 \\ -2 \end{pmatrix}
# = \begin{pmatrix} 5 \\ -3 \end{pmatrix}.$$

# %%
batch = jnp.array([[2.0, 1.0, 3.0], [1.0, 0.0, -1.0]])  # one row per data point: X^T
targets = jnp.array([[-1.0, 5.0], [1.0, -1.0]])

z, residuals = dense_forward(batch, w, b)
dz = z - targets
dx, dw, db = dense_backward(residuals, dz)
print("z =", z, sep="\n")
print("dz =", dz, sep="\n")
print("dx =", dx, sep="\n")
print("dW =", dw.T, sep="\n")
print("db =", db)
assert jnp.array_equal(z, jnp.array([[2.0, 4.0], [3.0, -3.0]]))  # (11), (12)
assert jnp.array_equal(dz, jnp.array([[3.0, -1.0], [2.0, -2.0]]))
assert jnp.array_equal(dx, jnp.array([[3.0, 3.0, -4.0], [2.0, -2.0, -4.0]]))  # (13), (14)
assert jnp.array_equal(dw.T, jnp.array([[8.0, 3.0, 7.0], [-4.0, -1.0, -1.0]]))  # (15)
assert jnp.array_equal(db, jnp.array([5.0, -3.0]))  # (16)

# %% [markdown]
# The forward pass also returned `residuals`, which hold what the backward pass needs to remember.
# Equation (14) needs $W$ and (15) needs $X$, so they are `(x, w)`. No equation needs $b$ or $z$.
#
# ## What a gradient looks like
#
# A dense layer from the 784 pixels of a digit to 10 scores, one per class, can already recognise
# digits. Counting from 0, column 3 of `w` holds the 784 weights of class "3", so the gradient of
# that column is an image.
#
# After the layer comes the softmax loss, the subject of chapter 3. We need only one fact about it:
# it turns the scores of a data point into probabilities $p$, and hands back
# $dz_i = (p_i - \delta_{ci})/N$, where $c$ is the correct class. The $1/N$ is there because this
# loss is a *mean* over the batch.
#
# The next function is all of back-propagation: forward in order, then backward in reverse order.

# %%
train = load("mnist_5k", "train")
images = jnp.asarray(train.images.reshape(len(train), 784) / 255.0, jnp.float32)
labels = jnp.asarray(train.labels)


@jax.jit
def loss_and_gradients(params, x, labels):
    z, dense_residuals = dense_forward(x, params["w"], params["b"])
    loss, loss_residuals = softmax_cross_entropy_forward(z, labels)
    dz, _ = softmax_cross_entropy_backward(0.0, None, loss_residuals, jnp.ones(()))
    _, dw, db = dense_backward(dense_residuals, dz)
    return loss, {"w": dw, "b": db}


params = {"w": jnp.zeros((784, 10)), "b": jnp.zeros(10)}
rule = momentum(0.1, mu=0.9)
state = rule.init(params)
for step in range(20):
    rows = slice(100 * step, 100 * (step + 1))
    loss, gradients = loss_and_gradients(params, images[rows], labels[rows])
    updates, state = rule.update(gradients, state, params)
    params = optax.apply_updates(params, updates)
    if step % 5 == 0 or step == 19:
        print(f"step {step:2d}   batch loss {loss:.3f}")

# %% [markdown]
# Now look at one batch of 100 digits that these 20 steps have not used. By (15), data point $l$
# adds the outer product $dz^{(l)} x^{(l)T}$ to $dW$. In that product, the row for class "3", which
# belongs to column 3 of `w`, is the digit itself multiplied by one number, $dz_3^{(l)}$. Without
# the factor $1/N$, this number is $p_3 - 1$ for a digit that is a 3, and $p_3$ for one that is not.

# %%
sample, sample_labels = images[2000:2100], labels[2000:2100]
probabilities = softmax(dense(sample, params["w"], params["b"]))
pairs = ((3, 0), (3, 1), (8, 0), (0, 0))  # two 3s, an 8, a 0
pull = probabilities[:, 3] - (sample_labels == 3)  # N dz_3, one number per data point
chosen = [int(jnp.flatnonzero(sample_labels == digit)[nth]) for digit, nth in pairs]


def draw(ax, pixels, cmap, low, high, title):
    picture = ax.imshow(pixels.reshape(28, 28), cmap=cmap, vmin=low, vmax=high)
    ax.set_title(title, fontsize=11)
    ax.set_xticks([])
    ax.set_yticks([])
    return picture


figure, axes = plt.subplots(2, 4, figsize=(8.4, 4.7), layout="constrained")
limit = float(jnp.abs(pull[jnp.array(chosen)]).max())
for column, n in enumerate(chosen):
    title = f"a {sample_labels[n]},  $p_3$ = {probabilities[n, 3]:.2f}"
    digits = draw(axes[0, column], sample[n], "cividis", 0, 1, title)
    title = f"{pull[n]:+.2f} times the digit"
    terms = draw(axes[1, column], pull[n] * sample[n], "RdBu_r", -limit, limit, title)
figure.colorbar(digits, ax=axes[0], label="pixel $x_j$")
figure.colorbar(terms, ax=axes[1], label=r"$N\, dz_3\, x_j$")
figure.suptitle('Four data points, and what each adds to the gradient for class "3"')
plt.show()

# %% [markdown]
# A step goes *against* the gradient. The 3s are blue: a step raises the weights under their ink,
# so their score for "3" grows. The other digits are red: a step lowers the weights under theirs.
# How strongly each digit pulls depends on how wrong its $p_3$ is.
#
# The gradient of a batch is the mean of such images. Here it is for larger and larger batches.

# %%
sizes = (1, 10, 100, 1600)
figure, axes = plt.subplots(1, 4, figsize=(9.6, 3.45), layout="constrained")
for ax, size in zip(axes, sizes, strict=True):
    rows = slice(2000, 2000 + size)
    _, gradients = loss_and_gradients(params, images[rows], labels[rows])
    column = gradients["w"][:, 3]
    limit = float(jnp.abs(column).max())
    title = f"{size} data point{'s' if size > 1 else ''}"
    picture = draw(ax, column, "RdBu_r", -limit, limit, title)
    figure.colorbar(
        picture, ax=ax, location="bottom", shrink=0.8, ticks=[-limit, 0, limit], format="%.2f"
    )
figure.suptitle('The gradient $dW$ for class "3", by batch size')
plt.show()

# %% [markdown]
# One data point shows one digit. Ten show a pile of digits, two of them 3s. With more, strokes
# common to the 3s stay blue, strokes common to other digits stay red, and the quirks of individual
# handwriting average out. The scale under each image shrinks: red and blue cancel where the data
# points disagree.
#
# ## The gradient is a slope
#
# Walk from $W$ in the direction $-dW$ and watch the loss. At position $t$ on this walk the
# weights are $W - t\, dW$. The chain rule gives the slope at the start. Each weight
# changes at the rate $-dW_{ij}$, and $L$ changes by $dW_{ij}$ per unit of that change:
#
# $$\frac{d}{dt} L(W - t\, dW) \bigg|_{t=0} = \sum_{ij} dW_{ij} \cdot (-dW_{ij})
# = -\sum_{ij} dW_{ij}^2.$$
#
# So the gradient predicts the tangent to the curve, and we can measure whether it is right.

# %%
with jax.enable_x64(True):
    x64, w64, b64 = (jnp.asarray(v, jnp.float64) for v in (sample, params["w"], params["b"]))
    _, gradients = loss_and_gradients({"w": w64, "b": b64}, x64, sample_labels)
    dw = gradients["w"]

    def loss_at(t):
        return softmax_cross_entropy(dense(x64, w64 - t * dw, b64), sample_labels)

    start = float(loss_at(0.0))
    slope = -float(jnp.sum(dw**2))
    measured = float(loss_at(1e-4) - loss_at(-1e-4)) / 2e-4
    steps = np.linspace(-0.3, 1.4, 86)
    curve = np.asarray(jax.vmap(loss_at)(steps))

print(f"slope predicted by dW    {slope:.8f}")
print(f"slope measured on L      {measured:.8f}")
assert abs(slope - measured) < 1e-6 * abs(slope)

# %%
best = curve.argmin()
tangent = start + slope * steps
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(steps, curve, color="#0072B2", linewidth=2, label=r"loss $L(W - t\, dW)$")
ax.plot(steps, tangent, "--", color="#D55E00", linewidth=2, label="tangent predicted by $dW$")
ax.plot(0, start, "o", color="black", label="here, $t = 0$")
ax.plot(steps[best], curve[best], "s", color="#0072B2", label=f"lowest, $t = {steps[best]:.2f}$")
ax.set_ylim(curve.min() - 0.1, curve.max() + 0.03)
ax.set_xlabel("$t$, position along $-dW$")
ax.set_ylabel("loss of the 100 digits")
ax.set_title("The loss along the direction $-dW$")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# At $t = 0$ the line touches the curve, and the two slopes agree. Further along, the curve bends
# away. The gradient knows the slope here and nothing more, and a step that is too long climbs
# again. So training takes many short steps and computes a new gradient at each.
#
# ## The check
#
# A derivation can be wrong, and so can its code. So we compare it with an independent reference:
# JAX's automatic differentiation of the reference implementation. `jax.vjp` returns a function from
# $dz$ to the cotangents of all inputs. We compare every number it gives with ours.


# %%
def reference(x, w, b):
    return x @ w + b[None, :]


def largest_errors(layer):
    """The largest difference from autodiff in each cotangent, for random inputs and dz."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(1), 4)
        shapes = ((50, 40), (40, 30), (30,), (50, 30))  # N, D, K all different
        x, w, b, dz = (
            jax.random.normal(key, shape, jnp.float64)
            for key, shape in zip(keys, shapes, strict=True)
        )
        ours = jax.vjp(layer, x, w, b)[1](dz)
        autodiff = jax.vjp(reference, x, w, b)[1](dz)
        return [float(jnp.abs(u - v).max()) for u, v in zip(ours, autodiff, strict=True)]


def print_errors(title, errors):
    print(title)
    for name, error in zip(("dx", "dw", "db"), errors, strict=True):
        print(f"    {name}   {error:8.1e}   {'agrees' if error < 1e-9 else 'WRONG'}")


errors = largest_errors(dense)
print_errors("largest error of dense", errors)
assert max(errors) < 1e-9

# %% [markdown]
# An error of exactly 0 means that both computed the same sums in the same order. An error near
# $10^{-14}$ is the rounding error of sums taken in a different order.
#
# A check that cannot fail proves nothing. So here is a wrong rule: a bias gradient that averages
# over the batch where (16) sums. It is an easy mistake, since it has the right shape and the right
# direction, and training with it even works, only $b$ learns more slowly. The check must find it.


# %%
def wrong_backward(residuals, dz):
    dx, dw, _ = dense_backward(residuals, dz)
    return dx, dw, jnp.mean(dz, axis=0)  # (16) says sum


wrong_dense = jax.custom_vjp(lambda x, w, b: dense_forward(x, w, b)[0])
wrong_dense.defvjp(dense_forward, wrong_backward)

errors = largest_errors(wrong_dense)
print_errors("largest error of the planted fault", errors)
assert max(errors[:2]) < 1e-9 < errors[2]

# %% [markdown]
# Why does this work? A random $dz$ weights every output differently, so errors cannot cancel or
# hide as they can behind a $dz$ of ones. And float64 rounds so finely, near $10^{-16}$, that even
# a rule wrong by one part in ten thousand stands out.
#
# ## Exercises
#
# 1. In the example with one data point, let the loss hand back $dz = (1, 2)$. Find $dx$, $dW$ and
#    $db$ by hand.
#
#    *Answer:* $dx = (1, 8, 1)$, $dW$ has the rows $(2, 1, 3)$ and $(4, 2, 6)$, and $db = (1, 2)$.
#
# 2. A batch contains every data point twice. How does $dW$ change if the loss is a sum over the
#    batch? And if it is a mean?
#
#    *Answer:* for a sum, $dW$ doubles; for a mean, each $dz^{(l)}$ is halved and $dW$ stays the
#    same.
#
# 3. A layer adds one number $c$ to every entry of an $N \times K$ array, $z = x + c$. What are $dx$
#    and $dc$?
#
#    *Answer:* $dx = dz$, and $dc$ is the sum of all $NK$ entries of $dz$: broadcast forward, summed
#    backward.
#
# ## Where to look next
#
# `ffnn_jax/layers/_dense.py` has this derivation next to the code, with one line per equation.
# `tests/layers/test_dense.py` checks the layer as this chapter does, and in more ways.
