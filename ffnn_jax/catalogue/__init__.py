"""Our layers' plain definitions and what is known of them, once: one entry adds a layer."""

from ffnn_jax.catalogue import _plain as plain
from ffnn_jax.catalogue._entry import Case, Entry, Fault

__all__ = ["Case", "Entry", "Fault", "plain"]
