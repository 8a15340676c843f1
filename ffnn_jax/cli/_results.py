"""Output of results: a console, and JSON to a file or standard output."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from ffnn_jax.cli._files import writing


def plain_console(stderr: bool = False) -> Console:
    """A console that prints text as is: unwrapped, without markup or highlighting."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)


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
        with writing(option):
            Path(file).write_text(text, encoding="utf-8", newline="\n")
