"""A preset's network as a table."""

from ffnn_jax.cli._results import plain_console
from ffnn_jax.config import Settings
from ffnn_jax.network import Network

_MIN_WIDTH = 80  # in characters; a narrower terminal wraps the table's lines


def print_summary(settings: Settings, image_shape: tuple[int, int, int]) -> int:
    """Prints the number of parameters and the table."""
    summary = Network(settings.layers, image_shape).summary()
    console = plain_console()
    console.width = max(console.width, _MIN_WIDTH)
    console.print(f"{settings.preset}: {summary.parameters:,} parameters")
    console.print(summary, soft_wrap=False)
    return 0
