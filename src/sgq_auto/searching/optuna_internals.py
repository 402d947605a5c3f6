"""The parts of Optuna that are not public and that this project uses: all of them are here.

They were seen to work with :data:`SEEN_TO_WORK`. Another version may change them without notice;
``tests/searching/test_optuna_internals.py`` says which one it changed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.storages.journal._storage import NOT_FOUND_MSG
from optuna.trial import FrozenTrial

SEEN_TO_WORK = "5.0.0"
# What a storage says where a trial or study that was asked for does not exist.
NOT_FOUND = NOT_FOUND_MSG
# The methods of a storage in a database that ask its server once, and may be called again.
DATABASE_CALLS = (
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


def storage_of(study: optuna.Study) -> BaseStorage:
    """The storage that a study is in."""
    return study._storage


def trial_id(trial: optuna.Trial | FrozenTrial) -> int:
    """A trial's identifier in its storage, which is not its number in the study."""
    return trial._trial_id


def trials_as_asked(study: optuna.Study) -> list[FrozenTrial]:
    """A study's trials as they were when this process asked for one: one read for each trial."""
    trials: list[FrozenTrial] = study._get_trials(deepcopy=False, use_cache=True)
    return trials


class ReplayedJournal(JournalStorage):
    """Optuna's storage in a journal, which says where its lines could not be replayed."""

    def _sync_with_backend(self) -> None:
        try:
            super()._sync_with_backend()
        except Exception as error:
            told = self.explained(error, self._replay_result.log_number_read)
            if told is None:
                raise
            raise told from error

    def explained(self, error: Exception, line: int) -> Exception | None:  # noqa: ARG002
        """What to raise instead of an error of reading or replaying; ``None`` for the error.

        Args:
            error: The error.
            line: The last line that was read.
        """
        return None


class ParameterRows(RDBStorage):
    """Optuna's storage in a database, whose rows of parameters may be written together."""

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        row = {
            "trial_id": trial_id,
            "param_name": param_name,
            "param_value": param_value_internal,
            "distribution_json": distribution_to_json(distribution),
        }
        self.set_parameter(row, distribution, previous_distribution)

    def set_parameter(
        self,
        row: Mapping[str, Any],
        distribution: BaseDistribution,
        previous: BaseDistribution | None,
    ) -> None:
        """Write a parameter of a trial; what is called for each one.

        Args:
            row: Its row.
            distribution: Its distribution.
            previous: That of other trials of the study; ``None`` where it is not known.
        """
        name, value = row["param_name"], row["param_value"]
        super()._set_trial_param(row["trial_id"], name, value, distribution, previous)

    def insert_parameters(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the parameters of one trial at once; those that are there already stay.

        Args:
            rows: One or more, of one trial.

        Raises:
            StorageInternalError: If the server cannot be reached.
        """
        with _create_scoped_session(self.scoped_session, True) as session:
            trial_id = rows[0]["trial_id"]
            trial: Any = models.TrialModel.find_or_raise_by_id(trial_id, session)
            self.check_trial_is_updatable(trial_id, trial.state)
            session.execute(sqlalchemy.insert(models.TrialParamModel), [dict(row) for row in rows])


def wrap_database_calls(
    storage: type[RDBStorage], wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Replace every one of :data:`DATABASE_CALLS` in a class by what ``wrap`` makes of it."""
    for name in DATABASE_CALLS:
        setattr(storage, name, wrap(getattr(RDBStorage, name)))
