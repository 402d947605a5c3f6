"""Data that the library's functions are called with, laid out as a search does."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

from omegaconf import OmegaConf
from torch import nn
from torch_geometric.data import Data

from sgq_auto.configuration.checked_settings import conf_dir, prepare_raw
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.labels.label_kinds import metric_for
from sgq_auto.graphs.sources.pyg.data import graph_of_data
from sgq_auto.library.library_configuration import DATA_NAME
from sgq_auto.quantize import in_order_of, returning_logits
from sgq_auto.task import Metric, Task


def prepare_data(data: Data | Sequence[Data]) -> PreparedData:
    """Check a PyG ``Data``, or a list of them, and lay it out as a search does.

    Its test labels are apart.

    Raises:
        InputError: If it is malformed.
    """
    buckets = OmegaConf.load(conf_dir() / "config.yaml").buckets
    dataset = OmegaConf.load(conf_dir() / "dataset" / "npz.yaml")
    cfg = OmegaConf.create({"buckets": buckets, "dataset": dataset})
    return prepare_raw(graph_of_data(data, DATA_NAME), cfg)


def graph_for(model: nn.Module, data: PreparedData) -> Graph:
    """The graph in the order of nodes that the model needs.

    Warns:
        UserWarning: If edges have features that the model does not read, which are left out.
    """
    with returning_logits(model, data.graph.num_classes):
        fitted = in_order_of(model, data)
    graph = fitted.data.graph
    if fitted.unused is not None and graph.adj_t.num_weights < data.graph.adj_t.num_weights:
        warnings.warn(fitted.unused, stacklevel=3)
    return graph


def judged_by(data: PreparedData, task: Task | None, metric: Metric | None) -> PreparedData:
    """Prepared data with the metric that is asked for.

    Raises:
        InputError: If they are prepared for another task, or the metric does not belong to theirs.
    """
    graph = data.graph
    if task is not None and task is not graph.task:
        raise InputError(f"task={task}: the data are prepared for {graph.task}")
    if metric is None or metric is graph.metric:
        return data
    return replace(data, graph=replace(graph, metric=metric_for(graph.task, metric)))
