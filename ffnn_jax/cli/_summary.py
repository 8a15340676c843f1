"""``ffnn-jax summary``."""

import dataclasses
import re
from pathlib import Path
from typing import Annotated

import tyro

from ffnn_jax.cli._options import LAYERS, Flag, LayersFrom, shown
from ffnn_jax.config import (
    PRESETS,
    Settings,
    UserError,
    layers_from_text,
    layers_in,
    named_settings,
    settings_of_run,
)


@dataclasses.dataclass(frozen=True)
class Summary:
    """Print a network: shapes, parameters, FLOPs, and what each backward keeps.

    FLOPs and bytes are for one image. A layer keeps the bytes in its forward for its backward, in
    the run's precision; parameters are not counted, and an array that two layers keep is counted
    for both. Times are medians of each layer alone, for a batch.

    Example: ffnn-jax summary --layers "conv 32 5, relu, maxpool 2, dense 10" --shape 28x28x1
    """

    network: Annotated[
        tyro.conf.Positional[str], shown("PRESET|FILE|RUN", "(default: quickstart)")
    ] = "quickstart"
    """Preset, settings file that ends in .toml, or folder of a run."""

    layers: Annotated[str | None, LAYERS, shown(None, "(default: the preset's)")] = None
    """Layers in the place of the preset's, as for train."""

    shape: Annotated[str | None, shown("HxWxC", "(default: the data set's)")] = None
    """Shape of one image: height, width and channels, as in 28x28x1."""

    time: Flag = False
    """Also time each layer, forward and backward, for a batch on this machine."""

    layers_from: LayersFrom = None

    def __call__(self) -> int:
        """Prints the table; the data set need not be prepared."""
        settings = self._settings()
        if self.shape is not None and not re.fullmatch(r"[1-9]\d{0,4}(x[1-9]\d{0,4})*", self.shape):
            raise UserError(f"shape must be sizes joined by x, as in 28x28x1, got {self.shape!r}")

        import ffnn_jax.cli._summary_run as summary_run

        shape = tuple(map(int, self.shape.split("x"))) if self.shape else None
        summary_run.summarise_and_print(settings, shape, self.time)
        return 0

    def _settings(self) -> Settings:
        if self.network not in PRESETS and Path(self.network).is_dir():
            settings = settings_of_run(Path(self.network), layers_in(self.layers_from))
        else:
            settings = named_settings(self.network).settings
        if self.layers is None:
            return settings
        layers = layers_from_text(self.layers)
        return dataclasses.replace(settings, preset="layers", layers=layers)
