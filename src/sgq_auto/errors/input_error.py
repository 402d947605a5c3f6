"""The one exception that reaches the person at the terminal, and what its message may suggest."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input: its message is one line that says what is wrong, where, and what would be right.

    Commands print the message and exit with status 2, without a traceback.
    """


class ArtifactError(InputError):
    """A packed model's file that is damaged or lies: one line that says what is wrong."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'n_trials'?"`` where a known name is close to ``name``, else nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
