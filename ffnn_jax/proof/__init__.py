"""Proofs by algebra that a rule's code computes the derivative of its definition.

    from ffnn_jax.proof import prove_vjp

    assert prove_vjp(my_dense, reference_dense, "NxD", "DxK", "K")

Where ``ffnn_jax.verify`` samples numbers, a proof holds for all of them: the traced backward and
the traced definition run on symbols in place of numbers, and their difference is shown to be zero,
at a small shape and in exact arithmetic. Needs python-flint, from the extra ``proof``.
"""

from ffnn_jax.proof._proof import Proof, known_primitives, prove_equal, prove_vjp

__all__ = ["Proof", "known_primitives", "prove_equal", "prove_vjp"]
