"""The gradient of float32 weights with x in bfloat16: our rule, and autodiff's rounding.

Claim: over 16,384 rows the relative error of ours is below 1e-6. Autodiff of the reference
implementation rounds the gradient to bfloat16 and casts it back, with an error above 1e-3 for any
number of rows, unless the compiler drops the rounding, as XLA does for convolutions on a CPU.
Time: 30 seconds on 2 cores of an Intel Xeon.
Command: python -m experiments.mixed_precision
Quick: python -m experiments.mixed_precision --quick, 1 draw of 256 rows, results to runs/quick.

A row is a data point for dense, a patch for conv2d: the gradient of a weight is a sum over rows.
Errors are against float64 on the same numbers, as norms: |dW - dW64| / |dW64|, the largest of a
few draws. "As written" is autodiff where XLA may not keep more precision than the program states.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from experiments._machine import commit
from experiments._results import folder_for, run_command, write_result
from ffnn_jax.layers import conv2d, dense
from ffnn_jax.runs import device, versions

_ROWS, _DRAWS, _IMAGE = (256, 4096, 16384), 3, 16
Layer = Callable[[Array, Array, Array], Array]


def reference_dense(x: Array, w: Array, b: Array) -> Array:
    """Equation (12) in x's dtype."""
    return x @ w.astype(x.dtype) + b.astype(x.dtype)[None, :]


def reference_conv2d(x: Array, w: Array, b: Array) -> Array:
    """Equation (conv.1) in x's dtype, zero-padded to the size of x."""
    layout = ("NHWC", "HWIO", "NHWC")
    z = jax.lax.conv_general_dilated(x, w.astype(x.dtype), (1, 1), "SAME", dimension_numbers=layout)
    return z + b.astype(x.dtype)[None, None, None, :]


# Ours, the reference implementation, the shape of w.
LAYERS: dict[str, tuple[Layer, Layer, tuple[int, ...]]] = {
    "dense, 128 into 64": (dense, reference_dense, (128, 64)),
    "conv2d, 5x5, 3 into 16": (conv2d, reference_conv2d, (5, 5, 3, 16)),
    "conv2d, 5x5, 16 into 16": (conv2d, reference_conv2d, (5, 5, 16, 16)),
}


def main(quick: bool = False) -> None:
    """The error of the weights' gradient, by our rule and by autodiff.

    Args:
        quick: smoke test: one draw of few rows.
    """
    result = {"quick": quick, "commit": commit(), "versions": versions(), "device": device()}
    result |= measure(_ROWS[:1] if quick else _ROWS, 1 if quick else _DRAWS)
    write_result(folder_for(quick) / "mixed_precision.json", result)
    print(table(result))


def measure(rows: tuple[int, ...], draws: int) -> dict[str, Any]:
    """The largest error of each layer and rule, for each number of rows."""
    errors = {}
    for name, (ours, reference, shape) in LAYERS.items():
        rules = {
            "ours": _gradient(ours),
            "autodiff": _gradient(reference),
            "autodiff, as written": _gradient(reference, xla_allow_excess_precision=False),
        }
        exact = _gradient(reference)
        errors[name] = {
            rule: [
                max(_error(gradient, exact, shape, count, seed) for seed in range(draws))
                for count in rows
            ]
            for rule, gradient in rules.items()
        }
    return {"dtype": "bfloat16", "draws": draws, "rows": list(rows), "errors": errors}


def table(result: dict[str, Any]) -> str:
    """The errors in Markdown, one line per layer and rule."""
    lines = [["layer", "gradient of w by", *(f"{count:,} rows" for count in result["rows"])]]
    lines += [["---", "---", *["---:"] * len(result["rows"])]]
    for name, rules in result["errors"].items():
        for rule, errors in rules.items():
            lines.append([name, rule, *(f"{error:.1e}" for error in errors)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _gradient(layer: Layer, **options: bool) -> Callable[..., Any]:
    """The gradient of w for (x, w, b, dz), compiled with these XLA options."""

    @functools.partial(jax.jit, compiler_options=options)
    def gradient(x: Array, w: Array, b: Array, dz: Array) -> Array:
        return jax.vjp(lambda w: layer(x, w, b), w)[1](dz)[0]

    return gradient


def _error(
    gradient: Callable[..., Any], exact: Callable[..., Any], shape: tuple[int, ...], rows: int,
    seed: int,
) -> float:  # fmt: skip
    """The relative error of dW."""
    generator = np.random.default_rng(seed)
    images = (rows // _IMAGE**2, _IMAGE, _IMAGE) if len(shape) == 4 else (rows,)
    x, dz = (
        generator.normal(size=(*images, channels)).astype(jnp.bfloat16) for channels in shape[-2:]
    )
    w, b = np.zeros(shape, np.float32), np.zeros(shape[-1:], np.float32)
    actual = np.asarray(gradient(x, w, b, dz), np.float64)
    with jax.enable_x64(True):
        expected = np.asarray(exact(*(array.astype(np.float64) for array in (x, w, b, dz))))
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


if __name__ == "__main__":
    run_command(main)
