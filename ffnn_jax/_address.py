"""Where the processes of a run meet, as ``--distributed`` and the environment say it."""

import dataclasses
import os

from ffnn_jax._errors import UserError

_FORM = "auto or HOST:PORT,COUNT,INDEX, as in node1:1234,2,0"


@dataclasses.dataclass(frozen=True)
class Address:
    """The coordinator of a run, how many processes it has, and which one this is.

    What is None is left to jax's own detection of a cluster.
    """

    text: str  # of the option
    coordinator: str | None = None
    count: int | None = None
    index: int | None = None
    seconds: int = 300  # to wait for the other processes

    def __post_init__(self) -> None:
        """Raises a UserError unless the parts that are known fit together."""
        if self.coordinator is not None:
            host, _, port = self.coordinator.rpartition(":")
            if not host or not 0 < _integer(port, "PORT") < 65536:
                raise UserError(f"distributed: {self.coordinator!r} is not HOST:PORT")
        if self.count is not None and self.count < 1:
            raise UserError(f"distributed: COUNT must be at least 1, got {self.count}")
        if self.index is not None and not 0 <= self.index < (self.count or self.index + 1):
            last = "" if self.count is None else f" to {self.count - 1}"
            raise UserError(f"distributed: INDEX must be from 0{last}, got {self.index}")


def read_address(text: str | None, seeds: int) -> Address | None:
    """The address that the option's value says; "auto" reads jax's environment variables.

    Raises:
        UserError: the value has another form, a number is impossible, or there are several seeds.
    """
    if text is None:
        return None
    require_one_seed(seeds)
    seconds = _from_environment("FFNN_JAX_PEER_SECONDS")
    seconds = 300 if seconds is None else seconds
    if seconds < 1:
        raise UserError(f"distributed: FFNN_JAX_PEER_SECONDS must be at least 1, got {seconds}")
    if text == "auto":
        count, index = map(_from_environment, ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"))
        where = os.environ.get("JAX_COORDINATOR_ADDRESS") or None
        return Address(text, where, count, index, seconds)
    words = text.split(",")
    if len(words) != 3:
        raise UserError(f"distributed must be {_FORM}; got {text!r}")
    count, index = map(_integer, words[1:], ("COUNT", "INDEX"))
    return Address(text, words[0], count, index, seconds)


def require_one_seed(seeds: int) -> None:
    """Rejects several seeds where several processes train one network together."""
    if seeds > 1:
        other = "ffnn-jax sweep trains several"
        raise UserError(f"seeds must be 1 with --distributed, got {seeds}: {other}")


def _from_environment(name: str) -> int | None:
    value = os.environ.get(name)
    return _integer(value, name) if value else None


def _integer(word: str, name: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise UserError(f"distributed: {name} must be an integer, got {word!r}") from None
