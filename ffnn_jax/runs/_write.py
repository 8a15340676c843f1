"""Writes a run's folder: settings, metrics, result, models, figures and tables."""

import json
from pathlib import Path
from typing import Any

from ffnn_jax.config import Settings
from ffnn_jax.models import save
from ffnn_jax.runs._folder import writing
from ffnn_jax.runs._read import require_run
from ffnn_jax.runs._result import RunResult, result_to_json


def write_config(folder: Path, settings: Settings) -> None:
    """Writes the settings, before a run starts."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", settings.to_json())


def write_run(folder: str | Path, result: RunResult) -> Path:
    """Writes a run's results to its folder, created if missing, and returns it.

    Figures and Table 1 are of the best model by validation.
    """
    from ffnn_jax.reporting import precision_recall_table, save_figure

    folder = Path(folder)
    write_config(folder, result.settings)
    lines = [json.dumps(record._asdict()) for record in result.trained.history]
    _write(folder / "metrics.jsonl", "".join(f"{line}\n" for line in lines))
    _write_json(folder / "result.json", result_to_json(result))
    with writing(folder / "model.npz"):
        save(folder / "model.npz", result.models, result.best)
    for name, figure in result.figures().items():
        for path in (folder / f"{name}.png", folder / f"{name}.svg"):
            with writing(path):
                save_figure(figure, path)
    names = result.splits.test.class_names
    table = precision_recall_table(result.confusions[result.best], names)
    _write(folder / "table_1.md", table)
    _write(folder / "table_2.md", result.models[0].network.summary().to_markdown())
    write_page(folder)
    return folder


def write_page(folder: Path) -> Path:
    """Writes a run's page from its saved files, and returns the page's path.

    Raises:
        UserError: the folder is not that of a finished run, or a value in its files is impossible.
    """
    from ffnn_jax.reporting import run_page

    require_run(folder)
    _write(folder / "page.html", run_page(folder))
    return folder / "page.html"


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """One key a line, since a confusion matrix of many classes is long."""
    lines = [f"  {json.dumps(key)}: {json.dumps(entry)}" for key, entry in value.items()]
    _write(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.write_bytes(text.encode())
