"""One forward pass of a prepared model, recorded: what happened, and what flowed between layers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sgq_auto.graphs import Graph
from sgq_auto.packed.sizes.data_flow import Carried, DataFlow, PooledSpec, SkipSpec
from sgq_auto.quantize.bind import bind
from sgq_auto.quantize.forward.edge_weights import EdgeWeights
from sgq_auto.quantize.forward.graph_pooling import GraphPooling
from sgq_auto.quantize.forward.held_arguments import other_arguments
from sgq_auto.quantize.forward.lazy_tensor import LazyTensor
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.quantize.forward.node_features import NodeFeatures
from sgq_auto.quantize.forward.skip_connections import SkipQuantizer, origin_of, source_of
from sgq_auto.quantize.program.norms import NORMS
from sgq_auto.quantize.quantized_layer import QuantizedLayer

# Modules that are recorded as one step, whatever they do inside.
_STEPS = (*NORMS, GraphPooling)


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One run of a quantized layer.

    Attributes:
        layer: The layer.
        input: Its first embedding, before it is quantized; ``None`` where it reads node features.
        quantized: The same, quantized, where the model may read that again.
        output: What it returned.
        further: The embeddings that it reads as something else holds them, like GCNII's ``x_0``.
    """

    layer: QuantizedLayer
    input: Tensor | None
    quantized: Tensor | None
    output: Any
    further: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class OutsideCall:
    """Something that a model did outside its layers.

    Attributes:
        function: An operator of torch, or the module of a norm.
        args: What it was called with.
        keywords: The same, by name.
        output: What it returned.
        module: The module of the model that did it, like ``BatchNorm1d bn1``; empty where the
            model's own forward pass did.
    """

    function: Any
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    output: Any
    module: str


@dataclass(frozen=True, eq=False)
class SkipCall:
    """A skip connection was quantized, because it was read after another layer.

    Attributes:
        name: The name of its sites.
        input: The embedding.
        output: What stands for it from here on.
    """

    name: str
    quantizer: SkipQuantizer
    input: Tensor
    output: Tensor


Event = LayerCall | OutsideCall | SkipCall


@dataclass(frozen=True, eq=False)
class Recording:
    """One forward pass at inference, in the order in which things happened.

    Attributes:
        events: Layers, what happened outside them, and skip connections.
        output: What the model returned.
        features: The node features as a tensor, if anything read them so.
        graph: The graph that it ran on.
        flow: How tensors passed between the layers.
    """

    events: tuple[Event, ...]
    output: Any
    features: Tensor | None
    graph: Graph
    flow: DataFlow

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """The quantized layers in the order in which they ran."""
        return tuple(event for event in self.events if isinstance(event, LayerCall))


def record(prepared: nn.Module, graph: Graph) -> Recording:
    """Run a prepared model on a graph, in evaluation mode, and look at it."""
    bind(prepared.eval(), graph)
    features = ModelInput.of(prepared).features(graph.features)
    parameters = [*prepared.parameters(), *prepared.buffers()]
    watch = _Watch(graph, features.made, parameters)
    handles = []
    for name, module in prepared.named_modules():
        if isinstance(module, QuantizedLayer | SkipQuantizer) or type(module) in _STEPS:
            handles.append(module.register_forward_pre_hook(watch.enter))
            handles.append(module.register_forward_hook(watch.leave, with_kwargs=True))
        if name:
            begins, ends = watch.named_hooks(f"{type(module).__name__} {name}")
            handles.append(module.register_forward_pre_hook(begins))
            handles.append(module.register_forward_hook(ends))
    try:
        with torch.no_grad(), watch:
            output = prepared(graph.features, graph.adj_t)
    finally:
        for handle in handles:
            handle.remove()
    return Recording(tuple(watch.events), output, features.made, graph, watch.flow())


