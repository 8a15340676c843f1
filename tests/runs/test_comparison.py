"""Runs beside each other: what is on disk, and paired tests of what the models answer."""

import dataclasses
import json
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffnn_jax.config import Settings, UserError, Validation
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.nn import Dense
from ffnn_jax.runs import (
    Pair,
    SavedRun,
    _comparison,
    compare_runs,
    comparison_to_json,
    compute,
    mcnemar_p,
    read_runs,
    write_run,
)

SETTINGS = Settings(
    preset="tiny", dataset="random", layers=(Dense(3),), validation=Validation("drawn", 9),
    steps=300, batch_size=4, learning_rate=0.3, validation_interval=150,
    validation_batches=2, seeds=3, forms=(),
)  # fmt: skip


def images(name: str, seed: int, count: int = 60) -> Dataset:
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % 3
    pixels = generator.integers(0, 200, (count, 6, 5, 1), np.uint8) + np.uint8(25) * labels[
        :, None, None, None
    ].astype(np.uint8)
    return Dataset(f"random/{name}", pixels, labels, ("cat", "dog", "eel"))


SPLITS = Splits(images("train", 0), None, images("test", 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two that differ in steps and rate, and one of other test images."""
    folder = tmp_path_factory.mktemp("runs")
    other = dataclasses.replace(SETTINGS, learning_rate=0.05, steps=100, seeds=2)
    write_run(folder / "a", compute(SETTINGS, SPLITS))
    write_run(folder / "b", compute(other, SPLITS))
    write_run(folder / "c", compute(SETTINGS, SPLITS._replace(test=images("test", 2))))
    return folder


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_comparison, "load_splits", lambda name, **_: SPLITS)


def read(folder: Path, *names: str) -> list[SavedRun]:
    return read_runs([folder / name for name in names])


def answers(run: SavedRun) -> np.ndarray:
    """The best model's classes of the test images, by plain numpy."""
    result = run.result or {}
    with np.load(run.folder / "model.npz") as file:
        prefix = f"model_{result['seeds'].index(result['best_seed'])}"
        arrays = {n.removeprefix(f"{prefix}/"): file[n] for n in file.files if prefix in n}
    scale, mean = (np.ravel(v) for k, v in sorted(arrays.items(), reverse=True) if "norm" in k)
    x = SPLITS.test.images.astype(np.float64) * scale - mean
    w, b = (np.squeeze(arrays[f"params/dense_1/{name}"]) for name in "wb")
    return (x.reshape(len(x), -1) @ w + b).argmax(axis=1)


def test_the_image_test_counts_what_each_model_alone_has_right(folder: Path):
    a, b = read(folder, "a", "b")
    test = compare_runs([a, b])[0].images
    assert test is not None
    labels, (first, second) = SPLITS.test.labels.tolist(), (answers(a), answers(b))
    outcomes = [(x == y, z == y) for x, y, z in zip(first, labels, second, strict=True)]
    assert test.only == (outcomes.count((True, False)), outcomes.count((False, True)))
    assert test.right == (sum(x for x, _ in outcomes), sum(z for _, z in outcomes))
    assert min(test.only) > 0
    assert test.p == test.adjusted == mcnemar_p(*test.only)
    assert test.disagreements == sum(x != z for x, z in zip(first, second, strict=True))
    for k, (name, count, *right) in enumerate(test.classes):
        members = [o for o, y in zip(outcomes, labels, strict=True) if y == k]
        assert name == SPLITS.test.class_names[k] and count == len(members)
        assert right == [sum(x for x, _ in members), sum(z for _, z in members)]


def test_images_shown_are_disagreements_as_they_were_answered(folder: Path):
    a, b = read(folder, "a", "b")
    test = compare_runs([a, b])[0].images
    assert test is not None
    assert 0 < len(test.shown) == min(16, test.disagreements) == len(test.pixels)
    names, first, second = SPLITS.test.class_names, answers(a), answers(b)
    for (index, *words), pixels in zip(test.shown, test.pixels, strict=True):
        classes = SPLITS.test.labels[index], first[index], second[index]
        assert words == [names[k] for k in classes]
        assert words[1] != words[2]
        np.testing.assert_array_equal(pixels, SPLITS.test.images[index])


def swapped(pair: Pair) -> Pair:
    """The pair as it should be with its runs exchanged."""
    i, s = pair.images, pair.seeds
    assert i is not None and s is not None
    return Pair(
        (pair.names[1], pair.names[0]),
        dataclasses.replace(
            i, model_seeds=i.model_seeds[::-1], right=i.right[::-1], only=i.only[::-1],
            classes=[(name, count, y, x) for name, count, x, y in i.classes],
            shown=[(index, true, y, x) for index, true, x, y in i.shown],
        ),
        dataclasses.replace(s, difference=-s.difference, low=-s.high, high=-s.low),
        pair.notes,
    )  # fmt: skip


def test_exchanged_runs_exchange_wins_and_losses(folder: Path):
    a, b = read(folder, "a", "b")
    (there,), (back,) = compare_runs([a, b]), compare_runs([b, a])
    assert back.to_json() == swapped(there).to_json()
    assert any(x != y for _, _, x, y in (there.images and there.images.classes) or [])


def test_a_run_and_its_copy_do_not_differ(folder: Path, tmp_path: Path):
    shutil.copytree(folder / "a", tmp_path / "copy")
    runs = read_runs([folder / "a", tmp_path / "copy"])
    (pair,) = compare_runs(runs)
    assert pair.images is not None and pair.seeds is not None
    assert (pair.images.only, pair.images.p, pair.images.disagreements) == ((0, 0), 1.0, 0)
    assert (pair.seeds.difference, pair.seeds.p) == (0.0, 1.0)
    assert comparison_to_json(runs, [pair])["settings"] == {}


def test_the_seed_test_pairs_the_seeds_that_both_runs_have(folder: Path):
    a, b = read(folder, "a", "b")
    test = compare_runs([a, b])[0].seeds
    assert test is not None and test.seeds == [0, 1]
    first, second = (run.result or {} for run in (a, b))
    gains = np.subtract(second["test_accuracy"][:2], first["test_accuracy"][:2])
    assert test.difference == pytest.approx(gains.mean())


def with_result(run: SavedRun, **changes: Any) -> SavedRun:
    return dataclasses.replace(run, result={**(run.result or {}), **changes})


def test_seeds_are_paired_by_their_number_not_by_their_place(folder: Path):
    (a,) = read(folder, "a")
    accuracies = [0.5, 0.6, 0.9]
    first = with_result(a, test_accuracy=accuracies)
    second = with_result(a, seeds=[2, 0, 7], test_accuracy=[0.8, 0.7, 0.0])
    test = compare_runs([first, second])[0].seeds
    assert test is not None and test.seeds == [0, 2]
    assert test.difference == pytest.approx((0.2 - 0.1) / 2)


def test_with_three_runs_p_is_corrected_for_both_comparisons(folder: Path):
    a, b = read(folder, "a", "b")
    once, twice = (compare_runs(runs)[0].images for runs in ([a, b], [a, b, b]))
    assert once is not None and twice is not None
    assert twice.p == once.p < 0.5
    assert twice.adjusted == pytest.approx(2 * once.p)


@pytest.mark.parametrize("order", [("a", "c"), ("c", "a")])
def test_runs_tested_on_different_images_are_not_tested(folder: Path, order: Sequence[str]):
    (pair,) = compare_runs(read(folder, *order))
    assert (pair.images, pair.seeds) == (None, None)
    (note,) = pair.notes
    assert note.startswith("no test: they were tested on different images, ")
    for run in read(folder, *order):
        assert f"{run.name} on random/test {run.tested_on[1][:12]}" in note


def test_a_data_set_that_has_changed_is_said_and_seeds_are_still_compared(folder: Path):
    (c,), other = read(folder, "c"), dataclasses.replace(read(folder, "c")[0], name="d")
    (pair,) = compare_runs([c, other])
    assert pair.images is None and pair.seeds is not None
    (note,) = pair.notes
    assert note.startswith(
        "no test on the images: random/test is not the one on which c was tested"
    )


def test_one_seed_in_common_is_too_few(folder: Path):
    (a,) = read(folder, "a")
    (pair,) = compare_runs([a, with_result(a, seeds=[2, 5, 6])])
    assert pair.images is not None and pair.seeds is None
    assert pair.notes == ["no test over seeds: at least two seeds must be in both runs"]


def test_differences_without_a_spread_are_no_test(folder: Path):
    (a,) = read(folder, "a")
    higher = [one + 1 / 36 for one in (a.result or {})["test_accuracy"]]
    (pair,) = compare_runs([a, with_result(a, test_accuracy=higher)])
    assert pair.seeds is None
    assert pair.notes == ["no test over seeds: all 3 differ by +2.78 points, without a spread"]


def test_only_settings_that_differ_are_listed(folder: Path):
    runs = read(folder, "a", "b")
    del runs[1].settings["lookahead"]  # as before there was such a setting
    differing = comparison_to_json(runs, [])["settings"]
    assert differing == {
        "steps": [300, 100], "learning_rate": [0.3, 0.05], "lookahead": [0, "–"], "seeds": [3, 2],
    }  # fmt: skip


@pytest.fixture
def unfinished(folder: Path, tmp_path: Path) -> Path:
    """The run a as it was in the middle of writing its last line."""
    path = tmp_path / "a"
    shutil.copytree(folder / "a", path)
    (path / "result.json").unlink()
    whole = (path / "metrics.jsonl").read_text()
    assert whole.count("\n") == 6
    (path / "metrics.jsonl").write_text(whole[:-10])
    return path


def test_a_run_that_writes_its_metrics_is_read_up_to_the_last_whole_step(unfinished: Path):
    (run,) = read_runs([unfinished])
    assert [(one["step"], one["seed"]) for one in run.history] == [(150, 0), (150, 1), (150, 2)]
    assert (run.state, run.to_json()["steps"], run.to_json()["test_accuracy"]) == (
        "stopped", 150, None,
    )  # fmt: skip


def test_a_run_without_its_first_record_is_read(unfinished: Path):
    (unfinished / "metrics.jsonl").unlink()
    assert read_runs([unfinished])[0].to_json()["steps"] == 0


@pytest.mark.parametrize(
    ("process", "host", "state"),
    [
        (os.getpid(), socket.gethostname(), "going on"),
        (2**22 + 1, socket.gethostname(), "finished"),  # above Linux' largest number
        (1, "elsewhere", "going on"),
        ("?", socket.gethostname(), "finished"),
    ],
    ids=["this process", "no process", "elsewhere", "no number"],
)
def test_a_run_goes_on_while_its_process_lives(
    folder: Path, tmp_path: Path, process: object, host: str, state: str
):
    shutil.copytree(folder / "a", tmp_path / "a")
    (tmp_path / "a" / "owner.json").write_text(json.dumps({"process": process, "host": host}))
    runs = [*read_runs([tmp_path / "a"]), *read(folder, "b")]
    assert runs[0].state == state
    (pair,) = compare_runs(runs)
    assert (pair.images is None) == (state == "going on")
    expected = ["no test: a is still running, so its predictions are not known"]
    assert pair.notes == (expected if state == "going on" else [])


def test_runs_of_one_name_are_called_by_their_paths(folder: Path, unfinished: Path):
    paths = [folder / "a", unfinished, folder / "b"]
    assert [run.name for run in read_runs(paths)] == [str(paths[0]), str(paths[1]), "b"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("metrics.jsonl", '{"seed": 0}\n'),
        ("metrics.jsonl", "no json\n"),
        ("config.json", "{}"),
        ("config.json", "["),
        ("result.json", "{}"),
    ],
)
def test_a_damaged_file_is_named(folder: Path, tmp_path: Path, file: str, text: str):
    shutil.copytree(folder / "a", tmp_path / "a")
    (tmp_path / "a" / file).write_text(text)
    with pytest.raises(UserError, match=file):
        read_runs([tmp_path / "a"])
