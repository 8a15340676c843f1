"""Checks hand-derived gradients: works on any ``custom_vjp`` and knows nothing about layers.

    from ffnn_jax.verify import assert_vjp

    assert_vjp(my_dense, reference_dense, "NxD", "DxK", "K", batch="N", linear=(0, 1, 2))

``check_vjp`` compares an operation with its reference implementation and returns a result with one
row per check; ``assert_vjp`` raises with that table. The method, and the reason for each check:

- *Compare every cotangent with autodiff of an independent reference implementation*, in float64,
  for a random cotangent of the output, element by element at 1e-9. Float64, because in float32 a
  fault of one part in a thousand hides in rounding, and correct rules are rejected. Random, because
  a cotangent of ones cannot tell a sum from a mean, or notice that it was dropped. Element by
  element, because a tolerance on a norm hides small entries. This row, "cotangents", catches most
  faults.
- *Do not trust the reference*: "differences" are finite differences of the operation's own value,
  one coordinate at a time, and use neither autodiff nor the reference. "adjoint" needs no small
  step where the operation is affine, <f(x + v) - f(x), u> = <v, dx(u)>, and so is sharp for large
  arguments. "exact" runs sums and products on integers, where nothing rounds and bits must agree.
- *Use the properties of every backward*: it is linear in the cotangent ("linearity"), and maps zero
  to zero ("zero"). Neither check needs a reference.
- *Go where random numbers never go*: zeros, ties, NaN ("kinks": the caller states the convention,
  which must be met exactly) and a batch of size 0 ("empty batch").
- *Transform it as users will*: "jit", "vmap" over every choice of arguments, reverse mode
  through "scan", "remat", and "grad of grad", the only check that sees residuals detached from
  the arguments that they depend on.
- *Run it in the dtypes used for training*: "float32", "bfloat16" and "float16" must preserve the
  dtype of their arguments and err by only a few epsilons; autodiff's own error is noted beside
  it. An output may have the reference's dtype instead, such as statistics in float32.
- *Split the batch*: "sharded" compiles for four devices, "shard_map" runs the rule on each
  device's shard. They run in a separate process, which imports the functions by name.

Sizes come from a seeded sampler: first small and all different, so that a missing transpose
cannot run, then a batch of one, then others; ``sizes`` overrides it. A failure names argument and
index, and ends with the call that reproduces it. JAX's global settings are left unchanged.
"""

from ffnn_jax.verify._arguments import Argument, Sizes, sample_sizes
from ffnn_jax.verify._result import CHECKS, Check, VerificationResult
from ffnn_jax.verify._rule import DTYPES, Kink, Rule, Static, Traits, argument_names
from ffnn_jax.verify._run import assert_vjp, check_rules, check_vjp
from ffnn_jax.verify._subject import Subject

__all__ = [
    "CHECKS",
    "DTYPES",
    "Argument",
    "Check",
    "Kink",
    "Rule",
    "Sizes",
    "Static",
    "Subject",
    "Traits",
    "VerificationResult",
    "argument_names",
    "assert_vjp",
    "check_rules",
    "check_vjp",
    "sample_sizes",
]
