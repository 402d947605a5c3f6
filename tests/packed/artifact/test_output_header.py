"""What a header says of the task: checked, and read as it was written."""

from typing import Any

import pytest

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.artifact.output_header import describe_task, parse_task
from sgq_auto.packed.runtime.target_units import TargetUnits
from sgq_auto.task import Task

_UNITS = TargetUnits((1.5, -2.0), (0.5, 3.0))


@pytest.mark.parametrize(
    ("task", "units"),
    [(task, None) for task in Task]
    + [(Task.NODE_REGRESSION, _UNITS), (Task.GRAPH_REGRESSION, _UNITS)],
)
def test_a_task_comes_back(task: Task, units: TargetUnits | None) -> None:
    held = describe_task(task, units)
    read = {
        k: {n: list(v) for n, v in e.items()} if isinstance(e, dict) else e for k, e in held.items()
    }
    assert parse_task(read, 2) == (task, units)


def test_classes_of_nodes_are_said_as_before_there_were_other_tasks() -> None:
    assert describe_task(Task.NODE_CLASSIFICATION, None) == {}
    assert parse_task({}, 7) == (Task.NODE_CLASSIFICATION, None)


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ({"task": "guess"}, "task is 'guess'"),
        ({"task": 3}, "task is 3"),
        ({"target_scale": {"mean": [0], "std": [1]}}, "for numbers to predict"),
        ({"task": "node_multilabel", "target_scale": {"mean": [0, 0], "std": [1, 1]}}, "numbers"),
        ({"task": "node_regression", "target_scale": [1, 2]}, "object of mean and std"),
        ({"task": "node_regression", "target_scale": {"mean": [0, 0]}}, "std must be 2"),
        ({"task": "node_regression", "target_scale": {"mean": [0], "std": [1, 1]}}, "mean must be"),
        (
            {"task": "node_regression", "target_scale": {"mean": [0, 1e39], "std": [1, 1]}},
            "mean must be 2 finite",
        ),
        (
            {"task": "node_regression", "target_scale": {"mean": [0, 0], "std": [1, 0]}},
            "above 0",
        ),
    ],
)
def test_a_forged_task_is_refused(root: dict[str, Any], words: str) -> None:
    with pytest.raises(ArtifactError, match=r"^[^\n]*$") as caught:
        parse_task(root, 2)
    assert words in str(caught.value)
