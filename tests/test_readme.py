"""README is short, in order, and true: its example and its commands do what it says."""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import jax
import pytest

from ffnn_jax.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 800
SECTIONS = [
    "Two commands", "Is your gradient right?", "One layer", "Results", "Where to go next", "Limits",
]  # fmt: skip


def test_it_has_at_most_800_words_outside_tables():
    lines = [line for line in TEXT.splitlines() if not line.startswith("|")]
    assert len(" ".join(lines).split()) <= MOST_WORDS


def test_it_has_its_sections_in_order_and_one_figure():
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE) == SECTIONS
    assert TEXT.count("<img ") + TEXT.count("![") == 1


def cells(table: str) -> list[tuple[str, str, str]]:
    """Name, verdict and, where a check fails, the error's power of ten; releases of jax differ."""
    rows = re.findall(r"^(\S.*?) +(ok|FAILS) +(\S+) ", table, re.MULTILINE)
    powers = [worst.partition("e")[2] * (verdict == "FAILS") for _, verdict, worst in rows]
    return [(name, verdict, power) for (name, verdict, _), power in zip(rows, powers, strict=True)]


def test_the_example_prints_what_readme_shows():
    (code,) = re.findall(r"```python\n(import .*?)```", TEXT, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip() and "import " not in line]
    assert len(lines) <= 10
    printed = io.StringIO()
    with redirect_stdout(printed), jax.numpy_dtype_promotion("standard"):
        exec(code, {})
    assert [row for row in cells(printed.getvalue()) if row in cells(shown)] == cells(shown)
    assert len(cells(printed.getvalue())) == 15
    assert len(cells(shown)) == 6
    others = [line for line in shown.splitlines() if not cells(f"{line} ") and line != "..."]
    assert [line for line in printed.getvalue().splitlines() if line in others] == others


@pytest.mark.usefixtures("blank_figures")
def test_the_sample_picture_is_read_as_a_three(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ffnn_jax").symlink_to(ROOT / "ffnn_jax")
    main(shlex.split("train --steps 300"))
    (command,) = re.findall(r"^ffnn-jax (predict .*)$", TEXT, re.MULTILINE)
    main(shlex.split(command))
    assert "three.png: 3 " in capsys.readouterr().out
    assert (tmp_path / "runs" / "quickstart-1" / "page.html").is_file()


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"", TEXT)))
)
def test_every_link_leads_somewhere(target):
    assert (ROOT / "".join(target)).exists()


def test_continuous_integration_runs_readmes_own_test_command():
    (command,) = re.findall(r"^(python .* && python -m pytest)$", TEXT, re.MULTILINE)
    assert shlex.split(command)[:4] == ["python", "-m", "pip", "install"]
    script = (ROOT / ".ci" / "run").read_text()
    assert "grep -m1 'python -m pytest$' README.md" in script
