"""``python -m sgq_auto.search``: the main job."""

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgq_auto import __version__
from sgq_auto.commands.command_process import FAILED, command_process, one_line_errors
from sgq_auto.configuration import (
    ConfTree,
    check_arguments,
    chosen_files,
    conf_dir,
    search_help,
    with_literals,
    with_own_arguments,
)
from sgq_auto.processes.fork_server import process_context
from sgq_auto.text.passwords import hide_in_override

if TYPE_CHECKING:
    from omegaconf import DictConfig

_HELP, _VERSION = {"-h", "--help"}, {"-V", "--version"}


def main() -> None:
    """Run the command; bad input ends it with one line and status 2."""
    with command_process():
        _main(sys.argv[1:])


def _main(arguments: list[str]) -> None:
    if _VERSION & set(arguments):
        print(f"sgq-auto {__version__}")
        return
    tree = ConfTree(conf_dir())
    if _HELP & set(arguments):
        print(search_help(tree, chosen_files(arguments, tree)))
        return
    # What is misspelt is said at once: what follows imports for seconds.
    check_arguments(arguments, tree)
    # What users write themselves is imported from where they are, by a console script too.
    sys.path.append(str(Path.cwd()))
    # Hydra would print its own traceback and exit; the exception itself is wanted here.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # Hydra writes the command line into files.
    hidden = [hide_in_override(each) for each in with_literals(arguments)]
    sys.argv[1:] = with_own_arguments(hidden)
    _run_hydra()


def _run_hydra() -> None:
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from sgq_auto.configuration.unknown_settings import of_hydra

    run = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
    try:
        run(_task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise of_hydra(error, sys.argv[1:]) from error


def _task(config: "DictConfig") -> None:
    """One search. Launchers of multiruns pickle it: what it needs, it imports itself."""
    try:
        with one_line_errors():
            cfg = _checked(config)
            process_context()  # The workers' server imports torch while this process does.
            from sgq_auto.commands.search_job import run_job

            run_job(cfg)
    except Exception:
        # Told here: Hydra's own errors are taken for the user's further out.
        traceback.print_exc()
        sys.exit(FAILED)


def _checked(config: "DictConfig") -> Any:
    from omegaconf.errors import OmegaConfBaseException

    from sgq_auto.configuration.schema import checked
    from sgq_auto.configuration.unknown_settings import of_hydra

    try:
        return checked(config)
    except OmegaConfBaseException as error:
        raise of_hydra(error, sys.argv[1:]) from error
