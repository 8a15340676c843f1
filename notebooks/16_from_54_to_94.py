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
# # From 54 % to 94 %
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/16_from_54_to_94.ipynb)
#
# The report ends at 54 % on CIFAR-10 and asks what would help. Its field has since reached 94 % in
# seconds. What lies between is a dozen ingredients, none of them deep: better inputs, a better
# start, a schedule, a normalisation, more of the same layers. This notebook adds them one at a
# time, with the same seeds, and measures what each is worth, up to the first rung of the ladder;
# the rungs above it have wider layers and train for longer. Every gradient is derived by hand.
#
# It reads stored results, as `08_cifar10` does, so it needs no photographs and runs in seconds.
# One section trains, for a moment, on the digits that come with the package. You need to know
# convolution (`05_convolution`), batch normalisation (`11_batch_norm`) and what a mean over seeds
# is (`09_many_seeds`).

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
# %matplotlib inline
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from ffnn_jax.data import load
from ffnn_jax.network import Network, compute_normalisation, normalise
from ffnn_jax.nn import BatchNorm, Conv, Dense, MaxPool, ReLU
from ffnn_jax.training import loss_and_gradients, make_loss

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"
plt.rcParams["figure.dpi"] = 72

results = Path("../experiments/results")
report = json.loads((results / "table_3.json").read_text())["rows"]
ladder = json.loads((results / "ladder.json").read_text())
path = json.loads((results / "ingredients.json").read_text())

# %% [markdown]
# ## The ladder
#
# A rung is a preset, trained with several seeds on all 50,000 training images, on one core of a
# processor each. Below are the nine models of the report, above them the rungs. Both axes count: a
# network that is twice as accurate and takes a hundred times as long has answered another
# question.

# %%
figure, axes = plt.subplots(figsize=(8, 4.4), layout="constrained")
for rows, colour in ((report, GREY), (ladder["rows"], BLUE)):
    for name, row in rows.items():
        if name.startswith("mnist"):
            continue
        mean = np.mean(row["test_accuracy"])
        axes.plot(row["train_seconds"], 100 * mean, "o", color=colour)
        if colour == BLUE:
            label = f"{name}, n = {len(row['seeds'])}"
            place = (row["train_seconds"], 100 * mean)
            axes.annotate(label, place, xytext=(-7, -4), textcoords="offset points", ha="right")
axes.set(xscale="log", xlabel="training, seconds of one core", ylabel="test accuracy, %")
axes.set_title("The report's models (grey) and the rungs of the ladder (blue)")
axes.grid(alpha=0.3)

# %% [markdown]
# ## One ingredient at a time
#
# Model 3 is the report's best of its size. Each row below keeps all ingredients above it and adds
# one. The seeds are the same in every row, so the difference between two rows is a mean of paired
# differences, drawn with its 95 % interval: blue where all of it is above 0, orange below, grey
# where it holds 0. With few seeds intervals are wide, and these are not corrected for the number
# of rows. All rows but the last two see 80,000 images, as model 3 does: what they gain is not
# gained by looking longer.

# %%
claims = path["claims"]
figure, axes = plt.subplots(figsize=(8, 5.4), layout="constrained")
for place, claim in enumerate(claims):
    low, high, gain = (100 * claim[key] for key in ("low", "high", "difference"))
    colour = GREY if low < 0 < high else BLUE if gain > 0 else ORANGE
    axes.plot([low, high], [place, place], color=colour, lw=3, solid_capstyle="butt")
    axes.plot(gain, place, "s", color=colour)
    mean = 100 * np.mean(path["rows"][claim["first"]]["test_accuracy"])
    text = f"{mean:.1f} %, n = {claim['n']}"
    axes.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
axes.axvline(0, color="black", lw=0.8)
axes.set_yticks(range(len(claims)), [f"+ {claim['first']}" for claim in claims])
axes.set(ylim=(len(claims) - 0.4, -0.6), xlabel="points of test accuracy against the row above")
axes.set_title("What each ingredient is worth")
axes.grid(axis="x", alpha=0.3)

