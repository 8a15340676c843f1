"""Tests generated from the catalogue, so that no operation can be added unverified."""

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
from ffnn_jax.verify._compare import allowed_error, compare
from ffnn_jax.verify._subject import Subject

FAULTS = [(spec, fault) for spec in OP_SPECS for fault in spec.all_faults]
SAMPLE = FAULTS[::30]
DRAWN = {"dense", "relu", "conv2d", "max_pool", "batch_norm", "softmax_cross_entropy"}
"""Operations that the default run draws values for; each chapter's test checks its own rule."""


def each(*by_default: str) -> pytest.MarkDecorator:
    """Every operation; those not named are slow."""
    marks = {spec.name: () if spec.name in by_default else pytest.mark.slow for spec in OP_SPECS}
    specs = [pytest.param(spec, id=spec.name, marks=marks[spec.name]) for spec in OP_SPECS]
    return pytest.mark.parametrize("spec", specs)


each_spec = each(*(spec.name for spec in OP_SPECS))


def generic(spec):
    return [fault.name for fault in spec.all_faults if fault not in spec.faults]


def fault_id(spec_and_fault):
    spec, fault = spec_and_fault
    return f"{spec.name}: {fault.name}"


def has_parts(spec):
    """Whether a case has more than one cotangent, of arguments or outputs."""

    def count(rule, sizes):
        subject = Subject.of(rule, sizes)
        args = subject.draw(np.random.default_rng(0), sizes)
        return len(subject.reals) + len(jax.tree.leaves(jax.eval_shape(subject.op, *args)))

    return max(count(rule, sizes[0]) for rule, sizes in spec.rules()) > 2


def test_every_custom_vjp_of_the_package_is_in_the_catalogue():
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(ffnn_jax.__path__, "ffnn_jax.")
        if not module.name.endswith("__main__")
    ]
    rules = {
        value for module in modules for value in vars(module).values()
        if isinstance(value, jax.custom_vjp)
    }  # fmt: skip
    assert rules == {spec.op for spec in OP_SPECS}


@each_spec
def test_name_forward_and_backward_are_the_public_functions_of_the_layer(spec):
    public = vars(ffnn_jax.layers)
    wired = spec.op, spec.op.fwd, spec.op.bwd
    suffixes = ("", "_forward", "_backward")
    assert wired == tuple(public[f"{spec.name}{suffix}"] for suffix in suffixes)


@each("relu")
def test_every_check_passes(spec):
    result = check_rule(spec)
    assert result.passed, str(result)
    optional = {"adjoint": spec.linear, "exact": spec.exact, "kinks": spec.kinks}
    optional |= {"sharded": spec.batch, "shard_map": spec.batch and spec.reduces != "mixed"}
    optional |= {"empty batch": spec.empty_batch, "jvp": False, "partial": has_parts(spec)}
    expected = [check for check in CHECKS if optional.get(check, True)]
    assert [row.name for row in result.checks] == expected
    assert set(result.not_asked) == set(CHECKS) - set(expected)


@each_spec
def test_sizes_are_few_start_all_different_and_include_a_batch_of_one(spec):
    all_sizes = [sizes for case in spec.cases for sizes in case.sizes]
    assert len(all_sizes) <= 8
    assert len(set(all_sizes[0].values())) == len(all_sizes[0])
    assert spec.batch is None or 1 in [sizes[spec.batch] for sizes in all_sizes]


@each("relu", "max_pool")
def test_a_specific_fault_runs_so_that_its_numbers_are_what_is_caught(spec):
    """An error inside a planted fault would count as caught, whatever it was meant to be."""
    for fault in spec.faults:
        rule, sizes = spec.planted(fault)
        subject = Subject.of(rule, sizes[0])
        args = subject.draw(np.random.default_rng(0), sizes[0])
        dz = subject.draw_cotangent(np.random.default_rng(1), args)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            assert jax.tree.leaves(subject.pull(args, dz)), fault.name


@each_spec
def test_there_are_at_least_eight_distinct_faults(spec):
    names = [fault.name for fault in spec.all_faults]
    assert len(set(names)) == len(names) >= 8


def test_generic_faults_follow_the_arguments_and_omit_changes_that_are_not_faults():
    """A boolean gate cannot be detached, and a mean is not averaged again."""
    assert generic(RELU) == [
        "dx scaled by 1.0001", "dx negated", "dx scaled in one entry", "dx scaled in the last row",
        "dx left in float32", "dx averaged", "dz replaced by ones",
    ]  # fmt: skip
    assert generic(SOFTMAX_CROSS_ENTROPY) == [
        "dlogits scaled by 1.0001", "dlogits negated", "dlogits scaled in one entry",
        "dlogits scaled in the last row", "dlogits left in float32", "dloss replaced by ones",
        "residuals detached",
    ]  # fmt: skip


def test_a_specific_fault_replaces_the_generic_one_of_the_same_name():
    assert "db averaged" in [fault.name for fault in CONV2D.faults]
    assert "db averaged" not in generic(CONV2D)


@pytest.mark.parametrize("spec_and_fault", dict.fromkeys(SAMPLE), ids=fault_id)
def test_a_sample_of_the_planted_faults_is_caught(spec_and_fault):
    spec, fault = spec_and_fault
    assert catch_fault(spec, fault)


@pytest.mark.slow
@each_spec
def test_every_planted_fault_is_caught_and_the_true_rule_passes_200_draws(spec):
    caught = catch_faults(spec, seed=1)
    assert [fault for fault, checks in caught.items() if not checks] == []
    assert count_false_alarms(spec, seed=1, draws=200) == 0


@each(*DRAWN)
def test_the_true_rule_passes_random_draws(spec):
    assert count_false_alarms(spec, seed=100, draws=25) == 0


def test_a_fault_that_no_check_catches_is_reported():
    """The true rule, planted as a fault."""
    assert catch_fault(RELU, Fault("none")) == ()


@each(*DRAWN)
def test_forward_over_reverse_equals_the_references(spec):
    """As in ``jax.hessian``: the jvp of the cotangents, away from kinks."""
    rule, sizes = spec.rules()[0]
    subject = Subject.of(rule, sizes[0])
    with jax.enable_x64(True):
        generator = np.random.default_rng(3)
        args = subject.draw(generator, sizes[0])
        dz = subject.draw_cotangent(generator, args)
        direction = [generator.normal(size=args[i].shape) for i in subject.reals]

        def change_of_cotangents(pull):
            def of_reals(*reals):
                replaced = dict(zip(subject.reals, reals, strict=True))
                return pull([replaced.get(i, arg) for i, arg in enumerate(args)], dz)[1]

            return jax.jvp(of_reals, [args[i] for i in subject.reals], direction)[1]

        ours = change_of_cotangents(subject.pull)
        theirs = change_of_cotangents(subject.reference_pull)
    names, allowed = subject.cotangent_names, 10 * allowed_error(subject, args)
    assert compare("hessian", names, ours, theirs, allowed).passed
