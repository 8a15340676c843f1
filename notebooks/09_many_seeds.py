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
# # Why a single run is not enough
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/09_many_seeds.ipynb)
#
# The report that this package reproduces trained each of its models once. Its model 3 classified
# 54 % of CIFAR-10's test images correctly, model 4 classified 53 %, and model 5 again 54 %. The
# report regarded the three as equally good. How could one know?
#
# Train the same model again with another seed, and you get a different number. Here every model was
# trained with 50 seeds, so we can see how much of a difference is due to chance. This notebook
# works out the statistics by hand: a standard error, a confidence interval, a paired comparison,
# the number of seeds that a question needs, and a correction for asking many questions. Each takes
# a line or two of code, and each is checked.
#
# You need to know what a mean is. The models themselves are described in `08_cifar10`.

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
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "0.5"

result = json.loads(Path("../experiments/results/table_3.json").read_text())
rows = result["rows"]
accuracy = {name: 100 * np.array(rows[name]["test_accuracy"]) for name in "345"}
n = len(accuracy["3"])

assert n == 50
assert rows["3"]["seeds"] == rows["4"]["seeds"] == rows["5"]["seeds"]
assert [rows[name]["report"] for name in "345"] == [0.54, 0.53, 0.54]

# %% [markdown]
# ## Look at the data first
#
# Models 4 and 5 are model 3 with one more dense layer, which in model 5 is followed by a ReLU. Each
# tick is a seed: a network with its own initial weights, its own order of the images, and its own
# images held out for validation. Nothing else differs within a row.

# %%
figure, ax = plt.subplots(figsize=(6.4, 2.4), layout="constrained")
for place, (name, values) in enumerate(accuracy.items()):
    ax.plot(values, np.full(n, place), "|", color=BLUE, ms=14, label=None if place else "one seed")
    ax.plot(100 * rows[name]["report"], place, "D", color=ORANGE, mfc="none", mew=1.6,
            label=None if place else "the report's run")  # fmt: skip
ax.set_yticks(range(3), [f"model {name}" for name in accuracy])
ax.set(xlabel="test accuracy, %", ylim=(2.6, -0.6))
ax.legend(frameon=False, ncols=2, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.25))
ax.grid(axis="x", alpha=0.3)
plt.show()

for name, values in accuracy.items():
    print(f"model {name}: from {values.min():.1f} to {values.max():.1f}")

# %% [markdown]
# Within one model the seeds differ by several points. The report's difference between models 3 and
# 4 was one point, less than a change of seed alone can cause.
#
# ## How often would one run of each model show this?
#
# We can replay the report's experiment many times. Pick one run of model 3 and one of model 4.
# There are $50 \cdot 50 = 2500$ ways to pick, and each is an experiment that somebody might have
# done.

# %%
differences = (accuracy["4"][:, None] - accuracy["3"][None, :]).ravel()
below, above = np.mean(differences < -1), np.mean(differences > 1)
print(f"of {len(differences)} experiments, 4 is below 3 by more than a point in {below:.0%}")
print(f"                    and above 3 by more than a point in {above:.0%}")
assert min(below, above) > 0.1

figure, ax = plt.subplots(figsize=(6.4, 2.5), layout="constrained")
bins = np.arange(-5, 5.01, 0.5)
_, _, bars = ax.hist(differences, bins, color=BLUE, edgecolor="white")
for bar, left in zip(bars, bins, strict=False):
    if left < -1:
        bar.set_facecolor(ORANGE)
ax.set(xlabel="model 4 minus model 3, points", ylabel="experiments")
ax.set_title("One run of each (orange: 4 is below 3 by more than a point)", fontsize=10)
plt.show()

# %% [markdown]
# With one run of each you may get either answer, and you would believe it. This is the trouble with
# a single run: it does not look uncertain.
#
# ## Standard deviation and standard error
#
# How far do single runs lie from their mean? Square the distances, average them, and take the
# square root. One divides by $n - 1$ instead of $n$, since the mean was computed from the same
# numbers and lies a little too close to them. This is the *standard deviation* $s$:
#
# $$s = \sqrt{\frac{1}{n-1} \sum_{i=1}^{n} (a_i - \bar a)^2}.$$
#
# And how far does the *mean* of $n$ runs lie from the mean of infinitely many? The errors of the
# runs partly cancel. The variance of a sum of independent numbers is the sum of their variances, so
# the sum of $n$ has the standard deviation $s \sqrt n$, and the mean, which is the sum divided by
# $n$, has $s / \sqrt n$. This is the *standard error*.

# %%
a = accuracy["3"]
s = np.sqrt(np.sum((a - a.mean()) ** 2) / (n - 1))
error = s / np.sqrt(n)
print(f"model 3: mean {a.mean():.2f}, standard deviation {s:.2f}, standard error {error:.2f}")
assert np.isclose(s, a.std(ddof=1))
assert np.isclose(error, stats.sem(a))

