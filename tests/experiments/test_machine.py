"""Measurements name their machine, with its cores and versions."""

import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest

from experiments import _machine
from experiments._machine import package_versions, peak_megabytes, processor
from ffnn_jax._processor import core_numbers
from ffnn_jax.runs import versions
from ffnn_jax.runs.sweeps import run_alone


def test_a_device_is_named_with_its_cores():
    cpu = {"platform": "cpu", "kind": "cpu", "processor": "Acme 9", "cpu_cores": 2}
    assert processor(cpu) == "2 cores of Acme 9"
    assert processor(cpu, 1) == "1 core of Acme 9"
    assert processor({**cpu, "platform": "gpu", "kind": "Acme G1"}, 1) == "1 core of Acme G1"


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
def test_peak_memory_is_in_megabytes_although_macos_counts_bytes(monkeypatch: pytest.MonkeyPatch):
    import resource

    usage = SimpleNamespace(ru_maxrss=3 << 20)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    for system, megabytes in (("linux", 3072.0), ("darwin", 3.0)):
        monkeypatch.setattr(sys, "platform", system)
        assert peak_megabytes() == megabytes


def test_a_process_that_runs_alone_is_bound_to_the_first_core():
    assert run_alone(core_numbers) == core_numbers()[:1]


def test_versions_are_those_of_a_run_and_of_the_installed_peers(
    monkeypatch: pytest.MonkeyPatch,
):
    def version(name: str) -> str:
        if name != "flax":
            raise PackageNotFoundError(name)
        return "9.9"

    monkeypatch.setattr(_machine, "version", version)
    assert package_versions() == {**versions(), "flax": "9.9"}
