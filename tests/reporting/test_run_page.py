"""The page of a run: self-contained, true to the saved results, and rendered by a browser."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import UserError, preset
from ffnn_jax.reporting import draw_confusion, draw_curves, run_page, save_figure

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
CONFUSION = [[8, 2, 0], [0, 10, 0], [1, 4, 5]]
RESULT: dict[str, Any] = {
    "dataset": "mnist_5k", "seeds": [3, 4], "best_seed": 4, "class_names": ["cat", "<dog>", "eel"],
    "test_accuracy": [0.5, 0.52], "validation_accuracy": [0.6, 0.6], "train_accuracy": [0.9, 1.0],
    "parameters": 14682, "train_seconds": 4.25, "images_per_second": 11234.5, "compile_seconds": 2,
    "confusion": [[[1, 0, 0]] * 3, CONFUSION], "device": {"platform": "cpu", "cpu_cores": 2},
    "versions": {"jax": "1.2.3"}, "data_sha256": {"mnist_5k/train": "abc"},
    "parameters_sha256": ["aa", "bb"],
    "network": {
        "headings": [
            "Layer", "Layer type", "Inputs", "Outputs", "Filter", "Bias", "Number of parameters",
            "Output shape", "FLOPs forward", "FLOPs backward",
        ],
        "rows": [
            ["", "Input", "", "", "", "", "0", "28×28×1", "", ""],
            ["1", "Convolutional", "1", "16", "[5×5×1]", "[16×1]", "(5×5×1+1)16 = 416", "28×28×16",
             "627,200", "627,200"],
        ],
    },
}  # fmt: skip


def many(classes: int) -> dict[str, Any]:
    """The result of a run with so many classes, whose last class is most often taken for 0."""
    confusion = np.eye(classes, dtype=int) + np.eye(classes, k=1, dtype=int)
    confusion[-1, 0] = 3
    names = [f"species {k}" for k in range(classes)]
    return RESULT | {"confusion": [confusion.tolist()] * 2, "class_names": names}


def rows(text: str, heading: str) -> list[list[tuple[str, str]]]:
    """The rows of the table under a heading, as pairs of a cell's class and its text."""
    table = text.partition(f"<h2>{heading}</h2>")[2].partition("</table>")[0]
    cells = r'<t[hd](?: class="(\w+)")?[^>]*>(.*?)</t[hd]>'
    return [re.findall(cells, row) for row in re.findall(r"(?s)<tr>.*?</tr>", table)]


class Page(HTMLParser):
    """The cells, titles and pictures of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.sources: list[str] = []
        self.cells: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.titles += [str(value) for name, value in attrs if name == "title"]
        self.sources += [str(value) for name, value in attrs if name in ("src", "href")]
        self.open.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th", "b", "dd"):
            self.cells.append(data.strip())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder with two of the figures."""
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    (tmp_path / "config.json").write_text(json.dumps(preset("mnist").to_json()))
    for name in ("curves", "filters"):
        Image.new("RGB", (30, 20), "red").save(tmp_path / f"{name}.png")
    return tmp_path


def test_every_number_is_the_saved_one(folder: Path):
    cells = Page(run_page(folder)).cells
    assert {"51.0 ± 1.4 %", "95.0 ± 7.1 %", "14,682", "4.2 s", "11,234"} <= set(cells)
    assert {"0.8889", "0.8000", "0.8421"} <= set(cells)
    assert any("Conv(" in cell and "filters=16" in cell for cell in cells)
    assert "0.005" in cells


def test_a_count_has_a_title(folder: Path):
    titles = Page(run_page(folder)).titles
    assert len(titles) == 9
    assert titles[1] == "2 of 10 images of cat classified as <dog>"
    assert titles[8] == "5 of 10 images of eel classified correctly"


def test_a_cell_is_shaded_by_its_share_of_the_commonest_error_and_the_diagonal_never(folder: Path):
    table = run_page(folder).partition("<h2>Confusion matrix</h2>")[2].partition("</table>")[0]
    cells = re.findall(r'<td class="(\w+)" title="[^"]*"( style="[^"]*")?>(\d+)</td>', table)
    shade = ' style="background: rgba(var(--error), {})"'
    assert cells == [
        ("right", "", "8"), ("wrong", shade.format(0.375), "2"), ("none", "", "0"),
        ("none", "", "0"), ("right", "", "10"), ("none", "", "0"),
        ("wrong", shade.format(0.188), "1"), ("wrong", shade.format(0.75), "4"),
        ("right", "", "5"),
    ]  # fmt: skip


