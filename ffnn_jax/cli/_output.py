"""What commands print: results to a file or to standard output, and notes beside them."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from ffnn_jax._console import plain_console
from ffnn_jax.cli._files import writing


def console_beside(file: str | None) -> Console:
    """A console on standard output, or on standard error if JSON goes to standard output."""
    return plain_console(stderr=file == "-")


def write_json(file: str | None, result: Any) -> None:
    """Writes a result to the file, to standard output for "-", or nowhere."""
    write_text("json", file, json.dumps(result, indent=2) + "\n")


def write_text(option: str, file: str | None, text: str) -> None:
    """Writes a text to the option's file, to standard output for "-", or nowhere."""
    if file == "-":
        print(text, end="")
    elif file is not None:
        with writing(f"{option} {file}"):
            Path(file).write_text(text, encoding="utf-8", newline="\n")
