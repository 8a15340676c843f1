"""A benchmark of gradient checkers: rules with a fault, rules without, and who tells them apart."""

from experiments.wrong_gradients._table import checkers_table

__all__ = ["checkers_table"]
