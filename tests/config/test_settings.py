"""Settings: every bad value is rejected, and every preset survives a JSON round trip."""

import dataclasses
import json
import math
import re
from typing import Any

import pytest

from ffnn_jax.config import PRESETS, Crop, Flip, Settings, UserError, Validation, preset
from ffnn_jax.nn import Dense, LeakyReLU, ReLU, Residual, Sequential

MNIST = PRESETS["mnist"]
COUNTS = ("steps", "batch_size", "validation_interval", "validation_batches")
INTEGERS = (*COUNTS, "seed", "seeds", "lookahead")
NUMBERS = (
    "learning_rate", "momentum", "weight_decay", "pixel_scale", "muon_rate", "label_smoothing",
)  # fmt: skip
TEXTS = (
    "preset", "dataset", "normalisation", "schedule", "precision", "sampling", "optimizer", "views",
)  # fmt: skip
FINITE = "from 1.2e-38 to 3.4e+38"
RATE_POINTS = (
    "(share, factor) pairs, in a settings file, for piecewise-linear alone, shares increasing from "
    "0 to 1, factors >= 0"
)
BELOW_ONE = "at least 0 and, in float32, below 1"

NEW: dict[str, Any] = {
    "rate_points": (), "optimizer": "momentum", "muon_rate": 0.24, "group_steps": (),
    "label_smoothing": 0.0, "lookahead": 0, "views": "one",
}  # fmt: skip
"""Settings that files of before the ladder lack, with their values."""

WRONG_TYPE = [
    *((field, bad, "an integer") for field in INTEGERS for bad in (1.0, True, "7", None)),
    *((field, bad, "a number") for field in NUMBERS for bad in (True, "0.1", None, 1j)),
    *((field, bad, "text") for field in TEXTS for bad in (3, True, None)),
]

CLASSES = 'classes such as "forward 9 4-16", or "micro-batch" with a number of images'
OUT_OF_RANGE = [
    *(("learning_rate", bad, FINITE) for bad in (math.nan, math.inf, -math.inf, -1.0, 0, 1e-40)),
    *(("pixel_scale", bad, FINITE) for bad in (math.nan, math.inf, -1.0, 0.0)),
    *(("momentum", bad, BELOW_ONE) for bad in (math.nan, math.inf, -0.1, 1.0, 1 - 1e-9)),
    *(("weight_decay", bad, "at least 0, finite") for bad in (math.nan, math.inf, -1e-9)),
    *((name, bad, "from 0 to 2147483647") for name in ("seed", "lookahead") for bad in (-1, 2**31)),
    *(("muon_rate", bad, FINITE) for bad in (math.nan, math.inf, -1.0, 0)),
    *(("label_smoothing", bad, "at least 0 and below 1") for bad in (math.nan, -0.1, 1, 1.5)),
    *(("seeds", bad, "from 1 to 10000") for bad in (-1, 0, 2**31 + 1)),
    *((field, bad, "from 1 to 2147483647") for field in COUNTS for bad in (-4, 0, 2**31)),
    *(
        ("validation", bad, "a Validation, as in Validation('drawn', 2001)")
        for bad in (None, 2001, "drawn:2001")
    ),
    ("sampling", "all", "one of independent, epochs, epochs-partial"),
    *(
        ("forms", bad, f"(class, form) pairs, form im2col, rows, pairs, native; {CLASSES}")
        for bad in (
            {"forward 9 4-16": "rows"},
            (("forward 9 4-16", "row"),),
            (("forward 9 4-16", "rows"), ("forward 9 4-16", "im2col")),
            (("forward 9 4-17", "rows"),),
            ((1, "rows"),),
            (("a",),),
            (("micro-batch", "few"),),
            (("micro-batch", "0"),),
        )
    ),
    *(
        ("group_rates", bad, "(group, factor) pairs, each group once, factors at least 0")
        for bad in (
            None,
            {"slow": 0.5},
            (("slow",),),
            (("slow", -1.0),),
            ((1, 1.0),),
            (("a", "b"),),
        )
    ),
    *(
        ("group_steps", bad, "(group, steps) pairs, each group once, steps from 0 to 2147483647")
        for bad in (
            None,
            {"slow": 5},
            (("slow",),),
            (("slow", -1),),
            (("slow", 1.5),),
            (("slow", True),),
            (("slow", 2**31),),
            (("slow", 1), ("slow", 2)),
            ((1, 1),),
        )
    ),
    *(("rate_points", bad, RATE_POINTS) for bad in (((0.0, 1.0),), None, "0:1")),
    *(
        ("train_images", bad, "an integer from 1 to 2147483647")
        for bad in (0, -1, 2**31, 2.0, True, "7")
    ),
    *(("size", bad, "an integer from 1 to 4096") for bad in (0, -1, 4097, 2.0, True, "32")),
    *(("skip_damaged", bad, "true or false") for bad in (None, 0, "no")),
    ("layers", (), "a tuple of at least one layer"),
    ("normalisation", "sd", "one of mean, channel-mean, channel-mean-sd"),
    ("schedule", "cosine", "one of constant, triangular, piecewise-linear"),
    ("optimizer", "adam", "one of momentum, nesterov, muon"),
    ("views", "two", "one of one, mirrored, six"),
    ("precision", "half", "one of float32, bf16"),
    *(
        ("augmentations", bad, "a tuple of augmentations")
        for bad in (None, "flip", Flip(), [Flip()], (Flip(), "crop"), (Crop,))
    ),
]


