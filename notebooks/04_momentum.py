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
# # Chapter 4: momentum
#
# [Open in Colab](https://colab.research.google.com/github/ffnn-jax/ffnn-jax/blob/main/notebooks/04_momentum.ipynb)
#
# The previous chapters gave us gradients. This one takes steps with them. Training uses a small
# batch at a time, so each gradient is only an estimate, and a noisy one. Momentum averages the
# estimates over time. This chapter takes equations (24) and (25) apart: what the average is made
# of, how much noise it removes, and how much larger the steps can be.
#
# From chapter 1 you need to know that the gradient points uphill. You also need the variance of a
# sum.
#
# The update rule itself is in `ffnn_jax/optim/_momentum.py`. This notebook imports it.

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

from ffnn_jax.optim import decay_loss, momentum, triangular

BLUE, ORANGE = "#0072B2", "#D55E00"

# %% [markdown]
# ## Two equations
#
# $g_n$ is the gradient of the loss at $w_n$, estimated from batch $n$. The rule keeps a moving
# average $m$ of all gradients so far. It mixes a little of the new one into the old average, and
# then steps against the average:
#
# $$m_n = \mu\, m_{n-1} + (1 - \mu)\, g_n \tag{24}$$
#
# $$w_{n+1} = w_n - \alpha\, m_n \tag{25}$$
#
# $\alpha$ is the learning rate. $\mu$, with $0 \leq \mu < 1$, is the smoothness. For $\mu = 0$ the
# average is just the last gradient, and the rule is plain gradient descent. The average starts
# at zero, $m_0 = 0$.
#
# By hand, for one weight with $w_1 = 8$, $\mu = \tfrac34$, $\alpha = \tfrac12$ and the gradients
# 4, 8, 16:
#
# | $n$ | $g_n$ | $m_n$ | $w_{n+1}$ |
# | --- | --- | --- | --- |
# | 1 | 4 | $\tfrac34 \cdot 0 + \tfrac14 \cdot 4 = 1$ | $8 - \tfrac12 \cdot 1 = 7.5$ |
# | 2 | 8 | $\tfrac34 \cdot 1 + \tfrac14 \cdot 8 = 2.75$ | $7.5 - 1.375 = 6.125$ |
# | 3 | 16 | $\tfrac34 \cdot 2.75 + \tfrac14 \cdot 16 = 6.0625$ | $6.125 - 3.03125 = 3.09375$ |
#
# In code a rule has two functions. `init` creates the zero average; `update` takes a gradient and
# returns the change to add to the weights.

# %%
rule = momentum(0.5, mu=0.75)
w = jnp.array(8.0)
state = rule.init(w)
computed = []
for g in (4.0, 8.0, 16.0):
    update, state = rule.update(jnp.array(g), state, w)
    w = optax.apply_updates(w, update)
    computed.append((float(state.m), float(w)))
    print(f"g = {g:4}   m = {state.m}   w = {w}")
assert computed == [(1.0, 7.5), (2.75, 6.125), (6.0625, 3.09375)]  # (24), (25)

# %% [markdown]
# ## Unrolled
#
# What does $m_n$ contain? Substitute (24) into itself once:
#
# $$m_n = (1 - \mu)\, g_n + \mu\, \big( (1 - \mu)\, g_{n-1} + \mu\, m_{n-2} \big)
# = (1 - \mu) \left( g_n + \mu\, g_{n-1} \right) + \mu^2 m_{n-2}.$$
#
# Each substitution goes one gradient further back and brings in one more factor $\mu$. Continue
# until $m_0 = 0$ is reached:
#
# $$m_n = (1 - \mu) \sum_{k=0}^{n-1} \mu^k\, g_{n-k}.$$
#
# So $m_n$ is a weighted sum of *all* past gradients. The weight of a gradient that is $k$ steps old
# is $(1 - \mu)\, \mu^k$. By hand, for the third average above:
#
# $$m_3 = \tfrac14 \left( 16 + \tfrac34 \cdot 8 + \tfrac9{16} \cdot 4 \right)
# = \tfrac14 (16 + 6 + 2.25) = 6.0625.$$

