"""Batch normalisation and its activation as one rule: does a training step gain 1.10 over two?

Command: python -m experiments.fused_norm
Quick: python -m experiments.fused_norm --quick, 1 round of 1 step, results to runs/quick.

Claim: no. The one rule keeps x alone, and recomputes the pre-activation from x, mean and rstd. It
gains over a gelu that keeps its slope, an array more, but not over one that keeps its input: the
compiler stores neither then, and recomputes the input from x. relu keeps a bit, and gains nothing.

A step is forward, backward and momentum update of two convolutions, each with normalisation,
activation and pooling, and a dense layer, on random images. The variants take turns in one process,
bound to one core or to two, so that other programs slow all of them alike. A gain is the time of
two rules over that of one, of neighbouring laps; stored are its median and quartiles.
"""

import dataclasses
import functools
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import psutil
from jax import Array

from experiments._machine import provenance
from experiments._results import folder_for, run_command, write_result
from ffnn_jax._processor import bind_to, core_numbers
from ffnn_jax.layers import batch_norm_backward, batch_norm_forward, relu
from ffnn_jax.network import Network
from ffnn_jax.nn import BatchNorm, Conv, Dense, Layer, MaxPool, Tree
from ffnn_jax.optim import momentum
from ffnn_jax.training import make_loss


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is timed, and how often."""

    batch: int = 128
    image: tuple[int, int, int] = (32, 32, 3)
    filters: tuple[int, int] = (16, 32)
    size: int = 3
    rounds: int = 50
    steps: int = 1


_QUICK = Setting(batch=8, image=(8, 8, 3), filters=(2, 3), rounds=1, steps=1)
_FORMS = ("two rules", "one rule")
_ENOUGH = 1.10


def _gelu_parts(x: Array) -> tuple[Array, Array]:
    """The product x Phi(x) and its slope Phi(x) + x phi(x), which share Phi(x)."""
    cumulative = jax.lax.erfc(x * -math.sqrt(0.5)) / 2
    density = jnp.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return x * cumulative, cumulative + x * density


def _gelu_slope(x: Array) -> Array:
    return _gelu_parts(x)[1]


@jax.custom_vjp
def gelu_with_slope(x: Array) -> Array:
    """The product x Phi(x); its residual is the slope."""
    return _gelu_parts(x)[0]


@jax.custom_vjp
def gelu_with_input(x: Array) -> Array:
    """The product x Phi(x); its residual is x."""
    return _gelu_parts(x)[0]


def _from_input(x: Array, dz: Array) -> tuple[Array]:
    """Without the barrier the compiler recognises Phi(x), and stores it for the backward."""
    return (dz * _gelu_slope(jax.lax.optimization_barrier(x)),)


gelu_with_slope.defvjp(_gelu_parts, lambda slope, dz: (dz * slope,))
gelu_with_input.defvjp(lambda x: (_gelu_parts(x)[0], x), _from_input)

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": relu,
    "gelu, its slope kept": gelu_with_slope,
    "gelu, its input kept": gelu_with_input,
}


def _fused_forward(x: Array, scale: Array, shift: Array, eps: float, activation: str) -> Any:
    (a, mean, variance), residuals = batch_norm_forward(x, scale, shift, eps)
    return (ACTIVATIONS[activation](a), mean, variance), (residuals, shift)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def norm_activation(x: Array, scale: Array, shift: Array, eps: float, activation: str) -> Any:
    """Batch normalisation with the batch's statistics, and an activation, as one rule."""
    return _fused_forward(x, scale, shift, eps, activation)[0]


def _fused_backward(eps: float, activation: str, kept: Any, cotangents: Any) -> Any:
    (residuals, shift), (dz, dmean, dvariance) = kept, cotangents
    x, *channels = residuals
    mean, rstd, scale, shift = (v.reshape(1, 1, 1, -1) for v in (*channels, shift))
    a = scale * ((x - mean) * rstd) + shift  # (norm.2), (norm.3)
    da = dz * ((a > 0).astype(a.dtype) if activation == "relu" else _gelu_slope(a))
    return batch_norm_backward(eps, residuals, (da, dmean, dvariance))


norm_activation.defvjp(_fused_forward, _fused_backward)


@dataclasses.dataclass(frozen=True)
class Activation(Layer):
    """An activation by name."""

    name: str = "relu"

    def __call__(self, params: Tree, x: Any) -> Any:
        """The activation, by its own rule."""
        return ACTIVATIONS[self.name](x)


@dataclasses.dataclass(frozen=True)
class NormActivation(BatchNorm):
    """Batch normalisation and an activation, as one rule in training."""

    mixes_batch: ClassVar[bool] = True
    name: str = "relu"

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """The statistics are updated as by ``BatchNorm``."""
        if not training:
            z, state = super().apply(params, state, x)
            return ACTIVATIONS[self.name](z), state
        scale, shift = params["scale"], params["shift"]
        outputs: Any = norm_activation(x, scale, shift, self.eps, self.name)
        z, mean, variance = outputs
        batch = jax.lax.stop_gradient({"mean": mean, "variance": variance})
        return z, {name: self._updated(state[name], batch[name]) for name in state}


