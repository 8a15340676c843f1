"""Trying faults in copies of the project, each with a server that runs the tests."""

# pyright: reportMissingImports=false

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from cosmic_ray.util import restore_contents

from experiments.mutation._covering import Covering
from experiments.mutation._fault import Fault
from experiments.mutation._faults import faulty

_COPIED = ("ffnn_jax", "tests", "experiments", "notebooks", ".github", ".ci")
_SHORTEST, _SLOWER = 60.0, 5.0  # a test may take so many times as long as it did, and a minute
_LONGEST = 600.0


class Copy:
    """A copy of the project, and a process that runs tests in it."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copies the tree, and starts the process with a home and temporary folder of its own."""
        self._passing, self._broken = set[str](), set[str]()
        self.root = folder / "project"
        self.root.mkdir()
        for source in root.iterdir():
            if source.name in _COPIED:
                shutil.copytree(source, self.root / source.name)
            elif source.is_file():
                shutil.copy2(source, self.root)
        own = {"HOME": folder / "home", "TMPDIR": folder / "tmp"}
        for path in own.values():
            path.mkdir()
        environment = os.environ | {name: str(path) for name, path in own.items()}
        environment |= {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}._server"], cwd=self.root, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def tried(self, fault: Fault, covering: Covering) -> dict[str, Any]:
        """What the tests say of the fault: the first verdict that is not "survived"."""
        answer, count = {"verdict": "survived", "test": ""}, 0
        for tests in covering.stages(fault.file, fault.line):
            timeout, count = _SHORTEST + _SLOWER * covering.total(tests), count + len(tests)
            answer = self._with(fault, tests, timeout)
            while answer["verdict"] == "found" and not self._passes(answer["test"], tests):
                answer = self._with(fault, tests, timeout)
            if answer["verdict"] != "survived":
                break
        return answer | {"tests": count}

    def _with(self, fault: Fault, tests: list[str], timeout: float) -> dict[str, Any]:
        path = self.root / fault.file
        with restore_contents(path):
            path.write_text(faulty(path.read_text(encoding="utf-8"), fault), encoding="utf-8")
            return self._ask(tests, timeout)

    def _passes(self, test: str, tests: list[str]) -> bool:
        """Whether the tests that failed pass without a fault; else they do not run again."""
        failed = [test] if test else tests
        if not set(failed) <= self._passing:
            if self._ask(failed, _LONGEST)["verdict"] != "survived":
                self._broken.update(failed)
                return False
            self._passing.update(failed)
        return True

    def close(self) -> None:
        """Ends the process."""
        self._server.terminate()
        self._server.communicate()

    def _ask(self, tests: list[str], timeout: float) -> dict[str, Any]:
        assert self._server.stdin and self._server.stdout
        job = {"tests": tests, "without": sorted(self._broken), "timeout": timeout}
        print(json.dumps(job), file=self._server.stdin, flush=True)
        return json.loads(self._server.stdout.readline())


def try_all(
    root: Path, faults: list[Fault], covering: Covering, workers: int,
    done: Callable[[Fault, dict[str, Any]], None],
) -> None:  # fmt: skip
    """Tries faults in several copies at a time; ``done`` is called with each as it comes."""
    waiting: Queue[Fault] = Queue()
    answers: Queue[tuple[Fault, dict[str, Any]]] = Queue()
    for fault in faults:
        waiting.put(fault)

    def work(copy: Copy) -> None:
        while not waiting.empty():
            fault = waiting.get()
            answers.put((fault, copy.tried(fault, covering)))

    with copies(root, workers) as made:
        for copy in made:
            Thread(target=work, args=(copy,), daemon=True).start()
        for _ in faults:
            done(*answers.get())


@contextmanager
def copies(root: Path, workers: int) -> Iterator[list[Copy]]:
    """Copies of the project in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="mutation-", dir=root.parent) as name:
        folders = [Path(name, str(worker)) for worker in range(workers)]
        for folder in folders:
            folder.mkdir()
        made = [Copy(root, folder) for folder in folders]
        try:
            yield made
        finally:
            for copy in made:
                copy.close()
