"""User errors are rejected with code 2 and one line, and leave nothing behind."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest

import ffnn_jax
from ffnn_jax.cli import main
from ffnn_jax.config import PRESETS
from ffnn_jax.data import sample_digit

Rejected = Callable[..., str]

COMMANDS = (
    "train", "predict", "evaluate", "export", "page", "summary", "compare", "sweep", "doctor",
    "verify", "data prepare", "data list", "data show",
)  # fmt: skip

WITHOUT_JAX = """
import contextlib, io, sys
from ffnn_jax.cli import main
for words in {!r}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(words)
            code = 0
        except SystemExit as end:
            code = end.code
    print(code, sorted(set(sys.modules) & {{"jax", "dask", "matplotlib", "tensorflow_datasets"}}))
"""


@pytest.fixture
def rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Rejected:
    """Runs the command in an empty folder; returns its one-line error message."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as end:
            main(words)
        output = capsys.readouterr()
        assert end.value.code == 2
        assert output.out == ""
        assert re.fullmatch(r"ffnn-jax: [^\n]+\n", output.err)
        assert sorted(tmp_path.rglob("*")) == before
        return output.err.removeprefix("ffnn-jax: ").strip()

    return run


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--learning-rate", "-1"],
            "learning-rate must be from 1.2e-38 to 3.4e+38, got -1.0",
        ),
        (
            ["--learning-rate", "0"],
            "learning-rate must be from 1.2e-38 to 3.4e+38, got 0.0",
        ),
        (
            ["--learning-rate", "nan"],
            "learning-rate must be from 1.2e-38 to 3.4e+38, got nan",
        ),
        (
            ["--learning-rate", "inf"],
            "learning-rate must be from 1.2e-38 to 3.4e+38, got inf",
        ),
        (["--momentum", "1"], "momentum must be at least 0 and, in float32, below 1, got 1.0"),
        (["--weight-decay=-1e-3"], "weight-decay must be at least 0, finite, got -0.001"),
        (["--batch-size", "0"], "batch-size must be"),
        (["--steps", "-4"], "steps must be"),
        (["--steps", "0"], "steps must be"),
        (["--seed", "-1"], "seed must be from 0 to 2147483647, got -1"),
        (["--seeds", "0"], "seeds must be from 1 to 10000, got 0"),
    ],
)
def test_a_number_out_of_range_is_rejected(rejected: Rejected, words: list[str], line: str):
    message = rejected("train", *words)
    assert message.startswith(line)
    assert re.search(r"got \S+$", message)


@pytest.mark.parametrize(
    ("option", "kind", "value"),
    [
        ("--steps", "an integer", "abc"),
        ("--steps", "an integer", "1.5"),
        ("--steps", "an integer", ""),
        ("--learning-rate", "a number", "fast"),
        ("--devices", "a number from 1 on, or all", "0"),
        ("--devices", "a number from 1 on, or all", "some"),
    ],
)
def test_non_numbers_are_rejected(rejected: Rejected, option: str, kind: str, value: str):
    message = rejected("train", option, value)
    assert option in message
    assert message.endswith(f"must be {kind}, got {value!r}")


def test_an_unknown_preset_is_rejected_with_the_nearest(rejected: Rejected):
    message = rejected("train", "quikstart")
    assert message.startswith("unknown preset 'quikstart' (known: ")
    assert message.endswith("; did you mean quickstart?")


def test_a_mistake_in_a_settings_file_is_rejected_with_file_and_key(
    rejected: Rejected, tmp_path: Path
):
    (tmp_path / "my.toml").write_text('preset = "mnist"\nbatch_sise = 3')
    message = rejected("train", "my.toml")
    assert message == "my.toml: unknown key 'batch_sise'; did you mean batch_size?"
    assert rejected("train", "your.toml") == "your.toml: cannot be read: No such file or directory"


def test_layers_that_are_not_understood_are_rejected_with_the_position(rejected: Rejected):
    message = rejected("train", "--layers", "conv 32 5, batchnom, dense 10")
    assert message == "layers, character 12: unknown layer 'batchnom'; did you mean batchnorm?"


def test_streaming_without_grain_is_rejected_before_anything_is_written(
    rejected: Rejected, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "grain", None)
    assert rejected("train", "--streaming").startswith("streaming needs grain")


