"""A model file loads exactly as saved or is rejected; partial files are never left."""

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
from ffnn_jax.models._model import _name_in_table_2
from ffnn_jax.network import Network, Normalisation
from ffnn_jax.nn import Conv, Dense, Layer, LeakyReLU, MaxPool, Normal, Param, ReLU

NETWORK = Network((Conv(2, 3, init_scale=0.5), ReLU(), MaxPool(2), Dense(3)), (6, 5, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 2), np.uint8)


def model(seed: int) -> Model:
    mean = np.array([0.25, 0.5], np.float32) * seed
    normalisation = Normalisation(np.array([1 / 255, 1 / 99], np.float32), mean)
    return Model(NETWORK, *NETWORK.init(jax.random.key(seed)), normalisation, ("cat", "dog", "eel"))


MODELS = [model(seed) for seed in (1, 2, 3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three models, of which the second is the best."""
    save(tmp_path / "model.npz", MODELS, best=1)
    return tmp_path / "model.npz"


def test_the_digest_names_layers_as_the_report_numbers_them():
    """A layer of one's own may have an underscore in its name."""
    assert _name_in_table_2("conv_1/w") == "conv_2/w"
    assert _name_in_table_2("my_layer_9/scale/b") == "my_layer_10/scale/b"


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrites the file with plain numpy, after changing its arrays or manifest."""
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, allow_pickle=True, **arrays)


def flipped(data: bytes, position: int, bit: int) -> bytes:
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


def is_rejected_or_unchanged(path: Path, damaged: bytes, arrays: Any, about: Any) -> bool:
    """Whether the damaged file was rejected; otherwise its content must be unchanged."""
    path.write_bytes(damaged)
    try:
        loaded, loaded_about, _ = load_arrays(path)
    except UserError as error:
        assert str(error).startswith(str(path))
        return True
    assert loaded_about == about
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
    return False


@pytest.mark.parametrize("model", [0, 1, 2])
def test_a_model_loads_as_it_was_saved(path: Path, model: int):
    saved, loaded = MODELS[model], load(path, model)
    assert loaded.network == saved.network
    assert loaded.class_names == saved.class_names
    assert loaded.parameters_sha256 == saved.parameters_sha256
    np.testing.assert_array_equal(loaded.probabilities(PIXELS), saved.probabilities(PIXELS))


def test_the_best_model_is_loaded_by_default(path: Path):
    digests = [model.parameters_sha256 for model in MODELS]
    assert len(set(digests)) == 3
    assert load(path).parameters_sha256 == digests[1]


@pytest.mark.parametrize("model", [-1, 3])
def test_a_model_index_out_of_range_is_rejected(path: Path, model: int):
    with pytest.raises(UserError, match=f"model must be from 0 to 2, got {model}$"):
        load(path, model)


def test_one_bit_of_a_parameter_changes_the_digest():
    params = jax.tree.map(np.array, MODELS[0].params)
    params["dense_4"]["b"][0] = np.nextafter(np.float32(0), np.float32(1))
    changed = Model(NETWORK, params, {}, MODELS[0].normalisation, MODELS[0].class_names)
    assert changed.parameters_sha256 != MODELS[0].parameters_sha256


@pytest.mark.parametrize(
    "pixels", [PIXELS[:, :5], PIXELS[..., :1], PIXELS[0], PIXELS.astype(np.float32)]
)
def test_pixels_of_the_wrong_shape_or_dtype_are_rejected(pixels: np.ndarray):
    with pytest.raises(ValueError, match=r"^pixels must be uint8 \(N, 6, 5, 2\), got "):
        MODELS[0].predict(pixels)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_rejected(path: Path, share: float):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match="damaged"):
        load(path)


def test_a_flipped_bit_is_rejected_or_changes_nothing(path: Path):
    data, (arrays, about, _) = path.read_bytes(), load_arrays(path)
    rng = np.random.default_rng(0)
    flips = zip(rng.integers(len(data), size=200), rng.integers(8, size=200), strict=True)
    rejected = [
        is_rejected_or_unchanged(path, flipped(data, position, bit), arrays, about)
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
            is_rejected_or_unchanged(path, flipped(data, position, bit), arrays, about)


def swap(arrays: dict[str, Any]) -> None:
    first, second = "model_0/params/conv_1/w", "model_1/params/conv_1/w"
    arrays[first], arrays[second] = arrays[second], arrays[first]


def remove(arrays: dict[str, Any]) -> None:
    del arrays["model_0/params/dense_4/b"]


def add(arrays: dict[str, Any]) -> None:
    arrays["model_0/params/dense_4/c"] = np.zeros(3, np.float32)


def retype(arrays: dict[str, Any]) -> None:
    arrays["model_0/params/dense_4/b"] = arrays["model_0/params/dense_4/b"].view(np.int32)


def reshape(arrays: dict[str, Any]) -> None:
    arrays["model_0/params/dense_4/w"] = arrays["model_0/params/dense_4/w"].reshape(3, -1)


@pytest.mark.parametrize("change", [swap, remove, add, retype, reshape])
def test_arrays_that_do_not_match_the_manifest_are_rejected(path: Path, change: Any):
    rewritten(path, change)
    with pytest.raises(UserError, match=r"array 'model_0/\S+' is not the one that was saved"):
        load(path)


def test_metadata_changed_in_the_file_is_rejected(path: Path):
    def reorder(arrays: dict[str, Any]) -> None:
        manifest = json.loads(arrays["manifest"].tobytes())
        manifest["about"] = manifest["about"].replace('"cat", "dog"', '"dog", "cat"')
        arrays["manifest"] = np.frombuffer(json.dumps(manifest).encode(), np.uint8)

    rewritten(path, reorder)
    with pytest.raises(UserError, match="its metadata is not what was saved"):
        load(path)


def test_a_single_model_can_be_saved_without_a_list(tmp_path: Path):
    save(tmp_path / "model.npz", MODELS[2])
    assert load(tmp_path / "model.npz").parameters_sha256 == MODELS[2].parameters_sha256


def test_a_pickled_array_is_rejected_without_unpickling(path: Path):
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


def test_a_file_of_an_earlier_format_is_refused_by_name():
    path = Path(__file__).parent / "format_2" / "model.npz"
    with pytest.raises(UserError, match=r"model\.npz: format 2, this version reads format 3$"):
        load(path)


def test_a_single_numpy_array_is_rejected(tmp_path: Path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(UserError, match="not written by ffnn_jax"):
        load(tmp_path / "array.npy")


def test_a_text_file_is_rejected(tmp_path: Path):
    (tmp_path / "model.npz").write_text("not a model")
    with pytest.raises(UserError, match="not written by ffnn_jax"):
        load(tmp_path / "model.npz")


def test_arrays_without_a_model_are_rejected(tmp_path: Path):
    save_arrays(tmp_path / "other.npz", {"w": np.zeros(3)}, {"what": "a checkpoint"})
    with pytest.raises(UserError, match=r"other\.npz: "):
        load(tmp_path / "other.npz")


def test_saving_leaves_exactly_one_file(path: Path):
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_only_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch):
    before = path.read_bytes()

    def savez(file: Any, **_: Any) -> None:
        file.write(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(OSError, match="no space"):
        save(path, MODELS[:1])
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


def test_the_repr_of_a_model_is_a_short_summary():
    expected = "Model(77 parameters, images (6, 5, 2), 3 classes: cat, dog, eel)"
    assert repr(MODELS[0]) == expected
    many = dataclasses.replace(MODELS[0], class_names=tuple(map(str, range(11))))
    assert repr(many).endswith("11 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)")


def test_models_of_different_networks_cannot_share_a_file(path: Path):
    network = Network((Conv(2, 3), LeakyReLU(), MaxPool(2), Dense(3)), (6, 5, 2))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="all with the same network"):
        save(path, [MODELS[0], dataclasses.replace(MODELS[0], network=network)])
    with pytest.raises(ValueError, match="at least one model"):
        save(path, [])
    assert path.read_bytes() == before


def test_two_custom_layers_with_the_same_name_are_rejected(tmp_path: Path):
    other = type("Scaled", (Scaled,), {"__call__": lambda self, params, x: -x})
    network = Network((Scaled(), other(), Dense(3)), (6, 5, 2))
    with pytest.raises(UserError, match="the name Scaled is taken by another layer"):
        save(tmp_path / "custom.npz", [dataclasses.replace(MODELS[0], network=network)])


def test_saving_replaces_an_existing_file(path: Path):
    save(path, MODELS[2:])
    assert load(path).parameters_sha256 == MODELS[2].parameters_sha256
    with pytest.raises(UserError, match="from 0 to 0"):
        load(path, 1)


@dataclasses.dataclass(frozen=True)
class Scaled(Layer):
    """A custom layer: a learned scale for each channel, with initial mean ``start``."""

    start: Any = 1.0

    def params(self, shape):
        return {"scale": Param(shape[-1:], Normal(1.0, mean=self.start))}

    def __call__(self, params, x):
        return params["scale"][None, None, None, :] * x


@dataclasses.dataclass(frozen=True)
class Typed(Layer):
    """A layer that would be read back as a different one."""

    type: str = "ReLU"


class NotADataclass(Layer):
    """A layer whose attribute would be lost."""

    def __init__(self) -> None:
        object.__setattr__(self, "_k", 2.0)


def custom_model(layer: Layer) -> Model:
    network = Network((layer, Dense(3)), (6, 5, 2))
    params, state = network.init(jax.random.key(0))
    return Model(network, params, state, MODELS[0].normalisation, ("a", "b", "c"))


def test_a_custom_layer_is_saved_and_loaded(tmp_path: Path):
    model, path = custom_model(Scaled(2.0)), tmp_path / "custom.npz"
    save(path, [model])
    loaded = load(path, layers=[Scaled])
    assert loaded.network == model.network
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 2), np.uint8)
    np.testing.assert_array_equal(loaded.probabilities(pixels), model.probabilities(pixels))
    with pytest.raises(
        UserError,
        match=r"unknown layer type 'Scaled'.*--layers-from MODULE, in Python by layers=\[MyLayer",
    ):
        load(path)


def test_a_layer_whose_arrays_differ_from_the_file_s_is_rejected(tmp_path: Path):
    save(tmp_path / "custom.npz", [custom_model(Scaled())])
    wider = type("Scaled", (Scaled,), {"params": lambda self, shape: {"scale": Param((3,))}})
    with pytest.raises(UserError, match=r"scaled_1/scale' \(3,\), the file has \(2,\)"):
        load(tmp_path / "custom.npz", layers=[wider])
    other = type("Scaled", (Scaled,), {"params": lambda self, shape: {"size": Param((2,))}})
    with pytest.raises(UserError, match=r"scaled_1/size' \(2,\), the file has none"):
        load(tmp_path / "custom.npz", layers=[other])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Scaled(start=1j), r"Scaled\(start=1j\): its fields must be numbers, text, or tuples"),
        (type("ReLU", (Layer,), {})(), "the name ReLU is taken"),
        (Typed(), 'cannot be called "type"'),
        (NotADataclass(), "must be a dataclass, with all it has as fields"),
    ],
    ids=["field", "name", "a field called type", "not a dataclass"],
)
def test_a_layer_that_cannot_be_read_back_is_not_saved(tmp_path: Path, layer: Layer, message):
    with pytest.raises(UserError, match=message):
        save(
            tmp_path / "custom.npz",
            [dataclasses.replace(MODELS[0], network=Network((layer,), (6, 5, 2)))],
        )
    assert list(tmp_path.iterdir()) == []
