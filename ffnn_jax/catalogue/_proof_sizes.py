"""The small shapes at which rules are proved: for each case of an entry, sets of sizes.

Sizes of one set differ where axes could be mistaken for one another. A comparison multiplies the
cases, and so does every value of an integer, which is why these shapes are smaller still.
"""

from collections.abc import Sequence

from ffnn_jax.catalogue._op_spec import OpSpec
from ffnn_jax.verify import Sizes

_ENTRIES = "N1 D3|N3 D1"
_HALVES = "N1 D4|N3 D2"
_ROWS = "N1 T2 C3|N2 T1 C4"
_PROOF_SIZES = {
    "dense_column": ("D2 K3|D3 K1",),
    "dense": ("N2 D3 K4|N3 D1 K2",),
    "softmax": ("N1 K3|N3 K2",),
    "softmax_cross_entropy": ("N1 K3|N3 K2", "N1 K3", "N2 K3", "N1 K3|N3 K2"),
    "conv2d": (
        "N1 H3 W4 C2 B1 KH2 KW1 K2|N2 H1 W2 C4 B2 KH1 KW3 K2",
        "N1 H4 W3 C2 B2 KH3 KW1 K3|N2 H1 W3 C1 B1 KH1 KW2 K3",
        "N1 H4 W3 C2 B2 KH3 KW2 K1|N2 H3 W1 C1 B1 KH2 KW3 K2",
        "N1 H4 W3 C1 B1 KH3 KW2 K2|N2 H1 W4 C2 B2 KH1 KW2 K1",
        "N1 H2 W3 C1 B1 KH3 KW2 K2|N2 H1 W2 C1 B1 KH2 KW1 K1",
        "N1 H4 W3 C2 B2 KH2 KW3 K1|N2 H3 W1 C1 B1 KH3 KW2 K1",
        "N1 H3 W4 C3 B1 KH2 KW1 K3|N2 H1 W2 C3 B1 KH1 KW2 K3",
    ),
    "conv1d": (
        "N1 L4 C2 B1 KL3 K2|N2 L3 C4 B2 KL1 K2",
        "N1 L4 C2 B2 KL3 K1|N2 L3 C1 B1 KL4 K2",
        "N1 L5 C2 B2 KL3 K1|N2 L4 C1 B1 KL2 K3",
    ),
    "conv_transpose2d": (
        "N1 H2 W3 C1 KH3 KW2 K2|N2 H1 W2 C2 KH1 KW3 K1",
        "N1 H2 W1 C2 KH1 KW4 K3|N2 H1 W2 C1 KH3 KW2 K1",
        "N1 H2 W3 C2 KH3 KW2 K1|N2 H1 W2 C1 KH4 KW3 K2",
    ),
    "max_pool": (
        "N1 H2 W1 C1|N2 H1 W1 C3", "N1 H2 W3 C1|N1 H2 W2 C2", "N1 H3 W3 C1", "N1 H2 W2 C1|N2 H2 W1 C1",
        "N1 H1 W3 C1|N2 H1 W2 C1",
    ),
    "avg_pool": (
        "N1 H3 W4 C2|N2 H1 W3 C1", "N1 H3 W4 C2|N2 H1 W3 C1", "N1 H3 W4 C2|N2 H2 W3 C1",
        "N1 H3 W4 C2|N2 H3 W6 C1", "N1 H2 W5 C3|N2 H5 W3 C1",
    ),
    "global_avg_pool": ("N2 H3 W1 C4|N1 H2 W4 C3",),
    "adaptive_avg_pool": ("N1 H4 W5 C2|N2 H3 W1 C1", "N1 H3 W4 C2|N2 H1 W5 C1", "N2 H3 W1 C4|N1 H2 W4 C3"),
    "glu": (_HALVES,), "swiglu": (_HALVES,), "geglu": (_HALVES,),
    "batch_norm": ("N3 H1 W2 C1|N2 H1 W1 C3", "N4 H1 W1 C2|N3 H1 W1 C1"),
    "batch_norm_inference": ("N2 H1 W1 C3|N1 H2 W2 C1",) * 2,
    "dropout": ("N1 D3|N2 D1",) * 2,
    "add": ("N2 D3|N3 D1",),
    "upsample2d": ("N1 H2 W3 C1|N2 H1 W2 C3",) * 5,
    "pad": ("N1 H2 W3 C1|N2 H1 W2 C3",) * 3,
    "scale": ("N2 T1 C3|N1 T2 C4",) * 2,
    "layer_norm": (_ROWS,) * 2,
    "group_norm": ("N1 H1 W2 C6|N2 H1 W1 C3", "N1 H1 W2 C3|N2 H1 W1 C4"),
    "instance_norm": ("N1 P3 C2|N2 P2 C1",) * 2,
    "rms_norm": (_ROWS,) * 2,
    "weight_standardisation": ("H1 W2 C2 K3|H3 W1 C1 K2",) * 2,
}  # fmt: skip
_CLIPPED = ("softsign", "silu", "gelu", "gelu_tanh", "mish", "swiglu", "geglu")
FAR = 800
"""How far the arguments of clipped activations go: beyond, exponentials underflow."""


def proof_sizes(spec: OpSpec) -> list[list[Sizes]]:
    """For each case of an entry, the sizes at which it is proved."""
    texts = _PROOF_SIZES.get(spec.name, (_ENTRIES,) * len(spec.cases))
    return [[_parsed(text) for text in case.split("|")] for case in texts]


def proof_bound(spec: OpSpec) -> int | None:
    """How far the arguments go for which the entry is proved; None for all numbers."""
    return FAR if spec.name in _CLIPPED else None


def _parsed(text: str) -> Sizes:
    names: Sequence[str] = [word.rstrip("0123456789") for word in text.split()]
    return {name: int(word[len(name) :]) for name, word in zip(names, text.split(), strict=True)}
