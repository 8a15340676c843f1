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
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/07_mnist.ipynb)
#
# The previous chapters derived layers one at a time. Here they work together. A network with two
# convolutions learns to read handwritten digits, and we examine the results: its learning curves,
# its filters, its mistakes, and finally its prediction for a digit that you draw.
#
# The digits are 5,000 images from MNIST. They come with the installation, so nothing is downloaded,
# and training takes seconds. You need to know what a network and a loss are, but very little
# mathematics.

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
# A run is determined by a single object, its *settings*. A *preset* is a named set of settings. The
# preset "quickstart" is the MNIST network of the report that this package reproduces, trained on
# the installed digits. We use fewer steps and validate more often. The object is frozen: `replace`
# returns a modified copy and leaves the original unchanged.

# %%
settings = dataclasses.replace(preset("quickstart"), steps=400, validation_interval=20)
for name in ("dataset", "steps", "batch_size", "learning_rate", "momentum", "weight_decay", "seed"):
    print(f"{name:14}{getattr(settings, name)}")
print("layers", *settings.layers, sep="\n    ")

# %% [markdown]
# ## The network
#
# These layer configurations become a network once we give the shape of an image: 28 rows, 28
# columns and one grey channel. `summary` lists every layer with its parameters and its operations.

# %%
network = Network(settings.layers, (28, 28, 1))
summary = network.summary()
display(Markdown(summary.to_markdown()))
print(f"{summary.parameters:,} parameters")

# %% [markdown]
# Let us check one row by hand. The second convolution has 16 filters. Each covers a window of 5 by
# 5 pixels in all 16 channels, and adds one bias: $(5 \cdot 5 \cdot 16 + 1) \cdot 16 = 6416$
# parameters. It computes $14 \cdot 14 \cdot 16$ numbers, each of them a sum of $5 \cdot 5 \cdot 16$
# products. A product and its addition count as two operations.
#
# The backward pass of a layer computes $dw$ and $dx$, and each costs as much as the forward pass,
# so the backward pass takes twice the work. The first convolution does only half of that: its $dx$
# would be the gradient with respect to the image, which nothing needs.

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
# There are three sets of images. The network learns from the *training* images. The *validation*
# images show how well it does on digits that it has not learned from, while we can still change the
# settings. The *test* images are used once, at the end, and influence no decision.

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
# A *step* takes 32 training images, runs the forward pass and the backward pass, and moves every
# parameter a little. `compute` does this 400 times and then tests the network.

# %%
result = compute(settings, splits)
for record in result.trained.history[4::5]:
    print(
        f"step {record.step}   loss {record.loss:.3f}   training accuracy {record.accuracy:.3f}"
        f"   validation accuracy {record.validation_accuracy:.3f}"
    )
passes = settings.steps * settings.batch_size / len(splits.train)
print(f"{settings.steps} steps of {settings.batch_size} images: {passes:.1f} passes (epochs)")

# %% [markdown]
# What should the loss be at the start? A network that knows nothing gives each of the ten classes
# the probability 1/10, so its loss is $-\ln \frac{1}{10} = \ln 10$. A network with a lower loss has
# learned something.

# %%
print(f"ln 10 = {math.log(10):.3f}")
assert result.trained.history[-1].loss < math.log(10) / 2

draw_curves([record._asdict() for record in result.trained.history])

# %% [markdown]
# Read the two blue curves with care. They are moving averages over the batches, so they lag behind:
# they still include the poor early steps. That is why the orange curve, which shows the network as
# it is at that step on a few validation batches, can lie above the blue one. Also, the loss
# includes the weight-decay term.
#
# After training, every image is classified once. These are the numbers to quote.

# %%
(test_accuracy,) = result.test_accuracy
print(f"training accuracy    {result.train_accuracy[0]:.3f}   of {len(splits.train)} images")
print(f"validation accuracy  {result.validation_accuracy[0]:.3f}   of {len(splits.validation)}")
print(f"test accuracy        {test_accuracy:.3f}   of {len(splits.test)}")

error = math.sqrt(test_accuracy * (1 - test_accuracy) / len(splits.test))
print(f"standard error of the test accuracy on {len(splits.test)} images: {error:.3f}")
assert test_accuracy > 0.9

