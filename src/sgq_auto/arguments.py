"""``key=value`` arguments of the commands that need no configuration."""

import errno
import sys
from collections.abc import Callable, Collection

from sgq_auto.errors import InputError, did_you_mean
from sgq_auto.safe_text import one_line

_BAD_INPUT = 2
_FAILED = 1
_DISK_FULL = "the disk is full; free some space, and give the same command again"


def parse_arguments(
    arguments: list[str], known: Collection[str], required: Collection[str], usage: str
) -> dict[str, str]:
    """Values by key; ``--help`` prints the usage and ends the command.

    Raises:
        InputError: If a key is unknown, or a required one is missing.
    """
    if {"-h", "--help"} & set(arguments):
        print(f"usage: {usage}")
        sys.exit()
    given = dict(argument.partition("=")[::2] for argument in arguments)
    unknown, missing = sorted(set(given) - set(known)), sorted(set(required) - set(given))
    if unknown or missing:
        if not unknown:
            raise InputError(f"{missing[0]} is missing; usage: {usage}")
        hint = did_you_mean(unknown[0], known)
        raise InputError(f"{unknown[0]} is unknown{hint}; usage: {usage}")
    return given


def run_command(command: Callable[[list[str]], None]) -> None:
    """Run a command on the arguments of this process; bad input is one line and status 2."""
    try:
        command(sys.argv[1:])
    except (ValueError, OSError, ArithmeticError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        print(f"sgq-auto: {_DISK_FULL if full else one_line(error)}", file=sys.stderr)
        sys.exit(_FAILED if full else _BAD_INPUT)
