"""Every peer takes the same steps: ours and plain JAX to the last digits of float64."""

import dataclasses
import importlib
import importlib.util
from typing import Any

import jax
import numpy as np
import pytest

from experiments._speed_rows import LARGEST_DIFFERENCE, largest_difference
from experiments._variants import VARIANTS, made_as
from experiments.peers import _workload
from experiments.peers._workload import Arrays, Workload, airbench
from ffnn_jax import nn
from ffnn_jax.nn import Conv, Dense, MaxPool, ReLU

PEERS = {"flax_nnx": "flax", "equinox_": "equinox", "keras_": "keras", "torch_": "torch"}
INSTALLED = [
    variant
    for variant, module in VARIANTS.items()
    if variant == made_as(variant) and importlib.util.find_spec(PEERS.get(module, "jax"))
]
TINY = {
    "airbench": (airbench(3), (8, 8, 3)),  # sizes 7, 3, 1
    "deep": (airbench(3, 4, 4), (26, 26, 3)),  # sizes 25, 12, 6, 3, 1
    "report": ((Conv(3, 3), ReLU(), MaxPool(2), Dense(10)), (6, 7, 2)),
}


@pytest.fixture(autouse=True)
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, network in TINY.items():
        monkeypatch.setitem(_workload.NETWORKS, name, network)


@dataclasses.dataclass(frozen=True)
class _Float64(Workload):
    def weights(self) -> list[Arrays]:
        return [_float64(arrays) for arrays in super().weights()]

    def running(self) -> list[Arrays]:
        return [_float64(arrays) for arrays in super().running()]

    def batches(self) -> Any:
        return [(x.astype(np.float64), labels) for x, labels in super().batches()]


def _float64(arrays: Arrays) -> Arrays:
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def stepper_of(workload: Workload, variant: str) -> Any:
    module = importlib.import_module(f"experiments.peers.{VARIANTS[variant]}")
    return module.make(workload, variant)


def losses(workload: Workload, variant: str, calls: int = 2) -> list[float]:
    """The losses of some calls, under jax's default settings."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        stepper = stepper_of(workload, variant)
        return [loss for _ in range(calls) for loss in stepper.run()]


@pytest.mark.usefixtures("x64", "quick_compilation")
@pytest.mark.parametrize(
    "network", ["airbench", "report", pytest.param("deep", marks=pytest.mark.slow)]
)
def test_200_steps_equal_plain_jax_s_in_float64(network: str):
    workload = _Float64(network, 4, alpha=0.02)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        ours, plain = (stepper_of(workload, name) for name in ("ours", "plain"))
        found, expected = ([one.run() for _ in range(20)] for one in (ours, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert expected[-1][-1] < expected[0][-1] / 2  # of the same batch
    names = [name for _, name, _ in nn.numbered(workload.layers)]
    for ours_part, plain_part in zip(ours.state[:2], plain.state[:2], strict=True):
        for name, arrays in zip(names, plain_part, strict=True):
            mine = ours_part.get(name, {})
            assert mine.keys() == arrays.keys()
            for key, array in arrays.items():
                assert array.dtype == np.float64
                scale = np.abs(array).max()
                np.testing.assert_allclose(mine[key], array, rtol=1e-10, atol=1e-10 * scale)


@pytest.fixture(scope="module")
def plain() -> dict[str, list[float]]:
    return {}


@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.filterwarnings("ignore")  # warnings of the peers are not ours
@pytest.mark.parametrize(
    ("network", "variant"),
    [
        *(("mnist", name) for name in INSTALLED if name != "plain"),
        *(("airbench", name) for name in INSTALLED if VARIANTS[name] in PEERS),
    ],
)
def test_every_installed_variant_has_plain_jax_s_losses(
    network: str, variant: str, plain: dict[str, list[float]]
):
    workload = Workload(network, 16)
    if network not in plain:
        plain[network] = losses(workload, "plain")
    assert len(plain[network]) == 20
    assert plain[network][-1] < plain[network][9]
    if "bf16" in variant:
        first = losses(workload, variant, calls=1)[:4]
        assert 0 < largest_difference(first, plain[network]) < LARGEST_DIFFERENCE["bf16"]
    else:
        assert largest_difference(losses(workload, variant), plain[network]) < 1e-5


def test_a_batch_that_recurs_in_a_call_is_the_same():
    batches = Workload("mnist", 2).batches()
    assert len(batches) == 10
    np.testing.assert_array_equal(batches[0][0], batches[5][0])
    assert not np.array_equal(batches[0][0], batches[1][0])
    assert len(Workload("airbench94", 1).batches()) == Workload("airbench94", 1).steps == 2


def test_airbench94_has_its_parameters():
    def count(name: str) -> int:
        return sum(array.size for each in Workload(name, 1).weights() for array in each.values())

    assert count("airbench94") == 1_971_640 + 1  # and the learned scale
    assert count("narrow94") < count("airbench94") / 3