def test_an_unknown_option_is_rejected_with_the_nearest(rejected: Rejected):
    message = rejected("train", "--stepz", "5")
    assert "--stepz" in message
    assert message.endswith("; did you mean --steps?")


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["--lr", "0.1"], "--learning-rate"),
        (["--lr=0.1"], "--learning-rate"),
        (["quickstart", "--epochs", "3"], "--steps"),
        (["--out", "folder"], "--run-dir"),
        (["--wd", "0"], "--weight-decay"),
    ],
)
def test_an_option_by_its_name_in_other_tools_is_rejected_with_ours(
    rejected: Rejected, words: list[str], ours: str
):
    assert rejected("train", *words).endswith(f"; did you mean {ours}?")


def test_a_dry_run_tries_whether_the_run_folder_can_be_made(rejected: Rejected, tmp_path: Path):
    """In a folder that no user can write to."""
    message = rejected("train", "--dry-run", "--run-dir", "/proc/run")
    assert message.startswith("run-dir cannot be created: ")
    (tmp_path / "file").write_text("")
    message = rejected("train", "--dry-run", "--run-dir", str(tmp_path / "file" / "run"))
    assert message.startswith("run-dir cannot be created: ")


def test_an_unknown_command_is_rejected_with_the_known_ones(rejected: Rejected):
    message = rejected("trian")
    assert re.search(r"trian; the commands are: .*\btrain\b", message)
    assert message.endswith("; did you mean train?")


def test_a_second_preset_is_rejected(rejected: Rejected):
    assert "quickstart" in rejected("train", "mnist", "quickstart")


def test_an_option_without_its_value_is_rejected(rejected: Rejected):
    message = rejected("train", "--steps")
    assert "--steps" in message
    assert "missing value" in message.lower()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--normalisation", "chanel-mean"],
            "normalisation must be one of mean, channel-mean, channel-mean-sd, got 'chanel-mean'; "
            "did you mean channel-mean?",
        ),
        (
            ["--normalisation", "None"],
            "normalisation must be one of mean, channel-mean, channel-mean-sd, got 'None'",
        ),
        (
            ["--augment", "flip", "crap:4"],
            "augment: unknown augmentation 'crap' (known: flip, alternating-flip, crop, cutout); "
            "did you mean crop?",
        ),
        (
            ["--augment", "None"],
            "augment: unknown augmentation 'None' (known: flip, alternating-flip, crop, cutout)",
        ),
        (
            ["--augment", "crop:28"],
            "Crop(padding=28): padding must be at most 27 for 28 x 28 images, got 28",
        ),
    ],
)
def test_an_invalid_normalisation_or_augmentation_is_rejected(
    rejected: Rejected, words: list[str], line: str
):
    assert rejected("train", *words) == line


def test_a_batch_above_the_training_set_is_rejected(rejected: Rejected):
    message = rejected("train", "quickstart", "--batch-size", "3601")
    problem = "batch-size must be at most the 3600 training images, got 3601"
    assert message == f"{problem}: add --batch-size 3600"


def test_an_unknown_data_set_is_rejected_with_the_nearest(rejected: Rejected):
    message = rejected("train", "--dataset", "mnist_5kk")
    assert message.startswith("unknown data set 'mnist_5kk'")
    assert message.endswith("; did you mean mnist_5k?")


