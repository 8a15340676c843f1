"""The split syntax of tensorflow-datasets: the examples selected by "train[:20%]+test"."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ffnn_jax.config import UserError, suggestion

_TERM = re.compile(r"(?P<split>[\w-]+)(\[(?P<slice>[\w%:.-]+)\])?")
_BOUND = re.compile(r"((?P<value>-?[\d_.]+)(?P<unit>%|shard)?)?")


class Slice(NamedTuple):
    """Examples ``start`` to ``stop - 1`` of a split."""

    split: str
    start: int
    stop: int


def parse_split(spec: str, shard_lengths: Mapping[str, Sequence[int]]) -> list[Slice]:
    """Parses a split specification into slices.

    "train", "train[:20000]", "train[90%:]", "train[-10%:]", "train[:2shard]", "train+test" and
    "all" mean the same as in tensorflow-datasets; percentages round to the nearest example. What
    is empty or out of range is a UserError, as is an unknown split.
    """
    all_splits = [Slice(split, 0, sum(lengths)) for split, lengths in shard_lengths.items()]
    terms = [term.strip() for term in spec.split("+")]
    parsed = (all_splits if term == "all" else [_parse_term(term, shard_lengths)] for term in terms)
    return [part for parts in parsed for part in parts]


def _parse_term(term: str, shard_lengths: Mapping[str, Sequence[int]]) -> Slice:
    match = _TERM.fullmatch(term)
    if match is None:
        raise _invalid(term)
    split = match["split"]
    if split not in shard_lengths:
        known, hint = ", ".join(shard_lengths), suggestion(split, shard_lengths)
        raise UserError(f"no split {split!r} (available: {known}){hint}")
    lengths = shard_lengths[split]
    start, stop = _bounds(term, match["slice"], lengths)
    if not 0 <= start < stop <= sum(lengths):
        raise UserError(f"split {term!r} is empty or beyond the {sum(lengths)} examples of {split}")
    return Slice(split, start, stop)


def _bounds(term: str, text: str | None, lengths: Sequence[int]) -> tuple[int, int]:
    """(start, stop), counted from the front."""
    bounds = [_BOUND.fullmatch(part) for part in (text or ":").split(":")]
    matches = [bound for bound in bounds if bound]
    unit = next((bound["unit"] for bound in matches if bound["unit"]), "")
    one_shard = len(bounds) == 1 and unit == "shard"
    if len(matches) != len(bounds) or not (len(bounds) == 2 or one_shard) or text == ":":
        raise _invalid(term)
    values = [bound["value"] for bound in matches]
    try:
        last = str(int(values[0]) + 1) if one_shard else values[1]
        start, stop = _position(values[0] or "0", unit, lengths, False), sum(lengths)
        return start, stop if last is None else _position(last, unit, lengths, True)
    except (ValueError, OverflowError):
        raise _invalid(term) from None


def _position(value: str, unit: str, lengths: Sequence[int], is_stop: bool) -> int:
    """A bound in examples; a negative one counts from the end."""
    if unit == "shard":
        number = int(value)
        return sum(lengths[: number + len(lengths) * (is_stop and number <= 0)])
    count = sum(lengths)
    position = round(float(value) * count / 100) if unit == "%" else int(value)
    return position + count * (position < 0)


def _invalid(term: str) -> UserError:
    forms = "train, train[:20000], train[90%:], train[:2shard], train+test"
    return UserError(f"invalid split {term!r}; valid forms: {forms}")
