"""Faster forms of what a chapter derives, and the choice among them.

A chapter passes its equation form, and computes with the best form for the platform.
"""

from ffnn_jax.layers.fast._choice import ConvForm, blocks, by_platform, form_on_cpu

__all__ = ["ConvForm", "blocks", "by_platform", "form_on_cpu"]
