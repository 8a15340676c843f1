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
# # Chapter 2: the rectified linear unit
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/02_relu.ipynb)
#
# The rectified linear unit, ReLU, keeps positive numbers and replaces negative ones by 0. It has
# no weights, and its gradient is one line. This chapter derives that gradient, equations (17) to
# (19), and then dwells on the one point where calculus gives no answer: the kink at 0.
#
# From chapter 1 you need the notation. $dv$ is the cotangent of $v$: the derivative of the loss $L$
# with respect to each entry of $v$, in the shape of $v$. A layer receives $dz$, the cotangent of
# its output, and computes $dx$, the cotangent of its input.
#
# The layer itself is in `ffnn_jax/layers/_relu.py`. This notebook imports it.

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
import re

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from ffnn_jax.data import load
from ffnn_jax.layers import (
    conv2d,
    dense_backward,
    dense_forward,
    leaky_relu,
    relu,
    relu_backward,
    relu_forward,
    sigmoid,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
)
from ffnn_jax.optim import momentum
from ffnn_jax.verify import Kink, Rule, check_vjp

BLUE, ORANGE = "#0072B2", "#D55E00"

# %% [markdown]
# ## Definition
#
# Each output depends on one input only:
#
# $$z_i = \max(x_i, 0) \tag{17}$$
#
# By hand, for four inputs:
#
# $$x = (3, -2, 1, -4) \quad\Rightarrow\quad z = (3, 0, 1, 0).$$

# %%
x = jnp.array([3.0, -2.0, 1.0, -4.0])
z, positive = relu_forward(x)
print("z =", z)
assert jnp.array_equal(z, jnp.array([3.0, 0.0, 1.0, 0.0]))  # (17)

# %% [markdown]
# ### Why bend anything at all?
#
# Two dense layers in a row are only one dense layer:
#
# $$W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2).$$
#
# However many we stack, the result is a straight line. It cannot even represent $|x|$: a straight
# line that is 1 at $-1$ and 1 at $1$ is also 1 at 0. With a bend in between, two units are enough:
#
# $$|x| = \max(x, 0) + \max(-x, 0).$$
#
# The first layer outputs $(x, -x)$, the ReLU bends both, and the second layer adds them.

# %%
inputs = jnp.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
first, second = jnp.array([[1.0, -1.0]]), jnp.array([[1.0], [1.0]])
straight = (inputs @ first) @ second
bent = relu(inputs @ first) @ second
print("without ReLU:", straight.ravel())
print("with ReLU:   ", bent.ravel())
assert jnp.array_equal(straight, jnp.zeros_like(inputs))
assert jnp.array_equal(bent, jnp.abs(inputs))

# %% [markdown]
# ## The derivative
#
# Move $x_i$ by a small $h$ and see how far $z_i$ moves. Take $|h|$ smaller than $|x_i|$, so that
# $x_i$ and $x_i + h$ lie on the same side of 0.
#
# *To the right of zero* both are positive, and (17) keeps both:
#
# $$\frac{\max(x_i + h, 0) - \max(x_i, 0)}{h} = \frac{(x_i + h) - x_i}{h} = 1.$$
#
# *To the left of zero* both are negative, and (17) makes both 0:
#
# $$\frac{\max(x_i + h, 0) - \max(x_i, 0)}{h} = \frac{0 - 0}{h} = 0.$$
#
# The quotient does not depend on $h$, so its limit as $h \to 0$ is the same number:
#
# $$\frac{\partial z_i}{\partial x_i} = \begin{cases} 0 & \text{if } x_i < 0 \\
# 1 & \text{if } x_i > 0 \end{cases} \tag{18}$$
#
# ### The chain rule
#
# $x_i$ affects output $i$ and no other. With the Kronecker delta of chapter 1,
#
# $$\frac{\partial z_l}{\partial x_i} = \delta_{il}\, \frac{\partial z_i}{\partial x_i}.$$
#
# The chain rule sums over all outputs $l$. The delta leaves one term, $l = i$, and (18) gives the
# value of that term:
#
# $$dx_i = \sum_l dz_l\, \frac{\partial z_l}{\partial x_i}
# = \sum_l dz_l\, \delta_{il}\, \frac{\partial z_i}{\partial x_i}
# = dz_i\, \frac{\partial z_i}{\partial x_i}
# = \begin{cases} 0 & \text{if } x_i < 0 \\ dz_i & \text{if } x_i > 0 \end{cases} \tag{19}$$
#
# A ReLU is a row of gates. Forward, a positive number opens its gate. Backward, the cotangent
# passes where the gate is open and stops where it is shut.
#
# ### The numbers
#
# Our $x = (3, -2, 1, -4)$ opens gates 1 and 3. Let the next layer hand back $dz = (5, 7, -2, 4)$.
# By hand, from (19):
#
# $$dx = (5, 0, -2, 0).$$
#
# The sign of $dz_i$ plays no role: $-2$ passes and 7 does not. Only the sign of $x_i$ counts.

