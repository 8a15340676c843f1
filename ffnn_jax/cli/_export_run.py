"""Writes a run's model as a StableHLO program."""

from pathlib import Path

from ffnn_jax.models import PLATFORMS, load, save_exported


def export_and_print(file: Path, out: Path, index: int | None) -> int:
    """Writes the program and prints how much its probabilities differ from the model's."""
    error, platforms = save_exported(out, load(file, index)), ", ".join(PLATFORMS)
    print(f"{out}: {out.stat().st_size / 1024:,.0f} kB for {platforms}")
    print(f"probabilities differ from the model's by at most {error:.1e}")
    return 0
