"""A run is the same on any number of devices: batches, masks, gradients, parameters, and seeds."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
import pytest

from ffnn_jax._device import chosen_devices
from ffnn_jax.config import UserError
from ffnn_jax.training import places
from tests.tolerances import tolerance
from tests.training import on_devices

FLOAT64 = 1e-10
"""How close float64 must be to one device: what sharding alone rounds differently."""


Results = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


def on_one_and_on_eight(folder: Path, cases: str) -> Results:
    """The results of a process with one device, and of one with eight."""
    files = {count: folder / f"{count}.npz" for count in (1, 8)}
    started = []
    for count, file in files.items():
        own = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(count)}
        own |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": str(int(cases == "sample"))}  # compiles sooner
        environment = os.environ | own | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "tests.training.on_devices", str(file), cases]
        started.append(subprocess.Popen(command, env=environment))
    assert [process.wait() for process in started] == [0, 0]
    one, eight = (dict(np.load(file)) for file in files.values())
    return one, eight


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return on_one_and_on_eight(tmp_path_factory.mktemp("devices"), "sample")


def part(results: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix + "/"): value
        for name, value in results.items()
        if name.startswith(prefix + "/")
    }


def require_equal_states(results: Results, name: str, dtype: str, count: int):
    alone = part(results[0], f"states/{name}/{dtype}/1")
    shared = part(results[1], f"states/{name}/{dtype}/{count}")
    assert shared.keys() == alone.keys()
    allowed = FLOAT64 if dtype == "float64" else tolerance("float32", 64 * 100)
    for key, value in alone.items():
        assert shared[key].dtype == value.dtype
        np.testing.assert_allclose(shared[key], value, rtol=allowed, atol=allowed, err_msg=key)
    assert np.abs(alone["1/1/loss"][0]) > 0.1


@pytest.mark.parametrize(("name", "dtype", "count"), on_devices.SAMPLE)
def test_gradients_and_parameters_are_those_of_one_device(sample, name, dtype, count):
    """After one step the optimiser's velocity is the gradient."""
    require_equal_states(sample, name, dtype, count)


@pytest.mark.slow
def test_gradients_and_parameters_of_every_network_are_those_of_one_device(tmp_path):
    results = on_one_and_on_eight(tmp_path, "all")
    for case in on_devices.every_case():
        require_equal_states(results, *case)
    require_equal_seeds(results)


@pytest.mark.parametrize(("name", "shard"), [("batch norm", 8), ("conv", 32)])
def test_each_device_takes_its_shard_of_the_batch_and_only_sums_are_exchanged(sample, name, shard):
    """Read out of the compiled program of 64 images on 8 devices, and on 2 in micro-batches.

    Micro-batches that are not cut within the shards would have to be sent.
    """
    alone, shared = (results[f"gathered/{name}"].tolist() for results in sample)
    assert [word.partition(",")[0] for word in alone] == ["u8[64"]
    assert [word.partition(",")[0] for word in shared] == [f"u8[{shard}", "all-reduce"]


def test_eight_seeds_on_four_devices_are_each_as_alone_bit_for_bit(sample):
    require_equal_seeds(sample)


def require_equal_seeds(results: Results):
    alone, spread = part(results[0], "alone"), part(results[1], "spread")
    assert len({name.partition("/")[0] for name in spread}) == 8
    assert len({name.partition("/")[0] for name in alone}) >= 3
    for name, value in alone.items():
        np.testing.assert_array_equal(spread[name], value)


def test_seeds_that_share_devices_by_two_are_as_alone(sample):
    alone, allowed = part(sample[0], "alone"), tolerance("float32", 64 * 100)
    for name, value in part(sample[1], "shared").items():
        np.testing.assert_allclose(value, alone[name], rtol=allowed, atol=allowed)


def test_one_program_spreads_its_seeds_over_the_devices(sample):
    alone, allowed = part(sample[0], "alone"), tolerance("float32", 64 * 100)
    together = part(sample[1], "together")
    compared = [name for name in together if name in alone]
    assert {name.partition("/")[0] for name in compared} == {"3", "4"}
    for name in compared:
        np.testing.assert_allclose(together[name], alone[name], rtol=allowed, atol=allowed)


def test_streamed_shards_are_those_in_memory_bit_for_bit(sample):
    in_memory = part(sample[1], "shared")
    for name, value in part(sample[1], "streamed").items():
        np.testing.assert_array_equal(value, in_memory[name])


def test_predictions_are_those_of_one_device_bit_for_bit(sample):
    np.testing.assert_array_equal(*(results["probabilities"] for results in sample))


@pytest.mark.parametrize(
    ("devices", "seeds", "expected"),
    [
        (1, 3, [[0], [0], [0]]),
        (4, 1, [[0, 1, 2, 3]]),
        (4, 2, [[0, 1], [2, 3]]),
        (4, 6, [[0], [1], [2], [3], [0], [1]]),
        (5, 2, [[0, 1], [2, 3]]),
    ],
)
def test_seeds_are_spread_before_batches_are_shared(monkeypatch, devices, seeds, expected):
    monkeypatch.setattr("ffnn_jax.training._placement._place", lambda group, axis: group)
    assert places(list(range(devices)), seeds) == expected


@pytest.mark.parametrize(("devices", "seeds", "used"), [(4, 6, 3), (4, 8, 4), (3, 5, 1)])
def test_one_program_uses_the_most_devices_that_get_equally_many_seeds(
    monkeypatch, devices, seeds, used
):
    monkeypatch.setattr("ffnn_jax.training._placement._place", lambda group, axis: group)
    assert places(list(range(devices)), seeds, True) == [list(range(used))] * seeds


@pytest.mark.parametrize("wanted", [0, -1, 10**6, "every"])
def test_devices_that_are_not_there_are_rejected(wanted):
    with pytest.raises(UserError, match=r"^devices must be all, or from 1 to the \d+ here, got "):
        chosen_devices(wanted)


def test_all_devices_are_jaxs():
    assert chosen_devices("all") == tuple(jax.devices())