# %% [markdown]
# The last line is a warning. With a different thousand test images the accuracy would differ by
# about this much. So the second decimal means something here, and the third does not. Notebook
# `09_many_seeds` is about the other source of chance, the seed.
#
# ## What it has learned
#
# A model is a network together with its parameters. They are arrays, named after the type of their
# layer and its number in the table above.

# %%
(model,) = result.models
for layer, arrays in model.params.items():
    print(layer, jax.tree.map(np.shape, arrays))

draw_filters(model.params["conv_1"]["w"])

# %% [markdown]
# The first convolution applies each of these 16 filters at every position of the image. Where a
# filter is red, bright pixels increase its output; where it is blue, they decrease it.
#
# It is tempting to see meaning in them. Be suspicious, and ask how they looked before training,
# when they were random numbers. `initial_state` draws the same numbers again, and we compare each
# filter with its initial values. A correlation of 1 means that it kept its pattern, 0 that nothing
# of it is left.

# %%
start = initial_state(network, momentum(settings.learning_rate), jax.random.key(settings.seed))
correlations = {}
for layer, arrays in model.params.items():
    before, after = (
        np.asarray(w).reshape(-1, w.shape[-1]).T for w in (start.params[layer]["w"], arrays["w"])
    )
    correlations[layer] = [np.corrcoef(*pair)[0, 1] for pair in zip(before, after, strict=True)]
    mean = np.mean(correlations[layer])
    print(f"{layer:8}  mean correlation with the initial weights {mean:.2f}")
assert np.mean(correlations["dense_7"]) < 0.85 < np.mean(correlations["conv_1"])

# %% [markdown]
# So the patterns that you see are mostly those drawn at random. Training has adjusted them, but has
# not turned them into something else. It seems that sixteen random filters already capture much
# about a digit, and that the network mainly had to learn how to interpret their outputs. The dense
# layer, which does that, moved furthest from its initial weights.
#
# ## Where it goes wrong
#
# The *confusion matrix* counts the test images by their true class (row) and their predicted class
# (column). Correct predictions are on the diagonal.

# %%
(confusion,) = result.confusions
assert confusion.sum() == len(splits.test)
assert confusion.trace() / confusion.sum() == test_accuracy

names = splits.test.class_names
draw_confusion(confusion, names)

# %% [markdown]
# There are two questions to ask about a class. *Recall*: of the images that show a 5, what fraction
# is classified as 5? That is the diagonal entry divided by the sum of its row. *Precision*: of the
# images classified as 5, what fraction shows a 5? That is the diagonal entry divided by the sum of
# its column. By hand:

# %%
k = names.index("5")
correct, actual, classified = confusion[k, k], confusion[k].sum(), confusion[:, k].sum()
print(f"recall of 5:     {correct} of the {actual} images of a 5, {correct / actual:.4f}")
print(f"precision of 5:  {correct} of the {classified} classified as 5, {correct / classified:.4f}")

display(Markdown(precision_recall_table(confusion, names)))
assert f"{correct / actual:.4f}" in precision_recall_table(confusion, names)

# %% [markdown]
# A class with high recall and low precision is one that the network predicts too readily. F1 is the
# harmonic mean of the two: it is high only if both are. `draw_precision_recall` plots this table.
#
# Which mistakes are the worst? Those that the network was most confident about. Here they are, the
# most confident first.

# %%
errors = most_confident_errors(result, model=0)
predicted = result.test_predicted[0][errors]
probabilities = result.test_probabilities[0][errors]
for true, guess, p in zip(splits.test.labels[errors][:4], predicted, probabilities, strict=False):
    print(f"a {true} classified as {guess}: p({guess}) = {p[guess]:.3f}, p({true}) = {p[true]:.3f}")

draw_misclassified(splits.test.images[errors], splits.test.labels[errors], predicted, names)

# %% [markdown]
# Would you have read all of them correctly? Some are hard for anyone. Others are clear digits in
# unusual handwriting. A few thousand training images do not cover every style of handwriting.
#
# ## Saving the model
#
# `save` writes a model to a single file, and `load` reads it back. The file contains the
# parameters, the normalisation that turns pixels into inputs, and the class names. It also contains
# a checksum of every array, so that a damaged file is rejected. We write to a folder that is
# deleted when we are done.

