"""Each operation of a step is counted once, for the layer that it belongs to."""

import json
from pathlib import Path

import pytest

from experiments import _machine, step_profile
from experiments.peers._workload import NETWORKS
from ffnn_jax.config import UserError
from ffnn_jax.network import Network
from ffnn_jax.nn import Conv

PROGRAM = """
  %dot.3 = f32[2,2]{1,0} dot(%a, %b), metadata={op_name="jit(f)/while/body/jvp(conv_1)/dot_general"}
  %conv.4 = (f32[2]{0}, u8[0]) custom-call(), metadata={op_name="jvp(conv_1)/conv_general_dilated"}
  %fused.1 = f32[2]{0} fusion(%dot.3), metadata={op_name="jit(f)/transpose(jvp(relu_2))/mul"}
  ROOT %sum = f32[] reduce(%fused.1), metadata={op_name="jit(f)/while/body/closed_call/add"}
  %while.1 = (f32[2]{0}) while(%start), metadata={op_name="jit(f)/while"}
"""


def test_an_operation_belongs_to_a_layer_and_a_direction():
    assert step_profile.parts_of(PROGRAM, {"conv_1", "relu_2"}) == {
        "dot.3": ("conv_1", "forward", "products"),
        "conv.4": ("conv_1", "forward", "products"),
        "fused.1": ("relu_2", "backward", "rest"),
        "sum": ("loss, update", "", "rest"),
    }


@pytest.mark.cpu
def test_the_quick_setting_finds_time_in_every_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    step_profile.main(quick=True)
    (path,) = (tmp_path / "runs" / "quick").glob("step-profile-*.json")
    result = json.loads(path.read_text())
    spent = {(row["layer"], row["direction"]): row for row in result["rows"]}
    layers, shape = NETWORKS["mnist"]
    named = zip(Network(layers, shape).layer_names, layers, strict=True)
    convolutions = [name for name, layer in named if isinstance(layer, Conv)]
    for layer, flops in zip(convolutions, (16 * 627_200, 16 * 2_508_800), strict=True):
        row = spent[layer, "forward"]
        assert row["products_ms"] > 0
        assert row["floor_ms"] == pytest.approx(flops / result["peak_gflops"] / 1e6, abs=1e-4)
    assert list(spent)[-1] == ("loss, update", "")


def test_nothing_is_timed_while_others_load_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_machine.psutil, "getloadavg", lambda: (1.6, 0, 0))
    with pytest.raises(UserError, match=r"this machine is busy: load average 1\.6"):
        step_profile.main()
