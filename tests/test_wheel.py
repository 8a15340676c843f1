"""The wheel contains exactly the package, and works outside the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("ffnn_jax-*-py3-none-any.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_contains_only_the_package_and_its_licence(wheel: zipfile.ZipFile):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ffnn_jax").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(wheel.namelist())
    assert {name for name in names if ".dist-info/" not in name} == package
    assert {"ffnn_jax/py.typed", "ffnn_jax/reporting/templates/run.html"} <= package
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_wheel_runs_outside_the_repository(wheel: zipfile.ZipFile, tmp_path: Path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    wheel.extractall(site)
    code = (
        "import ffnn_jax, ffnn_jax.cli; print(ffnn_jax.__file__); "
        "ffnn_jax.cli.main(['train', '--dry-run'])"
    )
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-c", code]
    completed = subprocess.run(
        command, cwd=elsewhere, env=environment, check=True, capture_output=True, text=True
    )
    assert Path(completed.stdout.splitlines()[0]).is_relative_to(site)
    assert "dry run: everything works" in completed.stdout
    assert list(elsewhere.iterdir()) == []
