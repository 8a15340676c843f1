"""Downloads succeed, or fail within seconds with one line of instructions and no leftovers."""

import contextlib
import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
import requests.adapters
from tensorflow_datasets.core.download import downloader

from ffnn_jax.config import UserError
from ffnn_jax.data import load
from ffnn_jax.data.preparation import RECIPES, _official, _sources, prepare
from ffnn_jax.data.preparation._fetch import fetch
from ffnn_jax.data.preparation._official import OfficialFile, download, official_files
from tests.data.preparation.conftest import Tiny
from tests.systems import posix

CONTENT = b"hello" * 1000
Answer = Callable[[BaseHTTPRequestHandler, threading.Event], None]


class Server(NamedTuple):
    """A web server: its answer to each path, and the paths requested."""

    host: str
    answers: dict[str, Answer]
    requested: list[str]

    def file(self, name: str, content: bytes, answer: Answer | None = None) -> OfficialFile:
        """Serves a file, or answers its request with ``answer``."""
        self.answers[f"/data/{name}"] = answer or (lambda request, ended: send(request, content))
        digest = hashlib.sha256(content).hexdigest()
        return OfficialFile(name, f"http://{self.host}/data/{name}", len(content), digest)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A local web server; pending requests end with the test."""
    monkeypatch.setenv("no_proxy", "*")
    answers: dict[str, Answer] = {}
    requested: list[str] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requested.append(self.path)
            with contextlib.suppress(OSError):  # the client may be gone
                answers[self.path](self, ended)
            self.close_connection = True

        def log_message(self, format: str, *arguments: object):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Server(f"127.0.0.1:{http.server_port}", answers, requested)
        ended.set()
        http.shutdown()
        thread.join()


def send(request: BaseHTTPRequestHandler, content: bytes, length: int | None = None) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content) if length is None else length))
    request.end_headers()
    request.wfile.write(content)
    request.wfile.flush()


def no_report(message: str, done: int, total: int) -> None:
    pass


def test_the_files_are_downloaded_and_returned_by_name(server: Server, tmp_path: Path):
    files = [server.file("a.gz", CONTENT), server.file("b.gz", b"")]
    paths = download("mnist", files, tmp_path, no_report)
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        "a.gz": CONTENT,
        "b.gz": b"",
    }
    assert all(path.is_relative_to(tmp_path) for path in paths.values())
    assert server.requested == ["/data/a.gz", "/data/b.gz"]


def test_a_redirect_is_followed(server: Server, tmp_path: Path):
    def redirect(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        request.send_response(302)
        request.send_header("Location", "/data/b.gz")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.file("b.gz", CONTENT)
    paths = download("mnist", [server.file("a.gz", CONTENT, redirect)], tmp_path, no_report)
    assert paths["a.gz"].read_bytes() == CONTENT


def test_progress_of_the_download_is_reported(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_official, "_POLL_SECONDS", 0.01)
    half, reports = threading.Event(), []

    def halves(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        send(request, bytes(1 << 16), 1 << 17)
        half.wait(30)
        request.wfile.write(bytes(1 << 16))

    def on_progress(message: str, done: int, total: int) -> None:
        reports.append((message, total))
        if done >= 1 << 15:
            half.set()

    download("mnist", [server.file("a.gz", bytes(1 << 17), halves)], tmp_path, on_progress)
    assert half.is_set()
    assert set(reports) == {("downloading", 1 << 17)}


# failures


def other_content(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    send(request, b"<html>Please log in</html>")


def other_content_of_the_same_size(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    send(request, bytes(len(CONTENT)))


def never(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    ended.wait(60)


def half(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    send(request, CONTENT[:1000], len(CONTENT))
    ended.wait(60)


def cut(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    send(request, CONTENT[:1000], len(CONTENT))


def nothing(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    request.connection.close()


def code(number: int) -> Answer:
    return lambda request, ended: request.send_error(number)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (other_content, "HOST served files with a different SHA-256"),
        (other_content_of_the_same_size, "HOST served files with a different SHA-256"),
        (code(404), "HOST answered with HTTP status 404"),
        (code(403), "HOST answered with HTTP status 403"),
        (never, "HOST sent nothing for 0.5 s"),
        (half, "HOST sent nothing for 0.5 s"),
        (cut, "HOST did not answer (ChunkedEncodingError)"),
        (nothing, "HOST did not answer (ConnectionError)"),
    ],
    ids=["other", "other of the same size", "404", "403", "never", "half", "cut", "nothing"],
)
def test_a_failed_download_ends_soon_and_lists_the_files_to_get(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, line: str
):
    if "sent nothing" in line:
        monkeypatch.setattr(_official, "_STALL_SECONDS", 0.5)
    file, other = server.file("a.gz", CONTENT, answer), server.file("b.gz", b"")
    started = time.monotonic()
    with pytest.raises(UserError) as error:
        download("mnist", [file, other], tmp_path, no_report)
    assert time.monotonic() - started < 60
    problem, _, advice = str(error.value).partition("; ")
    assert problem == line.replace("HOST", server.host)
    assert advice == (
        f"download {file.url} (5,000 bytes, SHA-256 {file.sha256}), "
        f"{other.url} (0 bytes, SHA-256 {other.sha256}) "
        "by other means into a folder DIR, then run: ffnn-jax data prepare mnist --from DIR"
    )
    assert "/data/b.gz" not in server.requested


@pytest.mark.parametrize("number", [500, 503])
def test_a_server_error_is_retried_once_and_reported(server: Server, tmp_path: Path, number: int):
    file = server.file("a.gz", CONTENT, code(number))
    started = time.monotonic()
    with pytest.raises(UserError) as error:
        download("mnist", [file], tmp_path, no_report)
    assert time.monotonic() - started < 60
    assert server.requested == ["/data/a.gz"] * 2
    assert str(error.value).startswith(
        f"{server.host} answered with HTTP status {number}; download "
    )


def test_an_unreachable_server_is_reported(server: Server, tmp_path: Path):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as gone:
        host = f"127.0.0.1:{gone.server_port}"
    file = server.file("a.gz", CONTENT)._replace(url=f"http://{host}/a.gz")
    with pytest.raises(
        UserError, match=rf"^{host} did not answer \(ConnectionError\); download http://"
    ):
        download("mnist", [file], tmp_path, no_report)


@posix
def test_a_full_disk_is_reported_as_the_reason(server: Server, tmp_path: Path):
    """No file may exceed 1 MB during the download."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(UserError, match=r"^the download failed: File too large; download http"):
            download("mnist", [server.file("a.gz", bytes(1 << 22))], tmp_path, no_report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_endless_file_does_not_fill_the_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_official, "_POLL_SECONDS", 0.01)
    sent = []

    def endless(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1024):  # 64 MB within a second, if the client keeps reading
            request.wfile.write(bytes(1 << 16))
            sent.append(1 << 16)
            time.sleep(0.001)

    with pytest.raises(UserError):
        download("mnist", [server.file("a.gz", CONTENT, endless)], tmp_path, no_report)
    assert sum(sent) < 32 << 20


