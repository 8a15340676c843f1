"""Runs the checks on a rule, in one setting or several."""

import contextlib
import dataclasses
import functools
import inspect
import math
import os
import textwrap
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify import _dtypes, _sharded, _transforms, _values
from ffnn_jax.verify._arguments import Argument, Sizes, at_sizes
from ffnn_jax.verify._compare import all_finite
from ffnn_jax.verify._conventions import undeclared_conventions
from ffnn_jax.verify._differences import check_differences
from ffnn_jax.verify._explain import code_of, explain, failing_program, looks_deliberate
from ffnn_jax.verify._layout import calls_backward_of
from ffnn_jax.verify._result import CHECKS, Check, VerificationResult, failure, one_line, worst_of
from ffnn_jax.verify._rule import DTYPES, Function, Kink, Rule, name_of, require_choice
from ffnn_jax.verify._subject import Subject
from ffnn_jax.verify._values import check_magnitudes

_CHECKS_AT_ALL_SIZES = {
    "value": _values.check_value, "cotangents": _values.check_cotangents,
    "differences": check_differences, "adjoint": _values.check_adjoint,
    "exact": _values.check_exact, "linearity": _values.check_linearity,
    "zero": _values.check_zero,
}  # fmt: skip
_CHECKS_AT_FIRST_SIZES = {
    "kinks": _values.check_kinks, "primal": _values.check_primal, "magnitudes": check_magnitudes,
    "empty batch": _values.check_empty_batch, "jit": _transforms.check_jit,
    "partial": _transforms.check_partial, "vmap": _transforms.check_vmap,
    "scan": _transforms.check_scan, "remat": _transforms.check_remat,
    "jvp": _transforms.check_jvp, "grad of grad": _transforms.check_second_order,
}  # fmt: skip
_SCALED = ("jvp", "grad of grad")
_FAR = {*_SCALED, *_dtypes.DTYPES}  # these go to other magnitudes with "magnitudes"
_FIRST_SETTING_ONLY = {"jit", *_dtypes.DTYPES}
_NOT_APPLICABLE = {
    "linearity": "the stated backward is not linear",
    "zero": "the stated backward does not map 0 to 0",
    "partial": "one argument, one output",
    "magnitudes": "the reference is not finite at other magnitudes",
}
_BASIC = {"value", "cotangents", "differences"}
_LIBRARIES = ("/jax/", "/jaxlib/", "/ffnn_jax/verify/", "/numpy/", "<frozen")
_SIZES = 4
_DOMAIN_DRAWS = 20
_Task = tuple[str, Callable[[], Iterable[Check]]]


def check_vjp(
    op: Function | Rule, reference: Function | None = None, *arguments: Any,
    draw: Function | None = None, batch: str | None = None, backward: Function | None = None,
    kinks: Sequence[Kink] = (), order: int = 2, dtypes: Sequence[str] = DTYPES,
    rtol: float | None = None, skip: Mapping[str, str] | None = None,
    sizes: Sequence[Sizes] | None = None,
    seed: int = 0, only: Sequence[str] = CHECKS, timeout: float | None = None,
) -> VerificationResult:  # fmt: skip
    """Compares a differentiable function with its reference implementation, check by check.

    Args:
        op: the function, usually a ``jax.custom_vjp`` or ``jax.custom_jvp``; or a ``Rule``, which
            says everything but ``seed``, ``only`` and ``timeout``.
        reference: the same function in ordinary JAX operations, differentiated by autodiff; None
            leaves finite differences and the properties of every backward.
        *arguments: one description per argument: "NxD" (real numbers; a name stands for the same
            size wherever it occurs), "4x7", "N:int<K", "N:>0", "N:(0,1)", "NxN:spd", "N:perm",
            "N:simplex", "N:sorted", "N:bool", "N:complex", "key"; an array, which is used as it
            is; a pytree of these; or a static value (a string as ``Static("same")``).
        draw: draws all arguments instead, ``draw(generator, sizes)``.
        batch: the name of the batch axis; it must come first in each argument that has it.
        backward: the intended backward ``(args, dz)`` of a function whose backward is not the
            derivative on purpose.
        kinks: points where the derivative is a convention, with that convention.
        order: 1 if the function is meant to be differentiated once only.
        dtypes: the dtypes that it supports.
        rtol: the relative tolerance in float64, if not that of rounding.
        skip: names of checks not to run, each with the reason.
        sizes: sets of sizes for the names, smallest first, instead of sampled ones.
        seed: seed of all sizes and values.
        only: names of the checks to run, from ``CHECKS``; without "magnitudes", the others stay at
            ordinary arguments, too.
        timeout: seconds after which no further check is started.

    Raises:
        ValueError: an argument's description, a check or another option is invalid, or the
            functions cannot be called with such arguments.
    """
    for name in only:
        require_choice("only", name, CHECKS)
    if not only:
        raise ValueError(f"only: names no check (known: {', '.join(CHECKS)})")
    rule = op if isinstance(op, Rule) else Rule(
        op, reference, arguments, draw=draw, batch=batch, backward=backward, kinks=tuple(kinks),
        order=order, dtypes=tuple(dtypes), rtol=rtol, skip=skip or {}, sizes=sizes,
    )  # fmt: skip
    result = check_rules(rule.title, [(rule, rule.sample_sizes(seed, _SIZES))], seed, only, timeout)
    failed = set(result.failures)
    if "magnitudes" in only and failed & _FAR:  # they may have failed at other magnitudes
        failed.add("magnitudes")
    again = _again(op, rule, seed, [name for name in CHECKS if name in failed])
    return dataclasses.replace(result, again=again)


