"""A database server that may be away for a while."""

import logging
import random
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from sgq_auto.searching.optuna_internals import ParameterRows, wrap_database_calls
from sgq_auto.text.safe_text import one_line

_logger = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE = wait_exponential(multiplier=0.2, max=5.0)
# Several commands make the tables of a fresh database at once: one succeeds, the others try again.
_RACES = Retrying(
    retry=retry_if_exception_type((IntegrityError, ProgrammingError)),
    stop=stop_after_attempt(10),
    wait=wait_random(0.1, 0.5),
    reraise=True,
)
# A connection whose other end vanished is found out within half a minute, on both ends.
CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


class PatientStorage(ParameterRows):
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
        self._held_back: list[Mapping[str, Any]] = []  # Rows of parameters.
        engine_kwargs: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("postgresql"):
            engine_kwargs["connect_args"] = CONNECTION
        super().__init__(url, engine_kwargs=engine_kwargs)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        """Finish a trial, with patience.

        A try whose answer was lost may have finished the trial. The next try then finds it
        finished as it was to be, which is success and no error.
        """
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

    def set_parameter(
        self,
        row: Mapping[str, Any],
        distribution: BaseDistribution,
        previous: BaseDistribution | None,
    ) -> None:
        """Keep a parameter back until the next call, which writes all of a trial together.

        The first parameter of a name in a study is written at once: another worker may have given
        it another distribution, and only the database knows.
        """
        if previous is None:  # Others of this study may have had another one.
            first = super().set_parameter
            self.patiently(lambda: first(row, distribution, None))
            return
        check_distribution_compatibility(previous, distribution)
        self._held_back.append(row)

    def _write_held_back(self) -> None:
        rows, self._held_back = self._held_back, []
        if not rows:
            return
        try:
            # Rows that are there already, as the answer to a first try was lost, are no error.
            self.insert_parameters(rows)
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
        try:
            return _RACES(PatientStorage, url, patience_seconds)
        except SQLAlchemyError as error:
            raise StorageInternalError(_reason(error)) from error

    return _patiently(open_once, opening_seconds)


def _patiently(call: Callable[[], T], seconds: float) -> T:
    def warn_once(state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if error and state.attempt_number == 1:
            _logger.warning(
                "the study's database cannot be reached (%s); trying for %.0f s",
                _reason(error.__cause__ or error),
                seconds,
            )

    retrying = Retrying(
        retry=retry_if_exception_type(StorageInternalError),
        stop=stop_before_delay(seconds),
        # Not all workers at once, when the server is back.
        wait=lambda state: _PAUSE(state) * random.uniform(0.5, 1.0),
        before_sleep=warn_once,
        reraise=True,
    )
    return retrying(call)


def _reason(error: BaseException) -> str:
    return one_line(next(iter(str(error).splitlines()), "")) or type(error).__name__


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        return self.patiently(lambda: method(self, *args, **kwargs))

    return call


wrap_database_calls(PatientStorage, _patient)
