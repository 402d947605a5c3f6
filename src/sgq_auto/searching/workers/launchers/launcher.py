"""What every engine offers."""

from typing import Protocol


class Crew(Protocol):
    """The workers of one command."""

    @property
    def members(self) -> frozenset[str]:
        """The names that its workers, also those that ended, sign with."""

    def fill(self, workers: int) -> None:
        """Start as many workers as are missing to this number."""

    def wait(self, seconds: float) -> dict[str, str]:
        """How workers ended that died within ``seconds``, by name."""

    def dismiss(self, seconds: float) -> None:
        """Let the workers finish what they run for ``seconds``, and end those that are left."""
