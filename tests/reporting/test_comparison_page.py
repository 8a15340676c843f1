"""The page of compared runs: self-contained, true to what was found, rendered by a browser."""

import base64
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import layers_to_json
from ffnn_jax.nn import Conv, Dense, ReLU
from ffnn_jax.reporting import (
    comparison_page,
    draw_runs,
    facts_rows,
    findings,
    run_facts,
    settings_rows,
)

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
RUN: dict[str, Any] = {
    "name": "wide-1", "folder": "runs/wide-1", "state": "finished", "steps": 300,
    "steps_in_all": 300, "preset": "wide", "dataset": "mnist_5k", "seeds": [0, 1],
    "test_accuracy": [0.5, 0.52], "validation_accuracy": [0.6, 0.6], "parameters": 14682,
    "train_seconds": 4.25, "images_per_second": 11234.5,
    "device": {"platform": "cpu", "kind": "cpu", "processor": "Chip 9"},
}  # fmt: skip
OPEN = dict.fromkeys(
    ("seeds", "test_accuracy", "validation_accuracy", "parameters", "train_seconds",
     "images_per_second", "device")
)  # fmt: skip
GOING = {**RUN, **OPEN, "name": "<b>narrow", "state": "going on", "steps": 100}
IMAGES: dict[str, Any] = {
    "model_seeds": (1, 4), "images": 1000, "right": (946, 913), "only": (42, 9), "p": 3.4e-6,
    "adjusted": 3.4e-6, "disagreements": 62,
    "classes": [("cat", 400, 390, 391), ("<dog>", 300, 290, 278), ("eel", 300, 266, 244)],
    "shown": [(7, "cat", "cat", "<dog>"), (8, "eel", "cat", "eel"), (9, "eel", "cat", "<dog>")],
}  # fmt: skip
SEEDS = {
    "seeds": [0, 1, 2], "difference": -0.031, "low": -0.0655, "high": 0.0035, "p": 0.061,
    "adjusted": 0.12,
}  # fmt: skip
PAIR = {"names": ("wide-1", "<b>narrow"), "images": IMAGES, "seeds": SEEDS, "notes": []}
SETTINGS = {
    "layers": [layers_to_json((Conv(8, 5), ReLU(), Dense(10))), [{"type": "Own", "size": 3}]],
    "learning_rate": [0.1, 0.05],
}  # fmt: skip
COMPARISON = {"runs": [RUN, GOING], "settings": SETTINGS, "pairs": [PAIR]}
PIXELS = [np.full((8, 8, 1), 40 * k, np.uint8) for k in range(3)]


def history(seeds: int, *steps: int, validated: bool = True) -> list[dict[str, Any]]:
    return [
        {"seed": seed, "step": step, "loss": 9 / step + seed, "accuracy": 0.5,
         "validation_accuracy": 1 - 9 / step if validated else None}
        for step in steps for seed in range(seeds)
    ]  # fmt: skip


HISTORIES = {"wide-1": history(2, 100, 200, 300), "<b>narrow": history(1, 100)}


def page(comparison: dict[str, Any] = COMPARISON) -> str:
    return comparison_page(comparison, HISTORIES, [PIXELS] * len(comparison["pairs"]))


def cells(text: str, heading: str) -> list[list[str]]:
    table = text.partition(f">{heading}</h")[2].partition("</table>")[0]
    rows = re.findall(r"(?s)<tr>.*?</tr>", table)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_facts_of_a_finished_run_and_of_one_that_goes_on():
    assert run_facts(RUN) == {
        "run": "wide-1", "preset": "wide", "data set": "mnist_5k", "state": "finished",
        "steps": "300", "test accuracy": "51.0 ± 1.4 %", "validation": "60.0 ± 0.0 %",
        "parameters": "14,682", "training time": "4.2 s", "images/s": "11,234", "device": "Chip 9",
    }  # fmt: skip
    going = run_facts(GOING)
    assert going.keys() == run_facts(RUN).keys()
    assert (going["steps"], going["test accuracy"], going["device"]) == ("100 of 300", "–", "–")


def test_layers_are_shown_as_one_writes_them_and_those_not_known_as_saved():
    assert settings_rows(COMPARISON) == [
        ["layers", "conv 8 5, relu, dense 10", "Own(size=3)"], ["learning rate", "0.1", "0.05"],
    ]  # fmt: skip


def test_what_is_a_fact_of_a_run_is_no_setting_too():
    facts = ("steps", "preset", "dataset")
    settings = {key: [1, 2] for key in facts} | {"seed": [3, 4]}
    assert settings_rows({**COMPARISON, "settings": settings}) == [["seed", "3", "4"]]
    rows = facts_rows([RUN, GOING])
    assert rows[0] == ["run", "wide-1", "<b>narrow"]
    assert facts_rows([RUN, GOING, GOING])[0] == ["run", "wide-1 (reference)", *2 * ["<b>narrow"]]
    assert ["steps", "300", "100 of 300"] in rows
    assert ["images/s", "11,234", "–"] in rows


