"""The one training loop: it pre-trains at full precision and fine-tunes quantized models."""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from sgq_auto.graphs import Graph
from sgq_auto.quantize import LearnedQuantizer, bind, freeze_ranges
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.quantize.quantized_layer import QuantizedLayer
from sgq_auto.settings.fit_settings import FitSettings, Keep
from sgq_auto.training.graph_batches import GraphBatches, validated
from sgq_auto.training.losses import LabelLoss, TrainingLoss
from sgq_auto.training.metrics import score


@dataclass(frozen=True)
class FitResult:
    """What a training run reached.

    Attributes:
        val_accuracy: Validation accuracy of the kept epoch, 0..1; or what else is the metric.
        kept_epoch: The kept epoch, from 1.
        curve: ``(epoch, validation accuracy)`` of every evaluation.
        seconds: Wall time.
        stopped: Whether a :class:`Stopper` ended it.
        val_losses: Validation loss of every evaluation.
    """

    val_accuracy: float
    kept_epoch: int
    curve: tuple[tuple[int, float], ...]
    seconds: float
    stopped: bool = False
    val_losses: tuple[float, ...] = ()

    def loss_within(self, epochs: int) -> float:
        """The lowest validation loss of the first ``epochs`` epochs.

        A shorter training at constant step sizes with :attr:`Keep.BEST` ends with it.
        """
        seen = zip(self.curve, self.val_losses, strict=True)
        return min((loss for (epoch, _), loss in seen if epoch <= epochs), default=math.inf)


class Stopper(Protocol):
    """Ends training runs that are not worth finishing.

    A search passes one to :func:`fit` for each trial, so that epochs are not spent on trials that a
    smaller model has beaten already.
    """

    @property
    def rungs(self) -> Collection[int]:
        """Epochs after which it is asked; the model is evaluated after each of them."""

    def stops(self, epoch: int, accuracy: float) -> bool:
        """Whether a run whose validation accuracy after ``epoch`` is this is to end there."""


class DivergedError(ArithmeticError):
    """The loss of a training run became infinite or not a number.

    A search records the trial as failed and goes on; other callers let it reach the user.
    """


def fit(
    model: nn.Module,
    graph: Graph,
    settings: FitSettings,
    seed: int,
    teacher: Tensor | None = None,
    stopper: Stopper | None = None,
) -> FitResult:
    """Train a prepared model in place and leave it at the kept epoch, ranges frozen.

    The model is in evaluation mode afterwards, and its validation accuracy is the one returned. Of
    many graphs it trains on those with a training row and is validated on those with a validation
    row; see :attr:`FitSettings.batch_graphs`.

    Args:
        model: A model from :func:`sgq_auto.quantize.prepare`.
        graph: The graph it was prepared for.
        settings: How to train.
        seed: Seed of dropout.
        teacher: What full precision says ``[N, outputs]``, for distillation (Hinton et al. 2015):
            probabilities, or numbers as a model returns them. It reaches every node, labelled or
            not, and no label is in it.
        stopper: May end the run early, at the epoch kept by then.

    Raises:
        DivergedError: If the loss is not finite.
    """
    seen = _Evaluations(model, graph, settings.keep)
    torch.manual_seed(seed)
    _set_dropout(model, training_dropout(graph, settings))
    optimizer = _optimizer(model, settings)
    scheduler = LambdaLR(optimizer, lambda done: settings.schedule.factor(done / settings.epochs))
    # Of all graphs: a batch has too few labels to say how often a class occurs.
    make_loss = partial(TrainingLoss, by_labels=LabelLoss.of(graph, settings.class_weights))
    batches = GraphBatches(graph, settings, seed, teacher, make_loss)
    stopped = False
    rungs = stopper.rungs if stopper else ()
    for epoch in range(1, settings.epochs + 1):
        for batch, loss_of in batches.of(epoch):
            _train_step(model, batch, optimizer, loss_of)
        scheduler.step()
        if epoch % settings.evaluate_every and epoch != settings.epochs and epoch not in rungs:
            continue
        accuracy = seen.add(epoch)
        if stopper and epoch in rungs and stopper.stops(epoch, accuracy):
            stopped = True
            break
        if settings.patience is not None and epoch - seen.kept.epoch >= settings.patience:
            break
    model.load_state_dict(seen.kept.state)
    freeze_ranges(model)
    bind(model.eval(), graph)
    return seen.result(stopped=stopped)


