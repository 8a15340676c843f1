"""A single fault in the source, and how faults are spread over rooms."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

Key = tuple[str, str, str, str]


@dataclasses.dataclass(frozen=True)
class Fault:
    """One change of one place: the lines before and after, and how cosmic-ray counts it."""

    file: str
    line: int
    operator: str
    occurrence: int
    before: str = ""
    after: str = ""

    @property
    def room(self) -> str:
        """The folder in the package."""
        return room_of(self.file)

    @property
    def key(self) -> Key:
        """What stays the same where other lines change."""
        return self.file, self.operator, self.before, self.after


def room_of(file: str) -> str:
    """The folder in the package."""
    _, *folders, _ = Path(file).parts
    return folders[0] if folders else "top level"


def shares(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Shares of ``count`` in proportion to sizes, rounded up, so that none is empty."""
    total = sum(sizes.values())
    return {name: -(-count * size // total) for name, size in sizes.items()}
