"""The subject of the checks: a rule whose arguments are a flat list of arrays."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ffnn_jax.verify import _layout
from ffnn_jax.verify._arguments import Argument, Random, Sizes, normal
from ffnn_jax.verify._layout import Layout, arrays_of, is_inexact, lay_out
from ffnn_jax.verify._rule import Function, Rule

Arrays = Sequence[np.ndarray]
SCALES = (1e-6, 1e-3, 10.0, 30.0, 100.0, 300.0, 1e3, 1e4)
_DRAWS_PER_SCALE = 2
_WIDE_DRAWS = 3
_AROUND = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A rule, the layout of its arguments, and its compiled functions; the reference in float64."""

    rule: Rule
    layout: Layout
    names: tuple[str, ...]  # of the arrays
    reals: tuple[int, ...]  # positions of the arrays that have cotangents

    @classmethod
    def of(cls, rule: Rule, sizes: Sizes) -> "Subject":
        """The subject, laid out by a draw at these sizes."""
        args = rule.draw_args(np.random.default_rng(0), sizes)
        layout, names = lay_out(rule, args)
        reals = tuple(i for i, array in enumerate(arrays_of(args)) if is_inexact(array))
        if not reals:
            raise ValueError("no argument has a cotangent: none is real or complex")
        return cls(rule, layout, names, reals)

    @property
    def wide(self) -> bool:
        """Whether the operation runs in float64; in float32 where it does not support that."""
        return "float64" in self.rule.dtypes

    @contextlib.contextmanager
    def on_cpu(self) -> Iterator[None]:
        """Computes on the CPU, in float64 where the operation supports it."""
        with jax.enable_x64(self.wide), jax.default_device(jax.devices("cpu")[0]):
            yield

    @property
    def cotangent_names(self) -> tuple[str, ...]:
        """Names of the cotangents."""
        return tuple(f"d{self.names[i]}" for i in self.reals)

    @functools.cached_property
    def op(self) -> Function:
        """The operation on arrays; it returns its differentiable outputs."""
        return first_of(_layout.flat_function(self.rule.op, self.layout))

    @functools.cached_property
    def reference(self) -> Function | None:
        """The reference on arrays, with the stated backward if there is one; None without."""
        rule = self.rule
        if rule.backward is not None:
            value = rule.reference or rule.op
            return first_of(_layout.stated_function(value, rule.backward, self.layout))
        return rule.reference and first_of(_layout.flat_function(rule.reference, self.layout))

    @functools.cached_property
    def truth(self) -> Function:
        """The reference, or the operation itself where there is none."""
        return self.reference or self.op

    @functools.cached_property
    def pull(self) -> Function:
        """The compiled op as (args, cotangent) -> (value, cotangents of the real arguments)."""
        return jax.jit(functools.partial(value_and_cotangents, self.op, self.reals))

    @functools.cached_property
    def reference_pull(self) -> Function:
        """The same for the reference, in float64; compiled once for all subjects that share it."""
        return in_float64(compiled_pull(self.truth, self.reals))

    @functools.cached_property
    def narrow(self) -> "Subject":
        """The subject for narrower dtypes: jax must not meet a function it traced in float64."""
        narrow = dataclasses.replace(self)
        narrow.__dict__.update(op=_copy_of(self.op), reference=_copy_of(self.truth))
        return narrow

    @functools.cached_property
    def outputs(self) -> Function:
        """The compiled operation as (differentiable outputs, other outputs)."""
        return jax.jit(_layout.flat_function(self.rule.op, self.layout))

    def value(self, *args: Any) -> Any:
        """The differentiable outputs, not differentiated."""
        return self.outputs(*args)[0]

    @functools.cached_property
    def reference_outputs(self) -> Function:
        """The reference as (differentiable outputs, other outputs)."""
        return _layout.flat_function(self.rule.reference or self.rule.op, self.layout)

    def reference_others(self, *args: Any) -> Any:
        """The reference's integer and boolean outputs."""
        with jax.enable_x64(True):
            others = shapes_of(self.reference_outputs)(*args)[1]
            return self.reference_outputs(*args)[1] if jax.tree.leaves(others) else others

    @functools.cached_property
    def words(self) -> list[Argument | None]:
        """The description of each array by text, if it has one."""
        if self.rule.draw is not None:
            return [None] * len(self.names)
        leaves = self.layout.without_statics(jax.tree.leaves(self.rule.arguments))
        return [leaf if isinstance(leaf, Argument) else None for leaf in leaves]

    def draw(
        self, generator: Random, sizes: Sizes, scales: Any = (), around: bool = False
    ) -> list[Any]:
        """Random arrays; those given as they are, or numbers around them."""
        arrays = arrays_of(self.rule.draw_args(generator, sizes, scales))
        if len(arrays) != len(self.names):
            raise ValueError("draw= must return the same structure in every draw")
        if around and self.rule.draw is None:
            pairs = zip(arrays, self.words, strict=True)
            arrays = [array if word else _around(generator, array) for array, word in pairs]
        return list(map(self._rounded, arrays))

    def scaled_draws(self, sizes: Sizes, seed: int) -> Iterator[tuple[str, list[Any]]]:
        """Draws at many magnitudes, with a name each: all words, each alone, mixed, one huge."""
        generator, words = np.random.default_rng(seed), self.rule.words
        real = [i for i, word in enumerate(words) if word.is_real]
        shapes = [word.shape(sizes) for word in words]
        for scale in SCALES * _DRAWS_PER_SCALE if real else ():
            yield f"scale {scale:g}", self.draw(generator, sizes, [scale] * len(words))
        for _ in range(_WIDE_DRAWS if real else 0):
            mixed = [10 ** generator.uniform(-6, 4, shape) for shape in shapes]
            yield "mixed scales", self.draw(generator, sizes, mixed)
        for i in real:
            for scale in (1e-6, 1e4) if len(real) > 1 else ():
                alone = [scale if i == j else 1.0 for j in range(len(words))]
                yield f"one argument at {scale:g}", self.draw(generator, sizes, alone)
            scales = [np.ones(shape) for shape in shapes]
            if size := scales[i].size:
                scales[i].flat[int(generator.integers(size))] = 1e4
            yield "one huge entry", self.draw(generator, sizes, scales)

    def draw_cotangent(self, generator: Random, args: Arrays) -> Any:
        """A random cotangent for the differentiable outputs."""
        output = shapes_of(self.truth)(*args)
        drawn = jax.tree.map(lambda leaf: normal(generator, leaf.shape, leaf.dtype), output)
        return jax.tree.map(self._rounded, drawn)

    def draw_pair(self, generator: Random, sizes: Sizes, around: bool = False) -> tuple[Any, Any]:
        """Random arguments, and a random cotangent for their results."""
        args = self.draw(generator, sizes, around=around)
        return args, self.draw_cotangent(generator, args)

    def draw_direction(self, generator: Random, args: Arrays) -> list[Any]:
        """Normal numbers in the shapes of the real arguments."""
        return [normal(generator, args[i].shape, args[i].dtype) for i in self.reals]

    def _rounded(self, array: np.ndarray) -> np.ndarray:
        """The array in float64; with values that float32 holds, if the operation needs that."""
        return cast(array if self.wide else cast(array, "float32"))


