"""The tool as a library: a PyG model and its graph in, a search's answer or a packed model out."""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from sgq_auto.configuration.checked_settings import prepare_raw, search_settings
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.graphs.sources.pyg.data import graph_of_data
from sgq_auto.library.checked_arguments import refuse_other_kinds, refuse_unmade, widths_of_groups
from sgq_auto.library.given_model import ModelToSearch
from sgq_auto.library.library_configuration import DATA_NAME, configuration
from sgq_auto.library.prepared_arguments import graph_for, judged_by
from sgq_auto.library.prepared_arguments import prepare_data as prepare_data
from sgq_auto.packed import Footprint, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import (
    RangeMode,
    check_logits,
    convert,
    returning_logits,
    trace_spec,
    unused_weights,
)
from sgq_auto.quantize import prepare as prepare_model
from sgq_auto.reporting import quiet_libraries
from sgq_auto.searching import Granularity, Outcome, run_search
from sgq_auto.searching.search_progress import Summary
from sgq_auto.searching.study.study_folder import search_notes
from sgq_auto.settings import FitSettings, Schedule
from sgq_auto.settings.setting_fields import choice
from sgq_auto.task import Metric, Task
from sgq_auto.training import fit, predict

# Groups whose bits a prepared model prints.
_SHOWN = 6


