"""Trials as artifacts: a trial's model is trained again from its seed, and packed."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from sgq_auto.errors import InputError
from sgq_auto.graphs.store import load_graph
from sgq_auto.node_files.node_ids import ID_COLUMN, id_column, ids_file_of
from sgq_auto.packed import ArtifactError, load, save
from sgq_auto.quantize import convert
from sgq_auto.searching.confirming.confirm import confirmed_rows
from sgq_auto.searching.confirming.confirm_rows import ConfirmRow
from sgq_auto.searching.confirming.confirmed_allocation import shipped_row
from sgq_auto.searching.measuring.reference_models import finetune_seed
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.own_code import refuse_edited
from sgq_auto.searching.study.study import finished_trials, open_study
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.trials.trial_records import TrialRecord


@dataclass(frozen=True)
class Point:
    """One trained model of a study.

    Attributes:
        trial: Its trial.
        params: Ladder positions by group.
        seed: The seed of its weights and dropout.
        pretrain_seed: The seed of the full-precision weights it starts from.
        val_accuracy: Its validation accuracy, 0..1.
        test_accuracy: Its test accuracy, ``None`` if it was not confirmed.
    """

    trial: int
    params: Mapping[str, int]
    seed: int
    pretrain_seed: int
    val_accuracy: float
    test_accuracy: float | None

    @classmethod
    def confirmed(cls, trial: int, params: Mapping[str, int], rows: Sequence[ConfirmRow]) -> Self:
        """The confirmed model of a trial that is shipped, see :func:`shipped_row`."""
        best = shipped_row(rows)
        return cls(trial, params, best.seed, best.seed, best.val_accuracy, best.test_accuracy)

    @classmethod
    def searched(cls, record: TrialRecord, settings: SearchSettings) -> Self:
        """The model that a trial itself measured."""
        origin, repeat = record.origin, record.repeat
        if origin is not None:
            settings, repeat = replace(settings, seed=origin.seed), origin.repeat
        seed = finetune_seed(settings, repeat)
        return cls(record.number, record.params, seed, settings.seed, record.val_accuracy, None)


def pack_point(
    settings: SearchSettings, folder: StudyFolder, point: Point, path: Path | None = None
) -> Path:
    """Train a model again and pack it; an artifact of it that is there already is kept.

    Args:
        settings: The search.
        folder: The study's folder.
        point: The model.
        path: Where the artifact goes, by default into the study's folder.

    Raises:
        InputError: If the model cannot be packed.
        DivergedError: If training diverges.
        OSError: If the artifact cannot be written.
    """
    path = path or folder.path / f"trial-{point.trial}.safetensors"
    source = {
        "study": folder.name,
        "dataset": settings.dataset,
        "model": settings.model.name,
        "trial": point.trial,
        "seed": point.seed,
        "val_accuracy": point.val_accuracy,
        "test_accuracy": point.test_accuracy,
    }
    called = id_column(folder.node_ids)
    if called is not None:
        source[ID_COLUMN] = called
    graph = load_graph(folder.graph)
    if not _holds(path, source, graph.classes):
        bench = Workbench.build(settings, graph, point.pretrain_seed)
        if bench.unpackable is not None:
            raise InputError(f"model={settings.model.name} cannot be packed: {bench.unpackable}")
        model, _ = bench.finetune(bench.space.allocation(point.params), point.seed)
        sized = bench.footprints.graph
        save(convert(model, bench.graph, source, sized=sized), path)
    if called is not None and path.parent.resolve() != folder.path:
        shutil.copyfile(folder.node_ids, ids_file_of(path))
    return path


def pack_trial(
    settings: SearchSettings, folder: StudyFolder, trial: int, path: Path | None = None
) -> Path:
    """Pack a trial of a study: its best confirmed model, or the one that the trial measured.

    Raises:
        InputError: If there is no such trial, it has no model, or the model's code was edited.
    """
    study = open_study(settings, folder.path, folder.name)
    refuse_edited(study, settings)
    records = {record.number: record for record in finished_trials(study)}
    if trial not in records or not records[trial].complete:
        complete = [n for n, record in records.items() if record.complete]
        known = (
            f"{len(complete)} that did, {min(complete)} to {max(complete)}" if complete else "none"
        )
        raise InputError(
            f"trial={trial}: the study has no such trial that ran to its end; it has {known}"
        )
    record = records[trial]
    rows = confirmed_rows(folder, settings, trial, record.params)
    point = (
        Point.confirmed(trial, record.params, rows) if rows else Point.searched(record, settings)
    )
    return pack_point(settings, folder, point, path)


def _holds(path: Path, source: dict[str, Any], classes: tuple[str, ...]) -> bool:
    """Whether a sound artifact of this very model is there, its classes called as they are now."""
    try:
        packed = load(path)
        return (packed.source, packed.classes) == (source, classes)
    except ArtifactError:
        return False
