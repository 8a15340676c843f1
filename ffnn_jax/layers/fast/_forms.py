"""Which form computes a convolution on a CPU: by default as shapes suggest, or as was measured.

A table maps classes of convolutions to names of forms. It holds inside ``forms``, a context of
jax's: part of what its caches depend on, so that two tables are two programs. Whoever compiles a
step hands the table over as an argument, and enters the context while the step is traced.

It may also say how many images a step takes at a time where it accumulates gradients, as in
("micro-batch", "32"): what fits a processor's cache. And ("accelerator", "im2col") computes all
convolutions by matrix products on a GPU or TPU, where XLA has no fast convolution of many networks.

A class is one of the three maps of (conv.12), and the sizes of the kernel: its entries, its input
channels and its output channels, each rounded up to a bound. Processors differ by class; the size
of the images and of the batch matters little.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp

from ffnn_jax.layers._geometry import Shape

Map = Literal["forward", "images", "kernels"]
Table = tuple[tuple[str, str], ...]
"""Pairs of a class and the name of its form."""

NAMES = ("im2col", "rows", "pairs", "native")
MICRO_BATCH, _USUAL_MICRO_BATCH = "micro-batch", 16
ACCELERATOR = "accelerator"
_ENTRIES, _CHANNELS = (1, 4, 9), (1, 4, 16, 24)
_LIBRARIES = ("INDIVIDUAL_DOT", "REDUCE")  # and not INDIVIDUAL_CONVOLUTION
_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": ",".join(f"LIBRARY_FUSION_TYPE_{n}" for n in _LIBRARIES)
}

forms = jax.make_user_context(())
"""The context in which a table holds, as in ``with forms(table): ...``."""


def class_of(part: Map, kernel: Shape, dtype: jnp.dtype) -> str:
    """The class of one map of a convolution, as in "forward 9 4-16": at most 3 by 3, 4, 16.

    Narrow dtypes are classes of their own, as in "narrow forward 9 4-16".
    """
    height, width, inputs, outputs = kernel
    bounds = (height * width, _ENTRIES), (inputs, _CHANNELS), (outputs, _CHANNELS)
    entries, few, many = (next((str(b) for b in known if n <= b), "more") for n, known in bounds)
    narrow = "narrow " if dtype.itemsize < 4 else ""
    return f"{narrow}{part} {entries} {few}-{many}"


def largest_micro_batch() -> int:
    """The most images that a step takes at a time, by the table in use."""
    return int(dict(forms.value).get(MICRO_BATCH, _USUAL_MICRO_BATCH))


def compiler_options(table: Table) -> dict[str, str] | None:
    """How XLA compiles a program with these forms: with the CPU's faster library of convolutions.

    XLA's default for a CPU, YNNPACK, was slower than Eigen, its other one, at wide convolutions on
    an Intel Xeon (``experiments/speed.py`` times both); products and sums stay with YNNPACK.
    """
    needed = "native" in dict(table).values() and jax.default_backend() == "cpu"
    return _OPTIONS if needed and _are_known() else None


@functools.cache
def _are_known() -> bool:
    """Whether this version of XLA has the option."""
    try:
        jax.jit(lambda: 0, compiler_options=_OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
