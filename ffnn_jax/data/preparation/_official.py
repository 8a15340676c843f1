"""The official files of a data set, as tensorflow-datasets records them, and their download."""

import contextlib
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

from ffnn_jax.config import UserError
from ffnn_jax.data.preparation._parts import OnProgress

_STALL_SECONDS = 15.0  # tensorflow-datasets would wait for ever
_START_SECONDS = 60.0  # for a slow machine to import tensorflow-datasets
_POLL_SECONDS = 0.2
_NOTES = 100_000  # bytes that tensorflow-datasets writes beside the files


class OfficialFile(NamedTuple):
    """A file to download: its name, where it is, its bytes, and their SHA-256."""

    name: str
    url: str
    size: int
    sha256: str


def official_files(name: str, wanted: Sequence[str]) -> list[OfficialFile]:
    """The files that a data set is made from, by tensorflow-datasets' own list of checksums."""
    import tensorflow_datasets as tfds

    infos = tfds.builder_cls(name).url_infos or {}
    files = [
        OfficialFile(str(info.filename), url, int(info.size), str(info.checksum))
        for url, info in infos.items()
    ]
    return sorted((file for file in files if file.name in wanted), key=lambda file: file.name)


def require_official(files: Mapping[str, Path], official: Sequence[OfficialFile]) -> None:
    """Rejects a file that is not the official one, bit for bit.

    Raises:
        UserError: a file has another SHA-256.
    """
    for file in official:
        with files[file.name].open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != file.sha256:
            where = files[file.name]
            raise UserError(f"{where}: has SHA-256 {found}, the official file {file.sha256}")


def download(
    name: str, official: Sequence[OfficialFile], folder: Path, on_progress: OnProgress
) -> dict[str, Path]:
    """Downloads the official files through tensorflow-datasets, which checks their SHA-256.

    Args:
        name: the data set.
        official: its files.
        folder: the files are put somewhere in it.
        on_progress: is told how many bytes have come.

    Returns:
        Where each file is, by its name.

    Raises:
        UserError: the network does not answer within seconds, or gives other files; says which
            files to get by other means, and what to do with them.
    """
    job = {"name": name, "folder": str(folder), "files": [file._asdict() for file in official]}
    command = [sys.executable, "-P", "-m", "ffnn_jax.data.preparation._fetch"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=nothing) as process:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            failure = _watch(process, folder, sum(file.size for file in official), on_progress)
        finally:
            process.kill()
        said = process.stdout.read()
    outcome = json.loads(said) if said and failure is None else {"kind": "", "words": failure}
    if "paths" not in outcome:
        what = _what_went_wrong(official, outcome["kind"], outcome["words"] or "")
        raise UserError(f"{what}; {_by_hand(name, official)}")
    return {file: Path(path) for file, path in outcome["paths"].items()}


def _watch(
    process: subprocess.Popen, folder: Path, total: int, on_progress: OnProgress
) -> str | None:
    """Reports how many bytes have come until the download ends; says why it should be ended."""
    size, changed = -1, time.monotonic() + _START_SECONDS
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
        now = _bytes_in(folder)
        if now != size and folder.exists():  # it begins when the folder is there
            size, changed = now, time.monotonic()
        if time.monotonic() - changed > _STALL_SECONDS:
            return f"sent nothing for {_STALL_SECONDS:g} s"
        if size > total + _NOTES:
            return "sent more than the files have"
        on_progress("downloading", min(size, total), total)
    return None


def _bytes_in(folder: Path) -> int:
    sizes = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files are renamed while they are counted
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes


def _what_went_wrong(official: Sequence[OfficialFile], kind: str, words: str) -> str:
    hosts = ", ".join(sorted({urlparse(file.url).netloc for file in official}))
    status = re.search(r"HTTP code: (\d+)|too many (\d+) error responses", words)
    if not kind:
        return f"{hosts} {words or 'did not answer'}"
    if "Checksum" in kind:
        return f"{hosts} gave files of another SHA-256"
    if status:
        return f"{hosts} answered with HTTP status {status[1] or status[2]}"
    if kind == "OSError":
        return f"the download failed: {words}"
    return f"{hosts} did not answer ({kind})"


def _by_hand(name: str, official: Sequence[OfficialFile]) -> str:
    files = ", ".join(
        f"{file.url} ({file.size:,} bytes, SHA-256 {file.sha256})" for file in official
    )
    command = f"ffnn-jax data prepare {name} --from DIR"
    return f"get {files} by other means into a folder DIR, then: {command}"
