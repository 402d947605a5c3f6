"""``python -m sgq_auto.search``: the main job.

Called, this module is the library's function of the same name, :func:`sgq_auto.library.search`.
"""

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sgq_auto import __version__
from sgq_auto.command_process import FAILED, command_process, one_line_errors
from sgq_auto.conf_tree import (
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

    from sgq_auto.library import search as search

__all__ = ["main", "search"]
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

    from sgq_auto.unknown_settings import of_hydra

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
            from sgq_auto.job import run_job

            run_job(cfg)
    except Exception:
        # Told here: Hydra's own errors are taken for the user's further out.
        traceback.print_exc()
        sys.exit(FAILED)


def _checked(config: "DictConfig") -> Any:
    from omegaconf.errors import OmegaConfBaseException

    from sgq_auto.schema import checked
    from sgq_auto.unknown_settings import of_hydra

    try:
        return checked(config)
    except OmegaConfBaseException as error:
        raise of_hydra(error, sys.argv[1:]) from error


class _CallableModule(ModuleType):
    """A module that shares its name in the package with a function of the library."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call :func:`sgq_auto.library.search`."""
        return importlib.import_module("sgq_auto.library").search(*args, **kwargs)


def __getattr__(name: str) -> Any:
    """The library's function, for who asks this module for help."""
    if name == "search":
        return importlib.import_module("sgq_auto.library").search
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    main()
