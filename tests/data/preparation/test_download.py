"""Downloads end within seconds, well or in one line that says what to do, and leave nothing."""

import contextlib
import hashlib
import resource
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

CONTENT = b"hello" * 1000
Answer = Callable[[BaseHTTPRequestHandler, threading.Event], None]


class Server(NamedTuple):
    """A web server: what it answers to each path, and what it was asked for."""

    host: str
    answers: dict[str, Answer]
    asked: list[str]

    def file(self, name: str, content: bytes, answer: Answer | None = None) -> OfficialFile:
        """A file that is served, or is answered as told."""
        self.answers[f"/data/{name}"] = answer or (lambda request, ended: send(request, content))
        digest = hashlib.sha256(content).hexdigest()
        return OfficialFile(name, f"http://{self.host}/data/{name}", len(content), digest)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server on this machine; what still waits in it ends with the test."""
    monkeypatch.setenv("no_proxy", "*")
    answers: dict[str, Answer] = {}
    asked: list[str] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            with contextlib.suppress(OSError):  # the client may be gone
                answers[self.path](self, ended)
            self.close_connection = True

        def log_message(self, format: str, *words: object):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Server(f"127.0.0.1:{http.server_port}", answers, asked)
        ended.set()
        http.shutdown()
        thread.join()


def send(request: BaseHTTPRequestHandler, content: bytes, length: int | None = None) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(content) if length is None else length))
    request.end_headers()
    request.wfile.write(content)
    request.wfile.flush()


def no_report(words: str, done: int, total: int) -> None:
    pass


def test_the_files_are_downloaded_and_found_by_their_names(server: Server, tmp_path: Path):
    files = [server.file("a.gz", CONTENT), server.file("b.gz", b"")]
    found = download("mnist", files, tmp_path, no_report)
    assert {name: path.read_bytes() for name, path in found.items()} == {
        "a.gz": CONTENT,
        "b.gz": b"",
    }
    assert all(path.is_relative_to(tmp_path) for path in found.values())
    assert server.asked == ["/data/a.gz", "/data/b.gz"]


def test_a_file_that_has_moved_is_followed(server: Server, tmp_path: Path):
    def elsewhere(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        request.send_response(302)
        request.send_header("Location", "/data/b.gz")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.file("b.gz", CONTENT)
    found = download("mnist", [server.file("a.gz", CONTENT, elsewhere)], tmp_path, no_report)
    assert found["a.gz"].read_bytes() == CONTENT


def test_it_is_said_how_far_the_download_is(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_official, "_POLL_SECONDS", 0.01)
    half, heard = threading.Event(), []

    def halves(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        send(request, bytes(1 << 16), 1 << 17)
        half.wait(30)
        request.wfile.write(bytes(1 << 16))

    def on_progress(words: str, done: int, total: int) -> None:
        heard.append((words, total))
        if done >= 1 << 15:
            half.set()

    download("mnist", [server.file("a.gz", bytes(1 << 17), halves)], tmp_path, on_progress)
    assert half.is_set()
    assert set(heard) == {("downloading", 1 << 17)}


# what can go wrong


def other_content(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
    send(request, b"<html>Please log in</html>")


def other_content_of_that_size(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
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
        (other_content, "HOST gave files of another SHA-256"),
        (other_content_of_that_size, "HOST gave files of another SHA-256"),
        (code(404), "HOST answered with HTTP status 404"),
        (code(403), "HOST answered with HTTP status 403"),
        (never, "HOST sent nothing for 0.5 s"),
        (half, "HOST sent nothing for 0.5 s"),
        (cut, "HOST did not answer (ChunkedEncodingError)"),
        (nothing, "HOST did not answer (ConnectionError)"),
    ],
    ids=["other", "other of that size", "404", "403", "never", "half", "cut", "nothing"],
)
def test_a_download_that_fails_ends_soon_and_says_what_to_get_by_other_means(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, line: str
):
    if "sent nothing" in line:
        monkeypatch.setattr(_official, "_STALL_SECONDS", 0.5)
    file, other = server.file("a.gz", CONTENT, answer), server.file("b.gz", b"")
    begun = time.monotonic()
    with pytest.raises(UserError) as error:
        download("mnist", [file, other], tmp_path, no_report)
    assert time.monotonic() - begun < 60
    what, _, then = str(error.value).partition("; ")
    assert what == line.replace("HOST", server.host)
    assert then == (
        f"get {file.url} (5,000 bytes, SHA-256 {file.sha256}), "
        f"{other.url} (0 bytes, SHA-256 {other.sha256}) "
        "by other means into a folder DIR, then: ffnn-jax data prepare mnist --from DIR"
    )
    assert "/data/b.gz" not in server.asked


@pytest.mark.parametrize("number", [500, 503])
def test_a_server_with_an_error_is_asked_twice_and_its_error_is_said(
    server: Server, tmp_path: Path, number: int
):
    file = server.file("a.gz", CONTENT, code(number))
    begun = time.monotonic()
    with pytest.raises(UserError) as error:
        download("mnist", [file], tmp_path, no_report)
    assert time.monotonic() - begun < 60
    assert server.asked == ["/data/a.gz"] * 2
    assert str(error.value).startswith(f"{server.host} answered with HTTP status {number}; get ")


def test_a_server_that_is_not_there_is_rejected(server: Server, tmp_path: Path):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as gone:
        host = f"127.0.0.1:{gone.server_port}"
    file = server.file("a.gz", CONTENT)._replace(url=f"http://{host}/a.gz")
    with pytest.raises(
        UserError, match=rf"^{host} did not answer \(ConnectionError\); get http://"
    ):
        download("mnist", [file], tmp_path, no_report)


def test_a_disk_that_takes_no_more_is_said_to_be_the_reason(server: Server, tmp_path: Path):
    """No file may be longer than 1 MB, for as long as the download goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(UserError, match=r"^the download failed: File too large; get http"):
            download("mnist", [server.file("a.gz", bytes(1 << 22))], tmp_path, no_report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_without_end_does_not_fill_the_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_official, "_POLL_SECONDS", 0.01)
    sent = []

    def endless(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(1024):  # 64 MB within a second, for whoever takes them
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


def test_tensorflow_datasets_is_as_patient_as_before_once_it_has_fetched(
    server: Server, tmp_path: Path
):
    job = {"name": "mnist", "folder": str(tmp_path)}
    file = server.file("a.gz", CONTENT, code(500))
    assert fetch(**job, files=[file._asdict()])["kind"] == "RetryError"
    assert server.asked == ["/data/a.gz"] * 2
    assert downloader.MAX_RETRIES == 10


# from the list of files to the prepared set


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "mnist_5k"])
def test_tensorflow_datasets_lists_every_file_that_is_needed(name: str):
    files = official_files(name, RECIPES[name].files)
    assert sorted(file.name for file in files) == sorted(RECIPES[name].files)
    for file in files:
        assert file.url.startswith("http")
        assert file.size > 1000
        assert len(bytes.fromhex(file.sha256)) == 32