def test_findings_say_who_won_and_by_which_test():
    assert findings(PAIR) == [
        "of 1,000 test images wide-1 has 946 right, <b>narrow has 913 right "
        "(best by validation: seed 1 of wide-1 and 4 of <b>narrow)",
        "only one is right: wide-1 alone on 42, <b>narrow alone on 9; "
        "McNemar's exact test p = 3.4e-06",
        "classes won by <b>narrow: cat (+1); lost: eel (-22), <dog> (-12); equal: 0",
        "images on which they disagree: 62",
        "test accuracy over 3 seeds: -3.10 points (95 % interval -6.55 to +0.35), "
        "paired t-test p = 0.061 (Holm-corrected: 0.12)",
    ]


def test_a_test_that_was_not_possible_is_explained_alone():
    assert findings({**PAIR, "images": None, "seeds": None, "notes": ["no test"]}) == ["no test"]


def test_of_many_classes_the_most_different_are_shown():
    classes = [(f"species {k}", 50, 20, 20 + k) for k in range(40)]
    pair = {**PAIR, "images": {**IMAGES, "classes": classes}}
    rows = cells(page({**COMPARISON, "pairs": [pair]}), "Classes")
    assert len(rows) == 1 + 25
    assert rows[1] == ["species 39", "50", "20", "59", "+39"]
    (won,) = (line for line in findings(pair) if line.startswith("classes won"))
    assert won.endswith(", species 34 (+34), 33 more; lost: none; equal: 1")


def test_the_page_has_each_number_and_loads_nothing():
    text = page()
    assert cells(text, "Classes")[2] == ["&lt;dog&gt;", "300", "290", "278", "-12"]
    assert cells(text, "Settings that differ")[2] == ["learning rate", "0.1", "0.05"]
    assert not re.search(r"""(src|href)="(?!data:|#)|@import|<script|url\((?!#)""", text)
    assert text.count('src="data:image/png;base64,') == 3
    assert "<b>narrow" not in text and "<dog>" not in text
    assert "default-src 'none'" in text


def test_who_is_right_is_marked_under_each_image():
    marks = re.findall(r'class="(right|wrong)" title="(.*?)">(.*?)<', page())
    assert [(mark, answer) for mark, _, answer in marks] == [
        ("right", "cat"), ("wrong", "&lt;dog&gt;"), ("wrong", "cat"), ("right", "eel"),
        ("wrong", "cat"), ("wrong", "&lt;dog&gt;"),
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_images_of_any_channels_are_shown(channels: int):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, channels), np.uint8)
    text = comparison_page({**COMPARISON, "pairs": [PAIR]}, HISTORIES, [[pixels] * 3])
    content = base64.b64decode(re.findall('data:image/png;base64,([^"]+)', text)[0])
    expected = pixels if channels == 3 else pixels[..., 0]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), expected)


def test_equal_settings_and_runs_without_any_test_leave_a_page():
    pair = {**PAIR, "images": None, "seeds": None, "notes": ["no test: <i>"]}
    text = comparison_page({**COMPARISON, "settings": {}, "pairs": [pair]}, HISTORIES, [[]])
    assert "<p>None.</p>" in text
    assert "<li>no test: &lt;i&gt;</li>" in text
    assert "Images on which" not in text


def test_curves_are_each_run_s_mean_over_its_seeds():
    left, right = draw_runs(HISTORIES).axes
    bold = {str(line.get_label()): line for line in left.lines if line.get_linewidth() > 1}
    assert list(bold) == ["wide-1, mean of 2", "<b>narrow"]
    mean = np.asarray(bold["wide-1, mean of 2"].get_ydata(), float)
    np.testing.assert_allclose(mean, [0.59, 0.545, 0.53])
    assert bold["<b>narrow"].get_marker() == "."  # a single point has no line
    assert len({line.get_color() for line in bold.values()}) == 2
    assert len([line for line in right.lines if line.get_linewidth() > 1]) == 2


def test_runs_without_records_or_validation_have_no_curve():
    left, right = draw_runs({"new": [], "other": history(1, 100, 200, validated=False)}).axes
    assert (len(left.lines), len(right.lines)) == (1, 0)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_browser_renders_it_without_errors_and_nothing_off_screen(tmp_path: Path, width: int):
    check = """<script>
    const expect = (holds, what) => { if (!holds) console.error(`not ${what}`); };
    expect(innerWidth === WIDTH, "of this width");
    expect(document.documentElement.scrollWidth <= innerWidth, "as wide as the screen");
    expect([...document.images].every((image) => image.naturalWidth === 8), "drawn");
    expect(document.querySelectorAll("svg path").length > 8, "with curves");
    console.error("checked");
    </script>""".replace("WIDTH", str(width))
    text = page().replace("default-src 'none'", "script-src 'unsafe-inline'")
    (tmp_path / "compare.html").write_text(text + check, encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        f'<iframe src="compare.html" style="border: 0; width: {width}px; height: 900px"></iframe>'
    )
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync",
        "--disable-background-networking", "--no-first-run", "--disable-component-update",
        "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'browser'}",
        "--window-size=1280,900", "--dump-dom", (tmp_path / "frame.html").as_uri(),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert re.findall(r':CONSOLE.*?\] "(.*?)", source', ran.stderr) == ["checked"]
