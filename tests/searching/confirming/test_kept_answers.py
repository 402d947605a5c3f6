"""Answers of a model on disk: what is read back is what was kept, or nothing."""

from dataclasses import replace
from pathlib import Path

import torch

from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.store import save_tensors
from sgq_auto.searching.confirming.drop_estimate import answers
from sgq_auto.searching.confirming.kept_answers import (
    keep_answers,
    keep_outputs,
    kept_answers,
    kept_outputs,
)


def test_answers_come_back(synthetic: PreparedData, tmp_path: Path) -> None:
    graph = synthetic.graph
    own = answers([torch.randn(graph.num_nodes, graph.num_classes)])
    keep_answers(own, tmp_path / "new" / "a.safetensors")
    found = kept_answers(tmp_path / "new" / "a.safetensors", graph)
    assert found is not None
    assert torch.equal(found, own)


def test_answers_of_another_graph_or_none_are_not_read(
    synthetic: PreparedData, tmp_path: Path
) -> None:
    graph, path = synthetic.graph, tmp_path / "a.safetensors"
    assert kept_answers(path, graph) is None
    path.write_bytes(b"no")
    assert kept_answers(path, graph) is None
    keep_answers(answers([torch.randn(graph.num_nodes - 1, graph.num_classes)]), path)
    assert kept_answers(path, graph) is None
    keep_answers(answers([torch.randn(graph.num_nodes, graph.num_classes)]), path)
    assert kept_answers(path, replace(graph, num_classes=1)) is None
    save_tensors({"answers": torch.full((graph.num_nodes,), -1)}, path, {})
    assert kept_answers(path, graph) is None


def test_outputs_on_validation_nodes_come_back(synthetic: PreparedData, tmp_path: Path) -> None:
    graph, path = synthetic.graph, tmp_path / "new" / "o.safetensors"
    shape = (graph.val.nodes.numel(), graph.num_classes)
    own = torch.randn(shape)
    keep_outputs(own, path)
    found = kept_outputs(path, graph)
    assert found is not None
    assert torch.equal(found, own)
    assert kept_answers(path, graph) is None
    for other in (own[1:], own.double(), torch.full(shape, torch.nan)):
        save_tensors({"outputs": other}, path, {})
        assert kept_outputs(path, graph) is None
    path.write_bytes(b"no")
    assert kept_outputs(path, graph) is None
