"""A model file gives back what was saved, or rejects; it is never half a file."""

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.models import Model, load, load_arrays, save, save_arrays
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Conv, Dense, Layer, LeakyReLU, MaxPool, Normal, Param, ReLU

NETWORK = Network((Conv(2, 3, init_scale=0.5), ReLU(), MaxPool(2), Dense(3)), (6, 5, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 2), np.uint8)


def model(seed: int) -> Model:
    mean = np.array([0.25, 0.5], np.float32) * seed
    normalisation = Normalisation(np.array([1 / 255, 1 / 99], np.float32), mean)
    return Model(NETWORK, *NETWORK.init(jax.random.key(seed)), normalisation, ("cat", "dog", "eel"))


MEMBERS = [model(seed) for seed in (1, 2, 3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three models in a file, the second the best."""
    save(tmp_path / "model.npz", MEMBERS, best=1)
    return tmp_path / "model.npz"


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Writes the file again by numpy alone, its arrays and manifest changed."""
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, allow_pickle=True, **arrays)


def flipped(data: bytes, position: int, bit: int) -> bytes:
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


def reads_the_same_or_is_rejected(path: Path, damaged: bytes, arrays: Any, about: Any) -> bool:
    """Whether the damaged file was rejected; if it was not, nothing may differ."""
    path.write_bytes(damaged)
    try:
        found, found_about, _ = load_arrays(path)
    except UserError as error:
        assert str(error).startswith(str(path))
        return True
    assert found_about == about
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    return False


@pytest.mark.parametrize("model", [0, 1, 2])
def test_a_model_comes_back_whole(path: Path, model: int):
    saved, loaded = MEMBERS[model], load(path, model)
    assert loaded.network == saved.network
    assert loaded.class_names == saved.class_names
    assert loaded.parameters_sha256 == saved.parameters_sha256
    np.testing.assert_array_equal(loaded.probabilities(PIXELS), saved.probabilities(PIXELS))


def test_the_best_model_is_loaded_unasked(path: Path):
    digests = [model.parameters_sha256 for model in MEMBERS]
    assert len(set(digests)) == 3
    assert load(path).parameters_sha256 == digests[1]


@pytest.mark.parametrize("model", [-1, 3])
def test_a_model_that_is_not_there_is_rejected(path: Path, model: int):
    with pytest.raises(UserError, match=f"model must be from 0 to 2, got {model}$"):
        load(path, model)


def test_one_bit_of_a_parameter_is_another_digest():
    params = jax.tree.map(np.array, MEMBERS[0].params)
    params["dense_4"]["b"][0] = np.nextafter(np.float32(0), np.float32(1))
    changed = Model(NETWORK, params, {}, MEMBERS[0].normalisation, MEMBERS[0].class_names)
    assert changed.parameters_sha256 != MEMBERS[0].parameters_sha256


@pytest.mark.parametrize(
    "pixels", [PIXELS[:, :5], PIXELS[..., :1], PIXELS[0], PIXELS.astype(np.float32)]
)
def test_pixels_of_another_shape_or_dtype_are_rejected(pixels: np.ndarray):
    with pytest.raises(ValueError, match=r"^pixels must be uint8 \(N, 6, 5, 2\), got "):
        MEMBERS[0].predict(pixels)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_rejected(path: Path, share: float):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match="damaged"):
        load(path)


def test_a_flipped_bit_is_rejected_or_changes_nothing(path: Path):
    data, (arrays, about, _) = path.read_bytes(), load_arrays(path)
    draw = np.random.default_rng(0)
    flips = zip(draw.integers(len(data), size=200), draw.integers(8, size=200), strict=True)
    rejected = [
        reads_the_same_or_is_rejected(path, flipped(data, position, bit), arrays, about)
        for position, bit in flips
    ]
    assert sum(rejected) > 100


def test_no_bit_of_the_zip_directory_can_be_flipped_unnoticed(tmp_path: Path):
    path = tmp_path / "small.npz"
    arrays, about = {"w": np.arange(3.0)}, {"best": 0}
    save_arrays(path, arrays, about)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        first = file.start_dir
    for position in range(first, len(data)):
        for bit in range(8):
            reads_the_same_or_is_rejected(path, flipped(data, position, bit), arrays, about)


