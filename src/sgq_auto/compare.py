"""``python -m sgq_auto.compare``: several studies in one picture and one table."""

import sys
import time
from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.searching.command_lines import masked
from sgq_auto.tracking import TrackingSettings, quiet_libraries
from sgq_auto.tracking.comparison import (
    Comparison,
    find_summaries,
    log_comparison,
    print_table,
    write_comparison,
)

_USAGE = (
    "python -m sgq_auto.compare RUN [RUN ...] [out=FOLDER] [uri=URI] [output_root=outputs]; "
    "a RUN is an output folder, a multirun folder, a summary.json, a study or an MLflow run ID"
)
_KNOWN = ("out", "uri", "output_root")
_EXPERIMENT = "sgq_auto_comparisons"


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    # Folders of a multirun may hold "=" in their names.
    options = [a for a in arguments if "=" in a and not Path(a).exists()]
    runs = [a for a in arguments if a not in options]
    given = parse_arguments(options, _KNOWN, (), _USAGE)
    if not runs:
        raise InputError(f"no runs to compare; usage: {_USAGE}")
    quiet_libraries()
    output_root = Path(given.get("output_root", "outputs"))
    # No run of the comparison is a study's: it has an experiment of its own unless one is chosen.
    settings = TrackingSettings.of({"uri": given.get("uri")}, _EXPERIMENT)
    uri = settings.uri
    comparison = Comparison.of(find_summaries(runs, output_root, uri))
    folder = output_root / "compare" / time.strftime("%Y-%m-%d_%H-%M-%S")
    folder = Path(given["out"]) if "out" in given else folder
    files = write_comparison(comparison, folder)
    print_table(comparison)
    for path in files:
        print(path)
    try:
        run_id = log_comparison(comparison, files, settings)
        chosen = f" ({', '.join(settings.variables)})" if settings.variables else ""
        print(f"MLflow run: {run_id}{f' in {masked(uri)}{chosen}' if chosen else ''}")
    except Exception as error:  # Whatever a store throws: the files are there.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        place = f"MLflow at {masked(uri)}"
        print(f"sgq-auto: it was not logged to {place} ({reason})", file=sys.stderr)


if __name__ == "__main__":
    main()
