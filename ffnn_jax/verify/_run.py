"""Runs the checks on a rule, in one setting or several."""

import dataclasses
import functools
import inspect
import textwrap
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.verify import (
    _differences,
    _dtypes,
    _forward,
    _magnitudes,
    _sharded,
    _transforms,
    _values,
)
from ffnn_jax.verify._arguments import Argument, Sizes
from ffnn_jax.verify._compare import share_finite
from ffnn_jax.verify._conventions import undeclared_conventions
from ffnn_jax.verify._example import code_of, failing_program
from ffnn_jax.verify._explain import explain, looks_deliberate
from ffnn_jax.verify._result import CHECKS, Check, VerificationResult, worst_of
from ffnn_jax.verify._rule import DTYPES, Function, Kink, Rule, _require_choice, name_of
from ffnn_jax.verify._stated import calls_backward_of
from ffnn_jax.verify._subject import Subject

_CHECKS_AT_ALL_SIZES = {
    "value": _values.check_value,
    "cotangents": _values.check_cotangents,
    "differences": _differences.check_differences,
    "adjoint": _values.check_adjoint,
    "exact": _values.check_exact,
    "linearity": _values.check_linearity,
    "zero": _values.check_zero,
}
_CHECKS_AT_FIRST_SIZES = {
    "primal": _forward.check_primal,
    "magnitudes": _magnitudes.check_magnitudes,
    "empty batch": _values.check_empty_batch,
    "jit": _transforms.check_jit,
    "partial": _transforms.check_partial,
    "vmap": _transforms.check_vmap,
    "scan": _transforms.check_scan,
    "remat": _transforms.check_remat,
    "jvp": _forward.check_jvp,
    "grad of grad": _transforms.check_second_order,
}
_SCALED = ("jvp", "grad of grad")
_FIRST_SETTING_ONLY = {"jit", *_dtypes.DTYPES}
_NOT_APPLICABLE = {
    "linearity": "the stated backward is not linear",
    "zero": "the stated backward does not map 0 to 0",
    "partial": "one argument, one output",
    "magnitudes": "the reference is not finite at other magnitudes",
    "empty batch": "no reference",
}
_BASIC = ("value", "cotangents", "differences")
_FAR = ("jvp", "grad of grad", *_dtypes.DTYPES)  # these go to other magnitudes with "magnitudes"
_TIME_LIMIT = "the time limit was reached"
_SIZES = 4
_DOMAIN_DRAWS = 20


