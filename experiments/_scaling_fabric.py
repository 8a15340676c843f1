"""The time of an all-reduce on paper, by how the accelerators are connected.

An all-reduce of V bytes sends 2 (n - 1) / n V bytes from each device in a ring, and about 2 V in a
tree, one latency per hop. Of a switched network it is NCCL's own model, the fastest of its
protocols; on a torus each axis of X devices is passed twice, in X / 2 hops if it is closed to a
ring, and in X - 1 hops at half the bandwidth if not.
"""

import dataclasses
import math
from typing import Protocol


class Fabric(Protocol):
    """How accelerators are connected."""

    def all_reduce(self, count: float, devices: int) -> float | None:
        """Seconds to sum so many bytes over the devices; None if there are not so many."""
        ...


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """A way of NCCL to sum: latencies in seconds, bandwidths in bytes per second.

    Attributes:
        base: of each all-reduce.
        link: of a hop within a node.
        network: of a hop between nodes.
        share: of the bandwidth that it can use.
        caps: its largest bandwidth, in one node and beyond.
    """

    is_tree: bool
    base: float
    link: float
    network: float
    share: float = 1.0
    caps: tuple[float, float] = (math.inf, math.inf)

    def seconds(self, count: float, devices: int, nodes: int, bandwidth: float) -> float:
        """The latency of all hops, and the bytes over the bandwidth."""
        rate = min(self.share * bandwidth, self.caps[nodes > 1])
        if self.is_tree:
            hops = devices // nodes - 1, math.log2(nodes)
            sent = 2 * count
        else:
            between = 2 * nodes if nodes > 1 else 0
            hops = (devices - 1 - between / 2, between / 2)
            sent = 2 * (devices - 1) / devices * count
        return self.base + 2 * (hops[0] * self.link + hops[1] * self.network) + sent / rate


@dataclasses.dataclass(frozen=True)
class Switched:
    """Nodes of 8 accelerators; bandwidths in bytes per second and direction."""

    link: float
    node: float
    algorithms: tuple[Algorithm, ...]
    size: int = 8

    def all_reduce(self, count: float, devices: int) -> float | None:
        """The fastest algorithm's time; powers of two devices."""
        if devices == 1:
            return 0.0
        nodes = max(1, devices // self.size)
        bandwidth = self.link if nodes == 1 else min(self.link, self.node)
        return min(each.seconds(count, devices, nodes, bandwidth) for each in self.algorithms)


@dataclasses.dataclass(frozen=True)
class Torus:
    """Chips in a torus, as cubic as a power of two of them can be.

    Attributes:
        bandwidth: of all links of a chip together, in bytes per second and direction.
        hop: seconds.
        axes: of the torus.
        ring: the smallest axis that is closed to a ring, if all are as large.
        most: chips.
    """

    bandwidth: float
    hop: float
    axes: int
    ring: int
    most: int

    def all_reduce(self, count: float, devices: int) -> float | None:
        if devices == 1:
            return 0.0
        if devices > self.most:
            return None
        exponent = round(math.log2(devices))
        sizes = [2 ** ((exponent + axis) // self.axes) for axis in range(self.axes)]
        closed = min(sizes) >= self.ring
        hops = sum(size / 2 if closed else size - 1 for size in sizes)
        rate = self.bandwidth if closed else self.bandwidth / 2
        return 2 * hops * self.hop + 2 * (devices - 1) / devices * count / rate
