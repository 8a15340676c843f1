"""Which forms a run takes: shipped for its processor, timed on it, or recorded."""

import dataclasses
import json
import re

import jax
import numpy as np
import pytest

from ffnn_jax._processor import Processor
from ffnn_jax.config import UserError, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.layers.fast import TABLES, kind_of
from ffnn_jax.nn import Conv, Dense
from ffnn_jax.runs import (
    CheckpointManager,
    _forms,
    compute,
    forms_here,
    last_checkpoint,
    plan,
    resumed_settings,
    write_config,
)

NATIVE = tuple((f"{part} 9 1-4", "native") for part in ("forward", "images", "kernels"))
LAYERS = (Conv(3, 3), Dense(2))


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """The file of a table timed on this processor, not there yet."""
    path = tmp_path / "forms.json"
    monkeypatch.setattr(_forms, "timed_forms_path", lambda: path)
    return path


@pytest.fixture
def on_cpu(monkeypatch):
    """Forms are chosen as on a CPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")


def splits() -> Splits:
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8)
    labels = np.arange(40, dtype=np.int32) % 2
    return Splits(*(Dataset(name, images, labels, ("a", "b")) for name in "abc"))


def settings(**changes):
    base = preset("quickstart")
    given = {"layers": LAYERS, "train_images": None, "batch_size": 8, "steps": 3, "seeds": 1}
    return dataclasses.replace(base, **{**given, **changes})


@pytest.mark.parametrize(
    ("name", "features", "kind"),
    [("AMD EPYC 9R14", (), "amd-epyc"), ("Intel(R) Xeon(R)", ("amx_tile",), "intel-xeon-amx"),
     ("Intel(R) Xeon(R)", ("avx2",), ""), ("Apple M3", (), "")],
)  # fmt: skip
def test_the_kind_of_a_processor_selects_its_shipped_table(
    name, features, kind, timed, on_cpu, monkeypatch
):
    chip = Processor(name, features)
    assert kind_of(chip) == kind
    monkeypatch.setattr(_forms, "processor", lambda: chip)
    assert forms_here() == TABLES.get(kind, ())


def test_a_table_timed_here_precedes_the_shipped_one(timed, on_cpu):
    timed.write_text(json.dumps(dict(NATIVE)))
    assert forms_here() == NATIVE


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '{"forward 9 1-4": "fastest"}', '{"nonsense": "rows"}', '{"micro-batch": 8}'],
)
def test_a_damaged_table_is_named_with_a_remedy(text, timed, on_cpu):
    timed.write_text(text)
    with pytest.raises(UserError, match=f"^{re.escape(str(timed))}: .*; remove it, or time"):
        forms_here()


@pytest.mark.parametrize(
    "pair",
    [("forward 9 1-4", "fastest"), ("forward 9 1-5", "rows"), ("accelerator", "rows"),
     ("micro-batch", "0"), ("micro-batch", "9" * 5000), ("micro-batch", 32), ("", "rows")],
)  # fmt: skip
def test_settings_reject_an_unknown_class_or_form(pair):
    with pytest.raises(UserError, match=r'^forms must be .*; classes such as "forward 9 4-16", or'):
        settings(forms=(pair,))


def test_another_device_than_a_cpu_needs_no_table(timed, monkeypatch):
    timed.write_text(json.dumps(dict(NATIVE)))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert forms_here() == forms_here(one_program=False) == ()


def test_one_program_for_many_seeds_takes_matrix_products_on_another_device(timed, monkeypatch):
    table = (("accelerator", "im2col"),)
    assert forms_here(one_program=True) == forms_here() != table
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert forms_here(one_program=True) == table
    for seeds, chosen in ((1, ()), (3, table)):
        assert plan(settings(seeds=seeds), splits()).settings.forms == chosen
    assert plan(settings(seeds=3, forms=()), splits()).settings.forms == ()


def test_a_plan_records_the_forms_it_chose_and_keeps_those_that_were_named(timed, on_cpu):
    timed.write_text(json.dumps(dict(NATIVE)))
    assert plan(settings(), splits()).settings.forms == NATIVE
    assert plan(settings(forms=()), splits()).settings.forms == ()


@pytest.mark.cpu
def test_a_run_computes_with_the_forms_that_its_settings_name(timed):
    """Rounding tells which: XLA's own convolution sums in another order."""
    results = {}
    for forms in ((), NATIVE):
        result = compute(settings(forms=forms), splits())
        assert result.settings.forms == forms
        results[forms] = result.models[0]
    first, second = results.values()
    assert first.parameters_sha256 != second.parameters_sha256
    leaves = zip(*(jax.tree.leaves(model.params) for model in results.values()), strict=True)
    for one, other in leaves:
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_resumed_run_takes_the_recorded_forms_whatever_this_machine_would_choose_now(
    timed, tmp_path
):
    short = settings(forms=NATIVE)
    write_config(tmp_path / "run", short)
    compute(short, splits(), CheckpointManager(tmp_path / "run"))
    timed.write_text(json.dumps({NATIVE[0][0]: "im2col"}))
    start = last_checkpoint(tmp_path / "run")
    longer = resumed_settings(tmp_path / "run", start, 6)
    assert longer.forms == NATIVE
    resumed = compute(longer, splits(), CheckpointManager(tmp_path / "run", start=start))
    whole = compute(dataclasses.replace(short, steps=6), splits())
    assert resumed.models[0].parameters_sha256 == whole.models[0].parameters_sha256
