"""Figures over many seeds show the numbers of the results."""

from typing import Any

import numpy as np
import pytest

from experiments._figures import draw_cost, draw_forest

ROWS = {
    "a": {"test_accuracy": [0.5, 0.52, 0.54], "report": 0.48, "seeds": [0, 1, 2],
          "training_flops": 2e12, "parameters": 5000},
    "3": {"test_accuracy": [0.6, 0.6, 0.63], "report": None, "seeds": [0, 1, 2],
          "training_flops": 1e12, "parameters": 7000},
}  # fmt: skip


def test_a_forest_plot_has_every_seed_the_mean_its_interval_and_the_report():
    (axes,) = draw_forest(ROWS, {"a": "model a", "3": "model 3"}, "Title").axes
    drawn = {line.get_marker(): [] for line in axes.lines}
    for line in axes.lines:
        drawn[line.get_marker()].append(np.asarray(line.get_xdata(), float))
    assert [sorted(xs) for xs in drawn["|"][:2]] == [[0.5, 0.52, 0.54], [0.6, 0.6, 0.63]]
    assert [xs.item() for xs in drawn["s"][:2]] == pytest.approx([0.52, 0.61])
    assert drawn["D"][0].item() == 0.48
    low, high = drawn["None"][0]
    half = 4.302653 * 0.02 / np.sqrt(3)  # Student's t with 2 degrees of freedom
    assert (low, high) == pytest.approx((0.52 - half, 0.52 + half))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["model a", "model 3"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [text.get_text() for text in axes.texts] == ["52.0 ± 2.0", "61.0 ± 1.7"]


@pytest.mark.parametrize(("low", "high"), [(0.38, 0.59), (0.47, 0.60), (0.2, 0.9)])
def test_tick_labels_are_exact(low: float, high: float):
    row = {"test_accuracy": [low, high], "report": None, "seeds": [0, 1]}
    (axes,) = draw_forest({"a": row}, {"a": "a"}, "Title").axes
    axes.set_xlim(low, high)
    for tick in axes.get_xticks():
        label = axes.xaxis.get_major_formatter()(tick)
        assert float(label.rstrip("%")) == pytest.approx(100 * tick)


@pytest.mark.parametrize(("rows", "entries"), [(["a", "3"], 3), (["3"], 2)])
def test_the_legend_names_the_report_where_it_ran_a_row(rows: list[str], entries: int):
    (axes,) = draw_forest(ROWS, {row: row for row in rows}, "Title").axes
    legend = axes.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == entries


def test_costs_are_drawn_against_the_mean_and_the_final_model_is_named():
    figure: Any = draw_cost(ROWS, ["a", "3"], "3")
    for axes, places in zip(figure.axes, ([2, 1], [5, 7]), strict=True):
        points = [container.lines[0].get_xydata()[0] for container in axes.containers]
        assert [tuple(point) for point in points] == [
            pytest.approx((place, mean)) for place, mean in zip(places, (0.52, 0.61), strict=True)
        ]
        assert [text.get_text() for text in axes.texts] == ["a", "3 (Final)"]
