"""``ffnn-jax predict``."""

import csv
import json

import pytest
from PIL import Image, ImageDraw

from tests.cli.conftest import code_of


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
        "error": f"{pictures / 'bad.png'}: not a picture", "box": None, "warning": None,
    }  # fmt: skip
    assert good.keys() == bad.keys()
    assert good["error"] is None
    assert len(good["top"]) == 2
    assert good["top"][0][0] == good["label"]


def test_a_picture_is_prepared_in_the_style_that_is_asked_for(run, pictures, capsys):
    said = {}
    for style in ("auto", "digits", "plain"):
        code_of("predict", run, pictures / "one.png", "--style", style)
        said[style] = capsys.readouterr().out
    assert said["auto"] == said["digits"]
    assert "cropped to its ink" in said["digits"]
    assert "cropped to the middle 60 x 60" in said["plain"]


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


def test_csv_has_the_box_of_each_digit_and_the_doubts(run, tmp_path, capsys):
    image = Image.new("L", (200, 100), 230)
    for x in (40, 140):
        ImageDraw.Draw(image).line([(x, 20), (x, 80)], fill=205, width=6)
    image.save(tmp_path / "two.png")
    code_of("predict", run, tmp_path / "two.png", "--csv", "-")
    first, second = csv.DictReader(capsys.readouterr().out.splitlines())
    assert int(first["box"].split()[2]) < int(second["box"].split()[0])
    assert first["warning"] == second["warning"] == "the ink is faint"


def test_another_member_answers_otherwise(run, pictures, capsys):
    answers = []
    for model in (0, 1):
        code_of("predict", run, pictures / "one.png", "--json", "-", "--model", model)
        answers.append(json.loads(capsys.readouterr().out)[0]["top"])
    code_of("predict", run / "model.npz", pictures / "one.png", "--json", "-")
    assert json.loads(capsys.readouterr().out)[0]["top"] == answers[1] != answers[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "FOLDER"], "json FOLDER cannot be written: [Errno 21] Is a directory"),
        (["--csv", "FOLDER"], "csv FOLDER cannot be written: [Errno 21] Is a directory"),
        (["--picture", "FOLDER/a.foo"], "picture FOLDER/a.foo cannot be written: Format 'foo' "),
    ],
)
def test_a_file_that_cannot_be_written_is_rejected(words, message, run, pictures, tmp_path, capsys):
    words = [word.replace("FOLDER", str(tmp_path)) for word in words]
    assert code_of("predict", run, pictures / "one.png", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ffnn-jax: {message.replace('FOLDER', str(tmp_path))}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN"], "predict needs at least one IMAGE"),
        (["RUN", "a.png", "--top", "0"], "top must be at least 1, got 0"),
        (["nowhere", "a.png"], "nowhere: no such file; RUN is a folder that train left"),
        (["RUN", "a.png", "--csv", "no/where.csv"], "cannot be written: no folder"),
        (["RUN", "a.png", "--csv", "-", "--json", "-"], "json and csv must be two"),
        (["RUN", "a.png", "--csv", "b", "--picture", "./b"], "csv and picture must be"),
        (["RUN", "a.png", "--model", "7"], "model must be from 0 to 1, got 7"),
    ],
)
def test_what_cannot_be_predicted_is_rejected_in_one_line(words, message, run, capsys):
    assert code_of("predict", *(word.replace("RUN", str(run)) for word in words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_several_digits_are_answered_one_by_one_with_their_boxes(run, tmp_path, capsys):
    image = Image.new("L", (200, 100), 255)
    for x in (50, 140):
        ImageDraw.Draw(image).line([(x, 20), (x, 80)], fill=0, width=8)
    image.save(tmp_path / "two.png")
    sheet = tmp_path / "sheet.png"
    code_of("predict", run, tmp_path / "two.png", "--json", "-", "--picture", sheet)
    first, second = json.loads(capsys.readouterr().out)
    assert first["file"] == second["file"]
    assert first["box"][0] < 60 < 130 < second["box"][0]
    assert sheet.exists()


def test_a_doubt_is_said_beside_the_answer(run, tmp_path, capsys):
    image = Image.new("L", (200, 100), 250)
    ImageDraw.Draw(image).line([(90, 20), (110, 80)], fill=225, width=8)
    image.save(tmp_path / "faint.png")
    assert code_of("predict", run, tmp_path / "faint.png", "--json", "-") == 0
    said = capsys.readouterr()
    assert said.err.endswith("faint.png: the ink is faint\n")
    assert json.loads(said.out)[0]["warning"] == "the ink is faint"


def test_subfolders_are_walked_and_what_is_no_picture_is_named(run, pictures, capsys):
    (pictures / "7").mkdir()
    (pictures / "one.png").rename(pictures / "7" / "one.png")
    (pictures / "bad.png").unlink()
    for name in ("notes.txt", "photo.HEIC"):
        (pictures / name).write_text("no")
    assert code_of("predict", run, pictures) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{pictures / '7' / 'one.png'}: ")
    expected = (
        f"ffnn-jax: 2 files are not named as pictures: {pictures / 'notes.txt'}, "
        f"{pictures / 'photo.HEIC'}; pillow-heif would let Pillow read some"
    )
    assert expected in said.err.splitlines()


def test_a_photograph_of_an_unread_format_is_named_with_its_plug_in(run, tmp_path, capsys):
    (tmp_path / "a.heic").write_bytes(b"0000ftypheic")
    assert code_of("predict", run, tmp_path / "a.heic") == 1
    assert "not a picture that this Pillow reads; pillow-heif adds HEIC" in capsys.readouterr().err