@pytest.mark.parametrize(("field", "bad", "allowed"), WRONG_TYPE + OUT_OF_RANGE)
def test_a_bad_value_is_rejected_with_name_range_and_value(field: str, bad: Any, allowed: str):
    fields: dict[str, Any] = {field: bad}
    with pytest.raises(UserError) as caught:
        dataclasses.replace(MNIST, **fields)
    assert str(caught.value) == f"{field.replace('_', '-')} must be {allowed}, got {bad!r}"


def test_every_field_rejects_some_value():
    rejected = {field for field, _, _ in WRONG_TYPE + OUT_OF_RANGE}
    assert rejected == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    "bad",
    [
        (), ((0.0,),), ((0.5, 1.0), (0.2, 1.0)), ((0.5, 1.0), (0.5, 2.0)), ((0.0, 1.0), (1.1, 0.0)),
        ((-0.1, 1.0),), ((0.0, -1.0),), ((0.0, math.nan),), (("0", 1.0),), [(0.0, 1.0)], ([0, 1],),
    ],
)  # fmt: skip
def test_bad_rate_points_are_rejected(bad: Any):
    with pytest.raises(UserError) as caught:
        dataclasses.replace(MNIST, schedule="piecewise-linear", rate_points=bad)
    assert str(caught.value) == f"rate-points must be {RATE_POINTS}, got {bad!r}"


@pytest.mark.parametrize("bad", [5, "ab", None, {}])
def test_json_of_bad_rate_points_is_rejected_too(bad: Any):
    fields = MNIST.to_json() | {"schedule": "piecewise-linear"}
    with pytest.raises(UserError, match=r"^rate-points must be \(share, factor\) pairs"):
        Settings.from_json(fields | {"rate_points": [[0.0, 1.0], bad]})


@pytest.mark.parametrize("points", [((0.0, 0.0), (1.0, 0.0)), ((1, 3),), ((0.2, 0.5), (0.3, 9.0))])
def test_rate_points_may_begin_and_end_anywhere_from_0_to_1(points: Any):
    settings = dataclasses.replace(MNIST, schedule="piecewise-linear", rate_points=points)
    assert settings.rate_points == points


@pytest.mark.parametrize("bad", [5, "abc", True, None, (5,), ("Dense",)])
def test_invalid_layers_are_rejected(bad: Any):
    with pytest.raises(UserError, match=r"^layers must be \w.*, got"):
        dataclasses.replace(MNIST, layers=bad)


@pytest.mark.parametrize(
    ("bad", "nearest"),
    [("Mean", "mean"), ("channel", "channel-mean"), ("channel-mean-std", "channel-mean-sd")],
)
def test_an_unknown_normalisation_is_rejected_with_the_nearest_name(bad: str, nearest: str):
    with pytest.raises(UserError, match=rf"^normalisation must be .* got '{bad}'; did you mean "):
        dataclasses.replace(MNIST, normalisation=bad)
    with pytest.raises(UserError, match=f"did you mean {nearest}\\?$"):
        dataclasses.replace(MNIST, normalisation=bad)


def test_the_largest_seed_allows_only_one_run():
    last = dataclasses.replace(MNIST, seed=2**31 - 1)
    assert last.seeds == 1
    with pytest.raises(UserError, match="from 1 to 1, since the first seed is 2147483647, got 2"):
        dataclasses.replace(last, seeds=2)


@pytest.mark.parametrize("field", ["seed", "train_images", *COUNTS])
def test_the_largest_integer_is_allowed(field: str):
    fields: dict[str, Any] = {field: 2**31 - 1}
    assert getattr(dataclasses.replace(MNIST, **fields), field) == 2**31 - 1