# %%
weights = 0.25 * 0.75 ** np.arange(3)  # newest first
unrolled = float(np.sum(weights * np.array([16.0, 8.0, 4.0])))
print("m_3 unrolled:", unrolled)
assert unrolled == 6.0625 == computed[2][0]

# %% [markdown]
# ### Do the weights add up to 1?
#
# Multiply out, and all terms but the first and the last cancel:
#
# $$(1 - \mu)(1 + \mu + \mu^2 + \cdots + \mu^{n-1})
# = (1 + \mu + \cdots + \mu^{n-1}) - (\mu + \mu^2 + \cdots + \mu^n) = 1 - \mu^n.$$
#
# Not quite. At first the average is biased towards the 0 it started from. With $\mu = 0.9$ the
# first step is only a tenth of a plain one. After 7 steps the sum is above one half, and after 44
# it is above 0.99. So the rule starts cautiously.
#
# The same numbers show how far back the average reaches. For large $n$ the newest $k$ gradients
# carry a share $1 - \mu^k$ of the total weight. With $\mu = 0.9$ the newest 7 carry more than half.

# %%
sums = np.cumsum(0.1 * 0.9 ** np.arange(60))
for n in (1, 6, 7, 43, 44):
    print(f"n = {n:2d}   sum of the weights {sums[n - 1]:.4f}   1 - 0.9^n {1 - 0.9**n:.4f}")
assert np.allclose(sums, 1 - 0.9 ** np.arange(1, 61))
assert np.isclose(sums[0], 0.1)
assert sums[5] < 0.5 < sums[6] and sums[42] < 0.99 < sums[43]

# %%
ages = np.arange(30)
figure, ax = plt.subplots(figsize=(5.6, 2.6), layout="constrained")
ax.bar(ages - 0.2, 0.5 * 0.5**ages, width=0.4, color=ORANGE, label=r"$\mu = 0.5$")
ax.bar(ages + 0.2, 0.1 * 0.9**ages, width=0.4, color=BLUE, label=r"$\mu = 0.9$")
ax.set_xlabel("age of the gradient, in steps")
ax.set_ylabel("weight")
ax.set_title("What the average is made of")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# With $\mu = 0.5$ the average forgets within a few steps. With $\mu = 0.9$ it has a long, faint
# memory.
#
# ## How smooth?
#
# Suppose all gradients have the same mean $\bar g$, and each has its own noise: independent, with
# mean 0 and variance $\sigma^2$. How noisy is $m_n$? We need two facts about variances. A factor
# comes out squared, and variances of independent terms add. Take the unrolled sum, line by line:
#
# $$\begin{aligned}
# \operatorname{Var}(m_n)
# &= \operatorname{Var}\Big( \sum_{k=0}^{n-1} (1 - \mu)\, \mu^k\, g_{n-k} \Big) \\
# &= \sum_{k=0}^{n-1} \operatorname{Var}\big( (1 - \mu)\, \mu^k\, g_{n-k} \big)
# && \text{independent: variances add} \\
# &= \sum_{k=0}^{n-1} (1 - \mu)^2\, \mu^{2k}\, \sigma^2
# && \text{factors come out squared} \\
# &= (1 - \mu)^2\, \frac{1 - \mu^{2n}}{1 - \mu^2}\, \sigma^2
# && \text{the sum from above, with } \mu^2 \text{ for } \mu \\
# &= \frac{(1 - \mu)^2}{(1 - \mu)(1 + \mu)}\, (1 - \mu^{2n})\, \sigma^2
# && 1 - \mu^2 = (1 - \mu)(1 + \mu) \\
# &= \frac{1 - \mu}{1 + \mu}\, (1 - \mu^{2n})\, \sigma^2.
# \end{aligned}$$
#
# The last factor tends to 1, so in the long run
#
# $$\operatorname{Var}(m) = \frac{1 - \mu}{1 + \mu}\, \sigma^2.$$
#
# By hand: $\mu = 0.5$ leaves $\tfrac13$ of the variance, $\mu = 0.9$ leaves $\tfrac1{19}$. An
# ordinary mean of $N$ gradients leaves $\tfrac1N$. So $\mu = 0.9$ smooths like a mean of 19
# gradients, while storing only one number per weight.

