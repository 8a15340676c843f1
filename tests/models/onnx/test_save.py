"""A model as an ONNX file: its contract, what is refused, and faults that must not be written."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ffnn_jax.cli import main
from ffnn_jax.config import UserError
from ffnn_jax.data import load as load_data
from ffnn_jax.models import Model, _probabilities, load, save_onnx
from ffnn_jax.models._model import random_pixels
from ffnn_jax.models.onnx import _by_value, _by_window, _program, _save
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import LAYERS, BatchNorm, Conv, Dense, Layer, MaxPool, ReLU, Residual

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("quick_compilation")

LAYERS_OF_MODEL = (Conv(4, 3, stride=2), BatchNorm(), ReLU(), Residual((Dense(6),), (Dense(6),)))
NETWORK = Network((*LAYERS_OF_MODEL, Dense(3)), (7, 5, 2))
NORMALISATION = Normalisation(np.array([1 / 99, 1 / 33], np.float32), np.array([1, 4], np.float32))
NAMES = ("cat", 'a "dog"', "Ähre")


@dataclasses.dataclass(frozen=True)
class Square(Layer):
    """A layer of one's own."""

    def __call__(self, params, x):
        return x * x


class ReLUOfOnesOwn(ReLU):
    """What a layer of the package does may have been changed here."""


def model_of(network: Network = NETWORK, views: str = "one") -> Model:
    params, state = network.init(jax.random.key(0))
    state = jax.tree.map(lambda a: a + np.linspace(0.1, 2, a.size, dtype=np.float32), state)
    params = jax.tree.map(lambda a: 2 * a, params)  # probabilities far from equal
    return Model(network, params, state, NORMALISATION, NAMES, views=views)


def pixels_of(batch: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (batch, *NETWORK.input_shape), np.uint8)


def probabilities(file: Path, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file)
    (z,) = session.run(["probabilities"], {"pixels": pixels})
    return z


@pytest.mark.parametrize("views", _probabilities.VIEWS)
def test_pixels_in_probabilities_out_for_any_batch(tmp_path: Path, views: str):
    model, file = model_of(views=views), tmp_path / "m.onnx"
    difference = save_onnx(file, model)
    assert difference is not None and difference <= 1e-5
    for batch in (1, 5):
        expected = model.probabilities(pixels_of(batch))
        assert np.ptp(expected, axis=1).min() > 0.1
        actual = probabilities(file, pixels_of(batch))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_the_file_says_its_contract_its_classes_and_its_opset(tmp_path: Path):
    save_onnx(tmp_path / "m.onnx", model_of())
    proto = onnx.load(tmp_path / "m.onnx")
    (x,), (z,) = proto.graph.input, proto.graph.output
    shapes = [
        [d.dim_param or d.dim_value for d in end.type.tensor_type.shape.dim] for end in (x, z)
    ]
    kinds = [end.type.tensor_type.elem_type for end in (x, z)]
    assert [x.name, z.name] == ["pixels", "probabilities"]
    assert kinds == [onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT]
    assert shapes == [["batch", 7, 5, 2], ["batch", 3]]
    assert [opset.version for opset in proto.opset_import] == [17]
    (about,) = proto.metadata_props
    assert (about.key, tuple(json.loads(about.value))) == ("class_names", NAMES)


