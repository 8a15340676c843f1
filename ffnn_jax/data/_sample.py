"""A picture to try prediction on: a 3 drawn for this package."""

from pathlib import Path


def sample_digit() -> Path:
    """Path of a picture of the digit 3, dark on light; relative if below the working folder."""
    path, here = Path(__file__).with_name("three.png"), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
