"""The workers of one command: started, watched, replaced, until the study has its trials."""

from collections.abc import Callable, Sequence

import optuna
from optuna.trial import TrialState

from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.space.search_space import SearchSpace
from sgq_auto.searching.study.study import finished_trials
from sgq_auto.searching.trials.trial_claims import requeue, retire, retry_lost
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.searching.trials.worker_heartbeat import Watch, WorkerIdentity
from sgq_auto.searching.workers.launchers import Launcher

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 20.0
# Who stops a command waits for its summary: what takes longer is run again, some day.
_STOPPED_SECONDS = 5.0
# Workers that may die one after another, for each there is to be, before a search gives up.
_FRUITLESS_DEATHS = 3


class WorkerError(RuntimeError):
    """The workers died without finishing a trial."""


def run_workers(
    settings: SearchSettings,
    launcher: Launcher,
    study: optuna.Study,
    space: SearchSpace,
    on_progress: Callable[[Sequence[TrialRecord]], None],
) -> None:
    """Run trials until the study has ``n_trials``.

    A few times a second ``on_progress`` is called with the finished trials.

    Workers that died are replaced, and their trials are run again once. Where other commands run
    the study too, theirs are watched as well.

    Raises:
        WorkerError: If workers keep dying before they finish anything.
        KeyboardInterrupt: After running trials were given a moment to finish.
    """
    fruitless, done = 0, len(finished_trials(study))
    watch = Watch(settings.storage.grace_seconds)
    try:
        while done < settings.n_trials:
            launcher.fill(min(settings.workers, settings.n_trials - done))
            ended = launcher.wait(_POLL_SECONDS)
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            lost = watch.lost(running, ended)
            for trial in running:
                if trial.number in lost:
                    retire(study, trial, space, lost[trial.number])
            retry_lost(study)
            finished = finished_trials(study)
            before, done = done, len(finished)
            fruitless = 0 if done > before else fruitless + len(ended)
            if fruitless > _FRUITLESS_DEATHS * settings.workers:
                reasons = ", ".join(sorted(set(ended.values())))
                raise WorkerError(f"workers ended ({reasons}) before they finished a trial")
            on_progress(finished)
        launcher.dismiss(_GRACE_SECONDS)
    except KeyboardInterrupt:
        launcher.dismiss(_STOPPED_SECONDS)
        _requeue_unfinished(study, space, launcher)
        raise
    finally:
        launcher.dismiss(0)


def _requeue_unfinished(study: optuna.Study, space: SearchSpace, launcher: Launcher) -> None:
    """Run again, some day, what dismissed workers had not finished."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = WorkerIdentity.of(trial)
        if worker is not None and worker.worker in launcher.members:
            requeue(study, trial, space)
