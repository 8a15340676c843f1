"""Whether a diagnosis names the planted fault that it was made of."""

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ffnn_jax.catalogue import Fault, OpSpec
from ffnn_jax.catalogue.diagnosis import diagnose
from ffnn_jax.catalogue.diagnosis._draws import draw_sets, results, settings
from ffnn_jax.catalogue.diagnosis._known_faults import phrase
from ffnn_jax.catalogue.diagnosis._matching import NOTHING, explain

Verdict = tuple[str, str]  # and the text
_SEED = 99
_EXPECTED = {  # of the text, by the fault's name
    r"negated$|without the minus|wrong sign|subtraction": r"wrong sign|negated",
    r"scaled by": r"times what it should be",
    r"scaled in one entry": r"right but for one entry",
    r"scaled in the last row": r"right but for the last of axis 0",
    r"averaged$|1/N left|1/N applied|1/\(N K\)|for the sum|of the sum|of the mean$": (
        r"sum or mean|averaged"
    ),
    r"not divided|divided by|halved|doubled|half|factor (2|1/2)": r"it should be|half of|twice",
    r"replaced by ones": r"ones in the place|is zero",
    r"zero$|None$|ignored|passed to": r"is zero|zeros in the place",
    r"transpose left|swapped|exchanged": r"transposed|in the place of|the right d",
    r"rotated|flip|revers": r"flipped|moved",
    r"shifted|next|too many|padding row": r"moved by one|moved back",
    r"first row|first image|first output|one pixel|first pixel": r"the first",
    r"previous row|row above": r"moved by one|previous row",
    r"constant": r"left out",
    r"1-based": r"counted from 1|less 1",
    r"(at|from|of) dz": r"dz in the place of",
    r"at z$|z saved|left in": r"z in the place of|made of|half",
    r"at -x|inverted|minimum": r"negated|counted from 1",
    r"gate left out|slope 1 everywhere": r"dz itself|what it should be",
    r"M - 1": r"n - 1, not n",
    r"from x instead of x\^": r"made of dz.* times x$",
    r"left out": r"left out|ones in the place|zeros in the place|too many|is zero|made of|itself",
}


def as_student(spec: OpSpec, forward: Any = None, backward: Any = None) -> Callable[..., Any]:
    """An operation with the package's forward or backward where none is given."""

    def op(*args: Any, **static: Any) -> Any:
        def run(*args: Any) -> Any:
            return (forward or spec.op.fwd)(*args, **static)

        own = jax.custom_vjp(lambda *args: run(*args)[0])
        own.defvjp(run, lambda *kept: (backward or spec.op.bwd)(*static.values(), *kept))
        return own(*args)

    op.__name__ = spec.name
    return op


def judge_planted(spec: OpSpec, fault: Fault) -> Verdict:
    """The verdict and the text for a planted fault in the place of the package's operation."""
    found = diagnose(spec, as_student(spec, fault.forward, fault.backward))
    if not found.mistakes or not found.sure:
        return "unsure" if found.mistakes else "not visible", str(found)
    if _tells(str(found), fault):
        return "named", str(found)
    others = [other for other in spec.all_faults if _tells(str(found), other)]
    twin = any(_is_twin(spec, fault, other) for other in others)
    return "twin" if twin else "misnamed", str(found)


def _tells(text: str, fault: Fault) -> bool:
    pattern = re.escape(phrase(fault.name)).replace(r"\{d\}", r"[\w ,\[\]]+")
    subject = fault.name.split()[0]
    return bool(re.fullmatch(pattern, text)) and (subject[0] != "d" or subject in text)


def _is_twin(spec: OpSpec, fault: Fault, other: Fault) -> bool:
    """Whether two faults return the same at fresh numbers in every case where neither raises."""
    for case in range(len(spec.cases)):
        planted = [spec.planted(dataclasses.replace(f, case=case))[0] for f in (fault, other)]
        with settings():
            for draw in _draws(spec, case, _SEED):
                a, b = (results(rule, draw) for rule in planted)
                if a and b and not all(np.allclose(a[n], b[n], equal_nan=True) for n in a):
                    return False
    return True


def judge_stranger(spec: OpSpec, fault: Fault) -> Verdict:
    """The verdict and the text for a planted fault in a rule of which the reference is known."""
    rule, _ = spec.planted(fault)
    with settings():
        pairs = {d: got for d in _draws(spec, fault.case, 0) if (got := results(rule, d))}
        texts, sure = explain([*pairs], [*pairs.values()])
    text = "; ".join(texts)
    if not texts or NOTHING in text:
        return "nothing" if texts else "not visible", text
    expected = (e for name, e in _EXPECTED.items() if re.search(name, fault.name))
    fits = any(re.search(each, text) for each in expected)
    return ("expected" if fits else "explained") if sure else "unsure", text


@functools.lru_cache(maxsize=8)
def _draws(spec: OpSpec, case: int, seed: int) -> Sequence[Any]:
    """The draws of a case of an entry, shared by its faults."""
    own, sizes = spec.rules(3)[case]
    rule = dataclasses.replace(own, sizes=sizes[:2])
    return next(draws for draws in draw_sets(rule, seed) if draws)
