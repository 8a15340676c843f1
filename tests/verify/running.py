"""The checks that need no subprocess, and a call for products."""

from ffnn_jax.verify import CHECKS, Rule, check_vjp
from tests.verify import toys

ON_DEVICES = ("sharded", "shard_map")
IN_PROCESS = [name for name in CHECKS if name not in ON_DEVICES]
SMALL = [{"N": 3, "D": 4, "K": 5}]
LONG = [*SMALL, {"N": 10_000, "D": 2, "K": 3}]


def check_product(op, reference=toys.reference_product, *, only=IN_PROCESS, seed=0, **settings):
    """Checks a product of two matrices, in which every property is declared."""
    traits = {"batch": "N", "linear": (0, 1), "exact": True, "sizes": SMALL} | settings
    return check_vjp(Rule(op, reference, ("NxD", "DxK"), **traits), only=only, seed=seed)
