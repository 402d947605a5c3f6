"""Makes the fake-quantizers of a model's sites from a bit allocation."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import nn

from sgq_auto.compute.scale_groups import ScaleGroups
from sgq_auto.graphs import Graph
from sgq_auto.packed.allocation import (
    EDGE_WEIGHTS,
    FEATURES,
    FULL_PRECISION,
    BitAllocation,
    Component,
    Site,
)
from sgq_auto.quantize.quantizers.bound_graph import BoundGraph
from sgq_auto.quantize.quantizers.fake_quantizers import (
    ConstantQuantizer,
    LearnedQuantizer,
    MinMaxQuantizer,
    Sizes,
)
from sgq_auto.settings.root_settings import RangeMode


@dataclass(frozen=True)
class QuantizerFactory:
    """Fake-quantizers for the sites of one model.

    Attributes:
        bound: The graph that the model runs on, whose degree buckets are the scale groups.
        allocation: Bits per site; ``None`` leaves everything at full precision.
        mode: How ranges are found.
    """

    bound: BoundGraph
    allocation: BitAllocation | None
    mode: RangeMode

    @property
    def graph(self) -> Graph:
        """The graph that the model runs on."""
        return self.bound.current

    def __deepcopy__(self, memo: Any) -> Self:
        """For a copy of the model, which is bound to a graph on its own."""
        return replace(self, bound=copy.deepcopy(self.bound, memo))

    def of_layer(self, layer: str) -> "QuantizerFactory":
        """The quantizers for ``layer``: none where it has no site, because it never runs."""
        if self.allocation is None or any(site.layer == layer for site in self.allocation):
            return self
        return replace(self, allocation=None)

    def features(self) -> nn.Module:
        """For the stored values of the node features."""
        bits = self._bucket_bits(FEATURES, Component.EMBEDDING)
        return self._constant(bits, self._value_groups)

    def edge_weights(self) -> ConstantQuantizer | None:
        """For the weights of edges between different nodes; ``None`` where they stay as they are.

        That is also so where no layer of the allocation's model reads them.
        """
        pattern, first = self.graph.adj_t, Site(EDGE_WEIGHTS, Component.ATTENTION, 0)
        if pattern.weights is None or self.allocation is None or first not in self.allocation:
            return None
        bits = self._bucket_bits(EDGE_WEIGHTS, Component.ATTENTION)
        made = self._constant(bits, self._neighbor_groups)
        return made if isinstance(made, ConstantQuantizer) else None

    def embedding(self, layer: str, *, per_graph: bool = False) -> nn.Module:
        """For a ``[N, features]`` embedding of ``layer``; or for one of graphs, one scale group."""
        if per_graph:
            site = Site(layer, Component.EMBEDDING)
            bits_of_all = FULL_PRECISION if self.allocation is None else self.allocation[site]
            return self._trained([bits_of_all], self._graph_groups)
        bits = self._bucket_bits(layer, Component.EMBEDDING)
        return self._trained(bits, self._node_groups)

    def attention(self, layer: str) -> nn.Module:
        """For the attention coefficients of ``layer``, ``[entries]`` or ``[entries, heads]``."""
        bits = self._bucket_bits(layer, Component.ATTENTION)
        return self._trained(bits, self._edge_groups)

    def neighbor_attention(self, layer: str) -> nn.Module:
        """For attention coefficients of ``layer`` on edges without the self-loops."""
        bits = self._bucket_bits(layer, Component.ATTENTION)
        return self._trained(bits, self._neighbor_groups)

    def fixed_attention(self, layer: str) -> nn.Module:
        """For coefficients of ``layer`` that never change, ``[entries]``."""
        bits = self._bucket_bits(layer, Component.ATTENTION)
        return self._constant(bits, self._edge_groups)

    def fixed_neighbor_attention(self, layer: str) -> nn.Module:
        """For coefficients of ``layer`` that never change, on edges without the self-loops."""
        bits = self._bucket_bits(layer, Component.ATTENTION)
        return self._constant(bits, self._neighbor_groups)

    def weight(self, layer: str, out_channels: int) -> nn.Module:
        """For a weight matrix ``[out, in]``: a scale group for each output channel."""
        if self.allocation is None:
            return nn.Identity()
        bits = self.allocation[Site(layer, Component.WEIGHT)]
        return self._trained([bits] * out_channels, [1] * out_channels)

    def _bucket_bits(self, layer: str, component: Component) -> list[int]:
        buckets = range(len(self.graph.bucket_nodes))
        if self.allocation is None:
            return [FULL_PRECISION for _ in buckets]
        return [self.allocation[Site(layer, component, b)] for b in buckets]

    def _node_groups(self) -> ScaleGroups:
        return self.graph.node_groups

    def _graph_groups(self) -> ScaleGroups:
        return self.graph.graph_groups

    def _edge_groups(self) -> ScaleGroups:
        return self.graph.edge_groups

    def _neighbor_groups(self) -> ScaleGroups:
        return self.graph.neighbor_groups

    def _value_groups(self) -> ScaleGroups:
        return self.graph.value_groups

    def _trained(self, bits: Sequence[int], sizes: Sizes) -> nn.Module:
        if all(b == FULL_PRECISION for b in bits):
            return nn.Identity()
        if self.mode is RangeMode.MINMAX:
            made: nn.Module = MinMaxQuantizer(bits, sizes, self.graph.engine)
        else:
            made = LearnedQuantizer(bits, sizes, self.graph.engine)
        return made.to(self.graph.device)

    def _constant(self, bits: Sequence[int], groups: Callable[[], ScaleGroups]) -> nn.Module:
        if all(b == FULL_PRECISION for b in bits):
            return nn.Identity()
        return ConstantQuantizer(bits, groups, self.mode, self.graph.engine)