def test_the_first_file_of_mnist_is_the_one_that_everybody_has():
    images = {file.name: file for file in official_files("mnist", RECIPES["mnist"].files)}
    assert images["train-images-idx3-ubyte.gz"][2:] == (
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    )


def serve(server: Server, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> list[OfficialFile]:
    """Makes the files of a small set the official ones, on this server."""
    files = [server.file(path.name, path.read_bytes()) for path in tiny.folder.iterdir()]
    monkeypatch.setattr(_sources, "official_files", lambda name, wanted: files)
    return files


def test_a_set_is_prepared_from_its_download(
    server: Server, tiny_mnist: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    serve(server, tiny_mnist, monkeypatch)
    prepared = prepare("mnist", "official", tmp_path / "sets")
    assert prepared.folder == tmp_path / "sets" / "mnist" / prepared.version
    train = load("mnist", "train", original_order=False, folder=tmp_path / "sets")
    assert train.sha256 == RECIPES["mnist"].sha256["train"]
    left = [path.name for path in (tmp_path / "sets" / ".ffnn_jax").iterdir()]
    assert not [name for name in left if name.startswith(("download", "mnist.prep"))]


def test_of_a_download_that_fails_the_lock_alone_is_left(
    server: Server, tiny_mnist: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    files = serve(server, tiny_mnist, monkeypatch)
    server.answers[f"/data/{files[-1].name}"] = other_content
    with pytest.raises(UserError, match=f"^{server.host} gave files of another SHA-256; get http"):
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
    """A process in the middle of a download, and whether it has hung up."""

    process: subprocess.Popen
    hung_up: threading.Event


@pytest.fixture
def downloading(server: Server, tmp_path: Path) -> Iterator[Downloading]:
    """A process in the middle of a download that goes on for 40 s."""
    hung_up = threading.Event()

    def trickle(request: BaseHTTPRequestHandler, ended: threading.Event) -> None:
        try:
            send(request, b"h", len(CONTENT))
            for _ in range(400):
                request.wfile.write(b"h")
                if ended.wait(0.1):
                    return
        except OSError:
            hung_up.set()

    url = server.file("a.gz", CONTENT, trickle).url
    command = [sys.executable, "-c", PREPARE, url, str(tmp_path / "sets")]
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdout=nothing, stderr=pipe, text=True) as process:
        for _ in range(600):
            if process.poll() is not None or any(tmp_path.glob("sets/.ffnn_jax/**/a.gz")):
                break
            time.sleep(0.05)
        yield Downloading(process, hung_up)
        process.kill()


def test_an_interrupted_download_ends_at_once(downloading: Downloading, tmp_path: Path):
    process, hung_up = downloading
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "ffnn-jax: interrupted"
    assert [path.name for path in (tmp_path / "sets" / ".ffnn_jax").iterdir()] == ["mnist.lock"]
    assert hung_up.wait(10)


def test_what_a_killed_download_left_is_removed_by_the_next_preparation(
    downloading: Downloading, tiny_mnist: Tiny, tmp_path: Path
):
    process, hung_up = downloading
    process.kill()
    process.wait()
    assert hung_up.wait(10)
    prepare("mnist", tiny_mnist.folder, tmp_path / "sets")
    left = {path.name for path in (tmp_path / "sets" / ".ffnn_jax").iterdir()}
    assert {name for name in left if not name.startswith("mnist-")} <= {"mnist.lock", ".lock"}
