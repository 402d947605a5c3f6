"""``python -m sgq_auto.export``: a study as one file, or one of its trials packed."""

from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.bundle import write_bundle
from sgq_auto.searching.folder import StudyFolder
from sgq_auto.searching.packing import pack_trial
from sgq_auto.studies import named_study

_USAGE = (
    "python -m sgq_auto.export study=NAME [trial=17] [out=PATH] [output_root=outputs] "
    "[own_code=false]"
)
_KNOWN = ("study", "trial", "out", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE)
    if "trial" in given and not given["trial"].isdecimal():
        raise InputError(f"trial={given['trial']}: it must be the number of a trial")
    settings, folder = named_study(given)
    out = Path(given["out"]) if "out" in given else None
    if "trial" in given:
        what, path = "Artifact", pack_trial(settings, folder, int(given["trial"]), out)
    else:
        what, path = "Study", _export_study(settings, folder, out)
    print(f"{what}: {path} ({path.stat().st_size / 1024:,.1f} KiB)")


def _export_study(settings: SearchSettings, folder: StudyFolder, out: Path | None) -> Path:
    path = out or Path(f"{folder.name}.zip")
    write_bundle(settings, folder, path)
    return path


if __name__ == "__main__":
    main()
