"""Exact algebra: elements of a field, and jaxprs that run on them; needs python-flint."""

from ffnn_jax.proof.algebra._calculus import derivative, interval, substitute
from ffnn_jax.proof.algebra._cases import Case, explore, form_of
from ffnn_jax.proof.algebra._entries import objects
from ffnn_jax.proof.algebra._field import Element, Field, UndecidedError, generators_of
from ffnn_jax.proof.algebra._interpreter import Interpreter, known_primitives
from ffnn_jax.proof.algebra._linear import solution

__all__ = [
    "Case", "Element", "Field", "Interpreter", "UndecidedError", "derivative", "explore",
    "form_of", "generators_of", "interval", "known_primitives", "objects", "solution",
    "substitute",
]  # fmt: skip