def check_vjp(
    op: Function | Rule,
    reference: Function | None = None,
    *arguments: Any,
    draw: Function | None = None,
    batch: str | None = None,
    backward: Function | None = None,
    kinks: Sequence[Kink] = (),
    order: int = 2,
    dtypes: Sequence[str] = DTYPES,
    rtol: float | None = None,
    skip: Mapping[str, str] | None = None,
    sizes: Sequence[Sizes] | None = None,
    seed: int = 0,
    only: Sequence[str] = CHECKS,
    timeout: float | None = None,
) -> VerificationResult:
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

    Returns:
        A result with one row for each check that applies.

    Raises:
        ValueError: an argument's description, a check or another option is invalid, or the
            functions cannot be called with such arguments.
    """
    for name in only:
        _require_choice("only", name, CHECKS)
    if not only:
        raise ValueError(f"only: names no check (known: {', '.join(CHECKS)})")
    rule = op if isinstance(op, Rule) else Rule(
        op, reference, arguments, draw=draw, batch=batch, backward=backward, kinks=tuple(kinks),
        order=order, dtypes=tuple(dtypes), rtol=rtol, skip=skip or {}, sizes=sizes,
    )  # fmt: skip
    result = check_rules(rule.title, [(rule, rule.sample_sizes(seed, _SIZES))], seed, only, timeout)
    failed = set(result.failures)
    if "magnitudes" in only and failed & set(_FAR):  # they may have failed at other magnitudes
        failed.add("magnitudes")
    chosen = [name for name in CHECKS if name in failed]
    return dataclasses.replace(result, again=_again(op, rule, seed, chosen))


def assert_vjp(
    op: Function | Rule, reference: Function | None = None, *arguments: Any, **settings: Any
) -> None:
    """Raises AssertionError with the result table unless every check of ``check_vjp`` passes."""
    __tracebackhide__ = True  # pytest shows the line of the test
    result = check_vjp(op, reference, *arguments, **settings)
    if not result:
        raise AssertionError(f"\n{result}")


def check_rules(
    title: str,
    rules: Sequence[tuple[Rule, Sequence[Sizes]]],
    seed: int = 0,
    only: Sequence[str] = CHECKS,
    timeout: float | None = None,
    explained: bool = True,
) -> VerificationResult:
    """Checks one operation in several settings, each with its own sizes, as a single result.

    The checks that cost most and depend least on the settings run in the first only: "jit", which
    compiles operation by operation, the dtypes, and the multi-device checks.

    Args:
        title: name of the result.
        rules: the operation in each setting, and its sizes, smallest first.
        seed: seed of all values.
        only: names of the checks to run.
        timeout: seconds after which no further check is started.
        explained: whether to judge the domain first, and to look for undeclared conventions and
            for the smallest failing input.
    """
    rule, sizes = rules[0]
    subject = _subject(rule, tuple(sizes[0].items()))
    refusal = _unusable(subject, sizes[0], seed) if explained else None
    if refusal is not None:
        rest = {name: f"{refusal.name} fails" for name in CHECKS if name != refusal.name}
        return VerificationResult(title, (refusal,), rest)
    not_asked = _not_asked(subject, sizes[0], only)
    asked = [name for name in only if name not in not_asked]
    sharded = _sharded.ShardedChecks(
        _sharded.build_request(rule, sizes[0], seed) if set(asked) & set(_sharded.NAMES) else None
    )
    run = _Run(None if timeout is None else time.monotonic() + timeout)
    for i, (setting, its_sizes) in enumerate(rules):
        chosen = set(asked) if i == 0 else set(asked) - _FIRST_SETTING_ONLY
        run.all(_subject(setting, tuple(its_sizes[0].items())), its_sizes, seed, chosen)
    remaining = {} if run.deadline is None else {"seconds": max(run.deadline - time.monotonic(), 1)}
    rows = [*run.rows, *(row for row in sharded.results(**remaining) if row.name in only)]
    by_name = {name: [row for row in rows if row.name == name] for name in CHECKS}
    checks = tuple(worst_of(rows) for rows in by_name.values() if rows)
    not_asked = {name: _NOT_APPLICABLE.get(name, "does not apply") for name in asked} | not_asked
    not_asked |= run.not_asked
    right = all(row.passed for row in checks if row.name in _BASIC)
    return VerificationResult(
        title,
        checks,
        {name: not_asked[name] for name in CHECKS if name in not_asked and not by_name[name]},
        conventions=tuple(_conventions(subject, sizes[0], seed)) if explained and right else (),
        remarks=tuple(_remarks(subject, checks)) if explained else (),
        details=tuple(explain(checks)),
        failing_input=_failing_program(subject, checks) if explained else "",
        stated=rule.backward is not None,
        timed_out=run.timed_out,
    )


class _Run:
    """Runs checks one after another; an exception becomes a failure with a one-line note."""

    def __init__(self, deadline: float | None) -> None:
        self.rows: list[Check] = []
        self.not_asked: dict[str, str] = {}
        self.timed_out = False
        self.deadline = deadline
        self._raised: dict[str, str] = {}

    def all(
        self, subject: Subject, sizes: Sequence[Sizes], seed: int, chosen: Collection[str]
    ) -> None:
        """Runs the chosen checks of one setting."""
        for name, check in _tasks(subject, sizes, seed, "magnitudes" in chosen):
            if name not in chosen:
                continue
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.not_asked[name], self.timed_out = _TIME_LIMIT, True
                continue
            row = self._one(subject, name, check)
            if row is not None:
                self.rows.append(row)

    def _one(self, subject: Subject, name: str, check: Callable[[], Check | None]) -> Check | None:
        try:
            with jax.enable_x64(subject.wide), jax.default_device(jax.devices("cpu")[0]):
                return check()
        except _dtypes.UnsupportedDtypeError as error:
            self.not_asked[name] = f"not supported: {error}"
            return None
        except Exception as error:
            text = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            first = self._raised.setdefault(text, name)
            note = f"{text} ({_raiser(error)})" if first == name else f"as in {first}"
            return Check(name, False, float("inf"), note=note)


@functools.lru_cache(maxsize=16)
def _subject(rule: Rule, sizes: tuple[tuple[str, int], ...]) -> Subject:
    """One subject for all seeds, so that its programs are compiled once."""
    return Subject.of(rule, dict(sizes))


def _tasks(
    subject: Subject, sizes: Sequence[Sizes], seed: int, scaled: bool
) -> Iterator[tuple[str, Callable[[], Check | None]]]:
    """The checks of one setting, as functions without arguments."""
    independent = 2 if subject.reference is not None else len(sizes)
    for name, check in _CHECKS_AT_ALL_SIZES.items():
        for selected in sizes[:independent] if name in ("value", "differences") else sizes:
            yield name, functools.partial(check, subject, selected, seed)
    yield "kinks", functools.partial(_values.check_kinks, subject)
    for name, check in _CHECKS_AT_FIRST_SIZES.items():
        options = {"scaled": scaled} if name in _SCALED else {}
        yield name, functools.partial(check, subject, sizes[0], seed, **options)
    for dtype in _dtypes.DTYPES:
        both = (sizes[0], sizes[-1])[: 1 if dtype == "float16" else len(sizes)]
        for i, selected in enumerate(both):
            run = _dtypes.check_dtype
            yield dtype, functools.partial(run, subject, dtype, selected, seed, scaled and i == 0)


def _unusable(subject: Subject, sizes: Sizes, seed: int) -> Check | None:
    """A failed row if the outputs differ in shape, or if the draws leave the domain."""
    _require_own_backward(subject, sizes)
    mismatch = _shape_mismatch(subject, sizes)
    if mismatch:
        return Check("value", False, float("inf"), note=mismatch)
    generator, outside = np.random.default_rng(seed), 0
    for _ in range(_DOMAIN_DRAWS):
        args = subject.draw(generator, sizes)
        dz = subject.draw_cotangent(generator, args)
        outside += share_finite(subject.reference_pull(args, dz)) < 1
    if not outside:
        return None
    who = "reference" if subject.reference is not None else "operation"
    share = f"{100 * outside // _DOMAIN_DRAWS} % of draws"
    note = (
        f"outside the domain: the {who} is not finite in {share}; describe the arguments, "
        'as in "N:>0" or "N:(0,1)", or give draw='
    )
    name = "value" if subject.reference is not None else "differences"
    return Check(name, False, float("inf"), note=note)


def _require_own_backward(subject: Subject, sizes: Sizes) -> None:
    """Rejects a stated backward that is the operation's own, and so could not disagree."""
    rule = subject.rule
    if rule.backward is None:
        return
    args = subject.draw(np.random.default_rng(0), sizes)
    dz = subject.draw_cotangent(np.random.default_rng(0), args)
    if calls_backward_of(rule.backward, rule.op, subject.layout.arguments(args), dz):
        raise ValueError(
            "backward= calls the backward of the operation; write the intended one independently"
        )


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
        with jax.enable_x64(subject.wide):
            outputs = jax.eval_shape(function, *args)
    except Exception as error:
        reason = f"{type(error).__name__}: {_shortened(str(error))}"
        passed = ", ".join(str(arg.shape) for arg in args)
        hint = _tracer_hint(error)
        message = f"check_vjp: the {who} cannot be called with shapes {passed} ({reason}){hint}"
        raise ValueError(message) from error
    shapes = [jax.tree.map(lambda leaf: leaf.shape, part) for part in outputs]
    return str(shapes[0] if not jax.tree.leaves(outputs[1]) else tuple(shapes))