def assert_vjp(
    op: Function | Rule, reference: Function | None = None, *arguments: Any, **settings: Any
) -> None:
    """Raises AssertionError with the result table unless every check of ``check_vjp`` passes."""
    __tracebackhide__ = True  # pytest shows the line of the test
    result = check_vjp(op, reference, *arguments, **settings)
    if not result:
        raise AssertionError(str(result))


def check_rules(
    title: str, rules: Sequence[tuple[Rule, Sequence[Sizes]]], seed: int = 0,
    only: Sequence[str] = CHECKS, timeout: float | None = None, explained: bool = True,
) -> VerificationResult:  # fmt: skip
    """Checks one operation in several settings, each with its own sizes, as a single result.

    The checks that cost most and depend least on the settings run in the first only: "jit", which
    compiles operation by operation, the dtypes, and the multi-device checks. ``explained`` is
    whether to judge the domain, and to look for conventions and a failing input.
    """
    rule, sizes = rules[0]
    subject = _subject(rule, *sizes[0].items())
    with subject.on_cpu():
        refusal = _unusable(subject, sizes[0], seed) if explained else None
    if refusal is not None:
        rest = {name: f"{refusal.name} fails" for name in CHECKS if name != refusal.name}
        return VerificationResult(title, (refusal,), rest)
    outside = [s for s in sizes[1:] if explained and _is_outside(subject, s, seed)]
    rules = [(rule, [s for s in its_sizes if s not in outside]) for rule, its_sizes in rules]
    not_asked = _not_asked(subject, sizes[0], only)
    asked = {name for name in only if name not in not_asked}
    sharded = _sharded.ShardedChecks(rule, sizes[0], seed) if asked & {*_sharded.NAMES} else None
    run = _Run(time.monotonic() + (math.inf if timeout is None else timeout))
    for i, (setting, its_sizes) in enumerate(rules):
        of_one = _subject(setting, *its_sizes[0].items())
        without = {*_FIRST_SETTING_ONLY, *_not_asked(of_one, its_sizes[0], only)} if i else ()
        run.all(of_one, its_sizes, seed, asked.difference(without))
    if sharded is not None:
        found = sharded.results(max(run.deadline - time.monotonic(), 1))
        run.rows += [row for row in found if row.name in asked]
    by_name = {name: [row for row in run.rows if row.name == name] for name in CHECKS}
    checks = tuple(worst_of(rows) for rows in by_name.values() if rows)
    reasons = dict.fromkeys(asked, "does not apply") | _NOT_APPLICABLE | not_asked | run.not_asked
    reasons = {name: reasons[name] for name, rows in by_name.items() if not rows}
    found = _explained(subject, checks, sizes[0], seed, outside) if explained else {}
    return VerificationResult(
        title, checks, reasons, details=tuple(explain(checks)), timed_out=run.timed_out,
        stated=rule.backward is not None, **found,
    )  # fmt: skip


@dataclasses.dataclass
class _Run:
    """Runs checks one after another; an exception becomes a failure with a one-line note."""

    deadline: float
    rows: list[Check] = dataclasses.field(default_factory=list)
    not_asked: dict[str, str] = dataclasses.field(default_factory=dict)
    raised: dict[str, str] = dataclasses.field(default_factory=dict)
    timed_out: bool = False

    def all(self, subject: Subject, sizes: Sequence[Sizes], seed: int, chosen: set[str]) -> None:
        """Runs the chosen checks of one setting."""
        for name, check in _tasks(subject, sizes, seed, "magnitudes" in chosen):
            if name not in chosen:
                continue
            if time.monotonic() > self.deadline:
                self.not_asked[name], self.timed_out = "the time limit was reached", True
                continue
            try:
                # The dtypes of training are checked where one trains, on the default device.
                with contextlib.nullcontext() if name in _dtypes.DTYPES else subject.on_cpu():
                    self.rows += list(check())
            except _dtypes.UnsupportedDtypeError as error:
                self.not_asked[name] = f"not supported: {error}"
            except Exception as error:
                text = one_line(error)
                first = self.raised.setdefault(text, name)
                note = f"{text} ({_raiser(error)})" if first == name else f"as in {first}"
                self.rows.append(failure(name, note))


