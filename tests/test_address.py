"""Where processes meet is read from the option, and from the environment."""

import pytest

from ffnn_jax._address import Address, read_address
from ffnn_jax._errors import UserError

NAMES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
SECONDS = "FFNN_JAX_PEER_SECONDS"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, SECONDS):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("node1:1234,2,0", ("node1:1234", 2, 0)), ("[::1]:65535,8,7", ("[::1]:65535", 8, 7))],
)
def test_an_address_has_three_parts(text: str, parts: tuple[str, int, int]):
    assert read_address(text, 1) == Address(text, *parts)


def test_without_the_option_there_is_none():
    assert read_address(None, 5) is None


@pytest.mark.parametrize("known", range(4))
def test_the_environment_says_what_it_knows(known: int, monkeypatch: pytest.MonkeyPatch):
    words = ("node1:1234", "2", "1")
    for name, word in list(zip(NAMES, words, strict=True))[:known]:
        monkeypatch.setenv(name, word)
    expected = [*("node1:1234", 2, 1)[:known], None, None, None][:3]
    assert read_address("auto", 1) == Address("auto", *expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AUTO", "must be auto or HOST:PORT,COUNT,INDEX, as in node1:1234,2,0; got 'AUTO'"),
        ("node1:1234,2", "must be auto or HOST:PORT,COUNT,INDEX"),
        ("node1,2,0", "'node1' is not HOST:PORT"),
        (":1234,2,0", "':1234' is not HOST:PORT"),
        ("node1:65536,2,0", "'node1:65536' is not HOST:PORT"),
        ("node1:http,2,0", "PORT must be an integer, got 'http'"),
        ("node1:1234,two,0", "COUNT must be an integer, got 'two'"),
        ("node1:1234,0,0", "COUNT must be at least 1, got 0"),
        ("node1:1234,2,2", "INDEX must be from 0 to 1, got 2"),
        ("node1:1234,2,-1", "INDEX must be from 0 to 1, got -1"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str):
    with pytest.raises(UserError, match=r"^distributed") as caught:
        read_address(text, 1)
    assert message in str(caught.value)


def test_several_seeds_are_rejected():
    with pytest.raises(UserError, match="seeds must be 1 with --distributed, got 3: "):
        read_address("auto", 3)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAX_PROCESS_ID", "-1")
    with pytest.raises(UserError, match="INDEX must be from 0, got -1"):
        read_address("auto", 1)
    monkeypatch.setenv("JAX_PROCESS_ID", "first")
    with pytest.raises(UserError, match="JAX_PROCESS_ID must be an integer, got 'first'"):
        read_address("auto", 1)


@pytest.mark.parametrize("text", ["auto", "node1:1234,2,0"])
def test_the_environment_says_how_long_to_wait(text: str, monkeypatch: pytest.MonkeyPatch):
    first = read_address(text, 1)
    monkeypatch.setenv(SECONDS, "20")
    second = read_address(text, 1)
    assert first and second
    assert (first.seconds, second.seconds) == (300, 20)
    monkeypatch.setenv(SECONDS, "5 min")
    with pytest.raises(UserError, match="FFNN_JAX_PEER_SECONDS must be an integer, got '5 min'"):
        read_address(text, 1)


def test_a_patience_below_a_second_is_refused(monkeypatch):
    monkeypatch.setenv("FFNN_JAX_PEER_SECONDS", "0")
    with pytest.raises(UserError, match=r"^distributed: FFNN_JAX_PEER_SECONDS must be at least 1"):
        read_address("auto", 1)
