"""A database server that may be away for a while."""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import sqlalchemy
from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from sgq_auto.text.safe_text import one_line

_logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
# Tries to open a database whose tables another command is making.
_RACES = 10
# A connection whose other end vanished is found out within half a minute, on both ends.
CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_RETRIED = (
    "create_new_study",
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "_create_new_trial",
    "get_trial_id_from_study_id_trial_number",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial",
    "_get_trials",
)


class PatientStorage(RDBStorage):
    """Optuna's storage in a database, whose calls are repeated while the server cannot be reached.

    A call whose answer was lost may have been carried out. Where that matters: a trial made twice
    is one that nobody runs, and is missed like that of a dead worker; a trial that was finished
    the first time is found finished as it was to be.

    The parameters of a trial are written together, before anything else is read or written: over a
    network, one by one they would take longer than all the rest.

    Args:
        url: Database URL.
        patience_seconds: How long to go on trying.

    Raises:
        StorageInternalError: By any call, if the server stayed away.
    """

    def __init__(self, url: str, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self._held_back: list[dict[str, Any]] = []  # Rows of parameters.
        engine_kwargs: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("postgresql"):
            engine_kwargs["connect_args"] = CONNECTION
        super().__init__(url, engine_kwargs=engine_kwargs)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        """See the base class."""
        tries = 0

        def set_state() -> bool:
            nonlocal tries
            tries += 1
            try:
                return super(PatientStorage, self).set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if tries > 1 and self.get_trial(trial_id).state == state:
                    return True
                raise

        return self.patiently(set_state)

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        if previous_distribution is None:  # Others of this study may have had another one.
            arguments = (trial_id, param_name, param_value_internal, distribution, None)
            self.patiently(lambda: RDBStorage._set_trial_param(self, *arguments))
            return
        check_distribution_compatibility(previous_distribution, distribution)
        self._held_back.append(
            {
                "trial_id": trial_id,
                "param_name": param_name,
                "param_value": param_value_internal,
                "distribution_json": distribution_to_json(distribution),
            }
        )

    def _write_held_back(self) -> None:
        rows, self._held_back = self._held_back, []
        if not rows:
            return
        try:
            # Rows that are there already, as the answer to a first try was lost, are no error.
            with _create_scoped_session(self.scoped_session, True) as session:
                trial_id = rows[0]["trial_id"]
                trial: Any = models.TrialModel.find_or_raise_by_id(trial_id, session)
                self.check_trial_is_updatable(trial_id, trial.state)
                session.execute(sqlalchemy.insert(models.TrialParamModel), rows)
        except StorageInternalError:
            self._held_back = rows
            raise

    def patiently(self, call: Callable[[], T]) -> T:
        """The result of ``call``, tried again while the server is away."""

        def write_and_call() -> T:
            self._write_held_back()
            return call()

        return _patiently(write_and_call, self.patience_seconds)


def open_patiently(url: str, patience_seconds: float, *, opening_seconds: float) -> PatientStorage:
    """Open a :class:`PatientStorage`, which makes its tables where there are none.

    Args:
        url: Database URL.
        patience_seconds: How long its calls go on trying.
        opening_seconds: How long to go on trying to open it.

    Raises:
        StorageInternalError: If the server cannot be reached, or refuses.
    """

    def open_once() -> PatientStorage:
        for attempt in range(_RACES):
            try:
                return PatientStorage(url, patience_seconds)
            except (IntegrityError, ProgrammingError) as error:
                # Several commands make the tables of a fresh database at once: one succeeds.
                if attempt == _RACES - 1:
                    raise StorageInternalError(_reason(error)) from error
                time.sleep(random.uniform(0.1, 0.5))
            except SQLAlchemyError as error:
                raise StorageInternalError(_reason(error)) from error
        raise AssertionError

    return _patiently(open_once, opening_seconds)


def _patiently(call: Callable[[], T], seconds: float) -> T:
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except StorageInternalError as error:
            if time.monotonic() + pause > deadline:
                raise
            if pause == _FIRST_PAUSE_SECONDS:
                _logger.warning(
                    "the study's database cannot be reached (%s); trying for %.0f s",
                    _reason(error.__cause__ or error),
                    seconds,
                )
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _reason(error: BaseException) -> str:
    return one_line(next(iter(str(error).splitlines()), "")) or type(error).__name__


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        return self.patiently(lambda: method(self, *args, **kwargs))

    return call


for _name in _RETRIED:
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))
