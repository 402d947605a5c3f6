"""The main job: pre-train, search, confirm, summarise."""

import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import optuna

from sgq_auto.graphs import PreparedData
from sgq_auto.processes.fork_server import process_context
from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.confirming.recommendation import Answer, confirm_front, pack_recommended
from sgq_auto.searching.kernel_compilation import compiling_noted
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import StudyProgress, Summary, Watcher, announce, say
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.make_study_folder import make_folder
from sgq_auto.searching.study.own_code import keep_sources
from sgq_auto.searching.study.study import (
    check_server,
    enqueue_start,
    finished_trials,
    make_sampler,
    open_study,
)
from sgq_auto.searching.study.study_folder import StudyFolder, settings_in
from sgq_auto.searching.study.study_leader import Lead, lead_of, leads_to_the_end
from sgq_auto.searching.study_attributes import (
    CONFIRMING,
    SEARCH_SECONDS,
    WALL_SECONDS,
    own_attributes,
)
from sgq_auto.searching.summary.summarise import summarise
from sgq_auto.searching.summary.summary_entries import write_summary
from sgq_auto.searching.trials.trial_claims import requeue_stale
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.searching.tuning import keep_tuning, kept_tuning, tuned, untuned_note
from sgq_auto.searching.workers.launchers import Launcher, check_launcher, launcher_for
from sgq_auto.searching.workers.worker_pool import WorkerError, run_workers
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
    settings, data, folder = _prepared(settings, data, watchers)
    lead = lead_of(settings.storage, folder.path, folder.name)
    try:
        return _run_led(settings, data, folder, lead, watchers, summary_path)
    finally:
        lead.release()


def _prepared(
    settings: SearchSettings, data: PreparedData, watchers: Sequence[Watcher]
) -> tuple[SearchSettings, PreparedData, StudyFolder]:
    """Settings and data, with full precision tuned, and the folder of their study."""
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
            say(watchers, untuned_note(settings, data.graph))
            # What is not there is said before anything is trained.
            reach = partial(_reach, settings, given)
            settings, data, tuning = tuned(settings, data, on_stage, reach)
    folder = make_folder(settings, data)
    if tuning is not None:
        say(watchers, tuning.line)
        keep_tuning(tuning, folder.tuning)
        if folder != given and given.path.is_dir():
            say(watchers, f"{given.name} began without tuning; with pretrain.tune=off it goes on")
    return settings_in(folder, settings), data, folder


def _reach(settings: SearchSettings, folder: StudyFolder) -> None:
    """Reach the database and what runs the workers."""
    check_server(settings, folder.path)
    check_launcher(settings)


def _may_fit(settings: SearchSettings, data: PreparedData) -> bool:
    """Whether anything fits the budget; what does not costs no training.

    Raises:
        InputError: If the search is for a device and the model cannot be written in C, or sizes
            are asked for at a graph that cannot be.
    """
    of_device, given = settings.objective.of_device, settings.footprint.size is not None
    if not (settings.budget.limits_size or of_device or given):
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
    led = _LedStudy(study, folder, lead, progress, watchers)
    interrupted, failure = led.answered(launcher, confirming)
    if not progress.leads:
        for watcher in watchers:
            watcher.left(progress)
        return Outcome(None, interrupted, failure)
    _add_seconds(study, WALL_SECONDS, time.perf_counter() - began)
    summary = led.summed_up(failure, summary_path)
    for watcher in watchers:
        watcher.finished(progress, summary)
    return Outcome(summary, interrupted, failure)


@dataclass(frozen=True)
class _LedStudy:
    """A study that is open, on its way to an answer.

    Attributes:
        study: The Optuna study.
        folder: Its files.
        lead: Says whether this command leads it.
        progress: Its finished trials.
        watchers: Told about everything that happens.
        answer: What the confirm stage has found so far.
    """

    study: optuna.Study
    folder: StudyFolder
    lead: Lead
    progress: StudyProgress
    watchers: Sequence[Watcher]
    answer: Answer = field(default_factory=Answer)

    def answered(
        self, launcher: Launcher | None, confirming: int | None
    ) -> tuple[bool, str | None]:
        """Run the trials that are missing, and confirm.

        Args:
            launcher: Starts workers; ``None`` where the study has its trials.
            confirming: The total that was being confirmed when this command began.

        Returns:
            Whether a person ended it early, and what did; the answer holds what was found by then.
        """
        try:
            self._answer(launcher, confirming)
        except KeyboardInterrupt:
            when = "while" if self.answer.results else "before"
            self.answer.artifact = "the search was interrupted"
            return True, f"the search was interrupted {when} its front was confirmed"
        except (WorkerError, BrokenExecutor, DivergedError) as error:
            return False, f"{type(error).__name__}: {error}"
        return False, None

    def _answer(self, launcher: Launcher | None, confirming: int | None) -> None:
        progress, settings = self.progress, self.progress.bench.settings
        for watcher in self.watchers:
            watcher.started(progress)
        # Without a first trial nothing fits: that is an answer, and costs no training.
        if not progress.start.allocations:
            return
        if launcher is not None:
            _run_trials(settings, launcher, self.study, self.lead, progress, self.watchers)
        progress.leads = leads_to_the_end(self.lead, self.study, settings, confirming)
        if progress.leads:
            confirm_front(self.folder, progress, self.answer, announce(self.watchers))
            announce(self.watchers)(Stage("packing"))
            self.answer.artifact = pack_recommended(progress.bench, self.folder, self.answer)

    def summed_up(self, failure: str | None, summary_path: Path | None) -> Summary:
        """Write the summary, into the study's folder as well."""
        if failure is not None and self.answer.artifact is None:
            # The points that were confirmed stay confirmed.
            bench = self.progress.bench
            self.answer.artifact = pack_recommended(bench, self.folder, self.answer)
        self.progress.add(finished_trials(self.study))
        summary = summarise(self.study, self.progress, self.answer, failure)
        for path in filter(None, (summary_path, self.folder.summary)):
            write_summary(summary, path)
        return summary


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
        say(watchers, bench.sized)
        start = SearchStart.prepare(bench, folder.sensitivities, on_stage)
    if not settings.storage.shared:
        requeue_stale(study, bench.space)
    enqueue_start(study, start.allocations)
    progress = StudyProgress(folder.name, bench, start)
    progress.tuning = kept_tuning(folder.tuning)
    progress.add(finished_trials(study))
    return progress


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
