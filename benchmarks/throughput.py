"""Trials a second of one study in PostgreSQL with 8 workers and an objective of 10 ms.

``here``: each worker is a process that does all that a worker of a search does, but waits 10 ms
where that one trains. ``optuna``: as many processes of ``study.optimize`` with its random sampler,
the same space and objective. The database, which ``--url`` names, should be empty.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory

import optuna
from filelock import FileLock
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

from problem import load_problem, scratch_overrides
from report import Row, argument_parser, finish, timed
from sgq_auto.graphs.store import load_graph, save_graph
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.processes.fork_server import process_context
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.measuring.early_stopping import DominationStopper
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.study import finished_trials, open_study
from sgq_auto.searching.trials.trial_records import Measurement
from sgq_auto.searching.workers.trial_runner import TrialRunner
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

_SECONDS = 0.01
_WORKERS = 8
Work = Callable[[SearchSettings, Path, str, Barrier], None]


class WaitingWorkbench(Workbench):
    """Waits instead of training; accuracies follow from the bits."""

    def measure(
        self,
        allocation: BitAllocation,
        repeat: int = 0,  # noqa: ARG002
        stopper: DominationStopper | None = None,  # noqa: ARG002
    ) -> Measurement:
        """See the base class."""
        time.sleep(_SECONDS)
        bits = self.footprints.average_bits(allocation)
        footprint = self.footprints.packed(allocation).as_dict()
        return Measurement(bits / 40, footprint, bits, ((1, bits / 40),), _SECONDS)


def main() -> None:
    """Measure both sides in turns."""
    options = _arguments()
    trials, repetitions = (64, 1) if options.quick else (800, 3)
    rates: dict[str, list[float]] = {"here": [], "optuna": []}
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        problem = load_problem(
            *(f"sampler={options.sampler}", f"n_trials={trials}", "remeasuring=0"),
            *scratch_overrides(scratch)[:1],
        )
        storage = StorageSettings(StorageKind.POSTGRESQL, options.url)
        settings = replace(problem.settings, storage=storage)
        save_graph(problem.data.graph, folder / "graph.safetensors")
        Workbench.build(settings, problem.data.graph)  # Full precision is in the cache from now on.
        for _ in range(repetitions):
            for name, work in (("here", _work_here), ("optuna", _work_of_optuna)):
                rates[name].append(trials / _seconds(work, settings, folder))
    rows: list[Row] = [
        {"side": name, "trials": trials, "trials_per_second": statistics.median(values)}
        for name, values in rates.items()
    ]
    finish(rows, options.json)


def _seconds(work: Work, settings: SearchSettings, folder: Path) -> float:
    """Until every trial of a new study is finished, from when every worker is set up."""
    name = f"throughput-{time.time_ns()}"
    study = open_study(settings, folder, name)
    context = process_context()
    # Passed twice: when every worker is set up, and when every trial is finished.
    turn = context.Barrier(_WORKERS + 1)
    for _ in range(_WORKERS):
        context.Process(target=work, args=(settings, folder, name, turn), daemon=True).start()
    turn.wait()
    seconds = timed(turn.wait)
    finished = study.get_trials(states=(TrialState.COMPLETE,))
    assert len(finished) >= settings.n_trials, f"{len(finished)} of {settings.n_trials} trials"
    return seconds


def _work_here(settings: SearchSettings, folder: Path, name: str, turn: Barrier) -> None:
    parts = vars(Workbench.build(settings, load_graph(folder / "graph.safetensors")))
    bench = WaitingWorkbench(**parts)
    start = SearchStart.prepare(bench, folder / "sensitivities.json")
    study = open_study(settings, folder, name)
    runner = TrialRunner(bench, study, start)
    asking = FileLock(folder / "asking.lock", poll_interval=0.005)
    turn.wait()
    while True:
        with asking:
            trial = runner.ask()
        if trial is not None:
            runner.run(trial)
        elif len(finished_trials(study)) >= settings.n_trials:
            turn.wait()
            return


def _work_of_optuna(settings: SearchSettings, folder: Path, name: str, turn: Barrier) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bench = Workbench.build(settings, load_graph(folder / "graph.safetensors"))
    space = bench.space.distributions()
    assert settings.storage.url is not None
    study = optuna.load_study(
        storage=settings.storage.url, study_name=name, sampler=optuna.samplers.RandomSampler()
    )

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        for group, distribution in space.items():
            trial._suggest(group, distribution)
        time.sleep(_SECONDS)
        return 0.5, float(bench.num_bytes(trial.params))

    turn.wait()
    study.optimize(objective, callbacks=[MaxTrialsCallback(settings.n_trials, states=None)])
    turn.wait()


def _arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--url", required=True, help="postgresql+psycopg://USER@HOST/DATABASE")
    parser.add_argument("--sampler", default="random", help="a sampler of conf/sampler")
    return parser.parse_args()


if __name__ == "__main__":
    main()
