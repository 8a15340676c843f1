"""Which of the faults planted in an entry of the catalogue an operation has.

It is looked at with ordinary numbers in each case, then at kinks, at large numbers, for its second
derivatives, and in half precision. The first look at which it is wrong decides.
"""

import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._op_spec import OpSpec
from ffnn_jax.catalogue.diagnosis._draws import settings
from ffnn_jax.catalogue.diagnosis._matching import Groups, close, cover
from ffnn_jax.verify import argument_names

_PHRASES = {
    r"(\w+) scaled by (\S+)": r"{d} is \2 times the right one",
    r"(\w+) negated": r"{d} has the wrong sign",
    r"(\w+) scaled in one entry": r"{d} is right but for one entry",
    r"(\w+) scaled in the last row": r"{d} is right but for its last row",
    r"(\w+) left in float32": r"{d} stays in float32 though its argument has half precision",
    r"(\w+) averaged": r"{d} is averaged: sum or mean?",
    r"(\w+) set to zero": r"{d} is zero",
    r"(\w+) replaced by ones": r"the cotangent that came in, \1, was not used for {d}",
    r"residuals detached": r"the residuals are cut off from the arguments of {d}",
    r"(.+?)( summed)? in half precision": r"\1 is summed in half precision, not in float32",
    r"(.+)": r'{d} matches the known fault "\1"',
}
_DRAWS, _COARSE = 2, 1.6e-2
View = dict[str, list[np.ndarray]]


class _Look(NamedTuple):
    """How an operation is looked at; ``what`` is said if it is wrong there by no known fault."""

    what: str
    case: int = 0
    rtol: float = 1e-7
    scale: float = 1.0  # of the arguments
    kink: int | None = None  # which to look at, in the place of random numbers
    order: int = 1
    half: bool = False
    long: bool = False  # at the case's last sizes


def known_faults(spec: OpSpec, operation: Any) -> tuple[list[str], bool, int | None]:
    """Texts for the planted faults that explain an operation, and whether they are sure.

    Args:
        spec: the entry of the package's own operation.
        operation: one that takes its place.

    Returns:
        A case, too, in which it raises, or is wrong at ordinary numbers by no planted fault.
    """
    own = [rule.op for rule, _ in dataclasses.replace(spec, op=operation).rules()]
    looks, raises = [*_looks(spec)], None
    for look in looks:
        seen, right = _view(spec, own[look.case], look), _of_fault(spec, Fault(""), look)
        wrong = [name for name in right if seen and not _same(seen, right, look, name)]
        if not (look.what or seen) and raises is None:
            raises = look.case
        if wrong:
            faults = _alone(spec, own, looks, look) or spec.all_faults
            texts, sure, left = cover(_groups(spec, faults, seen, look), wrong)
            if left and look.what:
                return [f"{', '.join(wrong)}: {look.what}"], False, None
            return (texts, sure, None) if not left else ([], False, look.case)
    return [], raises is None, raises


def _alone(spec: OpSpec, own: Sequence[Any], looks: Sequence[_Look], first: _Look) -> list[Fault]:
    """The one fault that explains all that is seen; of those that always look the same, one."""

    def same(faults: Sequence[Fault], look: _Look) -> list[Fault]:
        seen = _view(spec, own[look.case], look)
        views = ((fault, _of_fault(spec, fault, look)) for fault in faults)
        return [fault for fault, view in views if len(_explained(seen, view, look)) == len(seen)]

    faults = same(spec.all_faults, first)
    for look in looks if len(faults) > 1 else ():
        faults = same(faults, look) or faults
    return faults[:1]


def _groups(spec: OpSpec, faults: Sequence[Fault], seen: View, look: _Look) -> Groups:
    groups: Groups = {}
    for fault in faults:
        same = _explained(seen, _of_fault(spec, fault, look), look)
        text, misfits = phrase(fault.name), len(seen) - len(same)
        rank, names = groups.get(text, (misfits, set()))
        groups[text] = min(rank, misfits), names | same
    return groups


