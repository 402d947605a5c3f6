"""What tables are printed on."""

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from sgq_auto.plain_text import plain_text


class PlainConsole(Console):
    """A console that writes what its stream's encoding lacks in plain characters, like ``+/-``.

    Before anything is laid out, so that columns stay in line.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """See rich."""
        return super().render_str(plain_text(text, self.encoding), **options)


def output_console(plain_width: int = 120) -> Console:
    """A console on the standard output.

    Args:
        plain_width: Columns of a table that goes to a file: no line of it wraps.
    """
    console = PlainConsole(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = plain_width
    return console
