"""Which checks find a wrong gradient: ours and the usual ones, on every planted fault.

Ours: the table in README, from results/check_styles.json.
Time: about 12 minutes of one core of an Intel Xeon.
Command: python -m experiments.check_styles
Quick: python -m experiments.check_styles --quick, the faults of relu, results to runs/quick.

Every check style is run on every planted fault of the catalogue and on every correct rule, at the
same sizes. A style that draws random numbers gets 12 tries; a fault is found if most of them find
it, and a correct rule is wrongly rejected if any of them rejects it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from experiments._results import folder_for, run_command, write_result
from ffnn_jax.catalogue import FAULT_CHECKS, OP_SPECS, OpSpec
from ffnn_jax.runs import device, versions
from ffnn_jax.verify import Sizes, Subject, check_subjects

TRIES = 12
Style = Callable[[Subject, Sizes, int], bool]


def shapes_and_finiteness(subject: Subject, sizes: Sizes, seed: int) -> bool:
    """Gradients have the right shapes and are finite."""
    args, cotangents, _ = _pull(subject, sizes, seed, jnp.float32)
    return all(
        cotangent.shape == args[place].shape and bool(jnp.isfinite(cotangent).all())
        for place, cotangent in zip(subject.reals, cotangents, strict=True)
    )


def gradient_of_the_sum(subject: Subject, sizes: Sizes, seed: int) -> bool:
    """``grad(sum(op))`` against autodiff in float32, to 2e-2: a cotangent of ones."""
    args, _, _ = _pull(subject, sizes, seed, jnp.float32)
    ones = jax.tree.map(jnp.ones_like, subject.value(*args))
    ours, theirs = subject.pull(args, ones)[1], subject.reference_pull(args, ones)[1]
    return all(bool(jnp.allclose(a, b, 0, 2e-2)) for a, b in zip(ours, theirs, strict=True))


def check_grads_float32(subject: Subject, sizes: Sizes, seed: int) -> bool:
    """``jax.test_util.check_grads`` in float32, with its defaults."""
    return _check_grads(subject, sizes, seed, jnp.float32)


def check_grads_float64(subject: Subject, sizes: Sizes, seed: int) -> bool:
    """``jax.test_util.check_grads`` in float64."""
    with jax.enable_x64(True):
        return _check_grads(subject, sizes, seed, jnp.float64)


def cotangents_in_float64(subject: Subject, sizes: Sizes, seed: int) -> bool:
    """Only our check "cotangents"."""
    return check_subjects("", [(subject, [sizes])], seed, ["cotangents"]).passed


STYLES: dict[str, Style] = {
    "shapes and finiteness": shapes_and_finiteness,
    "`grad(sum(op))`, float32, to 2e-2": gradient_of_the_sum,
    "`check_grads`, float32": check_grads_float32,
    "`check_grads`, float64": check_grads_float64,
    "ours: cotangents alone": cotangents_in_float64,
}
ALL_OURS = "ours: all checks"


def measure(specs: tuple[OpSpec, ...]) -> dict[str, Any]:
    """Counts, for each style, the faults found and the correct rules rejected."""
    found = dict.fromkeys([*STYLES, ALL_OURS], 0)
    rejected = dict.fromkeys([*STYLES, ALL_OURS], 0)
    missed: dict[str, list[str]] = {name: [] for name in found}
    for spec, fault, subject, sizes in _planted_faults(specs):
        verdicts = {
            name: _rejections(style, subject, sizes[0]) > TRIES / 2
            for name, style in STYLES.items()
        }
        verdicts[ALL_OURS] = not check_subjects("", [(subject, sizes)], 0, FAULT_CHECKS).passed
        for name, caught in verdicts.items():
            found[name] += caught
            if not caught:
                missed[name].append(f"{spec}: {fault}")
    for spec in specs:
        subject, sizes = spec.subjects()[0]
        for name, style in STYLES.items():
            rejected[name] += _rejections(style, subject, sizes[0]) > 0
        checks = [check_subjects("", [(subject, sizes)], seed, FAULT_CHECKS) for seed in range(3)]
        rejected[ALL_OURS] += not all(checks)
    planted = sum(len(spec.all_faults) for spec in specs)
    counts = {"planted": planted, "rules": len(specs), "found": found, "rejected": rejected}
    return {**counts, "missed": missed}


def main(quick: bool = False) -> None:
    """Which checks find a wrong gradient: ours and the usual ones.

    Args:
        quick: only the faults of relu.
    """
    specs = tuple(spec for spec in OP_SPECS if not quick or spec.name == "relu")
    began = time.perf_counter()
    result = {"quick": quick, **measure(specs), "seconds": time.perf_counter() - began}
    result |= {"tries": TRIES, "versions": versions(), "device": device()}
    write_result(folder_for(quick) / "check_styles.json", result)
    for name, count in result["found"].items():
        print(f"{name}: finds {count} of {result['planted']}")


def _planted_faults(
    specs: tuple[OpSpec, ...],
) -> Iterator[tuple[str, str, Subject, Any]]:
    for spec in specs:
        for fault in spec.all_faults:
            yield spec.name, fault.name, *spec.planted(fault)


def _rejections(style: Style, subject: Subject, sizes: Sizes) -> int:
    """The number of tries that reject the rule; an exception counts as a rejection."""
    count = 0
    for seed in range(TRIES):
        try:
            count += not style(subject, sizes, seed)
        except Exception:
            count += 1
    return count


def _pull(subject: Subject, sizes: Sizes, seed: int, dtype: Any) -> tuple[list[Any], Any, Any]:
    generator = np.random.default_rng(seed)
    args = subject.draw(generator, sizes)
    drawn = subject.draw_cotangent(generator, args)
    dz = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), drawn)
    dtypes = [dtype if i in subject.reals else None for i in range(len(args))]
    args = [jnp.asarray(arg, kind) for arg, kind in zip(args, dtypes, strict=True)]
    return args, subject.pull(args, dz)[1], dz


def _check_grads(subject: Subject, sizes: Sizes, seed: int, dtype: Any) -> bool:
    args, _, _ = _pull(subject, sizes, seed, dtype)

    def of_reals(*reals: Any) -> Any:
        replaced = dict(zip(subject.reals, reals, strict=True))
        return subject.value(*(replaced.get(i, arg) for i, arg in enumerate(args)))

    try:
        check_grads(of_reals, [args[i] for i in subject.reals], order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


if __name__ == "__main__":
    run_command(main)
