"""Flash and RAM of a model in C on its graph, and what they are made of.

Flash is a sum over sites, but for the bytes that fill its last word. RAM is not: buffers that are
needed at different times share their place, and sums of codes take 4 or 8 bytes.
"""

from dataclasses import dataclass

from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.sizes.device_footprint import DeviceFootprint, DeviceShape
from sgq_auto.packed.sizes.shape_specs import GraphSpec

FILLING = "filling"
"""The part of flash that fills the last word."""


@dataclass(frozen=True)
class DeviceSizes:
    """What flash and RAM of a model in C follow from, for any allocation of bits.

    Attributes:
        shape: What depends on the model.
        graph: Counts of its graph.
    """

    shape: DeviceShape
    graph: GraphSpec

    def footprint(self, allocation: BitAllocation) -> DeviceFootprint:
        """Flash and RAM under an allocation, exactly."""
        return self.shape.footprint(self.graph, allocation)

    def flash_before_filling(self, allocation: BitAllocation) -> int:
        """Bytes of flash before the last word is filled: a sum over sites."""
        parts = self.shape.flash_parts(self.graph, allocation)
        return sum(size for name, size in parts.items() if name != FILLING)

    def buffer_bytes(self, allocation: BitAllocation) -> tuple[int, ...]:
        """Bytes of each buffer of the arena."""
        return tuple(b.num_bytes(self.graph, allocation) for b in self.shape.buffers)
