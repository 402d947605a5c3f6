"""Hydra's multirun of the search command."""

import pickle
from pathlib import Path

import cloudpickle
import pytest

from command_runs import QUICK, SYNTHETIC, infer, run, summaries, tracked
from sgq_auto.commands import search
from sgq_auto.packed import load

pytestmark = pytest.mark.system


@pytest.mark.slow
def test_multirun_makes_a_study_and_a_packed_model_for_each_job(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", *SYNTHETIC, *QUICK, "n_trials=3", "model=sage,gin", "seed=1")
    assert done.returncode == 0, done.stderr
    found = summaries(tmp_path)
    assert [(s["model"], s["seed"]) for s in found] == [("sage", 1), ("gin", 1)]
    assert len({s["study"] for s in found}) == 2
    assert tracked(tmp_path) == (2, 6)
    for summary in found:
        artifact = summary["recommended"]["artifact_path"]
        predicted = infer(tmp_path, f"artifact={artifact}", "nodes=0,599")
        assert predicted.returncode == 0, predicted.stderr
        assert "node 599: class " in predicted.stdout
        assert load(artifact).footprint().stored_bytes == summary["recommended"]["stored_bytes"]


def test_launchers_of_multiruns_can_send_the_task_elsewhere() -> None:
    # As they do where the command is the main module: by value.
    cloudpickle.register_pickle_by_value(search)
    try:
        assert callable(pickle.loads(cloudpickle.dumps(search._task)))
    finally:
        cloudpickle.unregister_pickle_by_value(search)