class _Watch(TorchDispatchMode):
    """Notes which tensors are made and read outside the layers, and after how many of them."""

    def __init__(
        self, graph: Graph, dense_features: Tensor | None, parameters: Iterable[Tensor]
    ) -> None:
        super().__init__()
        # Tensors are kept while one watches, so that no two have the same memory.
        self.events: list[Event] = []
        self._calls: list[LayerCall] = []
        self._graph = graph
        self._features = None if dense_features is None else _key(dense_features)
        self._parameters = {_key(p): p.numel() for p in parameters if p.is_floating_point()}
        self._depth = 0
        self._modules: list[str] = []
        self._made: dict[int, tuple[int, Tensor]] = {}
        self._read: dict[int, int] = {}
        self._pooled: list[PooledSpec] = []

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the operator; outside layers, note what it reads and makes."""
        del types
        out = function(*args, **(kwargs or {}))
        if self._depth == 0:
            self._note_call(OutsideCall(function, args, kwargs or {}, out, self._module))
        return out

    @property
    def _module(self) -> str:
        return self._modules[-1] if self._modules else ""

    def named_hooks(self, name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        """What a module of that name calls before and after its forward pass."""

        def begins(*_given: Any) -> None:
            self._modules.append(name)

        def ends(*_given: Any) -> None:
            self._modules.pop()

        return begins, ends

    def enter(self, _module: nn.Module, _inputs: Any) -> None:
        """A layer, a skip connection or a norm begins."""
        self._depth += 1

    def leave(self, module: Any, args: Any, kwargs: Any, output: Any) -> None:
        """A layer, a skip connection or a norm has run."""
        self._depth -= 1
        if isinstance(module, QuantizedLayer):
            self._note_layer(module, args, kwargs, output)
        elif isinstance(module, SkipQuantizer):
            self.events.append(SkipCall(module.name, module, args[0], output))
        elif self._depth == 0:
            if isinstance(module, GraphPooling):
                self._pooled.append(PooledSpec(output.size(1), len(self._calls)))
            self._note_call(OutsideCall(module, args, kwargs, output, self._module))
            for parameter in [*module.parameters(), *module.buffers()]:
                self._read[_key(parameter)] = len(self._calls)

    def flow(self) -> DataFlow:
        """How tensors passed between the layers."""
        inputs = [None if call.input is None else _key(call.input) for call in self._calls]
        known = [key for key in inputs if key is not None]
        made = {key: after for key, (after, _) in self._made.items()}
        skips = [event for event in self.events if isinstance(event, SkipCall)]
        coded = {_key(skip.input) for skip in skips} | {_key(skip.output) for skip in skips}
        coded |= set(known)
        carried = [
            Carried(tensor.untyped_storage().nbytes(), after, self._read[key], key in known)
            for key, (after, tensor) in self._made.items()
            if self._read.get(key, 0) > after and key not in self._parameters and key not in coded
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
            skips=tuple(self._skip(event, made) for event in skips),
            input_reads=tuple(self._input_reads(made, inputs)),
            vector_elements=sum(n for key, n in self._parameters.items() if key in self._read),
            feature_reads=None if self._features is None else self._read.get(self._features),
            pooled=tuple(self._pooled),
        )

    def _skip(self, call: SkipCall, made: dict[int, int]) -> SkipSpec:
        read = max(self._read.get(_key(x), 0) for x in (call.input, call.output))
        width = call.input[0].numel()
        first = made.get(_key(call.input), 0)
        return SkipSpec(call.name, width, first, read, call.quantizer.per_graph)

    def _input_reads(self, made: dict[int, int], inputs: list[int | None]) -> Iterator[int]:
        """For each layer, when the codes of its input were last read outside the layers."""
        for position, call in enumerate(self._calls):
            key = inputs[position]
            if key is None or key in inputs[:position] or call.quantized is None:
                yield 0
                continue
            read = max(self._read.get(k, 0) for k in (key, _key(call.quantized)))
            yield read if read > max(made.get(key, 0), position) else 0

    def _note_layer(self, layer: Any, args: Any, kwargs: Any, output: Any) -> None:
        own = other_arguments(layer.held_arguments, args, kwargs)
        sources = [source_of(x) for x in _tensors(list(own))]
        rows = self._graph.num_graphs if layer.per_graph else self._graph.num_nodes
        embeddings = [x for x in sources if x.dim() > 1 and x.size(0) == rows]
        embeddings = [x for x in embeddings if not isinstance(x, NodeFeatures | EdgeWeights)]
        first = embeddings[0] if embeddings else None
        origin = None if first is None else origin_of(first)
        quantized = None if origin is None else origin.quantized
        held = [source_of(h.of(args, kwargs)) for h in layer.held_arguments]
        further = tuple(x.tensor if isinstance(x, NodeFeatures) else x for x in held)
        call = LayerCall(layer, first, quantized, output, further)
        self._calls.append(call)
        self.events.append(call)
        for tensor in further:
            self._read[_key(tensor)] = len(self._calls)
        self._note_made(output)

    def _note_call(self, call: OutsideCall) -> None:
        self.events.append(call)
        for tensor in _tensors([call.args, call.keywords]):
            self._read[_key(tensor)] = len(self._calls)
        self._note_made(call.output)

    def _note_made(self, made: Any) -> None:
        for tensor in _tensors(made):
            if _key(tensor) != self._features:
                self._made.setdefault(_key(tensor), (len(self._calls), tensor))


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
