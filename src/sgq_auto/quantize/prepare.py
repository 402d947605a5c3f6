"""From a plain PyG model to a quantization-aware one: each layer swapped for its quantized twin."""

import copy
import traceback
import warnings

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from sgq_auto.errors import InputError
from sgq_auto.errors.user_code import described
from sgq_auto.graphs import Graph
from sgq_auto.packed.allocation import EDGE_WEIGHTS, FEATURES, BitAllocation
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.quantize.forward.output_rows import check_rows
from sgq_auto.quantize.layer_twins import twin_maker
from sgq_auto.quantize.layers.generic import GenericConv
from sgq_auto.quantize.quantized_layer import QuantizedLayer
from sgq_auto.quantize.quantizers.bound_graph import BoundGraph
from sgq_auto.quantize.quantizers.factory import QuantizerFactory
from sgq_auto.settings.root_settings import RangeMode


class GenericLayerWarning(UserWarning):
    """A layer has no quantized twin of its own and runs on PyG's slower path."""


def prepare(
    model: nn.Module,
    graph: Graph,
    allocation: BitAllocation | None = None,
    mode: RangeMode = RangeMode.LEARNED,
) -> nn.Module:
    """A quantization-aware copy of a plain PyG model, called as ``model(features, adj_t)``.

    Its ranges are calibrated by one pass over the graph. Parameters keep their names, so that
    weights go both ways. Inside, the model is given node features and edges that behave as the
    tensors ``x`` and ``edge_index`` of PyG and are read in faster forms by quantized layers.

    Args:
        model: A model of PyG's layers and linear ones in any arrangement; its forward pass takes
            ``(x, edge_index)``, or ``x``, or one ``data`` that has both; and ``batch`` where it
            predicts graphs.
        graph: The graph that it will run on; :func:`sgq_auto.quantize.bind` gives it others.
        allocation: Bits of every site; ``None`` keeps full precision on the same path.
        mode: How ranges are found.

    Returns:
        The prepared model, in evaluation mode.

    Raises:
        InputError: If the model has no layer to quantize, fails on the graph, or predicts nodes
            where the task is about graphs, or the other way round.

    Warns:
        GenericLayerWarning: Once, with the layers that have no twin of their own.
    """
    _check(model, graph)
    prepared = copy.deepcopy(model)
    quantizers = QuantizerFactory(BoundGraph(graph), allocation, mode)
    _swap(prepared, "", quantizers, {})
    layers = [module for module in prepared.modules() if isinstance(module, QuantizedLayer)]
    ModelInput.attach(prepared, layers, quantizers)
    prepared.to(graph.device).eval()
    try:
        with torch.no_grad():
            output = prepared(graph.features, graph.adj_t)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{type(model).__name__} fails on the graph ({described(error)}); {_advice(error)}"
        ) from error
    if not any(layer.in_features for layer in layers):
        raise InputError(f"{type(model).__name__}: its forward pass runs none of its layers")
    check_rows(output, graph, type(model).__name__)
    generic = generic_layers(prepared)
    if generic is not None:
        warnings.warn(generic, GenericLayerWarning, stacklevel=2)
    return prepared


def plain_state(prepared: nn.Module, model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters of a prepared model that the plain ``model`` has too."""
    state = prepared.state_dict()
    return {name: state[name].clone() for name in model.state_dict()}


def generic_layers(prepared: nn.Module) -> str | None:
    """What is said of the layers of a prepared model that have no twin; ``None`` without any."""
    layers = [module for module in prepared.modules() if isinstance(module, GenericConv)]
    if not layers:
        return None
    named = ", ".join(f"{layer.name} ({type(layer.source).__name__})" for layer in layers)
    return (
        f"without a quantized twin: {named}; inputs and weights are quantized, the rest runs on "
        "PyG's own path, which is slower"
    )


def unused_weights(prepared: nn.Module) -> str | None:
    """What is said of weights or features of edges that a prepared model has not read.

    ``None`` where there are none, or it has.
    """
    model_input = ModelInput.of(prepared)
    if not model_input.ignores_weights:
        return None
    if model_input.quantizers.graph.adj_t.num_weights > 1:
        return (
            f"{type(prepared).__name__} takes no features of edges, so those of the graph are left "
            "out; a forward pass takes them as edge_attr"
        )
    return (
        f"{type(prepared).__name__} takes no weights of edges, so those of the graph are not used; "
        "a forward pass takes them as edge_weight"
    )


def _advice(error: Exception) -> str:
    """What may help a model whose forward pass fails."""
    if traceback.extract_tb(error.__traceback__)[-1].name == "embedding":
        return (
            "an Embedding looks up whole numbers, and features are fp32: give the graph one-hot "
            "columns, and make it a Linear(categories, width, bias=False), which is the same layer"
        )
    return "its forward pass must take (x, edge_index)"


def _check(model: nn.Module, graph: Graph) -> None:
    if twin_maker(model) is not None:
        raise InputError(
            f"{type(model).__name__} is a layer: put it into a module with a forward pass"
        )
    modules = dict(model.named_modules())
    if all(twin_maker(module) is None for module in modules.values()):
        raise InputError(
            f"{type(model).__name__} has no layer to quantize; "
            "it needs linear or message passing layers of PyG, like GCNConv"
        )
    for taken, what in (
        (FEATURES, "node features"),
        (EDGE_WEIGHTS, "weights or features of edges"),
    ):
        held = taken == FEATURES or graph.adj_t.weights is not None
        if held and taken in modules and twin_maker(modules[taken]) is not None:
            raise InputError(
                f"a layer is called {taken!r}, as the sites of the {what} are: rename it"
            )
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise InputError(
                f"{type(model).__name__}: the shape of {name} is not known yet (in_channels=-1); "
                "give the number of features"
            )


def _swap(
    module: nn.Module,
    prefix: str,
    quantizers: QuantizerFactory,
    made: dict[int, tuple[nn.Module, nn.Module]],
) -> None:
    """Swap the layers below ``module``; one that is there twice has one twin, kept in ``made``.

    The layer is kept there too: another module that is made meanwhile must not have its id.
    """
    # Not named_children, which leaves out a second name of a layer.
    for name, child in list(module._modules.items()):
        if child is None or isinstance(child, QuantizedLayer):
            continue
        full_name, maker = f"{prefix}{name}", twin_maker(child)
        if maker is not None and id(child) not in made:
            made[id(child)] = child, maker(child, full_name, quantizers.of_layer(full_name))
        _, twin = made.get(id(child), (child, child))
        if twin is not child:
            setattr(module, name, twin)
        if not isinstance(twin, QuantizedLayer):
            _swap(twin, f"{full_name}.", quantizers, made)
