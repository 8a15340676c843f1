"""Files that another program has open are tried again."""

import pytest

from ffnn_jax import _files


class Held:
    """An action that fails while another program has the file open."""

    def __init__(self, times: int) -> None:
        self.times, self.calls = times, 0

    def __call__(self, name: str) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise PermissionError(name)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses made, as on Windows."""
    pauses: list[float] = []
    monkeypatch.setattr(_files, "_PAUSES", (0.1, 0.2))
    monkeypatch.setattr(_files.time, "sleep", pauses.append)
    return pauses


@pytest.mark.parametrize(("times", "pauses"), [(0, []), (1, [0.1]), (2, [0.1, 0.2])])
def test_a_file_that_is_open_for_a_moment_is_waited_for(slept, times: int, pauses: list[float]):
    action = Held(times)
    _files.patiently(action, "file")
    assert (action.calls, slept) == (times + 1, pauses)


def test_a_file_that_stays_open_is_an_error(slept):
    with pytest.raises(PermissionError, match="file"):
        _files.patiently(Held(3), "file")


def test_other_errors_are_not_waited_for(slept):
    with pytest.raises(ZeroDivisionError):
        _files.patiently(lambda: 1 / 0)
    assert slept == []