# %%
dz = jnp.array([5.0, 7.0, -2.0, 4.0])
(dx,) = relu_backward(positive, dz)
print("gate open:", positive)
print("dx =", dx)
assert jnp.array_equal(positive, jnp.array([True, False, True, False]))  # (18)
assert jnp.array_equal(dx, jnp.array([5.0, 0.0, -2.0, 0.0]))  # (19)

# %% [markdown]
# Test these numbers on a loss. The loss $L = 5 z_1 + 7 z_2 - 2 z_3 + 4 z_4$ has exactly this $dz$.
# By hand, $L = 5 \cdot 3 - 2 \cdot 1 = 13$.
#
# - Add $\tfrac14$ to $x_3$. $dx_3 = -2$ predicts that $L$ changes by $-\tfrac12$.
# - Add $\tfrac14$ to $x_2$. $dx_2 = 0$ predicts no change.
# - Add 3 to $x_2$. Now $x_2 = 1$ is past the kink, and $L$ grows by 7. The prediction is still 0.


# %%
def loss(x):
    return jnp.sum(dz * relu(x))


print("L =", loss(x))
print("x_3 + 1/4: L grows by", loss(x.at[2].add(0.25)) - loss(x))
print("x_2 + 1/4: L grows by", loss(x.at[1].add(0.25)) - loss(x))
print("x_2 + 3:   L grows by", loss(x.at[1].add(3.0)) - loss(x))
assert loss(x) == 13.0
assert loss(x.at[2].add(0.25)) - loss(x) == -0.5
assert loss(x.at[1].add(0.25)) - loss(x) == 0.0
assert loss(x.at[1].add(3.0)) - loss(x) == 7.0

# %% [markdown]
# The last line shows the weakness of this layer. A shut gate hands back 0, so its unit gets no hint
# of what opening it would do. A unit that is shut for every data point never learns again. It is
# called *dead*.
#
# ## At the kink
#
# Equation (18) says nothing about $x_i = 0$, and for good reason. From the right the quotient is
# $(h - 0)/h = 1$, from the left it is $(0 - 0)/h = 0$. The two do not agree, so there is no
# derivative.
#
# Something weaker exists. A number $s$ is a *subgradient* at 0 if the line $sx$ through the kink
# is nowhere above the curve:
#
# $$\max(x, 0) \geq s x \quad \text{for all } x.$$
#
# For $x > 0$ this says $x \geq s x$, so $s \leq 1$. For $x < 0$ it says $0 \geq s x$, so
# $s \geq 0$. Every $s$ from 0 to 1 will do, and no other will.

# %%
line = np.linspace(-2, 2, 65)  # in steps of 1/16, which float32 holds exactly
curve = np.asarray(relu(jnp.asarray(line)))
below = {s: bool(np.all(curve >= s * line)) for s in (-0.3, 0.0, 0.5, 1.0, 1.3)}
print("the line with slope s stays below the curve:", below)
assert below == {-0.3: False, 0.0: True, 0.5: True, 1.0: True, 1.3: False}

# %%
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(line, curve, color=BLUE, linewidth=3, label=r"$z = \max(x, 0)$")
for s in (0.0, 0.25, 0.5, 0.75, 1.0):
    label = "lines with a slope from 0 to 1" if s == 0.5 else None
    ax.plot(line, s * line, "--", color=ORANGE, linewidth=1.2, label=label)
ax.plot(line, 1.3 * line, ":", color="black", label="slope 1.3: above the curve on the right")
ax.plot(0, 0, "o", color="black")
ax.set_ylim(-1.2, 2)
ax.set_xlabel("$x$")
ax.set_ylabel("$z$")
ax.set_title("Lines through the kink")
ax.legend(frameon=False, fontsize=9, loc="upper left")
plt.show()

