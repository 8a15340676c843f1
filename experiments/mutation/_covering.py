"""Which tests run a line, how long each takes, and which of them to run with a fault there."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PHASE = re.compile(r" \((?:call|setup|teardown)\)$")
_FIRST, _MOST_TESTS, _LONGEST, _WHOLE_FILES = 6, 40, 60.0, 200.0


class Covering(NamedTuple):
    """Tests by line of each file, and the seconds of each test."""

    lines: dict[str, dict[str, list[str]]]
    seconds: dict[str, float]

    def stages(self, file: str, line: int) -> list[list[str]]:
        """What to run with a fault: the mirrored files, what covers the line, and the folder.

        Of the mirrored files, the fastest tests that cover the line run before the others.
        """
        covering = set(self.lines.get(file, {}).get(str(line), []))
        files = self.mirrored(file)
        mirrored = {test for test in self.seconds if file_of(test) in files}
        first = self.fastest(covering & mirrored)
        if self.total(mirrored) > _WHOLE_FILES:
            files = first[_FIRST:]
        others = self.fastest(covering - mirrored)
        folder = self.fastest(self.folder(file) - mirrored - set(others))
        return [stage for stage in (first[:_FIRST], files, others, folder) if stage]

    def mirrored(self, file: str) -> list[str]:
        """The test file of the same name, and the one beside it that covers most of the file."""
        folder, name = _mirrored_folder(file), Path(file).stem.lstrip("_")
        counts = Counter(
            file_of(test)
            for tests in self.lines.get(file, {}).values()
            for test in tests
            if test.startswith(f"{folder}/")
        )
        files = {file_of(test) for test in self.seconds}
        same = {f"{folder}/test_{name}.py"} & files
        return [*same, *({test for test, _ in counts.most_common(1)} - same)]

    def folder(self, file: str) -> set[str]:
        """The tests of the mirrored folder."""
        return {test for test in self.seconds if test.startswith(f"{_mirrored_folder(file)}/")}

    def fastest(self, tests: Iterable[str]) -> list[str]:
        """At most 40 tests of a minute together, those of a file side by side."""
        chosen, total = [], 0.0
        for test in sorted(tests, key=lambda test: (self.seconds.get(test, 0.0), test)):
            total += self.seconds.get(test, 0.0)
            if len(chosen) == _MOST_TESTS or (chosen and total > _LONGEST):
                break
            chosen.append(test)
        places = {file_of(test): place for place, test in reversed(list(enumerate(chosen)))}
        return sorted(chosen, key=lambda test: places[file_of(test)])

    def total(self, tests: Iterable[str]) -> float:
        """Seconds of these tests."""
        return sum(self.seconds.get(test, 0.0) for test in tests)


def named_tests(context: str, tests: Iterable[str]) -> set[str]:
    """The test of a context; for a setup, whose fixtures may be shared, all tests of its file."""
    name = _PHASE.sub("", context)
    if context.endswith("(setup)"):
        return {test for test in tests if file_of(test) == file_of(name)}
    return {name} - {""}


def file_of(test: str) -> str:
    """The file of a test."""
    return test.partition("::")[0]


def store(path: Path, covering: Covering) -> None:
    """Writes the map."""
    path.write_text(json.dumps(covering._asdict()), encoding="utf-8")


def stored(path: Path) -> Covering:
    """Reads the map."""
    return Covering(**json.loads(path.read_text(encoding="utf-8")))


def _mirrored_folder(file: str) -> str:
    return str(Path("tests", *Path(file).parts[1:-1]))
