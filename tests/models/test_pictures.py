"""Pictures of any size and mode are converted to network inputs; bad files are reported."""

import io
import math
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image, ImageDraw

from ffnn_jax.config import UserError
from ffnn_jax.models import (
    ImageForm,
    Model,
    Prediction,
    _pictures,
    classifies_digits,
    picture_files,
    predict_files,
    prepare_picture,
)
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Dense

GREY, COLOUR = (28, 28, 1), (32, 32, 3)
DIGITS = tuple("0123456789")


def model(names: tuple[str, ...] = DIGITS, shape: Any = GREY) -> Model:
    network = Network((Dense(len(names)),), shape)
    channels = np.ones(shape[2], np.float32)
    return Model(
        network, *network.init(jax.random.key(0)), Normalisation(channels / 255, channels), names
    )


def seven(
    size: tuple[int, int] = (200, 150), ink: Any = "black", paper: Any = "white"
) -> Image.Image:
    """A seven in the upper left corner of a sheet."""
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    draw.line([(20, 20), (70, 20), (40, 90)], fill=ink, width=9)
    return image


def saved(folder: Path, image: Image.Image, name: str = "a.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def test_a_digit_is_cropped_to_its_ink_scaled_to_20_and_centred_by_mass(tmp_path: Path):
    prepared = prepare_picture(saved(tmp_path, seven()), GREY, digits=True)
    ink = prepared.pixels[..., 0].astype(float)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    for axis in (0, 1):
        centre = (ink.sum(axis=1 - axis) * np.arange(28)).sum() / ink.sum()
        assert abs(centre - 13.5) <= 0.5 + 1e-9
    assert ink.max() == 255


@pytest.mark.parametrize(
    ("ink", "paper"),
    [("black", "white"), ("white", "black"), ("navy", "ivory"), ("yellow", "navy")],
)
def test_ink_becomes_light_for_any_colours(tmp_path: Path, ink: str, paper: str):
    prepared = prepare_picture(saved(tmp_path, seven(ink=ink, paper=paper)), GREY, digits=True)
    expected = prepare_picture(saved(tmp_path, seven(), "b.png"), GREY, digits=True)
    assert np.abs(prepared.pixels.astype(int) - expected.pixels).max() <= 3
    dark = sum(Image.new("RGB", (1, 1), ink).getpixel((0, 0))) < 300  # type: ignore[arg-type]
    assert ("inverted (dark on light)" in prepared.steps) == dark


@pytest.mark.parametrize(("ink", "paper"), [("#ff0000", "#008200"), ("#0000ff", "#700000")])
def test_ink_as_light_as_its_paper_is_detected_by_its_colour(tmp_path: Path, ink: str, paper: str):
    prepared = prepare_picture(saved(tmp_path, seven(ink=ink, paper=paper)), GREY, digits=True)
    expected = prepare_picture(saved(tmp_path, seven(), "b.png"), GREY, digits=True)
    assert np.abs(prepared.pixels.astype(int) - expected.pixels).max() <= 3
    assert "detected by its colour" in prepared.steps


@pytest.mark.parametrize("width", [1, 2, 6])
@pytest.mark.parametrize(
    ("ink", "paper", "frame"),
    [("black", "white", "black"), ("black", "white", "grey"), ("white", "black", "white")],
)
def test_a_thin_frame_is_removed(tmp_path: Path, ink: str, paper: str, frame: str, width: int):
    framed = seven(ink=ink, paper=paper)
    ImageDraw.Draw(framed).rectangle((0, 0, 199, 149), outline=frame, width=width)
    prepared = prepare_picture(saved(tmp_path, framed), GREY, digits=True)
    expected = prepare_picture(
        saved(tmp_path, seven(ink=ink, paper=paper), "b.png"), GREY, digits=True
    )
    assert (prepared.pixels == expected.pixels).all()


def test_a_square_zero_is_not_a_frame(tmp_path: Path):
    image = Image.new("L", (100, 100), "white")
    ImageDraw.Draw(image).rectangle((3, 3, 96, 96), outline="black", width=9)
    prepared = prepare_picture(saved(tmp_path, image), GREY, digits=True)
    assert "frame removed" not in prepared.steps


def test_the_digit_s_position_and_the_sheet_s_size_do_not_matter(tmp_path: Path):
    sheet = Image.new("RGB", (640, 480), "white")
    sheet.paste(seven(), (400, 300))
    far = prepare_picture(saved(tmp_path, sheet), GREY, digits=True)
    near = prepare_picture(saved(tmp_path, seven(), "b.png"), GREY, digits=True)
    assert np.abs(far.pixels.astype(float) - near.pixels).mean() < 6


def test_a_plain_picture_is_cropped_to_its_middle_and_scaled(tmp_path: Path):
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    prepared = prepare_picture(saved(tmp_path, image), COLOUR, digits=False)
    assert (prepared.pixels == (0, 0, 255)).all()
    assert prepared.steps == (
        "300 x 100, RGB",
        "cropped to the middle 100 x 100",
        "scaled to 32 x 32",
    )


def test_a_picture_of_the_network_s_size_is_unchanged(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, COLOUR, np.uint8)
    prepared = prepare_picture(saved(tmp_path, Image.fromarray(pixels)), COLOUR, digits=False)
    assert (prepared.pixels == pixels).all()
    assert prepared.steps == ("32 x 32, RGB",)


def test_a_digit_is_scaled_to_a_network_of_another_size(tmp_path: Path):
    prepared = prepare_picture(saved(tmp_path, seven()), (14, 14, 1), digits=True)
    assert prepared.pixels.shape == (14, 14, 1)
    assert np.ptp(np.flatnonzero(prepared.pixels.any(axis=(1, 2)))) + 1 == 10


def in_mode(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(seven().convert("L"), np.uint16) * 257)
    if mode == "transparent":
        transparent = seven().convert("RGBA")
        transparent.putalpha(transparent.convert("L").point(lambda value: 255 - value))
        return transparent
    if mode == "white ink":
        ink = seven().convert("L").point(lambda value: 255 - value)
        white = Image.new("RGBA", ink.size, "white")
        white.putalpha(ink)
        return white
    if mode == "F":
        return Image.fromarray(np.asarray(seven().convert("L"), np.float32) / 255)
    return seven().convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("CMYK", "jpg"), ("RGBA", "png"), ("I;16", "png"), ("P", "png"), ("L", "png"), ("1", "png"),
     ("LA", "png"), ("transparent", "png"), ("RGB", "webp"), ("white ink", "png"), ("F", "tiff")],
)  # fmt: skip
def test_every_mode_gives_the_same_digit(tmp_path: Path, mode: str, suffix: str):
    prepared = prepare_picture(saved(tmp_path, in_mode(mode), f"a.{suffix}"), GREY, digits=True)
    expected = prepare_picture(saved(tmp_path, seven(), "b.png"), GREY, digits=True)
    difference = np.abs(prepared.pixels.astype(float) - expected.pixels)
    assert difference.mean() < 3


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path):
    other = Image.new("RGB", (200, 150), "white")
    path = saved(tmp_path, seven(), "a.gif", save_all=True, append_images=[other])
    prepared = prepare_picture(path, GREY, digits=True)
    assert "first frame" in prepared.steps


