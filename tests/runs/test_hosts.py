"""Processes of a run exchange values, fail together, and name what they differ in."""

import socket
from pathlib import Path

import pytest

from ffnn_jax._address import Address
from ffnn_jax.config import UserError
from ffnn_jax.runs import _hosts
from ffnn_jax.runs._folder import locked
from tests.runs.peers import Peers


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Peers:
    return Peers(3, monkeypatch)


def test_each_process_gets_the_value_of_each(three: Peers):
    values = [None, "größer", {"a": [1.5, True]}]
    assert three.each(lambda index: _hosts.gather(values[index])) == [values] * 3


def test_the_only_process_exchanges_nothing():
    value = object()  # could not be sent
    assert _hosts.gather(value) == [value]


@pytest.mark.parametrize("failing", [{0}, {2}, {1, 2}])
def test_a_user_error_of_one_process_ends_all(three: Peers, failing: set[int]):
    def work(index: int) -> None:
        with _hosts.together():
            if index in failing:
                raise UserError(f"no data on {index}" + "x" * 9000 * (index == 2))

    errors = three.each(work)
    assert all(isinstance(error, UserError) for error in errors)
    for index, error in enumerate(errors):
        own, first = index in failing, min(failing)
        expected = f"no data on {index}" if own else f"process {first}: no data on {first}"
        assert str(error).startswith(expected)
    assert sorted(three.left) == [0, 1, 2]


def test_without_an_error_all_go_on(three: Peers):
    def work(index: int) -> int:
        with _hosts.together():
            done = index
        return done

    assert three.each(work) == [0, 1, 2]
    assert not three.left


def test_the_first_process_alone_acts_and_all_know_the_path(three: Peers, tmp_path: Path):
    def create(name: str) -> Path:
        (tmp_path / name).mkdir()  # fails the second time
        return tmp_path / name

    paths = three.each(lambda index: _hosts.of_first(create, f"run-{index}"))
    assert paths == [tmp_path / "run-0"] * 3


def test_a_folder_in_use_is_rejected_by_all(three: Peers, tmp_path: Path):
    def work(index: int) -> None:
        with _hosts.locked_by_first(tmp_path):
            pass

    assert three.each(work) == [None] * 3
    with locked(tmp_path):
        errors = three.each(work)
    assert [f"{tmp_path} is in use by process" in str(error) for error in errors] == [True] * 3


def test_what_differs_is_named_with_its_process(three: Peers):
    def work(index: int, **other: object) -> None:
        same = {"steps": 10, "layers": ["conv"] * 30, "text": "t" * 100}
        _hosts.require_same(same | (other if index == 2 else {}))

    assert three.each(work) == [None] * 3
    errors = three.each(lambda index: work(index, steps=11))
    start = "the processes of a run must be alike: "
    expected = f"{start}steps is 10 in process 0, 11 in process 2"
    assert [str(error) for error in errors] == [expected] * 3
    for long in ({"layers": ["conv"] * 29 + ["dense"]}, {"text": "t" * 99 + "u"}):
        (name,) = long
        assert f"{start}{name} is sha256 " in str(three.each(lambda i, it=long: work(i, **it))[1])


@pytest.mark.parametrize(
    ("index", "came", "line"),
    [
        (0, 2, "2 of 3 processes came to node1:1234 within 7 s"),
        (1, 1, "process 1: not all others came within 7 s"),
        (2, 0, "process 2: process 0 did not answer at node1:1234 within 7 s"),
    ],
)
def test_who_did_not_come_is_said(index: int, came: int, line: str, monkeypatch):
    from jax._src.distributed import global_state

    known = {"coordinator_address": "node1:1234", "num_processes": 3, "process_id": index}
    for name, value in known.items():
        monkeypatch.setattr(global_state, name, value)
    said = []
    monkeypatch.setattr(_hosts, "_connections", lambda port, of_first: came)
    monkeypatch.setattr("ffnn_jax._watch.end_lost", said.append)
    _hosts._give_up(7)
    assert said == [line]


def test_a_host_that_the_network_does_not_know_is_named_at_once(monkeypatch: pytest.MonkeyPatch):
    def unknown(*arguments: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UserError, match=r"^distributed: HOST 'node9' is not known here: Name or "):
        _hosts._join(Address("node9:1,2,1", "node9:1", 2, 1, 300))
