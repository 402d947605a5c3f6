"""A packed model for many graphs in MLflow: requests hold graphs."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.scoring_server import infer_and_parse_data
from torch_geometric.nn import GCNConv

from featured_graphs import featured_net, with_edge_features
from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.graphs import RawGraph
from sgq_auto.models import GCN
from sgq_auto.packed import load, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.tracking.mlflow_model import save_packed_model
from weighted_graphs import WeightedNet

pytestmark = pytest.mark.system


def _saved(raws: list[RawGraph], folder: Path) -> Any:
    graph = prepared_graphs(raws)
    torch.manual_seed(0)
    features = graph.features.num_features
    plain: torch.nn.Module = GCN(features, graph.num_classes, hidden=4)
    if graph.adj_t.num_weights > 1:
        plain = featured_net("gat", features, graph.num_classes, graph.adj_t.num_weights)
    elif graph.adj_t.weights is not None:
        plain = WeightedNet(GCNConv(features, 4), GCNConv(4, graph.num_classes))
    sites = trace_spec(prepare(plain, graph), graph).sites(len(graph.bucket_nodes))
    packed = convert(prepare(plain, graph, BitAllocation.uniform(sites, 4)), graph)
    save(packed, folder / "packed.safetensors")
    save_packed_model(folder / "packed.safetensors", folder / "model")
    return mlflow.pyfunc.load_model(str(folder / "model"))


def _row(raw: RawGraph) -> dict[str, Any]:
    row = {"x": raw.x.toarray().tolist(), "edge_index": raw.edge_index.tolist()}
    if raw.edge_weight is None:
        return row
    name = "edge_weight" if raw.edge_weight.ndim == 1 else "edge_attr"
    return {**row, name: raw.edge_weight.tolist()}


@pytest.mark.parametrize("kind", ["plain", "weighted", "featured"])
def test_graphs_of_a_request_are_predicted(kind: str, tmp_path: Path) -> None:
    raws = random_graphs(5, seed=1, weighted=kind == "weighted")
    raws = [with_edge_features(raw, 2) for raw in raws] if kind == "featured" else raws
    model, packed = _saved(raws, tmp_path), load(tmp_path / "packed.safetensors")
    # As it comes over the wire: whole numbers are written without a point.
    request = {"dataframe_records": [_row(raw) for raw in raws[:2]]}
    schema = model.metadata.get_input_schema()
    table = model.predict(infer_and_parse_data(json.loads(json.dumps(request)), schema))
    logits = [
        packed.predict(**{name: np.array(value) for name, value in _row(raw).items()})
        for raw in raws[:2]
    ]
    sizes = [len(part) for part in logits]
    assert table["graph"].tolist() == [0] * sizes[0] + [1] * sizes[1]
    assert table["node"].tolist() == [*range(sizes[0]), *range(sizes[1])]
    whole = np.concatenate(logits)
    np.testing.assert_allclose(np.stack(table["logits"]), whole, rtol=1e-6)
    assert table["class"].tolist() == [packed.classes[k] for k in whole.argmax(1)]
    names = model.metadata.get_output_schema().input_names()
    assert list(table) == names == ["graph", "node", "class", "class_index", "logits"]
    assert len(model.predict(model.input_example)) == 2


def test_a_malformed_graph_is_bad_input_that_is_named(tmp_path: Path) -> None:
    raws = random_graphs(5, seed=1)
    model, good = _saved(raws, tmp_path), _row(raws[0])
    narrow, ragged, away = dict(good), dict(good), dict(good)
    narrow["x"] = [row[:2] for row in good["x"]]
    ragged["x"] = [good["x"][0][:2], *good["x"][1:]]
    away["edge_index"] = [[0], [99]]
    cases = {"must be": narrow, "row 1: ": ragged, "node 99 is unknown": away}
    for said, bad in cases.items():
        with pytest.raises(MlflowException, match=said) as caught:
            model.predict(pd.DataFrame([good, bad]))
        assert caught.value.get_http_status_code() == 400
