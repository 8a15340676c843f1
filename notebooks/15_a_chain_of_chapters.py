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
# # Chapter 15: a chain of chapters
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/15_a_chain_of_chapters.ipynb)
#
# Each chapter derived one layer, and knew nothing of the others. This chapter puts six of them in a
# row: convolution, batch normalisation, an activation, max pooling, a dense layer and the softmax
# loss. We call their forward functions from the first to the last, their backward functions from
# the last to the first, and pass the cotangent from hand to hand. There is no autodiff in between.
#
# Then we write the same network in plain JAX, with no layer of ours, let `jax.grad` differentiate
# it, and compare all gradients to nine digits. And we see what to do if one does not agree.
#
# From chapter 1 you need the notation: $dv$ is the cotangent of $v$, the derivative of the loss $L$
# with respect to each entry of $v$.

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

from ffnn_jax.data import load
from ffnn_jax.layers import (
    batch_norm_backward,
    batch_norm_forward,
    conv2d_backward,
    conv2d_forward,
    dense_backward,
    dense_forward,
    gelu_backward,
    gelu_forward,
    max_pool_backward,
    max_pool_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)

jax.config.update("jax_enable_x64", True)  # nine digits need float64
BLUE, ORANGE = "#0072b2", "#d55e00"

# %% [markdown]
# ## Why it is enough to know each layer
#
# Let a network be a chain of functions: $v_1 = f_1(x)$, $v_2 = f_2(v_1)$, and so on, up to the loss
# $L = f_m(v_{m-1})$. The entry $(v_{k-1})_i$ reaches the loss through the entries of $v_k$ alone,
# so the chain rule says
#
# $$(dv_{k-1})_i = \sum_l (dv_k)_l\, \frac{\partial (v_k)_l}{\partial (v_{k-1})_i}.$$
#
# The sum needs $dv_k$, which the layer behind hands over, and derivatives of $f_k$, which are this
# layer's own. Nothing else. So a layer may be derived once, for any cotangent, and works in every
# network. This is the contract of all our chapters:
#
# - `forward(inputs)` returns the output and the *residuals*, what the backward will need;
# - `backward(residuals, dz)` returns the cotangents of the inputs, in their order.
#
# The parameters are inputs, too. Their cotangents are the gradient. The cotangent of $x$ goes on to
# the layer before. At the very end stands $dL = 1$.
#
# ### By hand
#
# One image of four pixels, a kernel of one pixel with weight 2 and bias 1, max pooling over the
# whole image, a dense layer with the weights $(a, -a)$ and no bias, and two classes:
#
# $$x = \begin{pmatrix} 1 & 2 \\ 3 & 0 \end{pmatrix}, \quad
# v_1 = 2x + 1 = \begin{pmatrix} 3 & 5 \\ 7 & 1 \end{pmatrix}, \quad
# v_2 = 7, \quad v_3 = (7a, -7a), \quad L = -\log z_1.$$
#
# Choose $a$ so that $14 a = \log 3$. Then $e^{7a}$ is three times $e^{-7a}$, so
# $z = (\frac34, \frac14)$ and $L = \log \frac43$. Backwards, with class 1 correct:
#
# $$dv_3 = (\tfrac34 - 1, \tfrac14) = (-\tfrac14, \tfrac14), \qquad
# dv_2 = -\tfrac14 a + \tfrac14 (-a) = -\tfrac a2.$$
#
# The maximum was the pixel at the bottom left, so all of $dv_2$ goes there, and
#
# $$dv_1 = \begin{pmatrix} 0 & 0 \\ -\frac a2 & 0 \end{pmatrix}, \qquad
# dw = -\tfrac a2 \cdot 3, \qquad db = -\tfrac a2, \qquad
# dx = \begin{pmatrix} 0 & 0 \\ -a & 0 \end{pmatrix}.$$

