"""Which mistake was made in a rule that is wrong.

The results of the rule are compared with those of faults that are known: the ones planted in an
entry of the catalogue, and general ones for the rules of anyone. All must agree, in float64 and at
several sizes of axes, for a fault to be named.
"""

from ffnn_jax.catalogue.diagnosis._diagnosis import Diagnosis, diagnose, diagnosed
from ffnn_jax.catalogue.diagnosis._matching import NOTHING

__all__ = ["NOTHING", "Diagnosis", "diagnose", "diagnosed"]
