"""The layers of this package in every setting, and the faults planted in them."""

from collections.abc import Iterator

from experiments.wrong_gradients._case import Case
from ffnn_jax.catalogue import OP_SPECS, OpSpec


def planted_cases() -> tuple[Case, ...]:
    """A wrong case for each planted fault, and a right one for each setting of each layer."""
    return tuple(case for spec in OP_SPECS for case in (*_faults(spec), *_settings(spec)))


def _faults(spec: OpSpec) -> Iterator[Case]:
    for fault in spec.all_faults:
        rule, sizes = spec.planted(fault)
        yield Case(f"{spec.name}: {fault.name}", spec.name, True, fault.name, rule, sizes=sizes)


def _settings(spec: OpSpec) -> Iterator[Case]:
    for case, (rule, sizes) in zip(spec.cases, spec.rules(), strict=True):
        setting = ", ".join(f"{key}={value}" for key, value in case.static.items())
        given = f", {' '.join(case.arguments)}" if case.arguments else ""
        name = f"{spec.name}: right" + (f", {setting}" if setting else "") + given
        yield Case(name, spec.name, False, "the layer as it is", rule, sizes=sizes)
