"""A study's status, printed."""

import textwrap

from rich.table import Table

from sgq_auto.searching.progress import StudyProgress
from sgq_auto.searching.status import Status
from sgq_auto.tracking.console import output_console


def print_status(status: Status, progress: StudyProgress) -> None:
    """Print workers, rate, front and failures, each with the traceback of its first trial."""
    console = output_console()
    console.print(f"{progress.study_name}: {_pace(status)}")
    for trial in status.running:
        worker = trial.worker
        name = (
            "a worker" if worker is None else f"{worker.host.split(':')[0]}, process {worker.pid}"
        )
        console.print(f"  trial {trial.number} runs on {name}, for {trial.seconds:.0f} s")
    console.print(_front(progress))
    for reason, count in status.failures.items():
        console.print(f"{count} failed: {reason}")
        if reason in status.tracebacks:
            console.print(textwrap.indent(status.tracebacks[reason].rstrip(), "    "))


def _pace(status: Status) -> str:
    done = f"{status.finished} of {status.n_trials} trials"
    left = status.seconds_left
    if left is not None:
        return f"{done}, {60 * (status.trials_per_second or 0):.1f} a minute, {_span(left)} left"
    if status.finished < status.n_trials:
        return f"{done}; nobody runs it, the same command goes on"
    return f"{done}; {'confirmed' if status.ended else 'its front is not confirmed yet'}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _front(progress: StudyProgress) -> Table:
    table = Table(title=f"Front so far, hypervolume {progress.hypervolume:.3f}")
    for heading in ("trial", "validation accuracy", "KiB", "smaller"):
        table.add_column(heading, justify="right")
    for point in progress.front:
        table.add_row(
            str(point.number),
            f"{100 * point.val_accuracy:.1f} %",
            f"{point.num_bytes / 1024:,.1f}",
            f"{progress.full_bytes / point.num_bytes:.1f}x",
        )
    return table
