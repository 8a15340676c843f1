"""``ffnn-jax predict``, ``ffnn-jax evaluate`` and ``ffnn-jax export``."""

import csv
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw

from ffnn_jax.cli import main
from ffnn_jax.data import load
from ffnn_jax.models import Model, save
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Dense, MaxPool


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as train leaves it, with two untrained models of digits."""
    folder = tmp_path_factory.mktemp("run")
    network = Network((MaxPool(4), Dense(10)), (28, 28, 1))
    one = np.ones(1, np.float32)
    members = [
        Model(
            network, *network.init(jax.random.key(k)), Normalisation(one, one), tuple("0123456789")
        )
        for k in (0, 1)
    ]
    save(folder / "model.npz", members, best=1)
    (folder / "config.json").write_text(json.dumps({"dataset": "mnist_5k"}))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a digit and a file that is none."""
    image = Image.new("L", (90, 60), 255)
    ImageDraw.Draw(image).line([(40, 10), (40, 50)], fill=0, width=6)
    (tmp_path / "pictures").mkdir()
    image.save(tmp_path / "pictures" / "one.png")
    (tmp_path / "pictures" / "bad.png").write_text("no")
    return tmp_path / "pictures"


def code_of(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_bad_file_is_named_the_other_done_and_the_code_is_1(run, pictures, capsys):
    assert code_of("predict", run, pictures) == 1
    said = capsys.readouterr()
    assert said.err == f"ffnn-jax: {pictures / 'bad.png'}: not a picture\n"
    (line,) = said.out.splitlines()
    assert line.startswith(f"{pictures / 'one.png'}: ")
    assert "inverted (dark on light); cropped to its ink" in line


def test_json_is_a_list_on_standard_output(run, pictures, capsys):
    code_of("predict", run, pictures, "--json", "-", "--top", "2")
    bad, good = json.loads(capsys.readouterr().out)
    assert bad == {
        "file": str(pictures / "bad.png"), "label": None, "top": [],
        "error": f"{pictures / 'bad.png'}: not a picture",
    }  # fmt: skip
    assert good["error"] is None
    assert len(good["top"]) == 2
    assert good["top"][0][0] == good["label"]


def test_csv_and_picture_are_written(run, pictures, tmp_path):
    table, drawn = tmp_path / "answers.csv", tmp_path / "answers.png"
    code_of("predict", run, pictures, "--csv", table, "--picture", drawn)
    with table.open(newline="") as file:
        bad, good = csv.DictReader(file)
    assert (bad["label_1"], good["error"]) == ("", "")
    assert 0 < float(good["probability_1"]) <= 1
    with Image.open(drawn) as picture:
        assert min(picture.size) > 100


def test_csv_goes_to_standard_output_alone(run, pictures, capsys):
    code_of("predict", run, pictures / "one.png", "--csv", "-")
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert row["file"] == str(pictures / "one.png")


def test_another_member_answers_otherwise(run, pictures, capsys):
    answers = []
    for member in (0, 1):
        code_of("predict", run, pictures / "one.png", "--json", "-", "--member", member)
        answers.append(json.loads(capsys.readouterr().out)[0]["top"])
    code_of("predict", run / "model.npz", pictures / "one.png", "--json", "-")
    assert json.loads(capsys.readouterr().out)[0]["top"] == answers[1] != answers[0]


def test_evaluate_takes_the_run_s_own_data(run, capsys):
    assert code_of("evaluate", run, "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["dataset"], found["images"]) == ("mnist_5k/test", 1000)
    assert np.trace(found["confusion"]) / 1000 == found["accuracy"]
    assert found["sha256"] == load("mnist_5k", "test").sha256


def test_evaluate_prints_the_table_of_classes(run, capsys):
    assert code_of("evaluate", run, "--split", "train[:100]") == 0
    said = capsys.readouterr().out
    assert said.startswith("mnist_5k/train[:100]: 100 images, accuracy 0.")
    assert "| Recall |" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "RUN"], "predict needs at least one IMAGE"),
        (["predict", "RUN", "a.png", "--top", "0"], "top must be at least 1, got 0"),
        (["predict", "nowhere", "a.png"], "nowhere: no such file; RUN is a folder that train left"),
        (["predict", "RUN", "a.png", "--csv", "no/where.csv"], "cannot be written: no folder"),
        (
            ["predict", "RUN", "a.png", "--csv", "-", "--json", "-"],
            "json and csv must be two",
        ),
        (["predict", "RUN", "a.png", "--csv", "b", "--picture", "./b"], "csv and picture must be"),
        (["predict", "RUN", "a.png", "--member", "7"], "member must be from 0 to 1, got 7"),
        (["evaluate", "RUN", "--dataset", "mnist_5"], "did you mean mnist_5k?"),
        (["evaluate", "RUN/model.npz", "--split", "tst"], "tst"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, message, run, capsys):
    assert code_of(*(word.replace("RUN", str(run)) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_model_without_its_run_needs_the_data_set_s_name(run, tmp_path, capsys):
    (tmp_path / "model.npz").write_bytes((run / "model.npz").read_bytes())
    assert code_of("evaluate", tmp_path) == 2
    assert "give --dataset" in capsys.readouterr().err
    assert code_of("evaluate", tmp_path, "--dataset", "mnist_5k") == 0


def test_export_writes_a_program_beside_the_model_and_says_how_near_it_is(run, tmp_path, capsys):
    (tmp_path / "model.npz").write_bytes((run / "model.npz").read_bytes())
    assert code_of("export", tmp_path) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'model.stablehlo'}: ")
    assert "for cpu, cuda, tpu; probabilities equal to" in said
    assert code_of("export", tmp_path, "--out", tmp_path / "no" / "x") == 2


def test_export_does_not_replace_the_model_itself(run, tmp_path, capsys):
    model = tmp_path / "model.npz"
    model.write_bytes((run / "model.npz").read_bytes())
    assert code_of("export", tmp_path, "--out", model) == 2
    assert "out must not be the model itself" in capsys.readouterr().err
    assert model.read_bytes() == (run / "model.npz").read_bytes()