# %% [markdown]
# A program has to return *some* number, so we need a convention. **This library uses 0.** Then
# (19) has no gap left. If $[x_i > 0]$ stands for 1 when $x_i > 0$ and for 0 otherwise, it reads
#
# $$dx_i = dz_i\, [x_i > 0].$$
#
# Why 0, when to a mathematician any number in $[0, 1]$ is just as good?
#
# - *Off is off.* A unit whose output is 0 says nothing to the layers above. With slope 0 it also
#   hears nothing from them. The gate is open exactly where the output is positive.
# - *Exact zeros are common.* A black pixel is exactly 0, and so is padding. A filter without bias
#   gives exactly 0 on a black background. With slope 0 the empty background of an image does not
#   influence training.
# - *It is what others do.* `jax.nn.relu` uses 0 as well, so networks can be compared.
#
# Not everyone does, though. Autodiff of `jnp.maximum(x, 0)` treats the two arguments alike, and
# splits $dz$ in half.

# %%
at_zero = {
    "relu of this library": float(jax.grad(relu)(0.0)),
    "jax.nn.relu": float(jax.grad(jax.nn.relu)(0.0)),
    "jnp.maximum(x, 0)": float(jax.grad(lambda x: jnp.maximum(x, 0.0))(0.0)),
}
for name, slope in at_zero.items():
    print(f"{name:20s}  slope at 0: {slope}")
assert list(at_zero.values()) == [0.0, 0.0, 0.5]

# %% [markdown]
# Could a measurement decide? Take a central difference at 0:
#
# $$\frac{\max(h, 0) - \max(-h, 0)}{2h} = \frac{h - 0}{2h} = \frac12.$$
#
# It is $\tfrac12$ for every $h$. But this says more about the ruler than about the curve: it lies
# across the kink and averages the two sides. It gives $\tfrac12$ whatever the convention.

# %%
for h in (0.5, 0.25, 0.125):
    quotient = (relu(h) - relu(-h)) / (2 * h)
    print(f"h = {h:5.3f}   central difference {quotient}")
    assert quotient == 0.5

# %% [markdown]
# ## The gradient is a mask
#
# Now a real image. We slide one fixed filter over a digit. At each pixel it takes what is to the
# right minus what is to the left, over three rows. The result $x$ is positive where ink begins and
# negative where it ends. (Sliding a filter is a convolution, the subject of chapter 5. Here it only
# produces the input of our ReLU.) A dense layer predicts the class from the $28 \cdot 28 = 784$
# outputs $z$ of the ReLU, and the softmax loss, the subject of the next chapter, measures how wrong
# the prediction is.
#
# The next function runs the layers forward in order and backward in reverse order. It returns
# everything we want to look at.

# %%
train = load("mnist_5k", "train")
images = jnp.asarray(train.images[:2100] / 255.0, jnp.float32)
labels = jnp.asarray(train.labels[:2100])

kernel = jnp.tile(jnp.array([-1.0, 0.0, 1.0]), (3, 1)).reshape(3, 3, 1, 1)
maps = conv2d(images, kernel, jnp.zeros(1), "SAME", 1).reshape(-1, 784)


@jax.jit
def loss_and_cotangents(params, x, labels):
    z, positive = relu_forward(x)
    scores, dense_residuals = dense_forward(z, params["w"], params["b"])
    loss, loss_residuals = softmax_cross_entropy_forward(scores, labels)
    dscores, _ = softmax_cross_entropy_backward(0.0, None, loss_residuals, jnp.ones(()))
    dz, dw, db = dense_backward(dense_residuals, dscores)
    (dx,) = relu_backward(positive, dz)
    return loss, {"w": dw, "b": db}, positive, dz, dx


# %% [markdown]
# Twenty training steps give the dense layer an opinion, so that its $dz$ shows a pattern we can
# see.

# %%
params = {"w": jnp.zeros((784, 10)), "b": jnp.zeros(10)}
rule = momentum(0.05, mu=0.9)
state = rule.init(params)
for step in range(20):
    rows = slice(100 * step, 100 * (step + 1))
    batch_loss, gradients, *_ = loss_and_cotangents(params, maps[rows], labels[rows])
    updates, state = rule.update(gradients, state, params)
    params = optax.apply_updates(params, updates)
    if step in (0, 19):
        print(f"step {step:2d}   batch loss {batch_loss:.3f}")

# %% [markdown]
# Here is one digit that these steps did not use, followed from the image to $dx$.

