"""PyG's basic models with norms, residuals and jumping knowledge, and other shapes of models."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, PairNorm, models

KINDS = {
    "gcn": (models.GCN, {}),
    "sage": (models.GraphSAGE, {}),
    "gin": (models.GIN, {}),
    "gat": (models.GAT, {"v2": False, "heads": 2}),
    "gatv2": (models.GAT, {"v2": True, "heads": 2}),
}
NORMS = (None, "batch", "layer", "graph")
JUMPS = (None, "cat", "max")
ACTIVATIONS = ("relu", "elu", "leaky_relu", "gelu")


@dataclass(frozen=True)
class BasicModel:
    """One of PyG's basic models, and what is between its layers."""

    kind: str
    norm: str | None
    jump: str | None
    activation: str
    residual: bool = False

    def __str__(self) -> str:
        """Its choices, for the name of a test."""
        parts = (self.kind, self.norm, self.jump, self.activation, self.residual and "residual")
        return "-".join(str(part) for part in parts if part)

    def make(self, in_features: int, num_classes: int) -> nn.Module:
        """The model, three layers of eight channels; its norms moved from where they start."""
        torch.manual_seed(0)
        kind, options = KINDS[self.kind]
        given = dict(options, norm=self.norm, jk=self.jump, act=self.activation, dropout=0.3)
        inner = kind(
            in_features, 8, 3, out_channels=None if self.residual else num_classes, **given
        )
        made = Residual(inner, in_features, 8, num_classes) if self.residual else inner
        generator = torch.Generator().manual_seed(0)
        for name, parameter in made.named_parameters():
            if "norm" in name:
                with torch.no_grad():
                    noise = torch.randn(parameter.shape, generator=generator)
                    parameter += 0.3 * noise
        return made


def all_models() -> Iterator[BasicModel]:
    """Every basic model with every choice, about five hundred."""
    for choice in itertools.product(KINDS, NORMS, JUMPS, ACTIVATIONS, (False, True)):
        yield BasicModel(*choice)


class Residual(nn.Module):
    """A model's output added to a projection of its input, then classified."""

    def __init__(self, inner: nn.Module, in_features: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.inner = inner
        self.last = nn.Linear(width, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        kept = self.first(x)
        kept = kept + self.inner(x, edge_index)
        out: Tensor = self.last(nn.functional.relu(kept))
        return out


class Deep(nn.Module):
    """Pre-activation blocks, ``h = h + conv(relu(norm(h)))``, as in DeeperGCN."""

    def __init__(self, in_features: int, num_classes: int, **settings: Any) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 8)
        self.convs = nn.ModuleList([GCNConv(8, 8, **settings) for _ in range(3)])
        self.norms = nn.ModuleList([nn.LayerNorm(8), PairNorm(), nn.BatchNorm1d(8)])
        self.act = nn.PReLU(8)
        self.last = nn.Linear(8, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.first(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = h + conv(nn.functional.dropout(self.act(norm(h)), 0.2, self.training), edge_index)
        out: Tensor = self.last(nn.functional.normalize(h)).log_softmax(dim=-1)
        return out