def swap(arrays: dict[str, Any]) -> None:
    one, other = "model_0/params/conv_1/w", "model_1/params/conv_1/w"
    arrays[one], arrays[other] = arrays[other], arrays[one]


def lose(arrays: dict[str, Any]) -> None:
    del arrays["model_0/params/dense_4/b"]


def gain(arrays: dict[str, Any]) -> None:
    arrays["model_0/params/dense_4/c"] = np.zeros(3, np.float32)


def retype(arrays: dict[str, Any]) -> None:
    arrays["model_0/params/dense_4/b"] = arrays["model_0/params/dense_4/b"].view(np.int32)


def reshape(arrays: dict[str, Any]) -> None:
    arrays["model_0/params/dense_4/w"] = arrays["model_0/params/dense_4/w"].reshape(3, -1)


@pytest.mark.parametrize("change", [swap, lose, gain, retype, reshape])
def test_arrays_other_than_the_manifest_s_are_rejected(path: Path, change: Any):
    rewritten(path, change)
    with pytest.raises(UserError, match=r"array 'model_0/\S+' is not the one that was saved"):
        load(path)


def test_names_of_classes_that_were_changed_in_the_file_are_rejected(path: Path):
    def reorder(arrays: dict[str, Any]) -> None:
        manifest = json.loads(arrays["manifest"].tobytes())
        manifest["about"] = manifest["about"].replace('"cat", "dog"', '"dog", "cat"')
        arrays["manifest"] = np.frombuffer(json.dumps(manifest).encode(), np.uint8)

    rewritten(path, reorder)
    with pytest.raises(UserError, match="what it says of its arrays is not what was saved"):
        load(path)


def test_one_model_is_saved_as_it_is(tmp_path: Path):
    save(tmp_path / "model.npz", MEMBERS[2])
    assert load(tmp_path / "model.npz").parameters_sha256 == MEMBERS[2].parameters_sha256


def test_a_pickled_array_is_rejected_unread(path: Path):
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return pytest.fail, ("a pickle was opened",)

    rewritten(path, lambda arrays: arrays.update(trap=np.array([Trap()], object)))
    with pytest.raises(UserError, match="damaged, or not written by ffnn_jax"):
        load(path)


