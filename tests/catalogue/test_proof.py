"""The suite that the catalogue generates: no operation can be added unproved."""

import dataclasses
import importlib
import pkgutil

import jax
import numpy as np
import pytest

import ffnn_jax
from ffnn_jax.catalogue import (
    ENTRIES,
    FAULT_CHECKS,
    Fault,
    catch_faults,
    check_rule,
    count_false_alarms,
    prove,
)
from ffnn_jax.verify import CHECKS, check_subjects
from ffnn_jax.verify._compare import allowed_for, compare

each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
FAULTS = [(entry, fault) for entry in ENTRIES for fault in entry.faults]
PROVED_BY_DEFAULT = {"dense", "relu"}
SAMPLE = [pair for pair in FAULTS if "by 1.0001" in pair[1].name] + FAULTS[::22]


def name(pair):
    return f"{pair[0].name}: {pair[1].name}"


def test_every_custom_vjp_of_the_package_is_in_the_catalogue():
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(ffnn_jax.__path__, "ffnn_jax.")
        if not found.name.endswith("__main__")
    ]
    rules = {
        value for module in modules for value in vars(module).values()
        if isinstance(value, jax.custom_vjp)
    }  # fmt: skip
    assert rules == {entry.op for entry in ENTRIES}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(
            entry, id=entry.name, marks=[] if entry.name in PROVED_BY_DEFAULT else pytest.mark.slow
        )
        for entry in ENTRIES
    ],
)
def test_every_check_holds(entry):
    report = check_rule(entry)
    assert report.passed, str(report)
    optional = {"adjoint": entry.linear, "exact": entry.exact, "kinks": entry.kinks}
    optional |= dict.fromkeys(("sharded", "shard_map"), entry.batch)
    optional["empty batch"] = entry.empty_batch
    expected = [check for check in CHECKS if optional.get(check, True)]
    assert [row.name for row in report.checks] == expected


@each_entry
def test_sizes_are_few_first_different_and_have_a_batch_of_one(entry):
    every = [sizes for case in entry.cases for sizes in case.sizes]
    assert len(every) <= 8
    assert len(set(every[0].values())) == len(every[0])
    assert entry.batch is None or 1 in [sizes[entry.batch] for sizes in every]


@each_entry
def test_there_are_at_least_eight_named_faults(entry):
    names = [fault.name for fault in entry.faults]
    assert len(set(names)) == len(names) >= 8


@pytest.mark.parametrize("pair", dict.fromkeys(SAMPLE), ids=name)
def test_a_sample_of_the_planted_faults_is_caught(pair):
    entry, fault = pair
    assert not check_subjects(fault.name, [entry.planted(fault)], 0, FAULT_CHECKS)


@pytest.mark.slow
@each_entry
def test_every_planted_fault_is_caught_and_the_true_rule_passes_200_draws(entry):
    proof = prove(entry, seed=1, draws=200)
    assert [fault for fault, checks in proof.caught.items() if not checks] == []
    assert proof.false_alarms == 0
    assert proof.passed


@each_entry
def test_the_true_rule_raises_no_alarm_at_random_values(entry):
    assert count_false_alarms(entry, seed=100, draws=25) == 0


def test_a_fault_that_nothing_catches_is_reported():
    """The true rule, planted as if it were a fault."""
    entry = next(entry for entry in ENTRIES if entry.name == "relu")
    planted = dataclasses.replace(entry, faults=(Fault("none"),))
    assert catch_faults(planted) == {"none": ()}


@each_entry
def test_forward_over_reverse_equals_the_references(entry):
    """What ``jax.hessian`` is made of: jvp of the cotangents, away from kinks."""
    subject, sizes = entry.subjects()[0]
    with jax.enable_x64(True):
        generator = np.random.default_rng(3)
        args = subject.draw(generator, sizes[0])
        dz = subject.draw_cotangent(generator, args)
        along = [generator.normal(size=args[i].shape) for i in subject.reals]

        def change_of_cotangents(pull):
            def of_reals(*reals):
                replaced = dict(zip(subject.reals, reals, strict=True))
                return pull([replaced.get(i, arg) for i, arg in enumerate(args)], dz)[1]

            return jax.jvp(of_reals, [args[i] for i in subject.reals], along)[1]

        ours = change_of_cotangents(subject.pull)
        theirs = change_of_cotangents(subject.reference_pull)
    names, allowed = subject.cotangent_names, 10 * allowed_for(args)
    assert compare("hessian", names, ours, theirs, allowed).passed
