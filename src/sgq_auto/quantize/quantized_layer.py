"""What every quantized layer shares: its input and its weight, quantized."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from sgq_auto.errors import InputError
from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.feature_matrix import FeatureMatrix
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts, PackedLayer
from sgq_auto.quantize.forward.deferred_dropout import Dropped
from sgq_auto.quantize.forward.edge_weights import EdgeWeights, QuantizedEdgeWeights
from sgq_auto.quantize.forward.held_arguments import HeldArgument
from sgq_auto.quantize.forward.lazy_tensor import plain
from sgq_auto.quantize.forward.node_features import Edges, NodeFeatures
from sgq_auto.quantize.forward.skip_connections import origin_of, source_of
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedLayer(nn.Module):
    """A layer that quantizes its input embedding.

    Args:
        name: The layer's name in the model.
        quantizers: Makes its fake-quantizers.

    Attributes:
        packs_as: The class of the packed runtime that does the same, or ``None``: a model with
            such a layer is trained and measured, and never packed.
        takes_graphs: Whether its rows may be graphs, of which something was pooled.
        held_arguments: Embeddings that it reads besides its input, each as wide as that: as what
            holds them has quantized them, a skip connection or the input of an earlier layer.
        input_quantizer: The fake-quantizer of its input, made when the first embedding comes:
            node features come quantized.
        dropout: Probability with which it drops its own coefficients.
        in_features: Input elements a node, once it has run.
        edge_weights: The weights of edges that it was called with, if any.
        per_graph: Whether its rows are graphs; known once it has run.
    """

    packs_as: ClassVar[type[PackedLayer] | None] = None
    takes_graphs: ClassVar[bool] = False
    held_arguments: ClassVar[tuple[HeldArgument, ...]] = ()
    dropout = 0.0

    def __init__(self, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__()
        self.name = name
        self.in_features = 0
        self.per_graph = False
        self.edge_weights: QuantizedEdgeWeights | None = None
        self.engine = quantizers.graph.engine
        self.quantizers = quantizers
        self.input_quantizer: nn.Module | None = None

    @classmethod
    def lacks(cls, source: Any) -> str | None:  # noqa: ARG003
        """The first option of the layer ``source`` that this twin does not do, as one writes it.

        ``None`` where it does all that the layer does.
        """
        return None

    def quantize_input(self, x: Tensor) -> Tensor | FeatureMatrix:
        """The quantized input (features as a matrix), dropout applied after quantization."""
        source = source_of(x)
        if isinstance(source, NodeFeatures):
            self.in_features = source.size(1)
            matrix = source.matrix
            return matrix.with_values(x.apply(matrix.values)) if isinstance(x, Dropped) else matrix
        self._check_rows(source)
        self.in_features = source[0].numel()
        if self.input_quantizer is None:
            made = self.quantizers.embedding(self.name, per_graph=self.per_graph)
            self.input_quantizer = made
        quantized: Tensor = self.input_quantizer(source)
        origin = origin_of(source)
        if origin is not None and origin.quantized is None:
            origin.quantized = quantized
        return x.apply(quantized) if isinstance(x, Dropped) else quantized

    def quantize_nodes(self, x: Tensor) -> Tensor:
        """The quantized input as a tensor, for layers that do more than multiply it."""
        quantized = self.quantize_input(x)
        return quantized if isinstance(quantized, Tensor) else quantized.dense()

    def read_held(self, x: Tensor) -> Tensor:
        """One of its :attr:`held_arguments`, quantized; called after the input is."""
        origin = origin_of(source_of(x))
        if origin is None or origin.quantized is None:
            held: Tensor = plain(x)
            return held
        return x.apply(origin.quantized) if isinstance(x, Dropped) else origin.quantized

    def pattern(self, edge_index: Any, **unsupported: Any) -> CsrPattern:
        """The graph's pattern behind ``edge_index``.

        Raises:
            InputError: If the edges are not the graph's own, or something of ``unsupported``,
                arguments of PyG's layer that its twin does not know, is given.
        """
        given = [name for name, value in unsupported.items() if value is not None]
        if given:
            raise InputError(
                f"{self.name}: it is called with {given[0]}, which this quantized layer does not "
                "take"
            )
        if not isinstance(edge_index, Edges):
            raise InputError(
                f"{self.name}: the model changes edge_index before this layer (dropout_edge, "
                "add_self_loops); it is quantized on the graph's own edges only"
            )
        return edge_index.pattern

    def weighted_pattern(self, edge_index: Any, edge_weight: Any, **unsupported: Any) -> CsrPattern:
        """The same for a layer that takes weights of edges, which it keeps as :attr:`edge_weights`.

        Raises:
            InputError: If the weights are not the graph's own, or another call had none.
        """
        pattern = self.pattern(edge_index, **unsupported)
        if edge_weight is not None and not isinstance(edge_weight, EdgeWeights):
            raise InputError(
                f"{self.name}: it is called with edge_weight that the model makes or changes; "
                "quantized layers take the weights of the graph as they are"
            )
        weights = None if edge_weight is None else edge_weight.weights
        if weights is not None and weights.columns > 1:
            raise InputError(
                f"{self.name}: it reads one weight of each edge, and each edge of the graph has "
                f"{weights.columns} features"
            )
        if self.in_features and (weights is None) != (self.edge_weights is None):
            raise InputError(f"{self.name}: it is called with and without weights of edges")
        if weights is not None:
            weights.was_read = True
        self.edge_weights = weights
        return pattern

    @abstractmethod
    def spec(self) -> LayerSpec:
        """What the layer's footprint depends on; known once it has run."""

    def packed(self, packing: Packing) -> PackedLayer:
        """The packed layer that computes what this one does, once it is trained.

        Args:
            packing: Where it stands in the model.

        Raises:
            InputError: If the packed runtime has no such layer.
        """
        kind = self.packed_kind()
        if kind is None:
            raise InputError(self.unpackable())
        return kind.of(self.packed_parts(packing))

    def packed_kind(self) -> type[PackedLayer] | None:
        """What it is packed as, known once it has run: :attr:`packs_as`, or ``None``."""
        return self.packs_as

    def unpackable(self) -> str:
        """Why a model with this layer cannot be packed, where :meth:`packed_kind` says that."""
        return f"{self.name}: the packed runtime has no such layer"

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its own parts as the packed layer takes them.

        A twin that :attr:`packs_as` something says what its tensors are called there.

        Args:
            packing: Where it stands in the model.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what it is packed from")

    def _check_rows(self, x: Tensor) -> None:
        """A row a node; or a row a graph, always or never."""
        graph = self.quantizers.graph
        rows = x.size(0) if x.dim() > 1 else 0
        if rows == graph.num_nodes and not self.per_graph:
            return
        may_be_graphs = self.takes_graphs and graph.task.predicts_graphs
        if may_be_graphs and rows == graph.num_graphs and (self.per_graph or not self.in_features):
            self.per_graph = True
            return
        if rows == graph.adj_t.without_loops.num_entries:
            raise InputError(
                f"{self.name}: its input has a row for each edge; quantized layers take the "
                "features of edges as they are, and edge_dim=COLUMNS gives such a layer a matrix "
                "for them"
            )
        graphs = f", or of the {graph.num_graphs} graphs" if may_be_graphs else ""
        raise InputError(
            f"{self.name}: its input has shape {list(x.shape)}; a quantized layer reads "
            f"embeddings with one row for each of the {graph.num_nodes} nodes{graphs}"
        )


