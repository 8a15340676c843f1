"""Splits are parsed as in tensorflow-datasets, or rejected."""

import random

import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.splits import AbstractSplit

from ffnn_jax.config import UserError
from ffnn_jax.data._slices import parse_split

SHARDS = {"train": (7, 9, 4), "test": (10,)}
SPLITS = tfds.core.SplitDict(
    tfds.core.SplitInfo(name=name, shard_lengths=list(lengths), num_bytes=0)
    for name, lengths in SHARDS.items()
)
NUMBERS = (
    "", "", "0", "1", "2", "3", "5", "10", "20", "21", "50", "99", "100", "1.5", "33.3", "1_0",
    "-1", "-2", "-3", "-20", "-50", "--1", "x",
)  # fmt: skip


def parsed(spec: str) -> list[tuple[str, int, int]] | None:
    try:
        return [(at.split, at.start, at.stop) for at in parse_split(spec, SHARDS)]
    except UserError:
        return None


def parsed_by_tfds(spec: str) -> list[tuple[str, int, int]] | None:
    """None if tensorflow-datasets raises, or a term selects nothing."""
    try:
        instructions = AbstractSplit.from_spec(spec).to_absolute(SPLITS)
    except Exception:
        return None
    slices = []
    for part in instructions:
        count = SPLITS[part.splitname].num_examples
        start, stop = part.from_ or 0, count if part.to is None else part.to
        if not 0 <= start < stop <= count:
            return None
        slices.append((part.splitname, start, stop))
    return slices


def random_term(draw: random.Random) -> str:
    split = draw.choice(["train", "test"] * 5 + ["trian"])
    unit = draw.choice(["", "", "%", "shard"])
    other = draw.choice([unit, unit, "", "%"])
    one, two = draw.choice(NUMBERS), draw.choice(NUMBERS)
    ranges = [f"{split}[{one}{unit}:{two}{other}]"] * 7
    return draw.choice([split, split, f"{split}[{one}{unit}]", *ranges])


def test_slices_are_those_of_tensorflow_datasets():
    draw, valid = random.Random(0), 0
    for _ in range(8000):
        terms = [random_term(draw) for _ in range(draw.choice([1, 1, 1, 2, 3]))]
        spec = draw.choice(["+", " + "]).join(terms)
        ours = parsed(spec)
        assert ours == parsed_by_tfds(spec), spec
        valid += ours is not None
    assert valid > 1500


@pytest.mark.parametrize("spec", ["all", "train", "train[:]", "train[::2]", "train+all"])
def test_whole_splits_are_those_of_tensorflow_datasets(spec: str):
    assert parsed(spec) == parsed_by_tfds(spec)


@pytest.mark.parametrize(
    ("spec", "slices"),
    [
        ("train", [("train", 0, 20)]),
        ("all", [("train", 0, 20), ("test", 0, 10)]),
        ("train[:5]", [("train", 0, 5)]),
        ("train[90%:]", [("train", 18, 20)]),
        ("train[-10%:]", [("train", 18, 20)]),
        ("train[:33%]", [("train", 0, 7)]),
        ("train[:2shard]", [("train", 0, 16)]),
        ("train[1shard]", [("train", 7, 16)]),
        ("train[-1shard:]", [("train", 16, 20)]),
        ("train[:1] + test", [("train", 0, 1), ("test", 0, 10)]),
        ("train+train", [("train", 0, 20), ("train", 0, 20)]),
    ],
)
def test_a_specification_selects_these_examples(spec: str, slices: list[tuple[str, int, int]]):
    assert parse_split(spec, SHARDS) == slices


FORMS = "train, train[:20000], train[90%:], train[:2shard], train+test"


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("trian", "no split 'trian' (available: train, test); did you mean train?"),
        ("train+tset[:2]", "no split 'tset' (available: train, test); did you mean test?"),
        ("validation", "no split 'validation' (available: train, test)"),
        ("train[5:5]", "split 'train[5:5]' is empty or beyond the 20 examples of train"),
        ("train[:0%]", "split 'train[:0%]' is empty or beyond the 20 examples of train"),
        ("train[:21]", "split 'train[:21]' is empty or beyond the 20 examples of train"),
        ("test[-11:]", "split 'test[-11:]' is empty or beyond the 10 examples of test"),
        ("train+test[9:2]", "split 'test[9:2]' is empty or beyond the 10 examples of test"),
        ("train[", f"invalid split 'train['; valid forms: {FORMS}"),
        ("", f"invalid split ''; valid forms: {FORMS}"),
        ("train+", f"invalid split ''; valid forms: {FORMS}"),
        ("train[3]", f"invalid split 'train[3]'; valid forms: {FORMS}"),
        ("train[:1.5]", f"invalid split 'train[:1.5]'; valid forms: {FORMS}"),
        ("train[a:b]", f"invalid split 'train[a:b]'; valid forms: {FORMS}"),
    ],
)
def test_an_invalid_or_empty_split_is_rejected(spec: str, line: str):
    with pytest.raises(UserError) as rejected:
        parse_split(spec, SHARDS)
    assert str(rejected.value) == line


@pytest.mark.parametrize(
    "spec", ["train[:1e400%]", f"train[:{'9' * 5000}]", "train[:" + "9" * 400 + "%]"]
)
def test_a_huge_number_is_rejected(spec: str):
    assert parsed(spec) is None
