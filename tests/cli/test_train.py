"""``ffnn-jax train``, for real: what it prints, what it leaves, and how else it may end."""

import contextlib
import io
import json
import re
import shlex
import signal
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jax
import pytest

from ffnn_jax._console import plain_console
from ffnn_jax.cli import _train_run, main
from ffnn_jax.data import load_splits
from ffnn_jax.models import load
from ffnn_jax.nn import Dense, ReLU
from ffnn_jax.runs import StopRequest, versions
from tests.blank import blank_figures
from tests.cli.conftest import code_of

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")

FILES = {
    "config.json", "metrics.jsonl", "result.json", "model.npz", "table_1.md", "table_2.md",
    "confusion.png", "curves.png", "filters.png", "misclassified.png", "precision_recall.png",
    "confusion.svg", "curves.svg", "filters.svg", "misclassified.svg", "precision_recall.svg",
    "page.html", "checkpoints", ".lock", "settings.toml",
}  # fmt: skip


class Ran(NamedTuple):
    """What a run printed and where it lies."""

    said: str
    errors: str
    folder: Path

    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "result.json").read_text())


def run_in(folder: Path, number: int, *words: str) -> Ran:
    said, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(errors),
    ):
        main(["train", *words])
    return Ran(said.getvalue(), errors.getvalue(), folder / "runs" / f"quickstart-{number}")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both runs are made."""
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def first(here: Path) -> Ran:
    """30 steps of the default preset."""
    return run_in(here, 1, "--steps", "30")


@pytest.fixture(scope="module")
def second(here: Path, first: Ran) -> Ran:
    """The same place again, with other words."""
    words = ["quickstart", "--steps", "3", "--seeds", "2", "--seed", "5", "--batch-size", "8"]
    others = ["--normalisation", "channel-mean-sd", "--augment", "flip", "crop:2"]
    others += ["--schedule", "triangular", "--precision", "bf16"]
    others += ["--validation", "last:500", "--sampling", "epochs"]
    others += ["--layers", "conv 2 5, relu, maxpool 4, dense 10"]
    with blank_figures():
        return run_in(here, 2, *words, *others)


def test_two_runs_leave_the_folders_1_and_2(here: Path, first: Ran, second: Ran):
    assert sorted(path.name for path in here.iterdir()) == ["runs"]
    assert sorted((here / "runs").iterdir()) == [first.folder, second.folder]
    for run in (first, second):
        assert {path.name for path in run.folder.iterdir()} == FILES


def test_the_settings_that_a_run_leaves_repeat_it_bit_for_bit(second: Ran, tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart-1").mkdir()
    with blank_figures():
        again = run_in(tmp_path, 2, str(second.folder / "settings.toml"))
    for name in ("config.json", "settings.toml", "metrics.jsonl"):
        assert (again.folder / name).read_bytes() == (second.folder / name).read_bytes()
    assert again.result()["parameters_sha256"] == second.result()["parameters_sha256"]


def test_a_settings_file_is_a_run_and_options_override_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_train_run, "run_and_print", lambda *args: asked.append(args[-2:]))
    text = 'preset = "mnist"\ndataset = "mnist_5k"\nsteps = 7\nseed = 3\nlayers = "dense 10"'
    Path("my.toml").write_text(text)
    main(["train", "my.toml", "--steps", "9", "--layers", "relu, dense 10", "--dataset", "cifar10"])
    main(["train", "--dataset", "mnist_5k", "--validation", "none"])
    (settings, options), (_, same) = asked
    assert (settings.preset, settings.seed, settings.steps) == ("mnist", 3, 9)
    assert settings.layers == (ReLU(), Dense(10))
    assert options.explicit == {"steps", "seed", "layers", "dataset"}
    assert same.explicit == {"validation"}  # quickstart's data set is no other one


def test_a_run_ends_by_naming_its_page_and_two_commands_that_work(
    here: Path, first: Ran, capsys: pytest.CaptureFixture[str]
):
    *_, place, predict, evaluate = first.said.splitlines()
    assert place == "results in runs/quickstart-1: open runs/quickstart-1/page.html"
    with contextlib.chdir(here):
        for line in (predict, evaluate):
            command = shlex.split(line.removeprefix("next:"))
            assert command.pop(0) == "ffnn-jax"
            main(command)
    said = capsys.readouterr().out
    assert "three.png: " in said
    assert "mnist_5k/train: 3,600 images, accuracy " in said


def test_a_run_says_what_its_progress_line_shows(first: Ran, second: Ran):
    name = "mnist_5k/validation (in place of drawn:2001)"
    drawn = "320 random images every 100 steps, all of them at the end"
    assert f"validation {name}: {drawn}\n" in first.said
    assert "mnist_5k/validation (in place of last:500): 80 random images" in second.said
    assert "progress   moving averages over batches, loss with weight decay; valid" in first.said
    accuracy, error = re.findall(r"validation (0\.\d+) \+- (0\.\d+)  ", first.said)[-1]
    assert float(error) == pytest.approx(
        (float(accuracy) * (1 - float(accuracy)) / 320) ** 0.5, abs=6e-4
    )


def test_a_run_prints_where_and_on_what_it_runs(first: Ran):
    result = first.result()
    assert re.search(rf"^device +{jax.default_backend()} \(", first.said, re.MULTILINE)
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    assert re.search(rf"^versions +{re.escape(told)}$", first.said, re.MULTILINE)
    for name, digest in result["data_sha256"].items():
        assert re.search(rf"{name} [\d,]+ \(sha256 {digest[:12]}\)", first.said)
    assert re.search(r"^parameters 14,682$", first.said, re.MULTILINE)
    assert first.errors == ""


def test_a_run_prints_its_progress_and_ends_at_its_last_step(first: Ran):
    steps = [
        int(step)
        for step in re.findall(r"^step +(\d+)/30  training loss \d", first.said, re.MULTILINE)
    ]
    assert steps == sorted(set(steps))
    assert steps[-1] == 30


def test_a_run_prints_the_test_accuracy_of_its_result(first: Ran):
    (accuracy,) = first.result()["test_accuracy"]
    assert f"seed 0: test accuracy {accuracy:.4f}\n" in first.said
    assert 0.2 < accuracy <= 1


def test_several_seeds_are_printed_each_and_as_a_mean(second: Ran):
    one, other = second.result()["test_accuracy"]
    mean, spread = (one + other) / 2, abs(one - other) / 2**0.5
    assert f"seed 5: test accuracy {one:.4f}\n" in second.said
    assert f"seed 6: test accuracy {other:.4f}\n" in second.said
    assert f"test accuracy {mean:.4f} +- {spread:.4f} (mean +- sd, n = 2)" in second.said


def test_page_writes_the_page_of_a_run_again(second: Ran, capsys: pytest.CaptureFixture[str]):
    page = second.folder / "page.html"
    written = page.read_bytes()
    page.unlink()
    main(["page", str(second.folder)])
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_bytes() == written


def test_a_dry_run_goes_through_everything_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with blank_figures():
        main(["train", "--dry-run", "--seeds", "3", "--layers", "maxpool 4, dense 10"])
    said = capsys.readouterr().out
    assert said.endswith("dry run: everything works; the folder was removed\n")
    assert "test accuracy" in said
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_learnt_nothing_says_so_and_another_does_not(first: Ran, second: Ran):
    warnings = second.result()["warnings"]
    assert warnings
    for warning in warnings:
        assert f"\nwarning    {warning}\n" in second.said
        assert "learnt nothing: " in warning
    assert first.result()["warnings"] == []
    assert "warning" not in first.said


def test_the_screen_says_what_its_numbers_mean(first: Ran, second: Ran):
    """Which images a validation takes, what a loss holds, and how weights are drawn."""
    own = "mnist_5k/validation (in place of last:500): 80 random images every 100 steps"
    assert f"\nvalidation {own}, all of them at the end\n" in second.said
    assert "moving averages over batches, loss with weight decay; validation +- std" in first.said
    assert "\nweights    layer 1 drawn as for 75 inputs (init_fan_in)\n" in first.said


def test_metrics_end_at_the_last_step(first: Ran, second: Ran):
    for run, steps, seeds in ((first, 30, [0]), (second, 3, [5, 6])):
        text = (run.folder / "metrics.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert [(line["seed"], line["step"]) for line in lines] == [(s, steps) for s in seeds]


def test_the_settings_of_a_run_are_those_asked_for(second: Ran):
    config = json.loads((second.folder / "config.json").read_text())
    asked = {"preset": "quickstart", "steps": 3, "seeds": 2, "seed": 5, "batch_size": 8}
    assert {key: config[key] for key in asked} == asked
    assert config["normalisation"] == "channel-mean-sd"
    assert (config["schedule"], config["precision"]) == ("triangular", "bf16")
    assert (config["validation"], config["sampling"]) == ("last:500", "epochs")
    assert config["augmentations"] == [{"type": "Flip"}, {"type": "Crop", "padding": 2}]


def test_the_model_of_a_run_is_the_one_of_its_result(second: Ran):
    result = second.result()
    best = result["seeds"].index(result["best_seed"])
    model, test = load(str(second.folder / "model.npz")), load_splits("mnist_5k").test
    assert model.parameters_sha256 == result["parameters_sha256"][best]
    right = model.predict(test.images) == test.labels
    assert right.mean() == pytest.approx(result["test_accuracy"][best])


def test_a_diverging_run_ends_with_code_3_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    layers = "maxpool 4, dense 8, relu, dense 10"
    assert code_of("train", "--layers", layers, "--steps", "30", "--learning-rate", "1e9") == 3
    line = (
        r"ffnn-jax: seed 0, step \d+: the output of \w+ has [\d,]+ of [\d,]+ numbers not finite; "
        r"a lower learning rate may help; to find the operation: "
        r"ffnn-jax train --resume runs/quickstart-1 --debug-nans\n"
    )
    assert re.fullmatch(line, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (KeyboardInterrupt, 130, "interrupted"),
        (ZeroDivisionError, 1, "ZeroDivisionError (--debug shows where)"),  # no divergence: ours
    ],
)
def test_a_run_that_fails_ends_with_its_code_and_one_line(
    failure: type[BaseException], code: int, line: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    def run_plan(*_: object) -> NoReturn:
        raise failure

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_train_run.runs, "run_plan", run_plan)
    assert code_of("train") == code
    assert capsys.readouterr().err == f"ffnn-jax: {line}\n"
    with pytest.raises(failure if failure is ZeroDivisionError else SystemExit):
        main(["train", "--debug"])


def test_the_options_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("grain")
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_train_run, "run_and_print", lambda *args: asked.append(args[-1]))
    main(["train"])
    main(["train", "--streaming", "--checkpoint-every", "1", "--debug-nans", "--run-dir", "a"])
    found = [(o.streaming, o.every, o.debug_nans, o.run_dir) for o in asked]
    assert found == [(None, None, False, None), (True, 1, True, Path("a"))]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(_train_run, "run_and_print", lambda *args: asked.append(args[-1].run_dir))
    main(["train", "--run-dir=~/a"])
    assert asked == [tmp_path / "a"]
    (tmp_path / "b").mkdir()
    assert code_of("train", "--run-dir=~/b") == 2


def test_a_run_that_nobody_reads_stops_as_at_a_signal(monkeypatch: pytest.MonkeyPatch):
    silenced = []
    monkeypatch.setattr(_train_run, "print_nowhere", silenced.append)
    stop = StopRequest()
    console = plain_console(reader_left=lambda: _train_run._stop_unread(stop))
    console.file = Unread()
    console.print("a line")
    assert (stop.signal, silenced) == (getattr(signal, "SIGPIPE", signal.SIGTERM), [1])
    console = plain_console()
    console.file = Unread()
    with pytest.raises(BrokenPipeError):
        console.print("a line")


class Unread(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text: str) -> NoReturn:
        raise BrokenPipeError
