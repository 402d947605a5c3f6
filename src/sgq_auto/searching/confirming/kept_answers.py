"""What a model answers on every node, kept so that it need not be trained again to be compared."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import save_tensors

_ANSWERS = "answers"


def keep_answers(answers: Tensor, path: Path) -> None:
    """Write the classes that one model answers, whole or not at all.

    Args:
        answers: ``[N, classes]``, 1 at the class that each node is said to have.
        path: The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors({_ANSWERS: answers.argmax(dim=1).cpu()}, path, {})


def kept_answers(path: Path, graph: Graph, rows: int | None = None) -> Tensor | None:
    """Read answers as float64 ``[rows, classes]``; ``None`` where there are no sound ones.

    Args:
        path: The file.
        graph: The graph of the search.
        rows: How many answers there are, those for graphs that are only tested among them; by
            default those for the graph.
    """
    rows = graph.num_outputs if rows is None else rows
    try:
        with safe_open(path, framework="pt") as file:
            classes = file.get_tensor(_ANSWERS)
    except (OSError, SafetensorError):
        return None
    sound = classes.dtype is torch.int64 and classes.shape == (rows,)
    if not sound or not 0 <= int(classes.min()) <= int(classes.max()) < graph.num_classes:
        return None
    votes = torch.nn.functional.one_hot(classes.to(graph.device), graph.num_classes)
    return votes.double()
