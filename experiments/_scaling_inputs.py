"""The published numbers behind the predictions of scaling, and the accelerators made of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments._scaling_fabric import Algorithm, Switched, Torus
from experiments._scaling_model import Accelerator, Work

_MICRO, _GIGA, _TERA = 1e-6, 1e9, 1e12


class Input(NamedTuple):
    """A published number; ``checked`` says where it was read."""

    value: str
    source: str
    checked: str


_GOOGLE = "the page itself"
_BOOK = "Austin et al., How to Scale Your Model (jax-ml/scaling-book)"
_NCCL = "NVIDIA, NCCL, `src/graph/tuning.cc` at commit b647562"
INPUTS: dict[str, Input] = {
    "H100, H200: bfloat16, dense": Input(
        "989 TFLOP/s", "NVIDIA, H200 Tensor Core GPU datasheet (1,979 with sparsity)",
        f"not in the datasheet; 9.9e14 in {_BOOK}, GPUs",
    ),
    "NVLink 4, per GPU and direction": Input(
        "450 GB/s", "NVIDIA, MLPerf Inference v4.1, system description of 8 H200: "
        "18 links, 900 GB/s in both directions", "excerpts of the file",
    ),
    "InfiniBand NDR, per node of 8": Input(
        "8 × 400 Gb/s = 400 GB/s", "NVIDIA, MMA4Z00-NS transceiver, overview: 400 Gb/s a line; "
        "Dell, MLPerf Inference v3.1, system description of 8 H100: 8 × 400 Gb/s",
        "excerpts of both",
    ),
    "Ethernet, per node of 8": Input(
        "100 Gb/s = 12.5 GB/s", "IEEE 802.3ba-2010, one port a node (assumed)",
        "not in the standard; the rate is its name",
    ),
    "NCCL: base, hop in a node, hop between nodes": Input(
        "tree LL 6.8, 0.6, 5.0 µs; tree LL128 14, 1.25, 8.5 µs; ring 8.4, 3.4, 14 µs", _NCCL,
        "the file itself; its corrections for processor and channels are left out",
    ),
    "NCCL: share of the bandwidth": Input(
        "tree LL 0.92 / 3.8, at most 87.7 GB/s in a node and 19 beyond; tree LL128 0.92 × 7 / 9; "
        "ring 1", _NCCL, "the file itself",
    ),
    "TPU v5e: bfloat16; links, both directions; pod": Input(
        "197 TFLOP/s; 400 GB/s; 256 chips, 2D torus", "Google Cloud, TPU v5e", _GOOGLE
    ),
    "TPU v5p: bfloat16; links, both directions; pod": Input(
        "459 TFLOP/s; 1,200 GB/s; 8,960 chips, 3D torus", "Google Cloud, TPU v5p", _GOOGLE
    ),
    "TPU: a hop": Input(
        "about 1 µs", f"{_BOOK}, Sharded Matrices",
        "the chapter itself, whose measured 3 hops took 8 µs",
    ),
    "TPU: rings": Input(
        "v5e axes of 16; v5p axes that are multiples of 4", f"{_BOOK}, TPUs", "the chapter itself"
    ),
}  # fmt: skip

ALGORITHMS = (
    Algorithm(True, 6.8 * _MICRO, 0.6 * _MICRO, 5 * _MICRO, 0.92 / 3.8, (87.7 * _GIGA, 19 * _GIGA)),
    Algorithm(True, 14 * _MICRO, 1.25 * _MICRO, 8.5 * _MICRO, 0.92 * 7 / 9),
    Algorithm(False, 8.4 * _MICRO, 3.4 * _MICRO, 14 * _MICRO),
)
INFINIBAND = Switched(450 * _GIGA, 400 * _GIGA, ALGORITHMS)
ETHERNET = Switched(450 * _GIGA, 12.5 * _GIGA, ALGORITHMS)
V5E = Torus(200 * _GIGA, _MICRO, axes=2, ring=16, most=256)
V5P = Torus(600 * _GIGA, _MICRO, axes=3, ring=4, most=8960)
_PEAKS = {
    "H200, InfiniBand": (989 * _TERA, INFINIBAND),
    "H200, Ethernet": (989 * _TERA, ETHERNET),
    "TPU v5e": (197 * _TERA, V5E),
    "TPU v5p": (459 * _TERA, V5P),
}
_START, _LARGE = "one seed", "94 %"
LARGE = "cifar10-94"
"""The preset whose stored run gives the utilisation."""


def start_and_utilisation(
    stored: Mapping[str, Any], steps: Mapping[str, int], large: Work
) -> tuple[float, float]:
    """Seconds of a step with hardly any operations, and the share of the peak in a large one.

    Args:
        stored: the results of an H200.
        steps: of each preset's training.
        large: the work of the preset ``LARGE``.
    """
    small = stored["parts"][_START]["figures"]
    start = small["train_seconds"] / steps[small["preset"]]
    times = sorted(stored["parts"][_LARGE]["figures"]["train_seconds"])
    step = times[len(times) // 2] / steps[LARGE]
    operations = large.batch * large.operations + large.update
    return start, operations / (step - start) / (989 * _TERA)


def accelerators(start: float, utilisation: float) -> dict[str, Accelerator]:
    """The accelerators by name; start and utilisation of the H200 are taken for all."""
    return {
        name: Accelerator(peak, utilisation, start, fabric)
        for name, (peak, fabric) in _PEAKS.items()
    }
