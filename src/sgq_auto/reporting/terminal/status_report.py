"""A study's status, printed."""

from rich.console import Console

from sgq_auto.reporting.terminal.console import output_console, print_words
from sgq_auto.reporting.terminal.tables import Column, print_columns
from sgq_auto.reporting.written_units import kib
from sgq_auto.searching.search_progress import StudyProgress
from sgq_auto.searching.studies.study_status import Status


def print_status(status: Status, progress: StudyProgress) -> None:
    """Print workers, rate, front and failures, each with the traceback of its first trial."""
    console = output_console()
    bench = progress.bench
    if bench.nothing_fits is not None:
        print_words(console, f"{progress.study_name}: {bench.nothing_fits}; no trial is run")
        return
    print_words(console, f"{progress.study_name}: {_pace(status)}")
    if bench.warning is not None:
        print_words(console, bench.warning)
    for trial in status.running:
        worker = trial.worker
        name = (
            "a worker" if worker is None else f"{worker.host.split(':')[0]}, process {worker.pid}"
        )
        print_words(console, f"  trial {trial.number} runs on {name}, for {trial.seconds:.0f} s")
    _print_front(console, progress)
    for reason, count in status.failures.items():
        print_words(console, f"{count} failed: {reason}")
        if reason in status.tracebacks:
            for line in status.tracebacks[reason].rstrip().splitlines():
                console.print(f"    {line}")


def _pace(status: Status) -> str:
    done = f"{status.finished} of {status.n_trials} trials"
    left = status.seconds_left
    if left is not None:
        return f"{done}, {60 * (status.trials_per_second or 0):.1f} a minute, {_span(left)} left"
    if status.finished < status.n_trials:
        return f"{done}; no command runs it now; the same search command continues it"
    return f"{done}; {'confirmed' if status.ended else 'its front is not confirmed yet'}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _print_front(console: Console, progress: StudyProgress) -> None:
    if not progress.front:
        limits = " within the budget" if progress.bench.settings.budget.is_given else ""
        print_words(console, f"No trial{limits} so far, so there is no front")
        return
    console.print(f"Front so far, hypervolume {progress.hypervolume:.3f}")
    front, metric = progress.front, progress.bench.graph.metric
    print_columns(
        console,
        [
            Column("trial", [str(point.number) for point in front]),
            Column(
                f"validation {metric.words}", [metric.text(point.val_accuracy) for point in front]
            ),
            Column("size", [kib(point.num_bytes) for point in front]),
            Column("smaller", [f"{progress.full_bytes / point.num_bytes:.1f}x" for point in front]),
        ],
    )
