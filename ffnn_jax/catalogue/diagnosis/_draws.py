"""Draws of a rule's arguments, with the right results for them."""

import contextlib
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ffnn_jax.catalogue.diagnosis._paths import Paths, trace
from ffnn_jax.verify import Rule, Sizes, Subject

Arrays = list[np.ndarray]
Named = dict[str, np.ndarray]
_DRAWS, _EQUAL, _BATCH, _FACTORS = 2, 4, 3, 3
_MOST = 20_000  # numbers of all arguments: some hundreds of hypotheses are computed


@dataclasses.dataclass(frozen=True, eq=False)
class Draw:
    """Arguments and a cotangent, with the right value and cotangents.

    Attributes:
        subject: the rule that they were drawn for.
        sizes: the sizes of axes, by name.
        args: the arguments, by name.
        dz: the leaves of the cotangent, by name.
        tree: the structure of the cotangent.
        z: the leaves of the value, by name.
        right: these and the cotangents, by name.
        paths: of the reference; None if they cannot be traced.
    """

    subject: Subject
    sizes: Sizes
    args: Named
    dz: Named
    tree: Any
    z: Named
    right: Named
    paths: Paths | None

    @property
    def rtol(self) -> float:
        """How close is equal."""
        return 1e-7 if self.subject.wide else 1e-4

    @property
    def bounds(self) -> dict[str, int]:
        """The exclusive upper bounds of arguments that are integers."""
        words = zip(self.args, self.subject.words, strict=True)
        below = {name: word.below for name, word in words if word and word.below}
        return {name: self.sizes.get(bound) or int(bound) for name, bound in below.items()}

    @property
    def scales(self) -> dict[str, int]:
        """The sizes of axes and the products of a few, by what they are."""
        batch, axes = self.subject.rule.batch, dict[str, int]()
        for name, size in self.sizes.items():
            axes["the batch size" if name == batch else f"the size of {name}"] = size
        for name, array in () if axes else self.args.items():
            axes |= {f"the size of axis {i} of {name}": n for i, n in enumerate(array.shape)}
        groups = itertools.chain(*(itertools.combinations(axes, 1 + i) for i in range(_FACTORS)))
        sizes = {" times ".join(names): math.prod(axes[name] for name in names) for names in groups}
        return {name: size for name, size in sizes.items() if size > 1}

    def pull(self, changed: Named) -> Arrays:
        """The right results if arguments, or leaves of the cotangent, are changed."""
        args = [changed.get(name, array) for name, array in self.args.items()]
        dz = [changed.get(name, array) for name, array in self.dz.items()]
        return _pull(self.subject, self.paths, args, self.tree.unflatten(dz))


@contextlib.contextmanager
def settings(wide: bool = True) -> Iterator[None]:
    """Float64, or not, on the CPU, with jax's own promotion: as a student's rule is run."""
    cpu = jax.default_device(jax.devices("cpu")[0])
    dtypes, ranks = jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow")
    with jax.enable_x64(wide), cpu, dtypes, ranks, np.errstate(all="ignore"):
        yield


def draw_sets(rule: Rule, seed: int) -> Iterator[list[Draw]]:
    """Two draws at each of two sizes; then at equal ones, which a rule may need that mixes axes."""
    first, *others = rule.sample_sizes(0, 2)
    equal = dict.fromkeys(first, _EQUAL)
    but_batch = equal | ({rule.batch: _BATCH} if rule.batch in equal else {})
    if rule.sizes is None:
        others = [dict(zip(first, (2 + n for n in reversed([*first.values()])), strict=True))]
    for sizes in ([first, *others], [but_batch], [equal]):
        yield [draw for each in sizes for draw in _draws(rule, each, seed)]


def results(rule: Rule, draw: Draw) -> Named | None:
    """The results of a rule at a draw of its arguments; None if it raises."""
    with contextlib.suppress(Exception):  # an operation may refuse sizes, or mix axes
        subject, dz = _subject(rule, *draw.sizes.items()), draw.tree.unflatten(draw.dz.values())
        with subject.on_cpu():
            pulled = map(np.asarray, jax.tree.leaves(subject.pull([*draw.args.values()], dz)))
            return dict(zip(draw.right, pulled, strict=True))
    return None


@functools.lru_cache(maxsize=4)
def _subject(rule: Rule, *sizes: tuple[str, int]) -> Subject:
    """One for all draws, so that its programs are compiled once."""
    return Subject.of(rule, dict(sizes))


def _draws(rule: Rule, sizes: Sizes, seed: int) -> list[Draw]:
    found, generator = list[Draw](), np.random.default_rng(seed)
    with contextlib.suppress(Exception):  # a reference may refuse sizes
        subject, paths = _subject(rule, *sizes.items()), None
        with contextlib.suppress(Exception):  # not all can be traced
            args = subject.draw(generator, sizes)
            paths = trace(subject.truth, subject.names, subject.reals, args)
        for _ in range(_DRAWS):
            args, dz = subject.draw_pair(generator, sizes)
            if sum(map(np.size, args)) > _MOST:
                break
            leaves, tree = jax.tree.flatten(dz)
            ends = [f"[{i}]" for i in range(len(leaves))] if leaves[1:] else [""]
            names = [*(f"z{end}" for end in ends), *subject.cotangent_names]
            right = dict(zip(names, _pull(subject, paths, args, dz), strict=True))
            z = {name: right[name] for name in names[: len(ends)]}
            named = dict(zip(subject.names, args, strict=True))
            named_dz = {f"d{name}": leaf for name, leaf in zip(z, leaves, strict=True)}
            found.append(Draw(subject, sizes, named, named_dz, tree, z, right, paths))
    return found


def _pull(subject: Subject, paths: Paths | None, args: Any, dz: Any) -> Arrays:
    """Value and cotangents of the reference, or else of the operation's own forward."""
    if subject.reference is not None:
        return list(map(np.asarray, jax.tree.leaves(subject.reference_pull(args, dz))))
    if paths is None:
        raise ValueError("without a reference, the operation must be one that can be traced")
    return list(map(np.asarray, paths.pull(args, jax.tree.leaves(dz), paths.all)))
