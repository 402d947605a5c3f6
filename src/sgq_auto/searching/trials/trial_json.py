"""Trials of a study as JSON."""

from datetime import datetime
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.study_attributes import SUPERSEDED


def trial_to_json(trial: FrozenTrial) -> dict[str, Any]:
    """A trial; one that runs is left to whoever runs it, and does not count here."""
    entry = {
        "state": trial.state.name,
        "values": trial.values,
        "start": _iso(trial.datetime_start),
        "end": _iso(trial.datetime_complete),
        "params": trial.params,
        "distributions": {k: distribution_to_json(d) for k, d in trial.distributions.items()},
        "user_attrs": trial.user_attrs,
        "system_attrs": trial.system_attrs,
    }
    if trial.state == TrialState.RUNNING:
        attrs = {**trial.user_attrs, SUPERSEDED: True}
        failed = {"state": TrialState.FAIL.name, "end": entry["start"], "user_attrs": attrs}
        return {**entry, **failed}
    return entry


def trial_from_json(entry: dict[str, Any]) -> FrozenTrial:
    """What :func:`trial_to_json` wrote; the number is its new study's to give.

    Raises:
        ValueError, KeyError, TypeError: If it is no such trial.
    """
    distributions = {k: json_to_distribution(d) for k, d in entry["distributions"].items()}
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=TrialState[entry["state"]],
        value=None,
        values=entry["values"],
        datetime_start=_datetime(entry["start"]),
        datetime_complete=_datetime(entry["end"]),
        params=entry["params"],
        distributions=distributions,
        user_attrs=entry["user_attrs"],
        system_attrs=entry["system_attrs"],
        intermediate_values={},
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _datetime(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
