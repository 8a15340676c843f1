"""A complete run on a few random images: its results, and the folder that it writes."""

import base64
import dataclasses
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import Crop, Cutout, Flip, Settings, UserError, Validation, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.models import Model, load
from ffnn_jax.network import Normalisation
from ffnn_jax.nn import BatchNorm, Conv, Dense, Dropout, Layer, MaxPool, Param, ReLU, Scale
from ffnn_jax.reporting import precision_recall_table
from ffnn_jax.runs import (
    RunResult,
    _compute,
    adapt_to_dataset,
    compute,
    most_confident_errors,
    plan,
    result_to_json,
    run_plan,
    write_run,
)
from ffnn_jax.training import Callbacks, Progress, _images, split_validation

NAMES = ("cat", "dog", "eel")
SETTINGS = Settings(
    preset="tiny",
    dataset="random",
    layers=(Conv(2, 3), ReLU(), MaxPool(2), Dense(3)),
    validation=Validation("drawn", 9),
    steps=6,
    batch_size=4,
    validation_interval=4,
    validation_batches=2,
    seed=3,
)


def images(name: str, counts: tuple[int, ...], shape: Any = (6, 5, 1)) -> Dataset:
    """Random images, ``counts`` of each class; the classes differ slightly in brightness."""
    labels = np.arange(len(counts), dtype=np.int32).repeat(counts)
    draw = np.random.default_rng(len(labels))
    pixels = draw.integers(0, 150, (len(labels), *shape)) + 50 * labels[:, None, None, None]
    return Dataset(f"random/{name}", pixels.astype(np.uint8), labels, NAMES[: len(counts)])


TEST_COUNTS = (5, 8, 11)
SPLITS = Splits(images("train", (10, 12, 14)), None, images("test", TEST_COUNTS))


class Recorder(Callbacks):
    """Records the callbacks of a run."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_compile(self) -> None:
        self.events.append("compiling")

    def on_progress(self, progress: Progress) -> None:
        self.events.append(progress)

    def on_evaluate(self) -> None:
        self.events.append("evaluating")

    def on_test(self, accuracies: Sequence[float]) -> None:
        self.events.append(accuracies)


RECORDER = Recorder()


@pytest.fixture(scope="module")
def pair() -> RunResult:
    """Seeds 3 and 4, trained together."""
    RECORDER.events.clear()
    return compute(dataclasses.replace(SETTINGS, seeds=2), SPLITS, RECORDER)


@pytest.fixture(scope="module")
def alone() -> RunResult:
    """Seed 4."""
    return compute(dataclasses.replace(SETTINGS, seed=4), SPLITS)


@pytest.fixture(scope="module")
def folder(pair: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pair's run."""
    path = tmp_path_factory.mktemp("run")
    assert write_run(path, pair) == path
    return path


@pytest.mark.cpu
def test_a_seed_among_others_is_bitwise_equal_to_the_seed_alone(pair: RunResult, alone: RunResult):
    together, separate = pair.models[1], alone.models[0]
    assert together.parameters_sha256 == separate.parameters_sha256
    assert together.parameters_sha256 != pair.models[0].parameters_sha256
    np.testing.assert_array_equal(pair.test_probabilities[1], alone.test_probabilities[0])
    assert [r for r in pair.trained.history if r.seed == 4] == alone.trained.history


def test_the_same_seed_twice_is_the_same_run(alone: RunResult):
    again = compute(alone.settings, SPLITS)
    assert again.models[0].parameters_sha256 == alone.models[0].parameters_sha256
    assert again.trained.history == alone.trained.history


def test_callbacks_come_in_order(pair: RunResult):
    first, *between, evaluating, tested = RECORDER.events
    assert (first, evaluating, tested) == ("compiling", "evaluating", pair.test_accuracy)
    steps = [progress.step for progress in between]
    assert steps == sorted(set(steps))
    assert {4, 6} <= set(steps)
    assert {progress.steps for progress in between} == {6}


def test_history_has_one_record_per_seed_at_each_validation_and_at_the_end(pair: RunResult):
    assert [(r.seed, r.step) for r in pair.trained.history] == [(3, 4), (4, 4), (3, 6), (4, 6)]