# %%
n = 2000 + np.flatnonzero(train.labels[2000:] == 3)[0]
_, _, positive, dz, dx = loss_and_cotangents(params, maps[n : n + 1], labels[n : n + 1])
positive, dz, dx = np.asarray(positive), np.asarray(dz), np.asarray(dx)
assert np.array_equal(dx, dz * positive)  # (19)

limit = np.abs(dz).max()
panels = [
    ("the digit", train.images[n], "gray", 0, 255),
    ("$x$, filtered", np.asarray(maps)[n], "RdBu_r", -3, 3),
    ("the mask $[x > 0]$", positive, "gray", 0, 1),
    ("$dz$, received", dz, "RdBu_r", -limit, limit),
    ("$dx$, passed on", dx, "RdBu_r", -limit, limit),
]
figure, axes = plt.subplots(1, 5, figsize=(9.6, 2.2), layout="constrained")
for ax, (title, pixels, cmap, low, high) in zip(axes, panels, strict=True):
    ax.imshow(pixels.reshape(28, 28), cmap=cmap, vmin=low, vmax=high)
    ax.set_title(title, fontsize=11)
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %% [markdown]
# In $x$ red is positive, blue is negative, and white is 0. The mask is white where $x$ is red: on
# the left edges of the strokes. $dz$ is what the dense layer wants at each of the 784 positions:
# blue means more, since there $L$ falls when $z$ grows, and red means less. It is not limited to
# the strokes. $dx$ is $dz$ cut out along the mask. This is all that (19) does.
#
# ### Does the convention matter here?
#
# Look at the white background of $x$: there the input is *exactly* 0. Count how often this happens
# in 100 digits. Then give the filter a bias $b$, one number added to every entry of $x$. It is
# broadcast forward, so its cotangent $db$ is the sum of all entries of $dx$. Compute it with the
# slopes 0, $\tfrac12$ and 1 at 0.

# %%
x = maps[2000:2100]
_, _, positive, dz, _ = loss_and_cotangents(params, x, labels[2000:2100])
share = float(jnp.mean(x == 0))
print(f"{x.size} inputs, {share:.0%} of them exactly 0, {float(jnp.mean(positive)):.0%} above 0")

biases = {}
for slope in (0.0, 0.5, 1.0):
    biases[slope] = float(jnp.sum(dz * jnp.where(x == 0, slope, positive)))
    print(f"slope {slope} at 0:   db = {biases[slope]:+.3f}")
assert x.size == 78_400
assert 0.5 < share < 0.75
assert abs(biases[0.0] - float(jnp.sum(relu_backward(positive, dz)[0]))) < 1e-4
assert abs(biases[1.0] - biases[0.0]) > 1e-3

# %% [markdown]
# More than half of all inputs sit on the kink. The three conventions give three different
# gradients. So "it never happens in practice" is wrong, and a library must state what it does.
#
# A second corner case: `nan`, which is neither above nor below 0. In the forward pass it goes
# through, so that a broken computation shows. In the backward pass its gate is shut, since
# `nan > 0` is false.

# %%
z, positive = relu_forward(jnp.array([jnp.nan, jnp.inf, -jnp.inf]))
(dx,) = relu_backward(positive, jnp.array([3.0, 5.0, 7.0]))
print("z =", z, "  dx =", dx)
assert jnp.isnan(z[0]) and z[1] == jnp.inf and z[2] == 0.0
assert jnp.array_equal(dx, jnp.array([0.0, 5.0, 0.0]))

# %% [markdown]
# ## What is saved
#
# The backward pass runs long after the forward pass, and something must remember the gates for it.
# It could be $x$, or $z$, since $z_i > 0$ exactly where $x_i > 0$. But (19) needs only a yes or no
# for each entry. So the residual is the mask $[x > 0]$, one byte per entry instead of the four of
# float32.
#
# Take the first ReLU of a convolutional network: 100 images, $28 \times 28$ pixels, 16 channels.

# %%
shape = jax.ShapeDtypeStruct((100, 28, 28, 16), jnp.float32)
_, mask = jax.eval_shape(relu_forward, shape)  # shapes and dtypes only: nothing is computed
as_x = shape.size * shape.dtype.itemsize
as_mask = mask.size * mask.dtype.itemsize
print(f"entries {shape.size:,}   x: {as_x:,} bytes   mask: {as_mask:,} bytes ({mask.dtype})")
assert (shape.size, as_x, as_mask) == (1_254_400, 5_017_600, 1_254_400)

