"""The command ``ffnn-jax``: parse, call, print."""

from ffnn_jax.cli._main import main

__all__ = ["main"]
