"""``python -m sgq_auto.compare``: several studies in one picture and one table."""

import sys
import time

from sgq_auto.commands.arguments import answer_about, as_path, parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.text.safe_text import one_line

_USAGE = (
    "python -m sgq_auto.compare RUN [RUN ...] [out=FOLDER] [uri=URI] [output_root=outputs]; "
    "a RUN is an output folder, a multirun folder, a summary.json, a study or an MLflow run ID"
)
_EXPLAINED = """
Lays the fronts of several searches over each other, in a table, a page and a picture; seeds of one
search are a band. It is logged to MLflow as well.

  RUN                   an output folder (outputs/runs/...), a multirun folder, a summary.json, a
                        study's name, or the ID of its run in MLflow; as many as you like
  out=FOLDER            where the files go; none: a new folder under outputs/compare
  uri=URI               the tracking store; none: the one of this folder
  output_root=outputs   where studies are

Example: python -m sgq_auto.compare outputs/sweeps/2026-01-31_12-00-00-000000
"""
_KNOWN = ("out", "uri", "output_root")
_EXPERIMENT = "sgq_auto_comparisons"


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    answer_about(arguments, _USAGE, _EXPLAINED)
    # Folders of a multirun may hold "=" in their names.
    options = [a for a in arguments if "=" in a and not as_path(a).exists()]
    runs = [str(as_path(a)) for a in arguments if a not in options]
    given = parse_arguments(options, _KNOWN, (), _USAGE)
    if not runs:
        raise InputError(f"no runs to compare; usage: {_USAGE}")
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.comparison import (
        Comparison,
        find_summaries,
        log_comparison,
        print_table,
        write_comparison,
    )
    from sgq_auto.reporting import quiet_libraries
    from sgq_auto.tracking import TrackingSettings
    from sgq_auto.tracking.stores import STORE_ERRORS

    quiet_libraries()
    output_root = as_path(given.get("output_root", "outputs"))
    # No run of the comparison is a study's: it has an experiment of its own unless one is chosen.
    settings = TrackingSettings.of({"uri": given.get("uri")}, _EXPERIMENT)
    uri = settings.uri
    comparison = Comparison.of(find_summaries(runs, output_root, uri))
    folder = output_root / "compare" / time.strftime("%Y-%m-%d_%H-%M-%S")
    folder = as_path(given["out"]) if "out" in given else folder
    files = write_comparison(comparison, folder)
    print_table(comparison)
    for path in files:
        print(path)
    try:
        run_id = log_comparison(comparison, files, settings)
        chosen = f" in {uri} ({', '.join(settings.variables)})" if settings.variables else ""
        print(f"MLflow run: {run_id}{chosen}")
    except (*STORE_ERRORS, InputError) as error:  # The files are there.
        reason = one_line(next(iter(str(error).splitlines()), type(error).__name__))
        print(f"sgq-auto: it was not logged to MLflow at {uri} ({reason})", file=sys.stderr)
