"""What layers share whose messages are multiplied by a matrix that follows from the graph."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from sgq_auto.compute import FixedMatrix
from sgq_auto.errors import InputError
from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr_products import multiply_fixed
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation, neighbor_spec
from sgq_auto.quantize.forward.edge_weights import QuantizedEdgeWeights
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import QuantizedLayer, flow_differs, linear
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

# By what PyG calls them.
KNOWN_AGGREGATIONS = {"mean": Aggregation.MEAN, "sum": Aggregation.SUM, "add": Aggregation.SUM}


class FixedLayer(QuantizedLayer):
    """A layer whose matrix follows from the graph: it is made at the first pass, and kept."""

    def gather(self, adj_t: CsrPattern, nodes: Tensor) -> Tensor:
        """The matrix times ``nodes`` ``[N, features]``."""
        matrix = self.quantizers.bound.once(
            f"{self.name}.matrix", lambda: self.matrix(adj_t, nodes.dtype)
        )
        return multiply_fixed(matrix, nodes)

    @abstractmethod
    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """The matrix at the entries of ``adj_t``."""


class NormalizedLayer(FixedLayer):
    """A layer that multiplies by GCN's normalised adjacency, quantized."""

    attention_quantizer: nn.Module

    def coefficients(self, adj_t: CsrPattern, dtype: torch.dtype) -> Tensor:
        """The quantized coefficients at the entries of ``adj_t``."""
        if self.edge_weights is None:
            quantized: Tensor = self.attention_quantizer(normalized_adjacency(adj_t, dtype))
            return quantized
        self.check_weights(self.edge_weights)
        exact: Tensor = self.attention_quantizer(self.edge_weights.normalized)
        return exact.to(dtype)

    def check_weights(self, weights: QuantizedEdgeWeights) -> None:
        """Check that sums of weights have square roots.

        Raises:
            InputError: If a weight is below 0.
        """
        if weights.are_negative:
            raise InputError(
                f"{self.name}: a weight of an edge is below 0, and this layer divides by the "
                "square roots of their sums; give weights from 0 on"
            )

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """The coefficients are the same in every pass, so they are quantized once."""
        return adj_t.fixed_matrix(self.coefficients(adj_t, dtype))


class NeighborLayer(FixedLayer):
    """``y_i = mean_j Q(Q(x) Q(W)^T)_j + Q(x)_i Q(W_r)^T + b`` over neighbours (or their sum).

    Neighbours are transformed before they are gathered, which gives what PyG's other order gives,
    and is narrow where features are wide. A node's own term is added as it is computed, so it is
    no embedding that anything holds.

    Args:
        source: A layer of PyG's of which :func:`aggregation_differs` says nothing.
        name: Its name in the model.
        quantizers: Makes its fake-quantizers.

    Attributes:
        linear_names: What PyG calls the linear layers of neighbours and of the node itself; the
            first has the bias, and ``source`` may lack the second.
    """

    linear_names: ClassVar[tuple[str, str]]

    def __init__(self, source: Any, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.aggregation = KNOWN_AGGREGATIONS[source.aggr]
        for key in self.linear_names:
            setattr(self, key, getattr(source, key, None))
        rows = sum(lin.weight.size(0) for lin in self.linears)
        self.weight_quantizer = quantizers.weight(name, rows)
        self.transformed_quantizer = quantizers.embedding(name)

    @property
    def linears(self) -> list[Any]:
        """The linear layer of neighbours, and that of the node itself if there is one."""
        both = [getattr(self, key) for key in self.linear_names]
        return [lin for lin in both if lin is not None]

    @property
    def bias(self) -> Tensor | None:
        """What is added to every node."""
        bias: Tensor | None = self.linears[0].bias
        return bias

    def aggregate(self, x: Tensor, adj_t: CsrPattern) -> Tensor:
        """``[N, in]`` to ``[N, out]``; both weights are quantized and multiplied as one."""
        weight = self.weight_quantizer(torch.cat([lin.weight for lin in self.linears]))
        transformed = linear(self.quantize_input(x), weight)
        neighbors, *own = transformed.split(self.linears[0].weight.size(0), dim=1)
        out = self.gather(adj_t, self.transformed_quantizer(neighbors.contiguous()))
        for term in (*own, self.bias):
            out = out if term is None else out + term
        return out

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """What aggregates a node's neighbours; of it only weights of edges are quantized."""
        weights = None if self.edge_weights is None else self.edge_weights.values.to(dtype)
        return neighbor_matrix(adj_t, self.aggregation, dtype, weights)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return neighbor_spec(
            self.name,
            self.in_features,
            self.linears[0].weight.size(0),
            root_weight=len(self.linears) > 1,
            bias=self.bias is not None,
            edge_weights=self.edge_weights is not None,
        )

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Both weights, which are quantized together, the bias, and the aggregation."""
        keys = ("weight", "root_weight")[: len(self.linears)]
        weights = {key: lin.weight for key, lin in zip(keys, self.linears, strict=True)}
        settings = {"aggregation": self.aggregation}
        vectors = {"bias": self.bias}
        return packing.parts(self, weights=weights, vectors=vectors, settings=settings)


def aggregation_differs(conv: MessagePassing) -> str | None:
    """The option of a PyG layer because of which it takes no means or sums of one kind of nodes."""
    if not isinstance(conv.in_channels, int):
        return f"in_channels={conv.in_channels!r}"
    if not isinstance(conv.aggr, str) or conv.aggr not in KNOWN_AGGREGATIONS:
        return f"aggr={conv.aggr or type(conv.aggr_module).__name__!r}"
    return flow_differs(conv)


def neighbor_matrix(
    adj_t: CsrPattern,
    aggregation: Aggregation,
    dtype: torch.dtype = torch.float32,
    weights: Tensor | None = None,
) -> FixedMatrix:
    """What times an embedding ``[N, features]`` gives the aggregate over each node's neighbours.

    A row of a node without neighbours is zero, as in PyG. All of it follows from the graph: there
    is nothing to quantize, and a packed model holds none of it.

    Args:
        adj_t: Edges with one self-loop a node, which is no neighbour.
        aggregation: Mean or sum.
        dtype: Of the coefficients.
        weights: ``[entries]`` weights of the edges, if they have some; a mean divides by the number
            of neighbours all the same.
    """
    neighbors = (adj_t.row != adj_t.col).to(dtype)
    if weights is not None:
        neighbors *= weights
    if aggregation is Aggregation.MEAN:
        degrees = (adj_t.rowptr.diff() - 1).clamp(min=1)
        neighbors /= degrees.index_select(0, adj_t.row)
    return adj_t.fixed_matrix(neighbors)


def normalized_adjacency(adj_t: CsrPattern, dtype: torch.dtype = torch.float32) -> Tensor:
    """GCN's coefficients ``1 / sqrt(d_i d_j)`` at the entries of ``adj_t`` (self-loops counted)."""
    scale = adj_t.rowptr.diff().to(dtype).rsqrt()
    return scale.index_select(0, adj_t.row) * scale.index_select(0, adj_t.col)
