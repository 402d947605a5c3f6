"""What a model returns: one number of each node or graph may come as a vector."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv, global_mean_pool

import sgq_auto
from sgq_auto.errors import InputError
from sgq_auto.packed import load

_VECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "squeeze": lambda x: x.squeeze(-1),
    "squeeze-all": lambda x: x.squeeze(),
    "view": lambda x: x.view(-1),
    "reshape": lambda x: x.reshape(-1),
    "column": lambda x: x,
}


class Numbers(nn.Module):
    """A number for each node; or for each graph, if there is a ``batch``."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = GCNConv(4, 6)
        self.lin = nn.Linear(6, 1)
        self.last = last

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        hidden = self.conv(x, edge_index).relu()
        if batch is not None:
            hidden = global_mean_pool(hidden, batch)
        return self.last(self.lin(hidden))


def _data(seed: int, *, of_graph: bool) -> Data:
    draw = torch.Generator().manual_seed(seed)
    nodes = 20 + seed
    edges = torch.randint(0, nodes, (2, 60), generator=draw)
    edges = torch.cat([edges, edges.flip(0)], dim=1).unique(dim=1)
    x = torch.randn(nodes, 4, generator=draw)
    y = x.sum() / nodes if of_graph else x.sum(dim=1)
    return Data(x=x, edge_index=edges[:, edges[0] != edges[1]], y=y)


@pytest.mark.parametrize("of_graph", [False, True])
@pytest.mark.parametrize("last", _VECTORS.values(), ids=list(_VECTORS))
def test_a_vector_of_numbers_is_a_column(
    last: Callable[[Tensor], Tensor], *, of_graph: bool, tmp_path: Path
) -> None:
    if of_graph:
        data: Data | list[Data] = [_data(seed, of_graph=True) for seed in range(30)]
    else:
        data = _data(0, of_graph=False)
    torch.manual_seed(0)
    model = Numbers(last).eval()
    full = sgq_auto.prepare(model, data, bits=32).logits()
    one = data[0] if isinstance(data, list) else data
    batch = torch.zeros(len(one.x), dtype=torch.int64) if of_graph else None
    expected = model(one.x, one.edge_index, batch).reshape(-1, 1)
    torch.testing.assert_close(full[: len(expected)], expected)
    prepared = sgq_auto.prepare(model, data, bits=4)
    sgq_auto.pack(prepared, tmp_path / "model.safetensors")
    given = {} if not of_graph else {"x": one.x.numpy(), "edge_index": one.edge_index.numpy()}
    found = load(tmp_path / "model.safetensors").predict(**given)
    np.testing.assert_allclose(found, prepared.logits()[: len(found)], rtol=1e-4, atol=1e-4)


class Gate(nn.Module):
    """A gate that has lost its column on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = GCNConv(4, 6)
        self.lin = nn.Linear(6, 1)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        hidden = self.conv(x, edge_index)
        gate = hidden[:, :1].squeeze(1).sigmoid()
        out: Tensor = self.lin(hidden * gate.unsqueeze(1))
        return out


def test_an_operation_on_a_vector_is_named(tmp_path: Path) -> None:
    prepared = sgq_auto.prepare(Gate(), _data(0, of_graph=False))
    with pytest.raises(InputError, match="sigmoid after conv: it is used on an embedding whose"):
        sgq_auto.pack(prepared, tmp_path / "model.safetensors")


def test_rows_of_another_width_are_refused_for_any_task() -> None:
    model = Numbers(lambda x: x.expand(-1, 3))
    with pytest.raises(InputError, match=r"\[20, 3\]; it must be \[20, 1\], a row for each node"):
        sgq_auto.prepare(model, _data(0, of_graph=False))