def test_a_picture_taken_sideways_is_rotated_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 270 degrees
    path = saved(tmp_path, seven().transpose(Image.Transpose.ROTATE_90), "a.png", exif=exif)
    expected = prepare_picture(saved(tmp_path, seven(), "b.png"), GREY, digits=True)
    assert (prepare_picture(path, GREY, digits=True).pixels == expected.pixels).all()


def bad_files(folder: Path) -> dict[str, str]:
    """Files that cannot be read, and their error messages."""
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)).save(
        whole, "PNG"
    )
    (folder / "cut.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("not a picture")
    saved(folder, Image.new("L", (1, 1), 77), "dot.png")
    saved(folder, Image.new("1", (20_000, 20_000)), "huge.png")
    saved(folder, Image.new("RGB", (50, 50), "white"), "blank.png")
    return {
        "cut.png": "cannot be read", "empty.png": "not a picture", "text.png": "not a picture",
        "dot.png": "shows no digit", "huge.png": "too large, at most 50,000,000 pixels",
        "blank.png": "shows no digit", "missing.png": "no such file",
    }  # fmt: skip


def test_bad_files_are_reported_and_the_others_still_predicted(tmp_path: Path):
    messages = bad_files(tmp_path)
    good = saved(tmp_path, seven(), "good.png")
    files = [*(tmp_path / name for name in messages), good]
    *bad, last = predict_files(model(), files)
    for prediction, (name, message) in zip(bad, messages.items(), strict=True):
        assert prediction.to_json()["label"] is None
        assert str(prediction.error).startswith(f"{tmp_path / name}: {message}")
    assert last.error is None
    assert last.label in DIGITS


@pytest.mark.parametrize("channels", [2, 4])
def test_pictures_are_not_for_a_model_of_other_channels(tmp_path: Path, channels: int):
    path = saved(tmp_path, seven())
    message = (
        rf"the model takes inputs \(8, 8, {channels}\), not pictures, which have 1 channel or 3"
    )
    with pytest.raises(UserError, match=message):
        predict_files(model(("a", "b"), (8, 8, channels)), [path])


def test_a_pipe_is_rejected_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png: not a file$"):
        prepare_picture(tmp_path / "pipe.png", GREY, digits=True)


def test_a_folder_s_pictures_are_sorted_by_name(tmp_path: Path):
    for name in ("b.png", "a.JPG", "notes.txt", "._b.png", ".hidden.png"):
        saved(tmp_path, seven(), name, format="PNG")
    files = picture_files([tmp_path, tmp_path / "other.png"])
    assert [path.name for path in files] == ["a.JPG", "b.png", "other.png"]


def test_a_folder_without_pictures_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match=r"a folder without pictures \(\.bmp, [^)]*\)$"):
        list(picture_files([tmp_path]))
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(UserError) as error:
        list(picture_files([tmp_path]))
    names = ", ".join(str(tmp_path / f"{number}.txt") for number in range(3))
    assert str(error.value).endswith(f"; 4 files are not named as pictures: {names}, ...")


