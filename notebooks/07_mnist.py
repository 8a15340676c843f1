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
# # Reading digits
#
# The chapters before this one derived layers. Here they work together. A network with two
# convolutions learns to read handwritten digits, and we look at all that comes out of it: its
# curves, its filters, its mistakes, and in the end its answer for a digit that you draw.
#
# The digits are 5,000 of MNIST's. They come with the installation, so nothing is downloaded, and
# training takes seconds. You need to know what a network and a loss are. You need no mathematics
# here beyond fractions.

# %%
# %matplotlib inline
import dataclasses
import math
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from PIL import Image, ImageDraw

from ffnn_jax.config import preset
from ffnn_jax.data import load_splits
from ffnn_jax.models import load, predict_files, save
from ffnn_jax.network import Network
from ffnn_jax.optim import momentum
from ffnn_jax.reporting import (
    draw_confusion,
    draw_curves,
    draw_filters,
    draw_misclassified,
    precision_recall_table,
)
from ffnn_jax.runs import compute, most_confident_errors
from ffnn_jax.training import initial_state

# %% [markdown]
# ## The settings
#
# A run is decided by one value, its *settings*. A *preset* is a setting with a name. The preset
# "quickstart" is the report's network for MNIST, on the installed digits. We take it with fewer
# steps, and look at the validation images more often. The value is frozen: `replace` makes another
# one and leaves the first as it was.

# %%
settings = dataclasses.replace(preset("quickstart"), steps=400, validation_interval=20)
for name in ("dataset", "steps", "batch_size", "learning_rate", "momentum", "weight_decay", "seed"):
    print(f"{name:14}{getattr(settings, name)}")
print("layers", *settings.layers, sep="\n    ")

# %% [markdown]
# ## The network
#
# These descriptions become a network as soon as we say what an image is: 28 rows, 28 columns, one
# channel of grey. `summary` lists every layer with its parameters and its work.

# %%
network = Network(settings.layers, (28, 28, 1))
summary = network.summary()
display(Markdown(summary.to_markdown()))
print(f"{summary.parameters:,} parameters")

# %% [markdown]
# Check a row by hand. The second convolution has 16 filters. Each looks at a window of 5 by 5
# pixels in all 16 channels, and adds one bias: $(5 \cdot 5 \cdot 16 + 1) \cdot 16 = 6416$
# parameters. It makes $14 \cdot 14 \cdot 16$ numbers, and each is a sum of $5 \cdot 5 \cdot 16$
# products. A product and its addition count as two operations.
#
# The backward of a layer computes $dw$ and $dx$, and each costs as much as the forward: twice the
# work. The first convolution does half of that. Its $dx$ would be the gradient of the image, and
# nobody asks for it.

# %%
first, second = summary.rows[1], summary.rows[4]
assert second.parameters == (5 * 5 * 16 + 1) * 16 == 6416
assert second.forward_flops == 2 * (14 * 14 * 16) * (5 * 5 * 16)
assert second.backward_flops == 2 * second.forward_flops
assert first.backward_flops == first.forward_flops
assert summary.parameters == sum(row.parameters for row in summary.rows)

# %% [markdown]
# ## The digits
#
# There are three sets of images. The network learns from *training* images. *Validation* images
# show how it does on digits that it does not learn from, while we may still change our mind about
# the settings. *Test* images are looked at once, at the end, and decide nothing.

# %%
splits = load_splits(settings.dataset)
for name, part in splits._asdict().items():
    print(f"{name:12}{len(part):5} images, pixels {part.images.dtype} {part.image_shape}")

assert sum(map(len, splits)) == 5000

images, labels = splits.train.images, splits.train.labels
columns = [np.vstack(images[labels == digit][:3, :, :, 0]) for digit in range(10)]
sheet = Image.fromarray(255 - np.hstack(columns))  # three digits of each class, dark on light
sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.NEAREST)

# %% [markdown]
# ## Training
#
# A *step* takes 32 training images, runs them forward, runs the loss backward, and moves every
# parameter a little. `compute` does this 400 times. Then it tests the network.

# %%
result = compute(settings, splits)
for record in result.trained.history[4::5]:
    print(
        f"step {record.step}   loss {record.loss:.3f}   training accuracy {record.accuracy:.3f}"
        f"   validation accuracy {record.validation_accuracy:.3f}"
    )
passes = settings.steps * settings.batch_size / len(splits.train)
print(f"{settings.steps} steps of {settings.batch_size} images: {passes:.1f} passes over all")

# %% [markdown]
# What should the loss be at the start? A network that knows nothing gives each of ten classes the
# probability 1/10, and the loss is $-\ln \frac{1}{10} = \ln 10$. Whoever is below that has learned
# something.