@pytest.mark.slow
def test_a_model_trained_by_the_command_answers_alike_elsewhere(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["train", "--steps", "30"])
    main(["export", "runs/quickstart-1", "--onnx"])
    folder = tmp_path / "runs" / "quickstart-1"
    pixels = np.asarray(load_data("mnist_5k", "test").images[:200])
    expected = load(folder / "model.npz").probabilities(pixels)
    actual = probabilities(folder / "model.onnx", pixels)
    assert len(set(expected.argmax(axis=1))) == 10
    assert (actual.argmax(axis=1) == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_every_layer_of_the_package_has_an_operator():
    assert set(_program.OPERATORS) == set(LAYERS.values())


@pytest.mark.parametrize(
    ("layers", "path"),
    [
        ((Square(), Dense(3)), "square_1"),
        ((Dense(3), Residual((ReLU(), Square()))), "residual_2/body/square_2"),
        ((Dense(3), ReLUOfOnesOwn()), "reluofonesown_2"),
    ],
)
def test_a_layer_of_ones_own_is_refused_by_name(tmp_path: Path, layers, path: str):
    with pytest.raises(UserError, match=f"^{path}: ONNX has no operator for the layer ") as error:
        save_onnx(tmp_path / "m.onnx", model_of(Network(layers, (7, 5, 2))))
    assert path.split("/")[-1].split("_")[0] in str(error.value).split("layer ")[1].lower()
    assert list(tmp_path.iterdir()) == []


def _without_permutation(monkeypatch):
    monkeypatch.setattr(_by_window, "channels_first", lambda w, shape: w)


def _without_running_variance(monkeypatch):
    array = _by_value.Graph.array
    broken = lambda g, name: array(g, name) * 0 + 1 if name == "variance" else array(g, name)  # noqa: E731
    monkeypatch.setattr(_by_value.Graph, "array", broken)


def _with_pads_of_another_rule(monkeypatch):
    pads_along = _by_window.pads_along
    monkeypatch.setattr(_by_window, "pads_along", lambda *a: pads_along(*a)[::-1])


def _without_views(monkeypatch):
    monkeypatch.setattr(_program, "_views", lambda g, x, *_: g.add("Concat", *(6 * [x]), axis=0))


FAULTS = (
    _without_permutation, _without_running_variance, _with_pads_of_another_rule, _without_views,
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed_and_no_file_is_written(tmp_path, monkeypatch, fault):
    network = Network((Conv(4, 3, stride=2), BatchNorm(), ReLU(), Dense(3)), (6, 8, 2))
    model = model_of(network, views="six")
    assert save_onnx(tmp_path / "right.onnx", model) is not None
    fault(monkeypatch)
    (tmp_path / "m.onnx").write_text("as it was")
    with pytest.raises(UserError, match=r"m\.onnx: the graph differs from the model by "):
        save_onnx(tmp_path / "m.onnx", model)
    assert (tmp_path / "m.onnx").read_text() == "as it was"


def test_the_difference_allowed_is_relative_to_the_logits(tmp_path, monkeypatch):
    """Here of over a thousand, and equal for the first image: their rounding shows."""
    model = model_of(Network((Conv(16, 3), ReLU(), Conv(16, 3), ReLU(), Dense(3)), (7, 5, 2)))
    large, pixels = jax.tree.map(lambda a: 4 * a, model.params), random_pixels(model)
    x = pixels.astype(np.float32) * NORMALISATION.scale - NORMALISATION.mean
    (first, *_), _ = model.network.apply(large, model.state, x)
    large["dense_5"]["b"] += first.max() - first
    certain = dataclasses.replace(model, params=large)
    assert (save_onnx(tmp_path / "m.onnx", certain) or 0) > 1e-5
    monkeypatch.setattr(_by_window, "channels_first", lambda w, shape: w)
    with pytest.raises(UserError, match=r"the graph differs from the model by .*, at most 0\.01$"):
        save_onnx(tmp_path / "m.onnx", certain)


def test_a_graph_that_is_no_onnx_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(_program.OPERATORS, ReLU, lambda graph, x: graph.add("NoOperator", x))
    with pytest.raises(onnx.checker.ValidationError, match="NoOperator"):
        save_onnx(tmp_path / "m.onnx", model_of())
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime_the_file_is_written_and_not_compared(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(_save, "_difference", lambda *_: pytest.fail("compared"))
    assert save_onnx(tmp_path / "m.onnx", model_of()) is None
    onnx.checker.check_model(onnx.load(tmp_path / "m.onnx"))


def test_without_onnx_one_line_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r'^ONNX needs onnx, .*: python -m pip install "ffnn-jax\['):
        save_onnx(tmp_path / "m.onnx", model_of())


def test_an_unwritable_file_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match=r"export .* cannot be written"):
        save_onnx(tmp_path / "no" / "m.onnx", model_of())


def test_models_are_imported_without_onnx():
    code = "import ffnn_jax.models, sys; print({'onnx', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_narrow_image_is_reflected_as_the_model_does(tmp_path: Path):
    network = Network((MaxPool(1), Dense(3)), (4, 1, 2))
    assert save_onnx(tmp_path / "m.onnx", model_of(network, views="six")) is not None
