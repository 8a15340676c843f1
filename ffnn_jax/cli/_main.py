"""The entry point: subcommands, exit codes, and one line for whatever is rejected."""

import contextlib
import io
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from tyro.extras import SubcommandApp

import ffnn_jax
from ffnn_jax.cli._data import List, Prepare, Show
from ffnn_jax.cli._doctor import Doctor
from ffnn_jax.cli._evaluate import Evaluate
from ffnn_jax.cli._export import Export
from ffnn_jax.cli._page import Page
from ffnn_jax.cli._predict import Predict
from ffnn_jax.cli._summary import Summary
from ffnn_jax.cli._train import Train
from ffnn_jax.cli._verify import Verify
from ffnn_jax.config import DivergedError, RunInterruptedError, UserError

_FAILED, _USER_ERROR, _DIVERGED, _INTERRUPTED = 1, 2, 3, 130
_COMMANDS = {
    "train": Train, "predict": Predict, "evaluate": Evaluate, "export": Export, "page": Page,
    "summary": Summary, "doctor": Doctor, "verify": Verify,
}  # fmt: skip
_DATA_COMMANDS = {"prepare": Prepare, "list": List, "show": Show}
_DEBUG = "--debug"
_FRAME, _RULE = "╭╮╰╯│ ", "─-"
_HELP = ("Argument helptext", "For full helptext")
_DESCRIPTION = """Networks whose every gradient is derived by hand, trained with JAX.

ffnn-jax --version prints the version. With --debug a failure shows where it came from."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs ``ffnn-jax`` and exits: 0 done, 1 failed, 2 rejected, 3 diverged, 130 interrupted."""
    words = list(sys.argv[1:] if args is None else args)
    debug = _DEBUG in words
    words = [word for word in words if word != _DEBUG]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if words == ["--version"]:
        print(f"ffnn-jax {ffnn_jax.__version__}")
        return
    try:
        code = _parse(words or ["--help"])()
    except UserError as error:
        _leave(str(error), _USER_ERROR)
    except DivergedError as divergence:
        _leave(str(divergence), _DIVERGED)
    except RunInterruptedError as interruption:
        _leave(str(interruption), 128 + interruption.signal)
    except KeyboardInterrupt:
        _leave("interrupted", _INTERRUPTED)
    except OSError as error:
        sys.stdout = None  # it may be what failed: nothing more is written to it
        _leave(str(error), _FAILED)
    except Exception as error:  # what nobody foresaw is still one line
        if debug:
            raise
        first = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        _leave(f"{first} ({_DEBUG} shows where)", _FAILED)
    if code:
        sys.exit(code)


def _parse(words: list[str]) -> Callable[[], int]:
    """The command that the words describe.

    tyro explains a mistake in a box of several lines; it is said again in one.
    """
    app = _commands(_COMMANDS, brief=words[0] in ("-h", "--help"))
    app.command(_commands(_DATA_COMMANDS), name="data", help="Prepare, list and show data sets.")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return app.cli(prog="ffnn-jax", args=words, description=_DESCRIPTION)
    except SystemExit as end:
        if end.code:
            raise UserError(_in_one_line(said.getvalue())) from None
        raise


def _commands(commands: Mapping[str, type], brief: bool = False) -> SubcommandApp:
    """The commands by name; in brief each has the first line of its help."""
    app = SubcommandApp()
    for name, command in commands.items():
        first = str(command.__doc__).partition("\n")[0]
        app.command(name=name, help=first if brief else None)(command)
    return app


def _in_one_line(box: str) -> str:
    """The message in the box that tyro prints, with its hint, and without the help beside it.

    tyro 1.0 has no other way to its messages: it exits with a bare SystemExit(2), says nothing at
    all if console_outputs is False, and declares its hook for errors, tyro._errors, private to each
    release. So the box is read: a title, then blocks of lines between rules, the message first.
    """
    lines = [line.strip(_FRAME) for line in box.splitlines()]
    blocks = [
        " ".join(block)
        for is_rule, block in itertools.groupby(lines[1:], lambda line: not line.strip(_RULE))
        if not is_rule
    ]
    return "".join([*blocks[:1], *map(_hint, blocks[1:])]) or " ".join(box.split())


def _hint(block: str) -> str:
    """What a block beside the message tells the user in one line."""
    title, _, text = block.partition(": ")
    if title == "Available subcommands":
        return f"; the commands are: {text}"
    if title == "Perhaps you meant" or title.startswith("Arguments similar to"):
        return f"; did you mean {text.split()[0]}?"
    return "" if block.startswith(_HELP) else f" {block}"


def _leave(message: str, code: int) -> NoReturn:
    print(f"ffnn-jax: {message}", file=sys.stderr)
    sys.exit(code)