def _shortened(text: str) -> str:
    return textwrap.shorten(text, 200, placeholder=" ...")


def _tracer_hint(error: Exception) -> str:
    """What the error that everybody meets means."""
    text = f"{type(error).__name__} {error}"
    if "Tracer" in text and "nondiff_arg" in text:
        return (
            "; an array must not be in nondiff_argnums: pass it as an ordinary argument, and "
            "return None as its cotangent"
        )
    return ""


def _not_asked(subject: Subject, sizes: Sizes, only: Sequence[str]) -> dict[str, str]:
    """The checks that do not apply, or were not chosen, with the reason."""
    rule = subject.rule
    reasons = {name: "not among only=" for name in CHECKS if name not in only}
    if rule.reference is None:
        reasons |= {"value": "no reference"}
    if subject.reference is None:
        reasons |= dict.fromkeys(("cotangents", "exact", "empty batch"), "no reference")
    if rule.backward is not None:
        reasons |= dict.fromkeys(("differences", "adjoint", "jvp"), "backward= is stated")
    for name, declared, reason in (
        ("adjoint", rule.linear, "no linear="),
        ("exact", rule.exact, "no exact="),
        ("kinks", rule.kinks, "none declared"),
        ("empty batch", rule.empty_batch and rule.batch, "no empty_batch="),
        ("grad of grad", rule.order > 1, "order=1"),
        ("magnitudes", any(w.is_real for w in rule.words), "no argument is described by text"),
    ):
        if not declared:
            reasons.setdefault(name, reason)
    has_complex = any(word.domain == "complex" for word in rule.words)
    for dtype in _dtypes.DTYPES:
        if dtype not in rule.dtypes:
            reasons[dtype] = "not among dtypes="
        elif has_complex and dtype != "float32":
            reasons[dtype] = "no complex numbers of half precision"
    if "jvp" not in reasons and not _forward.has_forward_mode(subject, sizes):
        reasons["jvp"] = "a custom_vjp has no forward mode"
    sharded = _sharded.reason_not_asked(rule)
    for name in _sharded.NAMES if sharded else ():
        reasons.setdefault(name, sharded)
    if rule.reduces == "mixed":
        reasons["shard_map"] = "examples depend on one another"
    return reasons | dict(rule.skip)


