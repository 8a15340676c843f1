import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import own_pictures
from ffnn_jax.data import Dataset, load


def test_the_quick_setting_decodes_both_kinds_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    monkeypatch.setattr(
        own_pictures,
        "load",
        lambda name, split, **options: (
            own_pictures_of(noise) if name == "cifar10" else load(name, split, **options)
        ),
    )
    own_pictures.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "own_pictures.json").read_text())
    assert {kind: row["pictures"] for kind, row in result["rows"].items()} == {
        "png": 20,
        "jpeg": 20,
    }
    assert all(len(row["ratios"]) == 5 for row in result["rows"].values())


def own_pictures_of(images: np.ndarray) -> Dataset:
    labels = np.arange(len(images), dtype=np.int32) % 2
    return Dataset("cifar10/train", images, labels, ("cat", "dog"))


def test_the_loop_decodes_what_is_decoded_into_the_cache(tmp_path: Path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "set" / "a" / "0.jpg")
    for number in (1, 2, 3):
        Image.fromarray(pixels + np.uint8(number)).save(tmp_path / "set" / "a" / f"{number}.jpg")
    images = load(str(tmp_path / "set"), "all", size=16).images
    decoded = own_pictures._decoded(tmp_path / "set" / "a" / "0.jpg", 16)
    assert any((image == decoded).all() for image in images)
