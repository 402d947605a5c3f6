"""The Optuna study: how it is made, continued and read."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import hydra.utils
import optuna
from hydra.errors import HydraException
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from sgq_auto.errors import InputError
from sgq_auto.errors.user_code import is_ours
from sgq_auto.searching.samplers import InformedSampler, Knowledge
from sgq_auto.searching.samplers.reproducible_sampler import ReproducibleSampler
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study_attributes import LADDER, START, own_attributes
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.trial_checks import check_study_attrs, check_trial
from sgq_auto.searching.trials.trial_records import TrialRecord, awaits_retry
from sgq_auto.text.passwords import MASK, STORAGE_VARIABLE, reveal
from sgq_auto.text.safe_text import one_line

_FINISHED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


def open_study(settings: SearchSettings, folder: Path, name: str) -> optuna.Study:
    """Create the study, or load the one that is there.

    Raises:
        InputError: If its storage cannot be reached or read, or holds what no search writes.
    """
    with _storage_errors(settings, folder):
        study = new_study(open_storage(settings.storage, folder), name)
    _check(study, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["val_accuracy", settings.objective.value])
    if LADDER not in own_attributes(study.user_attrs):
        study.set_user_attr(LADDER, list(settings.ladder))
    return study


def check_server(settings: SearchSettings, folder: Path) -> None:
    """Reach the database server of a search, if it has one; call it before anything is trained.

    Raises:
        InputError: If it cannot be reached.
    """
    if settings.storage.shared:
        with _storage_errors(settings, folder):
            open_storage(settings.storage, folder)


@contextmanager
def _storage_errors(settings: SearchSettings, folder: Path) -> Iterator[None]:
    """Errors of a storage, in one line."""
    try:
        yield
    except ImportError as error:  # Optuna's own, around that of the driver.
        raise InputError(
            f"storage={settings.storage.kind}: {error.__cause__ or error}; "
            "run: pip install 'sgq-auto[postgresql]'"
        ) from error
    except optuna.exceptions.StorageInternalError as error:
        raise InputError(
            f"storage={settings.storage.kind}: {one_line(error)}{_hint(settings)}"
        ) from error
    except SQLAlchemyError as error:
        raise InputError(f"{folder}: its database cannot be read ({one_line(error)})") from error


def _hint(settings: SearchSettings) -> str:
    """How to give a password that no file keeps."""
    url = settings.storage.url or ""
    if MASK not in url or reveal(url, STORAGE_VARIABLE) != reveal(url):
        return ""
    return f"; passwords are kept in no file: set {STORAGE_VARIABLE} to the whole address"


def _check(study: optuna.Study, folder: Path) -> None:
    """Check all that the storage says of the study; it may come from anybody."""
    where = "the study"
    try:
        check_study_attrs(study.user_attrs)
        for trial in study.get_trials(deepcopy=False):
            where = f"trial {trial.number}"
            check_trial(trial)
    except InputError:
        raise  # Of the storage, which names itself.
    except ValueError as error:
        raise InputError(f"{folder}: {where}: {error}") from error


def new_study(storage: BaseStorage, name: str) -> optuna.Study:
    """The study of this name in a storage: accuracy up, bytes down."""
    return optuna.create_study(
        storage=storage,
        study_name=name,
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )


def enqueue_start(study: optuna.Study, start: Sequence[dict[str, int]]) -> None:
    """Let a study begin with these allocations; those that it has already are not added again."""
    trials = study.get_trials(deepcopy=False)
    there = {trial.user_attrs[START] for trial in trials if START in trial.user_attrs}
    if trials and not there:
        return  # It began otherwise.
    for index, params in enumerate(start):
        if index not in there:
            study.enqueue_trial(params, {START: index})


def finished_trials(study: optuna.Study) -> list[TrialRecord]:
    """Every finished trial, in order; superseded ones, and those to be run again, are left out."""
    return records_of(standing_trials(study))


def records_of(standing: Sequence[FrozenTrial]) -> list[TrialRecord]:
    """The finished ones of all trials that stand, less those to be run again."""
    finished = (trial for trial in standing if trial.state in _FINISHED)
    return [TrialRecord.from_trial(trial) for trial in finished if not awaits_retry(trial)]


def make_sampler(
    settings: SearchSettings,
    knowledge: Knowledge | None = None,
    sign: Callable[[int], None] | None = None,
) -> ReproducibleSampler:
    """The sampler of a search.

    Args:
        settings: The search.
        knowledge: What samplers of this project are told.
        sign: Told of each trial, by the storage's identifier, before it is sampled.

    Raises:
        InputError: If the sampler's class or arguments are wrong.
    """
    try:
        make = hydra.utils.instantiate({"_convert_": "all", **settings.sampler, "_partial_": True})
        inspect.signature(make.func).bind_partial(**make.keywords)
        if isinstance(make.func, type) and issubclass(make.func, InformedSampler):
            make = partial(make, knowledge=knowledge)
        return ReproducibleSampler(make, settings.seed, sign)
    except (HydraException, TypeError, ValueError) as error:
        cause = error.__cause__ or error
        if is_ours(cause) and not isinstance(cause, InputError):
            raise
        reason = " ".join(str(cause).split())
        raise InputError(f"sampler={settings.sampler_name}: {reason}") from error
