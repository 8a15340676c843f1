"""``ffnn-jax verify``: parse, and refuse what is no question."""

import ast
import dataclasses
from typing import Annotated, Any

import tyro

from ffnn_jax.cli._files import require_writable
from ffnn_jax.config import Refusal


def _option(metavar: str, hint: str) -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)


@dataclasses.dataclass(frozen=True)
class Verify:
    """Check hand-derived gradients: this package's layers, or a function of your own.

    Without OP every layer goes through every check, and every planted fault has to be caught.

    Example: ffnn-jax verify --layer conv2d

    Example: ffnn-jax verify my_module:my_dense --reference my_module:plain --shapes "NxD DxK K"

    Exit codes: 0 everything holds, 1 something fails, 2 the question is not understood.
    """

    op: Annotated[
        tyro.conf.Positional[str | None],
        _option("MODULE:OP", "(default: all layers)"),
    ] = None
    """Your function, importable from the current folder."""

    reference: Annotated[str | None, _option("MODULE:PLAIN", "(required with MODULE:OP)")] = None
    """Its plain definition, which autodiff differentiates."""

    shapes: Annotated[str | None, _option("SHAPES", "(required with MODULE:OP)")] = None
    """Each argument, as in "4x7 7x3 3"; or "NxD DxK K" for drawn sizes; "4:int<10" for whole
    numbers, "4:>0" for numbers above 0."""

    static: Annotated[tuple[str, ...], _option("NAME=VALUE", "(default: none)")] = ()
    """Settings that are no arrays, such as padding=1."""

    kink: Annotated[
        tuple[str, ...],
        _option("ARGUMENT=VALUE:SLOPE", "(default: none)"),
    ] = ()
    """A convention, such as x=0:0: where every entry of x is 0, dx is 0 times dz."""

    batch: Annotated[str | None, _option("NAME", "(default: none)")] = None
    """The name in SHAPES that is the batch, to check the function shared among four devices."""

    reduces: Annotated[str, tyro.conf.arg(metavar="sum|mean|mixed")] = "sum"
    """How an output without the batch depends on it; mixed: members depend on one another."""

    layer: Annotated[str | None, _option("NAME", "(default: all)")] = None
    """One layer of this package alone."""

    list_faults: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """List the planted faults, and check nothing."""

    thorough: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """More sizes and values."""

    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Decides all sizes and values."""

    json: Annotated[str | None, _option("FILE", "(default: none)")] = None
    """Write the result as JSON too; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; returns the exit code."""
        self._require_a_question()
        settings = dict(_setting(text) for text in self.static)
        kinks = [_kink(text) for text in self.kink]
        require_writable(self.json)

        from ffnn_jax.cli import _check, _prove

        if self.list_faults:
            return _prove.list_faults(self.layer)
        if self.op is None:
            return _prove.check_layers(self.layer, self.seed, self.thorough, self.json)
        return _check.check_own(self, settings, kinks)

    def _require_a_question(self) -> None:
        own = {"--reference": self.reference, "--shapes": self.shapes}
        for option, value in own.items():
            if self.op is not None and value is None:
                raise Refusal(f"verify {self.op} needs {option}")
            if self.op is None and value is not None:
                raise Refusal(f"{option} needs the function to check, as in verify MODULE:OP")
        if self.op is not None and self.layer is not None:
            raise Refusal("verify takes a function or --layer, not both")
        if self.reduces not in ("sum", "mean", "mixed"):
            raise Refusal(f"reduces must be sum, mean or mixed, got {self.reduces!r}")
        if not 0 <= self.seed < 2**31:
            raise Refusal(f"seed must be from 0 to {2**31 - 1}, got {self.seed}")


def _setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE; a value that is no Python literal is text."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise Refusal(f"static must be NAME=VALUE, as in padding=1, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _kink(text: str) -> tuple[str, float, float]:
    """ARGUMENT=VALUE:SLOPE."""
    name, _, numbers = text.partition("=")
    value, _, slope = numbers.partition(":")
    try:
        return name, float(value), float(slope)
    except ValueError:
        raise Refusal(f"kink must be ARGUMENT=VALUE:SLOPE, as in x=0:0, got {text!r}") from None
