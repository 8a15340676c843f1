"""A picture to try prediction on: a 3 drawn for this package."""

from pathlib import Path


def sample_digit() -> Path:
    """Path of a picture of the digit 3, dark ink on light paper."""
    return Path(__file__).with_name("three.png")
