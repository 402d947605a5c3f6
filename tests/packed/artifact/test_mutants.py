"""Mutated artifacts do no harm; ``benchmarks/mutated_artifacts.py`` tries 20,000 of them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import Outcome, outcome_of

from sgq_auto.packed.backends.compiled_engine import CompiledEngine

_MUTANTS = 60
_OVERRUN = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from guarded_kernels import guarded_engine

kernels = guarded_engine(at_end=True).kernels
rowptr, values, out = np.array([0, int(sys.argv[2])]), np.ones(8), np.empty(1)
kernels.row_sums(rowptr, 1, values, out)
print(out[0])
"""


def test_mutants_are_refused_or_mean_the_same_to_every_engine(tmp_path: Path) -> None:
    found = {seed: outcome_of(seed, tmp_path) for seed in range(_MUTANTS)}
    assert {seed: each for seed, each in found.items() if not each.is_fine} == {}
    outcomes = [each.outcome for each in found.values()]
    assert outcomes.count(Outcome.ACCEPTED) > _MUTANTS // 4
    assert outcomes.count(Outcome.REFUSED) > _MUTANTS // 4


def test_an_engine_that_is_wrong_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = CompiledEngine.weighted_sum
    monkeypatch.setattr(CompiledEngine, "weighted_sum", lambda *given: 1.01 * true(*given))
    outcomes = [outcome_of(seed, tmp_path).outcome for seed in range(12)]
    assert Outcome.DIFFERENCE in outcomes
    assert Outcome.FAULT not in outcomes


def test_a_fault_while_loading_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise IndexError("index 3 is out of bounds")

    monkeypatch.setattr("sgq_auto.packed.artifact.model_reader.program_of", broken)
    found = [outcome_of(seed, tmp_path) for seed in range(16)]
    assert "IndexError: index 3 is out of bounds" in [each.message for each in found]


@pytest.mark.system
@pytest.mark.parametrize(("entries", "status"), [(8, 0), (9, -signal.SIGSEGV)])
def test_a_read_beyond_an_array_ends_the_process(entries: int, status: int) -> None:
    folder = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", _OVERRUN, folder, str(entries)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == status
