"""``python -m sgq_auto.sync``: bring the tracking store up to date with a study."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.command_process import FAILED, end
from sgq_auto.errors import InputError

if TYPE_CHECKING:
    from sgq_auto.tracking import TrackingSettings

_USAGE = "python -m sgq_auto.sync study=NAME [uri=URI] [output_root=outputs]"
_EXPLAINED = """
Brings the tracking store (MLflow) up to date with a study: what it lacks is logged, nothing twice.
The study's pages and plots are written anew as well.

  study=NAME            the study: its name, as a search prints it, or its folder
  uri=URI               the store, like http://HOST:5000; none: the one that the search tracked to
  output_root=outputs   where studies are: the search's output_root

Example: python -m sgq_auto.sync study=NAME uri=http://localhost:5000
"""
_KNOWN = ("study", "uri", "output_root")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE, _EXPLAINED)
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.searching.reopen import reopen
    from sgq_auto.studies import named_study
    from sgq_auto.tracking import MlflowTracker, write_results
    from sgq_auto.tracking.stores import STORE_ERRORS

    settings, folder = named_study(given)
    found = reopen(settings, folder)
    if found.summary is not None:
        write_results(found.progress, found.summary, folder.path)
    tracker = MlflowTracker(_tracking(folder.config, given.get("uri")), folder.path)
    try:
        tracker.open(found.progress)
        tracker.sync(found.progress)
        if found.summary is not None:
            tracker.close(found.progress, found.summary)
    except STORE_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        end(error, f"{tracker.address} failed ({reason})", FAILED)
    state = "" if found.summary else "; its search has not ended"
    trials = len(found.progress.records)
    print(f"{tracker.address} has {trials} trials of {folder.name}{state}")


def _tracking(config: Path, uri: str | None) -> "TrackingSettings":
    from sgq_auto.tracking import TrackingSettings

    try:
        kept = json.loads(config.read_text(encoding="utf-8"))["config"]["tracking"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{config}: it does not say where the study is tracked") from error
    return TrackingSettings.of(kept if uri is None else {**kept, "uri": uri})


if __name__ == "__main__":
    main()
