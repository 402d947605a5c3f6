"""From a plain PyG model to a quantization-aware one: each layer swapped for its quantized twin."""

import copy
from typing import Any

import torch
from torch import nn
from torch_geometric.nn import AGNNConv, GATConv, GCNConv, GINConv, MessagePassing, SAGEConv
from torch_geometric.nn import Linear as PygLinear

from sgq_auto.allocation import FEATURES, BitAllocation
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.packed import ModelSpec
from sgq_auto.quantize.agnn import QuantizedAGNNConv
from sgq_auto.quantize.dropped import DeferredDropout
from sgq_auto.quantize.gat import QuantizedGATConv
from sgq_auto.quantize.gcn import QuantizedGCNConv
from sgq_auto.quantize.gin import QuantizedGINConv
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.quantize.linear import QuantizedLinear
from sgq_auto.quantize.quantizer_factory import QuantizerFactory
from sgq_auto.quantize.ranges import RangeMode
from sgq_auto.quantize.sage import QuantizedSAGEConv

_TWINS: dict[type[nn.Module], type[Any]] = {
    GCNConv: QuantizedGCNConv,
    GATConv: QuantizedGATConv,
    SAGEConv: QuantizedSAGEConv,
    GINConv: QuantizedGINConv,
    AGNNConv: QuantizedAGNNConv,
    nn.Linear: QuantizedLinear,
    PygLinear: QuantizedLinear,
}


def prepare(
    model: nn.Module,
    graph: Graph,
    allocation: BitAllocation | None = None,
    mode: RangeMode = RangeMode.LEARNED,
) -> nn.Module:
    """A quantization-aware copy of a plain PyG model, called as ``model(features, adj_t)``.

    Its ranges are calibrated by one pass over the graph. Parameters keep their names, so that
    weights go both ways.

    Args:
        model: A model of ``GCNConv``, ``GATConv``, ``SAGEConv``, ``GINConv``, ``AGNNConv`` and
            linear layers, whose first such layer reads the node features.
        graph: The graph that it will run on.
        allocation: Bits of every site; ``None`` keeps full precision on the same fast path.
        mode: How ranges are found.

    Returns:
        The prepared model, in evaluation mode.

    Raises:
        InputError: If the model has a convolution without a quantized twin.
    """
    prepared = copy.deepcopy(model)
    _swap(prepared, "", QuantizerFactory(graph, allocation, mode), _first_layer(model))
    prepared.to(graph.device).eval()
    with torch.no_grad():
        prepared(graph.features, graph.adj_t)
    return prepared


def trace_spec(prepared: nn.Module, graph: Graph) -> ModelSpec:
    """The quantized layers of a prepared model in the order in which they run."""
    order: list[QuantizedLayer] = []
    handles = [
        module.register_forward_hook(lambda layer, _inputs, _output: order.append(layer))
        for module in prepared.modules()
        if isinstance(module, QuantizedLayer)
    ]
    with torch.no_grad():
        prepared(graph.features, graph.adj_t)
    for handle in handles:
        handle.remove()
    return ModelSpec(tuple(layer.spec() for layer in order))


def plain_state(prepared: nn.Module, model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters of a prepared model that the plain ``model`` has too."""
    state = prepared.state_dict()
    return {name: state[name].clone() for name in model.state_dict()}


def _first_layer(model: nn.Module) -> str:
    names = [name for name, module in model.named_modules() if type(module) in _TWINS]
    if not names:
        raise InputError(
            f"{type(model).__name__} has no layer to quantize; "
            f"known layers: {', '.join(sorted({kind.__name__ for kind in _TWINS}))}"
        )
    return str(names[0])


def _swap(module: nn.Module, prefix: str, quantizers: QuantizerFactory, first: str) -> None:
    for name, child in list(module.named_children()):
        full_name = f"{prefix}{name}"
        if type(child) in _TWINS and full_name == FEATURES:
            raise InputError(
                f"a layer is called {FEATURES!r}, as the sites of the node features are: rename it"
            )
        if type(child) in _TWINS:
            twin = _TWINS[type(child)](
                child, full_name, quantizers, reads_features=full_name == first
            )
            setattr(module, name, twin)
            if isinstance(twin, QuantizedGINConv):
                # Its first layer is swapped; the rest of its network is not yet.
                _swap(twin.nn, f"{full_name}.nn.", quantizers, first)
        elif isinstance(child, nn.Dropout):
            setattr(module, name, DeferredDropout(child.p, quantizers.graph.engine))
        elif isinstance(child, MessagePassing):
            raise InputError(
                f"{full_name}: {type(child).__name__} has no quantized twin; "
                "GCNConv, GATConv, SAGEConv, GINConv and AGNNConv have"
            )
        else:
            _swap(child, f"{full_name}.", quantizers, first)
