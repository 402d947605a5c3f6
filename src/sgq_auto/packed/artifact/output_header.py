"""What a header says of a model's outputs: the task, the units of numbers, and names."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.runtime.target_units import TargetUnits
from sgq_auto.task import Task

_TASK, _SCALE = "task", "target_scale"


def describe_task(task: Task, units: TargetUnits | None) -> dict[str, Any]:
    """The entries of a task; none for classes of nodes, as before there were others."""
    if task is Task.NODE_CLASSIFICATION:
        return {}
    held = {} if units is None else {_SCALE: {"mean": units.mean, "std": units.std}}
    return {_TASK: task.value, **held}


def parse_task(root: Mapping[str, Any], outputs: int) -> tuple[Task, TargetUnits | None]:
    """Read and check the entries.

    Args:
        root: The header.
        outputs: How wide the model's output is.

    Raises:
        ArtifactError: If the task is unknown, or the units are none of its numbers.
    """
    found = root.get(_TASK, Task.NODE_CLASSIFICATION)
    if not isinstance(found, str) or found not in list(Task):
        raise ArtifactError(f"task is {found!r:.60}; this runtime knows {', '.join(Task)}")
    task, scale = Task(found), root.get(_SCALE)
    if scale is None:
        return task, None
    if not isinstance(scale, dict) or not task.is_regression:
        raise ArtifactError(f"{_SCALE} is for numbers to predict, an object of mean and std")
    mean, std = (_numbers(scale.get(name), name, outputs) for name in ("mean", "std"))
    if min(std) <= 0:
        raise ArtifactError(f"{_SCALE}: std must be above 0")
    return task, TargetUnits(mean, std)


def _numbers(values: Any, name: str, outputs: int) -> tuple[float, ...]:
    good = isinstance(values, list) and len(values) == outputs
    if not good or not all(is_fp32(value) for value in values):
        raise ArtifactError(f"{_SCALE}: {name} must be {outputs} finite numbers")
    return tuple(float(value) for value in values)


def is_fp32(value: Any) -> bool:
    """Whether a value of JSON is a number that fp32 can hold."""
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 3e38


def class_names_fault(names: Sequence[object], num_classes: int) -> str | None:
    """What is wrong with the names of classes, as the rest of a line; ``None`` if nothing is.

    Names are different, not empty, and printable, so that a file cannot steer a terminal.
    """
    if len(names) != num_classes:
        return f"holds {len(names)} names; there are {num_classes} classes"
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            return f"holds {name!r:.60}; a name is printable text of at least one character"
        if name in seen:
            return f"holds {name!r:.60} twice; every class has a name of its own"
        seen.add(name)
    return None
