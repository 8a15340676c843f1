"""The classroom: chapters handed out, solved, explained, graded."""

from ffnn_jax.course._grade import grade

__all__ = ["grade"]