# %%
for mu, divisor in ((0.5, 3), (0.9, 19)):
    remaining = (1 - mu) / (1 + mu)
    print(f"mu = {mu}   {remaining:.4f} of the variance remains")
    assert np.isclose(remaining, 1 / divisor)

# %% [markdown]
# Now measure it. Give 20,000 weights the gradient 1, plus noise with $\sigma = 1$, for 60 steps.
# The variance across the weights is an estimate of $\operatorname{Var}(m_n)$ at each step.


# %%
def averages(gradients, mu):
    """m_1, m_2, ... for a sequence of gradients, computed with the library's rule."""
    rule = momentum(1.0, mu)

    def step(state, g):
        _, state = rule.update(g, state, g)  # the weights do not matter here
        return state, state.m

    return np.asarray(jax.lax.scan(step, rule.init(gradients[0]), gradients)[1])


gradients = 1 + jax.random.normal(jax.random.key(0), (60, 20_000))
steps = np.arange(1, 61)
smooth = {mu: averages(gradients, mu) for mu in (0.5, 0.9)}
for mu, m in smooth.items():
    theory = (1 - mu) / (1 + mu) * (1 - mu ** (2 * steps))
    print(f"mu = {mu}   variance at step 60: theory {theory[-1]:.4f}, measured {m[-1].var():.4f}")
    assert np.allclose(m.var(axis=1), theory, rtol=0.05)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 2.5), layout="constrained")
left.plot(steps, gradients[:, 3], ".", color="gray", label="gradients")
left.plot(steps, smooth[0.5][:, 3], color=ORANGE, linewidth=1.5, label=r"$m_n$, $\mu = 0.5$")
left.plot(steps, smooth[0.9][:, 3], color=BLUE, linewidth=2, label=r"$m_n$, $\mu = 0.9$")
left.axhline(1, color="black", linestyle="--", linewidth=1, label="their mean")
left.set_ylim(-2, 5.5)
left.set_title("One weight")
left.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
for mu, color in ((0.5, ORANGE), (0.9, BLUE)):
    theory = (1 - mu) / (1 + mu) * (1 - mu ** (2 * steps))
    right.plot(steps, theory, color=color, label=rf"theory, $\mu = {mu}$")
    right.plot(steps[::4], smooth[mu].var(axis=1)[::4], "o", color=color, label="measured")
right.set_ylim(0, 0.5)
right.set_title("Variance across 20,000 weights")
right.legend(frameon=False, fontsize=8, ncols=2)
for ax in (left, right):
    ax.set_xlabel("step $n$")
plt.show()

# %% [markdown]
# Smoothness has a price. The blue line takes a long time to reach the mean: after 20 steps its
# weights add up to only $1 - 0.9^{20} = 0.88$. The orange one is there after 4 steps, with
# $1 - 0.5^4 = 0.94$. An average cannot be both smooth and quick.

# %%
assert abs(1 - 0.9**20 - 0.88) < 0.005 and abs(1 - 0.5**4 - 0.94) < 0.005
for mu, n in ((0.9, 20), (0.5, 4)):
    print(f"mu = {mu}   mean of the averages after {n:2d} steps: {smooth[mu][n - 1].mean():.2f}")
    assert abs(smooth[mu][n - 1].mean() - (1 - mu**n)) < 0.02

# %% [markdown]
# ## A long valley
#
# Noise is not the only reason for momentum. Take a loss without any noise, a valley whose curvature
# is 25 times larger across than along:
#
# $$L(w) = \tfrac12 \left( w_1^2 + 25\, w_2^2 \right), \qquad g = (w_1,\ 25\, w_2).$$
#
# We take three walks of 60 steps, all from $(-9, 2)$ and all with $\alpha = 0.075$.


