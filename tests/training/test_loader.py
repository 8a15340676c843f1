import importlib.util

import jax
import numpy as np
import pytest

from ffnn_jax.config import Refusal, require_grain
from ffnn_jax.network import Normalisation
from ffnn_jax.training import Block, ImageParts, Images, Member, Sampling, Stream, _loader
from ffnn_jax.training._loader import steps_in_a_block
from ffnn_jax.training._sampling import batch_indices, validation_indices

BATCH = 3
SAMPLING = Sampling(BATCH)


def numbered(first: int, count: int) -> Images:
    """Images that hold their own number in every pixel, and as their label."""
    numbers = np.arange(first, first + count)
    pixels = np.broadcast_to(numbers[:, None, None, None], (count, 2, 2, 1)).astype(np.uint8)
    return Images(pixels, numbers.astype(np.int32))


IMAGES = ImageParts((numbered(0, 40), numbered(40, 10)))


@pytest.fixture
def member() -> Member:
    order = np.random.default_rng(0).permutation(50).astype(np.int32)
    normalisation = Normalisation(np.ones(1, np.float32), np.zeros(1, np.float32))
    return jax.device_put(Member(jax.random.key(5), order[:41], order[41:], normalisation))


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 4 steps."""
    monkeypatch.setattr(_loader, "_BLOCK_BYTES", 4 * BATCH * IMAGES.image_bytes)


def test_rows_are_counted_on_from_part_to_part():
    rows = np.array([49, 0, 40, 39, 40], np.int32)
    assert IMAGES.at(rows).labels.tolist() == rows.tolist()
    assert IMAGES.at(rows).pixels[:, 1, 1, 0].tolist() == rows.tolist()
    assert IMAGES.together().labels.tolist() == list(range(50))
    assert len(IMAGES) == 50
    (block,) = IMAGES.blocks(rows)
    assert block.labels.tolist() == rows.tolist()


def test_a_streamed_batch_is_the_batch_that_the_resident_step_draws(member, short_blocks):
    stream = Stream(IMAGES, member, SAMPLING, steps=10)
    assert stream.block_steps == 4
    for step in range(10):
        block = stream.block_at(step)
        drawn = np.asarray(batch_indices(member, np.int32(step), SAMPLING))
        place = step - int(block.first)
        assert block.images.labels[place].tolist() == drawn.tolist()
        assert block.images.pixels[place, :, 0, 0, 0].tolist() == drawn.tolist()


def test_a_block_is_on_the_device(member, short_blocks):
    block = Stream(IMAGES, member, SAMPLING, steps=1).block_at(0)
    assert isinstance(block, Block)
    assert all(isinstance(array, jax.Array) for array in jax.tree.leaves(block))
    assert block.images.pixels.shape == (4, BATCH, 2, 2, 1)
    np.testing.assert_array_equal(block.indices, block.images.labels)


def test_a_stream_may_begin_anywhere(member, short_blocks):
    """A run that is resumed asks for a later block first."""
    asked = []
    stream = Stream(IMAGES, member, SAMPLING, steps=40)
    make = stream._block
    stream._block = lambda index: (asked.append(index), make(index))[1]
    stream._blocks = stream._from(0)
    block = stream.block_at(30)
    assert int(block.first) == 28
    drawn = np.asarray(batch_indices(member, np.int32(30), SAMPLING))
    assert block.images.labels[2].tolist() == drawn.tolist()
    assert set(range(2, 7)).isdisjoint(asked)


def test_a_step_that_was_left_behind_is_refused(member, short_blocks):
    stream = Stream(IMAGES, member, SAMPLING, steps=20)
    stream.block_at(9)
    with pytest.raises(ValueError, match="step 7 is behind the stream"):
        stream.block_at(7)


@pytest.mark.parametrize(
    ("batch_bytes", "steps"), [(1, 100), (335_544, 100), (1 << 20, 32), (1 << 24, 2), (1 << 30, 1)]
)
def test_a_block_is_as_long_as_32_mebibytes_allow(batch_bytes, steps):
    assert steps_in_a_block(batch_bytes) == steps


def test_validation_batches_are_drawn_anew_at_every_look(member):
    looks = [np.asarray(validation_indices(member, np.int32(s), 4, 3)) for s in (0, 0, 100)]
    assert looks[0].shape == (3, 4)
    assert (looks[0] == looks[1]).all()
    assert (looks[0] != looks[2]).any()
    assert set(np.unique(looks)) <= set(member.validation.tolist())
    assert IMAGES.block(0, looks[0]).images.labels.tolist() == looks[0].tolist()


def test_grain_is_needed_when_it_is_needed_and_not_before(member, monkeypatch):
    require_grain()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Refusal, match=r"^streaming needs grain.*pip install grain$"):
        Stream(IMAGES, member, SAMPLING, steps=1)
