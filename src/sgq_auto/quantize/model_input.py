"""What stands before a prepared model's forward pass: features, edges and dropout made ready."""

import inspect
from enum import Enum, auto
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from sgq_auto.graphs import CsrPattern, Features
from sgq_auto.quantize.dropped import DropoutAfterQuantization
from sgq_auto.quantize.node_features import Edges, NodeFeatures, QuantizedFeatures
from sgq_auto.quantize.quantizer_factory import QuantizerFactory

# A child of every prepared model, under a name that no model has.
_NAME = "_sgq_auto_input"
_DATA_NAMES = ("data", "batch", "graph")


class _Signature(Enum):
    """How a model's forward pass takes a graph."""

    FEATURES_AND_EDGES = auto()
    FEATURES = auto()
    DATA = auto()

    @classmethod
    def of(cls, model: nn.Module) -> "_Signature":
        """By the parameters of ``model.forward``."""
        parameters = list(inspect.signature(model.forward).parameters.values())
        variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        if len(parameters) != 1 or variadic:
            return cls.FEATURES_AND_EDGES
        return cls.DATA if parameters[0].name in _DATA_NAMES else cls.FEATURES

    def arguments(self, x: Tensor, edge_index: Tensor) -> tuple[Any, ...]:
        """What the forward pass is called with."""
        match self:
            case _Signature.DATA:
                return (Data(x=x, edge_index=edge_index),)
            case _Signature.FEATURES:
                return (x,)
        return x, edge_index


def run_plain(model: nn.Module, x: Tensor, edge_index: Tensor) -> Any:
    """What a plain PyG model returns for features ``[N, F]`` and edges ``[2, E]``, as it is."""
    with torch.no_grad():
        return model(*_Signature.of(model).arguments(x, edge_index))


class ModelInput(nn.Module):
    """Quantizes the node features of a prepared model and defers its dropout.

    Attributes:
        quantizer: The fake-quantizer of the features' stored values.
        dropout: Replaces every dropout probability above 0; ``None`` keeps the model's own.
    """

    def __init__(self, model: nn.Module, quantizers: QuantizerFactory) -> None:
        super().__init__()
        self.quantizer = quantizers.features()
        self.dropout: float | None = None
        self._engine = quantizers.graph.engine
        self._signature = _Signature.of(model)
        self._features: QuantizedFeatures | None = None
        self._modes: list[DropoutAfterQuantization] = []

    @classmethod
    def attach(cls, model: nn.Module, quantizers: QuantizerFactory) -> "ModelInput":
        """Stand before every forward pass of ``model``."""
        made = cls(model, quantizers)
        model.add_module(_NAME, made)
        model.register_forward_pre_hook(made._enter)
        model.register_forward_hook(made._leave, always_call=True)
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
        """The features quantized; they never change, so this is done once."""
        if self._features is None:
            matrix = features.matrix(self.quantizer(features.values))
            self._features = QuantizedFeatures(matrix, features.shape)
        return self._features

    def _enter(self, _module: nn.Module, inputs: tuple[Features, CsrPattern]) -> tuple[Any, ...]:
        features, adj_t = inputs
        x, edges = NodeFeatures(self.features(features)), Edges(adj_t)
        mode = DropoutAfterQuantization(self._engine, self.dropout)
        mode.__enter__()
        self._modes.append(mode)
        return self._signature.arguments(x, edges)

    def _leave(self, _module: nn.Module, _inputs: Any, _output: Tensor) -> None:
        if self._modes:
            self._modes.pop().__exit__(None, None, None)
