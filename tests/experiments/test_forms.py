"""Forms are timed as whole results; a table takes what is clearly faster over a class."""

import json
from pathlib import Path
from typing import Any

import pytest

from experiments import forms
from experiments._forms_page import forms_page
from ffnn_jax.config import UserError
from ffnn_jax.layers.fast import TABLES
from ffnn_jax.runs import _environment


def row(name: str, form: str, ratio: float, **others: Any) -> dict[str, Any]:
    return {"class": name, "form": form, "ratio_to_usual": ratio, **others}


def test_a_table_takes_the_fastest_form_by_the_geometric_mean_of_a_class():
    rows = [row("a", "usual", 1.0), row("a", "rows", 4.0), row("a", "native", 1.5)]
    rows += [row("a", "usual", 1.0), row("a", "rows", 0.25), row("a", "native", 1.2)]
    assert forms.fastest(rows) == (("a", "native"),)


def test_a_table_leaves_out_what_is_not_clearly_faster():
    rows = [row("a", "usual", 1.0), row("a", "rows", 1.09), row("b", "usual", 1.0)]
    assert forms.fastest(rows) == ()


@pytest.mark.slow
def test_every_map_and_form_is_timed_and_the_table_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    used = tmp_path / "forms.json"
    monkeypatch.setattr(forms, "folder_for", lambda quick: tmp_path)
    monkeypatch.setattr(forms, "require_quiet", lambda: None)
    few = {"CONVOLUTIONS": forms.CONVOLUTIONS[:1], "_NETWORKS": ("mnist",), "_WIDE_NETWORKS": ()}
    for name, value in {**few, "_LAPS": 1}.items():
        monkeypatch.setattr(forms, name, value)
    for module in (forms, _environment):
        monkeypatch.setattr(module, "timed_forms_path", lambda: used)
    forms.main(use=True)
    (path,) = tmp_path.glob("forms-*.json")
    result = json.loads(path.read_text())
    timed = {(r["class"], r["form"]) for r in result["rows"]}
    assert len(timed) == len(result["rows"]) == 2 * 3 * 5 + 4
    assert json.loads(used.read_text()) == result["table"]
    assert _environment.forms_here() == tuple(result["table"].items())


def test_whole_steps_decide_no_class_and_are_on_the_page():
    step = {"network": "wide", "images": 32, "dtype": "float32"}
    rows = [row("micro-batch", "16", 1.0, network="mnist", ms=2.0)]
    rows += [row("whole step", "usual", 1.0, ms=30.0, **step)]
    rows += [row("whole step", "table", 1.25, ms=24.0, **step)]
    assert forms.fastest(rows) == ()
    page = forms_page({"some-chip": {"rows": rows}})
    assert "| wide, 32 | float32 | 30 | 24 | 1.25 |" in page


def test_a_quick_table_is_not_put_to_use():
    with pytest.raises(UserError, match=r"^--use: a table needs all convolutions"):
        forms.main(quick=True, use=True)


def test_the_page_marks_the_fastest_form_of_each_map():
    sizes = {"images": 4, "size": 5, "kernel": 3, "inputs": 6, "outputs": 7, "dtype": "float32"}
    rates = {"usual": 1.0, "im2col": 9.5, "rows": 3.0, "pairs": 2.0, "native": 4.0}
    rows = [row("kernels 9 16-16", f, 1.0, gflops=g, **sizes) for f, g in rates.items()]
    times = {"8": 2.0, "16": 1.5}.items()
    rows += [row("micro-batch", size, 1.0, network="mnist", ms=ms) for size, ms in times]
    page = forms_page({"some-chip": {"peak_gflops": 100.0, "rows": rows}})
    assert "| 4, 5, 3, 6 to 7 | float32 | kernels | 1 | **9.5** | 3 | 2 | 4 |" in page
    assert "| mnist | 2 | **1.5** |" in page


@pytest.mark.parametrize(("kind", "file"), [("amd-epyc", "amd"), ("intel-xeon-amx", "intel")])
def test_a_shipped_table_is_what_its_stored_timings_support(kind, file):
    """Each form was clearly faster than the usual one for some convolution of its class."""
    (path,) = Path(forms.__file__).parent.glob(f"results/forms-cpu-{file}-*.json")
    rows = json.loads(path.read_text())["rows"]
    for name, form in TABLES[kind]:
        ratios = [r["ratio_to_usual"] for r in rows if (r["class"], r["form"]) == (name, form)]
        assert max(ratios) > 1.1
