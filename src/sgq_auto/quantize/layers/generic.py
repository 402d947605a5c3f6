"""The twin of every PyG layer that has none of its own: quantized around, run by PyG itself."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch_geometric.nn import MessagePassing

from sgq_auto.packed import LayerSpec
from sgq_auto.quantize.forward.deferred_dropout import Dropped
from sgq_auto.quantize.forward.edge_weights import EdgeWeights
from sgq_auto.quantize.forward.lazy_tensor import LazyTensor, plain
from sgq_auto.quantize.forward.node_features import NodeFeatures
from sgq_auto.quantize.quantized_layer import QuantizedLayer
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class GenericConv(QuantizedLayer):
    """A PyG layer on quantized node inputs with quantized weights, on its ``edge_index`` path.

    Node inputs are its arguments ``[N, ...]``. Weights are its parameters of two or more
    dimensions with more than one row; the others (biases, attention vectors, norms) stay fp32.
    What the layer computes inside, attention among it, is not quantized.

    Args:
        source: The layer.
        name: Its name in the model.
        quantizers: Makes its fake-quantizers.
        option: The option because of which no twin takes its place, as one writes it.
    """

    def __init__(
        self,
        source: MessagePassing,
        name: str,
        quantizers: QuantizerFactory,
        option: str | None = None,
    ) -> None:
        super().__init__(name, quantizers)
        self.option = option
        # The layer's own members, not a child that holds them: parameters keep their names.
        self._parameters = source._parameters
        self._buffers = source._buffers
        self._non_persistent_buffers_set = source._non_persistent_buffers_set
        self._modules |= source._modules
        self._source = (source,)
        self.further_inputs = nn.ModuleList()
        self._weights = [key for key, p in source.named_parameters() if _is_weight(p)]
        self.weight_quantizers = nn.ModuleList(
            quantizers.weight(name, p.size(0)) for p in source.parameters() if _is_weight(p)
        )

    @property
    def source(self) -> MessagePassing:
        """The layer that runs."""
        return self._source[0]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer returns for its quantized arguments."""
        self.source.training = self.training
        inputs = _NodeInputs(self)
        quantized = inputs.quantize(args), inputs.quantize(kwargs)
        self.in_features = inputs.width or inputs.num_features
        parameters = dict(self.source.named_parameters())
        weights = {
            key: quantizer(parameters[key])
            for key, quantizer in zip(self._weights, self.weight_quantizers, strict=True)
        }
        return functional_call(self.source, weights, *quantized)

    def embedding(self, position: int, x: Tensor) -> Tensor:
        """The quantized embedding that comes at ``position`` among those of one call."""
        if position == 0:
            return self.quantize_nodes(x)
        if position > len(self.further_inputs):
            self.further_inputs.append(self.quantizers.embedding(self.name))
        source = x.source if isinstance(x, Dropped) else x
        quantized: Tensor = self.further_inputs[position - 1](source)
        return x.apply(quantized) if isinstance(x, Dropped) else quantized

    def unpackable(self) -> str:
        """The layer, and the option because of which it has no twin, where that is one."""
        layer = f"{self.name}: {type(self.source).__name__}"
        return (
            f"{layer} cannot be packed"
            if self.option is None
            else (f"{layer} with {self.option} cannot be packed")
        )

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        parameters = dict(self.source.named_parameters())
        shapes = [(p.size(0), p[0].numel()) for p in (parameters[key] for key in self._weights)]
        tensors = [*parameters.values(), *self.source.buffers()]
        elements = sum(t.numel() for t in tensors if t.is_floating_point())
        return generic_spec(
            self.name,
            self.in_features,
            shapes,
            further_inputs=len(self.further_inputs),
            vector_elements=elements - sum(rows * columns for rows, columns in shapes),
        )


def generic_spec(
    name: str,
    in_features: int,
    weights: Sequence[tuple[int, int]],
    *,
    further_inputs: int,
    vector_elements: int,
) -> LayerSpec:
    """Sizes of any other message passing layer, as far as they are known.

    That is its inputs, which are gathered once, and its parameters; nothing that it computes.
    """
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=weights[0] if weights else None,
        further_weights=tuple(weights[1:]),
        further_inputs=further_inputs,
        keeps_input=True,
        vector_elements=vector_elements,
        gathered_features=in_features,
        gathers_itself=False,
        source_copies=1,
    )


class _NodeInputs:
    """Quantizes the node inputs among the arguments of one call, each tensor once.

    Attributes:
        width: Elements a node of all embeddings among them.
        num_features: Node features, if those are among them.
    """

    def __init__(self, layer: GenericConv) -> None:
        self.width = 0
        self.num_features = 0
        self._layer = layer
        self._made: dict[int, Tensor] = {}
        self._nodes = layer.quantizers.graph.num_nodes
        self._embeddings = 0

    def quantize(self, value: Any) -> Any:
        """``value``, lists, tuples and dictionaries entered, with node inputs quantized."""
        if isinstance(value, dict):
            return {key: self.quantize(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.quantize(item) for item in value)
        if isinstance(value, EdgeWeights):
            self._layer.edge_weights = value.weights
            return plain(value)
        if not isinstance(value, Tensor) or not self._is_node_input(value):
            return plain(value)
        if id(value) not in self._made:
            self._made[id(value)] = self._quantize_new(value)
        return self._made[id(value)]

    def _quantize_new(self, x: Tensor) -> Tensor:
        source = x.source if isinstance(x, Dropped) else x
        if isinstance(source, NodeFeatures):
            self.num_features = source.size(1)
            made: Tensor = plain(x)  # They come quantized.
            return made
        made = self._layer.embedding(self._embeddings, x)
        self._embeddings += 1
        self.width += source[0].numel()
        return made

    def _is_node_input(self, x: Tensor) -> bool:
        known = isinstance(x, LazyTensor) or x.layout is torch.strided
        return known and x.is_floating_point() and x.dim() > 1 and x.size(0) == self._nodes


def _is_weight(parameter: nn.Parameter) -> bool:
    return parameter.dim() > 1 and parameter.size(0) > 1