@pytest.mark.parametrize(
    "field", ["momentum", "weight_decay", "seed", "lookahead", "label_smoothing"]
)
def test_the_lower_end_of_a_range_is_allowed(field: str):
    fields: dict[str, Any] = {field: 0}
    assert getattr(dataclasses.replace(MNIST, **fields), field) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_a_json_round_trip(name: str):
    settings = preset(name)
    assert settings.preset == name
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_that_no_preset_has_survive_a_json_round_trip():
    settings = dataclasses.replace(
        MNIST, steps=7, learning_rate=1e-3, seed=5, seeds=3, validation_interval=2,
        validation=Validation("last", 1), sampling="epochs", group_rates=(("slow", 0.5),),
        forms=(("forward 9 4-16", "rows"),),
        normalisation="channel-mean-sd", augmentations=(Flip(), Crop(2)),
        layers=(LeakyReLU(0.2), Dense(10)), schedule="piecewise-linear",
        rate_points=((0.0, 0.2), (0.23, 1.0)), optimizer="muon", muon_rate=0.1,
        group_steps=(("slow", 7),), label_smoothing=0.1, lookahead=5, views="mirrored",
    )  # fmt: skip
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_as_json_are_what_a_file_gives_back():
    """A resumed run compares the two: a tuple would differ from the list that JSON reads."""
    layers = (Residual((Dense(3),)), Sequential((Residual((ReLU(),), (Dense(2),)),)))
    fields = dataclasses.replace(MNIST, layers=layers).to_json()
    assert json.loads(json.dumps(fields)) == fields


def test_json_from_before_augmentations_keeps_its_meaning():
    fields = MNIST.to_json()
    del fields["normalisation"], fields["augmentations"]
    settings = Settings.from_json(fields)
    assert (settings.normalisation, settings.augmentations) == ("channel-mean", ())


def test_json_from_before_the_ladder_keeps_its_meaning():
    fields = MNIST.to_json()
    for name in NEW:
        del fields[name]
    assert Settings.from_json(fields) == MNIST
    assert {name: getattr(MNIST, name) for name in NEW} == NEW


def test_an_unknown_key_is_rejected_with_the_nearest_name():
    with pytest.raises(UserError) as caught:
        Settings.from_json(MNIST.to_json() | {"batchsize": 16})
    assert "unknown key 'batchsize'" in str(caught.value)
    assert str(caught.value).endswith("did you mean batch_size?")


@pytest.mark.parametrize("key", ["preset", "dataset"])
def test_a_missing_key_is_rejected_by_name(key: str):
    fields = MNIST.to_json()
    del fields[key]
    with pytest.raises(UserError, match=f"^settings: the key '{key}' is missing$"):
        Settings.from_json(fields)


def test_json_with_a_bad_value_is_rejected():
    with pytest.raises(UserError, match=r"^steps must be .* 1.*, got 0$"):
        Settings.from_json(MNIST.to_json() | {"steps": 0})


@pytest.mark.parametrize(("word", "nearest"), [("mnst", "mnist"), ("Quick-start", "quickstart")])
def test_an_unknown_preset_is_rejected_with_the_nearest_name(word: str, nearest: str):
    known = ", ".join(PRESETS)
    message = f"unknown preset {word!r} (known: {known}); did you mean {nearest}?"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        preset(word)


def test_a_preset_unlike_any_other_is_rejected_without_a_suggestion():
    with pytest.raises(UserError, match=r"\)$"):
        preset("xyzzy")


def test_the_mnist_preset_has_the_report_s_schedule():
    actual = MNIST.learning_rate, MNIST.momentum, MNIST.weight_decay, MNIST.batch_size, MNIST.steps
    assert actual == (0.1, 0.9, 0.005, 16, 3000)
    assert (str(MNIST.validation), MNIST.pixel_scale) == ("drawn:2001", 1 / 255)
    assert (MNIST.normalisation, MNIST.augmentations) == ("mean", ())
    assert (MNIST.validation_interval, MNIST.validation_batches) == (100, 10)


def test_settings_from_before_forms_are_read_and_keep_the_usual_ones():
    old = MNIST.to_json()
    for name in ("validation", "sampling", "group_rates", "forms"):
        old.pop(name)
    assert Settings.from_json(old) == dataclasses.replace(MNIST, forms=())


@pytest.mark.parametrize("text", ["drawn:2001", "last:5000", "none"])
def test_validation_prints_as_the_text_it_was_parsed_from(text: str):
    assert str(Validation.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drawn", "validation must be drawn:N, last:N or none, got 'drawn'"),
        ("none:3", "validation must be drawn:N, last:N or none, got 'none:3'"),
        ("last:x", "validation takes an integer, got 'last:x'"),
        ("drawn:0", "validation: images must be from 1 to 2147483647, got 0"),
        ("lst:5", "validation must be one of drawn, last, none, got 'lst'; did you mean last?"),
    ],
)
def test_invalid_validation_is_rejected(text: str, message: str):
    with pytest.raises(UserError) as caught:
        Validation.parse(text)
    assert str(caught.value) == message


def test_defaults_are_those_of_the_report():
    settings = Settings("mine", "mnist", (Dense(10),))
    defaults = settings.pixel_scale, settings.batch_size, settings.steps, settings.learning_rate
    assert defaults == (1 / 255, 16, 3000, 0.1)
    assert (settings.momentum, settings.weight_decay) == (0.9, 0.005)
