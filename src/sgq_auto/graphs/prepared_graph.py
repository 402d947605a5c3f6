"""One prepared graph: what training sees, and apart from it the labels that only confirm reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sgq_auto.compute import Engine
from sgq_auto.compute.scale_groups import ScaleGroups
from sgq_auto.graphs.adjacency import is_symmetric
from sgq_auto.graphs.csr_products import CsrPattern, entries_of_rows
from sgq_auto.graphs.edge_weights import are_symmetric, storing_entries
from sgq_auto.graphs.feature_matrix import Features, SparseFeatures
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes, tensor_hash
from sgq_auto.graphs.labels.target_scale import TargetScale
from sgq_auto.packed import FeatureSpec, GraphSpec
from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec
from sgq_auto.task import Metric, Task


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph ready for training and searching; it holds no label of a test node.

    Nodes are sorted by degree bucket, so that a bucket is a slice of every node tensor and of
    every edge tensor. For a model that has a row for each node in a parameter or a buffer they are
    in the user's own order instead (:func:`sgq_auto.graphs.original_order.in_original_order`).

    Attributes:
        name: Dataset name.
        features: Node features ``[N, F]``.
        adj_t: Edges with one self-loop a node, and their weights where they have some; row =
            target, column = source.
        bucket_nodes: Nodes per degree bucket.
        split_points: Degrees that separate the buckets.
        train: Training nodes and labels.
        val: Validation nodes and labels.
        num_classes: Number of classes.
        node_order: ``int64 [N]``, the original node of each row.
        class_names: Names of the classes, where the source knows them.
        bucket_rows: ``int64 [N]``, the rows sorted by degree bucket; ``None`` where they are
            sorted already.
        task: What is predicted. Of whole graphs, ``train`` and ``val`` hold numbers of graphs.
        metric: What a model is judged by.
        graph_of_node: ``int64 [N]``, the number of the graph that each row belongs to, where there
            are several: they are the blocks of one block-diagonal graph. ``None`` for one fixed
            graph; all 0 for one that is only an example of the graphs that a model is for.
        target_scale: What turns the model's outputs into the units of numbers to predict; ``None``
            where they have them already.
        whole_label_scale: Of a part of several graphs, the ``label_scale`` of the whole: a part
            may have few training labels, or none.
    """

    name: str
    features: Features
    adj_t: CsrPattern
    bucket_nodes: tuple[int, ...]
    split_points: tuple[int, ...]
    train: LabelledNodes
    val: LabelledNodes
    num_classes: int
    node_order: Tensor
    class_names: tuple[str, ...] | None = None
    bucket_rows: Tensor | None = None
    task: Task = Task.NODE_CLASSIFICATION
    metric: Metric = Metric.ACCURACY
    graph_of_node: Tensor | None = None
    target_scale: TargetScale | None = None
    whole_label_scale: TargetScale | None = None

    def in_units(self, outputs: Tensor) -> Tensor:
        """What a model returns, in the units of the labels: logits, or numbers."""
        return outputs if self.target_scale is None else self.target_scale.in_units(outputs)

    @cached_property
    def label_scale(self) -> TargetScale:
        """Mean and spread of the training labels, of numbers to predict."""
        return self.whole_label_scale or TargetScale.of(self.train.labels)

    @cached_property
    def num_graphs(self) -> int:
        """Number of graphs: the blocks of a block-diagonal one."""
        return 1 if self.graph_of_node is None else int(self.graph_of_node.max()) + 1

    @property
    def is_inductive(self) -> bool:
        """Whether models are for other graphs like these, and not for this one alone."""
        return self.graph_of_node is not None

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.adj_t.shape[0]

    @cached_property
    def rows_by_graph(self) -> tuple[Tensor, Tensor]:
        """Where each graph's rows start in a list of all rows ``int64 [N]``, and that list."""
        assert self.graph_of_node is not None
        counts = torch.bincount(self.graph_of_node, minlength=self.num_graphs)
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        return starts, torch.argsort(self.graph_of_node, stable=True)

    @property
    def num_outputs(self) -> int:
        """Rows of a model's output: one for each node, or for each graph."""
        return self.num_graphs if self.task.predicts_graphs else self.num_nodes

    @property
    def classes(self) -> tuple[str, ...]:
        """What each class is called: its name, or its number where it has none."""
        return self.class_names or tuple(str(k) for k in range(self.num_classes))

    @property
    def engine(self) -> Engine:
        """The backend that computes products and attention on this graph's device."""
        return self.adj_t.engine

    @property
    def device(self) -> torch.device:
        """Where its tensors are, and so where a model for it trains."""
        return self.adj_t.col.device

    def to(self, device: torch.device) -> "Graph":
        """The graph on a device, with the engine for it."""
        if device == self.device:
            return self
        return replace(
            self,
            features=self.features.to(device),
            adj_t=self.adj_t.to(device),
            train=self.train.to(device),
            val=self.val.to(device),
            bucket_rows=None if self.bucket_rows is None else self.bucket_rows.to(device),
            graph_of_node=None if self.graph_of_node is None else self.graph_of_node.to(device),
        )

    @cached_property
    def bucket_edges(self) -> tuple[int, ...]:
        """Edges per bucket of their target, self-loops included."""
        return self._per_bucket(self.adj_t.rowptr)

    @cached_property
    def node_groups(self) -> ScaleGroups:
        """Scale groups of tensors with a row a node: its degree buckets."""
        return self._groups(self.bucket_nodes, self.bucket_rows)

    @cached_property
    def graph_groups(self) -> ScaleGroups:
        """That of tensors with a row a graph."""
        return self._groups((self.num_graphs,), None)

    @cached_property
    def edge_groups(self) -> ScaleGroups:
        """Those of tensors with a row an edge, self-loops included, by the target's bucket."""
        return self._groups(self.bucket_edges, self.entries_by_bucket(self.adj_t))

    @cached_property
    def neighbor_groups(self) -> ScaleGroups:
        """Those of tensors with a row for each edge between different nodes."""
        both = zip(self.bucket_edges, self.bucket_nodes, strict=True)
        sizes = [edges - nodes for edges, nodes in both]
        return self._groups(sizes, self.entries_by_bucket(self.adj_t.without_loops))

    @cached_property
    def value_groups(self) -> ScaleGroups:
        """Those of the stored values of the features."""
        return self._groups(self.features.bucket_values, self.values_by_bucket)

    def _groups(self, sizes: Sequence[int], order: Tensor | None) -> ScaleGroups:
        return ScaleGroups.of(sizes, self.device, order, shared=self.is_inductive)

    def entries_by_bucket(self, pattern: CsrPattern) -> Tensor | None:
        """``int64 [entries]``, entries of a pattern over the nodes, sorted by their row's bucket.

        Quantizers of edges and of stored feature values use it to find their scale groups.

        Returns:
            ``None`` where the entries are sorted already.
        """
        if self.bucket_rows is None:
            return None
        return entries_of_rows(pattern.rowptr, self.bucket_rows)

    @property
    def values_by_bucket(self) -> Tensor | None:
        """Rows of the stored feature values sorted by their node's bucket; ``None`` if sorted."""
        if isinstance(self.features, SparseFeatures):
            return self.entries_by_bucket(self.features.pattern)
        return self.bucket_rows

    def edge_index(self) -> Tensor:
        """``int64 [2, E]`` (source, target) without self-loops, as PyG's own layers take it."""
        return self.adj_t.edge_index

    @cached_property
    def spec(self) -> GraphSpec:
        """The counts that the sizes of packed models depend on, for :mod:`sgq_auto.packed`."""
        return GraphSpec(
            bucket_nodes=self.bucket_nodes,
            bucket_in_edges=self.bucket_edges,
            bucket_out_edges=self._per_bucket(self.adj_t.transposed_rowptr),
            max_in_degree=int(self.adj_t.rowptr.diff().max()) - 1,
            features=self._feature_spec(),
            symmetric=self._is_symmetric,
            weights=self._weight_spec(),
            num_graphs=self.num_graphs,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that is kept of the graph: edges, features, buckets, labels, split, order.

        Weights of edges are in it, where there are some.

        Class names are not in it: a study is the same one after its classes are named.
        """
        tensors = [self.adj_t.rowptr, self.adj_t.col, self.features.values, self.node_order]
        if self.bucket_rows is not None:
            tensors.append(self.bucket_rows)
        if self.adj_t.weights is not None:
            tensors.append(self.adj_t.weights)
        if isinstance(self.features, SparseFeatures):
            tensors += [self.features.pattern.rowptr, self.features.pattern.col]
        features = (self.features.num_features, self.features.normalize_rows)
        scaling = () if self.features.scaling is None else (self.features.scaling,)
        labels = (self.num_classes, self.train.fingerprint, self.val.fingerprint)
        if self.graph_of_node is not None:
            tensors.append(self.graph_of_node)
        # Not in the hash of what there was before other tasks, so that it stays the same.
        plain = (self.task, self.metric) == (Task.NODE_CLASSIFICATION, Metric.ACCURACY)
        task = () if plain else (self.task.value, self.metric.value, self.target_scale)
        return tensor_hash(tensors, str((self.bucket_nodes, features, labels, *task, *scaling)))

    @cached_property
    def _is_symmetric(self) -> bool:
        return is_symmetric(*(t.cpu().numpy() for t in (self.adj_t.rowptr, self.adj_t.col)))

    @cached_property
    def weight_entries(self) -> Tensor | None:
        """``int64 [edges]``, the edge whose weight is stored for each edge between different nodes.

        It is the edge itself, or the same edge in the other direction. ``None`` where all weights
        are stored, because they are not symmetric, or edges have none.
        """
        pattern = self.adj_t.without_loops
        if pattern.weights is None or not self._is_symmetric:
            return None
        row, col = (t.cpu().numpy() for t in (pattern.row, pattern.col))
        weights = pattern.weights.cpu().numpy()
        if not are_symmetric(row, col, weights, self.num_nodes):
            return None
        rank = np.arange(self.num_nodes)
        if self.bucket_rows is not None:
            rank[self.bucket_rows.cpu().numpy()] = np.arange(self.num_nodes)
        return torch.from_numpy(storing_entries(row, col, rank)).to(self.device)

    def _weight_spec(self) -> EdgeWeightSpec | None:
        pattern = self.adj_t.without_loops
        if pattern.weights is None:
            return None
        stored = torch.ones(pattern.num_entries, dtype=torch.int64)
        if self.weight_entries is not None:
            stored = (self.weight_entries.cpu() == torch.arange(pattern.num_entries)).long()
        counts = torch.bincount(pattern.row.cpu(), stored.double(), minlength=self.num_nodes)
        if self.bucket_rows is not None:
            counts = counts[self.bucket_rows.cpu()]
        held = tuple(int(part.sum()) for part in counts.split(self.bucket_nodes))
        return EdgeWeightSpec(self.weight_entries is not None, held, pattern.num_weights)

    def _per_bucket(self, rowptr: Tensor) -> tuple[int, ...]:
        """Entries of the rows of each bucket."""
        entries = rowptr.cpu().diff()
        if self.bucket_rows is not None:
            entries = entries[self.bucket_rows.cpu()]
        return tuple(int(part.sum()) for part in entries.split(self.bucket_nodes))

    def _feature_spec(self) -> FeatureSpec:
        features, sparse = self.features, isinstance(self.features, SparseFeatures)
        values, order = features.values, self.values_by_bucket
        if order is not None:
            values = values[order]
        slices = values.split(features.bucket_values)
        return FeatureSpec(
            num_features=features.num_features,
            dense=not sparse,
            bucket_values=tuple(part.numel() for part in slices),
            bucket_constant=tuple(
                part.numel() == 0 or (sparse and bool(part.min() == part.max())) for part in slices
            ),
            scaled=features.scaling is not None,
        )
