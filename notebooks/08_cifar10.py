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
# # Nine networks for photographs
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/08_cifar10.ipynb)
#
# CIFAR-10 contains 60,000 colour photographs of 32 by 32 pixels in ten classes, from airplane to
# truck. The classes are much harder to tell apart than digits. The report that this package
# reproduces tried nine models on them and trained each once. Here each was trained with many seeds.
#
# This notebook does no training and needs no photographs. It reads the results that were stored
# when the models were trained: accuracies, histories, confusion matrices, and the filters of one
# network. So it runs anywhere in seconds. The last section shows how to train a model yourself.

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
from collections import Counter
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from PIL import Image
from scipy import stats

from ffnn_jax.config import Settings, preset
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv
from ffnn_jax.optim import momentum
from ffnn_jax.reporting import draw_confusion, draw_filters
from ffnn_jax.training import initial_state

BLUE, ORANGE = "#0072b2", "#d55e00"

results = Path("../experiments/results")
rows = json.loads((results / "table_3.json").read_text())["rows"]
final = json.loads((results / "final.json").read_text())

MODELS = ("0", "1", "2", "3", "4", "5", "6a", "6b", "7")
assert set(MODELS) <= set(rows)

# %% [markdown]
# ## The photographs
#
# The stored results include some test images. They are not typical examples: one network got them
# wrong, and with the greatest confidence. Look at each before you read its class below.

# %%
names = final["class_names"]
mistakes = final["mistakes"]
sheet = Image.fromarray(np.hstack(np.array(mistakes["images"][:8], np.uint8)))
sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.NEAREST)

# %%
pairs = list(zip(mistakes["true"], mistakes["predicted"], strict=True))
for number, (true, predicted) in enumerate(pairs[:8], start=1):
    print(f"{number}  {names[true]:10} classified as {names[predicted]}")

# %% [markdown]
# ## How the models differ
#
# Each model is a preset, so we can print its layers. One letter stands for each layer: `C` for a
# convolution with 16 filters of 5 by 5, `R` for ReLU, `P` for max pooling, and `D` for a dense
# layer, followed by its number of outputs.

# %%
LETTERS = {"Conv": "C", "ReLU": "R", "MaxPool": "P", "Dense": "D"}


def letter_of(layer):
    assert not isinstance(layer, Conv) or (layer.filters, layer.size) == (16, 5)
    return LETTERS[type(layer).__name__] + str(getattr(layer, "units", ""))


models = {name: preset(f"cifar10-{name}") for name in MODELS}
print("model  layers                            steps   batch   rate")
for name, model in models.items():
    layers = " ".join(map(letter_of, model.layers))
    print(
        f"{name:5}  {layers:33} {model.steps:6,} {model.batch_size:6}   {model.learning_rate:.4f}"
    )

# %% [markdown]
# Model 0 is the starting point, and each of the others asks one question about it:
#
# - **1** and **2**: what if the first ReLU is removed, or both?
# - **3**: does a third convolution help, after a second pooling?
# - **4** and **5**: does a hidden dense layer after that help, without or with a ReLU?
# - **6a**: does a fourth convolution help, after a third pooling?
# - **6b** and **7**: does the network of model 0 need more layers at all, or just more training? 6b
#   takes twice the steps at half the learning rate, and 7 uses batches twice as large.
#
# We check that the presets match the settings of the stored runs, and count.

# %%
print("model  conv  relu  pool  dense   parameters     training operations")
for name, model in models.items():
    stored = Settings.from_json({**rows[name]["settings"], "seed": 0})
    assert stored == model

    kinds = Counter(type(layer).__name__ for layer in model.layers)
    summary = Network(model.layers, (32, 32, 3)).summary()
    images = model.steps * model.batch_size
    operations = images * (summary.forward_flops + summary.backward_flops)
    assert (summary.parameters, operations) == (
        rows[name]["parameters"],
        rows[name]["training_flops"],
    )
    counts = "".join(f"{kinds[kind]:6}" for kind in ("Conv", "ReLU", "MaxPool", "Dense"))
    print(f"{name:4}{counts} {summary.parameters:12,} {operations / 1e12:18.2f} x 10^12")

# %% [markdown]
# One thing here looks odd. Model 3 has one more layer with weights than model 0, but half as many
# parameters. The reason is where model 0 has most of its parameters: not in the convolutions, but
# in the dense layer, which has one weight for each input and each class.

