"""The page of a run: self-contained, true to the saved results, and rendered by a browser."""

import base64
import io
import json
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
from ffnn_jax.reporting import run_page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
CONFUSION = [[8, 2, 0], [0, 10, 0], [1, 4, 5]]
RESULT: dict[str, Any] = {
    "dataset": "mnist_5k", "seeds": [3, 4], "best_seed": 4, "class_names": ["cat", "<dog>", "eel"],
    "test_accuracy": [0.5, 0.52], "validation_accuracy": [0.6, 0.6], "train_accuracy": [0.9, 1.0],
    "parameters": 14682, "train_seconds": 4.25, "images_per_second": 11234.5, "compile_seconds": 2,
    "confusion": [[[1, 0, 0]] * 3, CONFUSION], "device": {"platform": "cpu", "cpu_cores": 2},
    "versions": {"jax": "1.2.3"}, "data_sha256": {"mnist_5k/train": "abc"},
    "parameters_sha256": ["aa", "bb"],
    "network": {"headings": ["Layer", "Layer type"], "rows": [["1", "Input"], ["2", "5×5"]]},
}  # fmt: skip


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
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_renders_it_without_errors(folder: Path, tmp_path: Path, width: int):
    (folder / "page.html").write_text(run_page(folder), encoding="utf-8")
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
