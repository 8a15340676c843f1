"""The experiment's quick setting: its stored result, its figures, and the numbers it quotes."""

import contextlib
import json
import statistics
from pathlib import Path
from typing import Any, NoReturn

import pytest

from experiments import _results, mnist
from experiments._report import MNIST
from ffnn_jax.config import Settings, UserError

pytestmark = pytest.mark.usefixtures("quick_compilation_of_the_module")

DRAWN = {
    "mnist_1_filters.png", "mnist_2_misclassified.png", "mnist_3_confusion.png",
    "mnist_curves.png",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the quick setting writes."""
    here = tmp_path_factory.mktemp("experiment")
    with contextlib.chdir(here):
        mnist.main(quick=True)
    return here / "runs" / "quick"


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """The stored result."""
    return json.loads((folder / "mnist.json").read_text())


@pytest.fixture
def page(result: dict[str, Any]) -> str:
    """The experiment's section of the page."""
    return mnist.section(result)


def test_the_quick_setting_is_20_steps_on_the_installed_digits():
    assert (mnist._QUICK.steps, mnist._QUICK.dataset) == (20, "mnist_5k")
    assert [type(one) for one in mnist._QUICK.layers] == [
        type(one) for one in mnist._SETTINGS.layers
    ]


def test_the_real_setting_is_the_report_s(result: dict[str, Any]):
    assert (mnist._SETTINGS.dataset, mnist._SETTINGS.steps) == ("mnist", 3000)
    assert result["quick"] is True


def test_the_quick_setting_writes_a_result_and_its_figures(folder: Path):
    assert {path.name for path in folder.iterdir()} == DRAWN | {"mnist.json"}
    assert {path.name for path in folder.parent.iterdir()} == {"quick"}


def test_no_quick_result_lies_among_the_real_ones(folder: Path):
    assert folder.name == "quick"
    for path in _results.RESULTS.glob("*.json"):
        assert json.loads(path.read_text())["quick"] is False


def test_the_result_holds_its_settings_and_both_seeds(result: dict[str, Any]):
    settings = Settings.from_json(result["settings"])
    assert (settings.seeds, settings.steps, settings.dataset) == (2, 20, "mnist_5k")
    assert result["seeds"] == [0, 1]
    assert {line["seed"] for line in result["history"]} == {0, 1}
    assert len(set(result["parameters_sha256"])) == 2


def test_the_stored_mistakes_are_mistakes(result: dict[str, Any]):
    mistakes = result["mistakes"]
    assert len(mistakes["images"]) == len(mistakes["true"]) == len(mistakes["predicted"]) == 16
    assert all(t != p for t, p in zip(mistakes["true"], mistakes["predicted"], strict=True))


def test_the_result_has_one_key_per_line(folder: Path, result: dict[str, Any]):
    lines = (folder / "mnist.json").read_text().splitlines()
    assert len(lines) == len(result) + 2


def test_the_header_quotes_the_result(result: dict[str, Any]):
    accuracies = result["test_accuracy"]
    mean, spread = statistics.mean(accuracies), statistics.stdev(accuracies)
    header = mnist.header(result)
    assert f"Ours: test accuracy {mean:.4f} +- {spread:.4f} (mean +- sd, n = 2).\n" in header


def test_table_1_has_the_report_beside_ours(page: str, result: dict[str, Any]):
    recalls = [[row[k] / sum(row) for k, row in enumerate(one)] for one in result["confusion"]]
    means = [f"{statistics.mean(values):.3f} ± " for values in zip(*recalls, strict=True)]
    (ours,) = [line for line in page.splitlines() if line.startswith("| Recall, ours |")]
    assert all(mean in cell for mean, cell in zip(means, ours.split(" | ")[1:], strict=True))
    for name, values in (("Precision", MNIST.precision), ("Recall", MNIST.recall)):
        assert f"| {name}, report | {' | '.join(f'{value:.3f}' for value in values)} |" in page


def test_the_claim_about_7_and_2_is_answered(page: str):
    assert "(i) Is 7 read as 2 the commonest error? " in page
    assert "7 read as 2 is the commonest error of " in page


def test_the_page_shows_figures_that_exist(page: str, folder: Path):
    figure_links = [
        line.partition("](")[2].rstrip(")") for line in page.splitlines() if line[:2] == "!["
    ]
    assert set(figure_links) == {f"results/{name}" for name in DRAWN}
    assert all((folder / name).stat().st_size for name in DRAWN)


def test_drawing_uses_only_the_stored_result(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def forbidden(*_: Any) -> NoReturn:
        raise AssertionError("drawing must use the stored result")

    (tmp_path / "runs" / "quick").mkdir(parents=True)
    stored = (folder / "mnist.json").read_bytes()
    (tmp_path / "runs" / "quick" / "mnist.json").write_bytes(stored)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "compute", forbidden)
    monkeypatch.setattr(mnist, "load_splits", forbidden)
    mnist.main(quick=True, draw_only=True)
    for path in folder.iterdir():
        assert (tmp_path / "runs" / "quick" / path.name).read_bytes() == path.read_bytes()


def test_a_quick_result_among_the_real_ones_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_results, "RESULTS", tmp_path)
    path = tmp_path / "mnist.json"
    _results.write_result(path, {"quick": False, "test_accuracy": [0.5]})
    assert _results.read_result(path)["test_accuracy"] == [0.5]
    _results.write_result(path, {"quick": True, "test_accuracy": [0.5]})
    with pytest.raises(UserError, match=r"mnist\.json is from a quick run: run it in full$"):
        mnist.main(draw_only=True)


def test_drawing_without_a_result_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"mnist\.json is missing: run the experiment first$"):
        mnist.main(quick=True, draw_only=True)
