"""What a run needs of its network and its settings, found out before anything is computed."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ffnn_jax.config import UserError, preset
from ffnn_jax.data import Dataset, Splits
from ffnn_jax.network import Network, partition
from ffnn_jax.nn import BatchNorm, Constant, Conv, Dense, MaxPool, Param, Scale
from ffnn_jax.optim import momentum, muon, nesterov, piecewise_linear
from ffnn_jax.runs import _compute, plan
from ffnn_jax.runs._compute import _require_trained, optimizer_of
from tests.tolerances import tolerance

GROUPS = "slow", "fast", ""


def network(trained: bool = True, groups: tuple[str, ...] = GROUPS) -> Any:
    specs = [Param((2,), Constant(0.0), trained=trained, group=group) for group in groups]
    return SimpleNamespace(all_params=specs)


def settings(*groups: str, field: str = "group_rates", value: float = 0.5) -> Any:
    fields: Any = {field: tuple((group, value) for group in groups)}
    return dataclasses.replace(preset("mnist"), **fields)


@pytest.mark.parametrize("groups", [(), ("slow",), ("fast", "slow")])
def test_rates_may_be_given_for_the_groups_of_trained_parameters(groups):
    _require_trained(network(), settings(*groups))


def test_an_unknown_group_is_rejected_with_the_known_ones():
    with pytest.raises(UserError) as caught:
        _require_trained(network(), settings("fast", "slw"))
    known = "(known: fast, slow); did you mean slow?"
    assert str(caught.value) == f"group-rates: unknown group 'slw' {known}"
    with pytest.raises(UserError, match=r"^group-steps: unknown group 'slw' \(known: fast, slow\)"):
        _require_trained(network(), settings("slw", field="group_steps", value=3))
    with pytest.raises(UserError, match=r"'slow' \(no trained parameter has a group\)"):
        _require_trained(network(groups=("",)), settings("slow"))


def test_a_network_without_trained_parameters_is_rejected():
    with pytest.raises(UserError, match=r"^layers: none has trained parameters$"):
        _require_trained(network(trained=False), settings())


def part(name: str, side: int = 4, classes: tuple[str, ...] = ("a", "b")) -> Dataset:
    labels = np.zeros(100, np.int32)
    return Dataset(name, np.zeros((100, side, side, 1), np.uint8), labels, classes)


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("other", [{"side": 3}, {"side": 5}, {"classes": ("a", "c")}])
def test_parts_of_another_kind_than_the_training_images_are_rejected(
    place: int, other: dict[str, Any]
):
    small = dataclasses.replace(
        preset("quickstart"), layers=(Dense(2),), train_images=None, batch_size=8
    )
    parts = [part("t/train"), part("t/validation"), part("t/test")]
    plan(small, Splits(*parts))
    parts[place] = part("t/other", **other)
    with pytest.raises(UserError) as error:
        plan(small, Splits(*parts))
    assert str(error.value) == "t/other and t/train differ in image shape or classes"


LADDER = (
    Conv(24, 2, padding="VALID", start="whitening"), Conv(8, 3, start="dirac", bias=False),
    MaxPool(2), BatchNorm(scale=False), Dense(2), Scale(0.5, trained=False),
)  # fmt: skip
POINTS = (0.0, 1.0), (1.0, 0.1)
RECIPE = dataclasses.replace(
    preset("cifar10-94"), layers=LADDER, steps=10, learning_rate=0.02, momentum=0.8,
    weight_decay=0.1, rate_points=POINTS, muon_rate=0.3, group_steps=(("whitening", 4),),
    group_rates=(("norm", 64.0), ("whitening", 32.0)),
)  # fmt: skip
Numbers = dict[str, Any]


def trained_parameters() -> tuple[Network, Numbers]:
    net = Network(LADDER, (7, 7, 3))
    images = jnp.asarray(np.random.default_rng(0).normal(size=(5, 7, 7, 3)), jnp.float32)
    params, _ = net.init(jax.random.key(0), images)
    return net, partition(params, net.param_attribute("trained"))[0]


def followed(rule: Any, w: Any, steps: int = 10) -> list[Any]:
    """The parameters after each step of the gradient cos(w)."""
    state, after = rule.init(w), []
    update = jax.jit(rule.update)
    for _ in range(steps):
        updates, state = update(jax.tree.map(jnp.cos, w), state, w)
        w = optax.apply_updates(w, updates)
        after.append(w)
    return after


def alone(rule: Any, w: jax.Array, factor: float = 1.0) -> list[Any]:
    """The same for one parameter, with its gradient times a factor."""
    return followed(optax.chain(optax.scale(factor), rule), w)


def assert_same(ours: list[Any], layer: str, name: str, theirs: list[Any]) -> None:
    mine, allowed = [w[layer][name] for w in ours], tolerance("float32", 10)
    np.testing.assert_allclose(np.stack(mine), np.stack(theirs), allowed, allowed)


def test_muon_moves_trained_kernels_and_nesterov_s_momentum_the_rest():
    """Each parameter as alone, with its own rule, rate, decay and group."""
    net, w = trained_parameters()
    ours = followed(optimizer_of(RECIPE, net), w)
    alpha = piecewise_linear(0.02, 10, POINTS)
    decays, does_not = nesterov(alpha, 0.8, 0.1), nesterov(alpha, 0.8)
    kernels = alone(muon(piecewise_linear(0.3, 10, POINTS)), w["conv_2"]["w"])
    assert_same(ours, "conv_2", "w", kernels)
    assert_same(ours, "dense_5", "w", alone(decays, w["dense_5"]["w"]))
    assert_same(ours, "batchnorm_4", "shift", alone(does_not, w["batchnorm_4"]["shift"], 64))
    free = alone(decays, w["conv_1"]["b"], 32)
    assert_same(ours, "conv_1", "b", free[:4] + free[3:4] * 6)
    np.testing.assert_array_equal(ours[3]["conv_1"]["b"], ours[9]["conv_1"]["b"])
    assert ours[0]["conv_1"]["w"] is ours[0]["scale_6"]["factor"] is None


@pytest.mark.parametrize(("name", "rule"), [("momentum", momentum), ("nesterov", nesterov)])
def test_one_rule_moves_every_parameter_unless_the_optimizer_is_muon(name: str, rule: Any):
    """A group's factor multiplies the decay too, but not with Nesterov's momentum."""
    net, w = trained_parameters()
    changes: Any = {"optimizer": name, "group_rates": (("whitening", 32.0),), "group_steps": ()}
    ours = followed(optimizer_of(dataclasses.replace(RECIPE, **changes), net), w)
    one = rule(piecewise_linear(0.02, 10, POINTS), 0.8, 0.1)
    assert_same(ours, "conv_2", "w", alone(one, w["conv_2"]["w"]))
    bias = w["conv_1"]["b"]
    scaled = followed(optax.chain(one, optax.scale(32.0)), bias)
    assert_same(ours, "conv_1", "b", scaled if name == "momentum" else alone(one, bias, 32))


def test_muon_computes_in_the_precision_of_the_layers():
    net, w = trained_parameters()
    for precision, narrow in (("float32", False), ("bf16", True)):
        rule: Any = optimizer_of(dataclasses.replace(RECIPE, precision=precision), net)
        traced = str(jax.make_jaxpr(rule.update)(w, rule.init(w), w))
        assert ("bf16" in traced) == narrow


def test_a_group_may_be_said_to_be_trained_longer_than_the_run():
    net, w = trained_parameters()
    changes: Any = {"group_steps": (("whitening", 2**31 - 1),)}
    ours = followed(optimizer_of(dataclasses.replace(RECIPE, **changes), net), w, 2)
    assert (ours[0]["conv_1"]["b"] != ours[1]["conv_1"]["b"]).all()


def test_views_of_what_is_no_image_are_refused():
    tiny = Splits(part("a", side=1), part("b", side=1), part("c", side=1))
    changes = {"layers": (Dense(2),), "batch_size": 4, "train_images": None, "views": "six"}
    wide = dataclasses.replace(preset("quickstart"), **changes)
    with pytest.raises(UserError, match=r"^views must be one for inputs \(1, 1, 1\)"):
        plan(wide, tiny)
    assert plan(dataclasses.replace(wide, views="one"), tiny)


@pytest.mark.parametrize(
    ("devices", "seeds", "size", "fit"),
    [(8, 1, 10, "8 or 16"), (8, 2, 6, "4 or 8"), (16, 1, 10, "16"), (64, 1, 97, "64")],
)
def test_a_batch_that_devices_cannot_share_equally_is_refused_with_the_sizes_that_fit(
    monkeypatch: pytest.MonkeyPatch, devices: int, seeds: int, size: int, fit: str
):
    monkeypatch.setattr(_compute, "chosen_devices", lambda wanted: jax.devices()[:1] * wanted)
    splits = Splits(part("a"), part("b"), part("c"))
    wanted: Any = {"layers": (Dense(2),), "batch_size": size, "seeds": seeds, "train_images": None}
    settings = dataclasses.replace(preset("quickstart"), **wanted)
    share = devices // seeds
    problem = f"{share} devices take equal shards of a batch, and {size} cannot be cut; take {fit}"
    with pytest.raises(UserError) as caught:
        plan(settings, splits, devices)
    assert str(caught.value) == f"batch-size: {problem}"
    assert len(plan(settings, splits, 1).devices) == 1


def test_seeds_that_each_have_a_device_may_have_batches_of_any_size(monkeypatch):
    monkeypatch.setattr(_compute, "chosen_devices", lambda wanted: jax.devices()[:1] * wanted)
    wanted: Any = {"layers": (Dense(2),), "batch_size": 3, "seeds": 4, "train_images": None}
    planned = plan(
        dataclasses.replace(preset("quickstart"), **wanted),
        Splits(part("a"), part("b"), part("c")),
        4,
    )
    assert planned.settings.batch_size == 3
