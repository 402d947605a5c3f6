"""``python -m sgq_auto.export``: a study as one file, or one of its trials packed."""

from pathlib import Path
from typing import TYPE_CHECKING

from sgq_auto.commands.arguments import as_path, parse_arguments, run_command
from sgq_auto.errors import InputError

if TYPE_CHECKING:
    from sgq_auto.searching import SearchSettings
    from sgq_auto.searching.study.study_folder import StudyFolder

_USAGE = (
    "python -m sgq_auto.export study=NAME [trial=17] [out=PATH] [output_root=outputs] "
    "[own_code=false]"
)
_EXPLAINED = """
Packs a trial of a study as one file that `python -m sgq_auto.infer` predicts with; without a trial,
puts the whole study into one file that `python -m sgq_auto.restore` takes in elsewhere.

  study=NAME            the study: its name, as a search prints it, or its folder
  trial=17              the number of the trial to pack; none: the whole study
  out=PATH              the file to write; none: beside the study for a trial, else NAME.zip here
  output_root=outputs   where studies are: the search's output_root
  own_code=false        true: the study may call code that its files name although no search of
                        yours made it here; for files that you trust

Example: python -m sgq_auto.export study=NAME trial=17 out=small.safetensors
"""
_KNOWN = ("study", "trial", "out", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE, _EXPLAINED)
    if "trial" in given and not given["trial"].isdecimal():
        raise InputError(f"trial={given['trial']}: it must be the number of a trial")
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.commands.named_study import named_study
    from sgq_auto.searching.confirming.pack_trial import pack_trial

    settings, folder = named_study(given)
    out = as_path(given["out"]) if "out" in given else None
    if "trial" in given:
        what, path = "Artifact", pack_trial(settings, folder, int(given["trial"]), out)
    else:
        what, path = "Study", _export_study(settings, folder, out)
    print(f"{what}: {path} ({path.stat().st_size / 1024:,.1f} KiB)")


def _export_study(settings: "SearchSettings", folder: "StudyFolder", out: Path | None) -> Path:
    from sgq_auto.searching.studies.study_archive import write_bundle

    path = out or Path(f"{folder.name}.zip")
    write_bundle(settings, folder, path)
    return path