# %% [markdown]
# So 1.25 million bytes are kept instead of 5.02 million. (If the next layer keeps $z$ anyway, as a
# dense layer does, $z$ would cost nothing extra. But a layer does not know its neighbours.)
#
# ## Two relatives
#
# The same steps work for any function that acts on each entry separately: $dx_i$ is $dz_i$ times
# the slope at $x_i$. The library has two more, each derived in its own source file.
#
# - **Leaky ReLU**, (leaky.1) to (leaky.3): to the left of zero the slope is a small number instead
#   of 0, so no gate is ever completely shut.
# - **Sigmoid**, (sigmoid.1) to (sigmoid.6): $z = 1/(1 + e^{-x})$, a smooth switch from 0 to 1. Its
#   slope is $z(1 - z)$.

# %%
values = jnp.arange(-160, 161) / 32  # from -5 to 5; the middle one, index 160, is 0
curves = {
    "ReLU": (relu, BLUE, "-"),
    "leaky ReLU, slope 0.1": (lambda x: leaky_relu(x, 0.1), ORANGE, "--"),
    "sigmoid": (sigmoid, "black", "-."),
}
slopes = {name: jax.jit(jax.vmap(jax.grad(f)))(values) for name, (f, _, _) in curves.items()}
assert values[160] == 0

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for name, (f, color, style) in curves.items():
    left.plot(values, f(values), style, color=color, label=name)
    right.plot(values, slopes[name], style, color=color)
left.set_ylim(-0.7, 3)
left.set_title("$z$")
right.set_title("slope: what $dz$ is multiplied by")
left.legend(frameon=False, fontsize=9)
for ax in (left, right):
    ax.set_xlabel("$x$")
plt.show()

# %% [markdown]
# The right panel is what matters for training. The slope of the sigmoid is $\tfrac14$ at 0 and
# smaller everywhere else. Ten sigmoids in a row multiply a cotangent by at most
# $(\tfrac14)^{10}$, which is less than one millionth. Ten open ReLUs multiply it by 1. This is one
# reason why deep networks were hard to train with sigmoids.

# %%
assert slopes["sigmoid"][160] == 0.25 == slopes["sigmoid"].max()
assert 0.25**10 < 1e-6
assert set(np.asarray(slopes["ReLU"]).tolist()) == {0.0, 1.0}
assert jnp.allclose(slopes["leaky ReLU, slope 0.1"][:160], 0.1)
print(f"ten sigmoids: at most {0.25**10:.1e}, ten open ReLUs: {1.0**10}")

# %% [markdown]
# ## The check
#
# `check_vjp` compares a hand-derived rule with autodiff of a reference implementation, and with
# difference quotients, in float64 and for random $x$ and $dz$. The reference implementation is (17)
# typed directly. Autodiff differentiates that and knows nothing of our rule.
#
# Random numbers never hit 0 exactly. So we *tell* the checker where the kink is, and what our
# convention gives there: of $dz = (3, 5, 7)$ at $x = (-1, 0, 2)$, only the 7 passes. A `Rule` holds
# all that we say about an operation.


# %%
def reference(x):
    return jnp.maximum(x, 0.0)


kink = Kink(
    name="0",
    args=(np.array([-1.0, 0.0, 2.0]),),
    cotangent=np.array([3.0, 5.0, 7.0]),
    expected=(np.array([0.0, 0.0, 7.0]),),
)

rule = Rule(relu, reference, ("NxD",), batch="N", kinks=(kink,), empty_batch=True)
report = check_vjp(rule)
print(report)
assert report.passed
assert not {"kinks", "magnitudes", "empty batch"} & set(report.not_asked)

# %% [markdown]
# Read it row by row. `worst` is the largest error found, `allowed` is the largest that would still
# pass. Nearly every error is exactly 0, because a mask does not round. Only `differences`, which
# measures slopes with small steps, has rounding of its own. The other rows check that the rule
# survives what people do with it: compile it, map it, put it in a loop, pass it huge and tiny
# numbers (`magnitudes`), use float32 or less. The last line lists the checks that did not run, each
# with the reason.
#
# ### What wrong rules look like
#
# First, a gate that opens at `>=`. It differs from ours only at 0.


# %%
@jax.custom_vjp
def relu_open_at_zero(x):
    return relu_forward(x)[0]


relu_open_at_zero.defvjp(lambda x: (relu_forward(x)[0], x >= 0), relu_backward)

rows = ("value", "cotangents", "differences", "linearity", "zero", "kinks")
settings = {"kinks": [kink], "only": rows}


