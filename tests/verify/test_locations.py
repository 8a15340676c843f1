"""Rules and functions are found where a command line says, and what is wrong is one line."""

import pytest

from ffnn_jax.verify import error_line, function_at, rules_in

RULES = """
import jax.numpy as jnp
from ffnn_jax.verify import Rule

one = Rule(jnp.sin, jnp.sin, ("N",))
more = {"b": Rule(jnp.sin, jnp.cos, ("N",)), "c": [one]}
"""


def test_a_function_is_found_and_a_near_name_suggested():
    assert function_at("math:sin")(0.0) == 0
    with pytest.raises(ValueError, match="module math has no function 'sine'; did you mean sin"):
        function_at("math:sine")


def test_rules_of_a_file_are_each_found_once_and_numbered(tmp_path):
    path = tmp_path / "rules_of_this_test.py"
    path.write_text(RULES)
    assert list(rules_in(str(path))) == ["sin", "sin (2)"]


def test_a_file_without_rules_is_rejected(tmp_path):
    path = tmp_path / "no_rules_of_this_test.py"
    path.write_text("a = 1\n")
    with pytest.raises(ValueError, match="no Rule at its top level"):
        rules_in(str(path))


def test_an_error_is_one_line_with_its_kind():
    assert error_line(KeyError("a\n b")) == "KeyError: 'a\\n b'"
    assert error_line(ValueError("a\n b")) == "a b"
