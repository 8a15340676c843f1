"""Every rule has a row, a variant that differs is not timed, and losses are not hidden."""

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from experiments._results import RESULTS, read_result
from experiments.against_autodiff import __main__ as experiment
from experiments.against_autodiff import _measure, against_autodiff_page, fused_line, gains
from experiments.against_autodiff._calls import Call
from experiments.against_autodiff._page import AIMS, outcome
from experiments.against_autodiff._row import Row
from experiments.against_autodiff._rows import ROWS
from experiments.against_autodiff._torch_calls import channels_first, channels_last
from ffnn_jax._processor import core_numbers
from ffnn_jax.catalogue import OP_SPECS
from ffnn_jax.config import UserError

FEW = _measure.Setting(seconds=0, least=2, batch=2)


@pytest.fixture(autouse=True)
def as_users_write() -> Iterator[None]:
    """The usual forms promote and broadcast silently."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def test_every_operation_of_the_catalogue_has_a_row():
    assert {spec.name for spec in OP_SPECS} == {row.name for row in ROWS.values()}


def test_every_row_has_a_jax_form_and_every_aim_a_row():
    assert all(row.forms for row in ROWS.values())
    assert set(AIMS) < set(ROWS)
    assert set(experiment._QUICK) < set(ROWS)


def test_the_stored_result_has_every_row_on_one_core_and_on_two():
    rows = read_result(RESULTS / "against_autodiff.json")["rows"]
    assert list(rows) == list(ROWS)
    for title, row in rows.items():
        assert set(row["times"]) == {"1 core", "2 cores"}
        assert row["shapes"] == ROWS[title].shapes
        for times in row["times"].values():
            assert list(times) == list(_measure.DTYPES)
            assert all(one["laps"] >= 5 for variants in times.values() for one in variants.values())


def test_a_row_is_timed_in_both_dtypes():
    for times in _measure.measured("scale", FEW).values():
        assert set(times) >= {"ours", "a product"}
        ours = times["ours"]
        assert ours["ratio_to_ours"] == 1
        low, high = ours["spread_ms"]
        assert 0 < ours["minimum_ms"] <= low <= ours["median_ms"] <= high
        assert ours["laps"] == 2
        assert ours["temporary_megabytes"] >= 0


@pytest.mark.parametrize("wrong", ["value", "cotangent"])
def test_a_variant_that_differs_is_not_timed(monkeypatch: pytest.MonkeyPatch, wrong: str):
    apart = 1e-3 if jax.default_backend() == "cpu" else 0.1  # where products may be inexact

    def form(x: Any, factor: Any) -> Any:
        z = x * factor
        return (1 + apart) * z if wrong == "value" else z + apart * (x - jax.lax.stop_gradient(x))

    row = ROWS["scale"]
    changed = Row(row.operation, row.arguments, {"wrong": form}, None)
    monkeypatch.setitem(_measure.ROWS, "scale", changed)
    with pytest.raises(UserError, match=r"scale: wrong differs from ours by .* array"):
        _measure.measured("scale", FEW)


def test_only_what_may_be_fastest_is_timed_on():
    first = {"a": 1.0, "b": 1.9, "c": 2.1}
    assert _measure._hopeful(["a", "b", "c"], first) == ["a", "b"]
    assert _measure._hopeful([], first) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # warnings of PyTorch are not ours
@pytest.mark.parametrize("title", ROWS)
def test_all_variants_of_a_row_agree(title: str):
    row = ROWS[title]
    arrays = row.draw(2)
    calls = {name: Call(form, arrays, "float32") for name, form in row.forms.items()}
    calls |= {"ours": Call(row.ours, arrays, "float32")}
    torch = _measure.torch_calls(row, arrays, "float32", 1)
    _measure.require_agreement(title, {name: c.results() for name, c in {**calls, **torch}.items()})
    assert bool(torch) == bool(row.torch and importlib.util.find_spec("torch"))


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3), (2, 5, 7, 3)])
@pytest.mark.parametrize("batched", [True, False])
def test_channels_come_first_for_torch_and_last_again(shape: tuple[int, ...], batched: bool):
    array = np.arange(float(np.prod(shape))).reshape(shape)
    first = channels_first(array, batched)
    np.testing.assert_array_equal(channels_last(first, batched), array)
    if len(shape) == 4:
        assert first.shape == ((2, 3, 5, 7) if batched else (3, 7, 2, 5))


def test_a_process_starts_on_the_cores_and_with_the_threads_of_its_column(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = core_numbers()
    with experiment.bound_to(before[:1]):
        assert core_numbers() == before[:1]
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert core_numbers() == before
    assert "OMP_NUM_THREADS" not in os.environ


def test_rows_are_chosen_by_parts_of_their_titles():
    assert experiment.chosen(("depthwise", "relu6"), False) == ["conv2d, 3 × 3, depthwise", "relu6"]
    assert len(experiment.chosen((), quick=True)) == 3
    with pytest.raises(UserError, match="no row is named nothing"):
        experiment.chosen(("nothing",), False)


def row_of(usual: float, other: float, torch: float | None) -> dict[str, Any]:
    """A row whose two JAX forms and PyTorch take so many times as long as ours."""

    def variant(ratio: float, megabytes: float | None) -> dict[str, Any]:
        return {
            "median_ms": 2 * ratio, "ratio_to_ours": ratio, "temporary_megabytes": megabytes,
        }  # fmt: skip

    times = {"ours": variant(1, 3), "usual": variant(usual, 6), "other": variant(other, 1)}
    if torch:
        times |= {"torch": variant(torch, None), "torch, channels last": variant(8, None)}
    column = {"float32": times, "bfloat16": times}
    shapes = "2 × 3; 4"
    return {"operation": "f", "shapes": shapes, "times": {"1 core": column, "2 cores": column}}


def result_of(**rows: dict[str, Any]) -> dict[str, Any]:
    return {"processor": "a processor", "on": "cpu", "rows": rows}


def test_wins_ties_and_losses_are_counted_and_all_in_the_table():
    win, tie, loss = row_of(9, 2, 0.5), row_of(1.04, 9, None), row_of(0.9, 9, 1)
    page = against_autodiff_page(result_of(f=win, g=tie, h=tie, i=loss))
    assert "Of 4 rows" in page
    assert page.count("1 win, 2 tie, 1 lose") == 4
    ratios = " | ".join(["2.00"] * 4)
    assert f"| f | 2 × 3; 4 | other | 2.00 | {ratios} | 3.0 / 1.0 | 0.50 | 0.50 |" in page
    assert re.search(r"\| g .* – \| – \|", page)
    assert re.search(r"\| i \| .* 0\.90 ", page)


@pytest.mark.parametrize(
    ("ratio", "word"), [(1.06, "win"), (1.05, "tie"), (0.95, "tie"), (0.94, "loss")]
)
def test_a_tie_is_within_5_percent(ratio: float, word: str):
    assert outcome(ratio) == word


@pytest.mark.parametrize(("ratio", "verdict"), [(5.0, "reached"), (4.9, "not reached")])
def test_an_aim_that_is_missed_is_said_and_so_is_a_faster_form(ratio: float, verdict: str):
    title = "max_pool, 3 × 3, stride 2"
    result = result_of(**{title: row_of(ratio, 3, 1)})
    line = f"- **Overlapping max pooling: {ratio} times as fast as `usual`, with 0.5 times its"
    rest = f"temporary memory** (aim 5: {verdict}); 3.0 times as fast as `other`.\n"
    assert f"{line} {rest}" in against_autodiff_page(result)
    table = gains(result)
    assert f"| `{title}`, 2 × 3 | 2.0 | `usual` | {ratio} | {ratio} |\n" in table
    assert "|  |  | `other` | 3.0 | 3.0 |\n" in table


def test_more_memory_than_aimed_at_is_a_missed_aim():
    title, row = "conv2d, 3 × 3, depthwise", row_of(3, 9, 1)
    row["times"]["1 core"]["float32"]["ours"]["temporary_megabytes"] = 13
    page = against_autodiff_page(result_of(**{title: row}))
    assert "(aim 2, at most 2 times the memory: not reached).\n" in page


def test_what_fusing_a_norm_and_its_activation_gains_is_quoted():
    rows = [{"activation": "relu", "cores": n, "gain": [0.8, 0.9 + n / 10, 1.2]} for n in (1, 2)]
    assert "with relu: 1.00 on 1 core and 1.10 on 2 cores (" in fused_line({"rows": rows})


@pytest.mark.slow
def test_the_quick_setting_stores_three_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(experiment.__file__).parents[2]))
    experiment.main(quick=True)
    folder = tmp_path / "runs" / "quick"
    result = json.loads((folder / "against_autodiff.json").read_text())
    assert set(result["rows"]) == set(experiment._QUICK)
    assert "relu" in (folder / "against_autodiff.md").read_text()