def test_a_missing_file_is_rejected(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.npz: no such file$"):
        load(tmp_path / "none.npz")


def manifest(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


@pytest.mark.parametrize(
    "arrays",
    [
        {"w": np.zeros(3)},
        {"manifest": np.zeros(3)},
        {"manifest": manifest([1])},
        {"manifest": manifest({"format": 1})},
        {"manifest": manifest({"format": 1, "sha256": 3, "about": {}})},
        {"manifest": manifest({"format": 2, "sha256": {}, "about": {}})},
    ],
)
def test_a_foreign_npz_is_rejected(tmp_path: Path, arrays: Any):
    np.savez(tmp_path / "foreign.npz", **arrays)
    with pytest.raises(UserError, match=r"foreign\.npz: \w"):
        load(tmp_path / "foreign.npz")


def test_a_single_array_of_numpy_is_rejected(tmp_path: Path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(UserError, match="not written by ffnn_jax"):
        load(tmp_path / "array.npy")


def test_a_text_file_is_rejected(tmp_path: Path):
    (tmp_path / "model.npz").write_text("not a model")
    with pytest.raises(UserError, match="not written by ffnn_jax"):
        load(tmp_path / "model.npz")


def test_arrays_that_are_no_model_are_rejected(tmp_path: Path):
    save_arrays(tmp_path / "other.npz", {"w": np.zeros(3)}, {"what": "a checkpoint"})
    with pytest.raises(UserError, match=r"other\.npz: "):
        load(tmp_path / "other.npz")


def test_writing_leaves_one_file(path: Path):
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = path.read_bytes()

    def savez(file: Any, **_: Any) -> None:
        file.write(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(OSError, match="no space"):
        save(path, MEMBERS[:1])
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_model_says_what_it_is_in_one_line():
    said = "Model(77 parameters, images (6, 5, 2), 3 classes: cat, dog, eel)"
    assert repr(MEMBERS[0]) == said
    many = dataclasses.replace(MEMBERS[0], class_names=tuple(map(str, range(11))))
    assert repr(many).endswith("11 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)")


def test_models_of_two_networks_are_not_saved_in_one_file(path: Path):
    network = Network((Conv(2, 3), LeakyReLU(), MaxPool(2), Dense(3)), (6, 5, 2))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="models must be of one network"):
        save(path, [MEMBERS[0], dataclasses.replace(MEMBERS[0], network=network)])
    with pytest.raises(ValueError, match="at least one"):
        save(path, [])
    assert path.read_bytes() == before


def test_two_layers_of_ones_own_with_one_name_are_not_saved(tmp_path: Path):
    other = type("Scaled", (Scaled,), {"__call__": lambda self, params, x: -x})
    network = Network((Scaled(), other(), Dense(3)), (6, 5, 2))
    with pytest.raises(UserError, match="the name Scaled is taken by another layer"):
        save(tmp_path / "own.npz", [dataclasses.replace(MEMBERS[0], network=network)])


def test_a_file_is_replaced_by_a_new_one(path: Path):
    save(path, MEMBERS[2:])
    assert load(path).parameters_sha256 == MEMBERS[2].parameters_sha256
    with pytest.raises(UserError, match="from 0 to 0"):
        load(path, 1)


@dataclasses.dataclass(frozen=True)
class Scaled(Layer):
    """A layer of a user's own: a learned scale for each channel, from ``start`` on."""

    start: Any = 1.0

    def params(self, shape):
        return {"scale": Param(shape[-1:], Normal(1.0, mean=self.start))}

    def __call__(self, params, x):
        return params["scale"][None, None, None, :] * x


@dataclasses.dataclass(frozen=True)
class Typed(Layer):
    """A layer that would be read back as another."""

    type: str = "ReLU"


class NoDataclass(Layer):
    """A layer whose number would be lost."""

    def __init__(self) -> None:
        object.__setattr__(self, "_k", 2.0)


def own_model(layer: Layer) -> Model:
    network = Network((layer, Dense(3)), (6, 5, 2))
    params, state = network.init(jax.random.key(0))
    return Model(network, params, state, MEMBERS[0].normalisation, ("a", "b", "c"))


def test_a_layer_of_ones_own_is_saved_and_loaded(tmp_path: Path):
    model, path = own_model(Scaled(2.0)), tmp_path / "own.npz"
    save(path, [model])
    again = load(path, layers=[Scaled])
    assert again.network == model.network
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 2), np.uint8)
    np.testing.assert_array_equal(again.probabilities(pixels), model.probabilities(pixels))
    with pytest.raises(
        UserError, match=r"unknown layer type 'Scaled'.*load\(path, layers=\[MyLayer"
    ):
        load(path)


def test_a_layer_that_asks_for_other_arrays_than_were_saved_is_rejected(tmp_path: Path):
    save(tmp_path / "own.npz", [own_model(Scaled())])
    wider = type("Scaled", (Scaled,), {"params": lambda self, shape: {"scale": Param((3,))}})
    with pytest.raises(UserError, match=r"scaled_1/scale' \(3,\), the file has \(2,\)"):
        load(tmp_path / "own.npz", layers=[wider])
    other = type("Scaled", (Scaled,), {"params": lambda self, shape: {"size": Param((2,))}})
    with pytest.raises(UserError, match=r"scaled_1/size' \(2,\), the file has none"):
        load(tmp_path / "own.npz", layers=[other])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Scaled(start=1j), r"Scaled\(start=1j\): its fields must be numbers, text, or tuples"),
        (type("ReLU", (Layer,), {})(), "the name ReLU is taken"),
        (Typed(), 'cannot be called "type"'),
        (NoDataclass(), "must be a dataclass, with all it has as fields"),
    ],
    ids=["field", "name", "a field called type", "no dataclass"],
)
def test_a_layer_that_could_not_be_read_back_is_not_saved(tmp_path: Path, layer: Layer, message):
    with pytest.raises(UserError, match=message):
        save(
            tmp_path / "own.npz",
            [dataclasses.replace(MEMBERS[0], network=Network((layer,), (6, 5, 2)))],
        )
    assert list(tmp_path.iterdir()) == []
