"""Judges a student's chapters by the package's checks, and times their backwards.

References, arguments and checks are the catalogue's: a student's file gives the operation alone.
"""

import dataclasses
import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from ffnn_jax._errors import UserError
from ffnn_jax.catalogue import OpSpec
from ffnn_jax.catalogue.diagnosis import diagnose
from ffnn_jax.course._chapters import ALSO_REMOVED, TRAINING
from ffnn_jax.course._differences import difference_quotients
from ffnn_jax.course._mistakes import diagnose_function
from ffnn_jax.course._operations import load_chapter, operations_of, rows_of, spec_of
from ffnn_jax.course._training_checks import problem_of
from ffnn_jax.verify import VerificationResult, check_rules

# Half precision is left out: it says more of dtypes than of the derivation.
_IN_THE_FIRST_SETTING = ("value", "cotangents", "differences", "zero", "kinks", "vmap", "float32")
_IN_OTHERS = ("value", "cotangents")
_NUMBERS = 1_500  # of all arguments together, for timing
_CALLS, _SECONDS = 15, 0.5


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What is known of an operation, or of a function of the chapter "training".

    Attributes:
        name: its name.
        state: "right", "wrong", "not written", "right in 2 of 7 settings", or why it is not known.
        details: what is wrong.
        differences: seconds of its backward by central differences, if it was timed.
        seconds: seconds of the student's backward, if it is right.
    """

    name: str
    state: str
    details: str = ""
    differences: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        """One row, and what is wrong below it."""
        row = f"{self.name:<24}{self.state:<26}"
        if self.differences is not None:
            row += f"{1e3 * self.differences:9.3f} ms by differences"
            if self.seconds is not None:
                times = f"{self.differences / self.seconds:,.0f} times as fast"
                row += f", {1e3 * self.seconds:.3f} ms by yours: {times}"
        return "\n".join([row.rstrip(), *filter(None, [self.details])])


def judge_chapter(file: Path | str) -> Iterator[Judgement]:
    """Judges the operations of a chapter, or its functions, one after another."""
    chapter = Path(file).stem
    try:
        module = load_chapter(file)
    except UserError as error:
        yield Judgement(chapter, "cannot be read", str(error))
        return
    functions = ALSO_REMOVED[TRAINING] if chapter == TRAINING else ()
    for name in functions or operations_of(importlib.import_module(f"ffnn_jax.layers._{chapter}")):
        theirs = getattr(module, name, None)
        if theirs is None:
            yield Judgement(name, "missing")
        else:
            yield _judge_function(name, theirs) if functions else _judge(name, theirs)


def _judge_function(name: str, function: Callable[..., Any]) -> Judgement:
    try:
        problem = problem_of(name, function)
    except NotImplementedError:
        return Judgement(name, "not written")
    except Exception as error:
        return Judgement(name, "wrong", f"it raises {type(error).__name__}: {error}")
    if not problem:
        return Judgement(name, "right")
    found = str(diagnose_function(name, function))
    return Judgement(name, "wrong", problem + f"\ndiagnosis: {found}" * (found != problem))


def _judge(name: str, operation: Any) -> Judgement:
    """Checks an operation in every setting, and times it in the first that is right."""
    known = spec_of(name)
    if known is None or not isinstance(operation, jax.custom_vjp):
        return Judgement(name, "not a custom_vjp of ffnn_jax.layers")
    spec = dataclasses.replace(known, op=operation)
    settings = range(len(spec.cases))
    written = [i for i in settings if _is_written(spec, i)]
    right = [i for i in written if _check(spec, i)]
    wrong = [i for i in written if i not in right]
    state = f"right in {len(right)} of {len(settings)} settings"
    if len(right) in (0, len(settings)):
        state = "right" if right else "wrong" if wrong else "not written"
    details = ""
    if wrong:
        details = f"{_details(spec, wrong[0])}\ndiagnosis: {diagnose(known, operation)}"
    return Judgement(name, state, details, *_times(spec, [*right, 0][0], bool(right)))


def _is_written(spec: OpSpec, setting: int) -> bool:
    (rule, sizes), case = spec.rules()[setting], spec.cases[setting]
    try:
        jax.eval_shape(lambda *args: _pull(rule.op, args), *spec.draw_arguments(case, sizes[0]))
    except NotImplementedError:
        return False
    except Exception:
        pass  # the checks will say what it is
    return True


def _check(spec: OpSpec, setting: int, explained: bool = False) -> VerificationResult:
    rule, sizes = spec.rules()[setting]
    only = _IN_OTHERS if setting else _IN_THE_FIRST_SETTING
    return check_rules(spec.name, [(rule, sizes[:1])], only=only, explained=explained)


def _details(spec: OpSpec, setting: int) -> str:
    """The table of the checks of a setting that fails."""
    named = ", ".join(f"{name}={value!r}" for name, value in spec.cases[setting].static.items())
    result = dataclasses.replace(_check(spec, setting, explained=True), not_asked={})
    return "\n".join([*([f"with {named}:"] if named else []), str(result)])


def _times(spec: OpSpec, setting: int, right: bool) -> tuple[float, float | None]:
    """Seconds of the backward by differences, and of the student's if it is right."""
    case, (rule, _) = spec.cases[setting], spec.rules()[setting]
    sizes, drawn = case.sizes[0], []
    while sum(array.size for array in drawn) < _NUMBERS:
        drawn = spec.draw_arguments(case, sizes)
        sizes = {name: 2 * size for name, size in sizes.items()}
    args = [jnp.asarray(a, "float32" if a.dtype.kind == "f" else None) for a in drawn]

    def forward(*args: jax.Array) -> Any:
        return spec.op.fwd(*args, *case.static.values())[0]

    def by_differences(*args: jax.Array) -> Any:
        dz = jax.tree.map(jnp.ones_like, forward(*args))
        return difference_quotients(forward, args, dz, rows_of(spec))

    own = _median_seconds(lambda *args: _pull(rule.op, args), args) if right else None
    return _median_seconds(by_differences, args), own


def _pull(operation: Callable[..., Any], args: Any) -> Any:
    """All cotangents of real arguments."""
    z, pull = jax.vjp(operation, *args)
    return [d for d in pull(jax.tree.map(jnp.ones_like, z)) if d.dtype != jax.dtypes.float0]


def _median_seconds(function: Callable[..., Any], args: list[jax.Array]) -> float:
    compiled, taken = jax.jit(function), []
    jax.block_until_ready(compiled(*args))
    while not taken or (len(taken) < _CALLS and sum(taken) < _SECONDS):
        begun = time.perf_counter()
        jax.block_until_ready(compiled(*args))
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)
