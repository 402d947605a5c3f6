"""``python -m sgq_auto.status``: what a study is doing now."""

from sgq_auto.commands.arguments import parse_arguments, run_command

_USAGE = "python -m sgq_auto.status study=NAME [output_root=outputs] [own_code=false]"
_EXPLAINED = """
What a study is doing now, or has done: the trials that run and where, its pace and the time left,
its front so far, and the trials that failed, with the traceback of each kind of failure.

  study=NAME            the study: its name, as a search prints it, or its folder
  output_root=outputs   where studies are: the search's output_root
  own_code=false        true: the study may call code that its files name although no search of
                        yours made it here; for files that you trust

Example: python -m sgq_auto.status study=embedded_cora-gcn-lwq_cwq_taq-abs-seed0-1a2b3c4d
"""
_KNOWN = ("study", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("study",), _USAGE, _EXPLAINED)
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.commands.named_study import named_study
    from sgq_auto.reporting.terminal.status_report import print_status
    from sgq_auto.searching.studies.reopen_study import reopen
    from sgq_auto.searching.studies.study_status import Status

    found = reopen(*named_study(given))
    print_status(Status.of(found), found.progress)
