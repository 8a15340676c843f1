"""The table of a run's network with what each layer costs here, before it is trained."""

from ffnn_jax.config import Settings
from ffnn_jax.data import image_shape
from ffnn_jax.layers.fast import forms
from ffnn_jax.network import CostMeter, Network, Summary, require_kept_contract
from ffnn_jax.nn import Shape
from ffnn_jax.runs._environment import enable_compilation_cache, forms_here


def costs_of(settings: Settings, shape: Shape | None = None, timed: bool = False) -> Summary:
    """The summary of a network in a run's batch size, precision and forms.

    Args:
        settings: settings of the run, whose data set need not be prepared.
        shape: shape of one image; by default that of the data set.
        timed: whether to time each layer, too.

    Raises:
        UserError: the layers do not fit the images, or a custom one breaks the contract.
    """
    network = Network(settings.layers, shape or image_shape(settings.dataset))
    require_kept_contract(network)
    dtype = "bfloat16" if settings.precision == "bf16" else "float32"
    if timed:
        enable_compilation_cache()
    with forms(forms_here() if settings.forms is None else settings.forms):
        return network.summary(CostMeter(settings.batch_size, dtype, timed))
