"""``python -m sgq_auto.merge``: one study, and one confirmed front, from several."""

from pathlib import Path

from sgq_auto.arguments import parse_arguments, run_command
from sgq_auto.config import settings_of_study
from sgq_auto.searching.merging import Part, conclude, merge_studies
from sgq_auto.studies import open_named, takes_own_code
from sgq_auto.tracking import ResultFiles, Terminal

_USAGE = "python -m sgq_auto.merge studies=NAME,NAME[,…] [output_root=outputs] [own_code=false]"
_KNOWN = ("studies", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("studies",), _USAGE)
    parts = [Part(*open_named(name, given)) for name in given["studies"].split(",")]
    folder = merge_studies(parts, Path(given.get("output_root", "outputs")))
    track = f"python -m sgq_auto.sync study={folder.name}, then python -m sgq_auto.ui"
    results = ResultFiles(folder.path)
    terminal = Terminal(folder.summary, results.report, track)
    settings = settings_of_study(folder.config, own_code=takes_own_code(given))
    conclude(settings, folder, [results, terminal])


if __name__ == "__main__":
    main()