# %%
for name in ("0", "3"):
    dense = Network(models[name].layers, (32, 32, 3)).summary().rows[-2]
    share = dense.parameters / rows[name]["parameters"]
    print(
        f"model {name}: last layer {dense.formula:12} = {dense.parameters:6,}, {share:.0%} of all"
    )
assert rows["0"]["parameters"] > 1.9 * rows["3"]["parameters"]

# %% [markdown]
# The second pooling halves the height and the width once more. So the dense layer of model 3 has a
# quarter of the inputs, which saves more parameters than the third convolution adds.
#
# ## How accurate they are
#
# Every model was trained with the same seeds. A seed determines the initial weights, the order of
# the images, and which of them are held out for validation. The table gives the mean over the seeds
# and the standard deviation between seeds.

# %%
accuracy = {name: 100 * np.array(rows[name]["test_accuracy"]) for name in MODELS}
print("model   test accuracy, %   seeds   the report's single run")
for name, values in accuracy.items():
    ours = f"{values.mean():.1f} ± {values.std(ddof=1):.1f}"
    print(f"{name:5}   {ours:16}   {len(values):5}   {100 * rows[name]['report']:.0f}")

assert accuracy["2"].mean() < accuracy["1"].mean() < accuracy["0"].mean()
assert min(accuracy[name].mean() for name in ("3", "4", "5", "6b", "7")) > accuracy["0"].mean() + 2
assert accuracy["6a"].mean() < accuracy["0"].mean() + 1

# %% [markdown]
# A network that guesses would reach 10 %. Without the ReLUs, accuracy falls. In model 2 there is
# nothing between the last convolution and the dense layer, and two linear layers in a row can do no
# more than one. A third convolution helps. A fourth, on an image that pooling has by then shrunk to
# 4 by 4, undoes all of that gain. And model 0, unchanged, gains about as much from more training as
# from more layers.
#
# Do models 3 and 4 really differ, or 3 and 5? That is a hard question, and the subject of the next
# notebook.
#
# ## Learning curves of one model
#
# The file `table_3.jsonl` has one line per run, with its full history. Here is model 3.

# %%
lines = (results / "table_3.jsonl").read_text().split("\n")[:-1]
runs = [run for run in map(json.loads, lines) if run["row"] == "3"]
step, loss, training, validation = np.moveaxis([run["history"] for run in runs], -1, 0)

figure, ax = plt.subplots(figsize=(5.8, 2.9), layout="constrained")
ax.plot(step[0], training.T, color=BLUE, alpha=0.35, linewidth=0.7)
ax.plot(step[0, 4::5], validation[:, 4::5].T, ".", color=ORANGE, alpha=0.5, markersize=4)
ax.plot(step[0], training.mean(axis=0), color=BLUE, linewidth=2, label="training")
ax.plot(step[0], validation.mean(axis=0), color=ORANGE, linewidth=2, label="validation")
ax.set(xlabel="step", ylabel="accuracy", title=f"Model 3, {len(runs)} seeds and their mean")
ax.legend(frameon=False)
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# A thin blue line is one seed's accuracy on its training batches, averaged over many of them, so it
# is smooth and lags behind. An orange dot is one validation of one seed on a few images (every
# fifth is shown), and the dots scatter widely. How widely should they? If a network is right with
# probability $p$, the fraction of $n$ images that it gets right has the standard deviation
# $\sqrt{p(1-p)/n}$.

# %%
sample_size = models["3"].batch_size * models["3"].validation_batches
late = validation[:, -10:]  # the last ten validations of each seed
p = late.mean()
by_chance, observed = np.sqrt(p * (1 - p) / sample_size), np.sqrt(late.var(axis=0, ddof=1).mean())
print(f"{sample_size} images per validation: by chance alone the dots scatter by {by_chance:.3f}")
print(f"the dots of {len(runs)} seeds at one step scatter by {observed:.3f}")
assert 0.8 < observed / by_chance < 1.25

# %% [markdown]
# So the scatter tells us about the small samples, and almost nothing about the networks. Comparing
# networks takes more images: the test set has 10,000.
#
# ## Filters in colour
#
# The filters of the first convolution cover three channels, so each can be drawn as a small colour
# picture. Grey is 0. Where a filter is green, green light increases its output, and red and blue
# light decrease it. These filters belong to the seed of model 3 with the best validation accuracy.

