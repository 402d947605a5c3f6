"""The one exception that reaches the person at the terminal."""


class InputError(ValueError):
    """Bad input: its message is one line that says what is wrong, where, and what would be right.

    Commands print the message and exit with status 2, without a traceback.
    """


class ArtifactError(InputError):
    """A packed model's file that is damaged or lies: one line that says what is wrong."""
