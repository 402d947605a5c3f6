"""Keeps a tracking store in step with a search, without the search ever waiting for it."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sgq_auto.errors import InputError
from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.search_progress import StudyProgress, Summary, Watcher
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.text.safe_text import one_line

_logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 15.0


class TrackingStore(Protocol):
    """Where a study is tracked. Every method may raise whatever its server throws."""

    @property
    def address(self) -> str:
        """What the store is called in messages, without a password."""

    def open(self, progress: StudyProgress) -> None:
        """Find or make the study, and find out what is tracked already.

        Called first, and again after any failure: what was half written then is found out so.
        """

    def sync(self, progress: StudyProgress) -> None:
        """Add the trials that are not tracked yet; called whenever trials have finished."""

    def close(self, progress: StudyProgress, summary: Summary) -> None:
        """Bring everything up to date and add what the search found; called at its end."""


class Delivery(Watcher):
    """A watcher that hands a search to a tracking store, in a thread of its own.

    While the store fails it is tried again, and then given all that is missing: the study itself
    is what is delivered, so nothing has to be kept for it.

    Args:
        store: The store.
        patience_seconds: How long the end of a search waits for a store that has been there, and
            has gone.
        on_stage: Told while the end of a search waits; ``None``: nothing is under way.

    Attributes:
        delivered: Whether everything so far reached the store.
    """

    def __init__(
        self,
        store: TrackingStore,
        patience_seconds: float,
        on_stage: Callable[[Stage | None], None] = lambda _: None,
    ) -> None:
        self.delivered = True
        self._store = store
        self._patience = patience_seconds
        self._on_stage = on_stage
        self._news = threading.Condition()
        self._unheard = False
        self._stopping = False
        self._progress: StudyProgress | None = None
        self._summary: Summary | None = None
        self._thread: threading.Thread | None = None

    def started(self, progress: StudyProgress) -> None:
        """Begin to deliver, if this command leads the study."""
        self._tell(progress)

    def trials_finished(self, progress: StudyProgress, new: Sequence[TrialRecord]) -> None:
        """Deliver the trials that are not tracked yet."""
        if new:
            self._tell(progress)

    def finished(self, progress: StudyProgress, summary: Summary) -> None:
        """Deliver everything, as far as the store lets that be."""
        self._on_stage(Stage(f"bringing {self._store.address} up to date"))
        self._tell(progress, summary)
        if self._thread is not None:
            self._thread.join()
        self._on_stage(None)

    def stop(self) -> None:
        """End with what is being written now; called when the command ends, however it does."""
        with self._news:
            self._stopping = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join()

    def _tell(self, progress: StudyProgress, summary: Summary | None = None) -> None:
        if self._thread is None and progress.leads:
            self._thread = threading.Thread(target=self._deliver, daemon=True)
            self._thread.start()
        with self._news:
            self._progress, self._summary = progress.snapshot(), summary
            self._unheard = True
            self._news.notify()

    def _deliver(self) -> None:
        opened, reached, pause = False, False, _FIRST_PAUSE_SECONDS
        deadline = None
        while True:
            progress, summary = self._next(pause=None if self.delivered else pause)
            if self._stopping:
                return
            if summary is not None and deadline is None:
                # One more try for a store that was never there.
                deadline = time.monotonic() + (self._patience if reached else 0.0)
            if not progress.leads:
                opened = False  # Whoever leads now has tracked what is not known here.
                continue
            try:
                if not opened:
                    self._store.open(progress)
                opened = reached = True
                self._store.sync(progress)
                if summary is not None:
                    self._store.close(progress, summary)
            except Exception as error:  # Whatever a store throws, the search goes on.
                # What it had half written is found out by opening it again.
                opened = False
                self._warn(error)
                if isinstance(error, InputError):
                    reached = False  # People have to do something first: no use in waiting.
                    deadline = deadline and time.monotonic()
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                if deadline is not None and time.monotonic() + pause > deadline:
                    return
            else:
                self._note_success()
                pause = _FIRST_PAUSE_SECONDS
                if summary is not None:
                    return

    def _next(self, pause: float | None) -> tuple[StudyProgress, Summary | None]:
        """The newest news, once there are any; after a failure the last ones, after a pause."""
        with self._news:
            if pause is None:
                self._news.wait_for(lambda: self._unheard or self._stopping)
            else:
                self._news.wait_for(
                    lambda: self._stopping or (self._unheard and self._summary is not None), pause
                )
            self._unheard = False
            assert self._progress is not None
            return self._progress, self._summary

    def _warn(self, error: Exception) -> None:
        if not self.delivered:
            return
        self.delivered = False
        reason = one_line(next(iter(str(error).splitlines()), type(error).__name__))
        then = "it can be" if isinstance(error, InputError) else "it is back"
        _logger.warning(
            "%s failed (%s); the search goes on, and what is missing is delivered when %s",
            self._store.address,
            reason,
            then,
        )

    def _note_success(self) -> None:
        if not self.delivered:
            self.delivered = True
            _logger.warning("%s is back, and has what was missing", self._store.address)
