"""``ffnn-jax verify``."""

import ast
import dataclasses
import shlex
from typing import Annotated, Any

import tyro

from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import Flag, shown
from ffnn_jax.config import UserError


@dataclasses.dataclass(frozen=True)
class Verify:
    """Check hand-derived gradients: this package's layers, or your own function.

    Without MODULE:OP, every layer must pass every check, and every planted fault must be caught.

    Example: ffnn-jax verify --layer conv2d

    Example: ffnn-jax verify my_module:my_dense --reference my_module:reference --shapes "NxD DxK K"

    Exit codes: 0 everything passes, 1 something fails, 2 the options are invalid.
    """

    op: Annotated[tyro.conf.Positional[str | None], shown("MODULE:OP", "(default: all layers)")] = (
        None
    )
    """Your function, importable from the current folder."""

    reference: Annotated[str | None, shown("MODULE:REFERENCE", "(required with MODULE:OP)")] = None
    """Its reference implementation, differentiated by autodiff."""

    shapes: Annotated[str | None, shown("SHAPES", "(required with MODULE:OP)")] = None
    """Shape of each argument, as in "4x7 7x3 3"; "NxD DxK K" for random sizes; "4:int<10" for
    integers, "4:>0" for positive numbers."""

    static: Annotated[tuple[str, ...], shown("NAME=VALUE", "(default: none)")] = ()
    """Static (non-array) arguments, such as padding=1."""

    kink: Annotated[tuple[str, ...], shown("ARGUMENT=VALUE:SLOPE", "(default: none)")] = ()
    """A convention at a kink, such as x=0:0: where every entry of x is 0, dx is 0 times dz."""

    batch: Annotated[str | None, shown("NAME", "(default: none)")] = None
    """The batch axis in SHAPES, to also check the function sharded over four devices."""

    reduces: Annotated[str, tyro.conf.arg(metavar="sum|mean|mixed")] = "sum"
    """How outputs without the batch axis reduce over it; mixed: examples depend on one another."""

    layer: Annotated[str | None, shown("NAME", "(default: all)")] = None
    """Check only this layer of the package."""

    list_faults: Flag = False
    """List the planted faults without checking anything."""

    thorough: Flag = False
    """Check more sizes and values."""

    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Seed of all sizes and values."""

    json: Annotated[str | None, shown("FILE", "(default: none)")] = None
    """Also write the result as JSON; - for standard output."""

    def __call__(self) -> int:
        """Runs the command; returns the exit code."""
        self._validate()
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
        """The command line that repeats the checks."""
        words = ["ffnn-jax", "verify", str(self.op)]
        for field in dataclasses.fields(self)[1:]:
            value, name = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            if value != field.default:
                values = value if isinstance(value, tuple) else () if value is True else (value,)
                words += [name, *map(str, values)]
        return shlex.join(words)

    def _validate(self) -> None:
        required = {"--reference": self.reference, "--shapes": self.shapes}
        for option, value in required.items():
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
    """Parses NAME=VALUE; a value that is not a Python literal is a string."""
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise UserError(f"static must be NAME=VALUE, as in padding=1, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _kink(text: str) -> tuple[str, float, float]:
    """Parses ARGUMENT=VALUE:SLOPE."""
    name, _, numbers = text.partition("=")
    value, _, slope = numbers.partition(":")
    try:
        return name, float(value), float(slope)
    except ValueError:
        raise UserError(f"kink must be ARGUMENT=VALUE:SLOPE, as in x=0:0, got {text!r}") from None
