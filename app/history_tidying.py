"""A thread that closes finished days of the history and forgets old ones, beside the thread that keeps samples."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import structlog

from facility.clock import Clock
from facility.errors import HistoryUnavailableError
from facility.history.history import History

log = structlog.get_logger(__name__)

PERIOD_S = 600.0
"""Wall seconds between two looks; most find nothing to do."""


@contextlib.contextmanager
def tidied(history: History, clock: Clock) -> Iterator[None]:
    """Tidy the history now and again until the block ends."""
    tidying, stopping = HistoryTidying(history, clock), threading.Event()

    def run() -> None:
        while not stopping.is_set():
            tidying.step()
            stopping.wait(PERIOD_S)

    thread = threading.Thread(target=run, name="history tidying")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


class HistoryTidying:
    """Tidies, and tells a failure once and its end once."""

    def __init__(self, history: History, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._failing = False

    def step(self) -> None:
        """Tidy once; what fails is tried again with the next step, and no sample is lost by it."""
        try:
            self._history.tidy(self._clock.now_ns())
        except HistoryUnavailableError as error:
            if not self._failing:
                log.warning("history cannot be tidied; samples are kept, and it is tried again", error=str(error))
            self._failing = True
        else:
            if self._failing:
                log.info("history can be tidied again")
            self._failing = False
