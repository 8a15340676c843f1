"""Dropout as a layer: the mask is drawn here and applied in ``ffnn_jax.layers``."""

import dataclasses
from typing import Any, ClassVar

from ffnn_jax._base_config import is_number, require
from ffnn_jax.nn._keys import image_keys
from ffnn_jax.nn._layer import Layer
from ffnn_jax.nn._param import Tree

__all__ = ["Dropout"]


@dataclasses.dataclass(frozen=True)
class Dropout(Layer):
    """Sets each value to 0 with probability ``rate`` in training, and scales up the others.

    A mask depends only on its image's key, so it is the same on every platform and however the
    batch is split.
    """

    title: ClassVar[str] = "Dropout"
    needs_key: ClassVar[bool] = True
    rate: float = 0.5

    def __post_init__(self) -> None:
        """Rejects a rate that is not a probability."""
        holds = is_number(self.rate) and 0 <= self.rate <= 1
        require(self, "rate", holds, "a number from 0 to 1")

    def apply(
        self, params: Tree, state: Tree, x: Any, *, training: bool = False, key: Any = None
    ) -> tuple[Any, Tree]:
        """Equation (dropout.1) in training; else the identity.

        Raises:
            ValueError: the key is missing in training.
        """
        if not training or self.rate == 0:
            return x, state
        if key is None:
            raise ValueError(f"{self}: training needs a key")
        import jax

        from ffnn_jax.layers import dropout

        def keep_mask(key: Any) -> Any:
            return jax.random.bernoulli(key, 1 - self.rate, x.shape[1:])

        mask = jax.vmap(keep_mask)(image_keys(key, len(x)))
        return dropout(x, mask, self.rate), state
