"""Augmentation against a reference implementation: every outcome, and its frequency."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from ffnn_jax.config import AlternatingFlip, Augmentation, Crop, Cutout, Flip
from ffnn_jax.training import augment, crop, cutout, flip

LEAST_P = 1e-4
SHAPE = HEIGHT, WIDTH, CHANNELS = (
    9,
    6,
    2,
)  # 3 divides both, so that shared draws of rows and columns would show
IMAGE = np.arange(1, 1 + HEIGHT * WIDTH * CHANNELS, dtype=np.float32).reshape(SHAPE)
KEY = jax.random.key(3)


def reference_flip(image):
    flipped = np.empty_like(image)
    for column in range(WIDTH):
        flipped[:, column] = image[:, WIDTH - 1 - column]
    return flipped


def reference_crop(image, row, column, padding):
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode="reflect")
    return padded[row : row + HEIGHT, column : column + WIDTH]


def reference_cutout(image, centre_row, centre_column, size):
    cut = image.copy()
    for row in range(centre_row - size // 2, centre_row - size // 2 + size):
        for column in range(centre_column - size // 2, centre_column - size // 2 + size):
            if 0 <= row < HEIGHT and 0 <= column < WIDTH:
                cut[row, column] = 0
    return cut


def flips(image):
    return [image, reference_flip(image)]


def crops(padding):
    offsets = range(2 * padding + 1)
    return lambda image: [reference_crop(image, r, c, padding) for r in offsets for c in offsets]


def cutouts(size):
    return lambda image: [
        reference_cutout(image, row, column, size)
        for row in range(HEIGHT)
        for column in range(WIDTH)
    ]


# Each augmentation, and all its outcomes for one image.
CHANGES = [
    pytest.param(flip, flips, id="flip"),
    *(
        pytest.param(lambda key, x, p=p: crop(key, x, p), crops(p), id=f"crop {p}")
        for p in (1, 3, 4)
    ),
    *(
        pytest.param(lambda key, x, s=s: cutout(key, x, s), cutouts(s), id=f"cutout {s}")
        for s in (1, 4, 5)
    ),
]

# The widest reflection: its first and last columns are the same.
WIDEST = pytest.param(lambda key, x: crop(key, x, WIDTH - 1), crops(WIDTH - 1), id="widest crop")


def many(count, dtype=jnp.float32):
    """``count`` images, all of whose pixels are different."""
    steps = IMAGE.size * np.arange(count, dtype=np.float32)
    return jnp.asarray((IMAGE[None] + steps[:, None, None, None]).astype(dtype))


def outcomes_of(change, outcomes, count):
    """The outcome of each of many equal images; an unknown one is a KeyError."""
    numbers = {outcome.tobytes(): n for n, outcome in enumerate(outcomes(IMAGE))}
    assert len(numbers) == len(outcomes(IMAGE))
    changed = np.asarray(change(KEY, jnp.broadcast_to(IMAGE[None], (count, *SHAPE))))
    return np.array([numbers[image.tobytes()] for image in changed]), len(numbers)


@pytest.mark.parametrize(("change", "outcomes"), CHANGES)
def test_all_reference_outcomes_are_equally_likely_and_there_are_no_others(change, outcomes):
    drawn, total = outcomes_of(change, outcomes, 20_000)
    assert chisquare(np.bincount(drawn, minlength=total)).pvalue > LEAST_P


@pytest.mark.parametrize(("change", "outcomes"), CHANGES[:2])
def test_neighbours_in_a_batch_are_drawn_independently(change, outcomes):
    drawn, total = outcomes_of(change, outcomes, 20_000)
    pairs = drawn[::2] * total + drawn[1::2]
    assert chisquare(np.bincount(pairs, minlength=total**2)).pvalue > LEAST_P


def test_squares_of_neighbours_are_drawn_independently():
    """Pairs of centres have too many outcomes to count: only their rows and columns."""
    drawn, _ = outcomes_of(lambda key, x: cutout(key, x, 3), cutouts(3), 20_000)
    for positions, length in ((drawn // WIDTH, HEIGHT), (drawn % WIDTH, WIDTH)):
        pairs = positions[::2] * length + positions[1::2]
        assert chisquare(np.bincount(pairs, minlength=length**2)).pvalue > LEAST_P


@pytest.mark.parametrize(("change", "outcomes"), [*CHANGES, WIDEST])
def test_an_image_becomes_one_of_its_own_outcomes(change, outcomes):
    x = many(40)
    for before, after in zip(np.asarray(x), np.asarray(change(KEY, x)), strict=True):
        assert any(np.array_equal(after, outcome) for outcome in outcomes(before))


@pytest.mark.parametrize(("change", "outcomes"), CHANGES)
def test_the_key_determines_the_draw(change, outcomes):
    x = many(40)
    first, again = change(KEY, x), jax.jit(change)(KEY, x)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, change(jax.random.key(4), x))


@pytest.mark.parametrize(("change", "outcomes"), CHANGES)
def test_float64_stays_float64_with_the_same_draws(change, outcomes, x64):
    wide = change(KEY, many(40, jnp.float64))
    assert wide.dtype == jnp.float64
    np.testing.assert_array_equal(wide, change(KEY, many(40)).astype(jnp.float64))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(("change", "outcomes"), CHANGES)
def test_an_empty_batch_keeps_shape_and_dtype(change, outcomes, dtype):
    x = jnp.zeros((0, *SHAPE), dtype)
    assert change(KEY, x).shape == x.shape
    assert change(KEY, x).dtype == dtype


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (5, 2)])
def test_the_largest_allowed_square_leaves_pixels_and_a_larger_one_none(shape):
    largest = 2 * max(shape) - 2
    Cutout(largest).require_fits((*shape, 1))
    x = jnp.ones((500, *shape, 1))
    assert cutout(KEY, x, largest).any()
    assert not cutout(KEY, x, largest + 1).any()


def changed(x, augmentations, epoch=0, key=KEY, indices=None, seed=5):
    indices = jnp.arange(len(x), dtype=jnp.int32) if indices is None else indices
    return augment(key, x, augmentations, indices, jnp.int32(epoch), jax.random.key(seed))


@dataclasses.dataclass(frozen=True)
class Alternating(Augmentation):
    """A custom augmentation: each image is flipped in every second epoch."""

    def __call__(self, key, x, indices, epoch):
        flipped = (indices + epoch) % 2 == 1
        return jnp.where(flipped[:, None, None, None], x[:, :, ::-1], x)


def test_a_custom_augmentation_receives_the_images_indices_and_the_epoch():
    x = many(5)
    first, second = (np.asarray(changed(x, (Alternating(),), epoch)) for epoch in (0, 1))
    for index, image in enumerate(np.asarray(x)):
        both = (image, reference_flip(image))
        np.testing.assert_array_equal(first[index], both[index % 2])
        np.testing.assert_array_equal(second[index], both[1 - index % 2])


def test_an_augmentation_without_an_implementation_is_rejected():
    with pytest.raises(TypeError, match=r"Augmentation\(\): an augmentation of your own defines"):
        changed(many(2), (Augmentation(),))


def test_augmentations_are_applied_in_order_each_with_its_own_key():
    x, keys = many(40), [jax.random.fold_in(KEY, position) for position in range(3)]
    by_hand = flip(keys[2], cutout(keys[1], crop(keys[0], x, 2), 5))
    np.testing.assert_array_equal(changed(x, (Crop(2), Cutout(5), Flip())), by_hand)


def test_two_equal_augmentations_draw_differently():
    """Flips with the same draw would undo each other."""
    x = many(40)
    unchanged = (np.asarray(changed(x, (Flip(), Flip()))) == np.asarray(x)).all(axis=(1, 2, 3))
    assert 5 < unchanged.sum() < 35


def test_no_augmentation_changes_nothing():
    x = many(3)
    assert changed(x, ()) is x


def flipped(x, **given):
    """Which images an alternating flip mirrors; every one is itself or mirrored."""
    after = np.asarray(changed(jnp.asarray(x), (AlternatingFlip(),), **given))
    mirrored = (after == np.asarray(x)[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored != (after == np.asarray(x)).all(axis=(1, 2, 3))).all()
    return mirrored


def test_an_alternating_flip_mirrors_each_image_in_every_other_epoch():
    first, *others = (flipped(many(40), epoch=epoch) for epoch in range(5))
    assert 5 < first.sum() < 35
    for epoch, mirrored in enumerate(others, 1):
        np.testing.assert_array_equal(mirrored, first ^ (epoch % 2 == 1))


def test_half_of_all_images_are_mirrored_first_independently_of_their_neighbours():
    count = 20_000
    x = jnp.broadcast_to(jnp.arange(2.0)[None, None, :, None], (count, 1, 2, 1))
    mirrored = flipped(x)
    assert chisquare(np.bincount(mirrored, minlength=2)).pvalue > LEAST_P
    pairs = 2 * mirrored[::2] + mirrored[1::2]
    assert chisquare(np.bincount(pairs, minlength=4)).pvalue > LEAST_P
    assert chisquare(np.bincount(2 * mirrored + flipped(x, seed=6), minlength=4)).pvalue > LEAST_P


def test_an_alternating_flip_depends_on_seed_index_and_epoch_alone():
    """Not on the step's key, nor on what else is in the batch, and where."""
    x, order = many(40), np.random.default_rng(0).permutation(40)[:17]
    whole = flipped(x, epoch=3)
    np.testing.assert_array_equal(flipped(x, epoch=3, key=jax.random.key(9)), whole)
    part = flipped(x[order], epoch=3, indices=jnp.asarray(order, jnp.int32))
    np.testing.assert_array_equal(part, whole[order])
    assert (flipped(x, epoch=3, seed=6) != whole).any()


def test_two_alternating_flips_draw_differently():
    x = many(40)
    both = np.asarray(changed(x, (AlternatingFlip(), AlternatingFlip())))
    assert 5 < (both == np.asarray(x)).all(axis=(1, 2, 3)).sum() < 35
