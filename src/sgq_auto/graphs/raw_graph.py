"""A graph as its source gives it, checked before anything is built on it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.edge_weights import check_weights
from sgq_auto.graphs.labels.label_kinds import UNLABELLED as UNLABELLED
from sgq_auto.graphs.labels.label_kinds import (
    Labels,
    Numbers,
    is_labelled,
    labels_fault,
    metric_for,
    named,
)
from sgq_auto.graphs.labels.missing_labels import missing_hint
from sgq_auto.node_files.node_ids import NodeIds
from sgq_auto.packed.artifact.output_header import class_names_fault
from sgq_auto.task import Metric, Task

IntArray = np.ndarray[Any, np.dtype[np.int64]]

# The names of a split's masks, as PyG's datasets have them.
MASKS = ("train_mask", "val_mask", "test_mask")


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint training, validation and test nodes, each ``int64``.

    Attributes:
        train: Training nodes.
        val: Validation nodes; where a source gives none, they are drawn.
        test: Test nodes; where a source gives none, they are what is left.
        origin: Where the split is from, as the rest of a line.
    """

    train: IntArray
    val: IntArray
    test: IntArray
    origin: str = "the data's own"

    @classmethod
    def from_masks(
        cls,
        train: np.ndarray[Any, Any],
        val: np.ndarray[Any, Any],
        test: np.ndarray[Any, Any],
        origin: str = "the data's own",
    ) -> "Split":
        """The split that three boolean masks ``[N]`` describe.

        For sources whose data has masks, as PyG's datasets have.

        Args:
            train: Which nodes train.
            val: Which validate.
            test: Which are tested.
            origin: Where the split is from, for the first lines of a search.
        """
        nodes = [np.flatnonzero(mask).astype(np.int64) for mask in (train, val, test)]
        return cls(nodes[0], nodes[1], nodes[2], origin)


