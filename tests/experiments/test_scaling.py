"""Predictions of scaling follow from their formulas, and what is summed from the program."""

import dataclasses
import json
import math
import multiprocessing
from pathlib import Path
from typing import Any

import jax
import pytest

from experiments import _machine, scaling
from experiments._reductions import Reductions, reductions
from experiments._results import RESULTS
from experiments._scaling_fabric import Algorithm, Switched, Torus
from experiments._scaling_model import Accelerator, Work, efficiency, step_of, strong_and_weak
from experiments._scaling_page import SCALING_BLOCKS, breaks_lines, times_table
from experiments._scaling_step import Program
from ffnn_jax.config import UserError, preset
from ffnn_jax.layers.fast import TABLES, _blocks
from ffnn_jax.nn import BatchNorm, Conv, Dense, ReLU
from ffnn_jax.training import _gradients

RING = Algorithm(False, base=8.0, link=1.0, network=10.0)
TREE = Algorithm(True, base=5.0, link=1.0, network=10.0, share=0.5)
WORK = Work(batch=64, operations=10.0, update=40.0, parameters=100, statistics=12, rounds=3)
FREE = Switched(math.inf, math.inf, (Algorithm(False, 0.0, 0.0, 0.0),))


def on(fabric: Any, start: float = 2.0) -> Accelerator:
    return Accelerator(peak=40.0, utilisation=0.25, start=start, fabric=fabric)


@pytest.mark.parametrize(
    ("algorithm", "devices", "seconds"),
    [
        (RING, 8, 8 + 14 * 1 + 2 * 7 / 8 * 800 / 100),
        # 2 * 15 hops, 2 * 2 of them between nodes
        (RING, 16, 8 + 26 * 1 + 4 * 10 + 2 * 15 / 16 * 800 / 50),
        (TREE, 8, 5 + 2 * 7 * 1 + 2 * 800 / 50),
        (TREE, 32, 5 + 2 * (7 * 1 + 2 * 10) + 2 * 800 / 25),
    ],
)
def test_an_all_reduce_takes_its_hops_and_its_bytes(
    algorithm: Algorithm, devices: int, seconds: float
):
    fabric = Switched(link=100.0, node=50.0, algorithms=(algorithm,))
    assert fabric.all_reduce(800, devices) == pytest.approx(seconds)


def test_the_fastest_algorithm_is_taken():
    both = Switched(100.0, 50.0, (RING, TREE))
    for count in (1, 10_000):
        alone = [Switched(100.0, 50.0, (one,)).all_reduce(count, 16) for one in (RING, TREE)]
        assert both.all_reduce(count, 16) == min(each for each in alone if each is not None)


def test_a_capped_algorithm_has_no_more_than_its_bandwidth():
    capped = dataclasses.replace(TREE, caps=(20.0, 10.0))
    fabric = Switched(100.0, 50.0, (capped,))
    assert fabric.all_reduce(800, 8) == pytest.approx(5 + 14 + 1600 / 20)
    assert fabric.all_reduce(800, 16) == pytest.approx(5 + 34 + 1600 / 10)


@pytest.mark.parametrize(
    ("axes", "devices", "seconds"),
    [
        (2, 256, 2 * (8 + 8) + 2 * 255 / 256 * 512 / 64),  # 16 x 16, closed
        (2, 64, 2 * (7 + 7) + 2 * 63 / 64 * 512 / 32),  # 8 x 8, open
        (2, 8, 2 * (1 + 3) + 2 * 7 / 8 * 512 / 32),  # 2 x 4, open
        (3, 8, 2 * 3 + 2 * 7 / 8 * 512 / 32),  # 2 x 2 x 2, open
    ],
)
def test_a_torus_is_passed_along_each_axis(axes: int, devices: int, seconds: float):
    torus = Torus(bandwidth=64.0, hop=1.0, axes=axes, ring=16, most=256)
    assert torus.all_reduce(512, devices) == pytest.approx(seconds)
    assert torus.all_reduce(512, 512) is None


