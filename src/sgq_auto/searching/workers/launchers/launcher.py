"""What every launcher offers."""

from typing import Protocol


class Launcher(Protocol):
    """Starts the workers of one command, waits for them and ends them.

    There is one for each way to run them: processes of this machine, Ray, Slurm.
    """

    @property
    def members(self) -> frozenset[str]:
        """The names that its workers, also those that ended, sign with."""

    def fill(self, workers: int) -> None:
        """Start as many workers as are missing to this number.

        Called at the start, and again as long as trials are left, since workers may die.
        """

    def wait(self, seconds: float) -> dict[str, str]:
        """Wait until a worker ends, for at most ``seconds``.

        Returns:
            Why workers died, by their names; those that ended as they should are not in it.
        """

    def dismiss(self, seconds: float) -> None:
        """Let the workers finish what they run for ``seconds``, and end those that are left."""
