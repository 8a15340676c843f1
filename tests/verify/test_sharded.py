"""The checks over four devices, and the subprocess that they run in."""

import functools
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from ffnn_jax.verify import Rule, _sharded, check_vjp
from tests.verify import structures, toys
from tests.verify.running import ON_DEVICES, check_product

DOUBLE = "def double(x):\n    return 2 * x\n"


@pytest.mark.parametrize(
    ("op", "reduces", "failures"),
    [
        (toys.mean_loss, "mean", ()),
        (toys.mean_loss, "sum", ("shard_map",)),
        (toys.centred, "sum", ("shard_map",)),
    ],
)
def test_shards_of_a_batch_are_combined_as_declared(op, reduces, failures):
    result = check_vjp(Rule(op, op, ("NxD",), batch="N", reduces=reduces), only=ON_DEVICES)
    assert [row.name for row in result.checks] == list(ON_DEVICES)
    assert result.failures == failures


def test_examples_that_depend_on_one_another_skip_shard_map():
    rule = Rule(toys.centred, toys.centred, ("NxD",), batch="N", reduces="mixed")
    result = check_vjp(rule, only=ON_DEVICES)
    assert [row.name for row in result.checks] == ["sharded"]
    assert result
    assert result.not_asked["shard_map"] == "examples depend on one another"


def test_several_outputs_of_which_the_first_has_no_batch_axis():
    """A scalar and one number per example."""
    op, reference = structures.scores, structures.reference_scores
    result = check_vjp(op, reference, "NxD", batch="N", only=ON_DEVICES)
    assert [row.name for row in result.checks] == list(ON_DEVICES)
    assert result, str(result)


def test_a_function_that_cannot_be_imported_is_not_checked_over_devices():
    result = check_product(toys.custom_vjp_of(toys.correct_backward), only=[*ON_DEVICES, "value"])
    assert [row.name for row in result.checks] == ["value"]
    assert result.not_asked["sharded"] == "only for functions that can be imported"


def imported(folder, monkeypatch, name, text):
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module(name)


@pytest.mark.slow
def test_settings_reach_the_subprocess_as_they_are(tmp_path, monkeypatch):
    text = "def weighted(x, w):\n    assert type(w) is tuple\n    return w[0] * x\n"
    op = functools.partial(imported(tmp_path, monkeypatch, "tuples", text).weighted, w=(2.0,))
    assert check_vjp(Rule(op, op, ("NxD",), batch="N"), only=ON_DEVICES)


def test_a_module_that_checks_a_rule_on_import_does_not_start_subprocesses_of_subprocesses(
    tmp_path, monkeypatch
):
    text = (
        "import pathlib\n"
        "from ffnn_jax.verify import check_vjp\n"
        f"{DOUBLE}"
        "imported = pathlib.Path(__file__).with_name('imported')\n"
        "imported.write_text((imported.read_text() if imported.exists() else '') + 'x')\n"
        "assert len(imported.read_text()) < 5\n"
        "check_vjp(double, double, 'NxD', batch='N', only=['sharded'])\n"
    )
    module = imported(tmp_path, monkeypatch, "checks_on_import", text)
    assert check_vjp(module.double, module.double, "NxD", batch="N", only=["sharded"])
    # This process, then a subprocess for the check on import and one for the check above.
    assert (tmp_path / "imported").read_text() == "xxx"


def in_subprocess(then):
    """Functions of a module that does something more where it is imported by the subprocess."""
    return f"import os, time\n{DOUBLE}if '{_sharded.IN_SUBPROCESS}' in os.environ:\n    {then}\n"


def test_what_a_module_prints_does_not_reach_the_result(tmp_path, monkeypatch):
    then = (
        "import sys; print('{', flush=True); os.write(1, b'{'); sys.stderr.write('x' * 1_000_000)"
    )
    module = imported(tmp_path, monkeypatch, "prints_on_import", in_subprocess(then))
    assert check_vjp(module.double, module.double, "NxD", batch="N", only=["sharded"])


def test_a_module_that_fails_in_the_subprocess_is_a_failure_with_its_reason(tmp_path, monkeypatch):
    text = in_subprocess("raise OSError('no licence')")
    module = imported(tmp_path, monkeypatch, "fails_on_import", text)
    row = check_vjp(module.double, module.double, "NxD", batch="N", only=["sharded"]).checks[0]
    assert not row.passed
    assert row.note.endswith("failed: OSError: no licence")


def test_a_module_that_hangs_in_the_subprocess_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(_sharded, "_LIMIT_SECONDS", 0.5)
    module = imported(tmp_path, monkeypatch, "hangs_on_import", in_subprocess("time.sleep(1000)"))
    row = check_vjp(module.double, module.double, "NxD", batch="N", only=["sharded"]).checks[0]
    assert not row.passed
    assert row.note.startswith("did not finish in")


def test_the_subprocess_ends_with_its_parent(tmp_path):
    """It holds a lock for as long as it lives."""
    then = (
        "from filelock import FileLock; lock = FileLock('held'); lock.acquire(); "
        "open('started', 'w').close(); time.sleep(1000)"
    )
    (tmp_path / "waits_on_import.py").write_text(in_subprocess(then))
    program = (
        "from waits_on_import import double\n"
        "from ffnn_jax.verify import check_vjp\n"
        "check_vjp(double, double, 'NxD', batch='N', only=['sharded'])\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment) as parent:
        try:
            while not (tmp_path / "started").exists():
                assert parent.poll() is None
                time.sleep(0.02)
        finally:
            parent.kill()
    try:
        FileLock(tmp_path / "held").acquire(timeout=60)
    except Timeout:
        pytest.fail("the subprocess is still there")
