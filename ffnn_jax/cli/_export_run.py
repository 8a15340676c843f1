"""The model of a run, written as a StableHLO program."""

from pathlib import Path

from ffnn_jax.models import PLATFORMS, load, save_exported


def export_and_print(file: Path, out: Path, index: int | None) -> int:
    """Writes the program and prints how far its probabilities are from the model's."""
    apart = save_exported(out, load(file, index))
    size = out.stat().st_size / 1024
    print(f"{out}: {size:,.0f} kB for {', '.join(PLATFORMS)}; probabilities equal to {apart:.1e}")
    return 0
