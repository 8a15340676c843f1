"""The pieces of a definition that meet at a tie: the side on which max, min and abs go on."""

from typing import Any

from ffnn_jax.proof.algebra import Case, Element, form_of, solution


class Tie:
    """The sign by which max, min and abs choose where a case has a tie."""

    def __init__(self, case: Case, kind: str, sides: int) -> None:
        """``sides`` has a bit for each tie of "any" kind that is ``met``: 0 is the piece below."""
        self._case, self._kind, self._sides = case, kind, sides
        self.met: dict[Any, tuple[int, Any]] = {}

    @property
    def has_a_direction(self) -> bool:
        """Whether the pieces meet: one step away from the ties leads into all of them."""
        forms = ((form_of(factor), self._side(place)) for place, factor in self.met.values())
        linear = [
            ({n: c for n, c in form.items() if n is not None}, side)
            for form, side in forms
            if all(n is None or isinstance(n, int) for n in form)
        ]
        return solution(linear) is not None

    def sign(self, difference: Element) -> int:
        """The sign of first - second."""
        sign = self._case.sign(difference)
        if sign or difference.is_zero or self._kind == "number":
            return sign
        if self._kind == "below":
            return -1
        return self._of_factors(difference)

    def _of_factors(self, difference: Element) -> int:
        """The sign next to the tie: each factor that is 0 there has the sign of its side."""
        sign, field = 1, self._case.field
        for p in (difference.num, difference.den):
            for factor, power in field.factors(p):
                own = self._case.sign(field.polynomial(factor))
                if own == 0:
                    key = tuple(factor.terms())
                    place, _ = self.met.setdefault(key, (len(self.met), factor))
                    own = self._side(place)
                sign *= own**power
        return sign

    def _side(self, place: int) -> int:
        return 1 if self._sides >> place & 1 else -1
