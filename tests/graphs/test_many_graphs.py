"""Some of many graphs are what they would be if they had been prepared alone."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.graphs import Graph, SparseFeatures
from sgq_auto.graphs.many_graphs import graphs_of, output_rows, part, rows_of_graphs
from sgq_auto.task import Task

_TASKS = (Task.NODE_CLASSIFICATION, Task.GRAPH_CLASSIFICATION)


def _same(one: Graph, other: Graph) -> None:
    assert one.fingerprint == other.fingerprint
    assert one.spec == other.spec
    assert one.adj_t.col.dtype == other.adj_t.col.dtype
    assert one.num_graphs == other.num_graphs


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(4, 7),
    chosen=st.sets(st.integers(0, 6), min_size=2),
    sparse=st.booleans(),
    weighted=st.booleans(),
    task=st.sampled_from(_TASKS),
)
def test_a_part_is_as_prepared_from_scratch(
    seed: int, count: int, chosen: set[int], sparse: bool, weighted: bool, task: Task
) -> None:
    numbers = sorted(k % count for k in chosen)
    numbers = sorted(set(numbers))
    if len(numbers) < 2:
        numbers = [0, count - 1]
    raws = random_graphs(count, seed=seed, sparse=sparse, weighted=weighted)
    train, val = numbers[:-1], numbers[-1:]
    whole = prepared_graphs(raws, train, val, task=task)
    alone = prepared_graphs(
        [raws[k] for k in numbers], list(range(len(train))), [len(train)], task=task
    )
    found = part(whole, torch.tensor(numbers))
    if not task.predicts_graphs:
        # Labels of the node that the helper keeps back.
        found = replace(found, val=alone.val)
    _same(found, alone)


def test_all_graphs_are_the_whole() -> None:
    whole = prepared_graphs(random_graphs(6, seed=3))
    _same(part(whole, torch.arange(6)), whole)


def test_what_is_trained_and_validated_is_what_lies_in_the_part() -> None:
    raws = random_graphs(5, seed=1)
    nodes = prepared_graphs(raws, [0, 1, 2], [3, 4])
    assert part(nodes, torch.tensor([3])).train.nodes.numel() == 0
    assert part(nodes, torch.tensor([1])).train.labels.bincount().tolist() == [
        int((raws[1].y == k).sum()) for k in range(3)
    ]
    graphs = prepared_graphs(raws, [0, 1, 2], [3, 4], task=Task.GRAPH_CLASSIFICATION)
    found = part(graphs, torch.tensor([1, 3]))
    assert (found.train.nodes.tolist(), found.val.nodes.tolist()) == ([0], [1])


def test_rows_of_graphs_and_of_the_output() -> None:
    whole = prepared_graphs(random_graphs(5, seed=2))
    assert whole.graph_of_node is not None
    rows = rows_of_graphs(whole, torch.tensor([1, 4]))
    assert rows.tolist() == [
        k for k, number in enumerate(whole.graph_of_node.tolist()) if number in (1, 4)
    ]
    assert torch.equal(output_rows(whole, torch.tensor([1, 4])), rows)
    graphs = replace(whole, task=Task.GRAPH_REGRESSION)
    assert output_rows(graphs, torch.tensor([1, 4])).tolist() == [1, 4]


@pytest.mark.parametrize("task", _TASKS)
def test_graphs_with_a_label(task: Task) -> None:
    whole = prepared_graphs(random_graphs(6, seed=4), [0, 2, 5], [1, 3], task=task)
    assert graphs_of(whole, whole.train).tolist() == [0, 2, 5]
    assert graphs_of(whole, whole.val).tolist() == [1, 3]


def test_scale_groups_are_counted_for_the_part() -> None:
    whole = prepared_graphs(random_graphs(6, seed=5))
    found = part(whole, torch.tensor([2, 3]))
    assert isinstance(found.features, SparseFeatures)
    sizes = {
        "node": found.num_nodes,
        "edge": found.adj_t.num_entries,
        "neighbor": found.adj_t.num_entries - found.num_nodes,
        "value": found.features.values.numel(),
    }
    for kind, size in sizes.items():
        groups = getattr(found, f"{kind}_groups")
        assert groups.rows == size
        assert int(groups.ends[-1]) == size