@pytest.mark.parametrize(("most", "expected"), [(254, 254), (255, 255), (256, 1), (65535, 255)])
def test_integers_of_8_and_of_16_bits_are_told_apart(tmp_path: Path, most: int, expected: int):
    values = np.full((28, 28), most, np.int32)
    values[:, :14] = 0
    path = saved(tmp_path, Image.fromarray(values, "I"), "a.tif")
    pixels = prepare_picture(path, GREY, digits=False).pixels[..., 0]
    assert (pixels[:, :14] == 0).all() and (pixels[:, 14:] == expected).all()


def test_a_digit_whose_mass_is_at_one_side_stays_inside():
    ink = np.zeros((20, 20))
    ink[:, :2] = ink[10] = 1
    placed = _pictures._placed(ink, (0, 0, 20, 20), 1.0, GREY, ImageForm())
    assert np.flatnonzero(placed.pixels.any(axis=(0, 2))).tolist() == list(range(8, 28))


def test_a_doubt_is_said_of_a_prediction_below_six_tenths(tmp_path: Path):
    sure, unsure = (Prediction(tmp_path, (("3", share),)) for share in (0.6, 0.59))
    assert sure.warning is None
    assert unsure.warning == "the model is unsure: 3 59%"


def test_predictions_are_the_model_s_most_probable_first(tmp_path: Path):
    path = saved(tmp_path, seven())
    (prediction,) = predict_files(model(), [path], top=10)
    pixels = prepare_picture(path, GREY, digits=True).pixels
    (probabilities,) = model().probabilities(pixels[None])
    assert dict(prediction.top) == pytest.approx(
        {str(k): float(p) for k, p in enumerate(probabilities)}
    )
    assert [p for _, p in prediction.top] == sorted((p for _, p in prediction.top), reverse=True)
    assert math.isclose(sum(p for _, p in prediction.top), 1, rel_tol=1e-5)


def test_by_default_pictures_are_digits_if_the_classes_are(tmp_path: Path):
    assert classifies_digits(model())
    assert not classifies_digits(model(("cat", "dog")))
    assert not classifies_digits(model(DIGITS, COLOUR))
    path = saved(tmp_path, seven())
    plain, digit = (
        predict_files(model(), [path], digits=digits)[0].prepared for digits in (False, None)
    )
    assert plain is not None and digit is not None
    assert "centred by mass" in digit.steps
    assert "centred by mass" not in plain.steps


def test_paths_may_be_strings(tmp_path: Path):
    path = saved(tmp_path, seven())
    (text,), (same,) = predict_files(model(), [str(path)]), predict_files(model(), [path])
    assert text.top == same.top
    assert list(picture_files([str(tmp_path)])) == [path]


def test_a_single_path_instead_of_a_list_is_rejected():
    with pytest.raises(TypeError, match=r"files must be a list of paths, got 'a\.png'"):
        predict_files(Model.__new__(Model), "a.png")
