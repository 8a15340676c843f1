"""The forms that were fastest on the processors that were measured: ``experiments/forms.py``."""

from ffnn_jax.layers.fast._forms import Table

TABLES: dict[str, Table] = {
    "amd-epyc": (),
    "intel-xeon-amx": (
        ("forward 4 4-24", "im2col"),
        ("forward 9 24-more", "native"),
        ("forward 9 more-more", "native"),
        ("images 9 24-more", "native"),
        ("images 9 more-more", "native"),
        ("kernels 9 4-more", "native"),
        ("kernels 9 24-more", "native"),
        ("kernels 9 more-more", "native"),
        ("micro-batch", "32"),
        ("narrow forward 9 24-more", "native"),
        ("narrow forward 9 more-more", "rows"),
        ("narrow images 9 24-more", "native"),
        ("narrow images 9 more-more", "rows"),
        ("narrow kernels 9 24-more", "native"),
        ("narrow kernels 9 more-more", "native"),
    ),
}
"""Classes that are not here are best as shapes suggest, or gain nothing in a whole step."""
