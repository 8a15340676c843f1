"""A truncated, altered or malicious file is named, and none of its content is trusted."""

import io
import json
import logging
import random
import shutil
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.cli import main
from ffnn_jax.config import UserError
from ffnn_jax.models import load, load_arrays
from ffnn_jax.runs import last_checkpoint
from tests.faults.conftest import trials

SHARES = (0, 1, 10, 50, 99)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("written") / "run"
    main(["train", "--steps", "20", "--checkpoint-every", "10", "--run-dir", str(folder)])
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(written, tmp_path / "run"))


def last_step(folder: Path) -> Path:
    return max((folder / "checkpoints").glob("step-*.npz"))


def truncate(path: Path, share: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * share // 100])


def error_line(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The error line of a rejected command."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.faults("a file of a run cut off")
@pytest.mark.parametrize("share", trials(SHARES, 2))
def test_a_truncated_checkpoint_is_named_and_the_one_before_it_used(
    folder: Path, share: int, caplog: pytest.LogCaptureFixture
):
    path = last_step(folder)
    truncate(path, share)
    with caplog.at_level(logging.WARNING):
        saved = last_checkpoint(folder)
    assert str(path) in caplog.text
    assert saved.about["step"] == 10


@pytest.mark.faults("a file of a run cut off")
@pytest.mark.parametrize("share", trials(SHARES, 2))
@pytest.mark.parametrize("name", ["model.npz", "checkpoints/best.npz"])
def test_a_truncated_model_is_rejected(folder: Path, name: str, share: int):
    truncate(folder / name, share)
    with pytest.raises(UserError, match=f"{name}: damaged"):
        load_arrays(folder / name)


@pytest.mark.faults("a file of a run cut off")
@pytest.mark.parametrize("share", trials(SHARES, 2))
@pytest.mark.parametrize("name", ["config.json", "result.json"])
def test_a_truncated_file_of_a_page_is_named(
    folder: Path, name: str, share: int, capsys: pytest.CaptureFixture[str]
):
    truncate(folder / name, share)
    assert str(folder / name) in error_line(capsys, "page", str(folder))


@pytest.mark.faults("a file of a run cut off")
@pytest.mark.parametrize("share", trials(SHARES, 2))
def test_truncated_metrics_are_rewritten(folder: Path, share: int):
    whole = (folder / "metrics.jsonl").read_text()
    truncate(folder / "metrics.jsonl", share)
    main(["train", "--resume", str(folder)])
    assert (folder / "metrics.jsonl").read_text() == whole


@pytest.mark.faults("one bit flipped in a checkpoint or a model")
@pytest.mark.parametrize("trial", trials(range(200), 20))
def test_a_flipped_bit_does_not_go_unnoticed(written: Path, tmp_path: Path, trial: int):
    """The file is rejected, or the bit affects nothing that is read."""
    draw = random.Random(trial)
    source = draw.choice([last_step(written), written / "model.npz"])
    content = bytearray(source.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    flipped = tmp_path / source.name
    flipped.write_bytes(content)
    try:
        arrays, about, _ = load_arrays(flipped)
    except UserError as rejected:
        assert str(flipped) in str(rejected)
        return
    expected, expected_about, _ = load_arrays(source)
    assert about == expected_about
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)


def array_file(shape: str, dtype: str = "<f4", content: bytes = b"") -> bytes:
    """An array's file whose header has this shape and dtype."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    return file.getvalue()


class Malicious:
    """The arrays of malicious model files."""

    def pickled_objects(self) -> Iterator[tuple[str, bytes]]:
        yield "params/dense_1/w.npy", pickled()

    def header_of_10_12_elements(self) -> Iterator[tuple[str, bytes]]:
        yield "params/dense_1/w.npy", array_file("(1000000000000,)")

    def header_of_10_10_elements_with_1000(self) -> Iterator[tuple[str, bytes]]:
        yield "params/dense_1/w.npy", array_file("(10000000000,)", content=bytes(4000))

    def negative_shape(self) -> Iterator[tuple[str, bytes]]:
        yield "params/dense_1/w.npy", array_file("(-1,)", content=bytes(4000))

    def path_outside_the_archive(self) -> Iterator[tuple[str, bytes]]:
        yield "../../outside.npy", array_file("(1,)", content=bytes(4))

    def absolute_path(self) -> Iterator[tuple[str, bytes]]:
        yield "/tmp/ffnn_jax-absolute.npy", array_file("(1,)", content=bytes(4))

    def code_as_header(self) -> Iterator[tuple[str, bytes]]:
        yield "params/dense_1/w.npy", array_file("__import__('os').getcwd()")

    def many_arrays(self) -> Iterator[tuple[str, bytes]]:
        for number in range(20_000):
            yield f"params/dense_{number}/w.npy", array_file("(1,)", content=bytes(4))

    def bomb(self) -> Iterator[tuple[str, bytes]]:
        yield "params/dense_1/w.npy", array_file("(50000000,)", content=bytes(200_000_000))


KINDS = [name for name in vars(Malicious) if not name.startswith("_")]


@pytest.mark.faults("a malicious model file")
@pytest.mark.parametrize("kind", KINDS)
def test_a_malicious_model_is_rejected_without_writes_and_with_little_memory(
    written: Path, tmp_path: Path, kind: str
):
    """The manifest is genuine; only the arrays are not."""
    with zipfile.ZipFile(written / "model.npz") as genuine:
        manifest = genuine.read("manifest.npy")
    path = tmp_path / "in" / "model.npz"
    path.parent.mkdir()
    compression = zipfile.ZIP_DEFLATED if kind == "bomb" else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", compression) as file, warnings.catch_warnings():
        file.writestr("manifest.npy", manifest)
        for name, content in getattr(Malicious(), kind)():
            file.writestr(name, content)
    before = set(tmp_path.rglob("*"))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"model\.npz: "):
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert set(tmp_path.rglob("*")) == before
    assert peak < 20_000_000 + 20 * path.stat().st_size


@pytest.mark.faults("a malicious model file")
def test_a_model_that_claims_more_bytes_than_its_file_is_rejected(written: Path, tmp_path: Path):
    content = bytearray((written / "model.npz").read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = (3_000_000_000).to_bytes(4, "little") * 2
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="its arrays claim 3,0"):
        load(path)


@pytest.mark.faults("a checkpoint missing, renamed or from another run")
@pytest.mark.parametrize("step", [0, 10, 20])
def test_a_run_resumes_without_a_missing_checkpoint(folder: Path, step: int):
    (folder / "checkpoints" / f"step-{step:010}.npz").unlink()
    assert last_checkpoint(folder).about["step"] == (10 if step == 20 else 20)


@pytest.mark.faults("a checkpoint missing, renamed or from another run")
def test_a_renamed_checkpoint_is_named_and_the_one_before_it_used(
    folder: Path, caplog: pytest.LogCaptureFixture
):
    first = folder / "checkpoints" / "step-0000000000.npz"
    last_step(folder).write_bytes(first.read_bytes())
    with caplog.at_level(logging.WARNING):
        assert last_checkpoint(folder).about["step"] == 10
    assert "step-0000000020.npz: it contains step 0; using the one before it" in caplog.text


@pytest.mark.faults("a checkpoint missing, renamed or from another run")
def test_a_checkpoint_of_another_run_is_rejected_by_the_setting(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"learning_rate": 0.5}))
    line = error_line(capsys, "train", "--resume", str(folder))
    where = f"{last_step(folder)}: from another run: learning_rate is {config['learning_rate']}"
    assert line == f"ffnn-jax: {where}, {folder / 'config.json'} has 0.5"
