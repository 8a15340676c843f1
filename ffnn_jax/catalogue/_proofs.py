"""Proofs by algebra of the entries: at which small shapes, and what algebra cannot see.

Sizes of one set differ where axes could be mistaken for one another. A comparison multiplies the
cases, and so does every value of an integer, which is why these shapes are smaller still.
"""

import itertools
from typing import NamedTuple

from ffnn_jax.catalogue._faults import Fault
from ffnn_jax.catalogue._op_spec import OpSpec
from ffnn_jax.proof import Proof, prove_vjp
from ffnn_jax.verify import Rule, Sizes

_ENTRIES = "N1 D3|N3 D1"
_HALVES = "N1 D4|N3 D2"
_ROWS = "N1 T2 C3|N2 T1 C4"
_PROOF_SIZES = {
    "dense_column": ("D2 K3|D3 K1",),
    "dense": ("N2 D3 K4|N3 D1 K2",),
    "softmax": ("N1 K3|N3 K2",),
    "softmax_cross_entropy": ("N1 K3|N3 K2", "N1 K3", "N1 K3|!N2 K3", "N1 K2|N2 K1"),
    "conv2d": (
        "N1 H3 W2 C2 B1 KH2 KW1 K4|N2 H1 W2 C4 B2 KH1 KW3 K4",
        "N1 H4 W3 C2 B2 KH3 KW1 K3|N2 H1 W3 C1 B1 KH1 KW2 K3",
        "N1 H4 W3 C2 B2 KH3 KW2 K1|N2 H3 W1 C1 B1 KH2 KW3 K2",
        "N1 H4 W3 C1 B1 KH3 KW2 K2|N2 H1 W4 C2 B2 KH1 KW2 K1",
        "N1 H2 W3 C1 B1 KH3 KW2 K2|N2 H1 W2 C1 B1 KH2 KW1 K1",
        "N1 H4 W3 C2 B2 KH2 KW3 K1|N2 H3 W1 C1 B1 KH3 KW2 K1",
        "N1 H3 W2 C3 B1 KH2 KW1 K6|N2 H1 W2 C3 B1 KH1 KW2 K3",
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
        "N1 H2 W2 C1|N2 H1 W2 C2", "N1 H2 W3 C1|N1 H3 W2 C1", "N1 H3 W3 C1",
        "N1 H3 W1 C1|N2 H1 W3 C1", "N1 H1 W3 C1|N2 H1 W2 C1",
    ),
    "avg_pool": (
        "N1 H3 W4 C2|N2 H1 W3 C1", "N1 H3 W4 C2|N2 H1 W3 C1", "N1 H3 W4 C2|N2 H2 W3 C1",
        "N1 H3 W4 C2|N2 H3 W6 C1", "N1 H2 W5 C3|N2 H5 W3 C1",
    ),
    "global_avg_pool": ("N2 H3 W1 C4|N1 H2 W4 C3",),
    "adaptive_avg_pool": (
        "N1 H4 W5 C2|N2 H3 W1 C1", "N1 H3 W4 C2|N2 H1 W5 C1", "N2 H3 W1 C4|N1 H2 W4 C3",
    ),
    "log_softmax": ("N1 D3|N2 D2",),
    "glu": (_HALVES,), "swiglu": (_HALVES,), "geglu": (_HALVES,),
    "batch_norm": ("N3 H1 W2 C1|N2 H1 W1 C3", "N4 H1 W1 C2|N3 H1 W1 C1"),
    "batch_norm_inference": ("N2 H1 W1 C3|N1 H2 W2 C1",) * 2,
    "dropout": ("N1 D3|N2 D1",) * 2,
    "add": ("N2 D3|N3 D1",),
    "upsample2d": ("N1 H2 W3 C1|N2 H1 W2 C3",) * 5,
    "pad": ("N1 H2 W3 C1|N2 H1 W2 C3",) * 3,
    "scale": ("N2 T1 C3|N1 T2 C4",) * 2,
    "layer_norm": (_ROWS,) * 2,
    "group_norm": ("N1 H1 W2 C6|N2 H1 W2 C3", "N1 H1 W2 C3|N2 H1 W1 C4"),
    "instance_norm": ("N1 P3 C2|N2 P2 C3",) * 2,
    "rms_norm": (_ROWS,) * 2,
    "weight_standardisation": ("H1 W2 C2 K3|H3 W1 C1 K2",) * 2,
}  # fmt: skip
FAR = 800  # beyond, exponentials underflow, and these clip their arguments
_CLIPPED = ("softsign", "silu", "gelu", "gelu_tanh", "mish", "swiglu", "geglu")
_TIES = {
    "relu": "number", "relu6": "number", "hard_tanh": "number", "hard_sigmoid": "number",
    "hard_swish": "number", "leaky_relu": "below", "prelu": "below",
}  # fmt: skip
_BEYOND = {
    "left in float32": "dtypes", "half precision": "rounding", "detached": "second derivatives",
    "NaN": "not a number", "infinit": "infinity", "by multiplication": "infinity",
    "shifted by the minimum": "overflow", "overflow": "overflow", "log of softmax": "overflow",
}  # fmt: skip
_FOR_FAULTS = "!"  # before sizes at which a proof would have too many cases
_SECONDS, _GLANCE = 120.0, 4.0


