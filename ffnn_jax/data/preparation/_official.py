"""The official files of a data set, as tensorflow-datasets records them, and their download."""

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock
from urllib.parse import urlparse

from ffnn_jax.config import Refusal
from ffnn_jax.data.preparation._parts import Report, no_progress_bars

_CONNECT_SECONDS, _STALL_SECONDS, _RETRIES = 5, 20, 1
_POLL_SECONDS = 0.2


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
    """Refuses a file that is not the official one, bit for bit.

    Raises:
        Refusal: a file has another SHA-256.
    """
    for file in official:
        with files[file.name].open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != file.sha256:
            where = files[file.name]
            raise Refusal(f"{where}: has SHA-256 {found}, the official file {file.sha256}")


def download(
    name: str, official: Sequence[OfficialFile], folder: Path, report: Report
) -> dict[str, Path]:
    """Downloads the official files through tensorflow-datasets, which checks their SHA-256.

    Args:
        name: the data set.
        official: its files.
        folder: the files are put somewhere in it.
        report: is told how many bytes have come.

    Returns:
        Where each file is, by its name.

    Raises:
        Refusal: the network does not answer within seconds, or gives other files; says which
            files to get by other means, and what to do with them.
    """
    try:
        with _impatient(), no_progress_bars() as tfds, _watched(folder, official, report):
            manager = tfds.download.DownloadManager(
                download_dir=folder,
                dataset_name=name,
                url_infos=_url_infos(official),
                force_checksums_validation=True,
            )
            # One after the other: where one fails, no other is still waiting.
            return {file.name: Path(manager.download(file.url)) for file in official}
    except Exception as error:
        raise Refusal(f"{_what_went_wrong(official, error)}; {_by_hand(name, official)}") from None


@contextlib.contextmanager
def _watched(folder: Path, official: Sequence[OfficialFile], report: Report) -> Iterator[None]:
    """Reports how many bytes are in the folder, until the download ends."""
    total, ended = sum(file.size for file in official), threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_SECONDS):
            report("downloading", _bytes_in(folder), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _bytes_in(folder: Path) -> int:
    sizes = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files are renamed while they are counted
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes


def _url_infos(official: Sequence[OfficialFile]) -> dict[str, Any]:
    from tensorflow_datasets.core.download.checksums import UrlInfo
    from tensorflow_datasets.core.utils import Size

    return {file.url: UrlInfo(Size(file.size), file.sha256, file.name) for file in official}


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """tensorflow-datasets retries for 205 s and waits for ever: here it gives up in seconds."""
    from requests.adapters import HTTPAdapter
    from tensorflow_datasets.core.download import downloader

    send = HTTPAdapter.send

    def send_within_seconds(self: Any, request: Any, **options: Any) -> Any:
        options["timeout"] = _CONNECT_SECONDS, _STALL_SECONDS
        return send(self, request, **options)

    logger = logging.getLogger("urllib3.connectionpool")
    with (
        mock.patch.object(logger, "disabled", True),
        mock.patch.object(HTTPAdapter, "send", send_within_seconds),
        mock.patch.object(downloader, "MAX_RETRIES", _RETRIES),
    ):
        yield


def _what_went_wrong(official: Sequence[OfficialFile], error: Exception) -> str:
    hosts = ", ".join(sorted({urlparse(file.url).netloc for file in official}))
    kind = type(error).__name__
    if "Checksum" in kind:
        return f"{hosts} gave files of another SHA-256"
    if "HTTP code" in str(error):
        return f"{hosts} refused: {' '.join(str(error).split())}"
    if isinstance(error, OSError) and getattr(error, "strerror", None):
        return f"the download failed: {error.strerror}"
    return f"{hosts} did not answer ({kind})"


def _by_hand(name: str, official: Sequence[OfficialFile]) -> str:
    files = ", ".join(
        f"{file.url} ({file.size:,} bytes, SHA-256 {file.sha256})" for file in official
    )
    command = f"ffnn-jax data prepare {name} --from DIR"
    return f"get {files} by other means into a folder DIR, then: {command}"
