"""The dense layer, of one data point and of a batch."""


from ffnn_jax.catalogue import _plain
from ffnn_jax.catalogue._entry import Case, Entry, Fault
from ffnn_jax.layers import dense, dense_backward, dense_forward


def _scaled(residuals, dz):
    dx, dw, db = dense_backward(residuals, dz)
    return dx, 1.0001 * dw, db


DENSE = Entry(
    name="dense",
    op=dense,
    forward=dense_forward,
    backward=dense_backward,
    reference=_plain.dense,
    arguments=("NxD", "DxK", "K"),
    cases=(
        Case(
            sizes=(
                {"N": 3, "D": 4, "K": 5},
                {"N": 1, "D": 7, "K": 2},
                {"N": 11, "D": 1, "K": 9},
                {"N": 512, "D": 13, "K": 6},
            )
        ),
    ),
    batch="N",
    linear=(0, 1, 2),
    exact=True,
    empty_batch=True,
    faults=(Fault("dw by 1.0001", _scaled),),
)