# %% [markdown]
# The deeper, wider network is the surprise: with the optimiser of the rows above it is worse than
# model 3. What it lacks is the next row, batch normalisation. Two warnings: nothing was tuned for
# a row, so an ingredient that is worth nothing here may be worth something at rates of its own;
# and the order matters, since what comes late has less left to gain.
#
# ## What whitening sees
#
# The first layer of every rung is fixed before training begins. It looks at patches of 2 by 2
# pixels of three colours, twelve numbers. Neighbouring pixels are alike, so these numbers carry
# much less than twelve numbers could. Their covariance over the first 5,000 training images says
# how much:

# %%
covariance = np.array(ladder["patch_covariance"])
variances, directions = np.linalg.eigh(covariance)
variances, directions = variances[::-1], directions[:, ::-1]
share = variances / variances.sum()
print(f"the first of 12 directions has {share[0]:.1%} of the variance")
print(f"the first 3 have {share[:3].sum():.1%}")
print(f"the largest variance is {variances[0] / variances[-1]:,.0f} times the smallest")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
image = left.imshow(covariance, cmap="viridis")
figure.colorbar(image, ax=left, shrink=0.8)
left.set_title("covariance of the 12 numbers of a patch")
right.semilogy(range(1, 13), variances, "o", color=BLUE, label="of patches")
right.semilogy(range(1, 13), variances / (variances + 5e-4), "s", color=ORANGE, label="whitened")
right.set(xlabel="direction", title="variance along each direction", xticks=range(1, 13))
right.legend(frameon=False)
right.grid(alpha=0.3)

# %% [markdown]
# A convolution that starts from random kernels sees mostly the first direction, over and over. The
# whitening layer, equation (whitening.3), divides each direction by its standard deviation, so
# that the next layer receives all of them at the same scale. These are the directions as patches,
# in order of variance. The first is brightness, the second a colour, the next two are edges; the
# last are colours along the diagonals:

# %%
figure, panels = plt.subplots(2, 6, figsize=(8, 2.9), layout="constrained")
for number, (panel, direction) in enumerate(zip(panels.flat, directions.T, strict=True), start=1):
    patch = direction.reshape(2, 2, 3)
    panel.imshow(0.5 + patch / (2 * np.abs(patch).max()))
    panel.set_title(f"{number}", fontsize=9)
    panel.axis("off")

# %% [markdown]
# ## What batch normalisation does to gradients
#
# The deeper network of the ladder has seven convolutions. Without normalisation the size of its
# activations multiplies from layer to layer, and so does that of its gradients. Here is a small
# version on the digits that come with the package: the norm of each kernel's gradient, relative to
# the norm of the kernel, for kernels that start smaller or larger than they should by a factor.

# %%
digits = load("mnist_5k", "train")
pixels, labels = digits.images[:256], jnp.asarray(digits.labels[:256])
x = normalise(jnp.asarray(pixels), compute_normalisation([pixels], 1 / 255, "channel-mean-sd"))


def deep(normalised, scale):
    """Six convolutions, with or without batch normalisation, whose kernels start this large."""
    layers = []
    for width in (8, 16, 16):
        conv = Conv(width, 3, bias=not normalised, init_scale=scale)
        norm = [BatchNorm(scale=False)] if normalised else []
        layers += [conv, MaxPool(2), *norm, ReLU(), conv, *norm, ReLU()]
    return Network((*layers, Dense(10)), (28, 28, 1))


def relative_gradients(network):
    """|dW| / |W| of each convolution at the start."""
    params, state = network.init(jax.random.key(0))
    loss_of = make_loss(network, "float32")
    _, _, _, grads = loss_and_gradients(
        loss_of, params, jax.tree.map(lambda a: None, params), state, (x, labels, None), False
    )
    kernels = [(grads[name]["w"], params[name]["w"]) for name in params if "conv" in name]
    return [float(jnp.linalg.norm(dw) / jnp.linalg.norm(w)) for dw, w in kernels]


figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for panel, normalised in zip(axes, (False, True), strict=True):
    for scale, colour in ((0.25, GREY), (1.0, BLUE), (4.0, ORANGE)):
        ratios = relative_gradients(deep(normalised, scale))
        panel.semilogy(range(1, 7), ratios, "o-", color=colour, label=f"start times {scale:g}")
    panel.set(xlabel="convolution", title="with batch norm" if normalised else "without")
    panel.grid(alpha=0.3)
axes[0].set_ylabel("|dW| / |W|")
axes[1].legend(frameon=False)

