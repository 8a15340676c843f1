"""Every command that takes a data set takes one's own files, and remembers what they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import named_settings
from ffnn_jax.runs import _tuning
from tests.cli.conftest import code_of

pytestmark = pytest.mark.usefixtures(
    "quick_compilation_of_the_module", "blank_figures_of_the_module"
)

LAYERS = "conv 4 3, relu, maxpool 2, dense 2"
SHORT = ("--layers", LAYERS, "--steps", "40", "--batch-size", "8", "--size", "8")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``pictures`` of light and dark rectangles, one of them damaged."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for number in range(120):
        name, level = ("dark", 60) if number % 2 else ("light", 180)
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(level - 50, level + 50, (10 + number % 3, 12, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "pictures" / "dark" / "broken.png").write_bytes(b"")
    return tmp_path


def test_a_folder_is_trained_on_resumed_evaluated_and_shown(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    words = ("train", "--dataset", "pictures", *SHORT, "--run-dir", "run")
    assert code_of(*words) == 2
    assert "broken.png: not a picture" in capsys.readouterr().err
    assert code_of(*words, "--skip-damaged") == 0
    output = capsys.readouterr().out
    assert "pictures/train 84 (sha256" in output
    assert "scaled to 8 x 8" in output
    assert "broken.png" in output
    config = json.loads((here / "run" / "config.json").read_text())
    assert (config["dataset"], config["size"]) == (str(here / "pictures"), 8)
    monkeypatch.chdir(here.parent)  # a run finds its data from anywhere
    assert code_of("train", "--resume", here / "run", "--steps", 60) == 0
    capsys.readouterr()
    assert code_of("evaluate", here / "run", "--json", "-") == 0
    output, notes = capsys.readouterr()
    tested = json.loads(output)
    assert (tested["images"], tested["class_names"]) == (18, ["dark", "light"])
    assert tested["accuracy"] > 0.9
    assert "has changed" not in notes
    for file in (here / "pictures" / "light").iterdir():
        Image.fromarray(np.full((10, 12, 3), 90, np.uint8)).save(file)
    assert code_of("evaluate", here / "run") == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "has changed" in line)
    assert line.startswith(f"pictures/test has changed since {here / 'run'} was trained (SHA-256 ")
    others = ("--dataset", here / "pictures", "--skip-damaged")
    assert code_of("evaluate", here / "run", *others) == 0
    assert "has changed" not in capsys.readouterr().err


def test_an_evaluation_on_other_pictures_scales_them(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    assert code_of("train", "--dataset", "pictures", *SHORT, "--skip-damaged") == 0
    for name, level in (("dark", 60), ("light", 180)):
        (here / "others" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.full((30 + number, 40, 3), level + number, np.uint8)
            Image.fromarray(pixels).save(here / "others" / name / f"{number}.png")
    capsys.readouterr()
    words = ("evaluate", "runs/quickstart-1", "--dataset", "others", "--split", "all")
    assert code_of(*words, "--json", "-") == 0
    tested = json.loads(capsys.readouterr().out)
    assert (tested["images"], tested["accuracy"]) == (8, 1.0)
    assert code_of("predict", "runs/quickstart-1", "others/light/0.png") == 0
    assert "others/light/0.png: light" in capsys.readouterr().out


def test_runs_on_pictures_of_different_sizes_are_compared(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    for name, steps in (("a", 20), ("b", 30)):
        words = ("train", "--dataset", "pictures", *SHORT, "--skip-damaged", "--run-dir", name)
        assert code_of(*words, "--steps", steps) == 0
    capsys.readouterr()
    assert code_of("compare", "a", "b") == 0
    assert "of 18 test images a has" in capsys.readouterr().out


def test_a_set_is_shown_with_what_is_worth_knowing(here: Path, capsys):
    assert code_of("data", "show", "pictures", "--size", 8, "--skip-damaged") == 0
    output = capsys.readouterr().out
    assert "dark               42" in output
    assert "remark: set aside by a fixed hash: 15% of each class for test and 15% " in output
    assert "remark: " + str(here / "pictures" / "dark" / "broken.png") in output
    assert (here / "pictures.png").is_file()


def test_of_pictures_of_several_sizes_classes_and_sizes_are_shown(here: Path, capsys):
    assert code_of("data", "show", "pictures", "--skip-damaged") == 2
    *output, sizes = (found := capsys.readouterr()).out.splitlines()
    assert output == ["dark               61", "light              60"]
    assert sizes == "sizes: 40 of 12 x 10, 40 of 12 x 11, 40 of 12 x 12"
    assert "pictures differ in size: " in found.err and "; --size N (size=N) crops" in found.err
    for number in range(4):
        Image.new("L", (5, 5 + number)).save(here / "pictures" / "dark" / f"{number}.bmp")
    assert code_of("data", "show", "pictures", "--skip-damaged") == 2
    assert capsys.readouterr().out.endswith(" of 5 x 5, 1 of 5 x 6, and 2 more sizes\n")
    assert not (here / "pictures.png").exists()


def test_a_settings_file_names_one_s_own_data(here: Path, capsys):
    text = f'dataset = "pictures"\nsize = 8\nskip_damaged = true\nlayers = "{LAYERS}"\n'
    (here / "mine.toml").write_text(text + "steps = 20\nbatch_size = 8\nvalidation = 'none'\n")
    assert code_of("summary", "mine.toml") == 0
    assert code_of("train", "mine.toml") == 0
    assert code_of("train", "runs/mine-1/settings.toml") == 0
    first, second = (json.loads((here / f"runs/mine-{n}/result.json").read_text()) for n in (1, 2))
    assert first["data_sha256"] == second["data_sha256"]


def test_tuning_takes_one_s_own_data_in_the_place_of_the_preset_s(
    here: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_tuning, "_TRIED", ())
    monkeypatch.setattr(_tuning, "_MOST_TRIALS", 1)
    Path("mine.toml").write_text(f'layers = "{LAYERS}"\nsteps = 300\nbatch_size = 8\n')
    own = ("--dataset", "pictures", "--size", 8, "--skip-damaged")
    assert code_of("tune", "mine.toml", *own, "--steps", 20) == 0
    suggested, _ = named_settings("runs/tune-mine-1/settings.toml")
    assert (suggested.dataset, suggested.size) == (str(here / "pictures"), 8)
    assert (suggested.skip_damaged, suggested.steps) == (True, 300)
