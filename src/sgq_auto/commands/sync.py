"""``python -m sgq_auto.sync``: bring the tracking store up to date with a study."""

from pathlib import Path
from typing import TYPE_CHECKING

from sgq_auto.commands.arguments import parse_arguments, run_command, takes_own_code
from sgq_auto.commands.command_process import FAILED, end
from sgq_auto.errors import InputError
from sgq_auto.text.passwords import hide
from sgq_auto.text.safe_text import one_line

if TYPE_CHECKING:
    from sgq_auto.tracking import TrackingSettings

_USAGE = "python -m sgq_auto.sync study=NAME [uri=URI] [output_root=outputs] [own_code=false]"
_EXPLAINED = """
Brings the tracking store (MLflow) up to date with a study: what it lacks is logged, nothing twice.
The study's pages and plots are written anew as well.

  study=NAME            the study: its name, as a search prints it, or its folder
  uri=URI               the store, like http://HOST:5000; none: the one that the search tracked to
  output_root=outputs   where studies are: the search's output_root
  own_code=false        true: the study may call code that its files name although no search of
                        yours made it here; for files that you trust

Example: python -m sgq_auto.sync study=NAME uri=http://localhost:5000
"""
_KNOWN = ("study", "uri", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE, _EXPLAINED)
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.commands.named_study import named_study
    from sgq_auto.reporting import write_results
    from sgq_auto.searching.studies.reopen_study import reopen
    from sgq_auto.tracking import MlflowTracker
    from sgq_auto.tracking.stores import STORE_ERRORS

    settings, folder = named_study(given)
    found = reopen(settings, folder)
    if found.summary is not None:
        write_results(found.progress, found.summary, folder.path)
    own_code = takes_own_code(given)
    tracking = _tracking(folder.config, given.get("uri"), own_code=own_code)
    tracker = MlflowTracker(tracking, folder.path)
    for note in tracker.notes:
        print(note, flush=True)
    try:
        tracker.open(found.progress)
        tracker.sync(found.progress)
        if found.summary is not None:
            tracker.close(found.progress, found.summary)
    except STORE_ERRORS as error:
        reason = one_line(next(iter(str(error).splitlines()), type(error).__name__))
        end(error, f"{tracker.address} failed ({reason})", FAILED)
    state = "" if found.summary else "; its search has not ended"
    trials = len(found.progress.records)
    print(f"{tracker.address} has {trials} trials of {folder.name}{state}")


def _tracking(config: Path, uri: str | None, *, own_code: bool) -> "TrackingSettings":
    """Where ``uri=`` says, else where the search was told to, else MLflow's variables, else there.

    A search that was told nothing may have been tracked elsewhere, or not at all. A place that
    somebody else's study names has to be given.
    """
    from sgq_auto.searching.studies.kept_config import KeptConfig
    from sgq_auto.tracking import TrackingSettings
    from sgq_auto.tracking.tracking_settings import URI, default_store, local_artifacts

    kept = KeptConfig.read(config, own_code=own_code)
    tracking = dict(kept.config["tracking"])
    overrides = list(kept.overrides or ())
    told = {name for name in tracking for each in overrides if f"tracking.{name}=" in each}
    by_variables = TrackingSettings.of({})
    if URI in by_variables.variables and "uri" not in told:
        tracking["uri"] = None
    if set(by_variables.variables) - {URI} and not {"experiment", "experiment_id"} & told:
        tracking |= {"experiment": None, "experiment_id": None}
    if not kept.is_own:
        if uri is None and tracking["uri"] not in (None, hide(default_store())):
            raise InputError(
                f"{config}: no search of yours on this machine made this study, and it is tracked "
                f"at {one_line(tracking['uri']):.200}; say where it shall be: add uri=URI"
            )
        tracking["artifacts"] = str(local_artifacts())
    return TrackingSettings.of(tracking if uri is None else {**tracking, "uri": uri})