@dataclass(frozen=True, eq=False)
class RawGraph:
    """A graph with features and labels, in its own node order.

    Attributes:
        name: Dataset name, used in messages.
        x: ``[N, F]`` features, a dense array or a SciPy CSR matrix.
        edge_index: integers ``[2, E]``, source and target; repeats and self-loops are merged later.
        y: ``int64 [N]`` classes from 0 on, :data:`UNLABELLED` where a node has none; or
            ``float32 [N, K]``: 0 or 1 for each of several labels, or numbers to predict, a row of
            NaN where a node has none.
        split: The source's own split, if it has one; parts of it may be empty.
        class_names: Names of the classes in the order of their numbers, or of the labels or
            numbers in the order of their columns, if the source knows them.
        notes: What a person should know of how it was read, a line each.
        splits: The source's own splits where it has several, of which one is to be chosen.
        node_ids: What the nodes are called, where that is not the numbers of their rows.
        spare_edges_noted: Whether ``notes`` say which edges are left out as repeats or self-loops.
        edge_weight: ``float32 [E]``, or ``[E, 1]`` where the source has a column of features for
            each edge; ``None`` where edges have no weights. Several columns are features of edges.
            Those of repeated edges are summed.
        graph_of_node: ``int64 [N]``, the number of each node's graph, where there are several: they
            are the blocks of this one. ``y`` then has a row for each graph, or for each node.
        graph_names: What these are called, where that is not their numbers.
        numbers: What the classes are as numbers, where they may be either.
        task: What is predicted; ``None`` until :meth:`for_task` has said it.
        metric: What a model is judged by; ``None`` until then.
    """

    name: str
    x: np.ndarray[Any, Any] | scipy.sparse.csr_matrix
    edge_index: IntArray
    y: IntArray
    split: Split | None = None
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ()
    node_ids: NodeIds | None = None
    spare_edges_noted: bool = False
    edge_weight: np.ndarray[Any, Any] | None = None
    graph_of_node: IntArray | None = None
    graph_names: tuple[str, ...] | None = None
    numbers: Numbers | None = None
    task: Task | None = None
    metric: Metric | None = None

    def for_task(self, task: Task | None = None, metric: Metric | None = None) -> "RawGraph":
        """The graph with its labels as a task needs them.

        Args:
            task: The task; ``None`` keeps the one that was said, or tells it from the labels.
            metric: What a model is judged by; ``None`` takes the usual metric of the task.

        Raises:
            InputError: If the labels do not fit the task, or the metric does not belong to it.
        """
        known = task or self.task
        found = Labels.of(
            self.y,
            self.class_names,
            self.numbers,
            known,
            self.name,
            of_graphs=self.predicts_graphs,
        )
        metric = metric_for(found.task, metric or self.metric)
        return replace(self, y=found.y, class_names=found.names, task=found.task, metric=metric)

    @property
    def num_nodes(self) -> int:
        """Number of nodes: rows of ``x``."""
        return int(self.x.shape[0])

    @property
    def num_graphs(self) -> int:
        """Number of graphs: the blocks of this one."""
        return 1 if self.graph_of_node is None else int(self.graph_of_node.max(initial=-1)) + 1

    @property
    def predicts_graphs(self) -> bool:
        """Whether ``y`` is of graphs, and not of nodes."""
        several = self.graph_of_node is not None
        return several and self.y.shape[:1] == (self.num_graphs,)

    @property
    def num_rows(self) -> int:
        """Rows of labels, and of a model's output: graphs where these are predicted, else nodes."""
        return self.num_graphs if self.predicts_graphs else self.num_nodes

    @property
    def unit(self) -> str:
        """What has a label, in messages: ``node`` or ``graph``."""
        return "graph" if self.predicts_graphs else "node"

    @property
    def num_classes(self) -> int:
        """Width of a model's output: classes, one more than the largest in ``y``; or columns."""
        return int(self.y.max()) + 1 if self.has_classes else int(self.y.shape[1])

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, one a node."""
        return self.y.ndim == 1

    @property
    def labelled(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """``bool [N]``: which nodes have a label."""
        return is_labelled(self.y)

    def check(self) -> None:
        """Check shapes, ranges and values.

        Raises:
            InputError: One line that names the array and what is wrong with it.
        """
        if self.x.ndim != 2 or 0 in self.x.shape:
            raise InputError(
                f"{self.name}: x has shape {self.x.shape}; it must be [nodes, features]"
            )
        n = self.num_nodes
        values = self.x.data if scipy.sparse.issparse(self.x) else self.x
        if not np.isfinite(values).all():
            raise InputError(
                f"{self.name}: x holds NaN or infinite values{_first_fault(self.x)}; every one "
                "must be finite"
            )
        if self.edge_index.ndim != 2 or self.edge_index.shape[0] != 2:
            raise InputError(
                f"{self.name}: edge_index has shape {self.edge_index.shape}; it must be [2, edges]"
            )
        if self.edge_index.size and not (self.edge_index.min() >= 0 and self.edge_index.max() < n):
            raise InputError(
                f"{self.name}: edge_index holds nodes {self.edge_index.min()} to "
                f"{self.edge_index.max()}; the {n} nodes are 0 to {n - 1}"
            )
        if self.edge_weight is not None:
            check_weights(self.edge_index, self.edge_weight, self.name)
        self._check_labels()
        self._check_class_names()

    def _check_labels(self) -> None:
        task = self.task
        if task is not None and not task.is_classification:
            fault = labels_fault(task, self.y, self.class_names, self.num_rows)
            if fault is not None:
                raise InputError(f"{self.name}: {fault}")
            return
        n = self.num_rows
        if self.y.shape != (n,):
            either = "" if self.graph_of_node is None else f", or [{self.num_graphs}], one a graph"
            raise InputError(f"{self.name}: y has shape {self.y.shape}; it must be [{n}]{either}")
        if self.y.min() < UNLABELLED:
            raise InputError(
                f"{self.name}: y holds {self.y.min()}; classes count from 0, and {UNLABELLED} is a "
                f"{self.unit} without one"
            )
        if self.y.max() < 0:
            raise InputError(f"{self.name}: y holds no class; some {self.unit}s must have one")
        if self.y.max() == 0:
            raise InputError(
                f"{self.name}: every label is class {self.class_name(0)}; there must be more than "
                "one class"
            )
        if self.y.max() >= n:
            raise InputError(
                f"{self.name}: y holds {self.y.max()}, more classes than the {n} {self.unit}s; "
                "number the classes from 0 without gaps"
            )

    def class_name(self, number: int) -> str:
        """What a class is called: its name, or its number where it has none."""
        return named(self.class_names, number)

    def missing_hint(self, number: int) -> str:
        """The end of a message about a class, where its name may mean that there is none."""
        return "" if self.class_names is None else missing_hint([self.class_names[number]])

    def _check_class_names(self) -> None:
        if self.class_names is None:
            return
        fault = class_names_fault(self.class_names, self.num_classes)
        if fault is not None:
            raise InputError(f"{self.name}: class_names {fault}")


def _first_fault(x: Any) -> str:
    """Where the first value is that is not finite: its row and column, from 0 on."""
    if scipy.sparse.issparse(x):
        x = x.tocoo()
        place = int(np.flatnonzero(~np.isfinite(x.data))[0])
        row, column = x.row[place], x.col[place]
    else:
        row, column = np.argwhere(~np.isfinite(x))[0]
    return f", the first in row {row}, column {column} (both from 0)"
