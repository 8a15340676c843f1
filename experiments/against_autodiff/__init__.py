"""Every hand-derived rule against XLA's autodiff of the usual JAX forms, and PyTorch."""

from experiments.against_autodiff._page import (
    against_autodiff_page,
    fused_line,
    gains,
    summary,
)

__all__ = ["against_autodiff_page", "fused_line", "gains", "summary"]
