"""Processors as systems describe them: recorded texts, since one machine has one processor."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from ffnn_jax import _processor
from ffnn_jax._processor import Processor, parse_processor

XEON = """\
processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 143
model name	: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
cpu MHz		: 2699.998
cpuid level	: 31
flags		: fpu avx2 avx512f amx_bf16 amx_tile
bugs		: spectre_v1
"""
NEOVERSE_N1 = """\
processor	: 0
BogoMIPS	: 243.75
Features	: fp asimd aes crc32 atomics asimddp ssbs
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1

"""
NEOVERSE_V1 = (
    NEOVERSE_N1.replace("0xd0c", "0xd40")
    .replace("0x3", "0x1")
    .replace("ssbs", "ssbs sve svei8mm svebf16")
)
RK3399 = """\
processor	: 0
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd03
CPU revision	: 4

processor	: 4
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 2
"""
APPLE_M1 = """\
machdep.cpu.brand_string: Apple M1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_BF16: 0
hw.optional.neon: 1
"""
APPLE_M2 = APPLE_M1.replace("M1", "M2").replace("BF16: 0", "BF16: 1")
INTEL_MAC = """\
machdep.cpu.brand_string: Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz
machdep.cpu.features: FPU SSE4.2 AVX1.0
machdep.cpu.leaf7_features: AVX2 BMI2
hw.optional.avx2_0: 1
hw.optional.avx512f: 0
"""
POWER9 = "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3800.000000MHz\n"
ALL = [XEON, NEOVERSE_N1, NEOVERSE_V1, RK3399, APPLE_M1, APPLE_M2, INTEL_MAC, POWER9]


@pytest.mark.parametrize(
    ("text", "name", "feature"),
    [
        (XEON, "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "amx_tile"),
        (
            NEOVERSE_N1,
            "CPU implementer 0x41, CPU part 0xd0c, CPU variant 0x3, CPU revision 1",
            "asimddp",
        ),
        (
            RK3399,
            "CPU implementer 0x41, CPU part 0xd03/0xd08, CPU variant 0x0, CPU revision 4/2",
            "crc32",
        ),
        (APPLE_M1, "Apple M1", "hw.optional.arm.FEAT_DotProd"),
        (INTEL_MAC, "Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz", "BMI2"),
    ],
)
def test_a_processor_has_a_name_and_features(text: str, name: str, feature: str):
    assert parse_processor(text).name == name
    assert feature in parse_processor(text).features


def test_power_has_a_name_alone():
    assert parse_processor(POWER9) == Processor("POWER9, altivec supported", ())


def test_a_feature_that_is_switched_off_is_none():
    assert "hw.optional.arm.FEAT_BF16" not in parse_processor(APPLE_M1).features
    assert "hw.optional.arm.FEAT_BF16" in parse_processor(APPLE_M2).features


def test_different_processors_have_different_digests():
    assert len({parse_processor(text).digest for text in ALL}) == len(ALL)
    fewer = XEON.replace(" amx_tile", "")  # of the same name, as a hypervisor may show it
    assert parse_processor(fewer).digest != parse_processor(XEON).digest


def test_more_cores_and_another_clock_are_the_same_processor():
    assert parse_processor(XEON + XEON.replace("2699.998", "800.1")) == parse_processor(XEON)


def test_a_processor_without_description_has_the_name_that_python_knows(monkeypatch):
    monkeypatch.setattr(_processor.platform, "processor", lambda: "i386")
    assert parse_processor("") == Processor("i386", ())


def asked(monkeypatch: pytest.MonkeyPatch, system: str) -> Processor:
    """What is found where ``sys.platform`` is this."""
    monkeypatch.setattr(sys, "platform", system)
    _processor.processor.cache_clear()
    try:
        return _processor.processor()
    finally:
        _processor.processor.cache_clear()


def test_macos_is_asked_through_sysctl(monkeypatch):
    def run(command: tuple[str, ...], **_: object) -> types.SimpleNamespace:
        assert command[:2] == ("sysctl", "machdep.cpu.brand_string")
        assert command[-1] == "hw.optional"
        return types.SimpleNamespace(stdout=APPLE_M1)

    monkeypatch.setattr(subprocess, "run", run)
    assert asked(monkeypatch, "darwin") == parse_processor(APPLE_M1)


def test_without_sysctl_python_is_asked(monkeypatch):
    def run(*_: object, **__: object) -> None:
        raise FileNotFoundError("sysctl")

    monkeypatch.setattr(subprocess, "run", run)
    assert asked(monkeypatch, "darwin") == parse_processor("")


def test_windows_has_no_such_file_and_python_is_asked(monkeypatch):
    identifier = "Intel64 Family 6 Model 85 Stepping 7, GenuineIntel"
    monkeypatch.setattr(_processor, "Path", lambda place: Path("no such folder") / "cpuinfo")
    monkeypatch.setattr(_processor.platform, "processor", lambda: identifier)
    assert asked(monkeypatch, "win32") == Processor(identifier, ())


def test_cores_are_those_of_the_affinity_where_there_is_one(monkeypatch):
    monkeypatch.setattr(_processor.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(_processor.os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert _processor.usable_cores() == 2
    monkeypatch.delattr(_processor.os, "sched_getaffinity")
    assert _processor.usable_cores() == 64


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/cpuinfo")
def test_linux_is_asked_through_proc():
    assert _processor.processor() == parse_processor(Path("/proc/cpuinfo").read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="needs affinity")
def test_a_process_is_bound_to_some_of_its_cores():
    before = _processor.core_numbers()
    assert len(before) == _processor.usable_cores()
    try:
        _processor.bind_to(before[:1])
        assert _processor.core_numbers() == before[:1]
    finally:
        _processor.bind_to(before)