# %%
print(f"ln 10 = {math.log(10):.3f}")
assert result.trained.history[-1].loss < math.log(10) / 2

draw_curves([record._asdict() for record in result.trained.history])

# %% [markdown]
# Read the two blue curves with care. They are moving averages over the batches, so they lag
# behind: they still hold the bad steps of the beginning. That is why the orange curve, measured
# on a few validation batches as the network is at that step, can lie above the blue one. And the
# loss includes the term of weight decay.
#
# After training every image is classified once. These are the numbers to quote.

# %%
(test_accuracy,) = result.test_accuracy
print(f"training accuracy    {result.train_accuracy[0]:.3f}   of {len(splits.train)} images")
print(f"validation accuracy  {result.validation_accuracy[0]:.3f}   of {len(splits.validation)}")
print(f"test accuracy        {test_accuracy:.3f}   of {len(splits.test)}")

error = math.sqrt(test_accuracy * (1 - test_accuracy) / len(splits.test))
print(f"standard error of the test accuracy, from so many images: {error:.3f}")
assert test_accuracy > 0.9

# %% [markdown]
# The last line warns us. With another thousand test images the accuracy would be another, by
# about this much. So a second decimal means something here, and a third does not. Notebook
# `09_many_seeds` is about the other source of chance, the seed.
#
# ## What it has learned
#
# A model is a network with its parameters. They are arrays, named by layer and by its number in
# the table above.

# %%
(model,) = result.models
for layer, arrays in model.params.items():
    print(layer, jax.tree.map(np.shape, arrays))

draw_filters(model.params["conv_1"]["w"])

# %% [markdown]
# The first convolution lays each of these 16 filters on every place of the image. Where a filter is
# red, light pixels count for its answer, and where it is blue, against.
#
# One would like to read something into them. Do not trust yourself, and ask how they looked before
# training. Then they were random numbers. `initial_state` draws the same ones again, and we compare
# each filter with its own beginning. A correlation of 1 means that it kept its pattern, 0 that
# nothing of it is left.

# %%
start = initial_state(network, momentum(settings.learning_rate), jax.random.key(settings.seed))
kept = {}
for layer, arrays in model.params.items():
    before, after = (
        np.asarray(w).reshape(-1, w.shape[-1]).T for w in (start.params[layer]["w"], arrays["w"])
    )
    kept[layer] = [np.corrcoef(*pair)[0, 1] for pair in zip(before, after, strict=True)]
    print(f"{layer:8}  correlation with the start, on average {np.mean(kept[layer]):.2f}")
assert np.mean(kept["dense_7"]) < 0.85 < np.mean(kept["conv_1"])

# %% [markdown]
# So the pattern that you see is mostly the one that chance drew. Training has changed it, but not
# turned it into something else. It seems that sixteen random filters already say much about a
# digit, and that what had to be learned is what their answers mean. The dense layer, which does
# that, moved furthest from its start.
#
# ## Where it errs
#
# The *confusion matrix* counts the test images by the class that they have (row) and the class
# that the network says (column). What is right stands on the diagonal.

# %%
(confusion,) = result.confusions
assert confusion.sum() == len(splits.test)
assert confusion.trace() / confusion.sum() == test_accuracy

names = splits.test.class_names
draw_confusion(confusion, names)

# %% [markdown]
# Two questions about one class have two answers. *Recall*: of the images that are a 5, how many
# are called 5? That is the diagonal entry over its row. *Precision*: of the images that are called
# 5, how many are a 5? That is the diagonal entry over its column. By hand:

# %%
k = names.index("5")
right, are, called = confusion[k, k], confusion[k].sum(), confusion[:, k].sum()
print(f"recall of 5:     {right} of the {are} that are a 5, {right / are:.4f}")
print(f"precision of 5:  {right} of the {called} that are called 5, {right / called:.4f}")

display(Markdown(precision_recall_table(confusion, names)))
assert f"{right / are:.4f}" in precision_recall_table(confusion, names)

# %% [markdown]
# A class with high recall and low precision is one that the network says too readily. F1 is the
# harmonic mean of the two: it is high if both are. `draw_precision_recall` draws this table.
#
# Which mistakes are worst? Those that the network was surest of. Here they are, the surest first.

# %%
rows = most_confident_errors(result, model=0)
predicted = result.test_predicted[0][rows]
probabilities = result.test_probabilities[0][rows]
for true, said, p in zip(splits.test.labels[rows][:4], predicted, probabilities, strict=False):
    print(f"a {true}: called {said} with p = {p[said]:.3f}, and p = {p[true]:.3f} for {true}")

