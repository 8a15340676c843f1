"""What a rule borrows instead of deriving it: autodiff, or a rule of this package.

Tracing the forward and the backward of a rule needs no autodiff, and runs through the files of what
it calls, under whatever name.
"""

import contextlib
import functools
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import jax
from jax.interpreters import ad

import ffnn_jax.layers
from ffnn_jax.catalogue import OP_SPECS, Case, OpSpec

_AUTODIFF = inspect.getfile(ad.JVPTrace)
_LAYERS = Path(inspect.getfile(ffnn_jax.layers)).parent
_CHAPTERS = {inspect.getfile(sys.modules[spec.op.__module__]) for spec in OP_SPECS}


def files_lent(spec: OpSpec) -> set[str]:
    """The files of this package that a hand-written chapter of this operation may call."""
    helpers = {str(file) for file in _LAYERS.glob("_*.py")} - _CHAPTERS
    return helpers | files_called(spec) - {inspect.getfile(sys.modules[spec.op.__module__])}


def borrowed(called: Iterable[str], lent: set[str]) -> str:
    """What a rule that runs through these files borrows, or ""."""
    for file in sorted({*called} - lent):
        if file == _AUTODIFF:
            return "uses autodiff"
        if Path(file).is_relative_to(_LAYERS.parent):
            return f"calls the package's own rule ({Path(file).name})"
    return ""


def files_called(spec: OpSpec) -> set[str]:
    """The files that forward and backward run through, in every case and at all sizes.

    Raises:
        Exception: what they raise in the first case; in others, that is left to the checks.
    """
    files = _files_of(spec, spec.cases[0])
    for case in spec.cases[1:]:
        with contextlib.suppress(Exception):
            files |= _files_of(spec, case)
    return files


def _files_of(spec: OpSpec, case: Case) -> set[str]:
    files: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        files.add(frame.f_code.co_filename)

    forward = functools.partial(spec.op.fwd, **case.static)
    backward = functools.partial(spec.op.bwd, *case.static.values())
    for args in [spec.draw_arguments(case, sizes) for sizes in case.sizes]:
        with jax.enable_x64(True):  # as in the checks
            sys.setprofile(note)
            try:
                z, residuals = jax.eval_shape(forward, *args)
                jax.eval_shape(backward, residuals, z)
            finally:
                sys.setprofile(None)
    return files
