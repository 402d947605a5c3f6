"""Real graphs: Twitch DE, and ENGB that is never seen before; MUTAG's 188 molecules."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn
from torch_geometric.nn import SAGEConv

from joined_graphs import joined
from sgq_auto.graphs import BucketSettings, Graph, RawGraph, Split, prepare_graph
from sgq_auto.graphs.many_graphs import largest_graph, part
from sgq_auto.graphs.sources import TuSource
from sgq_auto.models import GCN
from sgq_auto.packed import load, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.training import FitSettings, fit, predict

_FEATURES = 3170


def _twitch(folder: Path) -> RawGraph:
    if not folder.is_dir():
        pytest.skip(f"no raw files in {folder}; set SGQ_AUTO_DATA")
    listed = json.loads((folder / "features.json").read_text())
    with (folder / "target.csv").open(newline="") as file:
        mature = {int(row["new_id"]): row["mature"] == "True" for row in csv.DictReader(file)}
    edges = np.loadtxt(folder / "edges.csv", dtype=np.int64, delimiter=",", skiprows=1).T
    rows = [(int(node), k) for node, columns in listed.items() for k in set(columns)]
    node, column = np.array(rows).T
    ones = np.ones(len(rows), np.float32)
    x = scipy.sparse.csr_matrix((ones, (node, column)), shape=(len(listed), _FEATURES))
    y = np.array([mature[k] for k in range(len(listed))], np.int64)
    return RawGraph(folder.name, x, np.concatenate([edges, edges[::-1]], axis=1), y)


class _Net(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = SAGEConv(features, 16), SAGEConv(16, 2)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv2(self.conv1(x, edge_index).relu(), edge_index)
        return out


@pytest.mark.slow
def test_a_model_of_one_country_predicts_another(data_root: Path, tmp_path: Path) -> None:
    raws = [_twitch(data_root / "Twitch" / name) for name in ("DE", "ENGB")]
    whole, owner = joined(raws)
    draw = np.random.default_rng(0).permutation(raws[0].num_nodes)
    cut = len(draw) // 5
    split = Split(draw[cut:], draw[:cut], np.flatnonzero(owner == 1))
    data = prepare_graph(whole, split, BucketSettings(), normalize_rows=False)
    both = replace(data.graph, graph_of_node=torch.from_numpy(owner)[data.graph.node_order])
    seen, unseen = part(both, torch.tensor([0])), part(both, torch.tensor([1]))
    assert seen.is_inductive
    torch.manual_seed(0)
    model = _Net(_FEATURES)
    sites = trace_spec(prepare(model, seen), seen).sites(len(seen.bucket_nodes))
    prepared = prepare(model, seen, BitAllocation.uniform(sites, 4))
    result = fit(prepared, seen, FitSettings(100, 0.02, 5e-4, evaluate_every=20), seed=0)
    assert result.val_accuracy > 0.62
    rows = predict(prepared, unseen)
    logits = torch.empty_like(rows)
    logits[unseen.node_order] = rows
    path = tmp_path / "model.safetensors"
    save(convert(prepared, seen), path)
    packed = load(path)
    assert path.stat().st_size < 64 << 10
    found = packed.predict(x=raws[1].x.toarray(), edge_index=raws[1].edge_index)
    np.testing.assert_allclose(found, logits.numpy(), atol=1e-2)
    assert (found.argmax(1) == logits.numpy().argmax(1)).mean() > 0.999
    # Not what always answers the larger class of either country.
    assert 0.1 < found.argmax(1).mean() < 0.9


@pytest.fixture(scope="module")
def molecules(data_root: Path) -> Graph:
    source = TuSource("MUTAG", str(data_root))
    if not source.raw_folder.is_dir():
        pytest.skip(f"no raw files in {source.raw_folder}; set SGQ_AUTO_DATA")
    raw = source.load()
    owner = raw.graph_of_node
    assert owner is not None
    # The class of a molecule as the class of each of its atoms.
    atoms = replace(raw, y=raw.y[owner] if len(raw.y) < len(owner) else raw.y, graph_of_node=None)
    parts = [np.flatnonzero(owner % 10 == k) for k in range(10)]
    split = Split(np.sort(np.concatenate(parts[:8])), parts[8], parts[9])
    graph = prepare_graph(atoms, split, BucketSettings((1, 2)), normalize_rows=False).graph
    return replace(graph, graph_of_node=torch.from_numpy(owner)[graph.node_order])


def test_molecules_are_trained_in_batches_and_packed_without_them(
    molecules: Graph, tmp_path: Path
) -> None:
    assert molecules.num_graphs == 188
    torch.manual_seed(0)
    model = GCN(molecules.features.num_features, 2, hidden=8)
    spec = trace_spec(prepare(model, molecules), molecules)
    allocation = BitAllocation.uniform(spec.sites(len(molecules.bucket_nodes)), 4)
    prepared = prepare(model, molecules, allocation)
    settings = FitSettings(4, 0.02, 0.0, batch_graphs=32)
    fit(prepared, molecules, settings, seed=0)
    save(convert(prepared, molecules), tmp_path / "model.safetensors")
    packed = load(tmp_path / "model.safetensors")
    largest = largest_graph(spec, molecules)
    assert largest.footprints.packed(allocation) == packed.footprint()
    assert packed.num_nodes == 28
    assert largest.note is not None
    number = largest.number
    own = part(molecules, torch.tensor([number]))
    rows = predict(prepared, own)
    logits = torch.empty_like(rows)
    logits[own.node_order] = rows
    dense = torch.empty(own.features.shape)
    dense[own.node_order] = own.features.dense()
    edges = own.node_order[own.edge_index()]
    found = packed.predict(x=dense.numpy(), edge_index=edges.numpy())
    np.testing.assert_allclose(found, logits.numpy(), atol=1e-3)
