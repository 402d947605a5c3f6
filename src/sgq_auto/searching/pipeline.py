"""The main job: pre-train, search, confirm, summarise."""

import errno
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna

from sgq_auto.atomic_file import whole_file
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.store import load_graph, load_labels, save_graph, save_labels
from sgq_auto.node_files.node_ids import save_node_ids
from sgq_auto.processes.fork_server import process_context
from sgq_auto.searching.attributes import CONFIRMING, SEARCH_SECONDS, WALL_SECONDS, own_attributes
from sgq_auto.searching.compiling import compiling_noted
from sgq_auto.searching.confirming.recommendation import Answer, confirm_front, pack_recommended
from sgq_auto.searching.measuring.start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.own_model.trained_model import save_weights
from sgq_auto.searching.progress import StudyProgress, Summary, Watcher, announce, say
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.stages import Stage
from sgq_auto.searching.study.folder import StudyFolder, settings_in
from sgq_auto.searching.study.leader import Lead, lead_of, leads_to_the_end
from sgq_auto.searching.study.own_code import keep_sources
from sgq_auto.searching.study.study import (
    check_server,
    enqueue_start,
    finished_trials,
    make_sampler,
    open_study,
)
from sgq_auto.searching.summary.entries import write_summary
from sgq_auto.searching.summary.summarise import summarise
from sgq_auto.searching.trials.records import TrialRecord
from sgq_auto.searching.trials.trial_claims import requeue_stale
from sgq_auto.searching.tuning import keep_tuning, kept_tuning, tuned, untuned_note
from sgq_auto.searching.workers.launchers import Launcher, check_launcher, launcher_for
from sgq_auto.searching.workers.pool import WorkerError, run_workers
from sgq_auto.training import DivergedError


@dataclass(frozen=True)
class Outcome:
    """How a search ended.

    Attributes:
        summary: What it found; ``None`` where another command leads the study.
        interrupted: Whether Ctrl-C ended it.
        failure: What else ended it early, or ``None``.
    """

    summary: Summary | None
    interrupted: bool
    failure: str | None


def run_search(
    settings: SearchSettings,
    data: PreparedData,
    watchers: Sequence[Watcher],
    summary_path: Path | None,
) -> Outcome:
    """Run a search, or continue the one that is there, and write ``summary.json``.

    Where commands on several machines share a study, one leads: it tracks, confirms and writes the
    summary. The others run trials, and leave when there are none left.

    Ctrl-C ends the search early with a summary of what there is.

    Args:
        settings: What to search.
        data: The prepared graph and its held-out labels.
        watchers: Told about everything that happens.
        summary_path: Where the summary goes, beside the study's folder.

    Raises:
        InputError: If the output folder cannot be written, or the study is being run already.
        StorageInternalError: If the study's database stayed away.
    """
    # A model that cannot be made or run, or a sampler, fails before a file is made.
    with compiling_noted(announce(watchers)) as on_stage:
        on_stage(Stage("checking the model"))
        read, data = data, settings.model.in_order(data)
        for note in data.notes[len(read.notes) :]:
            say(watchers, note)
        make_sampler(settings)
        process_context()
        given, tuning = StudyFolder.of(settings.output_root, settings.study_name(data)), None
        if _may_fit(settings, data):
            say(watchers, untuned_note(settings))
            # What is not there is said before anything is trained.
            reach = partial(_reach, settings, given)
            settings, data, tuning = tuned(settings, data, on_stage, reach)
    folder = _make_folder(settings, data)
    if tuning is not None:
        say(watchers, tuning.line)
        keep_tuning(tuning, folder.tuning)
        if folder != given and given.path.is_dir():
            say(watchers, f"{given.name} began without tuning; with pretrain.tune=off it goes on")
    settings = settings_in(folder, settings)
    lead = lead_of(settings.storage, folder.path, folder.name)
    try:
        return _run_led(settings, data, folder, lead, watchers, summary_path)
    finally:
        lead.release()


def _reach(settings: SearchSettings, folder: StudyFolder) -> None:
    """Reach the database and what runs the workers."""
    check_server(settings, folder.path)
    check_launcher(settings)


def _may_fit(settings: SearchSettings, data: PreparedData) -> bool:
    """Whether anything fits the budget; what does not costs no training."""
    if settings.budget.max_kib is None:
        return True
    return Workbench.untrained(settings, data.graph).nothing_fits is None


