"""(24) and (25) with weight decay, built from optax transformations."""

import optax

from experiments.whole._data import Task


def momentum_and_decay(task: Task) -> optax.GradientTransformation:
    """The update rule of this package's run, in optax."""
    settings = task.settings
    return optax.chain(
        optax.ema(settings.momentum, debias=False),
        optax.add_decayed_weights(settings.weight_decay),
        optax.scale_by_learning_rate(settings.learning_rate),
    )
