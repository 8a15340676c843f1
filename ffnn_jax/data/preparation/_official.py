"""The official files of a data set, as listed by tensorflow-datasets, and their download."""

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
from ffnn_jax.data._dataset import OnProgress

_STALL_SECONDS = 15.0  # tensorflow-datasets would wait forever
_START_SECONDS = 60.0  # time for a slow machine to import tensorflow-datasets
_POLL_SECONDS = 0.2
_EXTRA_BYTES = 100_000  # metadata that tensorflow-datasets writes beside the files


class OfficialFile(NamedTuple):
    """A file to download: name, URL, size in bytes, and SHA-256."""

    name: str
    url: str
    size: int
    sha256: str


def official_files(name: str, wanted: Sequence[str]) -> list[OfficialFile]:
    """The source files of a data set, from tensorflow-datasets' list of checksums."""
    import tensorflow_datasets as tfds

    infos = tfds.builder_cls(name).url_infos or {}
    files = [
        OfficialFile(str(info.filename), url, int(info.size), str(info.checksum))
        for url, info in infos.items()
    ]
    return sorted((file for file in files if file.name in wanted), key=lambda file: file.name)


def require_official(files: Mapping[str, Path], official: Sequence[OfficialFile]) -> None:
    """Rejects a file whose SHA-256 is not that of the official one."""
    for file in official:
        with files[file.name].open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != file.sha256:
            digests = f"SHA-256 {actual}, the official file has {file.sha256}"
            raise UserError(f"{files[file.name]}: has {digests}")


def download(
    name: str, official: Sequence[OfficialFile], folder: Path, on_progress: OnProgress
) -> dict[str, Path]:
    """Downloads the official files through tensorflow-datasets, which checks their SHA-256.

    Returns the path of each file, in the folder or its subfolders; the progress counts bytes.

    Raises:
        UserError: the network does not answer within seconds, or serves other files; the message
            lists the files to download by other means, and how to use them.
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
        output = process.stdout.read()
    outcome = json.loads(output) if output and not failure else {"kind": "", "message": failure}
    if "paths" not in outcome:
        problem = _problem(official, outcome["kind"], outcome["message"] or "")
        wanted = (f"{f.url} ({f.size:,} bytes, SHA-256 {f.sha256})" for f in official)
        remedy = f"download {', '.join(wanted)} by other means into a folder DIR"
        command = f"ffnn-jax data prepare {name} --from DIR"
        raise UserError(f"{problem}; {remedy}, then run: {command}")
    return {file: Path(path) for file, path in outcome["paths"].items()}


def _watch(
    process: subprocess.Popen, folder: Path, total: int, on_progress: OnProgress
) -> str | None:
    """Reports progress until the download ends; returns why it should be aborted, if it should."""
    size, changed = -1, time.monotonic() + _START_SECONDS
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
        now = _bytes_in(folder)
        if now != size and folder.exists():  # the download starts once the folder exists
            size, changed = now, time.monotonic()
        if time.monotonic() - changed > _STALL_SECONDS:
            return f"sent nothing for {_STALL_SECONDS:g} s"
        if size > total + _EXTRA_BYTES:
            return "sent more bytes than expected"
        on_progress("downloading", min(size, total), total)
    return None


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files may be renamed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total


def _problem(official: Sequence[OfficialFile], kind: str, message: str) -> str:
    hosts = ", ".join(sorted({urlparse(file.url).netloc for file in official}))
    status = re.search(r"HTTP code: (\d+)|too many (\d+) error responses", message)
    if not kind:
        return f"{hosts} {message or 'did not answer'}"
    if "Checksum" in kind:
        return f"{hosts} served files with a different SHA-256"
    if status:
        return f"{hosts} answered with HTTP status {status[1] or status[2]}"
    if kind == "OSError":
        return f"the download failed: {message}"
    return f"{hosts} did not answer ({kind})"