def linear(x: Tensor | FeatureMatrix, weight: Tensor) -> Tensor:
    """``x @ weight.T`` for an embedding or a feature matrix."""
    if isinstance(x, Tensor):
        return nn.functional.linear(x, weight)
    return x.linear(weight)


def stacked_linear(
    x: Tensor | FeatureMatrix, layers: Sequence[Any], quantizer: nn.Module
) -> Tensor:
    """Outputs of several linear layers side by side, their weights quantized together."""
    weights = [layer.weight for layer in layers]
    out = linear(x, quantizer(weights[0] if len(weights) == 1 else torch.cat(weights)))
    biases = [layer.bias for layer in layers]
    if all(bias is None for bias in biases):
        return out
    both = zip(layers, biases, strict=True)
    given = [la.weight.new_zeros(la.weight.size(0)) if b is None else b for la, b in both]
    return out + torch.cat(given)


def differing(source: Any, **options: Any) -> str | None:
    """The first option of a layer that is not as given, as one writes it; ``None`` without any."""
    for name, value in options.items():
        given = getattr(source, name)
        if given != value:
            return f"{name}={given!r}"
    return None


def flow_differs(source: MessagePassing) -> str | None:
    """The flow of a PyG layer's messages, if it is not from sources to targets, as in twins."""
    return differing(source, flow="source_to_target")


def sum_differs(source: MessagePassing) -> str | None:
    """The aggregation or the flow of a PyG layer, if it does not sum messages, as twins do."""
    if source.aggr not in ("add", "sum"):
        return f"aggr={source.aggr or type(source.aggr_module).__name__!r}"
    return flow_differs(source)