# %%
curvatures = jnp.array([1.0, 25.0])


def walk(rule, steps, start=(-9.0, 2.0)):
    """The weights at every step, including the start."""

    def step(carry, _):
        w, state = carry
        update, state = rule.update(curvatures * w, state, w)
        w = optax.apply_updates(w, update)
        return (w, state), w

    start = jnp.array(start)
    _, path = jax.lax.scan(step, (start, rule.init(start)), None, steps)
    return np.vstack([start, path])


def valley(path):
    return 0.5 * np.sum(np.asarray(curvatures) * path**2, axis=-1)


paths = {mu: walk(momentum(0.075, mu), 60) for mu in (0.0, 0.5, 0.9)}
for mu, path in paths.items():
    print(f"mu = {mu}   loss {valley(path[0]):.2f} -> {valley(path[-1]):.5f}")
    assert valley(path[0]) == 90.5 and valley(path[-1]) < 2

# %%
grid = np.stack(np.meshgrid(np.linspace(-10, 5, 121), np.linspace(-2.4, 2.4, 81)), axis=-1)
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.4), layout="constrained", sharey=True)
for ax, (mu, path) in zip(axes, paths.items(), strict=True):
    levels = [2, 10, 30, 90]
    ax.contour(grid[..., 0], grid[..., 1], valley(grid), levels, colors="silver", linewidths=0.8)
    ax.plot(path[:, 0], path[:, 1], ".-", color=BLUE, linewidth=1, markersize=4)
    ax.plot(*path[0], "o", color=ORANGE)
    ax.plot(0, 0, "+", color="black", markersize=9)
    ax.set_title(rf"$\mu = {mu}$")
    ax.set_xlabel("$w_1$")
axes[0].set_ylabel("$w_2$")
figure.suptitle(r"60 steps with $\alpha = 0.075$; orange: the start, cross: the minimum")
plt.show()

# %% [markdown]
# *Left*: plain descent jumps from wall to wall. The gradient points across the valley, hardly along
# it. *Middle*: with $\mu = 0.5$, steps back and forth cancel in the average, and what they have in
# common, the motion along the valley, adds up. *Right*: with $\mu = 0.9$ the weights roll like a
# heavy ball. They swing past the minimum and back.
#
# ### How large can the steps be?
#
# Take one direction at a time and let its curvature be $h$, so $g_n = h w_n$. By (25), one step
# earlier, $\alpha\, m_{n-1} = w_{n-1} - w_n$. Substitute (24) into (25):
#
# $$w_{n+1} = w_n - \alpha \mu\, m_{n-1} - \alpha (1 - \mu)\, h\, w_n
# = w_n + \mu\, (w_n - w_{n-1}) - a\, w_n, \qquad a = \alpha (1 - \mu)\, h.$$
#
# In words: repeat the last step, scaled by $\mu$, and add a pull downhill. This is where the name
# comes from.
#
# Try $w_n = r^n$ and divide by $r^{n-1}$:
#
# $$r^2 - (1 + \mu - a)\, r + \mu = 0.$$
#
# The walk converges if both roots are less than 1 in absolute value. The product of the roots is
# $\mu$.
#
# - If they are complex, they are conjugates of each other, so each has absolute value
#   $\sqrt{\mu} < 1$. This is always fine.
# - If they are real, increasing $a$ drives one of them to $-1$. At that point $r = -1$ solves the
#   equation: $1 + (1 + \mu - a) + \mu = 0$, so $a = 2 (1 + \mu)$. (Neither ever reaches $1$: there
#   the equation says $a = 0$.)
#
# So the walk is stable for $0 < a < 2 (1 + \mu)$, that is, for
#
# $$\alpha < \frac2h \cdot \frac{1 + \mu}{1 - \mu}.$$
#
# This is the variance factor again, upside down. The average that divides the variance by 19 also
# allows the learning rate to be 19 times as large.
#
# By hand, for $h = 25$: plain descent allows $\tfrac2{25} = 0.08$, $\mu = 0.5$ allows
# $3 \cdot 0.08 = 0.24$, and $\mu = 0.9$ allows $19 \cdot 0.08 = 1.52$. Try 2 % below each limit
# and 2 % above.

