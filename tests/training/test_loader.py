import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from ffnn_jax.config import UserError, require_grain
from ffnn_jax.network import Normalisation
from ffnn_jax.training import Chunk, HostImages, Images, Sampling, SeedData, Stream, _loader
from ffnn_jax.training._loader import fits_on_device, steps_per_chunk
from ffnn_jax.training._sampling import batch_indices, validation_indices

BATCH = 3
SAMPLING = Sampling(BATCH)


def numbered(first: int, count: int) -> Images:
    """Images whose pixels and labels all hold the image's number."""
    numbers = np.arange(first, first + count)
    pixels = np.broadcast_to(numbers[:, None, None, None], (count, 2, 2, 1)).astype(np.uint8)
    return Images(pixels, numbers.astype(np.int32))


IMAGES = HostImages((numbered(0, 40), numbered(40, 10)))


@pytest.fixture
def seed_data() -> SeedData:
    order = np.random.default_rng(0).permutation(50).astype(np.int32)
    normalisation = Normalisation(np.ones(1, np.float32), np.zeros(1, np.float32))
    return jax.device_put(SeedData(jax.random.key(5), order[:41], order[41:], normalisation))


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 4 steps, which Grain streams."""
    pytest.importorskip("grain")
    monkeypatch.setattr(_loader, "_CHUNK_BYTES", 4 * BATCH * IMAGES.image_bytes)


def test_indices_continue_from_part_to_part():
    indices = np.array([49, 0, 40, 39, 40], np.int32)
    assert IMAGES.at(indices).labels.tolist() == indices.tolist()
    assert IMAGES.at(indices).pixels[:, 1, 1, 0].tolist() == indices.tolist()
    assert IMAGES.concatenated().labels.tolist() == list(range(50))
    assert len(IMAGES) == 50
    (chunk,) = IMAGES.in_chunks(indices)
    assert chunk.labels.tolist() == indices.tolist()


def test_a_streamed_batch_is_the_batch_drawn_in_memory(seed_data, short_chunks):
    stream = Stream(IMAGES, seed_data, SAMPLING, steps=10)
    assert stream.chunk_steps == 4
    for step in range(10):
        chunk = stream.chunk_at(step)
        drawn = np.asarray(batch_indices(seed_data, np.int32(step), SAMPLING))
        offset = step - int(chunk.first)
        assert chunk.images.labels[offset].tolist() == drawn.tolist()
        assert chunk.images.pixels[offset, :, 0, 0, 0].tolist() == drawn.tolist()


def test_a_chunk_is_on_the_device(seed_data, short_chunks):
    chunk = Stream(IMAGES, seed_data, SAMPLING, steps=1).chunk_at(0)
    assert isinstance(chunk, Chunk)
    assert all(isinstance(array, jax.Array) for array in jax.tree.leaves(chunk))
    assert chunk.images.pixels.shape == (4, BATCH, 2, 2, 1)
    np.testing.assert_array_equal(chunk.indices, chunk.images.labels)


def test_a_stream_may_start_anywhere(seed_data, short_chunks):
    """A resumed run requests a later chunk first."""
    requested = []
    stream = Stream(IMAGES, seed_data, SAMPLING, steps=40)
    make = stream._make_chunk
    stream._make_chunk = lambda index: (requested.append(index), make(index))[1]
    stream._chunks = stream._chunks_from(0)
    chunk = stream.chunk_at(30)
    assert int(chunk.first) == 28
    drawn = np.asarray(batch_indices(seed_data, np.int32(30), SAMPLING))
    assert chunk.images.labels[2].tolist() == drawn.tolist()
    assert set(range(2, 7)).isdisjoint(requested)


def test_a_step_that_the_stream_has_passed_is_rejected(seed_data, short_chunks):
    stream = Stream(IMAGES, seed_data, SAMPLING, steps=20)
    stream.chunk_at(9)
    with pytest.raises(ValueError, match="the stream has passed step 7"):
        stream.chunk_at(7)


@pytest.mark.parametrize(
    ("batch_bytes", "steps"), [(1, 100), (335_544, 100), (1 << 20, 32), (1 << 24, 2), (1 << 30, 1)]
)
def test_a_chunk_is_as_long_as_32_mebibytes_allow(batch_bytes, steps):
    assert steps_per_chunk(batch_bytes) == steps


def test_validation_batches_differ_between_steps(seed_data):
    batches = [np.asarray(validation_indices(seed_data, np.int32(s), 4, 3)) for s in (0, 0, 100)]
    assert batches[0].shape == (3, 4)
    assert (batches[0] == batches[1]).all()
    assert (batches[0] != batches[2]).any()
    assert set(np.unique(batches)) <= set(seed_data.validation.tolist())
    assert IMAGES.chunk(0, batches[0]).images.labels.tolist() == batches[0].tolist()


def test_grain_is_required_only_for_streaming(seed_data, monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    with pytest.raises(UserError, match=r"^streaming needs grain.*pip install grain$"):
        Stream(IMAGES, seed_data, SAMPLING, steps=1)


def test_a_package_that_grain_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "grain.py").write_text("import portpicker")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "portpicker", None)
    monkeypatch.delitem(sys.modules, "grain", raising=False)
    with pytest.raises(UserError, match=r"^streaming needs portpicker, .*: pip install grain$"):
        require_grain()


def test_an_installed_grain_is_accepted():
    pytest.importorskip("grain")
    require_grain()


@pytest.mark.parametrize(("bytes_limit", "machine"), [(16, 0), (None, 16)])
def test_memory_is_that_of_the_device_in_use_or_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, bytes_limit: int | None, machine: int
):
    stats = None if bytes_limit is None else {"bytes_limit": bytes_limit}
    monkeypatch.setattr(
        _loader, "device_in_use", lambda: SimpleNamespace(memory_stats=lambda: stats)
    )
    monkeypatch.setattr(_loader, "usable_memory", lambda: machine)

    def images(count: int) -> HostImages:
        pixels = np.zeros((count, 2, 1, 1), np.uint8)
        return HostImages((Images(pixels, np.zeros(count, np.int32)),))

    assert [fits_on_device(images(count)) for count in (4, 5)] == [True, False]
