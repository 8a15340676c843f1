"""The demo page: one self-contained file, whose JavaScript runs a network on what one draws."""

from collections.abc import Mapping
from typing import Any

from ffnn_jax.reporting._template import template


def demo_page(name: str, model: Mapping[str, Any]) -> str:
    """The demo page as HTML, with this heading; ``runs.write_demo`` describes the model."""
    return template("demo.html").render(name=name, model=model)
