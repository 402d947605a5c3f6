"""The library on many graphs: a list of PyG's ``Data`` in, a file that predicts new graphs out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

import sgq_auto
from sgq_auto.errors import InputError
from sgq_auto.models import GCN, GraphGIN
from sgq_auto.packed import load


def rings_and_chains(count: int, seed: int = 0) -> list[Data]:
    """Graphs of one node more each time, every other one closed to a ring."""
    made, random = [], torch.Generator().manual_seed(seed)
    for number in range(count):
        nodes = 5 + number % 6
        ends = torch.arange(nodes if number % 2 else nodes - 1)
        edges = torch.stack([ends, (ends + 1) % nodes])
        x = torch.randn(nodes, 3, generator=random)
        edge_index = torch.cat([edges, edges.flip(0)], dim=1)
        made.append(Data(x=x, edge_index=edge_index, y=torch.tensor([number % 2])))
    return made


def test_a_prepared_model_of_whole_graphs_is_trained_packed_and_predicts_new_ones(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model = GraphGIN(3, 2, hidden=8, layers=2)
    prepared = sgq_auto.prepare(model, rings_and_chains(60), bits=4)
    before = prepared.logits()
    assert before.shape == (prepared.graph.num_graphs, 2)
    prepared.fit(epochs=3)
    assert not torch.equal(before, prepared.logits())
    packed = load(sgq_auto.pack(prepared, tmp_path / "graphs.safetensors"))
    new = Batch.from_data_list(rings_and_chains(7, seed=1))
    together = packed.predict(
        x=new.x.numpy(), edge_index=new.edge_index.numpy(), graph_of_node=new.batch.numpy()
    )
    assert together.shape == (7, 2)
    for number, graph in enumerate(rings_and_chains(7, seed=1)):
        alone = packed.predict(x=graph.x.numpy(), edge_index=graph.edge_index.numpy())
        np.testing.assert_allclose(alone[0], together[number], rtol=1e-5, atol=1e-6)


def test_a_model_that_does_not_pool_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^[^\n]*one for each of the \d+ graphs[^\n]*$"):
        sgq_auto.prepare(GCN(3, 2), rings_and_chains(60), bits=4)