# %% [markdown]
# Is the factor $\sqrt n$ right? Treat our 50 values as the whole population, draw $k$ of them at
# random again and again (with replacement), and see how their means scatter.

# %%
generator = np.random.default_rng(0)
spread = a.std()  # of a population of 50 values, so divided by n
print(" k   means scatter by   predicted")
for k in (1, 4, 16, 64):
    means = generator.choice(a, (20_000, k)).mean(axis=1)
    print(f"{k:2}   {means.std():16.3f}   {spread / np.sqrt(k):9.3f}")
    assert abs(means.std() * np.sqrt(k) / spread - 1) < 0.03

# %% [markdown]
# Halving the error takes four times as many seeds. That is the price of certainty, and it is a high
# one.
#
# ## A confidence interval
#
# About 95 % of the time a mean lies within two standard errors of the true mean. The exact factor
# is a little larger than two: we do not know the true standard deviation, only $s$ from our 50
# runs, and this adds uncertainty. Student's $t$ distribution with $n - 1$ degrees of freedom
# accounts for it.

# %%
factor = stats.t.ppf(0.975, n - 1)
low, high = a.mean() - factor * error, a.mean() + factor * error
print(f"mean {a.mean():.2f}, 95 % interval {low:.2f} to {high:.2f}, ± {factor:.2f} standard errors")
assert np.allclose((low, high), stats.ttest_1samp(a, 0).confidence_interval())

# %% [markdown]
# What does 95 % mean? It is a statement about the method. Suppose that we knew the true mean, and
# that many people each trained 50 seeds and computed the interval. Then about 95 of 100 intervals
# would contain the true mean. Such people are easily simulated.

# %%
true_mean, people = 54.0, 20_000
samples = generator.normal(true_mean, s, (people, n))
half_widths = factor * samples.std(axis=1, ddof=1) / np.sqrt(n)
coverage = np.mean(np.abs(samples.mean(axis=1) - true_mean) < half_widths)
print(f"{coverage:.1%} of {people:,} intervals contain the true mean")
assert abs(coverage - 0.95) < 0.01

# %% [markdown]
# Note what the interval does not cover. The 10,000 test images are the same for every seed. The
# interval tells us where the mean of many more *seeds* would lie on these images, not on others.
#
# ## Paired comparison
#
# Now compare two models. With seed 7, models 3 and 4 held out the same images and saw the others in
# the same order. Some orders are lucky for any model. If we subtract seed by seed, the luck that
# both share cancels:
#
# $$d_i = a_i^{(4)} - a_i^{(3)}.$$
#
# Then the question "do the models differ?" becomes "is the mean of $d$ different from 0?", which an
# interval answers as before.


# %%
def compare(first, second):
    """The mean difference of paired values, its standard error, and its 95 % interval."""
    d = first - second
    error = np.sqrt(np.sum((d - d.mean()) ** 2) / (n - 1)) / np.sqrt(n)
    factor = stats.t.ppf(0.975, n - 1)
    return d.mean(), error, d.mean() - factor * error, d.mean() + factor * error


def p_value(first, second):
    """The probability of a mean difference at least as large by chance alone."""
    mean, error, _, _ = compare(first, second)
    return 2 * stats.t.sf(abs(mean / error), n - 1)


PAIRS = (("4", "3"), ("5", "3"), ("5", "4"))
print("models   difference   95 % interval       p")
for x, y in PAIRS:
    mean, error, low, high = compare(accuracy[x], accuracy[y])
    p = p_value(accuracy[x], accuracy[y])
    print(f"{x} - {y}    {mean:+9.2f}    [{low:+.2f}, {high:+.2f}]   {p:.2g}")

    expected = stats.ttest_rel(accuracy[x], accuracy[y])
    assert np.isclose(p, expected.pvalue)
    assert np.allclose((low, high), expected.confidence_interval())

assert p_value(accuracy["4"], accuracy["3"]) > 0.05
for better in ("3", "4"):
    assert compare(accuracy["5"], accuracy[better])[3] < 0  # the upper end of the interval

# %% [markdown]
# The interval of 4 - 3 contains 0, so these runs do not tell the two apart. Those of 5 - 3 and
# 5 - 4 do not: model 5 is worse than both. The report's single runs had placed 5 level with 3 and
# above 4.
#
# Read the first result with care. It does not say that 3 and 4 are equal. It says that the
# difference, if there is one, probably lies in this interval.
#
# What did the pairing gain? The variance of a difference is $s_x^2 + s_y^2 - 2\, r\, s_x s_y$,
# where $r$ is the correlation. Without pairing the last term is missing. The number of seeds needed
# for an interval of a given width is proportional to the variance, so pairing saves the same
# fraction of both.

