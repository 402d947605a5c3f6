"""A study as its folder tells it: no trial is run.

Weights at full precision and sensitivities that are not there, or damaged, are made again.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import optuna

from sgq_auto.errors import InputError
from sgq_auto.graphs.store import load_graph
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.own_code import refuse_edited
from sgq_auto.searching.study.study import finished_trials, open_study
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.tuning import kept_tuning


@dataclass(frozen=True, eq=False)
class Reopened:
    """A study that was searched before, or is being searched.

    Attributes:
        study: The study.
        progress: Its finished trials.
        summary: What its last search found; ``None`` if none has ended with these trials.
    """

    study: optuna.Study
    progress: StudyProgress
    summary: Summary | None


def study_folder(study: str, output_root: Path) -> StudyFolder:
    """A study by its folder, or by its name under ``output_root``.

    Raises:
        InputError: If there is none.
    """
    path = Path(study).resolve()
    folder = StudyFolder(path, path.name) if path.is_dir() else StudyFolder.of(output_root, study)
    if not folder.path.is_dir():
        there = [known.name for known in StudyFolder.all_under(output_root)]
        known = ", ".join(there) if there else f"there is none under {output_root}"
        raise InputError(f"study={study}: no such study; known: {known}")
    return folder


def reopen(settings: SearchSettings, folder: StudyFolder) -> Reopened:
    """Read a study.

    Raises:
        InputError: If its storage cannot be read, or the code of its model was edited.
    """
    study = open_study(settings, folder.path, folder.name)
    refuse_edited(study, settings)
    bench = Workbench.build(settings, load_graph(folder.graph))
    progress = StudyProgress(folder.name, bench, SearchStart.prepare(bench, folder.sensitivities))
    progress.add(finished_trials(study))
    progress.tuning = kept_tuning(folder.tuning)
    return Reopened(study, progress, _summary(folder.summary, len(progress.records)))


def _summary(path: Path, trials: int) -> Summary | None:
    try:
        found: Summary = json.loads(path.read_text(encoding="utf-8"))
        return found if sum(found["trials"].values()) == trials else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
