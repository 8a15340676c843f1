"""Every rule, by module."""

from experiments.public_rules import (
    jax_functions,
    jax_special,
    numpyro_distrax,
    optax_jaxopt,
    others,
    ott,
    physics,
    tfp,
)
from experiments.public_rules._case import PublicRule

_MODULES = (
    jax_functions, jax_special, optax_jaxopt, numpyro_distrax, ott, tfp, physics, others,
)  # fmt: skip
CASES = tuple(
    value for module in _MODULES for value in vars(module).values()
    if isinstance(value, PublicRule)
)  # fmt: skip
