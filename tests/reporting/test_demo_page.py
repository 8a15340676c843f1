"""The demo page: one file that loads nothing, renders at every width, and can be used by keys."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffnn_jax.reporting import demo_page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
NAMES = ["cat", "</script><b>dog", "eel"]

# Uses the page by its keys and buttons; what then is wrong is an error on the console.
CHECKS = """<script>
const area = document.getElementById("drawing"), expect = (holds, what) => {
  if (!holds) console.error(`not ${what}`);
};
const press = (keys) => keys.forEach((key) => {
  const event = new KeyboardEvent("keydown", { key, cancelable: true });
  area.dispatchEvent(event);
  expect(event.defaultPrevented, `kept from scrolling by ${key}`);
});
const inked = () => window.demo.state().pixels.filter((pixel) => pixel > 127).length;
expect(innerWidth === WIDTH, "of this width");
expect(document.documentElement.scrollWidth <= innerWidth, "as wide as the screen");
expect(getComputedStyle(area).touchAction === "none", "kept from scrolling by a finger");
expect(area.tabIndex === 0, "reached by the keyboard");
expect(performance.getEntriesByType("resource").length === 0, "self-contained");
expect(inked() === 0, "empty");
press([" ", ...Array(9).fill("ArrowDown"), " ", "ArrowRight", "ArrowRight", " ", "ArrowUp", " "]);
expect(drawing.strokes.length === 2 && inked() > 2, "drawn by keys");
document.getElementById("undo").click();
expect(drawing.strokes.length === 1 && inked() > 2, "without the last stroke");
press(["Backspace"]);
expect(inked() === 0, "without any stroke");
const point = (type, clientX, pointerId = 1) => area.dispatchEvent(
  new PointerEvent(type, { clientX, clientY: 200, pointerId, isPrimary: pointerId === 1 }));
point("pointerdown", 50);
area.focus();
for (const type of ["pointerdown", "pointermove", "pointerup"]) point(type, 60, 2);
for (const type of ["pointermove", "pointerup", "pointermove"]) point(type, 90);
expect(drawing.strokes.length === 1 && drawing.strokes[0].length === 2, "one finger's stroke");
document.querySelector("#samples button").click();
expect(window.demo.state().pixels.every((pixel) => pixel === 200), "the first sample");
document.getElementById("clear").click();
expect(inked() === 0, "cleared");
expect([...document.querySelectorAll("canvas")].every((canvas) =>
  canvas.closest("[aria-label]")), "named for who cannot see it");
const bars = [...document.querySelectorAll("#probabilities i")]
  .map((bar) => parseFloat(bar.style.width));
expect(Math.abs(bars.reduce((sum, bar) => sum + bar, 0) - 100) < 1e-6, "bars of 100 % in all");
console.error("checked");
</script>"""


def encoded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def model(channels: int = 1, **changes: Any) -> dict[str, Any]:
    """A network of 8 x 8 pixels, and one sample."""
    rng, image = np.random.default_rng(0), np.full((8, 8, channels), 200, np.uint8)
    conv = {
        "type": "Conv", "title": "Convolutional", "input": (8, 8, channels), "output": (8, 8, 20),
        "padding": "SAME", "stride": 1, "dilation": 1, "groups": 1, "size": 3,
        "arrays": {"w": encoded(rng.normal(0, 1, (3, 3, channels, 20)).astype("<f4"))},
    }  # fmt: skip
    dense = {
        "type": "Dense", "title": "Fully connected", "input": (8, 8, 20), "output": (3,),
        "units": 3, "arrays": {"w": encoded(rng.normal(0, 1, (1280, 3)).astype("<f4"))},
    }  # fmt: skip
    return {
        "shape": (8, 8, channels), "scale": [0.01] * channels, "mean": [0.5] * channels,
        "classes": NAMES, "parameters": 12345, "form": {"light_on_dark": True, "transposed": False},
        "samples": [(NAMES[1], encoded(image))], "layers": [conv, dense], **changes,
    }  # fmt: skip


class Page(HTMLParser):
    """The tags of a page, with their attributes, and its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)

    @property
    def ids(self) -> set[str | None]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}


def test_the_page_loads_nothing_and_forbids_it():
    text = demo_page("run", model())
    assert not re.search(r"https?://|@import|url\(|import\(|fetch\(", text)
    assert not any({"src", "href"} & attributes.keys() for _, attributes in Page(text).tags)
    assert "default-src 'none'" in text


def test_names_cannot_become_markup():
    page = Page(demo_page("<i>run", model()))
    assert len(page.scripts) == 2
    assert {"b", "i"} & {tag for tag, _ in page.tags} == {"b", "i"}
    assert json.loads(page.scripts[0])["classes"] == NAMES
    assert "<i>run" not in demo_page("<i>run", model())


def test_the_heading_has_the_parameters():
    assert "A network of 2 layers and 12,345 parameters" in demo_page("run", model())


@pytest.mark.parametrize(("channels", "drawn"), [(1, True), (3, False)])
def test_grey_images_are_drawn_and_colour_images_chosen(channels: int, drawn: bool):
    ids = Page(demo_page("run", model(channels))).ids
    assert ({"clear", "undo", "keys"} <= ids) is drawn
    assert ("file" in ids) is not drawn


def test_exchanged_rows_and_columns_are_said():
    said = "rows and columns are exchanged"
    form = {"light_on_dark": True, "transposed": True}
    assert said in demo_page("run", model(form=form))
    assert said not in demo_page("run", model())


def errors_in_browser(text: str, folder: Path, width: int) -> list[str]:
    """What the console of a browser says of a page in a frame: its windows have 500 pixels."""
    (folder / "demo.html").write_text(text, encoding="utf-8")
    frame = f'<iframe src="demo.html" style="border: 0; width: {width}px; height: 900px"></iframe>'
    (folder / "frame.html").write_text(frame)
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync",
        "--disable-background-networking", "--no-first-run", "--disable-component-update",
        "--enable-logging=stderr", f"--user-data-dir={folder / 'browser'}",
        "--window-size=1280,900", "--dump-dom", (folder / "frame.html").as_uri(),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return re.findall(r':CONSOLE.*?\] "(.*?)", source', ran.stderr)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_keys_and_buttons_draw_and_nothing_is_off_screen(tmp_path: Path, width: int):
    text = demo_page("run", model()) + CHECKS.replace("WIDTH", str(width))
    assert errors_in_browser(text, tmp_path, width) == ["checked"]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_a_page_of_colour_images_begins_with_the_first(tmp_path: Path):
    check = """<script>
    const { pixels, gradient } = window.demo.state();
    console.error(`${pixels.length} ${gradient.length} ${Math.min(...pixels)}`);
    </script>"""
    assert errors_in_browser(demo_page("run", model(3)) + check, tmp_path, 768) == ["192 192 200"]
    without = demo_page("run", model(3, samples=[])) + check
    assert errors_in_browser(without, tmp_path, 768) == ["192 192 0"]