def short(report):
    """The table, and a line for each array that differs."""
    return re.split("\n(smallest|not asked)", str(report))[0]


report = check_vjp(relu_open_at_zero, reference, "NxD", **settings)
print(short(report))
assert report.failures == ("kinks",)
assert "dx[1] is 5, expected 0" in report.details[0]

# %% [markdown]
# The row `kinks` says where: at entry 1 of $dx$, counting from 0. The line below the table says
# how: the 5 passed where 0 was expected. No other row noticed anything. (`short` leaves out the end
# of the report: an input that shows the failure, what was not asked, and how to repeat it.)
#
# Next, the slope $\tfrac12$ at 0, which is what autodiff of the reference implementation gives.


# %%
@jax.custom_vjp
def relu_half_at_zero(x):
    return relu_forward(x)[0]


relu_half_at_zero.defvjp(
    lambda x: (relu_forward(x)[0], jnp.where(x == 0, 0.5, x > 0)),
    lambda slope, dz: (slope * dz,),
)

report = check_vjp(relu_half_at_zero, reference, "NxD", **settings)
print(short(report))
assert report.failures == ("kinks",)
assert "dx[1] is 2.5, expected 0" in report.details[0]

# %% [markdown]
# Half of the 5 came through. Now leave the kink out, and all three conventions pass. The checker
# does notice where two of them differ from autodiff, and lists it as a convention that was not
# declared. But which convention is meant only we can say.

# %%
for op in (relu, relu_open_at_zero, relu_half_at_zero):
    report = check_vjp(op, reference, "NxD", only=rows)
    print(f"{report.subject}: {report.verdict}", *report.conventions, sep="; ")
    assert report.passed and "kinks" in report.not_asked
    assert len(report.conventions) == (op is not relu_half_at_zero)

# %% [markdown]
# Finally, a fault away from the kink: gates that leak one thousandth of $dz$.


# %%
@jax.custom_vjp
def relu_leaking(x):
    return relu_forward(x)[0]


relu_leaking.defvjp(relu_forward, lambda positive, dz: (jnp.where(positive, dz, 1e-3 * dz),))

report = check_vjp(relu_leaking, reference, "NxD", **settings)
print(short(report))
assert report.failures == ("cotangents", "differences", "kinks")

# %% [markdown]
# Three rows detect it. The row `linearity` does not: a leak is still linear in $dz$. Each row
# asks a different question, and a rule has to answer all of them.
#
# ## Exercises
#
# 1. $x = (-1, 4, 0, 2)$ and $dz = (8, -3, 6, 1)$. Find $z$ and $dx$.
#
#    *Answer:* $z = (0, 4, 0, 2)$ and $dx = (0, -3, 0, 1)$. The third gate is shut by convention.
#
# 2. Derive the backward of $z_i = |x_i|$. What would be a good convention at 0?
#
#    *Answer:* the slope is $-1$ to the left of zero and 1 to the right, so $dx_i$ is $dz_i$ times
#    the sign of $x_i$. Every number in $[-1, 1]$ is a subgradient at 0. Zero is the natural choice:
#    it is the sign of 0, and it treats both sides alike.
#
# 3. One ReLU directly follows another. What does the second one do, forward and backward?
#
#    *Answer:* forward, nothing: its inputs are already at least 0. Backward, nothing either: its
#    gate is open exactly where the first one's is. The convention matters here too. With slope
#    $\tfrac12$ at 0, two ReLUs have slope $\tfrac12 \cdot \tfrac12 = \tfrac14$ there, and are no
#    longer the same as one.

# %%
z, positive = relu_forward(jnp.array([-1.0, 4.0, 0.0, 2.0]))
(dx,) = relu_backward(positive, jnp.array([8.0, -3.0, 6.0, 1.0]))
assert jnp.array_equal(z, jnp.array([0.0, 4.0, 0.0, 2.0]))
assert jnp.array_equal(dx, jnp.array([0.0, -3.0, 0.0, 1.0]))
assert jax.grad(lambda x: relu(relu(x)))(0.0) == 0.0
assert jax.grad(lambda x: relu_half_at_zero(relu_half_at_zero(x)))(0.0) == 0.25
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/layers/_relu.py` has this derivation next to the code. `tests/layers/test_relu.py`
# checks it. `ffnn-jax verify --layer relu` runs the full table from the command line. The next
# chapter turns scores into probabilities and derives the softmax loss.