def test_a_step_is_the_sum_of_its_parts():
    fabric = Switched(100.0, 50.0, (RING,))
    step = step_of(WORK, on(fabric), 8)
    assert step is not None
    assert step.compute == pytest.approx(2 + (8 * 10 + 40) / 10)
    assert step.statistics == pytest.approx(3 * (8 + 14 + 2 * 7 / 8 * 16 / 100))
    assert step.gradients == pytest.approx(8 + 14 + 2 * 7 / 8 * 400 / 100)
    assert step.seconds == pytest.approx(step.compute + step.statistics + step.gradients)
    left = step.gradients - 2 / 3 * step.compute
    assert step.overlapped == pytest.approx(step.compute + step.statistics + left)


def test_the_last_device_has_the_images_that_are_left():
    step = step_of(dataclasses.replace(WORK, batch=65), on(FREE), 8)
    assert step is not None
    assert step.compute == pytest.approx(2 + (9 * 10 + 40) / 10)


@pytest.mark.parametrize("fabric", [FREE, Switched(1.0, 1.0, (RING,)), Torus(1.0, 1.0, 2, 4, 64)])
def test_one_device_does_not_communicate(fabric: Any):
    step = step_of(WORK, on(fabric), 1)
    assert step is not None
    assert step.statistics == step.gradients == 0
    assert efficiency(WORK, on(fabric), 1, "strong") == efficiency(WORK, on(fabric), 1, "weak") == 1


def test_free_communication_is_perfect_but_for_what_each_device_repeats():
    divisible = dataclasses.replace(WORK, update=0.0)
    assert efficiency(divisible, on(FREE, start=0.0), 64, "strong") == pytest.approx(1)
    assert efficiency(WORK, on(FREE), 64, "weak") == pytest.approx(1)
    alone, together = 2 + (640 + 40) / 10, 2 + (10 + 40) / 10
    assert efficiency(WORK, on(FREE), 64, "strong") == pytest.approx(alone / (64 * together))


def test_fewer_images_than_devices_are_no_step():
    assert step_of(WORK, on(FREE), 128) is None
    assert efficiency(WORK, on(FREE), 128, "strong") is None
    assert strong_and_weak(WORK, 128)["weak"].batch == 128 * 64


TEXT = """
%sum (a: f32[], b: f32[]) -> f32[] {
  ROOT %add = f32[] add(%a, %b)
}
%body (c: (s32[], f32[3])) -> (s32[], f32[3]) {
  %block = f32[3]{0} all-reduce(%part), to_apply=%sum
}
ENTRY %main (p: f32[8,3]) -> (f32[8,3], bf16[3]) {
  %loop = (s32[], f32[3]{0}) while(%start), condition=%condition, body=%body
  %x = f32[8,3]{1,0} parameter(0)
  %mean = f32[3]{0} all-reduce(%partial), channel_id=1, to_apply=%sum
  %centred = f32[8,3]{1,0} fusion(%x, %mean), kind=kLoop, calls=%fused
  %start = bf16[3]{0} all-reduce-start(%centred), to_apply=%sum
  %variance = bf16[3]{0} all-reduce-done(%start)
  %others = (f32[5,2]{1,0}, /*index=1*/f32[]) all-reduce(%x, %x), to_apply=%sum
  %moved = f32[8,3]{1,0} all-gather(%x), dimensions={0}
  ROOT %out = (f32[8,3]{1,0}, bf16[3]{0}) tuple(%moved, %variance)
}
"""


def test_reductions_are_read_from_the_text():
    assert reductions(TEXT) == Reductions(
        count=4, bytes=12 + 12 + 6 + 44, rounds=2, others=1, repeated=1
    )
    assert reductions("") == Reductions(0, 0, 0, 0, 0)


# each gradient is summed in the shape of its parameter in the equation form of the convolution
SMALL = dataclasses.replace(
    preset("course"), batch_size=8,
    layers=(Conv(3, 3), BatchNorm(), ReLU(), BatchNorm(scale=False), Dense(10)),
)  # fmt: skip


def read(devices: int, image: tuple[int, ...]) -> Reductions:
    jax.config.update("jax_num_cpu_devices", devices)
    return reductions(Program(SMALL, image).text())


