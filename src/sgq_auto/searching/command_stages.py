"""What a command does now, for people who wait for it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """What a command does now.

    Attributes:
        text: It in words, like ``measuring what few bits cost``.
        done: Parts of it that are done.
        total: Parts that it has; ``None`` where they are not counted.
        note: What makes it take longer just now, if something does.
    """

    text: str
    done: int = 0
    total: int | None = None
    note: str = ""


OnStage = Callable[[Stage], None]


def unheard(_: Stage) -> None:
    """For whom no stage matters."""
