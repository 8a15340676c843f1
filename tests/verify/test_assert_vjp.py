"""``assert_vjp``, as a test of one's own uses it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffnn_jax.verify import Rule, assert_vjp
from tests.verify import toys
from tests.verify.running import SMALL

SETTINGS = {"only": ["cotangents"], "sizes": SMALL}
SCRATCH = """
from ffnn_jax.verify import assert_vjp
from tests.verify import toys


def test_mine():
    assert_vjp(toys.{op}, toys.reference_product, "NxD", "DxK", only=["cotangents"])
"""


def test_a_right_rule_is_silent():
    assert_vjp(toys.product, toys.reference_product, "NxD", "DxK", **SETTINGS)
    assert_vjp(Rule(toys.product, toys.reference_product, ("NxD", "DxK")), only=["zero"])


def test_a_wrong_rule_raises_with_the_table():
    wrong = toys.custom_vjp_of(toys.scaled_dw)
    with pytest.raises(AssertionError, match=r"cotangents +FAILS .* at N=3 D=4 K=5"):
        assert_vjp(wrong, toys.reference_product, "NxD", "DxK", **SETTINGS)


def run_pytest(folder, op):
    root = Path(__file__).parents[2]
    (folder / "test_scratch.py").write_text(SCRATCH.format(op=op))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_scratch.py"]
    environment = os.environ | {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"}
    environment.pop("CI", None)  # where pytest does not cut its summary to one line
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_pytest_shows_the_line_of_the_test_and_the_table_but_no_frame_of_the_library(tmp_path):
    done = run_pytest(tmp_path, "ignores_its_cotangent")
    assert done.returncode == 1, done.stdout
    assert ">       assert_vjp(toys.ignores_its_cotangent, toys.reference_product" in done.stdout
    assert "cotangents  FAILS" in done.stdout
    assert "AssertionError: ignores_its_cotangent: fa" in done.stdout.splitlines()[-2]
    assert "smallest failing input:" in done.stdout
    assert "ffnn_jax/verify" not in done.stdout
    assert "raise AssertionError" not in done.stdout
    assert "test_scratch.py:7: AssertionError" in done.stdout
