"""``python -m sgq_auto.sync``: bring the tracking store up to date with a study."""

import json
import sys
from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.searching.reopen import reopen
from sgq_auto.studies import named_study
from sgq_auto.tracking import MlflowTracker, TrackingSettings, write_results

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
    try:
        kept = json.loads(config.read_text())["config"]["tracking"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{config}: it does not say where the study is tracked") from error
    return TrackingSettings.of(kept if uri is None else {**kept, "uri": uri})


if __name__ == "__main__":
    main()
