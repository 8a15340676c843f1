"""``ffnn-jax summary``."""

import dataclasses

from ffnn_jax.cli._options import PresetName
from ffnn_jax.config import preset


@dataclasses.dataclass(frozen=True)
class Summary:
    """Print a preset's network: shapes, parameters, and FLOPs forward and backward.

    Example: ffnn-jax summary cifar10-3
    """

    preset: PresetName = "quickstart"
    """Preset name, as listed by ffnn-jax train --help."""

    def __call__(self) -> int:
        """Prints the table; the data set need not be prepared."""
        settings = preset(self.preset)

        from ffnn_jax.data import image_shape

        shape = image_shape(settings.dataset)

        from ffnn_jax.cli._summary_run import print_summary

        return print_summary(settings, shape)