def test_rows_of_a_confusion_matrix_sum_to_the_images_of_the_classes(pair: RunResult):
    for confusion, share in zip(pair.confusions, pair.test_accuracy, strict=True):
        assert confusion.sum(axis=1).tolist() == list(TEST_COUNTS)
        assert confusion.trace() / sum(TEST_COUNTS) == share


def test_training_and_validation_accuracy_are_over_all_images_of_the_seed_s_split(pair: RunResult):
    data = SPLITS.train
    for index, seed in enumerate(pair.seeds):
        indices = split_validation(seed, len(data), SETTINGS.validation)
        right = pair.models[index].predict(data.images) == data.labels
        assert pair.train_accuracy[index] == right[indices.train].mean()
        assert pair.validation_accuracy[index] == right[indices.validation].mean()


@pytest.mark.parametrize("steps", [1, 6])
def test_the_schedule_is_the_one_in_the_settings(steps: int):
    """A single step has the peak rate; of six, the last have lower rates."""
    settings = dataclasses.replace(SETTINGS, steps=steps)
    constant, triangular = (
        compute(dataclasses.replace(settings, schedule=schedule), SPLITS).models[0]
        for schedule in ("constant", "triangular")
    )
    same = constant.parameters_sha256 == triangular.parameters_sha256
    assert same == (steps == 1)


def normalisation_in(model: Model) -> Normalisation:
    assert model.normalisation is not None
    return model.normalisation


def test_the_normalisation_is_computed_from_the_training_images(pair: RunResult):
    indices = split_validation(4, len(SPLITS.train), SETTINGS.validation).train
    mean = SPLITS.train.images[indices].mean() / 255
    assert normalisation_in(pair.models[1]).mean == pytest.approx(mean, rel=1e-6)


def test_the_normalisation_is_the_one_in_the_settings():
    settings = dataclasses.replace(SETTINGS, steps=1, normalisation="channel-mean-sd")
    (model,) = compute(settings, SPLITS).models
    pixels = SPLITS.train.images[split_validation(3, len(SPLITS.train), SETTINGS.validation).train]
    assert normalisation_in(model).scale == pytest.approx(1 / pixels.std(), rel=1e-6)
    assert normalisation_in(model).mean == pytest.approx(pixels.mean() / pixels.std(), rel=1e-6)


def test_the_normalisation_does_not_depend_on_the_chunk_size(
    pair: RunResult, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_images, "_CHUNK_BYTES", 10 * SPLITS.train.images[0].nbytes)
    (model,) = compute(dataclasses.replace(SETTINGS, steps=1), SPLITS).models
    assert normalisation_in(model).mean == normalisation_in(pair.models[0]).mean


@pytest.mark.cpu
def test_an_augmented_seed_is_reproducible_alone_and_among_others(
    alone: RunResult,
):
    augmented = dataclasses.replace(alone.settings, augmentations=(Flip(), Crop(1), Cutout(2)))
    digest = alone.models[0].parameters_sha256
    digests = {
        model.parameters_sha256
        for settings, index in (
            (augmented, 0), (augmented, 0), (dataclasses.replace(augmented, seed=3, seeds=2), 1)
        )
        for model in compute(settings, SPLITS).models[index:]
    }  # fmt: skip
    assert len(digests) == 1
    assert digest not in digests


def test_a_validation_split_of_the_data_set_is_used():
    validation = images("validation", (2, 3, 4))
    settings = dataclasses.replace(SETTINGS, validation=Validation("drawn", 1), steps=1)
    result = compute(settings, SPLITS._replace(validation=validation))
    right = result.models[0].predict(validation.images) == validation.labels
    assert result.validation_accuracy == [right.mean()]
    assert normalisation_in(result.models[0]).mean == pytest.approx(
        SPLITS.train.images.mean() / 255, rel=1e-6
    )


def certain(classes: np.ndarray, probability: float = 1.0) -> np.ndarray:
    """Probabilities with these classes as the most probable."""
    rest = (1 - probability) / 2
    return np.where(np.eye(3, dtype=bool)[classes], probability, rest)


