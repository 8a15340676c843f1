"""Feed-forward networks in JAX whose every gradient is derived by hand.

- ``ffnn_jax.layers``: the mathematics, an operation and its derived backward a chapter.
- ``ffnn_jax.optim``: momentum, with optax's interface.
- ``ffnn_jax.nn``: what a layer is beside its mathematics: shapes, parameters, state, ``apply``.
- ``ffnn_jax.config``: settings, augmentations and presets.
- ``ffnn_jax.network``: layers one after another, made into (init, apply, summary).
- ``ffnn_jax.data``: labelled images through tensorflow-datasets.
- ``ffnn_jax.training``: the jitted step, and the loop around it.
- ``ffnn_jax.models``: what outlives a run: saved, loaded, used, exported.
- ``ffnn_jax.reporting``: metrics, tables and figures.
- ``ffnn_jax.runs``: a whole run, from settings to a folder.
- ``ffnn_jax.verify``: the checker of hand-derived gradients, for yours as for ours.
- ``ffnn_jax.catalogue``: the layers' plain definitions, and wrong rules that must be caught.

Importing the package imports none of them, so that it costs nothing.
"""

from importlib.metadata import version

__version__ = version("ffnn-jax")
