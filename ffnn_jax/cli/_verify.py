"""``ffnn-jax verify``."""

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax.cli._files import require_writable
from ffnn_jax.cli._options import FILE, Flag, shown
from ffnn_jax.config import UserError, require_proof, require_run, suggestion


@dataclasses.dataclass(frozen=True)
class Verify:
    """Check hand-derived gradients: this package's layers, or your own functions.

    Without MODULE:OP, every layer must pass every check, and every planted fault must be caught;
    in the folder of a course, its chapters are checked instead, --layer NAME being one of them.
    RULES.py is a Python file that holds ffnn_jax.verify.Rule objects; each is checked.

    Example: ffnn-jax verify --layer conv2d

    Example: ffnn-jax verify --prove --layer batch_norm

    Example: ffnn-jax verify my_module:my_dense --reference my_module:reference --shapes "NxD DxK K"

    Exit codes: 0 everything passes, 1 something fails, 2 the options or the rules are invalid.
    """

    op: Annotated[
        tyro.conf.Positional[str | None], shown("MODULE:OP|RULES.py", "(default: all layers)")
    ] = None
    """Your function, importable from the current folder, or your file of rules."""

    reference: Annotated[str | None, shown("MODULE:REFERENCE", "(optional)")] = None
    """A reference implementation of MODULE:OP, differentiated by autodiff."""

    shapes: Annotated[str | None, shown("SHAPES", "(required with MODULE:OP)")] = None
    """Shape of each argument, as in "4x7 7x3 3"; "NxD DxK K" for random sizes; "N:int<K" for
    integers, "N:>0", "N:(0,1)", "NxN:spd", "N:perm", "N:simplex", "N:sorted", "N:bool",
    "N:complex" for such numbers; "key" for a random key."""

    batch: Annotated[str | None, shown("NAME", "(default: none)")] = None
    """The batch axis in SHAPES, to also check the function sharded over four devices."""

    layer: Annotated[str | None, shown("NAME", "(default: all)")] = None
    """Check only this layer of the package."""

    list_faults: Flag = False
    """List the planted faults without checking anything."""

    prove: Flag = False
    """Prove by algebra instead that the code computes the derivative, at small shapes."""

    primitives: Flag = False
    """List the operations of jax that a proof can interpret, without proving anything."""

    thorough: Flag = False
    """Check more sizes and values."""

    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Seed of all sizes and values."""

    timeout: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 600.0
    """Time limit for each of your rules; no check begins after 80 % of it, and what hangs fails."""

    json: Annotated[str | None, shown("FILE", "(default: none)")] = None
    """Also write the result as JSON; - for standard output."""

    figure: Annotated[str | None, FILE] = None
    """PNG file for a figure of the error, if one of your rules fails."""

    def __call__(self) -> int:
        """Runs the command; returns the exit code."""
        self._validate()
        require_writable(self.json, self.figure)
        if self.op is not None and not self.list_faults and not self.primitives:
            from ffnn_jax.cli._verify_run import verify_rules

            return verify_rules(dataclasses.asdict(self) | {"again": self._again()})

        if chapters := self._chapters():
            from ffnn_jax.cli._verify_course_run import verify_course

            return verify_course(chapters, self.json)

        from ffnn_jax.cli._verify_layers_run import list_faults, verify_layers

        if self.list_faults:
            return list_faults(self.layer)
        if self.prove or self.primitives:
            from ffnn_jax.cli._verify_proofs_run import list_primitives, prove_layers

            return list_primitives() if self.primitives else prove_layers(self.layer, self.json)
        return verify_layers(self.layer, self.seed, self.thorough, self.json)

    def _chapters(self) -> Sequence[str]:
        """The chapters to check of the course in the current folder; none elsewhere."""
        from ffnn_jax.course import course_chapters

        chapters = course_chapters(Path())
        if not chapters or self.list_faults or self.primitives:
            return ()
        require_run("the folder of a course")
        if self.thorough or self.seed or self.prove:
            raise UserError("in the folder of a course, verify takes only --layer and --json")
        if self.layer not in (None, *chapters):
            known = f"(known: {', '.join(chapters)}){suggestion(self.layer, chapters)}"
            raise UserError(f"--layer {self.layer}: not a chapter of this course {known}")
        return chapters if self.layer is None else (self.layer,)

    def _again(self) -> str:
        """The command line that repeats the checks."""
        words = ["ffnn-jax", "verify", str(self.op)]
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if value != field.default:
                words += [f"--{field.name}"] + [str(value)] * (value is not True)
        return shlex.join(words)

    def _validate(self) -> None:
        op, is_file = self.op or "", str(self.op).endswith(".py")
        if op and self.layer is not None:
            raise UserError("verify takes a function or --layer, not both")
        for name in ("reference", "shapes", "batch", "figure"):
            if getattr(self, name) is not None and not op:
                raise UserError(f"--{name} needs the function to check, as in verify MODULE:OP")
            if getattr(self, name) is not None and is_file and name != "figure":
                raise UserError(f"--{name} belongs to MODULE:OP; a Rule in {op} states its own")
        if is_file and not Path(op).is_file():
            near = suggestion(op, map(str, Path(op).parent.glob("*.py")))
            raise UserError(f"{op}: no such file of rules{near}")
        if op and not is_file and (":" not in op or self.shapes is None):
            raise UserError(f"verify needs MODULE:OP and --shapes, or a file RULES.py, got {op!r}")
        if self.figure is not None and not self.figure.endswith(".png"):
            raise UserError(f"figure must end in .png, got {self.figure!r}")
        if self.figure is not None:
            require_run("--figure")
        if self.prove or self.primitives:
            require_proof("--prove" if self.prove else "--primitives")
        if not self.timeout > 0:
            raise UserError(f"timeout must be above 0, got {self.timeout}")
        if not 0 <= self.seed < 2**31:
            raise UserError(f"seed must be from 0 to {2**31 - 1}, got {self.seed}")
