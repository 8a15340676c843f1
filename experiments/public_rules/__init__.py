"""Rules of released packages, as the checker judges them."""

from experiments.public_rules._page import public_rules_page

__all__ = ["public_rules_page"]