# %%
a, one = np.log(3) / 14, jnp.ones(())
x = jnp.array([[1.0, 2.0], [3.0, 0.0]]).reshape(1, 2, 2, 1)
kernel, bias = jnp.array(2.0).reshape(1, 1, 1, 1), jnp.array([1.0])
weights, no_bias, label = jnp.array([[a, -a]]), jnp.zeros(2), jnp.array([0])

v1, conv_residuals = conv2d_forward(x, kernel, bias)
v2, pool_residuals = max_pool_forward(v1, 2)
v3, dense_residuals = dense_forward(v2, weights, no_bias)
loss, loss_residuals = softmax_cross_entropy_forward(v3, label)

dv3, _ = softmax_cross_entropy_backward(0.0, None, loss_residuals, one)
dv2, dweights, _ = dense_backward(dense_residuals, dv3)
(dv1,) = max_pool_backward(2, None, "VALID", pool_residuals, dv2)
dx, dkernel, dbias = conv2d_backward("SAME", 1, 1, 1, conv_residuals, dv1)

print("dx =", *np.round(dx.reshape(2, 2), 4).tolist(), "  a =", round(a, 4))
assert np.allclose(loss, np.log(4 / 3))
assert np.allclose(dv3, [[-1 / 4, 1 / 4]])
assert np.allclose(dv2, -a / 2)
assert np.allclose(dweights, [[-7 / 4, 7 / 4]])
assert np.allclose(dv1.reshape(2, 2), [[0, 0], [-a / 2, 0]])
assert np.allclose(dkernel, -3 * a / 2) and np.allclose(dbias, -a / 2)
assert np.allclose(dx.reshape(2, 2), [[0, 0], [-a, 0]])

# %% [markdown]
# Each layer saw only its own residuals and the cotangent from behind.
#
# ## A chain of six
#
# Now a real one, on 16 digits. Eight kernels of 5 by 5, batch normalisation, gelu, pooling
# over 2 by 2, a dense layer, and the loss with labels that are smoothed by 0.1 (chapter 3).

# %%
digits = load("mnist_5k", "train")
images, labels = jnp.asarray(digits.images[:16] / 255.0), jnp.asarray(digits.labels[:16])
SMOOTHING, EPS = 0.1, 1e-5
LAYERS = ("conv", "norm", "active", "pooled", "scores")

keys = jax.random.split(jax.random.key(0), 4)
params = {
    "kernels": jax.random.normal(keys[0], (5, 5, 1, 8)) / 5,
    "kernel_biases": jnp.zeros(8),
    "scale": 1 + jax.random.normal(keys[1], (8,)) / 4,
    "shift": jax.random.normal(keys[2], (8,)) / 4,
    "weights": jax.random.normal(keys[3], (14 * 14 * 8, 10)) / 200,
    "biases": jnp.zeros(10),
}


@jax.jit
def forward(params, images, labels):
    """The loss, every layer's output, and every layer's residuals, first layer first."""
    conv, kept_1 = conv2d_forward(images, params["kernels"], params["kernel_biases"])
    (norm, _, _), kept_2 = batch_norm_forward(conv, params["scale"], params["shift"], EPS)
    active, kept_3 = gelu_forward(norm)
    pooled, kept_4 = max_pool_forward(active, 2)
    scores, kept_5 = dense_forward(pooled, params["weights"], params["biases"])
    loss, kept_6 = softmax_cross_entropy_forward(scores, labels, SMOOTHING)
    outputs = {"conv": conv, "norm": norm, "active": active, "pooled": pooled, "scores": scores}
    return loss, outputs, (kept_1, kept_2, kept_3, kept_4, kept_5, kept_6)


loss, outputs, residuals = forward(params, images, labels)
print(f"loss {loss:.4f}")
for name in LAYERS:
    print(f"{name:8}", outputs[name].shape)
assert abs(loss - 2.3) < 0.5  # near log 10, the loss of knowing nothing

# %% [markdown]
# The backward reads from bottom to top. Two details are worth a look. Batch normalisation has three
# outputs, and this loss does not use the mean and the variance: an output that nobody uses has the
# cotangent 0. And the dense layer flattened its images; $dx$ comes back in the shape that $x$ had.


