"""The grid of settings in which `experiments.speed` times each library; its fastest counts.

All float32 variants are timed on every workload, except those that would take too long or that
cannot win there:

- Plain JAX in a scan is timed only at batch 16: XLA's loops on a CPU are slow.
- On the large networks a step takes seconds, so calling steps one by one costs nothing beside it
  ("ours-loop" is "ours"), and one thread of several takes as many times longer. There XLA's default
  library of convolutions was the slower one, so all libraries on JAX are given Eigen.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator

from experiments._left_out import is_left_out
from experiments.peers._workload import Workload
from ffnn_jax._processor import core_numbers

_CORES = len(core_numbers())
_MODULES = {
    "ours": "ours", "plain": "plain", "flax": "flax_nnx", "equinox": "equinox_", "keras": "keras_",
    "torch": "torch_",
}  # fmt: skip
_ON_JAX = ("plain", "flax", "flax-split", "equinox", "keras")
_NAMES = [
    "ours", "ours-loop", "ours-bf16", "plain", "plain-scan",
    *(name for name in _ON_JAX if name != "plain"), *(f"{name}-eigen" for name in _ON_JAX),
    *(f"torch{kind}-{n}" for kind in ("", "-last", "-compiled") for n in sorted({1, _CORES})),
    "torch-bf16",
]  # fmt: skip
VARIANTS = {name: _MODULES[name.partition("-")[0]] for name in _NAMES}
"""The module of each variant."""
_EIGEN = (
    "--xla_cpu_experimental_ynn_fusion_type="
    "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"
)
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} if sys.platform == "linux" else {}
"""Environment of every timed process: large arrays in huge pages, which helps all libraries."""
_SCANNED_BATCH, _NETWORKS_IN_BF16 = 16, ("wide", "narrow94", "airbench94")


def made_as(variant: str) -> str:
    """The variant without what only its process's environment decides."""
    return variant.removesuffix("-eigen")


def environment_of(variant: str) -> dict[str, str]:
    """What a variant's process has in its environment."""
    if not variant.endswith("-eigen"):
        return HUGE_PAGES
    return {**HUGE_PAGES, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {_EIGEN}".strip()}


def precision_of(variant: str) -> str:
    """The precision of a variant's layers: "float32" or "bf16"."""
    return "bf16" if "bf16" in variant else "float32"


def variants_of(workload: Workload, without: Iterable[str] = ()) -> dict[str, str]:
    """The variants timed on a workload."""
    return {
        name: module
        for name, module in VARIANTS.items()
        if _is_timed(name, workload) and not is_left_out(name, without)
    }


def _is_timed(variant: str, workload: Workload) -> bool:
    if precision_of(variant) == "bf16":
        return workload.network in _NETWORKS_IN_BF16
    if variant == "plain-scan":
        return workload.batch == _SCANNED_BATCH
    slow = variant == "ours-loop" or (_CORES > 1 and re.fullmatch(r"torch.*-1", variant))
    slow = slow or variant in _ON_JAX
    return not (workload.large and slow)


def grid_lines(without: Iterable[str] = ()) -> Iterator[str]:
    """The grid, for a reader of the command's output."""
    yield "settings, of which each library's fastest counts:"
    for library in _MODULES:
        names = [n for n in VARIANTS if n.partition("-")[0] == library]
        timed = ", ".join(n for n in names if not is_left_out(n, without))
        yield f"  {library}: {timed or 'left out'}"
    yield f"-eigen: XLA_FLAGS={_EIGEN}"
    for name, value in HUGE_PAGES.items():
        yield f"huge pages for every process: {name}={value}"
