"""The wheel contains exactly the package, and works outside the repository; so does the sdist."""

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def build(folder: Path, kind: str) -> Path:
    """The distribution of this kind, built from the repository."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel."""
    return zipfile.ZipFile(build(tmp_path_factory.mktemp("wheel"), "wheel"))


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


@pytest.mark.usefixtures("quick_compilation")
def test_the_installed_wheel_runs_outside_the_repository(wheel: zipfile.ZipFile, tmp_path: Path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    wheel.extractall(site)
    code = (
        "import ffnn_jax, ffnn_jax.cli; print(ffnn_jax.__file__); "
        "ffnn_jax.cli.main(['train', '--dry-run', '--layers', 'maxpool 4, dense 10'])"
    )
    others = [path for path in sys.path if path and Path(path).resolve() != ROOT]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *others])}
    command = [sys.executable, "-c", code]
    completed = subprocess.run(
        command, cwd=elsewhere, env=environment, check=True, capture_output=True, text=True
    )
    assert Path(completed.stdout.splitlines()[0]).is_relative_to(site)
    assert "dry run: everything works" in completed.stdout
    assert list(elsewhere.iterdir()) == []


def test_an_index_shows_readme_with_absolute_links_and_without_tex(wheel: zipfile.ZipFile):
    (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = email.message_from_string(wheel.read(name).decode("utf-8"))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Author"] == "the ffnn_jax developers"
    text = str(metadata.get_payload())
    links = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text)
    addresses = ["".join(link) for link in links]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(addresses) == len(re.findall(r"\]\([^)]+\)|src=", readme)) > 10
    assert all(address.startswith("https://") for address in addresses)
    for address in addresses:
        _, _, path = re.split(r"ffnn-jax/ffnn-jax/(blob/)?main/", address)
        assert (ROOT / path.partition("#")[0]).exists()
    assert "$" not in text
    assert "dw = xᵀ dz" in text


def test_the_sdist_contains_what_its_tests_need(tmp_path: Path):
    with tarfile.open(build(tmp_path, "sdist")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    folders = ("ffnn_jax", "tests", "experiments", "notebooks", ".ci", ".github")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    made = ("__pycache__", ".ipynb_checkpoints", ".hypothesis", ".pytest_cache")
    expected = {
        path.relative_to(ROOT).as_posix() for path in files if not set(path.parts) & set(made)
    }
    assert expected <= names
    assert {"pyproject.toml", "README.md", "LICENSE", ".pre-commit-config.yaml"} <= names
