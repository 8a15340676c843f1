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
# CIFAR-10 holds 60,000 photographs of 32 by 32 pixels in colour, of ten classes from airplane to
# truck. They are much harder to tell apart than digits. The report that this package follows tried
# nine models on them, and trained each once. Here each was trained with many seeds.
#
# This notebook trains nothing and needs no photographs. It reads what was stored when the models
# were trained: accuracies, histories, counts of mistakes, and the filters of one network. So it
# runs anywhere in seconds. At the end it says how to train one yourself.

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
# The stored result holds some test images. They are not fair examples: they are those that one
# network got wrong with the greatest confidence. Look at each before you read its name below.

# %%
names = final["class_names"]
mistakes = final["mistakes"]
wall = Image.fromarray(np.hstack(np.array(mistakes["images"][:8], np.uint8)))
wall.resize((2 * wall.width, 2 * wall.height), Image.Resampling.NEAREST)

# %%
pairs = list(zip(mistakes["true"], mistakes["predicted"], strict=True))
for number, (true, predicted) in enumerate(pairs[:8], start=1):
    print(f"{number}  {names[true]:10} called {names[predicted]}")

# %% [markdown]
# ## What the models change
#
# Each model is a preset, so we can ask it. One letter stands for a layer: `C` for a convolution
# with 16 filters of 5 by 5, `R` for ReLU, `P` for max pooling, and `D` for a dense layer with its
# number of outputs.

# %%
LETTERS = {"Conv": "C", "ReLU": "R", "MaxPool": "P", "Dense": "D"}


def spelt(layer):
    assert not isinstance(layer, Conv) or (layer.filters, layer.size) == (16, 5)
    return LETTERS[type(layer).__name__] + str(getattr(layer, "units", ""))


models = {name: preset(f"cifar10-{name}") for name in MODELS}
print("model  layers                            steps   batch   rate")
for name, model in models.items():
    layers = " ".join(map(spelt, model.layers))
    print(
        f"{name:5}  {layers:33} {model.steps:6,} {model.batch_size:6}   {model.learning_rate:.4f}"
    )

# %% [markdown]
# Model 0 is the starting point, and each of the others asks one question about it:
#
# - **1** and **2**: what if the first ReLU is missing, or both?
# - **3**: does a third convolution help, behind a second pooling?
# - **4** and **5**: and a hidden dense layer after it, without or with a ReLU?
# - **6a**: and yet a fourth convolution, behind a third pooling?
# - **6b** and **7**: does the network of model 0 need other layers at all, or just more training?
#   6b takes twice the steps at half the rate, 7 takes batches twice as large.
#
# We check that the presets are what was trained, and count.

# %%
print("model  conv  relu  pool  dense   parameters   operations of the training")
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
# One thing here is odd. Model 3 has one layer of weights more than model 0, and half as many
# parameters. The reason is where the parameters are: not in the convolutions, but in the dense
# layer, which has a weight for each number that it is given and each class.

# %%
for name in ("0", "3"):
    dense = Network(models[name].layers, (32, 32, 3)).summary().rows[-2]
    share = dense.parameters / rows[name]["parameters"]
    print(
        f"model {name}: last layer {dense.formula:12} = {dense.parameters:6,}, {share:.0%} of all"
    )
assert rows["0"]["parameters"] > 1.9 * rows["3"]["parameters"]

# %% [markdown]
# The second pooling halves the height and the width once more. So the dense layer of model 3 is
# given a quarter of the numbers, and the third convolution costs less than this saves.
#
# ## How accurate they are
#
# Every model was trained with the same seeds. A seed decides the start, the order of the images,
# and which of them are held out for validation. The table gives the mean over the seeds, and the
# standard deviation from seed to seed.

# %%
accuracy = {name: 100 * np.array(rows[name]["test_accuracy"]) for name in MODELS}
print("model   test accuracy, %   seeds   the report's one run")
for name, values in accuracy.items():
    own = f"{values.mean():.1f} ± {values.std(ddof=1):.1f}"
    print(f"{name:5}   {own:16}   {len(values):5}   {100 * rows[name]['report']:.0f}")

assert accuracy["2"].mean() < accuracy["1"].mean() < accuracy["0"].mean()
assert min(accuracy[name].mean() for name in ("3", "4", "5", "6b", "7")) > accuracy["0"].mean() + 2
assert accuracy["6a"].mean() < accuracy["0"].mean() + 1