# %%
filters = np.array(final["filters"])
draw_filters(filters)

# %% [markdown]
# Some have one colour on one side and its complement on the other, and respond to an edge between
# the two. Others look like noise. In `07_mnist` we asked how much of such a pattern was already
# there before training, and we ask again here. The initial weights depend only on the seed, so we
# can draw them again.

# %%
network = Network(models["3"].layers, (32, 32, 3))
start = initial_state(
    network, momentum(models["3"].learning_rate), jax.random.key(final["best_seed"])
)
before = np.asarray(start.params["conv_1"]["w"])
correlations = [
    np.corrcoef(before[..., k].ravel(), filters[..., k].ravel())[0, 1]
    for k in range(filters.shape[-1])
]
print(f"correlation with the initial filter: {min(correlations):.2f} to {max(correlations):.2f}")
print(f"the weights have become {filters.std() / before.std():.1f} times as large")
assert 0.4 < min(correlations) < max(correlations) < 0.95

# %% [markdown]
# Here too, much of the pattern was drawn by chance, but training has added something to every
# filter.
#
# ## Which classes it confuses
#
# This is the confusion matrix of the same seed, with the true class by row and the predicted class
# by column.

# %%
confusion = np.array(final["best_confusion"])
assert confusion.sum() == 10_000
figure = draw_confusion(confusion, names)
figure.set_dpi(70)
display(figure)

# %% [markdown]
# Two blocks stand out, the animals and the vehicles. Which mistakes are the most frequent, and how
# often does a mistake stay within its block?

# %%
wrong = np.where(np.eye(10, dtype=bool), 0, confusion)
for place in np.argsort(-wrong, axis=None)[:5]:
    true, guess = np.unravel_index(place, wrong.shape)
    count, total = wrong[true, guess], confusion[true].sum()
    print(f"{count:4} of {total:,}: {names[true]} classified as {names[guess]}")

vehicle = np.isin(names, ["airplane", "automobile", "ship", "truck"])
same = (vehicle[:, None] == vehicle[None, :]) & ~np.eye(10, dtype=bool)
share, expected = wrong[same].sum() / wrong.sum(), same.sum() / 90
print(f"{share:.0%} of the mistakes stay within their block,", end=" ")
print(f"{expected:.0%} would if all 90 kinds of mistake were equally likely")
assert share > expected + 0.1

# %% [markdown]
# So the network has not learned ten unrelated classes. When it is wrong, it mostly picks a class
# that looks similar.
#
# One seed gives one network. Is a class hard for all of them? The recall of a class is the fraction
# of its images that are classified correctly. Here it is for all seeds of model 3.

# %%
confusions = np.array(rows["3"]["confusion"])
recall = np.diagonal(confusions, axis1=1, axis2=2) / confusions.sum(axis=2)
order = np.argsort(recall.mean(axis=0))
shown = rows["3"]["seeds"].index(final["best_seed"])

figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for place, k in enumerate(order):
    ax.plot(recall[:, k], np.full(len(recall), place), "|", color=BLUE, ms=8)
    ax.plot(recall[shown, k], place, "D", color=ORANGE, mfc="none", mew=1.6)
ax.plot([], [], "|", color=BLUE, ms=8, label="one seed")
ax.plot([], [], "D", color=ORANGE, mfc="none", mew=1.6, label="the seed shown above")
ax.set_yticks(range(10), [names[k] for k in order])
ax.set(xlabel="recall", title="The same model, seed by seed")
ax.grid(axis="x", alpha=0.3)
ax.legend(frameon=False, loc="lower right", fontsize=9)
plt.show()

# %% [markdown]
# The recall of each class varies widely. The overall accuracy is the mean of the ten recalls, since
# every class has the same number of images. If the recalls varied independently of one another,
# their variances would add up, and the mean of the ten would have the standard deviation
# $\frac{1}{10} \sqrt{s_1^2 + \ldots + s_{10}^2}$. Does it?

# %%
deviations = recall.std(axis=0, ddof=1)
independent = np.sqrt(np.sum(deviations**2)) / 10
overall = recall.mean(axis=1).std(ddof=1)
print("standard deviations between seeds:")
print(f"    recall of a class                   {deviations.min():.3f} to {deviations.max():.3f}")
print(f"    accuracy, with independent classes  {independent:.3f}")
print(f"    accuracy                            {overall:.3f}")
assert np.allclose(recall.mean(axis=1), rows["3"]["test_accuracy"])
assert overall < 0.7 * independent < deviations.min()

