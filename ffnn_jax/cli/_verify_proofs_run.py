"""Proves the layers of this package by algebra, and disproves the planted faults."""

from typing import Any

import jax

from ffnn_jax import catalogue
from ffnn_jax.catalogue import FORMS
from ffnn_jax.catalogue.equations import EQUATIONS
from ffnn_jax.cli._output import console_beside, write_json
from ffnn_jax.cli._verify_layers_run import on_all_cores, select_specs
from ffnn_jax.proof import known_primitives

_LIMITS = """\
What this proves: at these shapes, in exact arithmetic, the code computes the derivative of its \
definition, for all real numbers (below 800 where a rule clips) at which every step is defined.
What it does not: other shapes, rounding, dtypes, overflow, infinities, NaN, second derivatives."""
_FORMS, _EQUATIONS = "maps of forms of conv2d", "equations"


def list_primitives() -> int:
    """Prints the primitives that a proof can interpret, one per line."""
    print("\n".join(known_primitives()))
    return 0


def prove_layers(layer: str | None, file: str | None) -> int:
    """Proves the layers and prints one row each; returns 1 if anything is as it must not be.

    All layers come with the forms of the convolution, and with the equations of all chapters.
    """
    console, specs = console_beside(file), select_specs(layer)
    numbered = [(spec.name, i, fault) for spec in specs for i, fault in enumerate(spec.all_faults)]
    forms = [(_FORMS, i) for i in range(len(FORMS))] if layer in (None, "conv2d") else []
    equations = [(_EQUATIONS, i) for i in range(0 if layer else len(EQUATIONS))]
    rules, faults = [(spec.name, None) for spec in specs], [(name, i) for name, i, _ in numbered]
    found = on_all_cores(_part, [*rules, *forms, *equations, *faults], "proving")
    rows = {spec.name: {"proofs": found[spec.name, None], "faults": {}} for spec in specs}
    for name, i, fault in numbered:
        rows[name]["faults"][fault.name] = found[name, i]
    console.print(catalogue.proof_table(rows))
    problems, others = list(catalogue.proof_problems(rows)), {}
    for kind, tasks in ((_FORMS, forms), (_EQUATIONS, equations)):
        others[kind] = [one for task in tasks for one in found[task]]
        failed = [proof for proof in others[kind] if proof["verdict"] != "proved"]
        if tasks:
            count = len(others[kind])
            console.print(f"{count - len(failed)} of {count} {kind} proved")
        problems += [(f"{p['name']}: {p['verdict']} {p['reason']}", True) for p in failed]
    console.print("\n".join([*(line for line, _ in problems), _LIMITS]))
    write_json(file, {"layers": rows, "forms": others[_FORMS], "equations": others[_EQUATIONS]})
    return 1 if any(wrong for _, wrong in problems) else 0


def _part(name: str, index: int | None) -> Any:
    """A layer's proofs, a fault's, a form's or a chapter's, in a process that gets only names."""
    if name == _FORMS and index is not None:
        return [catalogue.form_as_json(one) for one in catalogue.prove_form(*FORMS[index])]
    if name == _EQUATIONS and index is not None:
        chapter, equations = list(EQUATIONS.items())[index]
        return [{"name": f"{chapter} ({e.tag})", **e.prove().as_json()} for e in equations]
    (spec,) = select_specs(name)
    if not index:
        jax.clear_caches()  # programs of the layer before
    if index is None:
        return [catalogue.case_as_json(one) for one in catalogue.prove_rule(spec)]
    fault = spec.all_faults[index]
    return catalogue.fault_as_json(fault, catalogue.disprove_fault(spec, fault))
