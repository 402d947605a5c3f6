"""What a model answers, kept so that it need not be trained again to be compared."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import save_tensors

_ANSWERS, _OUTPUTS = "answers", "outputs"


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


def keep_outputs(outputs: Tensor, path: Path) -> None:
    """Write what one model says of the validation nodes, whole or not at all.

    Args:
        outputs: fp32 ``[n, outputs]``.
        path: The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors({_OUTPUTS: outputs.float().cpu()}, path, {})


def kept_outputs(path: Path, graph: Graph) -> Tensor | None:
    """Read outputs on the validation nodes; ``None`` where there are no sound ones."""
    try:
        with safe_open(path, framework="pt") as file:
            outputs: Tensor = file.get_tensor(_OUTPUTS)
    except (OSError, SafetensorError):
        return None
    shape = (graph.val.nodes.numel(), graph.num_classes)
    sound = outputs.dtype is torch.float32 and outputs.shape == shape
    return outputs.to(graph.device) if sound and bool(outputs.isfinite().all()) else None
