"""Judges a student's chapters by the package's checks, and times their backwards.

References, arguments and checks are the catalogue's: a student's file gives the operation alone.
"""

import dataclasses
import importlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from ffnn_jax._errors import UserError
from ffnn_jax.catalogue import OpSpec
from ffnn_jax.catalogue.diagnosis import diagnose
from ffnn_jax.course._borrowed import borrowed, files_called, files_lent
from ffnn_jax.course._chapters import ALSO_REMOVED, TRAINING
from ffnn_jax.course._differences import difference_quotients
from ffnn_jax.course._mistakes import diagnose_function
from ffnn_jax.course._operations import load_chapter, operations_of, rows_of, spec_of
from ffnn_jax.course._points import WEIGHTS
from ffnn_jax.course._returned import problem_of_result
from ffnn_jax.course._training_checks import problem_of
from ffnn_jax.verify import VerificationResult, check_rules

_IN_THE_FIRST_SETTING = ("value", "cotangents", "differences", "zero", "kinks", "vmap", "float32")
_IN_OTHERS = ("value", "cotangents")
_ALSO_GRADED = tuple(name for name in WEIGHTS if name not in _IN_THE_FIRST_SETTING)
_NUMBERS = 1_500  # of all arguments together, for timing
_CALLS, _SECONDS = 15, 0.5


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What is known of an operation, or of a function of the chapter "training".

    Attributes:
        name: its name.
        state: "right", "wrong", "not written", "right in 2 of 7 settings", "right but for scan", or
            why it is not known.
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
    if operation.bwd is None:
        line = f"{name}.defvjp({name}_forward, {name}_backward)"
        return Judgement(name, "not wired", f"the line {line} is missing")
    try:
        return _judge_settings(known, operation)
    except Exception as error:
        return Judgement(name, "wrong", f"it raises {type(error).__name__}: {error}")


def _judge_settings(known: OpSpec, operation: Any) -> Judgement:
    spec = dataclasses.replace(known, op=operation)
    settings = range(len(spec.cases))
    written = [i for i in settings if _is_written(spec, i)]
    right = [i for i in written if _check(spec, i)]
    wrong = [i for i in written if i not in right]
    state, details = f"right in {len(right)} of {len(settings)} settings", ""
    if len(right) == len(settings):
        state = _right_but_for(known, spec)
    elif not right:
        state = "wrong" if wrong else "not written"
    if wrong:
        details = _details(spec, wrong[0], known)
    elif right and len(written) < len(settings):
        left = (_named(spec, i) for i in settings if i not in written)
        details = f"not written: {'; '.join(left)}"
    return Judgement(known.name, state, details, *_times(spec, [*right, 0][0], bool(right)))


def _right_but_for(known: OpSpec, spec: OpSpec) -> str:
    """Whether an operation that is right is also its own, and right in what is graded besides."""
    if remark := borrowed(files_called(spec), files_lent(known)):
        return f"right, but {remark}"
    failures = _check(spec, 0, _ALSO_GRADED).failures
    return f"right but for {', '.join(failures)}" if failures else "right"


def _is_written(spec: OpSpec, setting: int) -> bool:
    (rule, sizes), case = spec.rules()[setting], spec.cases[setting]
    try:
        jax.eval_shape(lambda *args: _pull(rule.op, args), *spec.draw_arguments(case, sizes[0]))
    except NotImplementedError:
        return False
    except Exception:
        pass  # the checks will say what it is
    return True


def _check(spec: OpSpec, setting: int, only: Sequence[str] = ()) -> VerificationResult:
    rule, sizes = spec.rules()[setting]
    only = only or (_IN_OTHERS if setting else _IN_THE_FIRST_SETTING)
    return check_rules(spec.name, [(rule, sizes[:1])], only=only, explained=False)


def _named(spec: OpSpec, setting: int) -> str:
    """A setting by its arguments, as in "with stride=2"; by shapes if it has none."""
    case = spec.cases[setting]
    named = ", ".join(f"{name}={value!r}" for name, value in case.static.items())
    shapes = ", ".join(case.arguments or spec.arguments)
    return f"with {named}" if named else f"with arguments {shapes}"


def _details(spec: OpSpec, setting: int, known: OpSpec) -> str:
    """What is wrong in a setting: of what is returned, or the table of its checks, and why."""
    lines = [f"{_named(spec, setting)}:"] if setting or spec.cases[0].static else []
    if problem := problem_of_result(spec, setting):
        return "\n".join([*lines, problem])
    found = diagnose(known, spec.op)
    lines.append(str(dataclasses.replace(_check(spec, setting), not_asked={})))
    return "\n".join(lines + [f"diagnosis: {found}"] * bool(found.mistakes))


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