# %%
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "model.npz"
save(path, result.models)
reloaded = load(path)

test = splits.test.images
assert np.array_equal(reloaded.probabilities(test), model.probabilities(test))
assert reloaded.parameters_sha256 == model.parameters_sha256
print(f"{path.name} gives the same probabilities for all {len(test)} test images, bit for bit")

# %% [markdown]
# ## A digit of your own
#
# Now for a digit that is not in any data set: dark ink on light paper, large, and off-centre. We
# draw it with lines; a photograph would work as well.

# %%
picture = Image.new("L", (260, 200), 235)
pen = ImageDraw.Draw(picture)
pen.line([(130, 55), (200, 55), (157, 115)], fill=30, width=15, joint="curve")
pen.arc([120, 103, 210, 187], start=-110, end=150, fill=30, width=15)
drawn = Path(folder.name) / "three.png"
picture.save(drawn)

(answer,) = predict_files(reloaded, [drawn])
print(f"prediction: {answer.label}")
for name, probability in answer.top:
    print(f"    p({name}) = {probability:.3f}")
print("preprocessing:", *answer.prepared.steps, sep="\n    ")
assert answer.label == "3"

# %% [markdown]
# These are the steps by which the MNIST digits were prepared, long ago: light ink on a dark
# background, cropped, scaled to fit 20 by 20 pixels, and centred by their centre of mass. A network
# knows only its training images, so a picture has to be made to look like them before the network
# can read it.
#
# What happens otherwise? `digits=False` only scales the picture and crops it to a square.

# %%
(unprepared,) = predict_files(reloaded, [drawn], digits=False)

figure, axes = plt.subplots(1, 3, figsize=(6.3, 2.3), layout="constrained")
likeliest, probability = answer.top[0]
guess, confidence = unprepared.top[0]
panels = {
    "the drawing": picture,
    f"prepared: {likeliest}, p = {probability:.2f}": answer.prepared.pixels[..., 0],
    f"only scaled: {guess}, p = {confidence:.2f}": unprepared.prepared.pixels[..., 0],
}
for ax, (title, pixels) in zip(axes, panels.items(), strict=True):
    ax.imshow(pixels, "gray", vmin=0, vmax=255)
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
plt.show()
folder.cleanup()

# %% [markdown]
# The middle picture is what the network saw. The right one is the same 3, dark on light, and the
# network has never seen anything like it. Note that it still gives a prediction and a probability.
# The ten probabilities sum to 1 whatever the picture shows, even for a cat. They compare the digits
# with one another; they do not tell us whether there is a digit at all.
#
# ## Exercises
#
# 1. How many parameters would the network have if the first convolution had 32 filters?
#
#    *Answer:* the first convolution then has $(25 + 1) \cdot 32 = 832$, and the second, which now
#    sees 32 channels, has $(25 \cdot 32 + 1) \cdot 16 = 12816$. The dense layer keeps its 7,850,
#    since it sees only the 16 channels of the second convolution. The total is 21,498. The cell
#    below checks this.
#
# 2. A lazy network classifies every image as 1. What are its recall and its precision for the class
#    1, and what is its accuracy on a test set with 100 images of each digit?
#
#    *Answer:* recall 1, precision 1/10, accuracy 1/10.
#
# 3. Change the numbers in `pen.line` and `pen.arc` to draw a digit that the network misreads.

# %%
wider = (dataclasses.replace(settings.layers[0], filters=32), *settings.layers[1:])
parameters = Network(wider, (28, 28, 1)).summary().parameters
print(f"{parameters:,}")
assert parameters == 832 + 12816 + 7850 == 21498
assert preset("quickstart").steps == 3000

# %% [markdown]
# ## Where to look next
#
# In a terminal, `ffnn-jax train` does what this notebook did, with all 3,000 steps of the preset,
# and saves the model and every figure in a folder. `ffnn-jax train mnist` trains on all of MNIST,
# and `ffnn-jax predict FOLDER three.png` classifies a picture.
#
# Notebook `08_cifar10` moves on to colour photographs, and `10_your_own_layer` adds your own layer
# to such a network.
