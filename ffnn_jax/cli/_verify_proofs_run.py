"""Proves the layers of this package by algebra, and disproves the planted faults."""

from ffnn_jax import catalogue
from ffnn_jax._console import show_progress
from ffnn_jax.catalogue.on_all_cores import ALL_EQUATIONS, FORMS_OF_CONV2D, prove_specs
from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.proof import known_primitives

_LIMITS = """\
What this proves: at these shapes, in exact arithmetic, the code computes the derivative of its \
definition, for all real numbers (below 800 where a rule clips) at which every step is defined.
What it does not: other shapes, rounding, dtypes, overflow, infinities, NaN, second derivatives."""


def list_primitives() -> int:
    """Prints the primitives that a proof can interpret, one per line."""
    print("\n".join(known_primitives()))
    return 0


def prove_layers(layer: str | None, file: str | None) -> int:
    """Proves the layers and prints one row each; returns 1 if anything is as it must not be."""
    console = console_beside(file)
    with show_progress(lines=False) as tell:
        rows, others = prove_specs(layer, lambda *n: tell("proving", *n))
    console.print(catalogue.proof_table(rows))
    problems = list(catalogue.proof_problems(rows))
    for kind, proofs in others.items():
        failed = [proof for proof in proofs if proof["verdict"] != "proved"]
        if proofs:
            console.print(f"{len(proofs) - len(failed)} of {len(proofs)} {kind} proved")
        problems += [(f"{p['name']}: {p['verdict']} {p['reason']}", True) for p in failed]
    console.print("\n".join([*(line for line, _ in problems), _LIMITS]))
    forms, equations = others[FORMS_OF_CONV2D], others[ALL_EQUATIONS]
    write_json(file, {"layers": rows, "forms": forms, "equations": equations})
    return 1 if any(wrong for _, wrong in problems) else 0
