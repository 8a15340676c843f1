"""Every layer of ``ffnn_jax.nn`` as ONNX: onnxruntime and ``Network.apply`` agree to 1e-5."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax import nn
from ffnn_jax.models.onnx._graph import FLOAT, Graph
from ffnn_jax.models.onnx._program import add_network
from ffnn_jax.models.onnx._save import encoded
from ffnn_jax.network import Network, by_path
from ffnn_jax.nn import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    Conv1D,
    ConvTranspose,
    Dense,
    Dropout,
    GroupNorm,
    Layer,
    MaxPool,
    Pad,
    ReLU,
    Residual,
    Scale,
    Sequential,
    Upsample,
)

pytestmark = pytest.mark.usefixtures("quick_compilation")
onnxruntime = pytest.importorskip("onnxruntime")
IMAGE, EVEN, LINE = (7, 5, 3), (5, 7, 6), (9, 4)
BLOCK = (Conv(6, 3, bias=False), BatchNorm(), ReLU(), Dropout(0.5), Conv(6, 3))

CASES: list[tuple[Layer, tuple[int, ...]]] = [
    *((kind(), EVEN) for kind in nn.LAYERS.values() if kind.__module__.endswith("_activations")),
    *((kind(), (6,)) for kind in nn.LAYERS.values() if kind.__module__.endswith("_activations")),
    *((kind(1), IMAGE) for kind in (nn.ELU, nn.CELU, nn.LayerNorm, nn.RMSNorm, nn.InstanceNorm)),
    (nn.LeakyReLU(0), IMAGE),
    (BatchNorm(eps=1), IMAGE),
    (GroupNorm(3, 1), EVEN),
    (nn.ELU(0.3), IMAGE),
    (nn.CELU(0.3), IMAGE),
    (nn.LeakyReLU(0.2), IMAGE),
    (Scale(-1.5), IMAGE),
    (Scale(0.5, per_channel=True), IMAGE),
    (BatchNorm(eps=1e-3, scale=False), (6,)),
    (BatchNorm(), LINE),
    (BatchNorm(ghost_size=2), IMAGE),
    (nn.LayerNorm(), IMAGE),
    (nn.LayerNorm(1e-2), (6,)),
    (nn.RMSNorm(), IMAGE),
    (nn.RMSNorm(1e-2), (6,)),
    (nn.InstanceNorm(), IMAGE),
    (nn.InstanceNorm(1e-2), LINE),
    (GroupNorm(3), EVEN),
    (GroupNorm(2, 1e-2), (6,)),
    (Dense(4), IMAGE),
    (Dense(4, bias=False), (6,)),
    (Dense(4, flatten=False), (6,)),
    (Dense(4, flatten=False), LINE),
    (Dense(4, flatten=False, standardised=True), IMAGE),
    (Conv(4, 3), IMAGE),
    (Conv(4, 2, bias=False), IMAGE),
    (Conv(4, 3, stride=2), IMAGE),
    (Conv(4, 3, stride=2), (6, 8, 3)),
    (Conv(4, 2, stride=3), (6, 8, 3)),
    (Conv(4, 1, stride=2), IMAGE),
    (Conv(4, 3, padding="VALID", stride=2, dilation=2), IMAGE),
    (Conv(4, 3, padding=2, dilation=2, standardised=True), IMAGE),
    (Conv(4, 3, stride=2, groups=2), EVEN),
    (Conv(12, 3, groups=6), EVEN),
    (Conv(24, 2, padding="VALID", start="whitening"), IMAGE),
    (Conv(4, 3, start="dirac"), IMAGE),
    (Conv1D(6, 3, stride=2, dilation=2, groups=2), LINE),
    (Conv1D(6, 4, padding="VALID"), LINE),
    (ConvTranspose(4, 3, 2), IMAGE),
    (ConvTranspose(4, 4, 2, bias=False), IMAGE),
    (ConvTranspose(4, 2, 3), IMAGE),
    (ConvTranspose(4, 3, 2, padding="VALID"), IMAGE),
    (ConvTranspose(4, 3, 2, padding=1, standardised=True), IMAGE),
    (ConvTranspose(4, 3, 1, padding=2), IMAGE),
    (ConvTranspose(4, 2, 2, padding=4), IMAGE),
    (MaxPool(), IMAGE),
    (MaxPool(3, 2, "SAME"), IMAGE),
    (MaxPool(3, 2, "SAME"), (6, 8, 3)),
    (MaxPool(3, 2, 1), IMAGE),
    (MaxPool(2, 3, "SAME"), IMAGE),
    (AvgPool(), IMAGE),
    (AvgPool(3, 2, "SAME"), (6, 8, 3)),
    (AvgPool(3, 2, "SAME", count_padding=False), (6, 8, 3)),
    (AvgPool(3, 1, 2), IMAGE),
    (AvgPool(3, 2, 1, count_padding=False), IMAGE),
    (nn.GlobalAvgPool(), IMAGE),
    (AdaptiveAvgPool(3), IMAGE),
    (AdaptiveAvgPool((9, 1)), IMAGE),
    (Upsample(3), IMAGE),
    (Upsample(1), IMAGE),
    (Upsample(3, "bilinear"), IMAGE),
    (Upsample(2, "bilinear"), (1, 5, 3)),
    (Pad(), IMAGE),
    (Pad(((1, 0), (2, 3)), -0.5), IMAGE),
    (Sequential((Conv(4, 3, stride=2), Sequential((ReLU(), Dense(3))))), IMAGE),
    (Residual(BLOCK), EVEN),
    (Residual((*BLOCK, MaxPool()), (AvgPool(), Conv(6, 1))), EVEN),
    (Residual((Residual((Scale(0.5),)), Dense(4)), (Dense(4, bias=False),)), IMAGE),
]  # fmt: skip


def drawn(network: Network) -> tuple[Any, Any]:
    """Parameters and state away from their initial values: variances from 0.5 to 2.5."""
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda spec: rng.normal(0, 0.3, spec.shape).astype(np.float32) + 0.1, network.shapes()
    )
    state = jax.tree.map_with_path(
        lambda path, a: (
            0.5 + 2 * rng.random(a.shape, np.float32) if "variance" in str(path[-1]) else a
        ),
        variables[1],
    )
    return variables[0], state


def outputs(layers: Sequence[Layer], shape: tuple[int, ...]) -> Iterator[tuple[Any, Any]]:
    """The outputs of onnxruntime and of the network, for batches of 5 and of 1."""
    network = Network(tuple(layers), shape)
    params, state = drawn(network)
    graph = Graph(by_path(params) | by_path(state))
    add_network(graph, network, "x")
    ends = ("x", FLOAT, shape), ("z", FLOAT, network.output_shape)
    session = onnxruntime.InferenceSession(encoded(graph, *ends))
    x = np.random.default_rng(1).normal(0, 2, (5, *shape)).astype(np.float32)
    expected = np.asarray(jax.jit(network.apply)(params, state, x)[0])
    for batch in (5, 1):
        yield session.run(None, {"x": x[:batch]})[0], expected[:batch]


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=str)
def test_onnxruntime_and_the_layer_agree(layer: Layer, shape: tuple[int, ...]):
    for z, expected in outputs([layer], shape):
        assert z.shape == expected.shape
        np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-5)


def test_every_layer_of_the_package_is_compared():
    assert {type(layer) for layer, _ in CASES} == set(nn.LAYERS.values())