def test_a_download_changes_nothing_in_this_process(server: Server, tmp_path: Path):
    before = requests.adapters.HTTPAdapter.send, downloader.MAX_RETRIES
    download("mnist", [server.file("a.gz", CONTENT)], tmp_path, no_report)
    assert (requests.adapters.HTTPAdapter.send, downloader.MAX_RETRIES) == before


def test_fetch_restores_the_retries_of_tensorflow_datasets(server: Server, tmp_path: Path):
    job = {"name": "mnist", "folder": str(tmp_path)}
    file = server.file("a.gz", CONTENT, code(500))
    assert fetch(**job, files=[file._asdict()])["kind"] == "RetryError"
    assert server.requested == ["/data/a.gz"] * 2
    assert downloader.MAX_RETRIES == 10


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(28, "No space left"), {"kind": "OSError", "message": "No space left"}),
        (OSError("no\n  route"), {"kind": "OSError", "message": "no route"}),
        (ValueError("not\n  a URL"), {"kind": "ValueError", "message": "not a URL"}),
    ],
)
def test_fetch_says_why_a_download_failed(monkeypatch, tmp_path: Path, error, outcome):
    def download(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("tensorflow_datasets.download.DownloadManager.download", download)
    file = OfficialFile("a.gz", "http://example.com/a.gz", 1, "0" * 64)._asdict()
    assert fetch("mnist", str(tmp_path), [file]) == outcome


# from the list of files to the prepared set


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "mnist_5k"])
def test_tensorflow_datasets_lists_every_needed_file(name: str):
    files = official_files(name, RECIPES[name].files)
    assert sorted(file.name for file in files) == sorted(RECIPES[name].files)
    for file in files:
        assert file.url.startswith("http")
        assert file.size > 1000
        assert len(bytes.fromhex(file.sha256)) == 32


