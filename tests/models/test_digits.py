"""Digits are found whatever lies about them; several are read one by one; doubts are said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ffnn_jax.config import UserError
from ffnn_jax.models import PreparedPicture, _digits, prepare_picture, prepare_pictures

GREY = (28, 28, 1)


def seven(image: Image.Image, x: int = 100, y: int = 60, ink: str = "#222222") -> Image.Image:
    points = [(x, y), (x + 80, y), (x + 35, y + 120)]
    ImageDraw.Draw(image).line(points, fill=ink, width=10)
    return image


def page() -> Image.Image:
    return Image.new("RGB", (300, 240), "#eeeeee")


def prepared(folder: Path, image: Image.Image) -> list[PreparedPicture]:
    image.save(folder / "a.png")
    return prepare_pictures(folder / "a.png", GREY, digits=True)


def dot(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).ellipse([15, 15, 27, 27], fill="#222222")
    return image


def line(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).line([(0, 118), (300, 122)], fill="#222222", width=3)
    return image


def box(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle([80, 40, 200, 200], outline="#222222", width=3)
    return image


def shadow(image: Image.Image) -> Image.Image:
    light = np.where(np.arange(300) < 140, 1.0, 0.5)
    return Image.fromarray((np.asarray(image) * light[None, :, None]).astype(np.uint8))


def vignette(image: Image.Image) -> Image.Image:
    y, x = np.mgrid[-1:1:240j, -1:1:300j]
    return Image.fromarray((np.asarray(image) / (1 + x**2 + y**2)[..., None]).astype(np.uint8))


def noise(image: Image.Image) -> Image.Image:
    grain = np.random.default_rng(0).normal(0, 20, (240, 300, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def desk(image: Image.Image, colour: str) -> Image.Image:
    grain = 1 + 0.1 * np.sin(np.mgrid[0:40:380j, 0:9:450j].sum(axis=0))[..., None]
    plain = np.asarray(Image.new("RGB", (450, 380), colour))
    whole = Image.fromarray(np.clip(plain * grain, 0, 255).astype(np.uint8))
    turned = image.rotate(4, expand=True)
    whole.paste(turned, (60, 50), Image.new("L", image.size, 255).rotate(4, expand=True))
    return whole


ADDED = {
    "a dot": dot, "a ruled line": line, "a box": box, "a hard shadow": shadow,
    "a vignette": vignette, "noise": noise, "a dark desk": lambda image: desk(image, "#332211"),
    "a light desk": lambda image: desk(image, "#b09a80"),
    "a desk lighter than the sheet": lambda image: desk(
        image.point(lambda value: int(0.75 * value)), "#dcd8d0"),
    "a fold at the edge": lambda image: ImageDraw.Draw(image).line(
        [(0, 0), (60, 240)], fill="#555555", width=4) or image,
}  # fmt: skip


@pytest.mark.parametrize("added", ADDED)
def test_one_thing_added_leaves_the_digit_as_it_was(tmp_path: Path, added: str):
    (alone,) = prepared(tmp_path, seven(page()))
    (found,) = prepared(tmp_path, ADDED[added](seven(page())))
    apart = np.abs(alone.pixels.astype(float) - found.pixels).mean()
    assert apart < (20 if "desk" in added else 8), found.steps


def test_the_background_of_a_turned_picture_is_the_background_turned():
    grey = np.random.default_rng(0).uniform(0.2, 1, (60, 64))
    grey[20:24, 20:40] = grey[40:, 44:] = 0.1
    upright = _digits._background(grey)
    for turn in (np.flipud, np.fliplr):
        np.testing.assert_array_equal(_digits._background(turn(grey)), turn(upright))
    assert upright[22, 30] > 0.15  # a stroke is filled
    assert upright[-1, -1] == 0.1  # what holds a disc is not


def test_several_digits_are_found_from_left_to_right_with_their_boxes(tmp_path: Path):
    image = page()
    ImageDraw.Draw(image).ellipse([20, 60, 90, 180], outline="#222222", width=10)
    left, right = prepared(tmp_path, seven(image, x=150))
    assert left.box == pytest.approx((20, 60, 91, 181), abs=3)
    assert right.box == pytest.approx((146, 55, 235, 182), abs=6)
    assert left.pixels[14, 14, 0] == 0


def test_a_second_row_is_read_after_the_first(tmp_path: Path):
    image = Image.new("L", (300, 400), 240).convert("RGB")
    boxes = [one.box for one in prepared(tmp_path, seven(seven(image, 40, 230), 160, 30))]
    assert [box and box[1] > 200 for box in boxes] == [False, True]


def test_digits_of_a_row_may_differ_in_height(tmp_path: Path):
    image = Image.new("L", (300, 300), 240)
    pen = ImageDraw.Draw(image)
    pen.ellipse([200, 110, 260, 200], outline=0, width=7)
    pen.ellipse([40, 150, 80, 200], outline=0, width=7)
    small, tall = prepared(tmp_path, image.convert("RGB"))
    assert small.box and tall.box and small.box[0] < 100 < tall.box[0]


@pytest.mark.parametrize("grey", [0, 120])
def test_cells_of_a_form_are_frames(tmp_path: Path, grey: int):
    image = Image.new("L", (460, 180), 250)
    pen = ImageDraw.Draw(image)
    for column in range(3):
        pen.rectangle([20 + 140 * column, 20, 160 + 140 * column, 160], outline=grey, width=3)
        seven(image, 50 + 140 * column, 35, "#222222")
    found = prepared(tmp_path, image.convert("RGB"))
    assert [one.warning for one in found] == [None] * 3
    assert all("frame removed" in one.steps for one in found)


def test_ruled_lines_are_no_reason_to_doubt_a_digit(tmp_path: Path):
    image = Image.new("L", (800, 400), 250)
    for y in range(45, 400, 55):
        ImageDraw.Draw(image).line([(0, y), (800, y)], fill=60, width=4)
    (found,) = prepared(tmp_path, seven(image.convert("RGB"), 300, 120))
    assert found.warning is None


@pytest.mark.parametrize(("thickness", "kept"), [(4, False), (5, True)])
def test_a_line_is_removed_where_it_is_at_most_half_as_thick_again(thickness: int, kept: bool):
    mask = np.zeros((60, 200), bool)
    mask[30:32] = True  # 2 pixels thick, so up to 1.5 * 2 + 1 = 4 are removed
    mask[30 : 30 + thickness, 100:110] = True
    left = _digits._without_lines(mask)
    assert left[30, 105] == kept
    assert not left[:, :90].any()


@pytest.mark.parametrize(
    ("width", "share", "error"),
    [(1, 0.12, 2.5), (6, 6 / 48, 1.5), (20, 0.2, 4.5)],
)
def test_a_stroke_is_drawn_between_the_least_and_the_greatest_thickness(
    width: int, share: float, error: float
):
    mask = np.zeros((60, 60), bool)
    mask[6:54, 20 : 20 + width] = True
    box = (slice(6, 54), slice(20, 20 + width))
    drawn = _digits._drawn(mask, box).ink
    assert drawn[drawn.shape[0] // 2].sum() == pytest.approx(48 * share, abs=error)


def test_colours_as_bright_as_the_paper_are_as_bright_as_it():
    colours = np.array([[[0.5, 0.5, 0.5], [0.9, 0.3, 0.48]]])
    np.testing.assert_allclose(colours @ _digits._LUMA, 0.5, atol=1e-3)


def test_a_loose_bar_belongs_to_its_digit(tmp_path: Path):
    image = page()
    pen = ImageDraw.Draw(image)
    pen.line([(120, 75), (118, 120), (170, 130), (165, 180), (115, 180)], fill="black", width=9)
    pen.line([(122, 58), (175, 56)], fill="black", width=9)
    (five,) = prepared(tmp_path, image)
    assert five.box == pytest.approx((113, 51, 177, 186), abs=6)


@pytest.mark.parametrize("width", [2, 5, 12])
def test_strokes_become_as_thick_as_those_of_mnist(tmp_path: Path, width: int):
    image = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(image).ellipse([40, 30, 160, 170], outline=0, width=width)
    (zero,) = prepared(tmp_path, image)
    ink = zero.pixels[zero.pixels > 0].astype(float).sum() / 255
    assert 80 < ink < 160


def test_what_may_be_no_digit_is_said(tmp_path: Path):
    faint = seven(Image.new("RGB", (300, 240), "#eeeeee"), ink="#d4d4d4")
    assert prepared(tmp_path, faint)[0].warning == "the ink is faint"
    wide = page()
    ImageDraw.Draw(wide).line([(50, 130), (90, 90), (130, 130), (220, 90)], fill=0, width=8)
    assert "perhaps several that touch" in str(prepared(tmp_path, wide)[0].warning)
    cut = seven(page(), x=100, y=140)
    assert "edge" in str(prepared(tmp_path, cut)[0].warning)


def test_an_empty_page_shows_no_digit(tmp_path: Path):
    for image in (page(), noise(page()), vignette(page()), shadow(page())):
        image.save(tmp_path / "a.png")
        with pytest.raises(UserError, match="shows no digit: "):
            prepare_picture(tmp_path / "a.png", GREY, digits=True)


def test_a_photograph_of_something_else_is_doubted(tmp_path: Path):
    generator = np.random.default_rng(1)
    texture = Image.fromarray(generator.integers(0, 256, (60, 80, 3), np.uint8))
    texture = texture.resize((400, 300), Image.Resampling.BICUBIC).filter(ImageFilter.BoxBlur(2))
    texture.save(tmp_path / "a.png")
    try:
        warned = all(one.warning for one in prepare_pictures(tmp_path / "a.png", GREY, digits=True))
    except UserError:
        warned = True
    assert warned
