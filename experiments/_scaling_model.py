"""The time of a data-parallel step on n accelerators, on paper.

The step of n devices takes

    step = compute + statistics + gradients                                     (scaling.1)
    compute = start + (images of a device x operations + update) / (utilisation x peak)
                                                                                (scaling.2)
    statistics = rounds x all_reduce(bytes of a round)                          (scaling.3)
    gradients = all_reduce(4 x parameters)                                      (scaling.4)

where ``start`` is what a step costs however few its images, the update is repeated on every device,
and rounds are the sums of batch normalisation, each of which waits for the one before. A device has
ceil(batch / n) images. Nothing overlaps in (scaling.1): the compiled step reduces all gradients in
one operation, after the backward pass. If their reduction could be hidden behind the backward, two
thirds of the compute time,

    overlapped = compute + statistics + max(0, gradients - 2/3 compute)         (scaling.5)

With a fixed whole batch (strong scaling) and a fixed batch per device (weak) the efficiency is

    strong(n) = step(1) / (n step(n)),   weak(n) = step(1) / step(n)            (scaling.6)
"""

import dataclasses
import math

from experiments._scaling_fabric import Fabric

BYTES = 4
_BACKWARD = 2 / 3


@dataclasses.dataclass(frozen=True)
class Work:
    """What a step of a network computes and reduces, whatever it runs on.

    Attributes:
        batch: images of the whole batch.
        operations: floating-point operations of an image, forward and backward.
        update: floating-point operations of the optimiser, on every device.
        parameters: trained numbers, whose gradients are reduced.
        statistics: numbers reduced by batch normalisation.
        rounds: all-reduces of batch normalisation, one after another.
    """

    batch: int
    operations: float
    update: float
    parameters: int
    statistics: int
    rounds: int
    gradient_bytes: int = BYTES


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """Peak operations per second, the share of them that is reached, seconds of an empty step."""

    peak: float
    utilisation: float
    start: float
    fabric: Fabric


@dataclasses.dataclass(frozen=True)
class Step:
    """Seconds of the parts of a step."""

    compute: float
    statistics: float
    gradients: float

    @property
    def seconds(self) -> float:
        """(scaling.1)"""
        return self.compute + self.statistics + self.gradients

    @property
    def overlapped(self) -> float:
        """(scaling.5)"""
        left = max(0.0, self.gradients - _BACKWARD * self.compute)
        return self.compute + self.statistics + left


def step_of(work: Work, where: Accelerator, devices: int) -> Step | None:
    """A step's parts; None if there are fewer images than devices, or too few accelerators."""
    if devices > work.batch:
        return None
    rounds = max(work.rounds, 1)
    of_a_round = where.fabric.all_reduce(BYTES * work.statistics / rounds, devices)
    gradients = where.fabric.all_reduce(work.gradient_bytes * work.parameters, devices)
    if of_a_round is None or gradients is None:
        return None
    operations = math.ceil(work.batch / devices) * work.operations + work.update
    compute = where.start + operations / (where.utilisation * where.peak)
    return Step(compute, work.rounds * of_a_round, gradients)


def strong_and_weak(work: Work, devices: int) -> dict[str, Work]:
    """The work with a fixed whole batch, and with a fixed batch per device."""
    return {"strong": work, "weak": dataclasses.replace(work, batch=devices * work.batch)}


def efficiency(work: Work, where: Accelerator, devices: int, mode: str) -> float | None:
    """(scaling.6); mode is "strong" or "weak"."""
    alone, together = (
        step_of(work, where, 1),
        step_of(strong_and_weak(work, devices)[mode], where, devices),
    )
    if alone is None or together is None:
        return None
    share = devices if mode == "strong" else 1
    return alone.seconds / (share * together.seconds)
