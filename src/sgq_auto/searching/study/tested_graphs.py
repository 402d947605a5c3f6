"""What the confirm stage looks at: the graphs of the search, and those that are only tested."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sgq_auto.graphs import Graph
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.store import load_graph, load_labels
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.training import predict


@dataclass(frozen=True, eq=False)
class TestedGraphs:
    """The graphs of a search, those that are only tested, and the labels of what is tested.

    Predictions are for both: first the rows of the search's graphs, then those of the others.

    Attributes:
        graph: The graph, or graphs, of the search.
        held_out: What is tested, rows of the output for ``unseen`` where that is there.
        unseen: The graphs that are only tested; ``None`` where what is tested is of ``graph``.
    """

    __test__ = False  # No class of tests.

    graph: Graph
    held_out: LabelledNodes
    unseen: Graph | None = None

    @classmethod
    def load(cls, folder: StudyFolder, graph: Graph) -> "TestedGraphs":
        """Read what a study's folder holds beside its graph.

        Raises:
            InputError: If a file is damaged, or does not fit the graph; one line that names it.
            OSError: If one cannot be read.
        """
        unseen = load_graph(folder.unseen, labelled=False) if folder.unseen.exists() else None
        return cls(graph, load_labels(folder.held_out, unseen or graph), unseen)

    def to(self, device: torch.device) -> "TestedGraphs":
        """The same on a device."""
        unseen = None if self.unseen is None else self.unseen.to(device)
        graph, held_out = self.graph.to(device), self.held_out.to(device)
        return replace(self, graph=graph, held_out=held_out, unseen=unseen)

    @property
    def rows(self) -> int:
        """Rows of predictions for all of the graphs."""
        return self.graph.num_outputs + (0 if self.unseen is None else self.unseen.num_outputs)

    def predict(self, model: nn.Module) -> Tensor:
        """What a prepared model returns for all of the graphs, ``[rows, outputs]``."""
        if self.unseen is None:
            return predict(model, self.graph)
        others = predict(model, self.unseen)
        return torch.cat([predict(model, self.graph), others])

    def of_tested(self, predictions: Tensor) -> Tensor:
        """The rows of such predictions that :attr:`held_out` numbers."""
        return predictions if self.unseen is None else predictions[self.graph.num_outputs :]
