"""``python -m sgq_auto.merge``: one study, and one confirmed front, from several."""

from sgq_auto.commands.arguments import as_path, parse_arguments, run_command, takes_own_code

_USAGE = "python -m sgq_auto.merge studies=NAME,NAME[,...] [output_root=outputs] [own_code=false]"
_EXPLAINED = """
Makes one study of several that searched the same graph, model and granularity, whatever their
seeds and samplers, and confirms the front of all on fresh seeds.

  studies=NAME,NAME     the studies: names, as searches print them, or folders, commas between them
  output_root=outputs   where studies are, and where the new one goes
  own_code=false        true: the studies may call code that their files name although no search of
                        yours made them here; for files that you trust

Example: python -m sgq_auto.merge studies=cora-gcn-lwq-abs-seed0-1a2b,cora-gcn-lwq-abs-seed1-5e6f
"""
_KNOWN = ("studies", "output_root", "own_code")


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    run_command(_run)


def _run(arguments: list[str]) -> None:
    given = parse_arguments(arguments, _KNOWN, ("studies",), _USAGE, _EXPLAINED)
    # Not before the arguments are right: it takes seconds.
    from sgq_auto.commands.named_study import names_in, open_named
    from sgq_auto.configuration.checked_settings import settings_of_study
    from sgq_auto.reporting import ResultFiles, Terminal
    from sgq_auto.searching.studies.merge_studies import Part, conclude, merge_studies
    from sgq_auto.searching.study.command_lines import study_command

    output_root = as_path(given.get("output_root", "outputs"))
    names = names_in(given["studies"], output_root)
    parts = [Part(*open_named(name, given)) for name in names]
    folder = merge_studies(parts, output_root)
    sync = study_command("sync", folder.name, output_root)
    results = ResultFiles(folder.path)
    terminal = Terminal(folder.summary, results.report, f"{sync}, then python -m sgq_auto.ui")
    settings = settings_of_study(folder.config, own_code=takes_own_code(given))
    conclude(settings, folder, [results, terminal])