def network(form: str, activation: str, setting: Setting) -> Network:
    """The network, with normalisation and activation as two layers or as one."""
    two = (BatchNorm(), Activation(activation))
    normalised = two if form == _FORMS[0] else (NormActivation(name=activation),)
    blocks = [
        (Conv(filters, setting.size, bias=False), *normalised, MaxPool(2))
        for filters in setting.filters
    ]
    return Network((*blocks[0], *blocks[1], Dense(10)), setting.image)


class Stepper:
    """Training steps of one variant, on one batch."""

    def __init__(self, form: str, activation: str, setting: Setting) -> None:
        """Compiles the step."""
        net, rule = network(form, activation, setting), momentum(0.01)
        loss_of, generator = make_loss(net, "float32"), np.random.default_rng(0)
        x = jnp.asarray(generator.normal(size=(setting.batch, *setting.image)), "float32")
        batch = x, jnp.asarray(generator.integers(0, 10, setting.batch)), None
        params, state = net.init(jax.random.key(0))
        frozen = jax.tree.map(lambda array: None, params)

        def step(params: Any, state: Any, optimiser: Any) -> Any:
            take = jax.value_and_grad(loss_of, has_aux=True)
            (loss, (_, after)), grads = take(params, frozen, state, batch)
            updates, optimiser = rule.update(grads, optimiser, params)
            return (optax.apply_updates(params, updates), after, optimiser), loss

        self._carry = params, state, rule.init(params)
        self._step = jax.jit(step, donate_argnums=(0, 1, 2)).lower(*self._carry).compile()
        analysis: Any = self._step.memory_analysis()
        self.megabytes = round(analysis.temp_size_in_bytes / 2**20, 2)

    def run(self, steps: int) -> tuple[float, float]:
        """Seconds per step, and the last loss."""
        began, loss = time.perf_counter(), jnp.zeros(())
        for _ in range(steps):
            self._carry, loss = self._step(*self._carry)
        last = float(loss)  # waits for it
        return (time.perf_counter() - began) / steps, last


def main(quick: bool = False) -> None:
    """One rule for batch normalisation and its activation, against two.

    Args:
        quick: smoke test with a tiny network.
    """
    result = measure(quick)
    write_result(folder_for(quick) / "fused_norm.json", result)
    print(table(result["rows"]))


def measure(quick: bool) -> dict[str, Any]:
    """Times all variants, on one core and on two, each in a process of its own."""
    setting, cores = (_QUICK, (1,)) if quick else (Setting(), (1, 2))
    spawn, rows = multiprocessing.get_context("spawn"), []
    for count in (c for c in cores if c <= len(core_numbers())):
        with spawn.Pool(1) as pool:
            rows += pool.apply(rows_on, (core_numbers()[:count], setting))
    load = {"load_average": psutil.getloadavg()[0]}
    return {**provenance(quick), **load, "setting": dataclasses.asdict(setting), "rows": rows}


def rows_on(cores: list[int], setting: Setting) -> list[dict[str, Any]]:
    """A row for each activation, on these cores."""
    bind_to(cores)
    steppers = {(a, form): Stepper(form, a, setting) for a in ACTIVATIONS for form in _FORMS}
    losses = {key: stepper.run(setting.steps)[1] for key, stepper in steppers.items()}
    for a in ACTIVATIONS:
        np.testing.assert_allclose(losses[a, _FORMS[0]], losses[a, _FORMS[1]], rtol=1e-3)
    laps = [_lap(steppers, setting.steps, turn) for turn in range(setting.rounds)]
    return [{"cores": len(cores), **_row(a, steppers, laps)} for a in ACTIVATIONS]


def _lap(steppers: dict[Any, Stepper], steps: int, turn: int) -> dict[Any, float]:
    """Each variant once, every other time in reverse order."""
    order = [*steppers][:: -1 if turn % 2 else 1]
    return {key: steppers[key].run(steps)[0] for key in order}


def _row(activation: str, steppers: Any, laps: list[dict[Any, float]]) -> dict[str, Any]:
    two, one = ((activation, form) for form in _FORMS)
    gains = [lap[two] / lap[one] for lap in laps]
    quartiles = statistics.quantiles(gains, n=4) if len(gains) > 1 else gains * 3
    return {
        "activation": activation,
        "milliseconds": [
            round(1e3 * statistics.median(lap[key] for lap in laps), 2) for key in (two, one)
        ],
        "megabytes": [steppers[key].megabytes for key in (two, one)],
        "gain": [round(gain, 3) for gain in quartiles],
        "enough": quartiles[1] >= _ENOUGH,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table, one line per activation and number of cores."""
    lines = ["| activation | cores | two rules, ms | one rule, ms | gain | memory, MB |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | --- |")
    for row in rows:
        (two, one), (low, gain, high) = row["milliseconds"], row["gain"]
        memory = " -> ".join(map(str, row["megabytes"]))
        cells = row["activation"], row["cores"], two, one, f"{gain} ({low} to {high})", memory
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