def _looks(spec: OpSpec) -> Iterator[_Look]:
    yield from (_Look("", case) for case in range(len(spec.cases)))
    for i, kink in enumerate(spec.kinks):
        yield _Look(f"right at ordinary numbers, wrong at {kink.name}", rtol=1e-9, kink=i)
    yield _Look("right at ordinary numbers, wrong at large ones", rtol=1e-6, scale=1e3)
    yield _Look("right, but its second derivatives are wrong", order=2)
    yield _Look("right in float64, wrong in half precision", rtol=_COARSE, half=True)
    for case in sorted({fault.case for fault in spec.faults if fault.many}):
        yield _Look("wrong in long sums of half precision", case, _COARSE, half=True, long=True)


def _explained(seen: View, faulty: View, look: _Look) -> set[str]:
    """The names of the results that a fault explains."""
    return {name for name in seen if _same(seen, faulty, look, name)}


@functools.cache
def _of_fault(spec: OpSpec, fault: Fault, look: _Look) -> View:
    """The results of the package's rule with a fault."""
    return _view(spec, spec.planted(dataclasses.replace(fault, case=look.case))[0].op, look)


def _view(spec: OpSpec, op: Any, look: _Look) -> View:
    """The results of an operation, by name; none if it raises."""
    found: View = {}
    try:
        with settings(not look.half):
            for args, dz in _examples(spec, look):
                for name, result in _results(spec, op, look, args, dz):
                    found.setdefault(name, []).append(np.asarray(result))
    except Exception:  # an operation may refuse sizes, static arguments and dtypes
        return {}
    return found


@functools.cache
def _examples(spec: OpSpec, look: _Look) -> list[tuple[Sequence[Any], Any]]:
    """Arguments and cotangents."""
    if look.kink is not None:
        return [(spec.kinks[look.kink].args, spec.kinks[look.kink].cotangent)]
    sizes, (rule, _) = spec.cases[look.case].sizes, spec.rules()[look.case]
    chosen = sizes[-1:] if look.long else sizes[:1] if look.half else (*sizes[:2],) * _DRAWS
    examples = []
    for seed, own in enumerate(chosen):
        generator = np.random.default_rng(seed)
        args = rule.draw_args(generator, own, [look.scale] * len(rule.words))
        if look.half:
            args = [a.astype(jnp.bfloat16) if a.dtype == np.float64 else a for a in args]
        shapes = jax.eval_shape(rule.op, *args)
        dz = jax.tree.map(lambda z, g=generator: g.normal(size=z.shape).astype(z.dtype), shapes)
        examples.append((args, dz))
    return examples


def _results(spec: OpSpec, op: Any, look: _Look, args: Any, dz: Any) -> Iterator[tuple[str, Any]]:
    """The value and the cotangents; for second derivatives, those of the cotangents."""
    reals = [i for i, array in enumerate(args) if jnp.issubdtype(array.dtype, jnp.floating)]

    def value(*chosen: Any) -> Any:
        given = dict(zip(reals, chosen, strict=True))
        return op(*(given.get(i, array) for i, array in enumerate(args)))

    chosen = [args[i] for i in reals]
    z, back = jax.vjp(value, *chosen)
    dz = jax.tree.map(lambda d, leaf: jnp.asarray(d, leaf.dtype), dz, z)
    cotangents = back(dz)
    if look.order == 2:  # along themselves
        cotangents = jax.vjp(lambda *x: jax.vjp(value, *x)[1](dz), *chosen)[1](cotangents)
    yield from (("z", leaf) for leaf in jax.tree.leaves(z) if look.order == 1)
    yield from zip([f"d{argument_names(spec.op)[i]}" for i in reals], cotangents, strict=True)


def _same(a: View, b: View, look: _Look, name: str) -> bool:
    """Whether a result is the same in two views, in its dtypes too."""
    pairs = [*zip(a.get(name, ()), b.get(name, ()), strict=False)]
    same = (
        p.dtype == q.dtype and close(p.astype(float), q.astype(float), look.rtol) for p, q in pairs
    )
    return bool(pairs) and all(same)


def phrase(name: str) -> str:
    """The name of a fault as a sentence."""
    found = ((re.fullmatch(pattern, name), text) for pattern, text in _PHRASES.items())
    return next(match.expand(text) for match, text in found if match)