def alone(function: Any, *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


@pytest.mark.cpu
def test_a_step_sums_4_bytes_for_each_parameter_and_statistic_the_loss_and_the_accuracy():
    found = alone(read, 4, (4, 4, 2))
    parameters = (3 * 3 * 2 * 3 + 3) + (3 + 3) + 3 + (4 * 4 * 3 * 10 + 10)
    # mean and variance of both; dscale of the second, which is no parameter
    statistics = 2 * 3 + 2 * 3 + 3
    loss_and_accuracy = 2
    assert found.bytes == 4 * (parameters + statistics + loss_and_accuracy)
    assert found.others == 0
    assert found.rounds == 2 * 4 + 1


@pytest.mark.cpu
def test_one_device_sums_nothing(quick_compilation: None):
    assert reductions(Program(SMALL, (4, 4, 2)).text()) == Reductions(0, 0, 0, 0, 0)


def in_loops(devices: int, micro_batch: int) -> Reductions:
    """Of a convolution by blocks of images, with at most so many images in a micro-batch."""
    jax.config.update("jax_num_cpu_devices", devices)
    several = dataclasses.replace(
        SMALL, batch_size=64, layers=(Conv(3, 3), ReLU(), Dense(10)), forms=TABLES["amd-epyc"]
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_blocks, "_WHOLE_BYTES", 0)
        patched.setattr(_blocks, "_BYTES", 4096)
        patched.setattr(_gradients, "largest_micro_batch", lambda: micro_batch)
        program = Program(several, (8, 8, 2))
        assert program.text().count(" while(") > 2
        return reductions(program.text())


@pytest.mark.cpu
@pytest.mark.parametrize("micro_batch", [8, 64], ids=["micro-batches", "blocks alone"])
def test_blocks_and_micro_batches_sum_nothing_before_their_end(micro_batch: int):
    found = alone(in_loops, 2, micro_batch)
    assert found.count == 1
    assert found.repeated == 0


def stored() -> dict[str, Any]:
    return json.loads((RESULTS / "scaling.json").read_text())


def test_stored_predictions_are_those_of_the_formulas():
    result = stored()
    again = scaling.predictions(result["networks"], result["predictions"])
    for name, value in again.items():
        assert json.loads(json.dumps(value)) == result[name]


def test_what_was_measured_is_kept_beside_its_prediction():
    result = stored()
    before = result["predictions"]
    before[3]["measured_ms"] = 12.5
    rows = scaling.predictions(result["networks"], before)["predictions"]
    assert [row["measured_ms"] for row in rows].count(12.5) == 1
    assert rows[3]["measured_ms"] == 12.5


def test_the_work_has_a_round_less_than_the_chain():
    """The last sum of the chain is that of the gradients."""
    found = scaling.works(stored()["networks"])
    assert found["cifar10-3"].rounds == 0
    assert found["cifar10-94"].rounds == 4 * 6


def test_the_tables_hold_what_is_stored():
    result = stored()
    row = next(r for r in result["predictions"] if r["network"] == "cifar10-94")
    assert f"{row['efficiency']:.1%}" in SCALING_BLOCKS["scaling_efficiency"]()
    assert "cifar10-94" in breaks_lines(result["networks"])
    times = {"network": "n", "batch": 16, "median_ms": 2.0, "spread": [1.5, 2.5]}
    rows = [{**times, "place": "1 device", "overhead": 0.0},
            {**times, "place": "2 devices", "overhead": 0.25}]  # fmt: skip
    assert "| n, 16 | 2 (1.5 to 2.5; +0%) | 2 (1.5 to 2.5; +25%) |" in times_table(rows)


def test_nothing_is_timed_while_others_load_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_machine.psutil, "getloadavg", lambda: (1.6, 0, 0))
    with pytest.raises(UserError, match=r"this machine is busy: load average 1\.6"):
        scaling.main(time=True)


@pytest.mark.slow
def test_the_quick_setting_times_devices_and_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    scaling.main(quick=True, time=True)
    (path,) = (tmp_path / "runs" / "quick").glob("scaling-*.json")
    rows = json.loads(path.read_text())["rows"]
    assert [row["place"] for row in rows] == ["1 device", "2 devices", "2 processes"]
    losses = [row["first_loss"] for row in rows]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)
    assert all(0 < row["spread"][0] <= row["median_ms"] for row in rows)