# %% [markdown]
# A network that guesses would have 10 %. Take the ReLUs away, and accuracy falls. In model 2
# nothing stands between the last convolution and the dense layer, and two linear layers in a row
# are no more than one. A third convolution helps. A fourth, on an image that pooling has shrunk to
# 4 by 4 by then, takes all of that back. And model 0 as it is gains about as much from more
# training as from more layers.
#
# Are 3 and 4 different, or 3 and 5? That is a hard question, and the next notebook is about it.
#
# ## Many curves of one model
#
# The file `table_3.jsonl` holds one line for each seed, with its whole history. Here is model 3.

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
# A thin blue line is a seed's accuracy on its training batches, averaged over many of them, so it
# is smooth and late. An orange dot is one look of one seed at a few validation images (every fifth
# look is shown), and the dots scatter widely. How widely should they? If a network is right with
# probability $p$, a share measured on $n$ images has the standard deviation $\sqrt{p(1-p)/n}$.

# %%
looked_at = models["3"].batch_size * models["3"].validation_batches
late = validation[:, -10:]  # the last ten looks of each seed
p = late.mean()
by_chance, seen = np.sqrt(p * (1 - p) / looked_at), np.sqrt(late.var(axis=0, ddof=1).mean())
print(f"{looked_at} images at a look: by chance alone the dots scatter by {by_chance:.3f}")
print(f"the dots of {len(runs)} seeds at one step scatter by {seen:.3f}")
assert 0.8 < seen / by_chance < 1.25

# %% [markdown]
# So the scatter tells us about the looking, and almost nothing about the networks. To compare them
# one needs more images: the test set has 10,000.
#
# ## Filters in colour
#
# The filters of the first convolution see three channels, so each can be drawn as a small picture.
# Grey is 0. Where a filter is green, green light counts for its answer, and red and blue light
# against. These are of the seed of model 3 with the best validation accuracy.

# %%
filters = np.array(final["filters"])
draw_filters(filters)

# %% [markdown]
# Some have one colour on one side and its opposite on the other, and answer to an edge between
# them. Others seem to be noise. In `07_mnist` we asked how much of such a pattern was there before
# training, so we ask again. The start depends on the seed alone, and is drawn anew.

# %%
network = Network(models["3"].layers, (32, 32, 3))
start = initial_state(
    network, momentum(models["3"].learning_rate), jax.random.key(final["best_seed"])
)
before = np.asarray(start.params["conv_1"]["w"])
kept = [
    np.corrcoef(before[..., k].ravel(), filters[..., k].ravel())[0, 1]
    for k in range(filters.shape[-1])
]
print(f"correlation with the start, by filter: {min(kept):.2f} to {max(kept):.2f}")
print(f"the weights became {filters.std() / before.std():.1f} times as large")
assert 0.4 < min(kept) < max(kept) < 0.95

# %% [markdown]
# Chance drew much of it here too, but training has added something of its own to every filter.
#
# ## Which classes it confuses
#
# The confusion matrix of the same seed: the true class by row, the network's answer by column.

# %%
confusion = np.array(final["best_confusion"])
assert confusion.sum() == 10_000
figure = draw_confusion(confusion, names)
figure.set_dpi(70)
display(figure)

# %% [markdown]
# Two blocks stand out, the animals and the vehicles. Which mistakes are the most frequent, and how
# often does a mistake stay inside its block?

# %%
wrong = np.where(np.eye(10, dtype=bool), 0, confusion)
for place in np.argsort(-wrong, axis=None)[:5]:
    true, said = np.unravel_index(place, wrong.shape)
    print(f"{wrong[true, said]:4} of {confusion[true].sum():,}: {names[true]} called {names[said]}")

vehicle = np.isin(names, ["airplane", "automobile", "ship", "truck"])
same = (vehicle[:, None] == vehicle[None, :]) & ~np.eye(10, dtype=bool)
share, expected = wrong[same].sum() / wrong.sum(), same.sum() / 90
print(f"{share:.0%} of the mistakes stay inside their block,", end=" ")
print(f"{expected:.0%} would if all 90 kinds of mistake were alike")
assert share > expected + 0.1

# %% [markdown]
# So the network has not learned ten unrelated things. When it errs it mostly errs towards what
# looks alike.
#
# One seed is one network. Is a class hard for all of them? The recall of a class is the share of
# its images that are called by its name. Here it is for all seeds of model 3.