draw_misclassified(splits.test.images[rows], splits.test.labels[rows], predicted, names)

# %% [markdown]
# Would you have read all of them? Some are hard for anyone. Others are plain digits in an unusual
# hand. A few thousand training images do not show every hand.
#
# ## Keeping it
#
# `save` writes a model into one file, `load` gives it back. The file holds the parameters, what
# turns pixels into inputs, and the class names. It also holds a checksum of every array, and a
# file that was damaged is rejected. We write into a folder that disappears when we are done.

# %%
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "model.npz"
save(path, result.models)
again = load(path)

test = splits.test.images
assert np.array_equal(again.probabilities(test), model.probabilities(test))
assert again.parameters_sha256 == model.parameters_sha256
print(f"{path.name} gives the same probabilities for all {len(test)} test images, bit for bit")

# %% [markdown]
# ## A digit of your own
#
# Now a digit that is in no data set: dark ink on light paper, large, and not in the middle. We
# draw it with lines. A photograph would do as well.

# %%
picture = Image.new("L", (260, 200), 235)
pen = ImageDraw.Draw(picture)
pen.line([(130, 55), (200, 55), (157, 115)], fill=30, width=15, joint="curve")
pen.arc([120, 103, 210, 187], start=-110, end=150, fill=30, width=15)
drawn = Path(folder.name) / "three.png"
picture.save(drawn)

(answer,) = predict_files(again, [drawn])
print(f"it says {answer.label}")
for name, probability in answer.top:
    print(f"    p({name}) = {probability:.3f}")
print("what was done to the picture first:", *answer.prepared.steps, sep="\n    ")
assert answer.label == "3"

# %% [markdown]
# The steps at the end are those with which MNIST's digits were made, long ago: light ink on dark,
# cropped, scaled to fit 20 by 20 pixels, and placed by their centre of mass. A network knows the
# world through its training images alone. So a picture has to be brought into that world before
# the network can read it.
#
# What if it is not? `digits=False` only scales the picture and cuts it to a square.

# %%
(untreated,) = predict_files(again, [drawn], digits=False)

figure, axes = plt.subplots(1, 3, figsize=(6.3, 2.3), layout="constrained")
likeliest, probability = answer.top[0]
guess, sureness = untreated.top[0]
panels = {
    "what was drawn": picture,
    f"treated: {likeliest}, p = {probability:.2f}": answer.prepared.pixels[..., 0],
    f"only scaled: {guess}, p = {sureness:.2f}": untreated.prepared.pixels[..., 0],
}
for ax, (title, pixels) in zip(axes, panels.items(), strict=True):
    ax.imshow(pixels, "gray", vmin=0, vmax=255)
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
plt.show()
folder.cleanup()

# %% [markdown]
# The middle picture is what the network saw. The right one is the same 3, dark on light, and the
# network has never seen anything like it. Note that it still gives an answer and a probability.
# The ten probabilities sum to 1 whatever the picture shows, also for a cat. They compare digits
# with one another. They do not say whether there is a digit.
#
# ## Exercises
#
# 1. How many parameters would the network have if the first convolution had 32 filters?
#
#    *Answer:* the first convolution has $(25 + 1) \cdot 32 = 832$, and the second now looks at 32
#    channels, $(25 \cdot 32 + 1) \cdot 16 = 12816$. The dense layer keeps its 7,850: it sees only
#    the 16 channels of the second. Together 21,498. The cell below asks the library.
#
# 2. A lazy network calls every image 1. What are its recall and its precision for the class 1,
#    and what is its accuracy on a test set with 100 images of each digit?
#
#    *Answer:* recall 1, precision 1/10, accuracy 1/10.
#
# 3. Change the numbers in `pen.line` and `pen.arc` and draw a digit that the network misreads.

# %%
wider = (dataclasses.replace(settings.layers[0], filters=32), *settings.layers[1:])
parameters = Network(wider, (28, 28, 1)).summary().parameters
print(f"{parameters:,}")
assert parameters == 832 + 12816 + 7850 == 21498
assert preset("quickstart").steps == 3000

# %% [markdown]
# ## Where to look next
#
# In a terminal `ffnn-jax train` does what this notebook did, with all 3,000 steps of the preset,
# and leaves a folder with the model and every figure. `ffnn-jax train mnist` takes all of MNIST,
# and `ffnn-jax predict FOLDER three.png` reads a picture.
#
# Notebook `08_cifar10` goes on to colour photographs, and `10_your_own_layer` puts a layer of your
# own into such a network.
