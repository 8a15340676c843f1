"""A run is resumed only with the settings that its checkpoint was written with."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ffnn_jax.config import UserError
from ffnn_jax.runs import _resumed

SETTINGS = {"steps": 10, "batch_size": 16, "seed": 3}


def checkpoint(folder: Path) -> Any:
    return SimpleNamespace(path=folder / "last.npz", about={"settings": SETTINGS})


def test_settings_that_were_changed_beside_the_checkpoint_are_named_with_both_values(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS | {"seed": 4}))
    with pytest.raises(UserError) as caught:
        _resumed._require_same_run(tmp_path, checkpoint(tmp_path))
    line = f"{tmp_path / 'last.npz'}: from another run: seed is 3, "
    assert str(caught.value) == f"{line}{tmp_path / 'config.json'} has 4"


@pytest.mark.parametrize("text", [json.dumps(SETTINGS | {"steps": 99}), "damaged", "3"])
def test_other_steps_and_a_damaged_file_are_no_obstacle(tmp_path, text: str):
    (tmp_path / "config.json").write_text(text)
    _resumed._require_same_run(tmp_path, checkpoint(tmp_path))
