"""What is said in several places agrees: versions, Pythons, the oldest jax."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = (GITHUB / "workflows" / "tests.yml").read_text(encoding="utf-8")


def test_every_python_that_is_claimed_is_in_the_matrix():
    (listed,) = re.findall(r"^ +python: \[(.*)\]$", WORKFLOW, re.MULTILINE)
    matrix = re.findall(r'"(.*?)"', listed)
    words = " ".join(PROJECT["classifiers"])
    assert matrix == re.findall(r"Python :: (\d\.\d+)", words)
    assert PROJECT["requires-python"] == f">={matrix[0]}"


def test_the_oldest_jax_in_the_matrix_is_the_oldest_that_may_be_installed():
    pinned = re.findall(r"^(\w+)==(\S+)\.0$", (GITHUB / "oldest-jax.txt").read_text(), re.MULTILINE)
    assert len(pinned) == 2
    assert {f"{name}>={version}" for name, version in pinned} <= set(PROJECT["dependencies"])


def test_the_paths_in_the_workflow_exist():
    paths = re.findall(r"(?<![\w/])(?:tests|\.github|\.ci)/[\w./-]+", WORKFLOW)
    assert len(paths) >= 7
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("file", "pattern"), [("CITATION.cff", r"^version: (\S+)$"), ("CHANGELOG.md", r"^## ([\d.]+)")]
)
def test_the_version_is_that_of_the_project(file: str, pattern: str):
    text = (GITHUB / file).read_text(encoding="utf-8")
    assert re.findall(pattern, text, re.MULTILINE)[0] == PROJECT["version"]


@pytest.mark.parametrize("file", sorted(GITHUB.glob("*.md")), ids=lambda path: path.name)
def test_every_link_of_the_notes_leads_somewhere(file: Path):
    links = re.findall(r"\]\((?!https://)([^)]+)\)", file.read_text(encoding="utf-8"))
    assert [link for link in links if not (GITHUB / link).exists()] == []