# %%
@jax.jit
def backward(residuals):
    """The cotangent of every layer's output and of the images, and the gradient."""
    kept_1, kept_2, kept_3, kept_4, kept_5, kept_6 = residuals
    dscores, _ = softmax_cross_entropy_backward(SMOOTHING, None, kept_6, jnp.ones(()))
    dpooled, dweights, dbiases = dense_backward(kept_5, dscores)
    (dactive,) = max_pool_backward(2, None, "VALID", kept_4, dpooled)
    (dnorm,) = gelu_backward(kept_3, dactive)
    unused = jnp.zeros(8)
    dconv, dscale, dshift = batch_norm_backward(EPS, kept_2, (dnorm, unused, unused))
    dimages, dkernels, dkernel_biases = conv2d_backward("SAME", 1, 1, 1, kept_1, dconv)
    cotangents = {
        "scores": dscores, "pooled": dpooled, "active": dactive, "norm": dnorm, "conv": dconv,
        "images": dimages,
    }  # fmt: skip
    gradient = {
        "kernels": dkernels, "kernel_biases": dkernel_biases, "scale": dscale, "shift": dshift,
        "weights": dweights, "biases": dbiases,
    }  # fmt: skip
    return cotangents, gradient


ON_THE_WAY_BACK = (*reversed(LAYERS), "images")
cotangents, gradient = backward(residuals)
for name in ON_THE_WAY_BACK:
    value = cotangents[name]
    print(f"d{name:8} {value.shape!s:18} norm {jnp.linalg.norm(value):.5f}")
assert all(cotangents[name].shape == value.shape for name, value in outputs.items())
assert all(gradient[name].shape == value.shape for name, value in params.items())

# %% [markdown]
# This is all that training needs. 200 steps down the gradient, with 16 other digits each:

# %%
for step in range(1, 201):
    rows = slice(16 * step, 16 * (step + 1))
    loss, _, kept = forward(params, digits.images[rows] / 255.0, digits.labels[rows])
    _, gradient = backward(kept)
    params = {name: value - 0.05 * gradient[name] for name, value in params.items()}
    if step % 100 == 0:
        print(f"step {step}: loss of the batch {loss:.3f}")

loss, outputs, residuals = forward(params, images, labels)
cotangents, gradient = backward(residuals)
print(f"loss of the first 16 digits, which were not among them: {loss:.3f}")
assert loss < 1.2

# %% [markdown]
# ## The same network without us
#
# Plain JAX, in the words of a textbook: `lax` for convolution and pooling, `jax.nn` for the rest.
# The smoothed label is $0.9$ times the one-hot label plus $0.01$ for each of the ten classes. We
# write one function for each layer, so that we can later start in the middle.


# %%
def plain_conv(params, x):
    layout = ("NHWC", "HWIO", "NHWC")
    z = jax.lax.conv_general_dilated(x, params["kernels"], (1, 1), "SAME", dimension_numbers=layout)
    return z + params["kernel_biases"]


def plain_norm(params, x):
    mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
    return params["scale"] * (x - mean) / jnp.sqrt(variance + EPS) + params["shift"]


def plain_active(params, x):
    return jax.nn.gelu(x, approximate=False)


def plain_pooled(params, x):
    window = (1, 2, 2, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")


def plain_scores(params, x):
    return x.reshape(len(x), -1) @ params["weights"] + params["biases"]


FUNCTIONS = (plain_conv, plain_norm, plain_active, plain_pooled, plain_scores)
PLAIN = dict(zip(LAYERS, FUNCTIONS, strict=True))


def plain_loss(params, x, after=None):
    """The loss of images x, or of the output x of the layer named ``after``."""
    for name in LAYERS[LAYERS.index(after) + 1 :] if after else LAYERS:
        x = PLAIN[name](params, x)
    targets = (1 - SMOOTHING) * jax.nn.one_hot(labels, 10) + SMOOTHING / 10
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(x), axis=1))


def error(ours, theirs):
    """The largest difference, relative to the largest entry."""
    return float(jnp.abs(ours - theirs).max() / jnp.abs(theirs).max())


