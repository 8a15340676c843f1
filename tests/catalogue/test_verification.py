"""The suite that the catalogue generates: no operation can be added unverified."""

import importlib
import pkgutil

import jax
import numpy as np
import pytest

import ffnn_jax
import ffnn_jax.layers
from ffnn_jax.catalogue import (
    CONV2D,
    OP_SPECS,
    RELU,
    SOFTMAX_CROSS_ENTROPY,
    Fault,
    catch_fault,
    catch_faults,
    check_rule,
    count_false_alarms,
)
from ffnn_jax.verify import CHECKS
from ffnn_jax.verify._compare import allowed_for, compare

each_entry = pytest.mark.parametrize("spec", OP_SPECS, ids=lambda spec: spec.name)
FAULTS = [(spec, fault) for spec in OP_SPECS for fault in spec.all_faults]
BY_DEFAULT = {"dense", "relu"}
SAMPLE = FAULTS[::20]


def generic(spec):
    return [fault.name for fault in spec.all_faults if fault not in spec.faults]


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
    assert rules == {spec.op for spec in OP_SPECS}


@each_entry
def test_name_forward_and_backward_are_those_of_the_layers_three_functions(spec):
    public = vars(ffnn_jax.layers)
    wired = spec.op, spec.op.fwd, spec.op.bwd
    parts = ("", "_forward", "_backward")
    assert wired == tuple(public[f"{spec.name}{part}"] for part in parts)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(
            spec,
            id=spec.name,
            marks=[] if spec.name in BY_DEFAULT else pytest.mark.slow,
        )
        for spec in OP_SPECS
    ],
)
def test_every_check_holds(spec):
    result = check_rule(spec)
    assert result.passed, str(result)
    optional = {"adjoint": spec.linear, "exact": spec.exact, "kinks": spec.kinks}
    optional |= {"sharded": spec.batch, "shard_map": spec.batch and spec.reduces != "mixed"}
    optional["empty batch"] = spec.empty_batch
    expected = [check for check in CHECKS if optional.get(check, True)]
    assert [row.name for row in result.checks] == expected


@each_entry
def test_sizes_are_few_first_different_and_have_a_batch_of_one(spec):
    every = [sizes for case in spec.cases for sizes in case.sizes]
    assert len(every) <= 8
    assert len(set(every[0].values())) == len(every[0])
    assert spec.batch is None or 1 in [sizes[spec.batch] for sizes in every]


@each_entry
def test_there_are_at_least_eight_named_faults(spec):
    names = [fault.name for fault in spec.all_faults]
    assert len(set(names)) == len(names) >= 8


def test_generic_faults_are_made_of_the_arguments_and_left_out_where_they_are_none():
    """A gate of booleans cannot be detached, and a mean is not averaged once more."""
    assert generic(RELU) == [
        "dx by 1.0001", "dx negated", "dx off in one entry", "dx off in the last row",
        "dx left in float32", "dx averaged", "dz replaced by ones",
    ]  # fmt: skip
    assert generic(SOFTMAX_CROSS_ENTROPY) == [
        "dlogits by 1.0001", "dlogits negated", "dlogits off in one entry",
        "dlogits off in the last row", "dlogits left in float32", "dloss replaced by ones",
        "residuals detached",
    ]  # fmt: skip


def test_a_fault_of_its_own_takes_the_place_of_the_generic_one_of_its_name():
    assert "db averaged" in [fault.name for fault in CONV2D.faults]
    assert "db averaged" not in generic(CONV2D)


@pytest.mark.parametrize("pair", dict.fromkeys(SAMPLE), ids=name)
def test_a_sample_of_the_planted_faults_is_caught(pair):
    spec, fault = pair
    assert catch_fault(spec, fault)


@pytest.mark.slow
@each_entry
def test_every_planted_fault_is_caught_and_the_true_rule_passes_200_draws(spec):
    caught = catch_faults(spec, seed=1)
    assert [fault for fault, checks in caught.items() if not checks] == []
    assert count_false_alarms(spec, seed=1, draws=200) == 0


@each_entry
def test_the_true_rule_raises_no_alarm_at_random_values(spec):
    assert count_false_alarms(spec, seed=100, draws=25) == 0


def test_a_fault_that_nothing_catches_is_reported():
    """The true rule, planted as if it were a fault."""
    assert catch_fault(RELU, Fault("none")) == ()


@each_entry
def test_forward_over_reverse_equals_the_references(spec):
    """What ``jax.hessian`` is made of: jvp of the cotangents, away from kinks."""
    subject, sizes = spec.subjects()[0]
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
