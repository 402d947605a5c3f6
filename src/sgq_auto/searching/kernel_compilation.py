"""Says that kernels are being compiled: the first command on a machine waits for that."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from numba.core import event

from sgq_auto.searching.command_stages import OnStage, Stage

_NOTE = "compiling, once"


@contextmanager
def compiling_noted(on_stage: OnStage) -> Iterator[OnStage]:
    """What tells of stages, with a note on the one that is under way while kernels compile.

    Kernels that were compiled before are read from disk, and are not noted.

    Args:
        on_stage: Whom to tell.
    """
    listener = _Listener(on_stage)
    with event.install_listener("numba:compile", listener):
        yield listener.tell


class _Listener(event.Listener):
    def __init__(self, on_stage: OnStage) -> None:
        self._on_stage = on_stage
        self._stage: Stage | None = None
        self._depth = 0  # A kernel that is compiled calls others.

    def tell(self, stage: Stage) -> None:
        self._stage = stage
        self._on_stage(replace(stage, note=_NOTE) if self._depth else stage)

    def on_start(self, _: event.Event) -> None:
        self._depth += 1
        if self._depth == 1:
            self.tell(self._stage or Stage("preparing"))

    def on_end(self, _: event.Event) -> None:
        self._depth -= 1
        if self._depth == 0 and self._stage is not None:
            self.tell(self._stage)
