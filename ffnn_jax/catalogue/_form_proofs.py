"""Proofs that the forms of a convolution compute the same polynomials as its equation form."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from jax import Array

from ffnn_jax.layers._conv import IM2COL
from ffnn_jax.layers._geometry import Shape, Windows, output_size
from ffnn_jax.layers.fast import ConvForm, _choice
from ffnn_jax.layers.fast._blocks import map_blocks, sum_blocks
from ffnn_jax.proof import Proof, prove_equal


class Geometry(NamedTuple):
    """Images and kernels for which a form is proved."""

    images: Shape
    kernels: Shape
    windows: Windows = Windows(((0, 0), (0, 0)))


class FormProof(NamedTuple):
    """The proof of one map of a form."""

    form: str
    part: str
    geometry: Geometry
    proof: Proof


_PLAIN = (
    Geometry((1, 3, 4, 2), (2, 3, 2, 3)),
    Geometry((2, 2, 3, 1), (3, 2, 1, 2), Windows(((1, 1), (0, 2)))),
)
_STRIDED = (
    Geometry((1, 4, 5, 2), (2, 3, 2, 1), Windows(((1, 0), (0, 1)), 2)),
    Geometry((2, 4, 3, 2), (2, 1, 1, 4), Windows(((0, 1), (1, 1)), 1, 2, 2)),
)
_DEPTHWISE = (
    Geometry((1, 3, 4, 2), (2, 3, 1, 4), Windows(((0, 1), (1, 0)), 1, 1, 2)),
    Geometry((2, 3, 2, 3), (2, 1, 1, 3), Windows(((1, 0), (0, 0)), 2, 1, 3)),
)
_ONE_IMAGE = ConvForm(
    "blocks",
    lambda x, w, windows: map_blocks(1, lambda x: IM2COL.forward(x, w, windows), x),
    lambda dz, w, size, windows: map_blocks(1, lambda dz: IM2COL.images(dz, w, size, windows), dz),
    lambda x, dz, size, windows: sum_blocks(
        1, lambda x, dz: IM2COL.kernels(x, dz, size, windows), x, dz
    ),
)
FORMS: tuple[tuple[ConvForm, tuple[Geometry, ...]], ...] = (
    (_choice.ROWS, _PLAIN),
    (_choice.pairs(IM2COL), _PLAIN),
    (_choice.STANDARD, _PLAIN),
    (_choice.NATIVE, _PLAIN + _STRIDED),
    (_choice.DEPTHWISE, _DEPTHWISE),
    (_ONE_IMAGE, _PLAIN[1:] + _STRIDED[1:]),
)
"""Every form, and where it is proved; blocks are of one image."""


def prove_form(form: ConvForm, geometries: tuple[Geometry, ...]) -> Iterator[FormProof]:
    """Proves the three maps of a form, each at its geometries."""
    for geometry, part in itertools.product(geometries, ("forward", "images", "kernels")):
        yield FormProof(form.name, part, geometry, _prove(form, part, geometry))


def _prove(form: ConvForm, part: str, geometry: Geometry) -> Proof:
    images, kernels, windows = geometry
    outputs, size, taps = _outputs(geometry), images[1:3], kernels[:2]
    shapes, settings = {
        "forward": ((images, kernels), (windows,)),
        "images": ((outputs, kernels), (size, windows)),
        "kernels": ((images, outputs), (taps, windows)),
    }[part]

    def of(which: ConvForm) -> Callable[[Array, Array], Array]:
        return lambda first, second: getattr(which, part)(first, second, *settings)

    return prove_equal(of(form), of(IM2COL), *("x".join(map(str, shape)) for shape in shapes))


def _outputs(geometry: Geometry) -> Shape:
    images, kernels, windows = geometry
    _, stride, dilation, _ = windows
    along = zip(images[1:3], kernels[:2], windows.pads, strict=True)
    rows, columns = (output_size(n, k, pads, stride, dilation) for n, k, pads in along)
    return images[0], rows, columns, kernels[3]
