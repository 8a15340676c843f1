"""A person's own rules, checked or proved in a process that may print, hang or crash."""

from ffnn_jax.rules._process import check_in_a_process

__all__ = ["check_in_a_process"]
