"""Hops, one after the other: each gathers what the one before made, in codes of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.header_fields import count
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import LayerParts, PackedLayer

# Hops of one layer; a file cannot ask for more, nor is a layer with more packed.
MAX_HOPS = 256

# One hop: which one, from 0 on, what it gathers, and where its rows go.
Hop = Callable[[int, CodeMatrix, Sink], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class HopLayer(PackedLayer):
    """A layer that passes messages several times.

    Attributes:
        hops: Ranges of what each hop but the last makes, bucket by bucket.
    """

    hops: tuple[Ranges, ...]

    def run_hops(self, inference: Inference, first: CodeMatrix, hop: Hop, sink: Sink) -> None:
        """Run every hop.

        What lies between two hops is held in as few buffers as are enough: all have the bits and
        the width of the layer's embedding, so that one may lie where the one before the last lay.
        The transformed embedding is free for that once the first hop has read it; a layer that
        has none gathers its input, which others may read.

        Args:
            inference: The graph and the arithmetic.
            first: What the first hop gathers.
            hop: Runs one hop.
            sink: Where the rows of the last hop go.
        """
        current, free = first, first if self.spec.transformed_features else None
        for position, ranges in enumerate(self.hops):
            # The first hop reads what would be free.
            if position == 0 or free is None:
                made = inference.embedding(f"{self.spec.name}.hop{position}", first.width, ranges)
            else:
                made = free.reused(ranges)
            hop(position, current, inference.writer(made))
            is_own = position > 0 or self.spec.transformed_features
            current, free = made, current if is_own else None
        hop(len(self.hops), current, sink)

    def hop_ranges(self) -> tuple[Ranges, ...]:
        """Ranges of each embedding between its hops."""
        return self.hops

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The ranges between its hops besides."""
        return super().arguments(parts) | {"hops": parts.hops}


def hops_of(node: Mapping[str, Any]) -> int:
    """How many hops a header says that a layer has.

    Raises:
        ArtifactError: If it says something else than a number from 1 to :data:`MAX_HOPS`.
    """
    hops = count(node, "hops", 1)
    if hops > MAX_HOPS:
        raise ArtifactError(f"hops is {hops}; it must be at most {MAX_HOPS}")
    return hops