def test_the_best_model_is_the_best_by_validation_not_by_test(pair: RunResult):
    labels = SPLITS.test.labels
    result = dataclasses.replace(
        pair,
        validation_accuracy=[0.9, 0.8],
        train_accuracy=[0.1, 0.2],
        test_probabilities=[certain((labels + 1) % 3), certain(labels)],
    )
    assert result.test_accuracy == [0.0, 1.0]
    assert result.best == 0
    assert result_to_json(result)["best_seed"] == 3


def test_errors_are_sorted_by_decreasing_confidence(pair: RunResult):
    probabilities = certain(SPLITS.test.labels)
    for index, confidence in ((2, 0.6), (20, 0.9), (7, 0.9)):
        wrong = (SPLITS.test.labels[index : index + 1] + 1) % 3
        probabilities[index] = certain(wrong, confidence)[0]
    result = dataclasses.replace(pair, test_probabilities=[probabilities, probabilities])
    assert most_confident_errors(result, 1).tolist() == [7, 20, 2]
    assert most_confident_errors(result, 1, count=1).tolist() == [7]


def test_a_result_has_these_keys_and_no_others(pair: RunResult):
    assert set(result_to_json(pair)) == {
        "preset", "dataset", "data_sha256", "seeds", "test_accuracy", "validation_accuracy",
        "train_accuracy", "streaming", "best_seed", "confusion", "class_names", "parameters",
        "parameters_sha256", "compile_seconds", "train_seconds", "images_per_second", "versions",
        "device", "network", "warnings",
    }  # fmt: skip


def test_a_result_describes_the_run_and_survives_json(pair: RunResult):
    result = json.loads(json.dumps(result_to_json(pair), allow_nan=False))
    assert (result["preset"], result["dataset"], result["seeds"]) == ("tiny", "random", [3, 4])
    assert result["parameters"] == 3 * 3 * 2 + 2 + 3 * 2 * 2 * 3 + 3
    assert result["parameters_sha256"] == [model.parameters_sha256 for model in pair.models]
    assert result["confusion"] == [confusion.tolist() for confusion in pair.confusions]
    assert result["data_sha256"] == {
        "random/train": SPLITS.train.sha256, "random/test": SPLITS.test.sha256,
    }  # fmt: skip
    assert result["images_per_second"] * result["train_seconds"] == pytest.approx(2 * 6 * 4)
    assert {"python", "jax", "jaxlib", "numpy", "ffnn-jax"} <= set(result["versions"])
    assert {"platform", "kind", "cpu_cores", "matmul_precision"} <= set(result["device"])


def test_the_repr_of_a_result_has_its_accuracies(pair: RunResult):
    test, spent = np.mean(pair.test_accuracy), pair.trained.train_seconds
    assert repr(pair).startswith(f"tiny, 2 seeds: accuracy test {test:.4f}, validation ")
    assert repr(pair).endswith(f"trained in {spent:.1f} s")


def test_a_notebook_shows_the_numbers_and_figures_of_a_result(pair: RunResult):
    page = pair._repr_html_()
    assert "<b>tiny, 2 seeds</b>" in page
    assert f"{100 * np.mean(pair.test_accuracy):.1f} ±" in page
    encoded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(encoded) == len(pair.figures()) == 5
    for data in encoded:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            image.load()
            assert min(image.size) > 80


@pytest.fixture
def debug_nans() -> Iterator[None]:
    """For all threads: a context manager would enable it in one."""
    names = ("jax_debug_nans", "jax_debug_infs")
    for name in names:
        jax.config.update(name, True)
    yield
    for name in names:
        jax.config.update(name, False)


@pytest.mark.usefixtures("debug_nans")
@pytest.mark.parametrize("streaming", [False, True])
def test_seeds_with_partial_batches_train_under_jax_debug_nans(streaming: bool):
    if streaming:
        pytest.importorskip("grain")
    layers = (Conv(2, 3), BatchNorm(), ReLU(), MaxPool(2), Dropout(), Dense(3))
    settings = dataclasses.replace(
        SETTINGS, layers=layers, seeds=2, sampling="epochs-partial", augmentations=(Flip(),)
    )
    result = compute(dataclasses.replace(settings, steps=9), SPLITS, streaming=streaming)
    assert len(result.models) == 2


