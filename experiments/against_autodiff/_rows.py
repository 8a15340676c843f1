"""All rows, in the order of the catalogue; every operation of it has at least one."""

from experiments.against_autodiff._activations import ACTIVATIONS
from experiments.against_autodiff._convolutions import CONVOLUTIONS
from experiments.against_autodiff._dense_and_loss import DENSE_AND_LOSS
from experiments.against_autodiff._images import IMAGES
from experiments.against_autodiff._norms import NORMS
from experiments.against_autodiff._pools import POOLS

ROWS = {
    row.title: row
    for row in (*DENSE_AND_LOSS, *CONVOLUTIONS, *POOLS, *NORMS, *ACTIVATIONS, *IMAGES)
}
