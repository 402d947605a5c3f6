"""``python -m sgq_auto.status``: what a study is doing now."""

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.searching.reopen import reopen
from sgq_auto.searching.status import Status
from sgq_auto.studies import named_study
from sgq_auto.tracking.status_report import print_status

_USAGE = "python -m sgq_auto.status study=NAME [output_root=outputs] [own_code=false]"
_KNOWN = ("study", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE)
    found = reopen(*named_study(given))
    print_status(Status.of(found), found.progress)


if __name__ == "__main__":
    main()
