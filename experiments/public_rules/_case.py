"""A rule of a released package, described as a user of the checker would describe it."""

import dataclasses
import importlib.metadata
from collections.abc import Callable
from typing import Literal

import jax

from ffnn_jax.verify import Rule

Expected = Literal["right", "by design", "defective"]


@dataclasses.dataclass(frozen=True)
class PublicRule:
    """A rule of a released package.

    Attributes:
        package: the package's name on PyPI.
        function: the dotted name of the function.
        build: imports the package and describes the rule; a rule whose backward is not the
            derivative on purpose states the documented intention.
        expected: what the rule is, by checks that know nothing of this package.
        seen: what was seen, in a sentence.
        known: whether an earlier review of the checker names the rule.
        sample: whether the default tests check it.
    """

    package: str
    function: str
    build: Callable[[], Rule]
    expected: Expected
    seen: str
    known: bool = False
    sample: bool = False

    @property
    def version(self) -> str:
        """The installed version of the package."""
        return importlib.metadata.version(self.package)

    def load(self) -> Rule:
        """The rule; a setting of JAX that the import changes is restored.

        Raises:
            ImportError: the package is not installed.
        """
        before = jax.config.read("jax_enable_x64")
        try:
            return dataclasses.replace(self.build(), name=self.function)
        finally:
            jax.config.update("jax_enable_x64", before)


def public(
    package: str, function: str, expected: Expected, seen: str, *, known: bool = False,
    sample: bool = False,
) -> Callable[[Callable[[], Rule]], PublicRule]:  # fmt: skip
    """A decorator that makes a public rule of the function that builds it."""
    return lambda build: PublicRule(package, function, build, expected, seen, known, sample)
