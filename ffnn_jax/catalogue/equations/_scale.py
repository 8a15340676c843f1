"""The equations of the multiplication by a learned factor."""

import jax.numpy as jnp

from ffnn_jax.catalogue._scale import reference_scale
from ffnn_jax.catalogue.equations._equation import Equation, cotangent
from ffnn_jax.layers import scale

_SIZES = {"M": 3, "C": 2}

EQUATIONS = (
    Equation(
        "scale.1", "z_mc = factor_c x_mc",
        scale, lambda x, factor: jnp.einsum("c,mc->mc", factor, x), "MxC C", _SIZES,
    ),
    Equation(
        "scale.2", "dx_mc = dz_mc factor_c",
        cotangent(reference_scale), lambda x, factor, dz: jnp.einsum("mc,c->mc", dz, factor),
        "MxC C MxC", _SIZES,
    ),
    Equation(
        "scale.3", "dfactor_c = sum_m dz_mc x_mc",
        cotangent(reference_scale, 1), lambda x, factor, dz: jnp.einsum("mc,mc->c", dz, x),
        "MxC C MxC", _SIZES,
    ),
    Equation(
        "scale.4", "dfactor = sum_c sum_m dz_mc x_mc",
        cotangent(reference_scale, 1), lambda x, factor, dz: jnp.einsum("mc,mc->", dz, x),
        "MxC : MxC", _SIZES,
    ),
)  # fmt: skip
