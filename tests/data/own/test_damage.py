"""Damaged and odd files among good ones: each is named in a line, and the others are kept."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import UserError
from ffnn_jax.data import load
from tests.data.own.pictures import numbered, write_classes


def huge_png() -> bytes:
    """The header of a picture of 30,000 x 30,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    ended = b"\0\0\0\rIHDR"[:4] + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + ended


def make_odd(folder: Path) -> tuple[set[str], set[str]]:
    """Writes twelve odd files; returns the names of those that are damaged, and of the others."""
    Image.fromarray(numbered(1, 40, 50)).save(folder / "good.jpg")
    good = (folder / "good.jpg").read_bytes()
    png = next(folder.glob("*.png")).read_bytes()
    damaged = {
        "empty.png": b"", "text.png": b"This is text.", "truncated.jpg": good[: len(good) // 2],
        "half.png": png[: len(png) - 30], "bomb.png": huge_png(), "zeros.jpg": bytes(1000),
    }  # fmt: skip
    for name, content in damaged.items():
        (folder / name).write_bytes(content)
    (folder / "good.jpg").unlink()
    image = Image.fromarray(numbered(2))
    image.quantize().save(folder / "palette.gif")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.convert("RGBA").save(folder / "transparent.png")
    Image.fromarray(numbered(3)[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.save(folder / "animated.gif", save_all=True, append_images=[image.rotate(180)])
    Image.fromarray(numbered(4)).save(folder / "upper.PNG")
    odd = {"palette.gif", "cmyk.jpg", "transparent.png", "deep.png", "animated.gif", "upper.PNG"}
    return set(damaged), odd


@pytest.mark.parametrize("count", [30, pytest.param(9_988, marks=pytest.mark.slow)])
def test_each_damaged_file_is_named_and_all_others_are_kept(tmp_path: Path, count: int):
    write_classes(tmp_path / "set", {"cat": count // 2, "dog": count // 2})
    damaged, odd = make_odd(tmp_path / "set" / "cat")
    assert len(damaged | odd) == 12
    with pytest.raises(UserError) as caught:
        load(str(tmp_path / "set"), "train")
    first, *lines = str(caught.value).splitlines()
    assert f"6 of {count + 12:,} pictures cannot be read; --skip-damaged" in first
    assert {Path(line.partition(":")[0]).name for line in lines} == damaged
    dataset = load(str(tmp_path / "set"), "all", skip_damaged=True)
    assert len(dataset) == count + len(odd)
    said = [remark for remark in dataset.remarks if any(name in remark for name in damaged)]
    assert len(said) == len(damaged)
    assert len({image.tobytes() for image in dataset.images}) >= count


def test_where_no_picture_can_be_read_that_is_said(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 3})
    for file in (tmp_path / "set" / "cat").iterdir():
        file.write_bytes(b"no picture" + file.name.encode())
    with pytest.raises(UserError, match="train has no images, of 3 files none can be read"):
        load(str(tmp_path / "set"), "train", skip_damaged=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path):
    write_classes(tmp_path / "set", {"cat": 20})
    os.mkfifo(tmp_path / "set" / "cat" / "pipe.png")
    with pytest.raises(UserError, match=r"1 of 21 pictures cannot be read"):
        load(str(tmp_path / "set"), "train")