def test_a_run_without_errors_has_no_shaded_cell(folder: Path):
    result = RESULT | {"confusion": [np.eye(3, dtype=int).tolist()] * 2}
    (folder / "result.json").write_text(json.dumps(result))
    assert "rgba(var(--error)" not in run_page(folder).partition("<body>")[2]


@pytest.mark.parametrize("heading", ["Network", "Metrics by class"])
def test_a_heading_is_aligned_as_its_column(folder: Path, heading: str):
    head, *body = rows(run_page(folder), heading)
    assert len(body) >= 2
    for row in body:
        assert [side for side, _ in row] == [side for side, _ in head]
    texts = {name for side, name in head if side == "text"}
    assert texts <= {"Layer", "Layer type", "Filter", "Bias", "Output shape", "class"}
    assert not texts.isdisjoint({"Layer type", "class"})


def test_of_more_than_25_classes_the_page_has_the_commonest_confusions(folder: Path):
    (folder / "result.json").write_text(json.dumps(many(26)))
    text = run_page(folder)
    assert "Confusion matrix</h2>" not in text
    head, first, *others = rows(text, "Commonest confusions")
    assert [name for _, name in head] == ["true class", "predicted class", "images", "share"]
    assert first == [("text", "species 25"), ("text", "species 0"), ("", "3"), ("", "75.0%")]
    assert len(others) == 24
    classes = rows(text, "Metrics by class")
    assert classes[1][0] == ("text", "species 0")
    assert len(classes) == 1 + 25


@pytest.mark.parametrize(("classes", "drawn"), [(25, False), (26, True), (100, True), (101, False)])
def test_26_to_100_classes_have_the_matrix_as_a_figure(folder: Path, classes: int, drawn: bool):
    result = many(classes)
    (folder / "result.json").write_text(json.dumps(result))
    names = result["class_names"]
    save_figure(draw_confusion(np.array(result["confusion"][1]), names), folder / "confusion.svg")
    assert ('aria-label="Confusion matrix"' in run_page(folder)) is drawn


def test_a_page_of_ten_times_the_classes_is_not_larger(folder: Path):
    """Besides the longer numbers in its names and counts."""
    sizes = []
    for classes in (101, 1010):
        (folder / "result.json").write_text(json.dumps(many(classes)))
        sizes.append(len(run_page(folder)))
    assert sizes[1] < 1.02 * sizes[0]


def test_names_that_figures_cannot_show_have_a_legend(folder: Path):
    names = ["猫", "<dog>" * 60, "$eel$"]
    (folder / "result.json").write_text(json.dumps(RESULT | {"class_names": names}))
    legend = run_page(folder).partition("<details>")[2].partition("</details>")[0]
    assert "<dt>class 0</dt><dd>猫</dd>" in legend
    assert f"<dd>{'&lt;dog&gt;' * 60}</dd>" in legend
    assert "eel" not in legend


def test_curves_are_drawn_in_the_page_s_ink_in_two_halves(folder: Path):
    record = {"seed": 0, "loss": 1.0, "accuracy": 0.5, "validation_accuracy": None}
    curves = draw_curves([record | {"step": 1}, record | {"step": 2}])
    save_figure(curves, folder / "curves.svg")
    text = run_page(folder)
    assert len(Page(text).sources) == 1
    views = re.findall(
        r'<svg role="img" aria-label="Loss[^"]*" width="(.*?)" viewBox="(.*?)">', text
    )
    assert views == [
        ("324.0pt", "0.0 0 324.0 259.2"), ("324.0pt", "324.0 0 324.0 259.2"),
    ]  # fmt: skip
    save_figure(curves, folder / "filters.svg")
    assert 'viewBox="0.0 0 648.0 259.2"' in run_page(folder)
    assert "currentColor" in text
    assert "#000000" not in text
    assert not re.search(r"https?://|@import|<script", text)