# %%
for mu, limit in ((0.0, 0.08), (0.5, 0.24), (0.9, 1.52)):
    assert np.isclose(limit, 2 / 25 * (1 + mu) / (1 - mu))
    below, above = (walk(momentum(share * limit, mu), 300)[-1, 1] for share in (0.98, 1.02))
    below, above = abs(below), abs(above)
    print(f"mu = {mu}   limit {limit:.2f}   |w_2| after 300 steps: {below:.0e} and {above:.0e}")
    assert below < 1 and above > 2

# %% [markdown]
# ### How much does it help?
#
# *Plain descent* multiplies $w_1$ by $1 - \alpha$ and $w_2$ by $1 - 25 \alpha$ in each step. The
# best it can do is make both equally bad: $1 - \alpha = 25 \alpha - 1$, so
# $\alpha = \tfrac1{13}$, and each step leaves $\tfrac{12}{13}$ of the distance.
#
# *With momentum* each step leaves $\sqrt\mu$, if the roots are complex for both curvatures. They
# are complex if $(1 + \mu - a)^2 < 4 \mu$, that is, if
# $(1 - \sqrt\mu)^2 < a < (1 + \sqrt\mu)^2$. The larger $a$ is 25 times the smaller. Both just fit
# if $1 + \sqrt\mu = 5\, (1 - \sqrt\mu)$, so $\sqrt\mu = \tfrac23$ and $\mu = \tfrac49$. Then the
# smaller $a$ is $\tfrac19 = \alpha \cdot \tfrac59$, so $\alpha = \tfrac15$. Each step leaves
# $\tfrac23$ of the distance.
#
# (Right at the edge the two roots are equal, and also have absolute value $\sqrt\mu$.) This best
# $\mu$ is for a noise-free loss with known curvatures. With batches of data we have neither, and
# 0.9 is the usual choice.

# %%
walks = {
    "mu = 0, alpha = 1/13": (walk(momentum(1 / 13, 0.0), 120), BLUE, "-"),
    "mu = 4/9, alpha = 1/5": (walk(momentum(1 / 5, 4 / 9), 120), ORANGE, "-"),
    "mu = 0.9, alpha = 1/5": (walk(momentum(1 / 5, 0.9), 120), "black", "--"),
}
needed = []
for name, (path, _, _) in walks.items():
    needed.append(int(np.flatnonzero(valley(path) < 1e-6 * valley(path[0]))[0]))
    print(f"{name:22s}   steps to one millionth of the initial loss: {needed[-1]}")
assert needed[0] == 87 and needed[1] == 26 and needed[2] > 100
(plain, _, _), (fast, _, _), _ = walks.values()
assert np.allclose(plain[41] / plain[40], [12 / 13, -12 / 13], rtol=1e-3)
assert np.allclose(np.abs(fast[41] / fast[40]), 2 / 3, rtol=0.05)
assert valley(fast).argmax() == 2
assert abs(np.sqrt(0.9) - 0.949) < 5e-4 and abs(12 / 13 - 0.923) < 5e-4

# %%
figure, ax = plt.subplots(figsize=(5.6, 2.6), layout="constrained")
for name, (path, color, style) in walks.items():
    label = name.replace("mu", r"$\mu$").replace("alpha", r"$\alpha$")
    ax.semilogy(valley(path), style, color=color, label=label)
