"""What tables are printed on."""

import sys

from rich.console import Console


def output_console(plain_width: int = 120) -> Console:
    """A console on the standard output.

    Args:
        plain_width: Columns of a table that goes to a file: no line of it wraps.
    """
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = plain_width
    return console
