"""Feed-forward networks in JAX with every gradient derived by hand.

- ``ffnn_jax.layers``: the mathematics, one chapter per operation and its derived backward.
- ``ffnn_jax.optim``: momentum, with optax's interface.
- ``ffnn_jax.nn``: layer configurations: shapes, parameters, state, ``apply``.
- ``ffnn_jax.config``: settings, augmentations and presets.
- ``ffnn_jax.network``: a sequence of layers as a network: init, apply, summary.
- ``ffnn_jax.data``: labelled images from tensorflow-datasets.
- ``ffnn_jax.training``: the jitted step, and the loop around it.
- ``ffnn_jax.models``: trained models: saved, loaded, used, exported.
- ``ffnn_jax.reporting``: metrics, tables and figures.
- ``ffnn_jax.runs``: a whole run, from settings to a folder.
- ``ffnn_jax.verify``: the checker of hand-derived gradients, yours as well as ours.
- ``ffnn_jax.catalogue``: the layers' reference implementations, and planted faults to be caught.
- ``ffnn_jax.course``: chapters without answers for students, and what checks their solutions.

Importing the package imports none of these, so it is cheap.
"""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("ffnn-jax")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
