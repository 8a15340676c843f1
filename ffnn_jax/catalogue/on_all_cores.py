"""Verifies and proves layers with one process per core, since compilation uses a single one."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import jax

from ffnn_jax import catalogue
from ffnn_jax._errors import UserError, suggestion
from ffnn_jax._workers import start_worker
from ffnn_jax.catalogue import FORMS, OP_SPECS, OpSpec, Verification
from ffnn_jax.catalogue.equations import EQUATIONS

Task = tuple[Any, ...]
Tell = Callable[[int, int], None]
"""Told how many of how many tasks are done."""
FORMS_OF_CONV2D, ALL_EQUATIONS = "maps of forms of conv2d", "equations"
_PARTS = ("rule", "faults", "draws")
_DRAWS = 200


def select_specs(layer: str | None) -> list[OpSpec]:
    """The entry of a layer, or all.

    Raises:
        UserError: there is no layer of that name.
    """
    names = [spec.name for spec in OP_SPECS]
    if layer is not None and layer not in names:
        known = ", ".join(names)
        raise UserError(f"unknown layer {layer!r} (known: {known}){suggestion(layer, names)}")
    return [spec for spec in OP_SPECS if layer in (None, spec.name)]


def verify_specs(
    specs: Sequence[OpSpec], seed: int, thorough: bool, tell: Tell
) -> list[Verification]:
    """The verification of each layer: its rule, its planted faults, and random draws."""
    ordered = sorted(specs, key=lambda spec: -len(spec.cases))
    tasks = [(spec.name, part, seed, thorough) for spec in ordered for part in _PARTS]
    parts = {(name, part): v for (name, part, *_), v in run(_verify, tasks, tell).items()}
    return [
        Verification(spec.name, *(parts[spec.name, part] for part in _PARTS), draws=_DRAWS)
        for spec in specs
    ]


def prove_specs(layer: str | None, tell: Tell) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The proofs of each layer and the disproofs of its faults; and those of forms and equations.

    All layers come with the forms of the convolution, and with the equations of all chapters.
    """
    specs = select_specs(layer)
    numbered = [(spec.name, i, fault) for spec in specs for i, fault in enumerate(spec.all_faults)]
    forms = [(FORMS_OF_CONV2D, i) for i in range(len(FORMS) if layer in (None, "conv2d") else 0)]
    equations = [(ALL_EQUATIONS, i) for i in range(0 if layer else len(EQUATIONS))]
    rules, faults = [(spec.name, None) for spec in specs], [(name, i) for name, i, _ in numbered]
    found = run(_prove, [*rules, *forms, *equations, *faults], tell)
    rows = {spec.name: {"proofs": found[spec.name, None], "faults": {}} for spec in specs}
    for name, i, fault in numbered:
        rows[name]["faults"][fault.name] = found[name, i]
    kinds = (FORMS_OF_CONV2D, forms), (ALL_EQUATIONS, equations)
    return rows, {kind: [one for task in tasks for one in found[task]] for kind, tasks in kinds}


def run(function: Callable[..., Any], tasks: Sequence[Task], tell: Tell) -> dict[Task, Any]:
    """The result of each task."""
    pool = ProcessPoolExecutor(None, multiprocessing.get_context("spawn"), start_worker)
    with pool:
        futures = {pool.submit(function, *task): task for task in tasks}
        for done, _ in enumerate(as_completed(futures)):
            tell(done, len(tasks))
        return {task: future.result() for future, task in futures.items()}


def _verify(name: str, part: str, seed: int, thorough: bool) -> Any:
    """Runs one part of a layer's verification, in a subprocess that receives only its name."""
    (spec,) = select_specs(name)
    # Half of the time is compilation, and the compiled code of a fault runs only a few times.
    jax.config.update("jax_disable_most_optimizations", part == "faults")
    if part == "rule":
        return catalogue.check_rule(spec, seed, thorough)
    if part == "faults":
        return catalogue.catch_faults(spec, seed)
    return catalogue.count_false_alarms(spec, seed, _DRAWS)


def _prove(name: str, index: int | None) -> Any:
    """A layer's proofs, a fault's, a form's or a chapter's, in a process that gets only names."""
    if name == FORMS_OF_CONV2D and index is not None:
        return [catalogue.form_as_json(one) for one in catalogue.prove_form(*FORMS[index])]
    if name == ALL_EQUATIONS and index is not None:
        chapter, equations = list(EQUATIONS.items())[index]
        return [{"name": f"{chapter} ({e.tag})", **e.prove().as_json()} for e in equations]
    (spec,) = select_specs(name)
    if not index:
        jax.clear_caches()  # programs of the layer before
    if index is None:
        return [catalogue.case_as_json(one) for one in catalogue.prove_rule(spec)]
    fault = spec.all_faults[index]
    return catalogue.fault_as_json(fault, catalogue.disprove_fault(spec, fault))
