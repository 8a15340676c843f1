"""Feed-forward networks in JAX whose every gradient is derived by hand.

- ``ffnn_jax.layers``: the mathematics, an operation and its derived backward a chapter.
- ``ffnn_jax.optim``: momentum, with optax's interface.
- ``ffnn_jax.config``: settings, layer descriptions and presets.
- ``ffnn_jax.network``: descriptions made into (init, apply, summary).
- ``ffnn_jax.data``: labelled images through tensorflow-datasets.
- ``ffnn_jax.training``: the jitted step, the loop around it, evaluation.
- ``ffnn_jax.models``: what outlives a run.
- ``ffnn_jax.reporting``: metrics, tables and figures.
- ``ffnn_jax.runs``: a whole run, from settings to a folder.
- ``ffnn_jax.verify``: the checker of hand-derived gradients, for yours as for ours.
- ``ffnn_jax.catalogue``: the layers' plain definitions, and wrong rules that must be caught.

Importing the package imports none of them, so that it costs nothing.
"""

from importlib.metadata import version

__version__ = version("ffnn-jax")
