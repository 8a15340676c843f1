"""``ffnn-jax summary``."""

import dataclasses
import re
from typing import Annotated

from ffnn_jax.cli._options import Flag, Layers, PresetName, shown
from ffnn_jax.config import UserError, named_settings

_MIN_WIDTH = 128  # in characters; a narrower terminal wraps the table's lines


@dataclasses.dataclass(frozen=True)
class Summary:
    """Print a network: shapes, parameters, FLOPs, and what is kept for the backward.

    FLOPs and bytes are of one image. Parameters are not counted among the bytes, and an array that
    two layers keep is counted for both. Times are medians of each layer by itself, for a batch.

    Example: ffnn-jax summary --layers "conv 32 5, relu, maxpool 2, dense 10" --shape 28x28x1
    """

    preset: PresetName = "quickstart"
    """Preset, settings file (.toml), or folder of a run."""

    layers: Layers = None
    """Layers in the place of the preset's, as for train."""

    shape: Annotated[str | None, shown("HxWxC", "(default: the data set's)")] = None
    """Shape of an image: height, width and channels, as in 28x28x1."""

    time: Flag = False
    """Also time each layer on this machine, forward and backward."""

    def __call__(self) -> int:
        """Prints the table; the data set need not be prepared."""
        settings = named_settings(self.preset, vars(self)).settings
        name = settings.preset if self.layers is None else "layers"
        if self.shape is not None and not re.fullmatch(r"[1-9]\d{0,4}(x[1-9]\d{0,4})*", self.shape):
            raise UserError(f"shape must be sizes joined by x, as in 28x28x1, got {self.shape!r}")
        shape = tuple(map(int, self.shape.split("x"))) if self.shape else None

        from ffnn_jax._console import plain_console
        from ffnn_jax.data import image_shape
        from ffnn_jax.layers.fast import forms
        from ffnn_jax.network import CostMeter, Network, require_kept_contract
        from ffnn_jax.runs import enable_compilation_cache, forms_here

        console = plain_console()
        network = Network(
            settings.layers, shape or image_shape(settings.dataset, size=settings.size)
        )
        require_kept_contract(network)
        if self.time:
            enable_compilation_cache()
        dtype = "bfloat16" if settings.precision == "bf16" else "float32"
        with forms(forms_here() if settings.forms is None else settings.forms):
            summary = network.summary(CostMeter(settings.batch_size, dtype, self.time))
        console.width = max(console.width, _MIN_WIDTH)
        times = f", times of a batch of {settings.batch_size}" if self.time else ""
        console.print(f"{name}: {summary.parameters:,} parameters{times}")
        console.print(summary, soft_wrap=False)
        return 0
