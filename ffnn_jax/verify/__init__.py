"""Is a hand-derived gradient right? A checker for anyone's ``custom_vjp``; it knows no layer.

    from ffnn_jax.verify import assert_vjp

    assert_vjp(my_dense, reference_dense, "NxD", "DxK", "K", batch="N", linear=(0, 1, 2))

``check_vjp`` compares an operation with its plain definition and returns a result with a row a
check; ``assert_vjp`` raises with that table. The method, and why each check is there:

- *Compare every cotangent with autodiff of an independent plain definition*, in float64, for a
  random cotangent of the output, element by element at 1e-9. Float64, since in float32 a fault of
  a thousandth hides in rounding and right rules are rejected. Random, since a cotangent of ones
  cannot tell a sum from its average or see one that is dropped. Element by element, since a
  tolerance on a norm hides small entries. This is the row "cotangents"; most faults end here.
- *Do not trust the witness*: "differences" are of the operation's own value, one coordinate at a
  time, and know neither autodiff nor the plain definition. "adjoint" needs no small step where
  the operation is affine, <f(x + v) - f(x), u> = <v, dx(u)>, and so is sharp for large arguments.
  "exact" runs sums and products on integers, where nothing rounds and bits must be equal.
- *Use what every backward must be*: linear in the cotangent ("linearity"), and nothing for
  nothing ("zero"). Both need no reference at all.
- *Go where random numbers never go*: zeros, ties, NaN ("kinks": the caller states the convention,
  and it is held to exactly) and a batch of none ("empty batch").
- *Transform it as people will*: "jit", "vmap" over every choice of arguments, reverse mode
  through "scan", "remat", and "grad of grad", which alone sees residuals that were cut off from
  the arguments that they depend on.
- *Train in the dtypes that people train in*: "float32", "bfloat16" and "float16" must keep the
  dtype of their arguments and err by few of its epsilons; plain autodiff's error is noted beside.
  An output may keep the dtype of the plain definition's, as statistics in float32.
- *Share the batch*: "sharded" compiles for four devices, "shard_map" runs the rule on each
  device's share. They run in a process of their own, which imports the functions by name.

Sizes come from a seeded sampler: first small and all different, so that a missing transpose
cannot run, then a batch of one, then others. ``sizes`` replaces it. A failure names argument and
index, and it ends with the call that repeats it. No setting of jax is left changed.
"""

from ffnn_jax.verify._arguments import Argument, Sizes, sample_sizes
from ffnn_jax.verify._result import Check, VerificationResult
from ffnn_jax.verify._run import CHECKS, assert_vjp, check_subjects, check_vjp
from ffnn_jax.verify._subject import Kink, Subject, Traits, argument_names

__all__ = [
    "CHECKS",
    "Argument",
    "Check",
    "Kink",
    "Sizes",
    "Subject",
    "Traits",
    "VerificationResult",
    "argument_names",
    "assert_vjp",
    "check_subjects",
    "check_vjp",
    "sample_sizes",
]