# %% [markdown]
# The overall accuracy varies less than it would with independent classes. What a network gains in
# one class it tends to lose in another: if it predicts "cat" more readily, it also misclassifies
# some dogs. So beware of statements such as "the network is best at ships" that rest on a single
# run.
#
# ## What accuracy costs
#
# Two costs can be counted without a clock: the operations of the whole training run, and the
# parameters that have to be stored. Each point is a model, with the 95 % confidence interval of its
# mean over the seeds. (The next notebook computes such an interval by hand.)


# %%
def half_width(values):
    return stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))


figure, panels = plt.subplots(1, 2, figsize=(6.8, 3), sharey=True, layout="constrained")
costs = {
    "training_flops": (1e12, "operations, 10$^{12}$"),
    "parameters": (1e3, "parameters, thousands"),
}
for ax, (cost, (unit, label)) in zip(panels, costs.items(), strict=True):
    left = ("3", "6b") if cost == "training_flops" else ("7", "5")
    for name, values in accuracy.items():
        colour = ORANGE if name == "3" else BLUE
        x = rows[name][cost] / unit
        ax.errorbar(x, values.mean(), half_width(values), fmt="o", color=colour, ms=4, capsize=2)
        ax.annotate(
            name, (x, values.mean()), (-7 if name in left else 7, 0), textcoords="offset points",
            ha="right" if name in left else "left", va="center", color=colour, fontsize=9,
        )  # fmt: skip
    ax.set_xlabel(label)
    ax.margins(x=0.15)
    ax.grid(alpha=0.3)
panels[0].set_ylabel("test accuracy, %")
plt.show()

# %% [markdown]
# The report chose model 3, shown in orange, as its final network. Which models are better on
# average, and what do they cost?

# %%
for name in MODELS:
    gain = accuracy[name].mean() - accuracy["3"].mean()
    if gain > 0:
        times = [rows[name][cost] / rows["3"][cost] for cost in costs]
        print(f"model {name}: {gain:+.1f} points for {times[0]:.1f} times the operations", end=" ")
        print(f"and {times[1]:.1f} times the parameters")
cheaper = [n for n in MODELS if rows[n]["parameters"] < rows["3"]["parameters"]]
assert all(accuracy[name].mean() < accuracy["3"].mean() - 2 for name in cheaper)

# %% [markdown]
# ## Train one yourself
#
# This requires the CIFAR-10 images. In a terminal:
#
# ```sh
# ffnn-jax data prepare cifar10
# ffnn-jax train cifar10-final
# ```
#
# The first command downloads the photographs and verifies them. The second trains model 3, also
# known as `cifar10-final`, and creates a folder in `runs/` with the model, the curves, the filters,
# the confusion matrix and a page that shows them all. It takes a minute or two on an ordinary CPU.
# `--seeds 4` trains four networks together; `--steps 10000` trains for longer.
#
# In a clone of the repository you can also repeat one of the runs behind this notebook. The command
# compares its parameters with the stored ones, bit for bit, and prints the result:
#
# ```sh
# python -m experiments.table_3 --model 3 --seed 7
# ```
#
# ## Exercises
#
# 1. How many inputs does the dense layer of model 6a have?
#
#    *Answer:* three poolings reduce 32 to 4, and there are 16 channels: $4 \cdot 4 \cdot 16 = 256$.
#
# 2. Training model 7 takes the same number of operations as training model 6b. Why?
#
#    *Answer:* both see the same number of images, $5000 \cdot 32 = 10000 \cdot 16$, with the same
#    network.
#
# 3. Why do `P R` and `R P` give the same output, when `P` is max pooling?
#
#    *Answer:* ReLU never maps a larger number below a smaller one. So it makes no difference
#    whether the largest is picked before or after it. Pooling first is cheaper, since fewer numbers
#    are left for ReLU.

# %%
assert Network(models["6a"].layers, (32, 32, 3)).summary().rows[-2].inputs == "256"
assert rows["7"]["training_flops"] == rows["6b"]["training_flops"]
assert rows["3"]["train_seconds"] < 120

# %% [markdown]
# ## Where to look next
#
# `09_many_seeds` asks which differences between these models are real. `experiments/table_3.py`
# produced the results, and `experiments/README.md` examines each claim of the report.
