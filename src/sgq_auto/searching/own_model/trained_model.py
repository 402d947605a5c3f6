"""The user's own trained model, which stands where a search otherwise trains one."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import save_tensors
from sgq_auto.quantize import GenericLayerWarning, prepare
from sgq_auto.task import Metric
from sgq_auto.text.safe_text import printable
from sgq_auto.training import predict, score

# Accuracy that another order of classes must add before it is worth a word.
_WORTH_SAYING = 0.15


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the parameters and buffers of a model, whole or not at all.

    The same weights give the same bytes.

    Raises:
        OSError: If the file cannot be written.
    """
    state = {name: held for name, held in model.state_dict().items() if isinstance(held, Tensor)}
    # Cloned: safetensors refuses tensors that share memory.
    save_tensors({name: state[name].detach().cpu().clone() for name in sorted(state)}, path)


def trained_note(name: str, path: Path, said: Sequence[str], model: nn.Module, graph: Graph) -> str:
    """What a person should know of their trained model, in a line.

    Args:
        name: What results call the model.
        path: The file of its weights.
        said: What was taken of the file, stripped and converted.
        model: The model with these weights.
        graph: The graph, its nodes in the order that the model needs.
    """
    with warnings.catch_warnings():
        # Of layers without a twin the search speaks itself.
        warnings.simplefilter("ignore", GenericLayerWarning)
        logits = predict(prepare(model, graph), graph)
    taken = f" ({'; '.join(said)})" if said else ""
    return (
        f"{name}: its weights are those of {printable(path)}{taken}, "
        f"{_worth(logits, graph)} on validation {graph.task.unit}s{_order(logits, graph)}"
        "; it is the reference and the only teacher, and nothing else is trained at full precision"
    )


def _worth(outputs: Tensor, graph: Graph) -> str:
    """How good the model is, in words."""
    if graph.task.is_classification and graph.metric is Metric.ACCURACY:
        return f"{100 * graph.val.accuracy(outputs):.1f} % right"
    own = score(graph.metric, graph.in_units(outputs)[graph.val.nodes], graph.val.labels)
    return f"{graph.metric.words} {graph.metric.text(own)}"


def _order(logits: Tensor, graph: Graph) -> str:
    """A word on the order of classes, where another one fits training and validation nodes."""
    if not graph.task.is_classification:
        return ""
    predicted, classes = logits.argmax(dim=1), graph.num_classes
    pairs = predicted[graph.train.nodes] * classes + graph.train.labels
    counts = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    _, order = linear_sum_assignment(counts.numpy(), maximize=True)
    renamed = torch.from_numpy(order)[predicted[graph.val.nodes]]
    accuracy = float((renamed == graph.val.labels).double().mean())
    if accuracy < graph.val.accuracy(logits) + _WORTH_SAYING:
        return ""
    return (
        f" (with its classes in another order it would be {100 * accuracy:.1f} %: number them as "
        f"it was trained; here they are {', '.join(map(printable, graph.classes[:8]))})"
    )
