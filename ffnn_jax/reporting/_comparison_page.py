"""Runs beside each other: facts and findings, which a terminal shows too, and the page."""

import base64
import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ffnn_jax.config import UserError, layers_from_json, layers_to_text
from ffnn_jax.reporting._figures import draw_runs, svg
from ffnn_jax.reporting._metrics import MOST_SHOWN
from ffnn_jax.reporting._run_page import inline, spread_in_percent, to_text
from ffnn_jax.reporting._template import template

_MOST_NAMED = 6
_FACTS = ("preset", "dataset", "steps")
_RESULTS = ("test accuracy", "validation", "parameters", "training time", "images/s", "device")
Json = Mapping[str, Any]


def run_facts(run: Json) -> dict[str, str]:
    """How far a run is, how good, and at what cost, as text by heading."""
    done, in_all = run["steps"], run["steps_in_all"]
    facts = {
        "run": run["name"], "preset": run["preset"], "data set": run["dataset"],
        "state": run["state"], "steps": f"{done:,}" + f" of {in_all:,}" * (done < in_all),
    }  # fmt: skip
    if run["seeds"] is None:
        return facts | dict.fromkeys(_RESULTS, "–")
    accuracies = (spread_in_percent(run[f"{split}_accuracy"]) for split in ("test", "validation"))
    seconds, rate = f"{run['train_seconds']:,.1f} s", f"{run['images_per_second']:,.0f}"
    on_cpu = run["device"].get("platform") == "cpu"
    device = str(run["device"].get("processor" if on_cpu else "kind"))
    cells = *accuracies, f"{run['parameters']:,}", seconds, rate, device
    return facts | dict(zip(_RESULTS, cells, strict=True))


def facts_rows(runs: Sequence[Json]) -> list[list[str]]:
    """The same with a column a run; the first row has their names, and which is the reference."""
    facts = list(map(run_facts, runs))
    facts[0]["run"] += " (reference)" * (len(runs) > 2)
    return [[key, *(fact[key] for fact in facts)] for key in facts[0]]


def settings_rows(comparison: Json) -> list[list[str]]:
    """Each setting that differs and is no fact of a run, and its value in each run."""
    return [
        [key.replace("_", " "), *(_setting(key, value) for value in values)]
        for key, values in comparison["settings"].items()
        if key not in _FACTS
    ]


def _setting(key: str, value: Any) -> str:
    """A setting as text; layers as ``--layers`` takes them, if their types are known here."""
    if key == "layers":
        with contextlib.suppress(UserError):
            return layers_to_text(layers_from_json(value))
    return to_text(value)


def findings(pair: Json) -> list[str]:
    """What the tests of two runs found, one line each, and why one was not possible."""
    lines = list(pair["notes"])
    if pair["seeds"]:
        lines.insert(0, _seed_line(pair["seeds"]))
    if pair["images"]:
        lines[:0] = _image_lines(pair["names"], pair["images"])
    return lines


def _image_lines(names: Sequence[str], test: Json) -> list[str]:
    pairs = zip(names, test["model_seeds"], strict=True)
    seeds = " and ".join(f"{seed} of {name}" for name, seed in pairs)
    right = [f"{n} has {count:,} right" for n, count in zip(names, test["right"], strict=True)]
    alone = [f"{n} alone on {count:,}" for n, count in zip(names, test["only"], strict=True)]
    gains = sorted((b - a, name) for name, _, a, b in test["classes"])
    won, lost = [g for g in gains[::-1] if g[0] > 0], [g for g in gains if g[0] < 0]
    equal = len(gains) - len(won) - len(lost)
    return [
        f"of {test['images']:,} test images {', '.join(right)} (best by validation: seed {seeds})",
        f"only one is right: {', '.join(alone)}; McNemar's exact test {_p(test)}",
        f"classes won by {names[1]}: {_named(won)}; lost: {_named(lost)}; equal: {equal}",
        f"images on which they disagree: {test['disagreements']:,}",
    ]


def _seed_line(test: Json) -> str:
    mean, low, high = (100 * test[key] for key in ("difference", "low", "high"))
    interval = f"{mean:+.2f} points (95 % interval {low:+.2f} to {high:+.2f})"
    return f"test accuracy over {len(test['seeds'])} seeds: {interval}, paired t-test {_p(test)}"


def _p(test: Json) -> str:
    corrected = f" (Holm-corrected: {test['adjusted']:.2g})" * (test["adjusted"] != test["p"])
    return f"p = {test['p']:.2g}{corrected}"


def _named(gains: Sequence[tuple[int, str]]) -> str:
    names = [f"{name} ({gain:+,})" for gain, name in gains[:_MOST_NAMED]]
    more = [f"{len(gains) - _MOST_NAMED} more"] * (len(gains) > _MOST_NAMED)
    return ", ".join(names + more) or "none"


def comparison_page(
    comparison: Json,
    histories: Mapping[str, Sequence[dict[str, Any]]],
    pixels: Sequence[Sequence[np.ndarray]],
) -> str:
    """The page as HTML.

    Args:
        comparison: runs, settings and pairs, as ``ffnn-jax compare --json`` writes them.
        histories: the records of each run, by its name.
        pixels: for each pair, the uint8 images (H, W, C) of its ``shown``.
    """
    drawing = svg(draw_runs(histories))
    return template("compare.html").render(
        names=[run["name"] for run in comparison["runs"]],
        facts=facts_rows(comparison["runs"]),
        settings=settings_rows(comparison),
        curves=inline(drawing, "curves", "Training loss and validation accuracy of the runs", 2),
        pairs=[
            {**pair, "findings": findings(pair), "pictures": list(map(_picture, images)),
             "classes": _classes(pair)}
            for pair, images in zip(comparison["pairs"], pixels, strict=True)
        ],
    )  # fmt: skip


def _classes(pair: Json) -> list[list[str]]:
    """A row a class, those with the largest difference if they are many."""
    classes = pair["images"]["classes"] if pair["images"] else []
    if len(classes) > MOST_SHOWN:
        classes = sorted(classes, key=lambda one: -abs(one[3] - one[2]))[:MOST_SHOWN]
    return [
        [n, f"{i:,}", f"{a:,}", f"{b:,}", f"{b - a:+,}" if b - a else "0"] for n, i, a, b in classes
    ]


def _picture(pixels: np.ndarray) -> str:
    """A picture as the address of its own data."""
    stream = io.BytesIO()
    shown = pixels if pixels.shape[-1] in (3, 4) else pixels[..., 0]
    Image.fromarray(shown).save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