autodiff = jax.jit(jax.value_and_grad(plain_loss, argnums=(0, 1)))
plain, (plain_gradient, plain_dimages) = autodiff(params, images)
print(f"loss {loss:.12f}, plain {plain:.12f}")
assert abs(loss - plain) < 1e-9

compared = {name: (gradient[name], plain_gradient[name]) for name in params}
left_out = compared.pop("kernel_biases")  # the next cell says why
compared["images"] = cotangents["images"], plain_dimages
for name, (ours, theirs) in compared.items():
    print(f"d{name:8} largest {jnp.abs(theirs).max():.5f}  agree: {error(ours, theirs) < 1e-9}")
    assert error(ours, theirs) < 1e-9

# %% [markdown]
# All of them agree. One gradient was left out of the list. A bias before batch normalisation is
# removed again with the mean, so its gradient is 0 on paper. On a computer it is what rounding
# leaves over, and two such leftovers have no digit in common.

# %%
print("rounding errors of 0:", *(bool(jnp.abs(v).max() < 1e-15) for v in left_out))
assert all(jnp.abs(v).max() < 1e-15 for v in left_out)

# %% [markdown]
# ## Watching it go back
#
# Until the dense layer the cotangents have the shape of images, so we can look at them. Here is one
# digit, and of each layer the same channel. Where a panel is red, a smaller value would lower the
# loss, and where it is blue, a larger one. Each panel has its own scale, given above it.

# %%
n = 2
channel = int(jnp.abs(cotangents["active"][n]).sum((0, 1)).argmax())
figure, axes = plt.subplots(1, 6, figsize=(10.4, 2.1), layout="constrained")
axes[0].imshow(images[n, :, :, 0], cmap="gray")
axes[0].set_title(f"a {labels[n]}", fontsize=10)
for ax, name in zip(axes[1:], ON_THE_WAY_BACK[1:], strict=True):
    picture = np.asarray(cotangents[name][n, :, :, channel if name != "images" else 0])
    limit = np.quantile(np.abs(picture), 0.98)
    ax.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(f"d{name}, $\\pm${limit:.0e}", fontsize=10)
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %% [markdown]
# Read from left to right, against the direction of the network. The dense layer spreads the loss
# over the pooled image. Pooling hands each cotangent to one pixel of four, and the other three get
# 0. Gelu multiplies by its slope: about 1 where its input is large, a half at 0, and next to
# nothing far below. Batch normalisation scales each channel, and subtracts the mean and the
# component along $\hat x$: a little from every pixel, too pale to be seen. The convolution adds up
# all eight channels, smoothed by their kernels, and the 8 appears again: this network would like
# its strokes to be changed.
#
# Three facts can be checked without autodiff: pooling moves cotangents and loses none, at most one
# pixel in four of $d\text{active}$ is not 0, and after batch normalisation the sum of every channel
# is 0, though hardly a pixel is.

# %%
assert np.allclose(cotangents["active"].sum((1, 2)), cotangents["pooled"].sum((1, 2)))
assert jnp.mean(cotangents["active"] != 0) <= 1 / 4
assert jnp.abs(cotangents["conv"].sum((0, 1, 2))).max() < 1e-15
assert jnp.mean(cotangents["conv"] != 0) > 0.99
print("all three hold")

# %% [markdown]
# ## Finding a broken link
#
# Suppose that the gradients had not agreed. Which layer is to blame? Every gradient before the
# fault is wrong, so the list of wrong gradients is long, and the fault is at its end. Compare the
# cotangents from the back. As long as they agree, all links so far are sound. The *first* that is
# wrong was returned by the broken layer.
#
# Let us break one. This is the classic fault of chapter 11, batch normalisation with its statistics
# held constant: $dx = \text{scale} \cdot \text{rstd} \cdot dz$.