@dataclass(frozen=True, eq=False)
class Prepared:
    """A quantization-aware model on its graph.

    Attributes:
        model: The model, an ``nn.Module`` called as ``model(graph.features, graph.adj_t)``.
        graph: The prepared graph.
        allocation: Bits of every site.
        footprint: Bytes of the packed model.
        bits: The bit-width of each group of the granularity.
    """

    model: nn.Module
    graph: Graph
    allocation: BitAllocation
    footprint: Footprint
    bits: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Its model, graph, bits and size in a line."""
        some = [f"{group}: {bits}" for group, bits in itertools.islice(self.bits.items(), _SHOWN)]
        more = len(self.bits) - len(some)
        bits = ", ".join([*some, f"{more} more groups"] if more else some)
        return (
            f"Prepared({type(self.model).__name__} on {self.graph.name}, "
            f"{self.graph.num_nodes:,} nodes, bits {{{bits}}}, "
            f"{self.footprint.resident_bytes:,} bytes resident)"
        )

    def fit(self, *, epochs: int = 100, learning_rate: float = 0.02, seed: int = 0) -> float:
        """Fine-tune on the training labels; the validation accuracy (or metric) it ends with."""
        settings = FitSettings(epochs, learning_rate, 0.0, schedule=Schedule.COSINE)
        return fit(self.model, self.graph, settings, seed).val_accuracy

    def logits(self) -> Tensor:
        """What the model returns, fp32 ``[N, outputs]``, nodes in the order of the data.

        Of whole graphs it is a row for each graph that trains or validates, in the order of the
        data. Numbers to predict are in the units of the labels.

        The packed runtime sums more precisely, so a value on the border of two codes may get the
        other one there.
        """
        rows = self.graph.in_units(predict(self.model, self.graph)).cpu()
        if self.graph.task.predicts_graphs:
            return rows
        logits = torch.empty_like(rows)
        logits[self.graph.node_order] = rows
        return logits


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        study: Name of the study, as the commands take it.
        summary: The content of ``summary.json``.
        artifact: The packed recommended model; ``None`` where nothing is recommended or the model
            cannot be packed, for which ``summary`` has the reason.
        notes: What was taken for what, of the graph and of the model, a line each.
    """

    study: str
    summary: Summary
    artifact: Path | None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Its study, what it recommends, and the artifact in a line."""
        best = self.summary["recommended"]
        answer = "nothing recommended"
        if best:
            answer = f"trial {best['trial']} recommended, {best['resident_bytes']:,} bytes resident"
        return f"Found({self.study}: {answer}, artifact {self.artifact})"


def prepare(
    model: nn.Module,
    data: Data | Sequence[Data] | Graph,
    granularity: Granularity | str = Granularity.UNIFORM,
    bits: int | Mapping[str, int] = 8,
    *,
    ranges: RangeMode | str = RangeMode.LEARNED,
) -> Prepared:
    """Make a model quantization-aware at chosen bits.

    Args:
        model: A model of PyG's layers, with its weights. It is copied. Where it returns several
            tensors, the one ``[N, classes]`` is taken as the logits, with a warning that says so.
        data: The graph, or a list of graphs, which the model is calibrated on. A :class:`Graph` is
            taken with its nodes in the order they have in it.
        granularity: Which sites share bits.
        bits: One width for all, or a width for each group of the granularity: ``conv1.weight``,
            ``conv1.embedding`` of ``lwq_cwq``, for example: 1 to 16, or 32, full precision.
        ranges: How ranges of codes are found.

    Raises:
        InputError: If the graph or the model is malformed, the model returns no logits, or a group
            is missing or unknown.
    """
    refuse_unmade(model)
    graph = data if isinstance(data, Graph) else graph_for(model, prepare_data(data))
    # A model that is made already returns numbers in the user's units.
    graph = replace(graph, target_scale=None) if graph.target_scale else graph
    granularity = choice(Granularity, granularity, "granularity")
    mode = choice(RangeMode, ranges, "ranges")
    with returning_logits(model, graph.num_classes) as returned:
        full = prepare_model(model, graph)
        try:
            check_logits(predict(full, graph), graph.num_outputs, graph.num_classes)
        except InputError as error:
            raise InputError(f"{type(model).__name__}: {error}") from error
        footprints = largest_graph(trace_spec(full, graph), graph).footprints
        groups = {site: granularity.group(site) for site in footprints.sites()}
        widths = widths_of_groups(bits, tuple(dict.fromkeys(groups.values())))
        allocation = BitAllocation({site: widths[group] for site, group in groups.items()})
        prepared = prepare_model(model, graph, allocation, mode)
    if (unused := unused_weights(full)) is not None:
        warnings.warn(unused, stacklevel=2)
    if returned.said is not None:
        warnings.warn(f"{type(model).__name__}: {returned.said}", stacklevel=2)
    return Prepared(prepared, graph, allocation, footprints.packed(allocation), widths)


def search(
    model: Callable[..., nn.Module] | nn.Module,
    data: Data | Sequence[Data] | PreparedData,
    granularity: Granularity | str = Granularity.LWQ_CWQ_TAQ,
    *,
    arguments: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    n_trials: int = 100,
    workers: int = 1,
    seed: int = 0,
    task: Task | str | None = None,
    metric: Metric | str | None = None,
    tolerance: float = 0.4,
    confidence: float = 0.9,
    max_kib: float | None = None,
    max_drop: float | None = None,
    output_root: str | Path = "outputs",
    overrides: Sequence[str] = (),
) -> Found:
    """Search the bits of a model on a graph, as ``python -m sgq_auto.search model=custom`` does.

    The same call again continues the study, or returns what it found. Worker processes import the
    model, so it must be defined in a file, and a script that calls this must do so under
    ``if __name__ == "__main__":``. Nothing is tracked; ``python -m sgq_auto.sync`` does it later.

    Args:
        model: The model's class, or a function that makes it. The numbers of features and classes
            go to its arguments for them, like ``in_channels`` and ``num_classes``;
            ``Found.notes`` says to which. Or a trained model: it is the reference, and no other
            is trained. It is copied. What it was made with is taken from its attributes, unless
            ``arguments`` has it, and checked.
        data: The graph, or a list of graphs; its masks are the split. Without masks a seeded split
            is drawn. One that is prepared already is taken as it is.
        granularity: Which sites share bits.
        arguments: More arguments of ``model``; ``features_as`` and ``classes_as`` name those that
            take the sizes, where they are called otherwise.
        checkpoint: The file of trained weights of a class, as ``model.checkpoint`` takes it.
        n_trials: Trials of the study in all.
        workers: Worker processes.
        seed: Seed of everything random.
        task: What is predicted: ``node_classification``, ``node_multilabel`` or
            ``node_regression``; ``None`` tells it from the labels.
        metric: What models are judged by; ``None`` takes the usual metric of the task.
        tolerance: Accuracy that the recommended model may lose, percentage points; or points of
            another metric, or per cent of the mean absolute error.
        confidence: Probability that it loses no more on unseen nodes.
        max_kib: Most KiB of the recommended model; nothing larger is searched.
        max_drop: Most accuracy lost, percentage points, in place of ``tolerance``.
        output_root: Folder of studies and cached weights.
        overrides: Any other setting as on the command line, like ``"finetune.epochs=50"``.

    Raises:
        InputError: If the model, the graph or a setting is malformed.
        RuntimeError: If the search ends early.
    """
    quiet_libraries()
    refuse_other_kinds(arguments, overrides)
    root = Path(output_root)
    searched = ModelToSearch.of(model, arguments or {}, checkpoint, root)
    given = _overrides(
        granularity=choice(Granularity, granularity, "granularity").value,
        n_trials=n_trials,
        workers=workers,
        seed=seed,
        task=task,
        metric=metric,
        tolerance=tolerance,
        confidence=confidence,
        max_kib=max_kib,
        max_drop=max_drop,
    )
    return _run(searched, data, root, [*given, *overrides])


def _run(
    searched: ModelToSearch,
    data: Data | Sequence[Data] | PreparedData,
    root: Path,
    overrides: Sequence[str],
) -> Found:
    """Search the bits of a model on a graph, with settings as the command line has them."""
    cfg, choices = configuration(searched, root, overrides)
    settings = search_settings(cfg, choices)
    if not isinstance(data, PreparedData):
        data = prepare_raw(graph_of_data(data, DATA_NAME), cfg)
    data = judged_by(data, settings.task, settings.metric)
    searched.check(settings.model, data)
    prepared = settings.model.in_order(data)
    notes = (*prepared.notes, *search_notes(settings, prepared))
    return _found(run_search(settings, prepared, [], None), notes)


def _overrides(**values: Any) -> list[str]:
    """Settings as the command line has them; ``None`` is not given."""
    return [f"{key}={value}" for key, value in values.items() if value is not None]


def _found(outcome: Outcome, notes: tuple[str, ...]) -> Found:
    """What a search that ended found, what a person should know of it among it."""
    if outcome.summary is None or outcome.failure:
        raise RuntimeError(outcome.failure or "another command leads this study")
    if warning := (outcome.summary["guessing"] or {}).get("warning"):
        warnings.warn(warning, UserWarning, stacklevel=4)
    if tuning := outcome.summary["tuning"]:
        notes += (f"full precision was tuned; to repeat: {' '.join(tuning['overrides'])}",)
    best = outcome.summary["recommended"] or {}
    path = best.get("artifact_path")
    return Found(outcome.summary["study"], outcome.summary, Path(path) if path else None, notes)


def pack(prepared: Prepared, path: str | Path) -> Path:
    """Write a prepared (and trained) model as an artifact for :func:`sgq_auto.packed.load`.

    Raises:
        InputError: If it does something that the packed runtime cannot.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    save(convert(prepared.model, prepared.graph), path)
    return path
