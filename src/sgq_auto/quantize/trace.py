"""What a prepared model does, seen in one forward pass: its layers and what flows between them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sgq_auto.graphs import Graph
from sgq_auto.packed import ModelSpec
from sgq_auto.packed.sizes.specs import Carried, DataFlow
from sgq_auto.quantize.deferred_dropout import Dropped
from sgq_auto.quantize.edge_weights import EdgeWeights
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.quantize.lazy_tensor import LazyTensor
from sgq_auto.quantize.model_input import ModelInput
from sgq_auto.quantize.node_features import NodeFeatures


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One run of a quantized layer.

    Attributes:
        layer: The layer.
        input: Its first embedding, before it is quantized; ``None`` where it reads node features.
        output: What it returned.
    """

    layer: QuantizedLayer
    input: Tensor | None
    output: Any


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward pass at inference.

    Attributes:
        calls: The quantized layers in the order in which they ran.
        output: What the model returned.
        flow: How tensors pass between them.
    """

    calls: tuple[LayerCall, ...]
    output: Any
    flow: DataFlow

    @property
    def spec(self) -> ModelSpec:
        """What sizes depend on."""
        return ModelSpec(tuple(call.layer.spec() for call in self.calls), self.flow)


def trace_model(prepared: nn.Module, graph: Graph) -> Trace:
    """Run a prepared model on its graph, in evaluation mode, and look at it."""
    prepared.eval()
    features = ModelInput.of(prepared).features(graph.features)
    watch = _Watch(graph.num_nodes, features.made, [*prepared.parameters(), *prepared.buffers()])
    layers = [module for module in prepared.modules() if isinstance(module, QuantizedLayer)]
    handles = [layer.register_forward_pre_hook(watch.enter) for layer in layers]
    handles += [layer.register_forward_hook(watch.leave, with_kwargs=True) for layer in layers]
    try:
        with torch.no_grad(), watch:
            output = prepared(graph.features, graph.adj_t)
    finally:
        for handle in handles:
            handle.remove()
    return Trace(tuple(watch.calls), output, watch.flow())


def trace_spec(prepared: nn.Module, graph: Graph) -> ModelSpec:
    """The quantized layers of a prepared model as they run, and its data flow."""
    return trace_model(prepared, graph).spec


class _Watch(TorchDispatchMode):
    """Notes which tensors are made and read outside the layers, and after how many of them."""

    def __init__(
        self, num_nodes: int, dense_features: Tensor | None, parameters: Iterable[Tensor]
    ) -> None:
        super().__init__()
        self.calls: list[LayerCall] = []
        self._num_nodes = num_nodes
        self._features = None if dense_features is None else _key(dense_features)
        self._parameters = {_key(p): p.numel() for p in parameters if p.is_floating_point()}
        self._depth = 0
        # Tensors are kept while one watches, so that no two have the same memory.
        self._made: dict[int, tuple[int, Tensor]] = {}
        self._read: dict[int, int] = {}

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the operator; outside layers, note what it reads and makes."""
        del types
        out = function(*args, **(kwargs or {}))
        if self._depth == 0:
            for tensor in _tensors([args, kwargs]):
                self._read[_key(tensor)] = len(self.calls)
            self._note_made(out)
        return out

    def enter(self, _layer: nn.Module, _inputs: Any) -> None:
        """A layer begins."""
        self._depth += 1

    def leave(self, layer: Any, args: Any, kwargs: Any, output: Any) -> None:
        """A layer has run."""
        self._depth -= 1
        sources = [x.source if isinstance(x, Dropped) else x for x in _tensors([args, kwargs])]
        embeddings = [x for x in sources if x.dim() > 1 and x.size(0) == self._num_nodes]
        embeddings = [x for x in embeddings if not isinstance(x, NodeFeatures | EdgeWeights)]
        self.calls.append(LayerCall(layer, embeddings[0] if embeddings else None, output))
        self._note_made(output)

    def flow(self) -> DataFlow:
        """How tensors passed between the layers."""
        inputs = [None if call.input is None else _key(call.input) for call in self.calls]
        known = [key for key in inputs if key is not None]
        made = {key: after for key, (after, _) in self._made.items()}
        carried = [
            Carried(tensor.untyped_storage().nbytes(), after, self._read[key], key in known)
            for key, (after, tensor) in self._made.items()
            if self._read.get(key, 0) > after and key not in self._parameters
        ]
        return DataFlow(
            inputs=tuple(
                None if key is None else made.get(key, position)
                for position, key in enumerate(inputs)
            ),
            shared=frozenset(
                k for k, key in enumerate(inputs) if key is not None and key in inputs[:k]
            ),
            carried=tuple(carried),
            vector_elements=sum(n for key, n in self._parameters.items() if key in self._read),
            feature_reads=None if self._features is None else self._read.get(self._features),
        )

    def _note_made(self, made: Any) -> None:
        for tensor in _tensors(made):
            if _key(tensor) != self._features:
                self._made.setdefault(_key(tensor), (len(self.calls), tensor))


def _key(tensor: Tensor) -> int:
    """What a tensor and its views have in common."""
    return int(tensor.untyped_storage()._cdata)


def _tensors(value: Any) -> Iterator[Tensor]:
    """Floating-point tensors in ``value``, lists, tuples and dictionaries entered."""
    if isinstance(value, Tensor):
        known = isinstance(value, LazyTensor) or value.layout is torch.strided
        if known and value.is_floating_point():
            yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