def test_the_data_set_of_the_settings_is_loaded_by_default():
    quick = dataclasses.replace(preset("quickstart"), steps=2, validation_interval=2)
    result = compute(quick)
    assert result.splits.train.name == "mnist_5k/train"


def test_a_run_writes_these_files_and_no_others(folder: Path):
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "confusion.png", "confusion.svg", "curves.png", "curves.svg", "filters.png",
        "filters.svg", "metrics.jsonl", "misclassified.png", "misclassified.svg", "model.npz",
        "page.html", "precision_recall.png", "precision_recall.svg", "result.json", "settings.toml",
        "table_1.md", "table_2.md",
    ]  # fmt: skip


def test_the_files_of_a_run_contain_its_settings_history_and_result(folder: Path, pair: RunResult):
    assert Settings.from_json(json.loads((folder / "config.json").read_text())) == pair.settings
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [r._asdict() for r in pair.trained.history]
    result = json.loads((folder / "result.json").read_text())
    assert result == json.loads(json.dumps(result_to_json(pair)))


def test_the_model_of_a_run_is_its_best(folder: Path, pair: RunResult):
    loaded = load(folder / "model.npz")
    assert loaded.parameters_sha256 == pair.models[pair.best].parameters_sha256
    assert loaded.class_names == NAMES


def test_the_tables_of_a_run_show_its_best_model_and_its_network(folder: Path, pair: RunResult):
    table_1 = (folder / "table_1.md").read_text(encoding="utf-8")
    assert table_1 == precision_recall_table(pair.confusions[pair.best], NAMES)
    table_2 = (folder / "table_2.md").read_text(encoding="utf-8")
    assert "(3×3×1+1)2 = 20" in table_2
    assert "(12+1)3 = 39" in table_2


def test_a_run_is_written_alike_where_the_default_encoding_is_ascii(
    folder: Path, pair: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_text = Path.write_text

    def write(path: Path, text: str, encoding: str = "ascii") -> int:
        return write_text(path, text, encoding)

    monkeypatch.setattr(Path, "write_text", write)
    again = tmp_path / folder.name
    again.mkdir()
    write_run(again, pair)
    for path in again.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


@dataclasses.dataclass(frozen=True)
class Offset(Layer):
    """A custom layer with a parameter that is neither a weight nor a bias."""

    def params(self, shape):
        return {"by": Param(shape)}

    def __call__(self, params, x):
        return x + params["by"][None]


def test_a_custom_layer_is_trained_and_saved(tmp_path: Path):
    result = compute(dataclasses.replace(SETTINGS, layers=(Offset(), Dense(3))), SPLITS)
    assert np.abs(result.models[0].params["offset_1"]["by"]).max() > 0
    write_run(tmp_path, result)
    assert not (tmp_path / "filters.png").exists()
    assert "Offset" in (tmp_path / "page.html").read_text(encoding="utf-8")
    again = load(tmp_path / "model.npz", layers=[Offset])
    assert again.parameters_sha256 == result.models[0].parameters_sha256


def test_the_figures_of_a_run_can_be_opened(folder: Path):
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 150


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"batch_size": 28},
            "batch-size must be at most the 27 training images, got 28: add --batch-size 27",
        ),
        (
            {"validation": Validation("drawn", 36)},
            "validation must be below the 36 training images, got 36",
        ),
        (
            {"layers": (Dense(4),)},
            "random/train has 3 classes, the network has outputs (4,)",
        ),
        (
            {"layers": (Conv(3, 3),)},
            "random/train has 3 classes, the network has outputs (6, 5, 3)",
        ),
        (
            {"layers": (MaxPool(6), Dense(3))},
            "layer 1, MaxPool(window=6): the window is larger than the 6 x 5 image, input shape "
            "(6, 5, 1)",
        ),
        (
            {"augmentations": (Flip(), Crop(5))},
            "Crop(padding=5): padding must be at most 4 for 6 x 5 images, got 5",
        ),
        (
            {"augmentations": (Crop(), Cutout(11))},
            "Cutout(size=11): size must be at most 10 for 6 x 5 images, got 11",
        ),
    ],
)
def test_settings_that_do_not_fit_the_data_are_rejected(change: Any, message: str):
    with pytest.raises(UserError) as caught:
        plan(dataclasses.replace(SETTINGS, **change), SPLITS)
    assert str(caught.value) == message


