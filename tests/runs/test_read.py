"""The files that a run left, edited one leaf at a time: a sensible page, or one line."""

import contextlib
import copy
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffnn_jax.config import Settings, UserError, Validation
from ffnn_jax.models import load, load_arrays
from ffnn_jax.nn import Dense, ReLU
from ffnn_jax.runs import (
    CheckpointManager,
    compute,
    last_checkpoint,
    resumed_settings,
    write_page,
    write_run,
)
from ffnn_jax.training import snapshot_from
from tests.runs.test_compute import SPLITS

VALUES: tuple[Any, ...] = (
    1.7, -1, -0.5, float("inf"), float("nan"), 1e300, 10**400, None, True, "", "x", [], [1], {},
    {"a": 1}, 0, "<b>|", [[[1]]],
)  # fmt: skip
Place = tuple[str | int, ...]
SETTINGS = Settings(
    "tiny", "random", (Dense(4), ReLU(), Dense(3)), validation=Validation("drawn", 9), steps=2,
    batch_size=4, seeds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two seeds, without its figures."""
    folder = tmp_path_factory.mktemp("read") / "run"
    folder.mkdir()
    write_run(folder, compute(SETTINGS, SPLITS, CheckpointManager(folder)))
    for figure in folder.glob("*.png"):
        figure.unlink()
    return folder


def paths(value: Any, at: Place = ()) -> Iterator[Place]:
    """The place of every value in JSON, inner ones included."""
    yield at
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*at, key))


def edited(value: Any, at: Place, new: Any, remove: bool = False) -> Any:
    """A copy with another value at a place, or with none."""
    if not at:
        return new
    copied = copy.deepcopy(value)
    inner = copied
    for key in at[:-1]:
        inner = inner[key]
    if remove:
        del inner[at[-1]]
    else:
        inner[at[-1]] = new
    return copied


def edits(original: Any, rng: np.random.Generator) -> Iterator[Any]:
    """Each value in turn replaced by three others, and left out."""
    for at in paths(original):
        for choice in rng.choice(len(VALUES), 3, replace=False):
            yield edited(original, at, VALUES[choice])
        if at:
            yield edited(original, at, None, remove=True)


@pytest.mark.parametrize("name", ["result.json", "config.json"])
def test_an_edited_file_gives_a_sensible_page_or_one_line(folder: Path, tmp_path: Path, name: str):
    shutil.copytree(folder, tmp_path / "run")
    file, rejected = tmp_path / "run" / name, set()
    for edit in edits(json.loads((folder / name).read_text()), np.random.default_rng(0)):
        file.write_text(json.dumps(edit))
        try:
            page = write_page(tmp_path / "run").read_text()
        except UserError as error:
            assert re.match(rf"{re.escape(str(file))}\b", str(error))
            assert "\n" not in str(error)
            rejected.add(str(error))
        else:
            (headline,) = re.findall(r"test accuracy ([\d.]+)", page)
            assert 0 <= float(headline) <= 100
    assert len(rejected) > 50


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("test_accuracy", [0.5, 1.7], "test_accuracy[1] must be a number from 0 to 1, got 1.7"),
        ("train_seconds", float("inf"), "train_seconds must be a finite number of at least 0"),
        ("test_accuracy", [0.5], "test_accuracy must be a list of 2, got [0.5]"),
        ("best_seed", 9, "best_seed must be one of the seeds [0, 1], got 9"),
        ("class_names", "cat", "class_names must be a list, got 'cat'"),
        ("device", None, "device must be an object, got None"),
    ],
)
def test_an_impossible_value_is_named(
    folder: Path, tmp_path: Path, key: str, value: Any, message: str
):
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    with pytest.raises(UserError, match=f"^{re.escape(f'{file}: {message}')}"):
        write_page(tmp_path / "run")


def test_a_missing_key_is_named(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / "result.json"
    file.write_text(
        json.dumps(edited(json.loads(file.read_text()), ("device",), None, remove=True))
    )
    with pytest.raises(UserError, match=r"result\.json: the key 'device' is missing$"):
        write_page(tmp_path / "run")


def manifest_of(source: Path) -> dict[str, Any]:
    with np.load(source) as file:
        return json.loads(file["manifest"].tobytes())


def with_manifest(source: Path, target: Path, manifest: Any) -> None:
    """A copy of a file of arrays with another manifest."""
    with np.load(source) as file:
        arrays: dict[str, Any] = dict(file)
    arrays["manifest"] = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    np.savez(target, allow_pickle=False, **arrays)


def about_edited(source: Path, target: Path, about: Any) -> None:
    """A copy of a file of arrays with other metadata, and the SHA-256 that belongs to it."""
    text = json.dumps(about)
    changed = {"about": text, "about_sha256": hashlib.sha256(text.encode()).hexdigest()}
    with_manifest(source, target, manifest_of(source) | changed)


def test_an_edited_checkpoint_is_resumed_or_named_in_one_line(folder: Path, tmp_path: Path):
    (path,) = (folder / "checkpoints").glob("step-*2.npz")
    copied = tmp_path / "checkpoints" / path.name
    copied.parent.mkdir()
    template, rejected = last_checkpoint(folder), 0
    for edit in edits(dict(template.about), np.random.default_rng(0)):
        about_edited(path, copied, edit)
        try:
            checkpoint = last_checkpoint(tmp_path)
            settings = resumed_settings(tmp_path, checkpoint, None)
        except UserError as error:
            assert "\n" not in str(error)
            rejected += 1
        else:
            assert isinstance(settings, Settings)
            snapshot_from({}, checkpoint.about, ())
    assert rejected > 50


def test_an_edited_model_is_read_or_named_in_one_line(folder: Path, tmp_path: Path):
    about = load_arrays(folder / "model.npz").about
    for edit in edits(about, np.random.default_rng(0)):
        about_edited(folder / "model.npz", tmp_path / "model.npz", edit)
        with contextlib.suppress(UserError):
            load(tmp_path / "model.npz")


def test_an_edited_manifest_is_read_or_named_in_one_line(folder: Path, tmp_path: Path):
    file, copied = folder / "model.npz", tmp_path / "model.npz"
    for edit in edits(manifest_of(file), np.random.default_rng(0)):
        with_manifest(file, copied, edit)
        try:
            load(copied)
        except UserError as error:
            assert re.fullmatch(rf"{re.escape(str(copied))}\b.*", str(error))