def in_float64(function: Function) -> Function:
    """The function, called in float64 on the CPU."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
            return function(*args)

    return call


def cast(array: Any, dtype: str = "float64") -> np.ndarray:
    """An array with real or complex entries in this dtype, or the complex one around it."""
    array = np.asarray(array)
    if np.iscomplexobj(array):
        return array.astype(np.complex128 if dtype == "float64" else np.complex64)
    with np.errstate(over="ignore"):
        return array.astype(jnp.dtype(dtype)) if is_inexact(array) else array


@functools.lru_cache(maxsize=32)
def _copy_of(function: Function) -> Function:
    return lambda *args: function(*args)


@functools.lru_cache(maxsize=32)
def first_of(function: Function) -> Function:
    """The function without its second output."""
    return lambda *args: function(*args)[0]


@functools.lru_cache(maxsize=32)
def shapes_of(f: Function) -> Function:
    """``jax.eval_shape`` of f, which finds at the next draw what it has traced."""
    return jax.jit(f).eval_shape


@functools.lru_cache(maxsize=32)
def compiled_pull(f: Function, reals: tuple[int, ...]) -> Function:
    """The compiled ``value_and_cotangents`` of f, as a function of (args, dz)."""
    return jax.jit(functools.partial(value_and_cotangents, f, reals))


def value_and_cotangents(f: Function, reals: tuple[int, ...], args: Any, dz: Any) -> Any:
    """The value of f, and the cotangents of its real arguments given the cotangent dz."""
    z, pull = vjp_of_reals(f, reals, args)
    return z, pull(jax.tree.map(lambda d, leaf: jnp.asarray(d, leaf.dtype), dz, z))


def vjp_of_reals(f: Function, reals: tuple[int, ...], args: Any) -> tuple[Any, Function]:
    """``jax.vjp`` of f in its real arguments."""
    chosen = [args[i] for i in reals]
    return jax.vjp(lambda *moved: f(*with_reals(args, reals, moved)), *chosen)


def with_reals(args: Any, reals: tuple[int, ...], chosen: Any) -> list[Any]:
    """The arguments with the real ones replaced."""
    replaced = dict(zip(reals, chosen, strict=True))
    return [replaced.get(i, arg) for i, arg in enumerate(args)]


def inner(a: Any, b: Any) -> Any:
    """The real part of the sum of products: how jax pairs a cotangent with a direction."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return sum((p * q).sum().real for p, q in pairs)


def dot(a: Any, b: Any) -> float:
    """The same of arrays of numpy."""
    return float(inner(*jax.tree.map(np.asarray, (a, b))))


def _around(generator: Random, array: np.ndarray) -> np.ndarray:
    """Values within about 1 % of the given ones; a symmetric matrix stays symmetric."""
    if not is_inexact(array):
        return array
    factor = 1 + _AROUND * generator.normal(size=array.shape)
    square = array.ndim >= 2 and array.shape[-1] == array.shape[-2]
    if square and np.array_equal(array, np.swapaxes(array, -1, -2)):
        factor = (factor + np.swapaxes(factor, -1, -2)) / 2
    return array * factor
