"""``ffnn-jax summary``."""

import dataclasses

from ffnn_jax.cli._options import PresetName
from ffnn_jax.config import preset

_MIN_WIDTH = 80  # in characters; a narrower terminal wraps the table's lines


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

        from ffnn_jax.cli._output import plain_console
        from ffnn_jax.data import image_shape

        console, shape = plain_console(), image_shape(settings.dataset)

        from ffnn_jax.network import Network

        summary = Network(settings.layers, shape).summary()
        console.width = max(console.width, _MIN_WIDTH)
        console.print(f"{settings.preset}: {summary.parameters:,} parameters")
        console.print(summary, soft_wrap=False)
        return 0
