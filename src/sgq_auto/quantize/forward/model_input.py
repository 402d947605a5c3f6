"""What stands before a prepared model's forward pass: features, edges and dropout made ready."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import CsrPattern, Features
from sgq_auto.packed.allocation import EDGE_WEIGHTS, FEATURES
from sgq_auto.packed.runtime.operations.pooling import Pooling
from sgq_auto.quantize.forward.edge_weights import EdgeWeights, QuantizedEdgeWeights
from sgq_auto.quantize.forward.forward_signature import Signature
from sgq_auto.quantize.forward.graph_pooling import GraphOfNode, GraphPooling, NodeGraphs
from sgq_auto.quantize.forward.node_features import Edges, NodeFeatures, QuantizedFeatures
from sgq_auto.quantize.forward.skip_connections import ForwardPass, SkipConnections
from sgq_auto.quantize.quantizers.factory import QuantizerFactory
from sgq_auto.quantize.quantizers.fake_quantizers import ConstantQuantizer

# A child of every prepared model, under a name that no model has.
_NAME = "_sgq_auto_input"
# What is kept of a graph: which graph each of its nodes belongs to.
_BATCH = "batch"


class ModelInput(nn.Module):
    """Quantizes the node features of a prepared model and what it keeps, and defers its dropout.

    Attributes:
        quantizer: The fake-quantizer of the features' stored values.
        skips: The skip connections of the model.
        edge_quantizer: That of the weights of edges; ``None`` where they stay as they are.
        dropout: Replaces every dropout probability above 0; ``None`` keeps the model's own.
        own_dropout: The largest probability that the model's own forward passes in training have
            asked for so far.
    """

    def __init__(self, model: nn.Module, quantizers: QuantizerFactory) -> None:
        super().__init__()
        self.quantizer = quantizers.features()
        self.edge_quantizer = quantizers.edge_weights()
        self.dropout: float | None = None
        self.own_dropout = 0.0
        self.quantizers = quantizers
        self._engine = quantizers.graph.engine
        self._signature = Signature.of(model)
        self.skips = SkipConnections(quantizers)
        self._passes: list[ForwardPass] = []
        self._poolings = nn.ModuleDict({p: GraphPooling(p) for p in (Pooling.SUM, Pooling.MAX)})

    @classmethod
    def attach(
        cls, model: nn.Module, layers: Iterable[nn.Module], quantizers: QuantizerFactory
    ) -> "ModelInput":
        """Stand before every forward pass of ``model``, whose quantized layers are ``layers``."""
        made = cls(model, quantizers)
        model.add_module(_NAME, made)
        model.register_forward_pre_hook(made._enter, with_kwargs=True)
        model.register_forward_hook(made._leave, always_call=True)
        for layer in layers:
            layer.register_forward_pre_hook(made._enter_layer, with_kwargs=True)
            layer.register_forward_hook(made._leave_layer)
        return made

    @classmethod
    def of(cls, prepared: nn.Module) -> "ModelInput":
        """What stands before a prepared model."""
        found = prepared.get_submodule(_NAME)
        assert isinstance(found, cls)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Nothing: an ``nn.Sequential`` runs all its children, and this one stands elsewhere."""
        return x

    def features(self, features: Features) -> QuantizedFeatures:
        """The features quantized; a graph's never change, so this is done once for each."""
        return self.quantizers.bound.once(
            FEATURES,
            lambda: QuantizedFeatures(
                features.matrix(self.quantizer(features.values)), features.shape
            ),
        )

    def edge_weights(self, adj_t: CsrPattern) -> QuantizedEdgeWeights | None:
        """The weights of the graph's edges quantized, once; ``None`` where they have none."""
        if adj_t.weights is None:
            return None
        return self.quantizers.bound.once(EDGE_WEIGHTS, lambda: self._weights_of(adj_t))

    def _weights_of(self, adj_t: CsrPattern) -> QuantizedEdgeWeights:
        own = adj_t.without_loops.weights
        assert own is not None
        values = (own.reshape(-1) if adj_t.num_weights == 1 else own).double()
        if self.edge_quantizer is not None:
            values = self._quantized(values, self.edge_quantizer)
        return QuantizedEdgeWeights.of(adj_t, values)

    @property
    def ignores_weights(self) -> bool:
        """Whether the graph has weights of edges, and no forward pass so far has read them."""
        weights = self.quantizers.bound.kept(EDGE_WEIGHTS)
        return weights is not None and not weights.was_read

    def _quantized(self, values: Tensor, quantizer: ConstantQuantizer) -> Tensor:
        """Where both directions share a stored weight, the code of one is made from the other's.

        That is so on other graphs where it is so on the model's own.
        """
        quantized = quantizer(values)
        bound = self.quantizers.bound
        stored = None if bound.own.weight_entries is None else bound.current.weight_entries
        return quantized if stored is None else quantizer.exact(quantized[stored])

    def _enter(
        self, _module: nn.Module, inputs: tuple[Features, CsrPattern], _keywords: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        features, adj_t = inputs
        nodes = self.quantizers.graph.num_nodes
        if features.shape[0] != nodes or adj_t.shape[0] != nodes:
            raise InputError(
                f"the model runs on a graph of {nodes} nodes and is given {features.shape[0]}: "
                "call sgq_auto.quantize.bind(model, graph) first"
            )
        x, edges = NodeFeatures(self.features(features)), Edges(adj_t)
        forward = ForwardPass(self._engine, self.dropout, self.skips)
        forward.__enter__()
        self._passes.append(forward)
        held = self.edge_weights(adj_t)
        weights, column = (None, None) if held is None else _weights_as_given(held)
        return self._signature.arguments(x, edges, weights, column, self._batch())

    def _batch(self) -> GraphOfNode | None:
        """Which graph each node belongs to, for a model that predicts graphs."""
        graph = self.quantizers.graph
        if not graph.task.predicts_graphs:
            return None
        graphs = self.quantizers.bound.once(_BATCH, lambda: NodeGraphs.of(graph))
        return GraphOfNode(graphs.graph_of_node, graphs, self._pool)

    def _pool(self, pooling: Pooling, x: Tensor, graphs: NodeGraphs) -> Tensor:
        pooled: Tensor = self._poolings[pooling](x, graphs)
        return pooled

    def _leave(self, _module: nn.Module, _inputs: Any, _output: Tensor) -> None:
        if self._passes:
            forward = self._passes.pop()
            forward.__exit__(None, None, None)
            self.own_dropout = max(self.own_dropout, forward.largest)

    def _enter_layer(
        self, layer: Any, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not self._passes:
            return args, keywords
        return self._passes[-1].enter_layer(layer.held_arguments, args, keywords)

    def _leave_layer(self, layer: Any, _inputs: Any, output: Any) -> None:
        if self._passes:
            self._passes[-1].leave_layer(layer.name, output)


def _weights_as_given(weights: QuantizedEdgeWeights) -> tuple[Tensor | None, Tensor]:
    """The weights as ``edge_weight`` ``[E]``, and in the form of the user's edge features.

    Features of several columns are no weights.
    """
    pattern = weights.pattern
    assert pattern.weights is not None
    edges = pattern.num_entries - pattern.shape[0]
    column = EdgeWeights(weights, (edges, *pattern.weights.shape[1:]))
    return EdgeWeights(weights, (edges,)) if weights.columns == 1 else None, column