@pytest.mark.parametrize(
    "text",
    ["no drawing", '<svg viewBox="0 0 9 9"><defs/><script>1</script>',
     '<svg viewBox="0 0 9 9"><defs/><g onload = "1">', '<svg viewBox="0 0 9 9"></svg>'],
)  # fmt: skip
def test_a_figure_that_is_not_a_run_s_is_named(folder: Path, text: str):
    (folder / "curves.svg").write_text(text)
    with pytest.raises(UserError, match=r"curves\.svg is not a figure of a run; remove it"):
        run_page(folder)


def test_a_folder_may_have_a_name_that_is_no_text(folder: Path):
    other = folder.with_name(os.fsdecode(b"b\xffd"))
    folder.rename(other)
    assert "b�d" in run_page(other)


@pytest.mark.parametrize("key", ["device", "versions", "compile_seconds", "parameters_sha256"])
def test_a_result_that_lacks_a_key_is_rejected(folder: Path, key: str):
    result = {name: value for name, value in RESULT.items() if name != key}
    (folder / "result.json").write_text(json.dumps(result))
    with pytest.raises(UserError, match="are not those of a run"):
        run_page(folder)


def test_names_cannot_become_markup(folder: Path):
    text = run_page(folder)
    assert "<dog>" not in text
    assert "&lt;dog&gt;" in text


def test_the_page_loads_nothing_from_elsewhere(folder: Path):
    page = Page(run_page(folder))
    assert len(page.sources) == 2
    for source in page.sources:
        kind, _, data = source.partition("base64,")
        assert kind == "data:image/png;"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.size == (30, 20)
    assert not re.search(r"https?://|@import|<script", run_page(folder))


def test_a_class_that_is_never_predicted_has_a_dash(folder: Path):
    result = {**RESULT, "confusion": [CONFUSION, [[8, 2, 0], [0, 10, 0], [6, 4, 0]]]}
    (folder / "result.json").write_text(json.dumps(result))
    assert "–" in Page(run_page(folder)).cells


def test_a_run_without_a_network_table_still_has_a_page(folder: Path):
    result = {name: value for name, value in RESULT.items() if name != "network"}
    (folder / "result.json").write_text(json.dumps(result))
    assert "Layer type" not in run_page(folder)


@pytest.mark.parametrize("name", ["result.json", "config.json"])
def test_an_unfinished_run_is_rejected(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name} cannot be read, so .* is not a finished run"):
        run_page(folder)


@pytest.mark.parametrize("name", ["result.json", "config.json"])
@pytest.mark.parametrize("text", ["{}", "[]", "3"])
def test_files_of_no_run_are_rejected(folder: Path, name: str, text: str):
    (folder / name).write_text(text)
    with pytest.raises(UserError, match=r"are not those of a run"):
        run_page(folder)


def test_the_validation_setting_is_unused_with_a_validation_split(folder: Path):
    assert "<dt>validation</dt><dd>drawn:2001</dd>" in run_page(folder)
    result = {**RESULT, "data_sha256": dict.fromkeys("abc", "0")}
    (folder / "result.json").write_text(json.dumps(result))
    assert "unused: the data set has a validation split" in run_page(folder)


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [400, 800, 1280])
def test_a_browser_renders_it_without_errors_and_nothing_off_screen(
    folder: Path, tmp_path: Path, width: int
):
    check = "<script>if (document.body.scrollWidth > innerWidth) console.error('wide')</script>"
    (folder / "page.html").write_text(run_page(folder) + check, encoding="utf-8")
    shot = tmp_path / "shot.png"
    ran = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync",
            "--disable-background-networking", "--no-first-run", "--disable-component-update",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'browser'}",
            f"--window-size={width},1500", f"--screenshot={shot}",
            (folder / "page.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ":CONSOLE" not in ran.stderr
    with Image.open(shot) as picture:
        reds = int((np.asarray(picture.convert("RGB")) == (255, 0, 0)).all(axis=2).sum())
    assert reds >= 2 * 30 * 20


def test_a_run_that_learnt_nothing_says_so_first(folder: Path):
    assert "Warning" not in run_page(folder)
    warning = "seed 3 learnt nothing: every output of relu_2 is 0"
    (folder / "result.json").write_text(json.dumps({**RESULT, "warnings": [warning]}))
    text = run_page(folder)
    assert text.index(f"Warning: {warning}.") < text.index("test accuracy</span>")