# %%
for x, y in PAIRS:
    r = np.corrcoef(accuracy[x], accuracy[y])[0, 1]
    sx, sy = accuracy[x].std(ddof=1), accuracy[y].std(ddof=1)
    paired, unpaired = np.sqrt(sx**2 + sy**2 - 2 * r * sx * sy), np.sqrt(sx**2 + sy**2)
    assert np.isclose(paired, (accuracy[x] - accuracy[y]).std(ddof=1))
    saved = 1 - (paired / unpaired) ** 2
    print(f"{x} - {y}: correlation {r:.2f}, so pairing saves {saved:.0%} of the seeds")
    assert saved > 0.1

# %% [markdown]
# ## How many seeds does a question need?
#
# Suppose that model 4 is truly half a point better than model 3. Would 20 seeds have shown it? The
# *power* of an experiment is the probability that it detects a difference that exists.
#
# Divide the mean difference by its standard error. Without any true difference this $t$ follows
# Student's $t$ distribution, and $|t|$ exceeds a critical value in 5 % of experiments. A true
# difference $\delta$ shifts it by $\delta \sqrt n / s_d$, where $s_d$ is the standard deviation of
# the paired differences. The power is the probability that the shifted $t$ exceeds the critical
# value in the right direction.

# %%
half_a_point = 0.5
s_d = (accuracy["4"] - accuracy["3"]).std(ddof=1)


def power(seeds, delta, s_d):
    critical, shift = stats.t.ppf(0.975, seeds - 1), delta * np.sqrt(seeds) / s_d
    return stats.nct.sf(critical, seeds - 1, shift)


needed = next(k for k in range(2, 10_000) if power(k, half_a_point, s_d) >= 0.8)
print(f"20 seeds detect half a point with probability {power(20, half_a_point, s_d):.2f}")
print(f"{n} seeds detect it with probability {power(n, half_a_point, s_d):.2f}")
print(f"{needed} seeds detect it with probability {power(needed, half_a_point, s_d):.2f}")
assert power(20, half_a_point, s_d) < 0.6
assert power(n, 1.0, s_d) > 0.9
assert power(20, 0.25, s_d) < 0.2
assert needed > 30

# %% [markdown]
# A formula can be wrong, so we simulate it: many experiments for each number of seeds, in a world
# where the true difference is half a point. How many detect it?

# %%
experiments = 10_000
simulated = {}
for seeds in (5, 10, 20, needed, 2 * needed):
    d = generator.normal(half_a_point, s_d, (experiments, seeds))
    t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / np.sqrt(seeds))
    simulated[seeds] = np.mean(t > stats.t.ppf(0.975, seeds - 1))
    print(f"{seeds:3} seeds: detected in {simulated[seeds]:.3f}", end="")
    print(f" of the experiments, predicted {power(seeds, half_a_point, s_d):.3f}")
    assert abs(simulated[seeds] - power(seeds, half_a_point, s_d)) < 0.02

# %%
figure, ax = plt.subplots(figsize=(6.4, 3), layout="constrained")
seeds = np.arange(2, 121)
for delta, style in ((1.0, "--"), (half_a_point, "-"), (0.25, ":")):
    ax.plot(seeds, power(seeds, delta, s_d), style, color=BLUE, label=f"true difference {delta:g}")
ax.plot(list(simulated), list(simulated.values()), "o", color=ORANGE, label="simulated")
ax.axhline(0.8, color=GREY, lw=0.8)
ax.set(xlabel="seeds per model", ylabel="power", ylim=(0, 1.02))
ax.set_title("Probability of detecting a true difference", fontsize=10)
ax.legend(frameon=False, fontsize=9)
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# Our 50 seeds reliably detect a difference of one point. With 20, half a point is a matter of luck,
# and a quarter of a point is out of reach. Half the difference needs four times the seeds, because
# of the square root again. Do this calculation *before* an experiment. It tells you whether the
# experiment can answer the question at all.
#
# ## Asking many questions
#
# Each test gives a false positive in 5 % of the cases where there is no difference. Ask often
# enough, and you will find something. If there is no difference behind any of $m$ questions, the
# probability of at least one false positive is $1 - 0.95^m$, for independent tests.

# %%
claims = result["claims"]
m = len(claims)
print(f"{m} claims tested: at least one false positive with probability {1 - 0.95**m:.2f}")
assert 1 - 0.95**m > 0.3

# %% [markdown]
# Holm's correction fixes this. Sort the $p$-values, smallest first. The smallest has to account for
# all $m$ tests, so it is multiplied by $m$. If it survives, one question is answered and $m - 1$
# are left, so the next is multiplied by $m - 1$, and so on. No corrected value may be smaller than
# the one before it, or larger than 1.


