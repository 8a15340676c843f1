import pytest

from experiments._formatting import (
    WHOLE_PERCENTS,
    mean_and_sd,
    percent,
    report_position,
    time_of_row,
)


def test_a_mean_is_quoted_with_its_deviation_and_n():
    assert mean_and_sd([0.5, 0.52, 0.54]) == "0.5200 +- 0.0200 (mean +- sd, n = 3)"
    assert percent([0.5, 0.52, 0.54]) == "52.0 ± 2.0"


def test_one_seed_has_no_deviation():
    assert mean_and_sd([0.97804]) == "0.9780 (mean +- sd, n = 1)"
    assert percent([0.97804]) == "97.8"


@pytest.mark.parametrize(
    ("report", "place", "below"), [(0.5, "inside", 1), (0.43, "below", 0), (0.57, "above", 3)]
)
def test_the_report_s_run_lies_inside_or_outside_our_range(report, place, below):
    position = report_position([0.49, 0.5, 0.51], report)
    assert position == f"{place} [45.0, 55.0], {below} of 3 seeds below it"


def test_a_rounded_report_is_outside_only_beyond_its_rounding_error():
    assert report_position([0.49, 0.5, 0.51], 0.554, WHOLE_PERCENTS).startswith("inside ")
    assert report_position([0.49, 0.5, 0.51], 0.556, WHOLE_PERCENTS).startswith("above ")
    assert report_position([0.49, 0.5, 0.51], 0.554).startswith("above ")


def test_the_time_of_a_row_names_one_core_of_each_device():
    cpu = {"platform": "cpu", "kind": "cpu", "processor": "Acme 9", "cpu_cores": 2}
    row = {"train_seconds": 4.4, "device": [cpu, {**cpu, "processor": "Acme 10"}]}
    assert time_of_row(row) == "4 s on 1 core of Acme 9, 1 core of Acme 10"
