"""What is replaced in the checks is noticed, and named."""

from collections.abc import Callable

import pytest

from ffnn_jax.course._tampering import difference_of, state_of_modules
from ffnn_jax.verify import Check, _compare, _run


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("_compare.TOLERANCE", lambda p: p.setattr(_compare, "TOLERANCE", 9.0)),
        ("_compare.compare", lambda p: p.setattr(_compare, "compare", max)),
        ("_compare.compare", lambda p: p.setattr(_compare.compare, "__code__", none.__code__)),
        ("_result.Check.badness", lambda p: p.setattr(Check, "badness", 0.0)),
        ("_run._CHECKS_AT_ALL_SIZES", lambda p: p.setitem(_run._CHECKS_AT_ALL_SIZES, "value", max)),
        ("verify._run.*", lambda p: p.delattr(_run, "_FAR")),
        ("verify._run.*", lambda p: p.setattr(_run, "sum", max, raising=False)),
    ],
)  # fmt: skip
def test_what_is_replaced_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[pytest.MonkeyPatch], None]
):
    before = state_of_modules()
    assert difference_of(before, state_of_modules()) == ""
    change(monkeypatch)
    assert difference_of(before, state_of_modules()).endswith(name)


def none(*values: float) -> float:
    return 0.0
