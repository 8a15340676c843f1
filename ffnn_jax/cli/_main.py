"""The entry point: subcommands, exit codes, and one-line error messages."""

import contextlib
import dataclasses
import functools
import io
import itertools
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from tyro.extras import SubcommandApp

import ffnn_jax
from ffnn_jax._errors import (
    DivergedError,
    FailedSeedsError,
    PeerLostError,
    RunInterruptedError,
    UserError,
)
from ffnn_jax._signals import print_nowhere
from ffnn_jax.cli._compare import Compare
from ffnn_jax.cli._course import Course
from ffnn_jax.cli._data import List, Prepare, Show
from ffnn_jax.cli._doctor import Doctor
from ffnn_jax.cli._evaluate import Evaluate
from ffnn_jax.cli._export import Export
from ffnn_jax.cli._page import Page
from ffnn_jax.cli._predict import Predict
from ffnn_jax.cli._summary import Summary
from ffnn_jax.cli._sweep import Sweep
from ffnn_jax.cli._train import Train
from ffnn_jax.cli._tune import Tune
from ffnn_jax.cli._verify import Verify
from ffnn_jax.config import Settings, require_run, suggestion, use_layers

_FAILED, _INTERRUPTED, _PIPE_CLOSED = 1, 130, 141
_WITH_CODES = (
    UserError, DivergedError, FailedSeedsError, PeerLostError, RunInterruptedError,
)  # fmt: skip
_COMMANDS = {
    "train": Train, "predict": Predict, "evaluate": Evaluate, "export": Export, "page": Page,
    "summary": Summary, "compare": Compare, "tune": Tune, "sweep": Sweep, "doctor": Doctor,
    "verify": Verify, "course": Course,
}  # fmt: skip
_DATA_COMMANDS = {"prepare": Prepare, "list": List, "show": Show}
_DEBUG, _LAYERS_FROM = "--debug", "--layers-from"
_FRAME, _RULE = "╭╮╰╯│ ", "─-"
_HELP = ("Argument helptext", "For full helptext", "Arguments are applied")
_APPLIED = re.compile(r" \(applied to [^)]*\)")
_TRAIN_ELSEWHERE = {  # other tools' names for train's options
    "--lr": "--learning-rate", "--epochs": "--steps", "--iterations": "--steps",
    "--wd": "--weight-decay", "--l2": "--weight-decay", "--bs": "--batch-size",
    "--dtype": "--precision", "--output": "--run-dir", "--out": "--run-dir",
}  # fmt: skip
_DESCRIPTION = """Neural networks with every gradient derived by hand, trained with JAX.

ffnn-jax --version prints the version. With --debug, an unexpected error shows its traceback.
With --layers-from MODULE, what was saved may have layers of your own module."""


def main(args: Sequence[str] | None = None) -> None:
    """Exits with 0 done, 1 failed, 2 rejected, 3 diverged, 4 peer lost, or 128 + the signal."""
    words = list(sys.argv[1:] if args is None else args)
    debug = _DEBUG in words
    words = [word for word in words if word != _DEBUG]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of folders of its own
    try:
        code = _run(words or ["--help"])
        print(end="", flush=True)  # a failure now has a message, one at the exit has none
    except BrokenPipeError:  # nobody reads on, as after "| head"
        print_nowhere(1)
        sys.exit(_PIPE_CLOSED)
    except _WITH_CODES as error:
        _exit(str(error), error.code)
    except KeyboardInterrupt:
        _exit("interrupted", _INTERRUPTED)
    except OSError as error:
        sys.stdout = None  # it may have failed: write nothing more to it
        _exit(str(error), _FAILED)
    except Exception as error:  # unexpected errors are one line, too
        if debug:
            raise
        layer = [note for note in getattr(error, "__notes__", []) if note.startswith("layer ")]
        first = ": ".join([*layer[:1], type(error).__name__, *str(error).splitlines()[:1]])
        _exit(f"{first} ({_DEBUG} shows where)", _FAILED)
    if code:
        sys.exit(code)


