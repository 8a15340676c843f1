"""A dropout mask is the same however many devices share the batch."""

import json
import os
import subprocess
import sys

PROGRAM = """
import jax, json, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from ffnn_jax import nn
from ffnn_jax.network import Network
from ffnn_jax.nn import Dropout, ReLU, Residual
network = Network((Dropout(0.5), Residual((ReLU(), Dropout(0.25)))), (40,))
x = np.ones((8, 40), np.float32)
apply = jax.jit(lambda x, key: network.apply({}, {}, x, training=True, key=key)[0])
mesh = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))
shared = jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch")))
z = apply(shared, jax.random.key(3))
print(json.dumps([jax.device_count(), len(z.sharding.device_set), np.asarray(z).tolist()]))
"""


def run_on(devices: int) -> tuple[int, int, list[list[float]]]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    own = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


def test_masks_are_the_same_on_one_device_and_on_four():
    one, four = run_on(1), run_on(4)
    assert (one[:2], four[:2]) == ([1, 1], [4, 4])
    assert one[2] == four[2]
    assert {value for row in one[2] for value in row} > {0.0, 2.0}
