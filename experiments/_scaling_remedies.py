"""What one would change where a data-parallel step no longer scales."""

import dataclasses
from collections.abc import Callable

from experiments._scaling_model import Work

REMEDIES: dict[str, Callable[[Work], Work]] = {
    "as it is": lambda work: work,
    "gradients summed in bfloat16": lambda work: dataclasses.replace(work, gradient_bytes=2),
    "statistics in one sum forward and one backward": lambda work: dataclasses.replace(
        work, rounds=work.rounds // 2
    ),
    "statistics of each device (`ghost_size`)": lambda work: dataclasses.replace(work, rounds=0),
    "8 times the batch": lambda work: dataclasses.replace(work, batch=8 * work.batch),
    "8 times the batch, statistics of each device": lambda work: dataclasses.replace(
        work, batch=8 * work.batch, rounds=0
    ),
}