# %% [markdown]
# Without it, kernels that are 4 times as large make relative gradients hundreds of times as large,
# and kernels a quarter as large hundreds of times as small: a learning rate suits one start only.
# With it, the output does not depend on the kernel's size, so the gradient goes by its inverse,
# and the relative gradient by the inverse of its square: 16 times, whichever way. A kernel that
# has grown too large then moves less, and one that is too small moves more. That is what allows
# the ladder's large rates.
#
# ## Which classes each rung learns
#
# The confusion matrices of all seeds are stored, but for those of 3.25 epochs with one view. A row
# of the picture is a row of the path, a column a class, and the number is the share of its 1,000
# test images that are classified correctly.

# %%
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
names = [name for name, row in path["rows"].items() if "confusion" in row]
confusions = [np.mean(path["rows"][name]["confusion"], axis=0) for name in names]
recall = np.array([np.diag(c) / np.sum(c, axis=1) for c in confusions])
figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
axes.imshow(recall, cmap="viridis", vmin=0, vmax=1, aspect="auto")
for (row, column), value in np.ndenumerate(recall):
    colour = "white" if value < 0.6 else "black"
    axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour, fontsize=8)
axes.set_xticks(range(10), CLASSES, rotation=40, ha="right")
axes.set_yticks(range(len(names)), ["model 3" if n == "3" else f"+ {n}" for n in names])
axes.set_title("share of a class's test images that are classified correctly, %")

# %%
gains = recall[-1] - recall[0]
hardest = recall.argmin(axis=1)
print("hardest class of each row:", ", ".join(dict.fromkeys(CLASSES[c] for c in hardest)))
for index in np.argsort(-gains):
    before, after = recall[[0, -1], index]
    print(f"{CLASSES[index]:11s} {100 * before:3.0f} % -> {100 * after:3.0f} %")

# %% [markdown]
# ## Which images each rung learns
#
# Classes are averages. Image by image, the rungs are not a ladder in the strict sense: each one
# gets images wrong that the one below got right. Call an image learned by the lowest rung from
# which on every rung is right. With one seed of each:

# %%
images = json.loads((results / "images_learned.json").read_text())
rungs, learned_by = images["rungs"], np.array(images["learned_by"])
print("rung             right  learned  gained   lost  by another seed")
for name, row in rungs.items():
    cells = (row["right"], row["learned"], row["gained"], row["lost"], row["changed_by_seed"])
    print(f"{name:15s}" + "".join(f"{'-' if c is None else c:>8}" for c in cells))
none = int((learned_by == len(rungs)).sum())
print(f"no rung learned {none} of {len(learned_by)};", end=" ")
print(f"{images['lost_at_the_top']} of these were right on a lower rung")

figure, axes = plt.subplots(figsize=(8, 2.2), layout="constrained")
left, names = 0, [*rungs, "no rung"]
for level, name in enumerate(names):
    count = int((learned_by == level).sum())
    colour = GREY if level == len(rungs) else plt.cm.Blues(0.35 + 0.5 * level / len(rungs))
    axes.barh([0], [count], left=left, color=colour)
    label = f"{name.removeprefix('cifar10-')}\n{count}"
    axes.text(left + count / 2, 0, label, ha="center", va="center", fontsize=8)
    left += count
axes.set(yticks=[], xlabel="test images, by the rung that learns them", xlim=(0, left))

# %% [markdown]
# "Gained" are images that are right here and wrong one rung below, "lost" the other way round. The
# last column is the measure of chance: so many images change sides if only the seed changes. Near
# the top that number is of the order of what a rung gains and loses.
#
# [The picture](../experiments/results/images_learned.png) shows ten images of each kind, the first
# of the test set: what model 3 sees at once, what takes a deeper network, and what none can tell.
#
# ## Your turn
#
# `ffnn-jax train cifar10-minute` trains the first rung, with a page at the end. To try an
# ingredient of your own, change the preset's settings:
#
# ```python
# from dataclasses import replace
# from ffnn_jax.config import preset
# from ffnn_jax.runs import compute
#
# result = compute(replace(preset("cifar10-minute"), label_smoothing=0.1))
# ```
#
# Choose by images that you hold out (`validation=Validation("last", 5000)`), and look at the test
# images once.