ax.axhline(1e-6 * 90.5, color="gray", linewidth=0.8)
ax.set_ylim(1e-8, 1e3)
ax.set_xlabel("step")
ax.set_ylabel("loss")
ax.set_title("Down the valley; grey line: one millionth of the initial loss")
ax.legend(frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# To reach one millionth of the initial loss, plain descent needs 87 steps, and momentum with the
# best $\mu$ needs 26. Its first two steps climb, and the others make up for it. The usual
# $\mu = 0.9$ does not help here. It needs more than 100 steps, since each leaves
# $\sqrt{0.9} = 0.949$ of the distance, where plain descent leaves $\tfrac{12}{13} = 0.923$.
#
# ## Weight decay
#
# Large weights make a network sensitive. Weight decay pulls every weight towards 0, in proportion
# to its size. With strength $\lambda$ the second equation becomes
#
# $$w_{n+1} = w_n - \alpha\, (m_n + \lambda\, w_n) \tag{25}$$
#
# It keeps its number, since $\lambda = 0$ gives back the earlier form. Where does $\lambda w$ come
# from? It is the gradient of a separate loss term,
#
# $$R(w) = \frac\lambda2 \sum_i w_i^2, \qquad
# \frac{\partial R}{\partial w_i} = \frac\lambda2 \cdot 2 w_i = \lambda\, w_i.$$
#
# Note that it is *outside* the average. The average is there to reduce noise. The gradient of $R$
# has no noise, since it does not depend on a batch, so it can act at once and in full.
#
# By hand, take the example from the beginning with $\lambda = \tfrac14$. The gradients are the
# same, so the averages are too. The weight is smaller:
#
# | $n$ | $m_n$ | $\lambda w_n$ | $w_{n+1}$ |
# | --- | --- | --- | --- |
# | 1 | 1 | 2 | $8 - \tfrac12 (1 + 2) = 6.5$ |
# | 2 | 2.75 | 1.625 | $6.5 - \tfrac12 (2.75 + 1.625) = 4.3125$ |

# %%
rule = momentum(0.5, mu=0.75, weight_decay=0.25)
w = jnp.array(8.0)
state = rule.init(w)
decayed = []
for g in (4.0, 8.0):
    update, state = rule.update(jnp.array(g), state, w)
    w = optax.apply_updates(w, update)
    decayed.append((float(state.m), float(w)))
    print(f"m = {state.m}   w = {w}")
assert decayed == [(1.0, 6.5), (2.75, 4.3125)]  # (25)

# %% [markdown]
# The loss term $R$ is only reported alongside the data loss; the rule never differentiates it.
# At $w = 8$ it is $R = \tfrac18 \cdot 64 = 8$, and its slope should be $\lambda w = 2$.

# %%
r = [float(decay_loss({"w": jnp.array(w)}, 0.25)) for w in (7.5, 8.0, 8.5)]
print(f"R(8) = {r[1]}, slope {(r[2] - r[0]) / 1.0}")
assert r[1] == 8.0
assert (r[2] - r[0]) / 1.0 == 2.0  # a central difference is exact for a square

# %% [markdown]
# What if the gradient is zero? Then only the decay remains, and each step multiplies $w$ by
# $1 - \alpha \lambda$. Here this is $\tfrac78$: 8, 7, 6.125.

# %%
w, state = jnp.array(8.0), rule.init(jnp.array(8.0))
decay_only = [float(w)]
for _ in range(2):
    update, state = rule.update(jnp.array(0.0), state, w)
    w = optax.apply_updates(w, update)
    decay_only.append(float(w))
print("w =", decay_only)
assert decay_only == [8.0, 7.0, 6.125]

# %% [markdown]
# ## The same rule elsewhere
#
# `optax` is the standard library of update rules for JAX. In its terms, our rule is a chain of
# three: the average (24), then the decay, then the learning rate (25). We run both for 200 steps,
# with gradients that change from step to step and a learning rate that does too (the next section
# explains how).
#
# Many books write momentum without the $(1 - \mu)$: $v_n = \mu\, v_{n-1} + g_n$. Unroll both, and
# you see that $m_n = (1 - \mu)\, v_n$. So it is the same rule with a different learning rate,
# $\alpha (1 - \mu)$. `optax.sgd` is written that way. This is the most common trap when copying
# settings.


# %%
def two_hundred_steps(rule):
    targets = jax.random.normal(jax.random.key(1), (200, 5), jnp.float64)

    def step(carry, target):
        w, state = carry
        update, state = rule.update(curvature * (w - target), state, w)
        w = optax.apply_updates(w, update)
        return (w, state), w

    start = jnp.ones(5, jnp.float64)
    return jax.lax.scan(step, (start, rule.init(start)), targets)[1]


with jax.enable_x64(True):
    curvature = jnp.array([0.5, 1.0, 2.0, 4.0, 8.0])
    alpha = triangular(0.2, 200)
    ours = two_hundred_steps(momentum(alpha, 0.9, weight_decay=0.05))
    chain = optax.chain(
        optax.ema(0.9, debias=False),
        optax.add_decayed_weights(0.05),
        optax.scale_by_learning_rate(alpha),
    )
    apart = float(jnp.abs(ours - two_hundred_steps(chain)).max())

    bare = two_hundred_steps(momentum(alpha, 0.9))
    sgd = optax.sgd(lambda n: (1 - 0.9) * jnp.asarray(alpha(n), jnp.float64), momentum=0.9)
    apart_sgd = float(jnp.abs(bare - two_hundred_steps(sgd)).max())

    same_alpha = optax.sgd(alpha, momentum=0.9)
    apart_same_alpha = float(jnp.abs(bare - two_hundred_steps(same_alpha)).max())

gaps = {"the chain": apart, "sgd with 1 - mu": apart_sgd, "sgd, same alpha": apart_same_alpha}
for name, gap in gaps.items():
    print(f"{name:20s}  {'agrees' if gap < 1e-12 else 'DIFFERS'}")
assert apart < 1e-12 and apart_sgd < 1e-12
assert apart_same_alpha > 0.1

# %% [markdown]
# "Agrees" means that over 200 steps no weight differs by more than $10^{-12}$: both compute the
# same sums, up to float64 rounding. The last line is the trap.
#
# ## The learning rate over time
#
# $\alpha$ need not be constant. Training in this library raises it over the first fifth of all
# updates and lowers it over the rest. Of $T$ updates, the first $r = T/5$, rounded up, are the
# rise. For $n = 0, \ldots, T - 1$,
#
# $$\alpha_n = \alpha_{\text{peak}} \min\left( \frac{n + 1}{r},\ \frac{T - n}{T - r} \right)
# \tag{schedule.1}$$
#
# The first fraction grows from $\tfrac1r$ to 1 at $n = r - 1$. The second falls from 1 at $n = r$.
# At $n = T$, one past the last update, it would be 0.
#
# By hand, for $T = 10$ and the peak $\tfrac12$, so $r = 2$:
#
# | $n$ | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 |
# | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
# | $\alpha_n$ | 4/16 | 8/16 | 8/16 | 7/16 | 6/16 | 5/16 | 4/16 | 3/16 | 2/16 | 1/16 |

# %%
rates = [float(triangular(0.5, 10)(n)) for n in range(10)]
print(rates)
assert rates == [k / 16 for k in (4, 8, 8, 7, 6, 5, 4, 3, 2, 1)]  # (schedule.1)

# %% [markdown]
# Why rise? At first the weights are random and the gradients large, so a long step may do harm. Why
# fall? Near the minimum the gradient is mostly noise, and a constant rate keeps stirring the
# weights. A smaller rate lets them settle.
#
# We can see this in the valley. We add noise with $\sigma = 1$ to each gradient, take 1000 walkers,
# and plot their mean loss, once with the constant rate 0.2 and once with a triangle that has this
# peak.


# %%
def noisy_walk(rule, steps=200, walkers=1000):
    """The mean loss of many walkers at every step."""

    def step(carry, key):
        w, state = carry
        g = curvatures * w + jax.random.normal(key, w.shape)
        update, state = rule.update(g, state, w)
        w = optax.apply_updates(w, update)
        return (w, state), jnp.mean(0.5 * jnp.sum(curvatures * w**2, axis=1))

    start = jnp.broadcast_to(jnp.array([-9.0, 2.0]), (walkers, 2))
    keys = jax.random.split(jax.random.key(2), steps)
    return np.asarray(jax.lax.scan(step, (start, rule.init(start)), keys)[1])


triangle = triangular(0.2, 200)
constant_loss = noisy_walk(momentum(0.2, 0.9))
triangle_loss = noisy_walk(momentum(triangle, 0.9))
print(f"mean loss at the end: constant {constant_loss[-1]:.4f}, triangle {triangle_loss[-1]:.4f}")
assert triangle_loss[-1] < constant_loss[-1] / 4

# %%
n = np.arange(200)
figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 2.4), layout="constrained")
left.axhline(0.2, color=ORANGE, linestyle="--", label="constant")
left.plot(n, triangle(n), color=BLUE, label="triangle")
left.set_ylim(0, 0.25)
left.set_title(r"the rate $\alpha_n$")
right.semilogy(n, constant_loss, "--", color=ORANGE)
right.semilogy(n, triangle_loss, color=BLUE)
right.minorticks_off()
right.set_title("mean loss of 1000 walkers")
left.legend(frameon=False, loc="lower center")
for ax in (left, right):
    ax.set_xlabel("update $n$")