# %%
confusions = np.array(rows["3"]["confusion"])
recall = np.diagonal(confusions, axis1=1, axis2=2) / confusions.sum(axis=2)
order = np.argsort(recall.mean(axis=0))
shown = rows["3"]["seeds"].index(final["best_seed"])

figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for place, k in enumerate(order):
    ax.plot(recall[:, k], np.full(len(recall), place), "|", color=BLUE, ms=8)
    ax.plot(recall[shown, k], place, "D", color=ORANGE, mfc="none", mew=1.6)
ax.plot([], [], "|", color=BLUE, ms=8, label="a seed")
ax.plot([], [], "D", color=ORANGE, mfc="none", mew=1.6, label="the seed shown above")
ax.set_yticks(range(10), [names[k] for k in order])
ax.set(xlabel="recall", title="The same model, seed by seed")
ax.grid(axis="x", alpha=0.3)
ax.legend(frameon=False, loc="lower right", fontsize=9)
plt.show()

# %% [markdown]
# Each class varies widely. The accuracy of the whole is the mean of the ten recalls, since each
# class has as many images. If the classes varied without regard to one another, their variances
# would add up, and the mean of ten would vary by $\frac{1}{10} \sqrt{s_1^2 + \ldots + s_{10}^2}$.
# Does it?

# %%
deviations = recall.std(axis=0, ddof=1)
unrelated = np.sqrt(np.sum(deviations**2)) / 10
overall = recall.mean(axis=1).std(ddof=1)
print("standard deviations from seed to seed:")
print(f"    recall of a class                   {deviations.min():.3f} to {deviations.max():.3f}")
print(f"    accuracy, were the classes unrelated  {unrelated:.3f}")
print(f"    accuracy                              {overall:.3f}")
assert np.allclose(recall.mean(axis=1), rows["3"]["test_accuracy"])
assert overall < 0.7 * unrelated < deviations.min()

# %% [markdown]
# The whole is steadier than its parts would make it. What a network gains in one class it tends to
# lose in another: it says "cat" more readily, and takes some dogs with it. So beware of a sentence
# such as "the network is best at ships" if it rests on one run.
#
# ## What accuracy costs
#
# Two costs can be counted without a clock: the operations of the whole training, and the
# parameters that have to be kept. Each point is a model, with the 95 % interval of its mean over
# the seeds. (The next notebook makes such an interval by hand.)


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
# The report chose model 3 as its final network, the orange one. Which models are better than it on
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
# CIFAR-10 has to be there first. In a terminal:
#
# ```sh
# ffnn-jax data prepare cifar10
# ffnn-jax train cifar10-final
# ```
#
# The first command downloads the photographs and checks what it got. The second trains model 3,
# whose other name is `cifar10-final`, and leaves a folder in `runs/` with the model, the curves,
# the filters, the confusion matrix and a page with all of them. It takes a minute or two on an
# ordinary processor. `--seeds 4` trains four networks together, `--steps 10000` trains for longer.
#
# From a clone of the repository you can also repeat one of the runs of this notebook. The command
# compares the parameters with those stored, bit for bit, and says so:
#
# ```sh
# python -m experiments.table_3 --model 3 --seed 7
# ```
#
# ## Exercises
#
# 1. How many numbers is the dense layer of model 6a given?
#
#    *Answer:* three poolings halve 32 to 4, and there are 16 channels: $4 \cdot 4 \cdot 16 = 256$.
#
# 2. The training of model 7 and of model 6b takes the same number of operations. Why?
#
#    *Answer:* both see the same number of images, $5000 \cdot 32 = 10000 \cdot 16$, with the same
#    network.
#
# 3. Why do `P R` and `R P` give the same output, for max pooling?
#
#    *Answer:* ReLU never puts a larger number below a smaller one. So it makes no difference
#    whether the largest is picked before or after. Pooling first is cheaper, since fewer numbers
#    are left for ReLU.

# %%
assert Network(models["6a"].layers, (32, 32, 3)).summary().rows[-2].inputs == "256"
assert rows["7"]["training_flops"] == rows["6b"]["training_flops"]
assert rows["3"]["train_seconds"] < 120

# %% [markdown]
# ## Where to look next
#
# `09_many_seeds` asks which differences between these models are real. `experiments/table_3.py`
# made the results, and `experiments/README.md` answers each claim of the report.
