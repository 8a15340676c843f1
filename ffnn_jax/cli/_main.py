"""The entry point: subcommands, exit codes, and one line for whatever is refused."""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Sequence

from tyro.extras import SubcommandApp

import ffnn_jax
from ffnn_jax.cli._train import Train
from ffnn_jax.config import Refusal

_REFUSED, _DIVERGED, _INTERRUPTED = 2, 3, 130
_DESCRIPTION = "Networks whose every gradient is derived by hand, trained with JAX."


def main(args: Sequence[str] | None = None) -> None:
    """Runs ``ffnn-jax`` and exits: 0 done, 1 failed, 2 refused, 3 diverged, 130 interrupted."""
    words = list(sys.argv[1:] if args is None else args)
    if words == ["--version"]:
        print(f"ffnn-jax {ffnn_jax.__version__}")
        return
    try:
        _parse(words or ["--help"])()
    except Refusal as refusal:
        _leave(str(refusal), _REFUSED)
    except ArithmeticError as error:
        _leave(str(error), _DIVERGED)
    except KeyboardInterrupt:
        _leave("interrupted", _INTERRUPTED)


def _parse(words: list[str]) -> Callable[[], None]:
    """The command that the words describe.

    tyro explains a mistake in a box of several lines; it is said again in one.
    """
    app = SubcommandApp()
    app.command(name="train")(Train)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return app.cli(prog="ffnn-jax", args=words, description=_DESCRIPTION)
    except SystemExit as end:
        if end.code:
            raise Refusal(_in_one_line(said.getvalue())) from None
        raise


def _in_one_line(box: str) -> str:
    """The text in a box, without its frame and without the help that stands in it."""
    inside = [line.strip("│ ") for line in box.splitlines() if line.startswith("│")]
    text = " ".join(line for line in inside if line.strip("─"))
    text = re.sub(r" (Argument helptext|For full helptext).*", "", text)
    text = re.sub(r" Perhaps you meant: (--\S+).*", r"; did you mean \1?", text)
    return text.replace(" Available subcommands:", "; the commands are:")


def _leave(message: str, code: int) -> None:
    print(f"ffnn-jax: {message}", file=sys.stderr)
    sys.exit(code)