def test_the_first_file_of_mnist_has_its_well_known_sha256():
    images = {file.name: file for file in official_files("mnist", RECIPES["mnist"].files)}
    assert images["train-images-idx3-ubyte.gz"][2:] == (
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    )


def serve(server: Server, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> list[OfficialFile]:
    """Serves the files of a small set as the official ones."""
    files = [server.file(path.name, path.read_bytes()) for path in tiny.folder.iterdir()]
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: files)
    return files


def test_a_set_is_prepared_from_a_download(
    server: Server, tiny_mnist: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    serve(server, tiny_mnist, monkeypatch)
    prepared = prepare("mnist", "official", tmp_path / "sets")
    assert prepared.folder == tmp_path / "sets" / "mnist" / prepared.version
    train = load("mnist", "train", original_order=False, folder=tmp_path / "sets")
    assert train.sha256 == RECIPES["mnist"].sha256["train"]
    left = [path.name for path in (tmp_path / "sets" / ".ffnn_jax").iterdir()]
    assert not [name for name in left if name.startswith(("download", "mnist.prep"))]


def test_a_failed_download_leaves_only_the_lock(
    server: Server, tiny_mnist: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    files = serve(server, tiny_mnist, monkeypatch)
    server.answers[f"/data/{files[-1].name}"] = other_content
    with pytest.raises(
        UserError, match=f"^{server.host} served files with a different SHA-256; download http"
    ):
        prepare("mnist", "official", tmp_path / "sets")
    left = sorted(path.relative_to(tmp_path / "sets") for path in (tmp_path / "sets").rglob("*"))
    assert list(map(str, left)) == [".ffnn_jax", ".ffnn_jax/mnist.lock"]


PREPARE = """
import sys
from pathlib import Path
from ffnn_jax.cli import main
from ffnn_jax.data.preparation import _sources
from ffnn_jax.data.preparation._fetch import fetch
from ffnn_jax.data.preparation._official import OfficialFile
_sources.official_files = lambda name, wanted: [OfficialFile("a.gz", sys.argv[1], 5000, "0" * 64)]
main(["data", "prepare", "mnist", "--data-dir", sys.argv[2]])
"""


class Downloading(NamedTuple):
    """A process in the middle of a download, and whether its connection was closed."""

    process: subprocess.Popen
    disconnected: threading.Event


@pytest.fixture
def downloading(server: Server, tmp_path: Path) -> Iterator[Downloading]:
    """A process in the middle of a download that takes 40 s."""
    disconnected = threading.Event()

    def trickle(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        try:
            send(request, b"h", len(CONTENT))
            for _ in range(400):
                request.wfile.write(b"h")
                if ended.wait(0.1):
                    return
        except OSError:
            disconnected.set()

    url = server.file("a.gz", CONTENT, trickle).url
    command = [sys.executable, "-c", PREPARE, url, str(tmp_path / "sets")]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdout=nothing, stderr=pipe, text=True) as process:
        for _ in range(600):
            if process.poll() is not None or any(tmp_path.glob("sets/.ffnn_jax/**/a.gz")):
                break
            time.sleep(0.05)
        yield Downloading(process, disconnected)
        process.kill()


def test_an_interrupted_download_ends_at_once(downloading: Downloading, tmp_path: Path):
    process, disconnected = downloading
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "ffnn-jax: interrupted"
    assert [path.name for path in (tmp_path / "sets" / ".ffnn_jax").iterdir()] == ["mnist.lock"]
    assert disconnected.wait(10)


def test_leftovers_of_a_killed_download_are_removed_by_the_next_preparation(
    downloading: Downloading, tiny_mnist: Tiny, tmp_path: Path
):
    process, disconnected = downloading
    process.kill()
    process.wait()
    assert disconnected.wait(10)
    prepare("mnist", tiny_mnist.folder, tmp_path / "sets")
    left = {path.name for path in (tmp_path / "sets" / ".ffnn_jax").iterdir()}
    assert {name for name in left if not name.startswith("mnist-")} <= {"mnist.lock", ".lock"}
