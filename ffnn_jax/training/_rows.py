"""Which images a seed trains on, and which of them each step takes: functions of (seed, step)."""

from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Int32, Key

from ffnn_jax.training._batches import draw_distinct
from ffnn_jax.training._inputs import Normalisation

INITIALISATION, BATCHES, VALIDATION, AUGMENTATION = range(4)


class Member(NamedTuple):
    """What belongs to one seed: its key, its training and validation rows, its normalisation."""

    key: Key[Array, ""]
    train: Int32[Any, " M"]
    validation: Int32[Any, " V"]
    normalisation: Normalisation


def key_of(member: Member, purpose: int, step: Int32[Any, ""]) -> Key[Array, ""]:
    """The key of one purpose at one step."""
    return jax.random.fold_in(jax.random.fold_in(member.key, purpose), step)


def batch_rows(member: Member, step: Int32[Any, ""], size: int) -> Int32[Array, " size"]:
    """The rows of a step's batch, all different."""
    return member.train[draw_distinct(key_of(member, BATCHES, step), size, member.train.shape[0])]


def validation_rows(
    member: Member, step: Int32[Any, ""], size: int, batches: int
) -> Int32[Array, "batches size"]:
    """The rows of a few batches of validation images; all of them where a batch asks for more."""
    count = member.validation.shape[0]

    def drawn(key: Key[Array, ""]) -> Int32[Array, " size"]:
        return member.validation[draw_distinct(key, min(size, count), count)]

    keys = jax.random.split(key_of(member, VALIDATION, step), batches)
    return jax.lax.map(drawn, keys)
