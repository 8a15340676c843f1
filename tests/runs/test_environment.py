"""What a run needs of jax, and what may change its bits."""

import jax
import pytest

from ffnn_jax._processor import processor, usable_cores
from ffnn_jax.config import UserError, preset
from ffnn_jax.runs import compute, require_ready
from ffnn_jax.runs._environment import arithmetic, device


def test_a_run_without_compilation_is_rejected_before_its_data_is_loaded(monkeypatch):
    monkeypatch.setattr("ffnn_jax.runs._compute.load_splits", None)
    with jax.disable_jit(), pytest.raises(UserError, match=r"^JAX_DISABLE_JIT is set") as rejected:
        compute(preset("quickstart"))
    assert "\n" not in str(rejected.value)
    require_ready()


def test_the_device_is_the_one_in_use():
    described = device()
    assert described["count"] == jax.device_count()
    assert described["cpu_cores"] == usable_cores()
    assert described["processor"] == processor().name


def test_devices_and_processors_are_part_of_the_arithmetic():
    described = arithmetic()
    assert described["devices"] == jax.device_count()
    assert described["device"] == jax.devices()[0].device_kind
    assert described["processor features"] == processor().digest
    assert {"jaxlib", "platform", "processor", "cores", "XLA_FLAGS"} <= set(described)
    assert "jax_default_matmul_precision" in described
