"""Prints a network's table, with what was measured of its layers."""

from ffnn_jax.cli._output import plain_console
from ffnn_jax.config import Settings
from ffnn_jax.data import image_shape
from ffnn_jax.layers.fast import forms
from ffnn_jax.network import CostMeter, Network, require_kept_contract
from ffnn_jax.nn import Shape
from ffnn_jax.runs import enable_compilation_cache, forms_here


def summarise_and_print(settings: Settings, shape: Shape | None, timed: bool) -> None:
    """Prints the summary for images of this shape, by default the data set's.

    A terminal that is too narrow for the table wraps its lines.
    """
    console = plain_console()
    network = Network(settings.layers, shape or image_shape(settings.dataset))
    require_kept_contract(network)
    dtype = "bfloat16" if settings.precision == "bf16" else "float32"
    if timed:
        enable_compilation_cache()
        batch = f"a batch of {settings.batch_size} images, each layer by itself"
        console.print(f"timing {batch} ...")
    with forms(forms_here() if settings.forms is None else settings.forms):
        summary = network.summary(CostMeter(settings.batch_size, dtype, timed))
    console.width = max(console.width, summary.least_width)
    console.print(f"{settings.preset}: {summary.parameters:,} parameters")
    console.print(summary, soft_wrap=False)