@dataclass(frozen=True, eq=False)
class _Kept:
    """The epoch that training would end with so far."""

    epoch: int = 0
    accuracy: float = -math.inf
    loss: float = math.inf
    state: dict[str, Tensor] = field(default_factory=dict)


class _Evaluations:
    """The evaluations of a training run, and the epoch that is kept of them."""

    def __init__(self, model: nn.Module, graph: Graph, keep: Keep) -> None:
        self.kept = _Kept()
        self._start = time.perf_counter()
        self._model = model
        self._graph = validated(model, graph)
        self._keep = keep
        self._curve: list[tuple[int, float]] = []
        self._losses: list[float] = []

    def add(self, epoch: int) -> float:
        """Evaluate the model after an epoch, and keep its weights if they are the best so far.

        Returns:
            Its validation accuracy.

        Raises:
            DivergedError: If the loss is not finite.
        """
        accuracy, loss = evaluate(self._model, self._graph)
        self._curve.append((epoch, accuracy))
        self._losses.append(loss)
        if not math.isfinite(loss):
            raise DivergedError(
                f"training diverged: the validation loss is {loss} in epoch {epoch}"
            )
        if self._keep is Keep.LAST or loss < self.kept.loss:
            state = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
            self.kept = _Kept(epoch, accuracy, loss, state)
        return accuracy

    def result(self, *, stopped: bool) -> FitResult:
        """What the run reached, and how long it took since this was made."""
        seconds = time.perf_counter() - self._start
        kept, curve, losses = self.kept, tuple(self._curve), tuple(self._losses)
        return FitResult(kept.accuracy, kept.epoch, curve, seconds, stopped, losses)


def evaluate(model: nn.Module, graph: Graph) -> tuple[float, float]:
    """The metric of ``model`` on validation nodes, and its loss by their labels.

    :func:`fit` calls it between epochs; call it to judge a model that was trained elsewhere. The
    model is in evaluation mode afterwards.

    Args:
        model: A model from :func:`sgq_auto.quantize.prepare`.
        graph: The graph it was prepared for.
    """
    outputs, labels = predict(model, graph)[graph.val.nodes], graph.val.labels
    loss = LabelLoss.of(graph)(outputs, labels)
    return score(graph.metric, graph.in_units(outputs), labels), float(loss)


def predict(model: nn.Module, graph: Graph) -> Tensor:
    """What a prepared model returns, ``[N, outputs]``, without dropout and without gradients.

    Logits; or numbers, which :meth:`Graph.in_units` gives the units of the labels.

    Rows are in the order of ``graph``, which is not the user's (:attr:`Graph.node_order`). The
    model is in evaluation mode afterwards.
    """
    bind(model.eval(), graph)
    with torch.no_grad():
        logits: Tensor = model(graph.features, graph.adj_t)
    return logits


def _train_step(
    model: nn.Module, graph: Graph, optimizer: torch.optim.Optimizer, loss_of: TrainingLoss
) -> None:
    bind(model.train(), graph)
    optimizer.zero_grad()
    loss_of(model(graph.features, graph.adj_t)).backward()
    optimizer.step()


def training_dropout(graph: Graph, settings: FitSettings) -> float | None:
    """The dropout probability that a model is trained with; ``None`` for the model's own.

    A model that is taught numbers drops nothing unless the settings say so. Dropout pulls numbers
    to their mean, and what teachers say of every node regularises already: on chickenpox, the
    model's own dropout of 0.5 costs 6 % of the error even at 32 bits.
    """
    taught_numbers = settings.distillation > 0 and graph.task.is_regression
    return 0.0 if settings.dropout is None and taught_numbers else settings.dropout


def own_dropout(model: nn.Module, graph: Graph) -> float:
    """The largest dropout probability of a prepared model, of its layers or its forward pass.

    Dropout may be a call in ``forward``, so the model is run once as in training.
    """
    with torch.no_grad():
        bind(model.train(), graph)
        model(graph.features, graph.adj_t)
    layers = [module.dropout for module in model.modules() if isinstance(module, QuantizedLayer)]
    return max([ModelInput.of(model).own_dropout, *layers])


def _set_dropout(model: nn.Module, probability: float | None) -> None:
    """Change every probability above 0, if one is given; a layer that does not drop stays so."""
    if probability is None:
        return
    ModelInput.of(model).dropout = probability
    for module in model.modules():
        if isinstance(module, QuantizedLayer) and module.dropout > 0:
            module.dropout = probability


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
    return torch.optim.Adam(
        [g for g in groups if g["params"]], lr=settings.learning_rate, fused=True
    )