class CaseProof(NamedTuple):
    """The proof of a rule with these static settings at these sizes."""

    static: dict[str, object]
    sizes: Sizes
    proof: Proof


def proof_sizes(spec: OpSpec, faults: bool = False) -> list[list[Sizes]]:
    """For each case of an entry, the sizes at which it is proved, or its faults are disproved."""
    texts = _PROOF_SIZES.get(spec.name, (_ENTRIES,) * len(spec.cases))
    return [
        [_parsed(text) for text in case.split("|") if faults or not text.startswith(_FOR_FAULTS)]
        for case in texts
    ]


def prove_rule(spec: OpSpec, first_only: bool = False) -> list[CaseProof]:
    """Proves an entry in every case, at every set of sizes or at the first of each."""
    parts = zip(spec.cases, spec.rules(), proof_sizes(spec), strict=True)
    return [
        CaseProof(dict(case.static), sizes, _prove(spec, rule, sizes))
        for case, (rule, _), all_sizes in parts
        for sizes in all_sizes[: 1 if first_only else None]
    ]


def disprove_fault(spec: OpSpec, fault: Fault) -> Proof:
    """Disproves a planted fault at the sizes that show it; else what came of the last of them.

    All sizes get a few seconds first, in which nearly every counterexample is found; a fault beyond
    algebra gets no more, since nobody asks for its proof.
    """
    rule, _ = spec.planted(fault)
    all_sizes = list(reversed(proof_sizes(spec, faults=True)[fault.case]))
    limits = (_GLANCE,) if beyond_algebra(fault) else (_GLANCE, _SECONDS)
    tried = []
    for limit, sizes in itertools.product(limits, all_sizes):
        tried.append(_prove(spec, rule, sizes, limit))
        if tried[-1].verdict == "disproved":
            break
    return tried[-1]


def beyond_algebra(fault: Fault) -> str:
    """What shows a fault whose formula is right in exact arithmetic; "" for a wrong formula."""
    return next((reason for words, reason in _BEYOND.items() if words in fault.name), "")


def _prove(spec: OpSpec, rule: Rule, sizes: Sizes, seconds: float = _SECONDS) -> Proof:
    ties, within = _TIES.get(spec.name, "any"), FAR if spec.name in _CLIPPED else None
    return prove_vjp(rule, sizes=sizes, ties=ties, within=within, timeout=seconds)


def _parsed(text: str) -> Sizes:
    words = text.removeprefix(_FOR_FAULTS).split()
    names = [word.rstrip("0123456789") for word in words]
    return {name: int(word[len(name) :]) for name, word in zip(names, words, strict=True)}