def _run_led(
    settings: SearchSettings,
    data: PreparedData,
    folder: StudyFolder,
    lead: Lead,
    watchers: Sequence[Watcher],
    summary_path: Path | None,
) -> Outcome:
    began = time.perf_counter()
    # First of all: the storage may have to be installed, or not be there.
    study = open_study(settings, folder.path, folder.name)
    leads, confirming = lead.take(), own_attributes(study.user_attrs).get(CONFIRMING)
    folder.keep_config(settings.config)
    # An engine that is not there is said before anything is trained; an end needs none.
    ended = len(finished_trials(study)) >= settings.n_trials
    launcher = None if ended else launcher_for(settings, folder)
    keep_sources(study, settings.model.sources)
    progress = _begin(settings, data, folder, study, watchers)
    progress.leads = leads
    answer = Answer()
    interrupted, failure = False, None
    try:
        for watcher in watchers:
            watcher.started(progress)
        # Without a first trial nothing fits: that is an answer, and costs no training.
        if progress.start.allocations:
            if launcher is not None:
                _run_trials(settings, launcher, study, lead, progress, watchers)
            progress.leads = leads_to_the_end(lead, study, settings, confirming)
            if progress.leads:
                confirm_front(folder, progress, answer, announce(watchers))
                announce(watchers)(Stage("packing"))
                answer.artifact = pack_recommended(progress.bench, folder, answer)
    except KeyboardInterrupt:
        interrupted = True
        when = "while" if answer.results else "before"
        failure = f"the search was interrupted {when} its front was confirmed"
        answer.artifact = "the search was interrupted"
    except (WorkerError, BrokenExecutor, DivergedError) as error:
        failure = f"{type(error).__name__}: {error}"
    if not progress.leads:
        for watcher in watchers:
            watcher.left(progress)
        return Outcome(None, interrupted, failure)
    _add_seconds(study, WALL_SECONDS, time.perf_counter() - began)
    if failure is not None and answer.artifact is None:
        # The points that were confirmed stay confirmed.
        answer.artifact = pack_recommended(progress.bench, folder, answer)
    summary = _sum_up(study, folder, progress, answer, failure, summary_path)
    for watcher in watchers:
        watcher.finished(progress, summary)
    return Outcome(summary, interrupted, failure)


def _begin(
    settings: SearchSettings,
    data: PreparedData,
    folder: StudyFolder,
    study: optuna.Study,
    watchers: Sequence[Watcher],
) -> StudyProgress:
    """Bring the study to where its workers can go on."""
    with compiling_noted(announce(watchers)) as on_stage:
        bench = Workbench.build(settings, data.graph, on_stage=on_stage)
        say(watchers, bench.warning)
        start = SearchStart.prepare(bench, folder.sensitivities, on_stage)
    if not settings.storage.shared:
        requeue_stale(study, bench.space)
    enqueue_start(study, start.allocations)
    progress = StudyProgress(folder.name, bench, start)
    progress.tuning = kept_tuning(folder.tuning)
    progress.add(finished_trials(study))
    return progress


def _sum_up(
    study: optuna.Study,
    folder: StudyFolder,
    progress: StudyProgress,
    answer: Answer,
    failure: str | None,
    summary_path: Path | None,
) -> Summary:
    """Write the summary, into the study's folder as well."""
    progress.add(finished_trials(study))
    summary = summarise(study, progress, answer, failure)
    for path in filter(None, (summary_path, folder.summary)):
        write_summary(summary, path)
    return summary


def _make_folder(settings: SearchSettings, data: PreparedData) -> StudyFolder:
    folder = StudyFolder.of(settings.output_root, settings.study_name(data))
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if not _has_graph(folder, data):
            save_graph(data.graph, folder.graph)
            save_labels(data.held_out, folder.held_out)
        _keep_ids(folder, data)
        _keep_checkpoint(folder, settings, data.graph)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise  # The command says that, and how to go on.
        raise InputError(
            f"output_root={settings.output_root}: {folder.path} cannot be written "
            f"({error.strerror or error}); give a folder that can"
        ) from error
    return folder


def _keep_ids(folder: StudyFolder, data: PreparedData) -> None:
    """Keep what the nodes are called now; like names of classes, that is no part of the study."""
    if data.node_ids is None:
        folder.node_ids.unlink(missing_ok=True)
        return
    with whole_file(folder.node_ids) as scratch:
        save_node_ids(data.node_ids, scratch, folder.name)


def _keep_checkpoint(folder: StudyFolder, settings: SearchSettings, graph: Graph) -> None:
    """Keep the weights that the user has trained: their file may go or change.

    Nothing else can lie there, if it is whole: the study's name depends on them.
    """
    if settings.model.checkpoint is None:
        return
    try:
        if folder.checkpoint.exists():
            settings_in(folder, settings).model.trained(graph)
            return
    except InputError:
        pass  # Damaged: it is written again.
    save_weights(settings.model.trained(graph), folder.checkpoint)


def _has_graph(folder: StudyFolder, data: PreparedData) -> bool:
    """Whether the folder has the study's graph, whole, its classes called as they are now.

    Nothing else of the graph can differ: the study's name depends on it.
    """
    if not (folder.graph.exists() and folder.held_out.exists()):
        return False
    try:
        graph = load_graph(folder.graph)
        load_labels(folder.held_out, graph)
        return graph.class_names == data.graph.class_names
    except InputError:
        return False  # Damaged: it is made again.


def _run_trials(
    settings: SearchSettings,
    launcher: Launcher,
    study: optuna.Study,
    lead: Lead,
    progress: StudyProgress,
    watchers: Sequence[Watcher],
) -> None:
    def on_progress(finished: Sequence[TrialRecord]) -> None:
        new = progress.add(finished)
        if new:
            # The leader may have gone; or this one was cut off for a while, and leads no more.
            progress.leads = lead.take()
        for watcher in watchers:
            watcher.trials_finished(progress, new)

    start = time.perf_counter()
    before = len(progress.records)
    try:
        run_workers(settings, launcher, study, progress.bench.space, on_progress)
    finally:
        if progress.leads and len(progress.records) > before:
            _add_seconds(study, SEARCH_SECONDS, time.perf_counter() - start)


def _add_seconds(study: optuna.Study, name: str, seconds: float) -> None:
    # Kept with the study, so that a search that was continued reports all its time.
    study.set_user_attr(name, own_attributes(study.user_attrs).get(name, 0.0) + seconds)
