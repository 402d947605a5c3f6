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
        """Start as many workers as are missing to this number."""

    def wait(self, seconds: float) -> dict[str, str]:
        """How workers ended that died within ``seconds``, by name."""

    def dismiss(self, seconds: float) -> None:
        """Let the workers finish what they run for ``seconds``, and end those that are left."""
