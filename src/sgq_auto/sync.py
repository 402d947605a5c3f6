"""``python -m sgq_auto.sync``: bring the tracking store up to date with a study."""

import json
import sys
from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.searching.reopen import reopen
from sgq_auto.studies import named_study
from sgq_auto.tracking import MlflowTracker, TrackingSettings, write_results
from sgq_auto.tracking.settings import URI

_USAGE = "python -m sgq_auto.sync study=NAME [uri=URI] [output_root=outputs]"
_KNOWN = ("study", "uri", "output_root")
_STORE_FAILED = 1


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE)
    settings, folder = named_study(given)
    found = reopen(settings, folder)
    if found.summary is not None:
        write_results(found.progress, found.summary, folder.path)
    tracker = MlflowTracker(_tracking(folder.config, given.get("uri")), folder.path)
    for note in tracker.notes:
        print(note, flush=True)
    try:
        tracker.open(found.progress)
        tracker.sync(found.progress)
        if found.summary is not None:
            tracker.close(found.progress, found.summary)
    except Exception as error:  # Whatever a store throws.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"sgq-auto: {tracker.address} failed ({reason})", file=sys.stderr)
        sys.exit(_STORE_FAILED)
    state = "" if found.summary else "; its search has not ended"
    trials = len(found.progress.records)
    print(f"{tracker.address} has {trials} trials of {folder.name}{state}")


def _tracking(config: Path, uri: str | None) -> TrackingSettings:
    """Where ``uri=`` says, else where the search was told to, else MLflow's variables, else there.

    A search that was told nothing may have been tracked elsewhere, or not at all.
    """
    try:
        kept = json.loads(config.read_text())
        tracking, overrides = dict(kept["config"]["tracking"]), kept.get("overrides") or []
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{config}: it does not say where the study is tracked") from error
    told = {name for name in tracking for each in overrides if f"tracking.{name}=" in each}
    by_variables = TrackingSettings.of({})
    if URI in by_variables.variables and "uri" not in told:
        tracking["uri"] = None
    if set(by_variables.variables) - {URI} and not {"experiment", "experiment_id"} & told:
        tracking |= {"experiment": None, "experiment_id": None}
    return TrackingSettings.of(tracking if uri is None else {**tracking, "uri": uri})


if __name__ == "__main__":
    main()
