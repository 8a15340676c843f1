"""What ``test_devices`` compares between a process with one device and one with eight.

``python -m tests.training.on_devices FILE sample`` writes the arrays of ``results`` to an ``.npz``.
"""

import dataclasses
import re
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import Sharding

from ffnn_jax._device import on_devices
from ffnn_jax.config import Crop, Cutout, Flip, preset
from ffnn_jax.models import Model
from ffnn_jax.network import Network, by_path, compute_normalisation
from ffnn_jax.nn import BatchNorm, Conv, Dense, Dropout, MaxPool, ReLU
from ffnn_jax.optim import momentum
from ffnn_jax.training import (
    HostImages,
    Images,
    SeedData,
    _loop,
    _trainer,
    initial_state,
    make_train_chunk,
    places,
    train,
)
from ffnn_jax.training._placement import replicated

COUNTS = (1, 2, 4, 8)
NETWORKS = {
    "dense": (Dense(7), ReLU(), Dense(4)),
    "conv": (Conv(6, 3), ReLU(), MaxPool(2), Dense(4)),
    "batch norm": (Conv(6, 3), BatchNorm(), ReLU(), MaxPool(2), Dense(4)),
    "dropout": (Conv(6, 3), ReLU(), Dropout(0.25), MaxPool(2), Dropout(0.5), Dense(4)),
}
SAMPLE = (("batch norm", "float64", 8), ("dropout", "float64", 2), ("conv", "float32", 4))
BATCH, RULE = 64, momentum(0.05)
AUGMENTATIONS = (Flip(), Crop(1), Cutout(3))
SETTINGS = dataclasses.replace(
    preset("quickstart"), steps=5, batch_size=16, seed=3, seeds=8, validation_interval=5
)


def images() -> Images:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (104, 8, 8, 1), np.uint8)
    return Images(pixels, generator.integers(0, 4, 104, np.int32))


def seed_data(seed: int = 0, dtype: str = "float32") -> SeedData:
    indices = np.arange(104, dtype=np.int32)
    normalisation = compute_normalisation([images().pixels], 1 / 255)
    as_dtype = jax.tree.map(lambda a: a.astype(dtype), normalisation)
    return SeedData(jax.random.key(seed), indices[:96], indices[96:], as_dtype)


def chunk_on(place: Sharding | None, name: str, dtype: str) -> tuple[Any, Any, Any, Any]:
    """The compiled steps of a network, and their arguments."""
    network = Network(NETWORKS[name], (8, 8, 1))
    state = initial_state(network, RULE, jax.random.key(1))
    state = jax.tree.map(lambda a: a if a.dtype == "int32" else a.astype(dtype), state)
    args = state, images(), seed_data(0, dtype)
    state, source, data = args if place is None else replicated(args, place)
    chunk = make_train_chunk(network, RULE, BATCH, 1e-3, AUGMENTATIONS, place=place)
    return chunk.lower(state, np.int32(0), source, data).compile(), state, source, data


def states_after(place: Sharding | None, name: str, dtype: str) -> dict[str, np.ndarray]:
    """The states after 1 step, where the velocity is the gradient, and after 4."""
    with jax.enable_x64(dtype == "float64"):
        chunk, state, source, data = chunk_on(place, name, dtype)
        found = {}
        for stop in (1, 4):
            state, metrics = chunk(state, np.int32(stop), source, data)
            found |= {f"{stop}/{k}": np.asarray(v) for k, v in by_path((state, metrics)).items()}
    return found


def gathered(count: int, name: str) -> list[str]:
    """What each device takes from the images, and what devices hand to each other, by name."""
    text = chunk_on(place_on(count), name, "float32")[0].as_text()
    exchange = r" (all-gather|all-to-all|all-reduce|collective-permute|reduce-scatter)\("
    gathers = re.findall(r"= (u8\S+?)\{\S* gather\(", text)
    return [*gathers, *sorted(set(re.findall(exchange, text)))]


def trained(devices: int, seeds: range, streaming: bool = False) -> dict[str, np.ndarray]:
    """The parameters of these seeds, trained together."""
    settings = dataclasses.replace(SETTINGS, seed=seeds[0], seeds=len(seeds))
    network = Network(NETWORKS["dropout"], (8, 8, 1))
    data = [seed_data(seed) for seed in seeds]
    args = settings, HostImages((images(),)), data
    result = train(network, RULE, *args, streaming=streaming, devices=jax.devices()[:devices])
    return {
        f"{seed}/{name}": np.asarray(leaf)
        for seed, params in zip(seeds, result.params, strict=True)
        for name, leaf in by_path(params).items()
    }


def in_one_program(devices: int, seeds: range) -> dict[str, np.ndarray]:
    """The same from one program for all seeds, as an accelerator has it."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (_loop, _trainer):
            patched.setattr(module, "is_one_program", lambda network, settings: True)
        return trained(devices, seeds)


def predicted(devices: int) -> np.ndarray:
    """The probabilities of more images than one block has."""
    network = Network(NETWORKS["batch norm"], (8, 8, 1))
    params, state = network.init(jax.random.key(1))
    names = tuple("abcd")
    model = Model(network, params, state, seed_data().normalisation, names)
    with on_devices(jax.devices()[:devices]):
        return model.probabilities(images().pixels)


def results(cases: Sequence[tuple[str, str, int]]) -> dict[str, np.ndarray]:
    """All that is compared, by name; with one device each seed is trained alone."""
    several = jax.device_count() > 1
    counts = COUNTS if several else (1,)
    found = {
        f"states/{name}/{dtype}/{count}/{key}": value
        for name, dtype, count in cases
        if count in counts
        for key, value in states_after(place_on(count), name, dtype).items()
    }
    for name, most in (("batch norm", 8), ("conv", 2)):
        found[f"gathered/{name}"] = np.asarray(gathered(min(most, counts[-1]), name))
    found["probabilities"] = predicted(4 if several else 1)
    if several:
        found |= named("spread", trained(4, range(3, 11)))
        found |= named("shared", trained(4, range(3, 5)))
        found |= named("together", in_one_program(4, range(3, 7)))
        return found | named("streamed", trained(4, range(3, 5), streaming=True))
    for seed in (3, 4, 10) if len(cases) < 10 else range(3, 11):
        found |= named("alone", trained(1, range(seed, seed + 1)))
    return found


def place_on(count: int) -> Sharding | None:
    """The place of one seed on so many devices; on one, nothing is sharded."""
    return places(jax.devices()[:count], 1)[0] if count > 1 else None


def named(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def every_case() -> list[tuple[str, str, int]]:
    return [(n, t, c) for n in NETWORKS for t in ("float64", "float32") for c in COUNTS]


if __name__ == "__main__":
    wanted = SAMPLE if sys.argv[2] == "sample" else every_case()
    alone = dict.fromkeys((name, dtype, 1) for name, dtype, _ in wanted)
    arrays: Any = results([*dict.fromkeys((*wanted, *alone))])
    np.savez(sys.argv[1], **arrays)