@functools.lru_cache(maxsize=16)
def _subject(rule: Rule, *sizes: tuple[str, int]) -> Subject:
    """One subject for all seeds, so that its programs are compiled once."""
    return Subject.of(rule, dict(sizes))


def _tasks(subject: Subject, sizes: Sequence[Sizes], seed: int, scaled: bool) -> Iterator[_Task]:
    """The checks of one setting, as functions without arguments."""
    independent = 2 if subject.reference is not None else len(sizes)
    for name, check in _CHECKS_AT_ALL_SIZES.items():
        for selected in sizes[:independent] if name in ("value", "differences") else sizes:
            yield name, functools.partial(check, subject, selected, seed)
    for name, check in _CHECKS_AT_FIRST_SIZES.items():
        options = {"scaled": scaled} if name in _SCALED else {}
        yield name, functools.partial(check, subject, sizes[0], seed, **options)
    for dtype in _dtypes.DTYPES:
        both = (sizes[0], sizes[-1])[: 1 if dtype == "float16" else len(sizes)]
        for i, selected in enumerate(both):
            options = subject, dtype, selected, seed, scaled and i == 0, i == 0
            yield dtype, functools.partial(_dtypes.check_dtype, *options)


def _unusable(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A failed row if the outputs differ in shape, or if the draws leave the domain."""
    rule = subject.rule
    if rule.backward is not None:  # the operation's own could not disagree
        args, dz = subject.draw_pair(np.random.default_rng(0), sizes)
        if calls_backward_of(rule.backward, rule.op, subject.layout.arguments(args), dz):
            wrong = "backward= calls the backward of the operation"
            raise ValueError(f"{wrong}; write the intended one independently")
    if mismatch := _shape_mismatch(subject, sizes):
        return failure("value", mismatch)
    generator = np.random.default_rng(seed)
    drawn = [subject.draw_pair(generator, sizes) for _ in range(_DOMAIN_DRAWS)]
    outside = sum(not all_finite(subject.reference_pull(*pair)) for pair in drawn)
    names = ("reference", "value") if subject.reference else ("operation", "differences")
    note = (
        f"outside the domain: the {names[0]} is not finite in "
        f"{100 * outside // _DOMAIN_DRAWS} % of draws; describe the arguments, "
        'as in "N:>0" or "N:(0,1)", or give draw='
    )
    return failure(names[1], note) if outside else None


def _is_outside(subject: Subject, sizes: Sizes, seed: int) -> bool:
    """Whether the reference is not finite at these sizes, as a deviation of one number may be."""
    drawn = subject.draw_pair(np.random.default_rng(seed), sizes)
    with contextlib.suppress(Exception):  # the rows will say what is wrong
        return not all_finite(subject.reference_pull(*drawn))
    return False


def _shape_mismatch(subject: Subject, sizes: Sizes) -> str:
    """A description of how the output shapes differ, or ""; rejects invalid arguments."""
    try:
        args = subject.draw(np.random.default_rng(0), sizes)
    except MemoryError as error:
        raise ValueError(f"check_vjp: the arguments do not fit in memory ({error})") from None
    ours = _output_shapes("operation", subject, subject.outputs, args)
    theirs = _output_shapes("reference", subject, subject.reference_outputs, args)
    if not jax.tree.leaves(jax.eval_shape(subject.op, *args)):
        raise ValueError("check_vjp: no output is real or complex, so there is no gradient")
    return "" if ours == theirs else f"the output shape is {ours}, the reference's {theirs}"


def _output_shapes(who: str, subject: Subject, function: Function, args: Any) -> str:
    try:
        outputs = jax.eval_shape(function, *args)
    except Exception as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" ...")
        passed = ", ".join(str(arg.shape) for arg in args)
        text = f"called with shapes {passed} ({type(error).__name__}: {reason})"
        if "Tracer" in f"{text} {error}" and "nondiff_arg" in str(error):
            text += "; an array must not be in nondiff_argnums: pass it as an ordinary argument, "
            text += "and return None as its cotangent"
        raise ValueError(f"check_vjp: the {who} cannot be {text}") from error
    shapes = jax.tree.map(lambda leaf: leaf.shape, outputs)
    return str(shapes if jax.tree.leaves(outputs[1]) else shapes[0])


def _not_asked(subject: Subject, sizes: Sizes, only: Sequence[str]) -> dict[str, str]:
    """The checks that do not apply, or were not chosen, with the reason."""
    rule, on_devices = subject.rule, _sharded.NAMES
    described = any(word.is_real for word in rule.words)
    in_words = rule.draw is None and all(isinstance(a, Argument) for a in rule.arguments)
    cannot_import = None in map(_sharded.import_path, (rule.op, rule.reference))
    has_complex = any(word.domain == "complex" for word in rule.words)
    rows = (  # the first reason counts
        (rule.reduces == "mixed", ["shard_map"], "examples depend on one another"),
        (True, set(_dtypes.DTYPES) - set(rule.dtypes), "not among dtypes="),
        (has_complex, ["bfloat16", "float16"], "no complex numbers of half precision"),
        (rule.backward is not None, ["differences", "adjoint", "jvp"], "backward= is stated"),
        (rule.reference is None, ["value"], "no reference"),
        (subject.reference is None, ["cotangents", "exact", "empty batch"], "no reference"),
        (True, set(CHECKS) - set(only), "not among only="),
        (not rule.linear, ["adjoint"], "no linear="),
        (not rule.exact, ["exact"], "no exact="),
        (not rule.kinks, ["kinks"], "none declared"),
        (not (rule.empty_batch and rule.batch), ["empty batch"], "no empty_batch="),
        (rule.order == 1, ["grad of grad"], "order=1"),
        (not described, ["magnitudes"], "no argument is described by text"),
        (rule.batch is None, on_devices, "no batch="),
        (not in_words, on_devices, "only where each argument is described by text"),
        (rule.backward is not None or rule.reference is None, on_devices, "only with a reference"),
        (cannot_import, on_devices, "only for functions that can be imported"),
        (_sharded.IN_SUBPROCESS in os.environ, on_devices, "already in a subprocess"),
    )
    reasons = dict(rule.skip)
    for applies, names, reason in rows:
        reasons = dict.fromkeys(names if applies else (), reason) | reasons
    if "jvp" not in reasons and not _transforms.has_forward_mode(subject, sizes):
        reasons["jvp"] = "a custom_vjp has no forward mode"
    return reasons


def _explained(
    subject: Subject, checks: Sequence[Check], sizes: Sizes, seed: int, outside: Sequence[Sizes]
) -> dict[str, Any]:
    """The conventions, the remarks and the smallest failing input of a result."""
    failed, found = {check.name for check in checks if not check.passed}, {}
    with subject.on_cpu():
        if not _BASIC & failed:
            try:
                found["conventions"] = tuple(undeclared_conventions(subject, sizes, seed))
            except Exception as error:
                found["conventions"] = (f"not found out ({type(error).__name__})",)
        if failed:
            with contextlib.suppress(Exception):  # the failure itself has been reported
                found["failing_input"] = failing_program(subject, checks)
        return found | {"remarks": tuple(_remarks(subject, checks, outside))}


def _remarks(subject: Subject, checks: Sequence[Check], outside: Sequence[Sizes]) -> Iterator[str]:
    """What makes a comparison say less than it seems to."""
    yield from (f"the reference is not finite{at_sizes(s)}: not compared there" for s in outside)
    rule = subject.rule
    args = subject.draw(np.random.default_rng(0), rule.sample_sizes(0, 1)[0])
    if rule.reference is rule.op and rule.backward is None:
        yield "the reference is the operation itself, so only differences are independent"
    if rule.backward is None and looks_deliberate(checks):
        yield "if the backward is not meant to be the derivative, state the intended one: backward="
    with contextlib.suppress(Exception):
        jaxpr = str(jax.make_jaxpr(subject.op)(*args))
        if "custom_vjp" not in jaxpr and "custom_jvp" not in jaxpr:
            yield "the operation has no rule of its own: autodiff differentiates it"


def _raiser(error: Exception) -> str:
    """The innermost line outside of jax and this package that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not any(p in f.filename for p in _LIBRARIES)]
    names = [f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}, {f.name}" for f in theirs[-1:]]
    return names[0] if names else "raised by jax"


def _again(op: Any, rule: Rule, seed: int, chosen: Sequence[str]) -> str:
    """The call that runs the chosen checks again."""
    if isinstance(op, Rule):
        return f"check_vjp({rule.title}, seed={seed}, only={list(chosen)})"
    stated = ("batch", "kinks", "order", "dtypes", "rtol", "sizes")
    settings = {name: getattr(rule, name) for name in stated} | {"seed": seed, "only": [*chosen]}
    defaults = inspect.signature(check_vjp).parameters
    changed = [f"{k}={v!r}" for k, v in settings.items() if v != defaults[k].default]
    plain = rule.reference and getattr(op, "fun", None) is rule.reference  # under a custom_vjp
    other = f"{name_of(op)}.fun" if plain else rule.reference and name_of(rule.reference)
    texts = jax.tree.map(lambda a: str(a) if isinstance(a, Argument) else a, rule.arguments)
    described = [code_of(text) or repr(text) for text in texts]
    return f"check_vjp({', '.join([name_of(op), str(other), *described, *changed])})"
