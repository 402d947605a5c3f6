"""One worker and one seed give one front, the same each time, whatever is predicted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from many_graphs import drawn
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.searching import ModelSettings, SearchSettings, StudyProgress, run_search
from sgq_auto.searching.search_progress import Watcher
from sgq_auto.task import Task

pytestmark = pytest.mark.system

SettingsBuilder = Callable[..., SearchSettings]


class _Summary(Watcher):
    def finished(self, progress: StudyProgress, summary: dict[str, Any]) -> None:
        del progress
        self.summary = summary


def _labels(raw: RawGraph, task: Task) -> np.ndarray:
    classes = raw.y
    if task is Task.NODE_MULTILABEL:
        return np.stack([classes <= 1, classes <= 2, classes >= 2], axis=1).astype(np.float32)
    if task is Task.NODE_REGRESSION:
        return 400 + 25 * classes.astype(np.float32)[:, None]
    return classes


def _nodes(raw: RawGraph, task: Task) -> PreparedData:
    made = RawGraph(raw.name, raw.x, raw.edge_index, _labels(raw, task)).for_task(task)
    nodes = np.arange(raw.num_nodes)
    split = Split(nodes[:150], nodes[150:220], nodes[220:])
    return prepare_graph(made, split, BucketSettings(), normalize_rows=True)


def _graphs(task: Task) -> PreparedData:
    """Random graphs with a class or a number each."""
    graphs = drawn(40)
    y = graphs.labels if task.is_classification else 3 + graphs.labels[:, None].astype(np.float32)
    x = scipy.sparse.csr_matrix(graphs.x)
    raw = RawGraph("graphs", x, graphs.edge_index, y, graph_of_node=graphs.graph_of_node)
    order = np.random.default_rng(0).permutation(40)
    split = Split(*(np.sort(part) for part in np.split(order, [24, 32])))
    return prepare_graph(raw.for_task(task), split, BucketSettings(), normalize_rows=False)


@pytest.mark.slow
@pytest.mark.parametrize("task", list(Task))
def test_one_seed_gives_one_front(
    task: Task, settings: SettingsBuilder, synthetic_raw: RawGraph, tmp_path: Path
) -> None:
    data = _graphs(task) if task.predicts_graphs else _nodes(synthetic_raw, task)
    model = "sgq_auto.models.GraphGIN" if task.predicts_graphs else "sgq_auto.models.GCN"
    own = settings(model=ModelSettings("own", {"_target_": model, "hidden": 4}))
    found = []
    for folder in ("one", "other"):
        watcher = _Summary()
        run_search(replace(own, output_root=tmp_path / folder), data, [watcher], None)
        found.append(watcher.summary)
    first, second = (
        {name: each[name] for name in ("front", "full_precision", "hypervolume")}
        | {"tested": [point["confirmed"]["test_accuracy"] for point in each["confirmed"]]}
        for each in found
    )
    assert first["front"]
    assert first["tested"]
    assert first == second
