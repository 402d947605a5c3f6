"""Samplers against each other: hypervolume after so many trials, on real fine-tuning.

Every side has the same pre-trained weights, the same first trials (uniform bits and what the
sensitivities propose, unless seeding is switched off) and the same measurements: a trial is
fine-tuned once and recorded, so that re-runs are cheap. Stock samplers run every trial to its end
and repeat none. A hypervolume counts first measurements of trials that ran to their end; trials
that are stopped or repeated count as trials and add nothing to it.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.figure
import optuna
import torch

from problem import load_problem
from recorded import RecordedWorkbench
from report import Row, finish
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.space.pareto_front import pareto_front
from sgq_auto.searching.study.study import (
    enqueue_start,
    finished_trials,
    open_study,
)
from sgq_auto.searching.trials.trial_claims import requeue_stale
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.searching.workers.trial_runner import TrialRunner

PROBLEMS = {
    "gcn-cora": 5,
    "gat-citeseer": 5,
    "agnn-pubmed": 3,
    "gcn-amazon_computers": 3,
}
_MARKS = (20, 50, 100, 200)


@dataclass(frozen=True)
class Side:
    """One way to search.

    Attributes:
        sampler: File of the sampler group.
        n_trials: Trials of its study.
        overrides: What is switched off.
        exact_bytes: Whether the sampler is told the sizes.
    """

    sampler: str
    n_trials: int
    overrides: tuple[str, ...] = ("early_stopping=false", "remeasuring=0")
    exact_bytes: bool = True


SIDES = {
    "tpe": Side("tpe", 200),
    "tpe_multivariate": Side("tpe_multivariate", 100),
    "nsga2": Side("nsga2", 100),
    "gp": Side("gp", 100),
    "random": Side("random", 100),
    "abs_paper": Side("abs_paper", 100),
    "abs": Side("abs", 100, ()),
    "abs, 200 trials": Side("abs", 200, ()),
    "abs, sizes predicted": Side("abs", 100, (), exact_bytes=False),
    "abs, no seeding": Side("abs", 100, ("seeding=0",)),
    "abs, no stopping": Side("abs", 100, ("early_stopping=false",)),
    "abs, no re-measuring": Side("abs", 100, ("remeasuring=0",)),
}


@dataclass(frozen=True)
class Result:
    """What one study reached.

    Attributes:
        hypervolumes: After each trial.
        epochs_saved: Share of the epochs that early stopping saved.
    """

    hypervolumes: tuple[float, ...]
    epochs_saved: float


def main() -> None:
    """Run the chosen studies, or continue them, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed of GCN on Cora, 20 trials")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--cache", type=Path, default=Path("outputs/benchmarks/samplers"))
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), help="like gcn-cora")
    parser.add_argument("--seeds", nargs="*", type=int, help="these seeds instead of all")
    parser.add_argument("--sides", nargs="*", default=list(SIDES), help="like tpe abs")
    parser.add_argument("--picture", type=Path, help="draw the curves to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sides = {name: SIDES[name] for name in options.sides}
    if options.quick:
        sides = {name: replace(side, n_trials=20) for name, side in sides.items()}
        options.problems, options.seeds = ["gcn-cora"], [0]
    results = {
        (problem, name): [
            _study(problem, seed, name, side, options.cache)
            for seed in (options.seeds or range(PROBLEMS[problem]))
        ]
        for problem in options.problems
        for name, side in sides.items()
    }
    finish([_row(*key, found) for key, found in results.items()], options.json)
    if options.picture:
        _draw(results, options.picture)


def _study(problem: str, seed: int, name: str, side: Side, cache: Path) -> Result:
    model, dataset = problem.split("-", 1)
    settings = [f"model={model}", f"dataset={dataset}", f"seed={seed}", f"output_root={cache}"]
    loaded = load_problem(
        *settings, f"sampler={side.sampler}", f"n_trials={side.n_trials}", *side.overrides
    )
    bench = RecordedWorkbench.open(loaded, cache / "trials")
    folder = cache / "studies" / f"{problem}-seed{seed}-{name.replace(', ', '-').replace(' ', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    start = SearchStart.prepare(bench, folder / "sensitivities.json")
    told = start.knowledge if side.exact_bytes else replace(start.knowledge, sizes=None)
    study = open_study(bench.settings, folder, loaded.settings.fingerprint(loaded.data)[:8])
    requeue_stale(study, bench.space)
    enqueue_start(study, start.allocations)
    runner = TrialRunner(bench, study, start, told)
    while (trial := runner.ask()) is not None:
        runner.run(trial)
    return _result(bench, study)


def _result(bench: RecordedWorkbench, study: optuna.Study) -> Result:
    records = finished_trials(study)
    hypervolumes = []
    reached: list[TrialRecord] = []
    for record in records:
        if record.complete and not record.repeat:
            reached = pareto_front([*reached, record])
        hypervolumes.append(bench.frame.hypervolume(reached))
    trained = [r.measurement.curve[-1][0] for r in records if r.measurement and not r.duplicate]
    return Result(
        tuple(hypervolumes), 1 - sum(trained) / (len(trained) * bench.settings.finetune.epochs)
    )


def _row(problem: str, name: str, results: Sequence[Result]) -> Row:
    row: Row = {"problem": problem, "side": name, "seeds": len(results)}
    for mark in _MARKS:
        values = sorted(r.hypervolumes[mark - 1] for r in results if len(r.hypervolumes) >= mark)
        row[f"mean@{mark}"] = f"{statistics.fmean(values):.4f}" if values else None
        row[f"seeds@{mark}"] = f"{values[0]:.4f}-{values[-1]:.4f}" if values else None
    row["epochs_saved"] = statistics.fmean(r.epochs_saved for r in results)
    return row


def _draw(results: dict[tuple[str, str], list[Result]], path: Path) -> None:
    """Mean hypervolume over trials, one panel a problem; the band of ABS spans its seeds."""
    problems = list(dict.fromkeys(problem for problem, _ in results))
    figure = matplotlib.figure.Figure(figsize=(11, 7), dpi=130, layout="constrained")
    for axes, problem in zip(figure.subplots(2, 2).flat, problems, strict=False):
        for name, side in SIDES.items():
            found = results.get((problem, name))
            if not found or name.startswith("abs,"):
                continue
            curves = list(zip(*(r.hypervolumes for r in found), strict=True))
            means = [statistics.fmean(values) for values in curves]
            trials = range(1, len(means) + 1)
            width = 2.2 if side.sampler == "abs" else 1.0
            (line,) = axes.plot(trials, means, label=name, lw=width)
            if side.sampler == "abs":
                spread = [[f(values) for values in curves] for f in (min, max)]
                axes.fill_between(trials, *spread, alpha=0.12, color=line.get_color(), lw=0)
        reached = [r.hypervolumes for (p, _), runs in results.items() if p == problem for r in runs]
        axes.set_ylim(min(h[13] for h in reached) - 0.002, max(h[-1] for h in reached) + 0.001)
        axes.set_xlim(10, 200)
        axes.set_title(f"{problem}, {len(results[problem, 'abs'])} seeds", fontsize=10)
        axes.set_xlabel("trials")
        axes.set_ylabel("hypervolume")
        axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


if __name__ == "__main__":
    main()
