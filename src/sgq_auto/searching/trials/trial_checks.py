"""What a file may say of a trial: types and ranges of all that is read of it later.

A study may come from anybody. Values are checked once, where they are read, so that whatever
computes with them need not doubt them.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.study_attributes import (
    CONFIRMING,
    DEATHS,
    ESTIMATE,
    LOST,
    ORIGIN,
    RECORD,
    REPEAT,
    REPLACES,
    SEARCH_SECONDS,
    START,
    SUPERSEDED,
    WALL_SECONDS,
    WORKER,
    own_attributes,
)
from sgq_auto.searching.trials.trial_records import Measurement, Origin

Check = Callable[[Any], bool]

# As far as 64-bit floats tell whole numbers apart.
_LARGEST = 1 << 53
_VALUES = 2
# Study attributes that are reckoned with: see ``summarise`` and ``lead``.
_STUDY_NUMBERS = (SEARCH_SECONDS, WALL_SECONDS, CONFIRMING)
_PROCESSES = 1 << 31


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0 on, and no larger than floats tell apart."""
    return type(value) is int and 0 <= value < _LARGEST


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return type(value) in (int, float) and abs(value) < math.inf and -_LARGEST < value < _LARGEST


def is_score(value: Any) -> bool:
    """Whether a value is what a metric may be: no metric is above 1; errors are below 0."""
    return is_number(value) and value <= 1


def check_attrs(attrs: Any) -> None:
    """Check a trial's user attributes; those that nothing here reads may be anything.

    Raises:
        ValueError: One line that names the attribute.
    """
    _check_attrs(attrs, _ATTRS, "a trial")


def check_study_attrs(attrs: Any) -> None:
    """Check a study's user attributes; those that nothing here reads may be anything.

    Raises:
        ValueError: One line that names the attribute.
    """
    _check_attrs(attrs, dict.fromkeys(_STUDY_NUMBERS, is_number), "a study")


def _check_attrs(attrs: Any, checks: Mapping[str, Callable[[Any], bool]], whose: str) -> None:
    if not isinstance(attrs, dict):
        raise ValueError(f"attributes of {whose} are no JSON object")
    for name, value in own_attributes(attrs).items():
        if name in checks and not checks[name](value):
            raise ValueError(f"{name} of {whose} holds {shown(value)}")


def check_values(values: Any) -> None:
    """Check a trial's values: none, or two finite numbers.

    Raises:
        ValueError: If they are something else.
    """
    if values is not None and not _are_values(values):
        raise ValueError(f"values of a trial are {shown(values)}")


def check_system_attrs(attrs: Any) -> None:
    """Check a trial's system attributes.

    Raises:
        ValueError: If the parameters that it was enqueued with are none.
    """
    if not isinstance(attrs, dict):
        raise ValueError("attributes of a trial are no JSON object")
    fixed = attrs.get("fixed_params", {})
    if not isinstance(fixed, dict) or not all(map(is_count, fixed.values())):
        raise ValueError(f"fixed_params of a trial holds {shown(fixed)}")


def check_journal_entry(entry: Any) -> None:
    """Check what a line of a journal says of a trial; Optuna checks the rest when it replays it.

    Raises:
        ValueError: One line that says what is wrong.
    """
    if not isinstance(entry, dict) or type(entry.get("op_code")) is not int:
        raise ValueError("it is no operation")
    if not isinstance(entry.get("worker_id"), str):
        raise ValueError("it does not say who wrote it")
    if "user_attr" in entry:
        (check_attrs if "trial_id" in entry else check_study_attrs)(entry["user_attr"])
    check_attrs(entry.get("user_attrs", {}))
    for name in ("system_attr", "system_attrs"):
        if name == "system_attrs" or "trial_id" in entry:
            check_system_attrs(entry.get(name, {}))
    check_values(entry.get("values"))
    params = entry.get("params", {})
    if not isinstance(params, dict) or not all(map(is_number, params.values())):
        raise ValueError(f"params of a trial hold {shown(params)}")
    if "param_value_internal" in entry and not is_number(entry["param_value_internal"]):
        raise ValueError(f"a parameter is {shown(entry['param_value_internal'])}")
    if "state" in entry:
        TrialState(entry["state"])


def check_trial(trial: FrozenTrial) -> None:
    """Check a trial as a storage gives it.

    Raises:
        ValueError: One line that says what is wrong.
    """
    check_attrs(trial.user_attrs)
    attrs = own_attributes(trial.user_attrs)
    check_system_attrs(trial.system_attrs)
    check_values(trial.values)
    if not all(map(is_count, trial.params.values())):
        raise ValueError(f"params of a trial hold {shown(trial.params)}")
    needed = {TrialState.COMPLETE: (RECORD,), TrialState.PRUNED: (RECORD, ESTIMATE)}
    for name in needed.get(trial.state, ()):
        if name not in attrs:
            raise ValueError(f"it has ended, and has no {name}")
    measured = trial.state in needed and SUPERSEDED not in attrs
    if measured and not _is_measurement_of(attrs[RECORD]):
        raise ValueError(f"{RECORD} of a trial holds no measurement")
    if trial.state == TrialState.COMPLETE and trial.values is None:
        raise ValueError("it is complete, and has no values")


def shown(value: Any) -> str:
    """A value in a message: short, and in printable characters alone."""
    try:
        return f"{value!a:.60}"
    except ValueError:  # A number of too many digits.
        return "a number that is too large"


def _are_values(values: Any) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) == _VALUES
        and all(is_number(value) for value in values)
    )


def _is_record(value: Any) -> bool:
    """A measurement, or why there is none."""
    if not isinstance(value, dict) or not is_number(value.get("worker_seconds", 0.0)):
        return False
    if not isinstance(value.get("failure"), str | None):
        return False
    return not value.keys() & Measurement.__dataclass_fields__.keys() or _is_measurement_of(value)


def _is_measurement_of(record: Mapping[str, Any]) -> bool:
    """Whether a record has a measurement, and it is sound."""
    return record.keys() >= Measurement.__dataclass_fields__.keys() and _is_measurement(record)


def _is_measurement(value: Mapping[str, Any]) -> bool:
    footprint, curve = value["footprint"], value["curve"]
    original, forecast = value["duplicate_of"], value["forecast"]
    return (
        is_score(value["val_accuracy"])
        and isinstance(footprint, dict)
        and all(map(is_count, footprint.values()))
        and is_number(value["average_bits"])
        and is_number(value["finetune_seconds"])
        and isinstance(curve, list | tuple)
        and all(map(_is_look, curve))
        and (original is None or is_count(original))
        and (forecast is None or is_number(forecast))
    )


def _is_look(value: Any) -> bool:
    """An epoch and the accuracy after it."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and is_count(value[0])
        and is_number(value[1])
    )


def _is_worker(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("host", "worker"))
        and is_count(value.get("pid"))
        and 0 < value["pid"] < _PROCESSES
    )


def _is_origin(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != Origin.__dataclass_fields__.keys():
        return False
    numbers = all(is_count(value[name]) for name in ("trial", "seed", "repeat"))
    return numbers and isinstance(value["study"], str)


# The attributes that are read of a trial.
_ATTRS: dict[str, Check] = {
    RECORD: _is_record,
    REPEAT: is_count,
    DEATHS: is_count,
    START: is_count,
    REPLACES: is_count,
    LOST: lambda value: isinstance(value, str),
    ESTIMATE: _are_values,
    ORIGIN: _is_origin,
    WORKER: _is_worker,
}
