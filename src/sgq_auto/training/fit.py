"""The one training loop: it pre-trains at full precision and fine-tunes quantized models."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.quantize import LearnedQuantizer, freeze_ranges


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast to train.

    Attributes:
        epochs: Full-batch epochs.
        learning_rate: Adam's step size for weights.
        weight_decay: L2 factor for weights.
        range_learning_rate: Adam's step size for learned ranges.
        evaluate_every: Epochs between two looks at the validation nodes.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    range_learning_rate: float = 0.01
    evaluate_every: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("epochs", "evaluate_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: it must be at least 1")
        for name in ("learning_rate", "range_learning_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)}: it must be above 0")
        if not self.weight_decay >= 0:
            raise InputError(f"weight_decay={self.weight_decay}: it must be 0 or more")


@dataclass(frozen=True)
class FitResult:
    """What a training run reached.

    Attributes:
        val_accuracy: Validation accuracy of the kept epoch, 0..1.
        best_epoch: The kept epoch, from 1.
        curve: ``(epoch, validation accuracy)`` of every evaluation.
        seconds: Wall time.
    """

    val_accuracy: float
    best_epoch: int
    curve: tuple[tuple[int, float], ...]
    seconds: float


class DivergedError(RuntimeError):
    """Training left the finite numbers."""


def fit(model: nn.Module, graph: Graph, settings: FitSettings, seed: int) -> FitResult:
    """Train a prepared model in place and leave it at its best epoch, ranges frozen.

    The best epoch has the highest validation accuracy, the lowest validation loss among equals.
    The model is in evaluation mode afterwards, and its validation accuracy is the one returned.

    Args:
        model: A model from :func:`sgq_auto.quantize.prepare`.
        graph: The graph it was prepared for.
        settings: How to train.
        seed: Seed of dropout.

    Raises:
        DivergedError: If the loss is not finite.
    """
    start = time.perf_counter()
    torch.manual_seed(seed)
    optimizer = _optimizer(model, settings)
    best_score: tuple[float, float] | None = None
    best_epoch, best_state = 0, {}
    curve = []
    for epoch in range(1, settings.epochs + 1):
        _train_epoch(model, graph, optimizer, epoch)
        if epoch % settings.evaluate_every and epoch != settings.epochs:
            continue
        accuracy, loss = evaluate(model, graph)
        curve.append((epoch, accuracy))
        if best_score is None or (accuracy, -loss) > best_score:
            best_score, best_epoch = (accuracy, -loss), epoch
            best_state = {name: t.clone() for name, t in model.state_dict().items()}
    model.load_state_dict(best_state)
    freeze_ranges(model)
    model.eval()
    assert best_score is not None
    return FitResult(best_score[0], best_epoch, tuple(curve), time.perf_counter() - start)


def evaluate(model: nn.Module, graph: Graph) -> tuple[float, float]:
    """Validation accuracy (0..1) and cross-entropy of ``model``."""
    logits = predict(model, graph)
    loss = nn.functional.cross_entropy(logits[graph.val.nodes], graph.val.labels)
    return graph.val.accuracy(logits), float(loss)


def predict(model: nn.Module, graph: Graph) -> Tensor:
    """Logits ``[N, classes]`` of a prepared model at inference."""
    model.eval()
    with torch.no_grad():
        logits: Tensor = model(graph.features, graph.adj_t)
    return logits


def _train_epoch(
    model: nn.Module, graph: Graph, optimizer: torch.optim.Optimizer, epoch: int
) -> None:
    model.train()
    optimizer.zero_grad()
    logits = model(graph.features, graph.adj_t)
    loss = nn.functional.cross_entropy(logits[graph.train.nodes], graph.train.labels)
    if not bool(loss.isfinite()):
        raise DivergedError(f"training diverged: the loss is {float(loss)} in epoch {epoch}")
    loss.backward()
    optimizer.step()


def _optimizer(model: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    ranges = [
        parameter
        for module in model.modules()
        if isinstance(module, LearnedQuantizer)
        for parameter in module.parameters(recurse=False)
    ]
    range_ids = {id(parameter) for parameter in ranges}
    weights = [p for p in model.parameters() if id(p) not in range_ids]
    groups = [
        {"params": weights, "weight_decay": settings.weight_decay},
        {"params": ranges, "lr": settings.range_learning_rate},
    ]
    return torch.optim.Adam([g for g in groups if g["params"]], lr=settings.learning_rate)
