"""``ffnn-jax verify``."""

import ast
import dataclasses
import shlex
from typing import Annotated, Any

import tyro

from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Verify:
    """Check hand-derived gradients: this package's layers, or a function of your own.

    Without OP every layer goes through every check, and every planted fault has to be caught.

    Example: ffnn-jax verify --layer conv2d

    Example: ffnn-jax verify my_module:my_dense --reference my_module:plain --shapes "NxD DxK K"

    Exit codes: 0 everything holds, 1 something fails, 2 the question is not understood.
    """

    op: Annotated[tyro.conf.Positional[str | None], shown("MODULE:OP", "(default: all layers)")] = (
        None
    )
    """Your function, importable from the current folder."""

    reference: Annotated[str | None, shown("MODULE:PLAIN", "(required with MODULE:OP)")] = None
    """Its plain definition, which autodiff differentiates."""

    shapes: Annotated[str | None, shown("SHAPES", "(required with MODULE:OP)")] = None
    """Each argument, as in "4x7 7x3 3"; or "NxD DxK K" for drawn sizes; "4:int<10" for whole
    numbers, "4:>0" for numbers above 0."""

    static: Annotated[tuple[str, ...], shown("NAME=VALUE", "(default: none)")] = ()
    """Settings that are no arrays, such as padding=1."""

    kink: Annotated[tuple[str, ...], shown("ARGUMENT=VALUE:SLOPE", "(default: none)")] = ()
    """A convention, such as x=0:0: where every entry of x is 0, dx is 0 times dz."""

    batch: Annotated[str | None, shown("NAME", "(default: none)")] = None
    """The name in SHAPES that is the batch, to check the function shared among four devices."""

    reduces: Annotated[str, tyro.conf.arg(metavar="sum|mean|mixed")] = "sum"
    """How an output without the batch depends on it; mixed: models depend on one another."""

    layer: Annotated[str | None, shown("NAME", "(default: all)")] = None
    """One layer of this package alone."""

    list_faults: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """List the planted faults, and check nothing."""

    thorough: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """More sizes and values."""

    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Decides all sizes and values."""

    json: Annotated[str | None, shown("FILE", "(default: none)")] = None
    """Write the result as JSON too; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; returns the exit code."""
        self._require_a_question()
        static = dict(_setting(text) for text in self.static)
        kinks = [_kink(text) for text in self.kink]
        require_writable(self.json)

        if self.list_faults or self.op is None:
            return self._layers()

        from ffnn_jax.cli._verify_run import verify_function

        return verify_function(
            self.op, str(self.reference), str(self.shapes), static=static, kinks=kinks,
            again=self._again(), json=self.json, seed=self.seed, batch=self.batch,
            reduces=self.reduces, shapes=8 if self.thorough else 4,
        )  # fmt: skip

    def _layers(self) -> int:
        from ffnn_jax.cli._verify_layers_run import list_faults, verify_layers

        if self.list_faults:
            return list_faults(self.layer)
        return verify_layers(self.layer, self.seed, self.thorough, self.json)

    def _again(self) -> str:
        """The command line that asks the same again."""
        words = ["ffnn-jax", "verify", str(self.op)]
        for field in dataclasses.fields(self)[1:]:
            value, name = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            if value != field.default:
                values = value if isinstance(value, tuple) else () if value is True else (value,)
                words += [name, *map(str, values)]
        return shlex.join(words)

    def _require_a_question(self) -> None:
        own = {"--reference": self.reference, "--shapes": self.shapes}
        for option, value in own.items():
            if self.op is not None and value is None:
                raise UserError(f"verify {self.op} needs {option}")
            if self.op is None and value is not None:
                raise UserError(f"{option} needs the function to check, as in verify MODULE:OP")
        if self.op is not None and self.layer is not None:
            raise UserError("verify takes a function or --layer, not both")
        if self.reduces not in ("sum", "mean", "mixed"):
            raise UserError(f"reduces must be sum, mean or mixed, got {self.reduces!r}")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"seed must be from 0 to {2**31 - 1}, got {self.seed}")


def _setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE; a value that is no Python literal is text."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise UserError(f"static must be NAME=VALUE, as in padding=1, got {text!r}")
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
        raise UserError(f"kink must be ARGUMENT=VALUE:SLOPE, as in x=0:0, got {text!r}") from None
