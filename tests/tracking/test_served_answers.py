"""What a packed model in MLflow answers with, task by task: labels, numbers, classes of graphs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from many_graphs import POOLS, PooledNet, drawn
from sgq_auto.graphs import BucketSettings, Graph, RawGraph, Split, prepare_graph
from sgq_auto.models import GCN
from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.tracking.mlflow_model import save_packed_model
from sgq_auto.training import FitSettings, fit

pytestmark = pytest.mark.system

_NODES = [7, 0, 299, 7]


def _graph(raw: RawGraph, labels: np.ndarray) -> Graph:
    made = RawGraph(raw.name, raw.x, raw.edge_index, labels).for_task()
    nodes = np.arange(raw.num_nodes)
    split = Split(nodes[:150], nodes[150:220], nodes[220:])
    return prepare_graph(made, split, BucketSettings(), normalize_rows=True).graph


def _served(model: Any, graph: Graph, folder: Path) -> tuple[PackedModel, Any]:
    """A model of 4 bits as the runtime has it, and as MLflow loads it."""
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    prepared = prepare(model, graph, BitAllocation.uniform(sites, 4))
    fit(prepared, graph, FitSettings(40, 0.05, 0.0), seed=0)
    save(convert(prepared, graph), folder / "packed.safetensors")
    save_packed_model(folder / "packed.safetensors", folder / "model")
    return load(folder / "packed.safetensors"), mlflow.pyfunc.load_model(str(folder / "model"))


def _answers(model: Any, columns: Mapping[str, Any]) -> pd.DataFrame:
    table: pd.DataFrame = model.predict(pd.DataFrame(columns))
    # What it says of itself, which a server checks requests and clients read answers by.
    assert list(table) == model.metadata.get_output_schema().input_names()
    return table


def test_several_labels_are_named_with_their_probabilities(
    synthetic_raw: RawGraph, tmp_path: Path
) -> None:
    classes = synthetic_raw.y
    labels = np.stack([classes <= 1, classes <= 2, classes >= 2], axis=1).astype(np.float32)
    graph = _graph(synthetic_raw, labels)
    width, count = graph.features.num_features, graph.num_classes
    packed, model = _served(GCN(width, count, hidden=4), graph, tmp_path)
    table = _answers(model, {"node": _NODES})
    shares = 1 / (1 + np.exp(-packed.predict(_NODES).astype(float)))
    assert table["node"].tolist() == _NODES
    np.testing.assert_allclose(table["probabilities"].tolist(), shares, atol=1e-6)
    for named, row in zip(table["labels"], shares, strict=True):
        assert named == [
            name for name, share in zip(packed.classes, row, strict=True) if share > 0.5
        ]
    assert any(len(named) > 1 for named in model.predict(_every_node(graph))["labels"])


def test_numbers_are_in_the_units_of_the_data(synthetic_raw: RawGraph, tmp_path: Path) -> None:
    prices = (400 + 25 * synthetic_raw.y.astype(np.float32))[:, None]
    graph = _graph(synthetic_raw, np.concatenate([prices, prices / 3], axis=1))
    packed, model = _served(GCN(graph.features.num_features, 2, hidden=4), graph, tmp_path)
    table = _answers(model, {"node": _NODES})
    assert table["values"].tolist() == packed.predict(_NODES).tolist()
    values = np.array(model.predict(_every_node(graph))["values"].tolist())
    assert ((values > [300, 100]) & (values < [600, 200])).mean() > 0.9


def test_whole_graphs_have_a_row_each(tmp_path: Path) -> None:
    graphs = drawn()
    packed, model = _served(PooledNet("gcn", POOLS["mean"], 7), graphs.prepared().graph, tmp_path)
    own = [graphs.only(number) for number in range(3)]
    given = {"x": [g.x.tolist() for g in own], "edge_index": [g.edge_index.tolist() for g in own]}
    table = _answers(model, given)
    assert table["graph"].tolist() == [0, 1, 2]
    for row, graph in zip(table["logits"], own, strict=True):
        expected = packed.predict(x=graph.x, edge_index=graph.edge_index)
        np.testing.assert_allclose([row], expected, atol=1e-5)


def _every_node(graph: Graph) -> pd.DataFrame:
    return pd.DataFrame({"node": range(graph.num_nodes)})
