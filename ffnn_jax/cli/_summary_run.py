"""A preset's network as a table."""

from ffnn_jax.cli._results import plain_console
from ffnn_jax.config import Settings
from ffnn_jax.network import Network

_NARROWEST = 80  # characters of the table; a narrower terminal wraps its lines


def print_summary(settings: Settings, image_shape: tuple[int, int, int]) -> int:
    """Prints the table."""
    summary = Network(settings.layers, image_shape).summary()
    console = plain_console()
    console.width = max(console.width, _NARROWEST)
    console.print(f"{settings.preset}: {summary.parameters:,} parameters")
    console.print(summary, soft_wrap=False)
    return 0