# %%
@jax.jit
def broken_backward(residuals):
    """As before, up to batch normalisation, whose rule is wrong."""
    cotangents, _ = backward(residuals)
    _, _, rstd, scale = residuals[1]
    dconv = scale * rstd * cotangents["norm"]
    dimages, _, _ = conv2d_backward("SAME", 1, 1, 1, residuals[0], dconv)
    return cotangents | {"conv": dconv, "images": dimages}


@jax.jit
def plain_cotangents(params, outputs, images):
    """The cotangent of every layer's output, by autodiff of the rest of the plain network."""
    after = {name: jax.grad(plain_loss, 1)(params, outputs[name], name) for name in outputs}
    return after | {"images": jax.grad(plain_loss, 1)(params, images)}


expected, broken = plain_cotangents(params, outputs, images), broken_backward(residuals)
order = ON_THE_WAY_BACK
for name in order:
    wrong = error(broken[name], expected[name])
    print(
        f"d{name:8} with the fault: {'right' if wrong < 1e-9 else f'wrong by {100 * wrong:.1f} %'}"
    )
first = next(name for name in order if error(broken[name], expected[name]) > 1e-9)
print("first wrong:", first)
assert all(error(cotangents[name], expected[name]) < 1e-9 for name in order)
assert first == "conv"  # what batch normalisation returned

# %%
height = {
    "our chain": [error(cotangents[name], expected[name]) for name in order],
    "with the broken layer": [error(broken[name], expected[name]) for name in order],
}
figure, ax = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
for (title, values), style in zip(height.items(), ("o-", "s--"), strict=True):
    color = BLUE if style == "o-" else ORANGE
    ax.semilogy(range(len(order)), np.maximum(values, 1e-17), style, color=color, label=title)
ax.axhline(1e-9, color="0.5", lw=0.8)
ax.set_xticks(range(len(order)), [f"d{name}" for name in order])
ax.set_xlabel("on its way back, from left to right")
ax.set_ylabel("relative error")
ax.legend(frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# Up to $d\text{norm}$ both lie at the level of rounding. Then the broken layer adds its error, and
# it never goes away again. Note that $d\text{scale}$ and $d\text{shift}$, which the same layer
# returns, are right: a list of parameters alone would have pointed at the convolution.
#
# `check_vjp` of the other chapters is the better way round: it checks each layer by itself, before
# it is ever put in a chain. A chain of checked links needs no check of its own. This chapter made
# one anyway, once, and the links held.
#
# ## Exercises
#
# 1. The loss is multiplied by 3. Which of the six backward functions have to be changed?
#
#    *Answer:* none. The chain starts with $dL = 3$ instead of 1, and each backward is linear in the
#    cotangent that it receives. All gradients are three times as large.
#
# 2. A term $\frac1{10} \sum_c \text{mean}_c^2$ is added to the loss, with the means of the batch
#    normalisation. What changes in `backward`?
#
#    *Answer:* the mean is no longer unused. Its cotangent is $\frac15 \text{mean}$ instead of 0.
#
# 3. The pooled images are used twice, by the dense layer and by a second one with its own loss.
#    What does the pooling receive?
#
#    *Answer:* the sum of the two cotangents, as in (add.4) of chapter 11.

# %%
tripled, _ = softmax_cross_entropy_backward(SMOOTHING, None, residuals[5], jnp.array(3.0))
assert np.allclose(tripled, 3 * cotangents["scores"])

dmean = jnp.mean(outputs["conv"], (0, 1, 2)) / 5
received = cotangents["norm"], dmean, jnp.zeros(8)
with_means, _, _ = batch_norm_backward(EPS, residuals[1], received)


@jax.jit
def plain_loss_with_means(conv):
    return plain_loss(params, conv, "conv") + jnp.sum(jnp.mean(conv, (0, 1, 2)) ** 2) / 10


assert error(with_means, jax.grad(plain_loss_with_means)(outputs["conv"])) < 1e-9
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# In a network, `jax.grad` calls these backward functions for you, since each public function is a
# `jax.custom_vjp` of its pair. `ffnn_jax/network` puts layers in a row, and the table of chapters
# in `notebooks/guides/chapters.md` names the file, the test and the notebook of each.