def _run(words: list[str]) -> int:
    if words == ["--version"]:
        print(f"ffnn-jax {ffnn_jax.__version__}")
        return 0
    command = _parse(_with_layers(words))
    if not isinstance(command, Verify):
        require_run(words[0])
    return command()


def _with_layers(words: list[str]) -> list[str]:
    """The words without --layers-from and its modules, whose layers are known from now on."""
    at = next((i for i, word in enumerate(words) if word.partition("=")[0] == _LAYERS_FROM), None)
    if at is None:
        return words
    modules, *others = [*filter(None, [words[at].partition("=")[2]]), *words[at + 1 :], ""]
    if not modules:
        raise UserError("layers-from needs the name of a module, as in --layers-from my_layers")
    use_layers(modules)
    return [*words[:at], *others[:-1]]


def _parse(words: list[str]) -> Callable[[], int]:
    """The command of a command line; tyro's errors, a box of several lines, become one line."""
    app = _commands(_COMMANDS, brief=words[0] in ("-h", "--help"))
    app.command(_commands(_DATA_COMMANDS), name="data", help="Prepare, list and show data sets.")
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return app.cli(prog="ffnn-jax", args=words, description=_DESCRIPTION)
    except SystemExit as end:
        if end.code:
            message, hint = _unboxed(errors.getvalue()), _elsewhere(words)
            own = [f"; did you mean {word}?" for word in words]  # of another command
            message = functools.reduce(lambda text, one: text.replace(one, ""), own, message)
            raise UserError(message.partition("; did you")[0] + hint if hint else message) from None
        print(end="", flush=True)  # the help
        raise


def _commands(commands: Mapping[str, type], brief: bool = False) -> SubcommandApp:
    """The commands by name; in brief help, each shows only the first line of its help text."""
    app = SubcommandApp()
    for name, command in commands.items():
        first = str(command.__doc__).partition("\n")[0]
        app.command(name=name, help=first if brief else None)(command)
    return app


def _unboxed(box: str) -> str:
    """Extracts the message and hint from tyro's error box, without the help beside them.

    tyro 1.0 offers no other access to its messages: it exits with a bare SystemExit(2), prints
    nothing if console_outputs is False, and its error hook, tyro._errors, is private and may change
    in any release. So the box is parsed: a title, then blocks between rules, the message first.
    """
    lines = [line.strip(_FRAME) for line in box.splitlines()]
    blocks = [
        " ".join(block)
        for is_rule, block in itertools.groupby(lines[1:], lambda line: not line.strip(_RULE))
        if not is_rule
    ]
    message = "".join([*blocks[:1], *map(_hint, blocks[1:])]) or " ".join(box.split())
    return _APPLIED.sub("", message)


def _hint(block: str) -> str:
    """The one-line form of a block that follows the message."""
    title, _, text = block.partition(": ")
    if title == "Available subcommands":
        return f"; the commands are: {text}"
    if title == "Perhaps you meant" or title.startswith("Arguments similar to"):
        return f"; did you mean {text.split()[0]}?"
    return "" if block.startswith(_HELP) else f" {block}"


def _elsewhere(words: list[str]) -> str:
    """A hint at the command meant, or where an option is found that other tools call otherwise."""
    options = [word.partition("=")[0] for word in words]
    if words[0] not in (commands := (*_COMMANDS, "data")):
        return suggestion(words[0], commands)
    kept = {f"--{f.name.replace('_', '-')}" for f in dataclasses.fields(Settings)}
    kept -= {f"--{f.name.replace('_', '-')}" for f in dataclasses.fields(Train)}
    if words[0] == "train" and (known := kept.intersection(options)):
        return f"; {min(known)[2:].replace('-', '_')} is set in a settings file (.toml) alone"
    names = [_TRAIN_ELSEWHERE.get(option) for option in options if words[0] == "train"]
    names += ["--shape" for option in options if words[0] == "summary" and option == "--dataset"]
    names += [_LAYERS_FROM for option in options if re.match("--layers?[-_]?f", option)]
    return next((f"; did you mean {name}?" for name in names if name), "")


def _exit(message: str, code: int) -> NoReturn:
    print(f"ffnn-jax: {message}", file=sys.stderr)
    sys.exit(code)
