import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import fused_norm
from ffnn_jax.layers import batch_norm
from tests.tolerances import tolerance


@pytest.mark.slow
def test_the_quick_setting_gives_each_activation_a_gain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    fused_norm.main(quick=True)
    result = json.loads((tmp_path / "runs" / "quick" / "fused_norm.json").read_text())
    assert [row["activation"] for row in result["rows"]] == list(fused_norm.ACTIVATIONS)
    assert all(len(row["gain"]) == 3 and row["gain"][0] > 0 for row in result["rows"])


@pytest.mark.slow
@pytest.mark.parametrize("name", fused_norm.ACTIVATIONS)
def test_the_one_rule_has_the_gradients_of_the_two(name: str):
    def two(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
        return fused_norm.ACTIVATIONS[name](batch_norm(x, scale, shift)[0])

    def one(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
        outputs: Any = fused_norm.norm_activation(x, scale, shift, 1e-5, name)
        return outputs[0]

    arguments = jax.random.normal(jax.random.key(0), (4, 3, 3, 5)), jnp.ones(5), jnp.ones(5)
    (z, pull), (expected, pull_two) = (jax.vjp(jax.jit(f), *arguments) for f in (one, two))
    dz, allowed = jax.random.normal(jax.random.key(1), z.shape), tolerance(z.dtype, 36)
    pairs = zip((z, *pull(dz)), (expected, *pull_two(dz)), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, allowed, allowed)
