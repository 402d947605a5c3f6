"""``python -m sgq_auto.restore``: take in a study that was exported elsewhere."""

from sgq_auto.commands.arguments import as_path, parse_arguments, run_command, takes_own_code
from sgq_auto.text.passwords import hide

_USAGE = "python -m sgq_auto.restore file=NAME.zip [output_root=outputs] [own_code=false]"
_EXPLAINED = """
Takes in a study that `python -m sgq_auto.export study=NAME` put into one file elsewhere.

  file=NAME.zip         the file
  output_root=outputs   where studies are, and where this one goes
  own_code=false        true: the study may name a model or dataset of your own, whose code commands
                        on it will run; for files that you trust

Example: python -m sgq_auto.restore file=NAME.zip
"""
_KNOWN = ("file", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("file",), _USAGE, _EXPLAINED)
    output_root, own_code = as_path(given.get("output_root", "outputs")), takes_own_code(given)
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.reporting import quiet_libraries
    from sgq_auto.searching.studies.study_archive import read_bundle
    from sgq_auto.searching.study.command_lines import study_command
    from sgq_auto.tracking.tracking_settings import default_store, local_artifacts

    quiet_libraries()
    store = {"uri": hide(default_store()), "artifacts": str(local_artifacts())}
    folder = read_bundle(as_path(given["file"]), output_root, store, own_code=own_code)
    print(f"{folder.path}\nIts front: {study_command('status', folder.name, output_root)}")
    print(f"Track it: {study_command('sync', folder.name, output_root)}")
