"""One study from several of the same space: every measurement counts, the front is that of all.

An allocation that was measured in two studies has two measurements in the merged one, as if it had
been repeated there: other seeds are what repeats have.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.errors import InputError
from sgq_auto.graphs.store import load_graph
from sgq_auto.node_files.node_ids import rename_study
from sgq_auto.searching.confirming.recommendation import Answer, confirm_front, pack_recommended
from sgq_auto.searching.search_progress import Summary, Watcher, announce
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.studies.reopen_study import reopen
from sgq_auto.searching.studies.study_archive import local_config
from sgq_auto.searching.study.own_code import keep_sources, kept_sources
from sgq_auto.searching.study.study import new_study, open_study
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study_attributes import (
    ORIGIN,
    RECORD,
    REPEAT,
    SEARCH_SECONDS,
    WALL_SECONDS,
    own_attributes,
)
from sgq_auto.searching.summary.summarise import summarise
from sgq_auto.searching.summary.summary_entries import write_summary
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.trial_json import trial_from_json, trial_to_json
from sgq_auto.searching.trials.trial_records import Origin, TrialRecord
from sgq_auto.settings.storage_settings import StorageSettings


@dataclass(frozen=True)
class Part:
    """One of the studies that are merged."""

    settings: SearchSettings
    folder: StudyFolder

    @cached_property
    def study(self) -> optuna.Study:
        """The part's Optuna study, opened when it is first read."""
        return open_study(self.settings, self.folder.path, self.folder.name)

    @property
    def space(self) -> dict[str, Any]:
        """What must be equal for measurements to compare."""
        settings = self.settings
        return {
            "graph": load_graph(self.folder.graph).fingerprint,
            "held-out nodes": _hash_of(self.folder.held_out),
            "unseen graphs": _hash_of(self.folder.unseen),
            "model": settings.model.key,
            "weights of the model": _hash_of(self.folder.checkpoint),
            "code of the model": kept_sources(self.study),
            "granularity": settings.granularity,
            "ladder": settings.ladder,
            "objective": settings.objective,
            "ranges": settings.ranges,
            **settings.training,
        }


def merge_studies(parts: Sequence[Part], output_root: Path) -> StudyFolder:
    """Make the merged study under ``output_root``, whole or not at all; one there is kept.

    Failed trials and those that took another one's result over are left behind.

    Raises:
        InputError: If there are fewer than two studies, or two that do not compare.
        OSError: If nothing can be written.
    """
    _check(parts)
    trials = [trial for part in parts for trial in _measured(part)]
    if not trials:
        raise InputError("studies: none of them has a trial that ran to its end")
    folder = _folder_of(parts, len(trials), output_root)
    if folder.path.exists():
        return folder
    scratch = StudyFolder(folder.path.with_name(f".{folder.name}.tmp"), folder.name)
    shutil.rmtree(scratch.path, ignore_errors=True)
    scratch.path.mkdir(parents=True)
    for name in ("graph", "held_out", "unseen", "sensitivities", "tuning", "checkpoint"):
        source: Path = getattr(parts[0].folder, name)
        if source.exists():
            shutil.copyfile(source, getattr(scratch, name))
    if parts[0].folder.weights.is_dir():
        shutil.copytree(parts[0].folder.weights, scratch.weights)
    if parts[0].folder.node_ids.exists():
        rename_study(parts[0].folder.node_ids, scratch.node_ids, scratch.name)
    scratch.keep_config(_config(parts[0], len(trials), output_root))
    _fill(scratch, parts, trials)
    scratch.path.replace(folder.path)
    return folder


def _hash_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def _check(parts: Sequence[Part]) -> None:
    if len({part.folder.path for part in parts}) < 2:
        raise InputError("studies: give two or more, NAME,NAME")
    first = parts[0].space
    for part in parts[1:]:
        unequal = [name for name, value in part.space.items() if value != first[name]]
        if unequal:
            raise InputError(
                f"studies: {part.folder.name} and {parts[0].folder.name} differ in "
                f"{', '.join(unequal)}; only studies of the same space can be merged"
            )


def _measured(part: Part) -> list[FrozenTrial]:
    """Trials with a measurement in full of their own; each says where it is from."""
    found = []
    for trial in standing_trials(part.study, (TrialState.COMPLETE,)):
        record = TrialRecord.from_trial(trial)
        if not record.duplicate:
            origin = Origin(part.folder.name, record.number, part.settings.seed, record.repeat)
            measured = own_attributes(trial.user_attrs)[RECORD]
            attrs = {RECORD: measured, ORIGIN: asdict(record.origin or origin)}
            entry = {**trial_to_json(trial), "user_attrs": attrs, "system_attrs": {}}
            found.append(trial_from_json(entry))
    return found


def _fill(folder: StudyFolder, parts: Sequence[Part], trials: Sequence[FrozenTrial]) -> None:
    """Add the trials to a new journal, the later ones of an allocation as its repeats."""
    study = new_study(open_storage(StorageSettings(), folder.path), folder.name)
    seen: Counter[tuple[tuple[str, int], ...]] = Counter()
    for trial in sorted(trials, key=lambda t: t.datetime_complete or datetime.max):
        # In one order, whatever each storage kept them in.
        trial.params = dict(sorted(trial.params.items()))
        allocation = tuple(trial.params.items())
        trial.user_attrs[REPEAT] = seen[allocation]
        seen[allocation] += 1
        study.add_trial(trial)
    attributes = [own_attributes(part.study.user_attrs) for part in parts]
    for name in (SEARCH_SECONDS, WALL_SECONDS):
        study.set_user_attr(name, sum(own.get(name, 0.0) for own in attributes))
    keep_sources(study, kept_sources(parts[0].study))


def _folder_of(parts: Sequence[Part], trials: int, output_root: Path) -> StudyFolder:
    """The folder of a merged study, named after what it is made of."""
    key = json.dumps([sorted(part.folder.name for part in parts), trials])
    settings = parts[0].settings
    stem = f"merged-{settings.dataset}-{settings.model.name}-{settings.granularity}"
    name = f"{stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    return StudyFolder.of(output_root, name)


def _config(part: Part, trials: int, output_root: Path) -> dict[str, Any]:
    """The first study's configuration, of as many trials as there are."""
    own = {"n_trials": trials, "output_root": str(output_root)}
    return local_config(part.settings.config, own)


def conclude(settings: SearchSettings, folder: StudyFolder, watchers: Sequence[Watcher]) -> Summary:
    """Confirm the front of a merged study, pack the recommended point and write the summary.

    Raises:
        DivergedError: If full precision diverges on a fresh seed.
    """
    found = reopen(settings, folder)
    for watcher in watchers:
        watcher.started(found.progress)
    answer = Answer()
    confirm_front(folder, found.progress, answer, announce(watchers))
    answer.artifact = pack_recommended(found.progress.bench, folder, answer)
    summary = summarise(found.study, found.progress, answer, None)
    write_summary(summary, folder.summary)
    for watcher in watchers:
        watcher.finished(found.progress, summary)
    return summary