def test_a_data_set_that_is_not_prepared_is_rejected_with_instructions(
    rejected: Rejected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    message = rejected("train", "mnist", "--dataset", "svhn_cropped")
    assert message.startswith(f"data set 'svhn_cropped' is not prepared in {tmp_path}")
    assert "tfds.builder('svhn_cropped'" in message


def test_a_run_folder_that_exists_is_rejected_and_left_as_it_is(rejected: Rejected, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert rejected("train", "--run-dir", "mine") == "run-dir must not exist yet, mine does"
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_a_run_folder_below_a_file_is_rejected(rejected: Rejected, tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert rejected("train", "--run-dir", "file/run").startswith("run-dir cannot be created: ")


def test_help_version_and_rejected_settings_do_not_import_jax(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    commands = {
        "--version": 0, "--help": 0, "": 0, "train --help": 0, "train nonsense": 2,
        "train --steps 0": 2, "train --learning-rate nan": 2, "train --stepz 5": 2,
        "train --steps": 2, "trian": 2, "train --run-dir mine": 2, "predict --help": 0,
        "predict nowhere a.png": 2, "evaluate nowhere": 2, "summary nonsense": 2,
        "compare nowhere mine": 2, "compare mine": 2, "sweep --help": 0,
        "sweep nonsense": 2, "sweep": 2,
    }  # fmt: skip
    program = WITHOUT_JAX.format([command.split() for command in commands])
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    results = dict(zip(commands, ran.stdout.splitlines(), strict=True))
    assert results == {command: f"{code} []" for command, code in commands.items()}


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]):
    main(["--version"])
    assert capsys.readouterr().out == f"ffnn-jax {ffnn_jax.__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert not end.value.code
    output = capsys.readouterr().out
    for command in ("train", "predict", "evaluate", "export", "page", "summary", "doctor"):
        assert re.search(rf"• {command} ", output)
    assert "Example: " not in output


def test_help_names_every_preset_and_option(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    output = capsys.readouterr().out
    options = (
        "dataset", "layers", "steps", "batch-size", "learning-rate", "momentum", "weight-decay",
        "normalisation", "schedule", "precision", "augment", "seed", "seeds", "run-dir",
    )  # fmt: skip
    assert [option for option in options if f"--{option} " not in output] == []
    unnamed = [name for name in PRESETS if name not in output]
    assert unnamed == [f"cifar10-{row}" for row in range(1, 5)]  # "cifar10-0 to cifar10-5"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_a_default_for_every_option(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    output = re.sub(r" *\n {5,}", " ", capsys.readouterr().out)
    assert f"Example: ffnn-jax {command}" in output
    entries = re.findall(r"^  (\S.*)$", output, re.M)
    assert any(entry.startswith("-h, --help") for entry in entries)
    without = [entry for entry in entries if not re.search(r"\((default: |optional|requi)", entry)]
    assert [entry for entry in without if not entry.startswith("-h, --help")] == []


def test_help_has_a_range_and_an_example_for_every_numeric_setting(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    numbers = re.findall(r"^  --\S+ [NF] .*", capsys.readouterr().out, re.M)
    assert len(numbers) == 9
    for line in numbers:
        assert re.search(
            r"(at least|above|from) \d.*, as in [\d.]+\. \(default: (the preset's; |their own|\d)",
            line,
        )


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_module_rejects_errors_with_code_2_in_any_encoding(tmp_path: Path, encoding: str):
    environment = {"PATH": "", "PYTHONIOENCODING": encoding}
    if "PYTHONPATH" in os.environ:  # if the package is not installed
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    ran = subprocess.run(
        [sys.executable, "-m", "ffnn_jax", "train", "--stepz", "5"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(r"ffnn-jax: .*--stepz.*--steps\?\n", ran.stderr)


@pytest.mark.parametrize(
    "words",
    [("train", "--run-dir", "here"), ("predict", "RUN", "one.png"), ("evaluate", "RUN"),
     ("export", "RUN"), ("verify",)],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_platform_that_is_not_there_is_named_with_those_that_are(
    rejected: Rejected, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words
):
    """As jax does for a platform that it knows, and whose plugin is not installed."""

    def devices() -> None:
        raise AssertionError

    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.png").write_bytes(sample_digit().read_bytes())
    monkeypatch.setattr("jax.devices", devices)
    monkeypatch.setattr("ffnn_jax._device._available", lambda: "cpu, tpu")
    line = rejected(*(str(run) if word == "RUN" else word for word in words))
    assert re.search("JAX_PLATFORMS is .*, available here: cpu, tpu$", line)
    assert not (tmp_path / "here").exists()


def test_a_run_without_compilation_is_rejected_at_once(rejected: Rejected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ffnn_jax.cli._train_run.prepared_splits", None)
    jax.config.update("jax_disable_jit", True)  # as JAX_DISABLE_JIT does, in every thread
    try:
        line = rejected("train", "--run-dir", "here")
    finally:
        jax.config.update("jax_disable_jit", False)
    assert line.endswith("JAX_DISABLE_JIT is set, but a run consists of compiled steps: unset it")
    assert not (tmp_path / "here").exists()
