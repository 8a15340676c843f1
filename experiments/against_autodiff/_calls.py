"""A form as a call that computes its value and every cotangent."""

from typing import Any

import jax
import numpy as np

from experiments.against_autodiff._row import Form

Arrays = list[np.ndarray]


def value_of(form: Form) -> Form:
    """The form's first output alone."""

    def value(*arrays: Any) -> Any:
        z = form(*arrays)
        return z[0] if isinstance(z, tuple) else z

    return value


class Call:
    """A compiled program of value and cotangents.

    Attributes:
        megabytes: temporary memory of the program.
    """

    def __init__(self, form: Form, arrays: Arrays, dtype: Any) -> None:
        """Compiles the form for these arrays, whose floating-point ones become ``dtype``."""
        floating = [np.issubdtype(array.dtype, np.floating) for array in arrays]
        cast = [
            jax.numpy.asarray(a, dtype if real else a.dtype)
            for a, real in zip(arrays, floating, strict=True)
        ]
        z = jax.eval_shape(value_of(form), *cast)

        def both(dz: Any, *cast: Any) -> Any:
            z, pull = jax.vjp(value_of(form), *cast)
            return z, [d for d, real in zip(pull(dz), floating, strict=True) if real]

        self._given = jax.numpy.asarray(cotangent(z.shape), z.dtype), *cast
        self._program = jax.jit(both).lower(*self._given).compile()
        analysis: Any = self._program.memory_analysis()
        self.megabytes = analysis.temp_size_in_bytes / 2**20

    def __call__(self) -> Any:
        """Computes value and cotangents."""
        return jax.block_until_ready(self._program(*self._given))

    def results(self) -> Arrays:
        """Value and cotangents as float64."""
        z, cotangents = self()
        return [np.asarray(array, np.float64) for array in (z, *cotangents)]

    def rest(self) -> None:
        """Nothing: the program's threads wait idly after a call."""


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    """The random cotangent of an output of this shape."""
    return np.random.default_rng(1).normal(size=shape)