def _remarks(subject: Subject, checks: Sequence[Check]) -> Iterator[str]:
    """What makes a comparison say less than it seems to."""
    rule = subject.rule
    args = subject.draw(np.random.default_rng(0), rule.sample_sizes(0, 1)[0])
    if rule.reference is rule.op and rule.backward is None:
        yield "the reference is the operation itself, so only differences are independent"
    if rule.backward is None and looks_deliberate(checks):
        yield "if the backward is not meant to be the derivative, state the intended one: backward="
    try:
        with jax.enable_x64(subject.wide):
            jaxpr = str(jax.make_jaxpr(subject.op)(*args))
    except Exception:
        return
    if "custom_vjp" not in jaxpr and "custom_jvp" not in jaxpr:
        yield "the operation has no rule of its own: autodiff differentiates it"


def _conventions(subject: Subject, sizes: Sizes, seed: int) -> list[str]:
    try:
        with jax.enable_x64(subject.wide):
            return undeclared_conventions(subject, sizes, seed)
    except Exception as error:
        return [f"not found out ({type(error).__name__})"]


def _failing_program(subject: Subject, checks: Sequence[Check]) -> str:
    if all(check.passed for check in checks):
        return ""
    try:
        with jax.enable_x64(subject.wide):
            return failing_program(subject, checks)
    except Exception:  # the failure itself has been reported
        return ""


def _raiser(error: Exception) -> str:
    """The innermost line outside of jax and this package that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not any(p in f.filename for p in _LIBRARIES)]
    if not theirs:
        return "raised by jax"
    return f"{theirs[-1].filename.rsplit('/', 1)[-1]}:{theirs[-1].lineno}, {theirs[-1].name}"


_LIBRARIES = ("/jax/", "/jaxlib/", "/ffnn_jax/verify/", "/numpy/", "<frozen")


def _again(op: Any, rule: Rule, seed: int, chosen: Sequence[str]) -> str:
    """The call that runs the chosen checks again."""
    if isinstance(op, Rule):
        return f"check_vjp({rule.title}, seed={seed}, only={list(chosen)})"
    settings = {
        "batch": rule.batch, "kinks": rule.kinks, "order": rule.order, "dtypes": rule.dtypes,
        "rtol": rule.rtol, "sizes": rule.sizes, "seed": seed, "only": list(chosen),
    }  # fmt: skip
    defaults = inspect.signature(check_vjp).parameters
    changed = [f"{k}={v!r}" for k, v in settings.items() if v != defaults[k].default]
    plain = getattr(op, "fun", None) is rule.reference  # the function under a custom_vjp
    other = f"{name_of(op)}.fun" if plain else name_of(rule.reference)
    texts = jax.tree.map(lambda a: str(a) if isinstance(a, Argument) else a, rule.arguments)
    described = [code_of(text) or repr(text) for text in texts]
    return f"check_vjp({', '.join([name_of(op), other, *described, *changed])})"