def test_a_batch_may_be_the_whole_training_set():
    settings = dataclasses.replace(SETTINGS, batch_size=27)
    assert plan(settings, SPLITS).network.output_shape == (3,)


@pytest.mark.parametrize("other", [images("test", (3, 3, 3), (5, 5, 1)), images("test", (3, 3))])
def test_test_images_unlike_the_training_images_are_rejected_before_training(other: Dataset):
    with pytest.raises(UserError, match="random/test"):
        plan(SETTINGS, SPLITS._replace(test=other))


def test_another_data_set_changes_the_last_layer_and_the_validation_size():
    splits = Splits(SPLITS.train, None, SPLITS.test)
    original = preset("mnist")
    settings = adapt_to_dataset(original, splits)
    assert settings.layers == (*original.layers[:-1], Dense(3))
    assert settings.validation == Validation("drawn", len(SPLITS.train) // 5)
    scaled = dataclasses.replace(original, layers=(*original.layers, Scale()))
    *_, dense, scale = adapt_to_dataset(scaled, splits).layers
    assert (dense, scale) == (settings.layers[-1], Scale())
    assert adapt_to_dataset(original, splits, kept=["validation"]).validation == original.validation
    assert adapt_to_dataset(original, splits, kept=["layers"]).layers == original.layers
    changed = {"layers": original.layers, "validation": original.validation}
    assert dataclasses.replace(settings, **changed) == original


@pytest.mark.cpu
@pytest.mark.parametrize(
    "augmentations",
    [pytest.param((), marks=pytest.mark.slow), (Flip(), Crop(1), Cutout(2))],
)
def test_a_streamed_run_is_bitwise_equal_to_one_in_memory(augmentations: tuple):
    pytest.importorskip("grain")
    settings = dataclasses.replace(SETTINGS, steps=7, seeds=2, augmentations=augmentations)
    in_memory, streamed = (compute(settings, SPLITS, streaming=kind) for kind in (False, True))
    assert streamed.streaming and not in_memory.streaming
    for ours, other in zip(streamed.models, in_memory.models, strict=True):
        assert ours.parameters_sha256 == other.parameters_sha256
    assert streamed.trained.history == in_memory.trained.history
    assert streamed.train_accuracy == in_memory.train_accuracy


def test_images_that_do_not_fit_on_the_device_are_streamed(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("grain")
    settings = dataclasses.replace(SETTINGS, steps=2, seeds=1)
    monkeypatch.setattr(_compute, "fits_on_device", lambda images: False)
    assert compute(settings, SPLITS).streaming


def test_training_holds_the_images_of_training_and_validation_and_none_of_the_test_split():
    train, test = SPLITS.train, SPLITS.test
    assert len(_compute.training_images(Splits(train, None, test))) == len(train)
    assert len(_compute.training_images(Splits(train, test, test))) == len(train) + len(test)


def test_the_operation_of_a_number_that_is_not_finite_is_sought_only_if_asked(monkeypatch):
    asked = []

    def train(*args: Any) -> Any:
        asked.append(args[-2])
        raise KeyboardInterrupt

    monkeypatch.setattr(_compute, "train", train)
    choices: tuple[dict[str, Any], ...] = ({}, {"debug_nans": True})
    for options in choices:
        with pytest.raises(KeyboardInterrupt):
            compute(SETTINGS, SPLITS, **options)
        with pytest.raises(KeyboardInterrupt):
            run_plan(plan(SETTINGS, SPLITS), **options)
    assert asked == [False, False, True, True]