# %%
def holm(p):
    p = np.asarray(p)
    order = np.argsort(p)
    multiplied = (len(p) - np.arange(len(p))) * p[order]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(multiplied), 1)
    return adjusted


# by hand: 0.01 * 3, then 0.02 * 2 = 0.04, then 0.03 * 1, which may not fall below 0.04
assert np.allclose(holm([0.03, 0.01, 0.02]), [0.04, 0.03, 0.04])

adjusted = holm([claim["p"] for claim in claims])
assert np.allclose(adjusted, [claim["adjusted"] for claim in claims])

print("claim                                      p   corrected")
for claim, corrected in zip(claims, adjusted, strict=True):
    print(f"{claim['text']:36}{claim['p']:8.2g}{corrected:12.2g}   {claim['verdict']}")

# %% [markdown]
# Does it keep its promise? Take a world with no difference behind any question: every $p$ is then a
# uniform random number between 0 and 1. How often is there a false positive?

# %%
p_values = generator.uniform(size=(4000, m))
uncorrected = np.mean([p.min() < 0.05 for p in p_values])
corrected = np.mean([holm(p).min() < 0.05 for p in p_values])
print(f"false positives in {uncorrected:.0%} of such worlds, after correction in {corrected:.0%}")
assert abs(uncorrected - (1 - 0.95**m)) < 0.03
assert corrected < 0.06

# %% [markdown]
# ## All models at a glance
#
# A *forest plot* puts it all together: for each model, the seeds, their mean, its interval, and the
# report's single run.

# %%
names = ("0", "1", "2", "3", "4", "5", "6a", "6b", "7")
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
bars = {}
for place, name in enumerate(names):
    values = 100 * np.array(rows[name]["test_accuracy"])
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    ax.plot(values, np.full(len(values), place + 0.25), "|", color=GREY, ms=5, mew=0.8)
    bars[name] = values.mean() - half, values.mean() + half
    ax.errorbar(values.mean(), place, xerr=half, fmt="s", color=BLUE, ms=5, lw=3)
    ax.plot(100 * rows[name]["report"], place, "D", color=ORANGE, mfc="none", mew=1.6)
ax.plot([], [], "|", color=GREY, ls="none", label="one seed")
ax.plot([], [], "s-", color=BLUE, lw=3, ms=5, label="mean, 95 % interval")
ax.plot([], [], "D", color=ORANGE, mfc="none", mew=1.6, ls="none", label="report, single run")
ax.set_yticks(range(len(names)), [f"model {name}" for name in names])
ax.set(xlabel="test accuracy, %", ylim=(len(names) - 0.4, -0.6))
ax.grid(axis="x", alpha=0.3)
ax.legend(frameon=False, ncols=3, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14))
plt.show()

# %% [markdown]
# Some orange marks lie outside the blue bars. That is not a contradiction. A bar shows where the
# *mean* of many runs lies, and a mark is *one* run, which should be compared with the ticks.
#
# The bars of models 0 and 1 overlap. Can you conclude that the two do not differ? Bars overlap
# unless the means are further apart than the sum of the two half-widths. But errors add like the
# legs of a right triangle, and in pairs they partly cancel. So the bars are too wide for this
# question. Compare two models by their differences.

# %%
outside = [k for k in names if not bars[k][0] <= 100 * rows[k]["report"] <= bars[k][1]]
print("the report's run is outside the interval of the mean for models", *outside)
assert len(outside) > 2
assert bars["1"][1] > bars["0"][0]

first, second = (100 * np.array(rows[name]["test_accuracy"]) for name in "10")
mean, _, low, high = compare(first, second)
print(f"1 - 0: {mean:+.2f} [{low:+.2f}, {high:+.2f}], p = {p_value(first, second):.2g}")
assert high < 0

# %% [markdown]
# ## Exercises
#
# 1. A colleague trains two models once each and gets 54.0 % and 53.2 %. What do you ask?
#
#    *Answer:* how far apart two runs of one model lie. If it is a point, as here, nothing has been
#    shown yet.
#
# 2. With 20 seeds the standard error is 0.3. How many seeds reduce it to 0.1?
#
#    *Answer:* nine times as many, 180.
#
# 3. Three tests gave $p$ = 0.04, 0.015 and 0.5. What are they after Holm's correction?
#
#    *Answer:* 0.015 times 3 is 0.045, 0.04 times 2 is 0.08, and 0.5 stays 0.5. One is still below
#    0.05.

# %%
assert np.isclose(0.3 / np.sqrt(180 / 20), 0.1)
assert np.allclose(holm([0.04, 0.015, 0.5]), [0.08, 0.045, 0.5])

# %% [markdown]
# ## Where to look next
#
# `experiments/_statistics.py` contains these formulas as the experiments use them, and
# `experiments/_claims.py` contains the claims. `ffnn-jax train --seeds 20` trains twenty networks
# together.
