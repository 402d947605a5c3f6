"""Delivery: a search never waits for its tracking store, and the store misses nothing."""

import logging
import threading
import time

import pytest

from made_studies import record, summary
from sgq_auto.errors import InputError
from sgq_auto.searching import StudyProgress
from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.search_progress import Summary
from sgq_auto.tracking import Delivery

pytestmark = pytest.mark.system


class Store:
    """A store that keeps numbers of trials, and may be away or slow."""

    address = "the store"

    def __init__(self) -> None:
        self.away = False
        self.error: Exception | None = None
        self.seconds = 0.0
        self.trials: list[int] = []
        self.opened = 0
        self.summary: Summary | None = None
        self.synced = threading.Event()

    def open(self, _: StudyProgress) -> None:
        self._answer()
        self.opened += 1

    def sync(self, progress: StudyProgress) -> None:
        for found in progress.records:
            self._answer()
            if found.number not in self.trials:
                self.trials.append(found.number)
        self.synced.set()

    def close(self, _: StudyProgress, summary: Summary) -> None:
        self._answer()
        self.summary = summary

    def _answer(self) -> None:
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        if self.away:
            raise ConnectionError("nobody answers\nat all")


@pytest.fixture
def store() -> Store:
    return Store()


def add(progress: StudyProgress, delivery: Delivery, number: int) -> None:
    new = progress.add([record(progress, number, 4, 0.9)])
    delivery.trials_finished(progress, new)


def test_everything_is_delivered_once(progress: StudyProgress, store: Store) -> None:
    delivery = Delivery(store, 0)
    delivery.started(progress)
    for number in range(3, 20):
        add(progress, delivery, number)
    delivery.finished(progress, summary(progress))
    assert store.trials == list(range(20))
    assert (store.opened, store.summary) == (1, summary(progress))
    assert delivery.delivered


def test_a_slow_store_delays_nothing_but_the_end(progress: StudyProgress, store: Store) -> None:
    store.seconds = 0.1
    delivery = Delivery(store, 0)
    began = time.monotonic()
    delivery.started(progress)
    for number in range(3, 10):
        add(progress, delivery, number)
    assert time.monotonic() - began < 0.1
    delivery.finished(progress, summary(progress))
    assert store.trials == list(range(10))


def test_a_store_that_comes_back_gets_what_it_missed(
    progress: StudyProgress, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(store, 60)
    with caplog.at_level(logging.WARNING):
        delivery.started(progress)
        assert store.synced.wait(10)
        store.away = True
        for number in range(3, 6):
            add(progress, delivery, number)
            time.sleep(0.1)
        assert not delivery.delivered
        threading.Timer(1.0, lambda: setattr(store, "away", False)).start()
        delivery.finished(progress, summary(progress))
    assert delivery.delivered
    assert store.trials == list(range(6))
    assert store.summary is not None
    assert store.opened == 2
    lost, back = [r.getMessage() for r in caplog.records if r.name.startswith("sgq_auto")]
    assert lost.startswith("the store failed (nobody answers); the search goes on")
    assert back == "the store is back, and has what was missing"


def test_the_end_waits_for_a_lost_store_no_longer_than_asked(
    progress: StudyProgress, store: Store
) -> None:
    delivery = Delivery(store, 1.5)
    delivery.started(progress)
    assert store.synced.wait(10)
    store.away = True
    began = time.monotonic()
    delivery.finished(progress, summary(progress))
    assert time.monotonic() - began < 5
    assert not delivery.delivered


def test_nobody_waits_for_what_people_have_to_do_first(
    progress: StudyProgress, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(store, 60)
    delivery.started(progress)
    assert store.synced.wait(10)
    store.error = InputError("the experiment was deleted; restore it")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        delivery.finished(progress, summary(progress))
    assert time.monotonic() - began < 5
    assert not delivery.delivered
    (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("sgq_auto")]
    assert "the experiment was deleted; restore it" in line


def test_the_end_says_what_it_waits_for(progress: StudyProgress, store: Store) -> None:
    stages: list[Stage | None] = []
    delivery = Delivery(store, 0, stages.append)
    delivery.started(progress)
    delivery.finished(progress, summary(progress))
    assert stages == [Stage("bringing the store up to date"), None]


def test_a_helper_delivers_nothing(progress: StudyProgress, store: Store) -> None:
    delivery = Delivery(store, 0)
    progress.leads = False
    delivery.started(progress)
    add(progress, delivery, 3)
    delivery.left(progress)
    assert store.opened == 0


def test_a_helper_that_takes_over_delivers_everything(
    progress: StudyProgress, store: Store
) -> None:
    delivery = Delivery(store, 0)
    progress.leads = False
    delivery.started(progress)
    add(progress, delivery, 3)
    progress.leads = True
    delivery.finished(progress, summary(progress))
    assert store.trials == [0, 1, 2, 3]
    assert store.summary is not None
