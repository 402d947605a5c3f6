"""``python -m sgq_auto.export``: pack a trial of a study that was searched here."""

from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.errors import InputError
from sgq_auto.searching.packing import pack_trial
from sgq_auto.studies import named_study

_USAGE = "python -m sgq_auto.export study=NAME trial=17 [out=PATH] [output_root=outputs]"
_KNOWN = ("study", "trial", "out", "output_root")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study", "trial"), _USAGE)
    if not given["trial"].isdecimal():
        raise InputError(f"trial={given['trial']}: it must be the number of a trial")
    settings, folder = named_study(given)
    out = Path(given["out"]) if "out" in given else None
    path = pack_trial(settings, folder, int(given["trial"]), out)
    print(f"Artifact: {path} ({path.stat().st_size / 1024:,.1f} KiB)")


if __name__ == "__main__":
    main()
