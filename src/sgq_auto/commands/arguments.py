"""``key=value`` arguments of the commands that need no configuration."""

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from sgq_auto import __version__
from sgq_auto.commands.command_process import command_process
from sgq_auto.errors import InputError, did_you_mean

_HELP, _VERSION = {"-h", "--help"}, {"-V", "--version"}


def parse_arguments(
    arguments: list[str],
    known: Collection[str],
    required: Collection[str],
    usage: str,
    explained: str = "",
) -> dict[str, str]:
    """Values by key; ``--help`` and ``--version`` print what they say and end the command.

    A value is taken as it is typed: what follows the first ``=``, whatever is in it.

    Args:
        arguments: The command line.
        known: Every key.
        required: Keys that must be there.
        usage: The command and its arguments, in a line.
        explained: What the command does and what its arguments mean, for ``--help``.

    Raises:
        InputError: If a key is unknown or given twice, or a required one is missing.
    """
    answer_about(arguments, usage, explained)
    given: dict[str, str] = {}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in known:
            hint = did_you_mean(key, known)
            raise InputError(f"{key} is unknown{hint}; usage: {usage}")
        if key in given:
            raise InputError(f"{key} is given twice; usage: {usage}")
        given[key] = value
    missing = [key for key in required if not given.get(key)]
    if missing:
        raise InputError(f"{missing[0]} is missing; usage: {usage}")
    empty = [key for key, value in given.items() if not value]
    if empty:
        raise InputError(f"{empty[0]} has no value; usage: {usage}")
    return given


def answer_about(arguments: Sequence[str], usage: str, explained: str) -> None:
    """Print the help or the version where one is asked for, and end the command."""
    if _HELP & set(arguments):
        print(f"usage: {usage}\n\n{explained.strip()}" if explained else f"usage: {usage}")
        sys.exit()
    if _VERSION & set(arguments):
        print(f"sgq-auto {__version__}")
        sys.exit()


def as_path(text: str) -> Path:
    """A path as it is typed; ``~`` is the home folder, unless something here is called so."""
    path = Path(text)
    return path if path.exists() else path.expanduser()


def takes_own_code(given: Mapping[str, str]) -> bool:
    """Whether ``own_code=true`` was given: the study may call code that its files name.

    Raises:
        InputError: If it is something else than true or false.
    """
    value = given.get("own_code", "false")
    if value not in ("true", "false"):
        raise InputError(f"own_code={value}: it must be true or false")
    return value == "true"


def run_command(command: Callable[[list[str]], None]) -> None:
    """Run a command on the arguments of this process; bad input is one line and status 2."""
    with command_process():
        command(sys.argv[1:])
