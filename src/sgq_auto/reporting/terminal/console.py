"""What tables are printed on."""

import re
import sys
import textwrap
from typing import Any

from rich.console import Console
from rich.text import Text

from sgq_auto.text.plain_text import plain_text
from sgq_auto.text.safe_text import printable

# A number and its unit stay on one line: between them stands, while lines are broken, what is no
# space and in no printable text.
_UNIT, _JOINT = re.compile(r" (%|KiB\b|points?\b)"), "\x00"


class PlainConsole(Console):
    """A console for names and messages of any origin: none of them steers the terminal.

    What its stream's encoding lacks is written in plain characters, like ``+/-``, before anything
    is laid out, so that columns stay in line.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a string harmless before rich lays it out.

        Rich sends every string that is printed through here, cells of tables too.
        """
        return super().render_str(plain_text(printable(text), self.encoding), **options)


def output_console(plain_width: int = 120) -> Console:
    """A console on the standard output.

    Args:
        plain_width: Columns of a table that goes to a file: no line of it wraps.
    """
    console = PlainConsole(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = plain_width
    return console


def print_words(console: Console, line: str) -> None:
    """Print a line of text; a terminal that is narrower gets it on several, words whole.

    What is longer than the terminal, like a path, stays in one piece and can be copied. In a file
    it is one line.
    """
    text = printable(line)
    lines = [text]
    if console.is_terminal:
        lines = textwrap.wrap(
            _UNIT.sub(f"{_JOINT}\\1", text),
            max(console.width, 20),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines = [line.replace(_JOINT, " ") for line in lines]
    # One by one: a line end within a text would be shown, not taken.
    for each in lines:
        console.print(each)