plt.show()

# %% [markdown]
# The constant rate is faster at first and then stays at a level that the noise sustains. The
# triangle starts slowly, and ends with less than a quarter of that loss.
#
# ## Exercises
#
# 1. Let $\mu = \tfrac12$, $m_0 = 0$, and the gradients 8, $-4$, 2. Find $m_3$, step by step and
#    unrolled.
#
#    *Answer:* $m_1 = 4$, $m_2 = 0$, $m_3 = 1$. Unrolled:
#    $\tfrac12 \left(2 - \tfrac12 \cdot 4 + \tfrac14 \cdot 8\right) = 1$.
#
# 2. Which $\mu$ leaves a hundredth of the variance?
#
#    *Answer:* $100\, (1 - \mu) = 1 + \mu$, so $\mu = \tfrac{99}{101} = 0.980$.
#
# 3. With a constant rate, how far has $w$ moved after $n$ steps, in terms of the gradients? Does
#    momentum remove noise from this total?
#
#    *Answer:* gradient $g_k$ is in $m_k, \ldots, m_n$, with weights that add up to
#    $(1 - \mu)(1 + \mu + \cdots + \mu^{n-k}) = 1 - \mu^{n-k+1}$. So the total is
#    $-\alpha \sum_k (1 - \mu^{n-k+1})\, g_k$. Old gradients count in full, as in plain descent.
#    Momentum smooths each step, but not the sum of many.
#
# 4. Decay *inside* the average would replace $g_n$ by $g_n + \lambda w_n$ in (24). What is the
#    first $m$ of our example with $\lambda = \tfrac14$?
#
#    *Answer:* $\tfrac14 (4 + 2) = 1.5$. Only a quarter of the decay acts in the first step.

# %%
m_by_step = [float(m) for m in averages(jnp.array([8.0, -4.0, 2.0]), 0.5)]
assert m_by_step == [4.0, 0.0, 1.0]
assert np.isclose((1 - 99 / 101) / (1 + 99 / 101), 1 / 100) and abs(99 / 101 - 0.980) < 5e-4
total = averages(gradients[:, 0], 0.9).sum()
shares = 1 - 0.9 ** np.arange(60, 0, -1)
assert np.isclose(total, np.sum(shares * np.asarray(gradients[:, 0])), rtol=1e-5)
assert float(averages(jnp.array([4.0 + 0.25 * 8.0]), 0.75)[0]) == 1.5
print("all answers are correct")

# %% [markdown]
# ## Where to look next
#
# `ffnn_jax/optim/_momentum.py` has the rule and `ffnn_jax/optim/_schedules.py` the triangle.
# `tests/optim/test_momentum.py` and `tests/optim/test_schedules.py` check them.
