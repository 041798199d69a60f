"""The history thread: keeps samples for good and then acknowledges them, so that no alarm waits for history."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from facility.errors import HistoryUnavailableError
from facility.history.history import History
from facility.samples import SampleBatch
from gateway.events import Delivery

log = structlog.get_logger(__name__)

PERIOD_S = 0.1
"""Wall seconds between commits; deliveries that wait for an acknowledgement wait at most so long."""
RETRY_S = 1.0
"""Wall seconds between tries while the history does not answer."""
MAX_WAITING = 5_000_000
"""Samples kept in memory while the history is away, about 150 MB; beyond them the oldest are dropped and counted."""


class HistoryThread:
    """Takes deliveries that the engine has decided about.

    A history that is away holds up nobody: what the engine committed is acknowledged, and its samples wait in memory.
    """

    def __init__(self, history: History) -> None:
        self.failure: BaseException | None = None
        """Why the thread ended by itself; ``None`` while it runs and after a clean stop."""
        self.dropped = 0
        """Samples dropped because the history was away for too long."""
        self._history = history
        self._owed: deque[Callable[[], None]] = deque()
        """Acknowledgements of batches that were taken."""
        self._waiting: deque[SampleBatch] = deque()
        self._waiting_samples = 0
        self._line = threading.Lock()
        """Held by whoever changes what waits."""
        self._put = 0
        """Deliveries that were put, ever."""
        self._kept = 0
        """How many of them are kept for good."""
        self._progress = threading.Condition(self._line)
        """Told whenever some were kept, or could not be."""
        self._lost = False
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history")

    def start(self) -> None:
        """Begin to keep what is put."""
        self._thread.start()

    def stop(self) -> None:
        """Keep what was put, and end."""
        self._stopping.set()
        self._news.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return how many samples are not kept yet; from any thread."""
        return self._waiting_samples

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over deliveries whose consequences are committed; returns at once."""
        for delivery in deliveries:
            self._wait_in_line(delivery.batch)
            if delivery.late is not None:
                self._wait_in_line(delivery.late)
            if delivery.acknowledge is not None and self._lost:
                delivery.acknowledge()
            elif delivery.acknowledge is not None:
                self._owed.append(delivery.acknowledge)
        self._put += len(deliveries)
        self._news.set()

    def flush(self) -> None:
        """Return once all that was put is kept, or at once while the history is away; by whoever puts."""
        with self._progress:
            while self._kept < self._put and not self._lost and self.alive:
                self._progress.wait(PERIOD_S)

    def step(self) -> None:
        """Keep everything that was put so far, then acknowledge it."""
        owed = len(self._owed)  # looked at before the batches, so that the batch of each is among them
        if not self._lost:
            self._keep()
            self._settle(owed)
        else:
            self._settle(owed)
            self._keep()

    def _settle(self, count: int) -> None:
        for _ in range(count):
            self._owed.popleft()()

    def _keep(self) -> None:
        put = self._put  # looked at before the batches, so that all of these are among them
        try:
            if self._lost:
                self._history.commit()  # of what it holds since it was lost; nothing is added before that is safe
            for _ in range(len(self._waiting)):  # not until none waits: a commit must come between
                batch = self._next_in_line()
                if batch is not None:
                    self._history.append(batch)
            self._history.commit()
        except HistoryUnavailableError as error:
            if not self._lost:
                log.warning("history lost; alarms go on, and samples wait in memory until it is back", error=str(error))
            self._lost = True
        else:
            if self._lost:
                log.info("history is back; what waited is kept", dropped=self.dropped)
            self._lost = False
            self._kept = put
        with self._progress:
            self._progress.notify_all()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._news.wait(RETRY_S if self._lost else None)
                self._news.clear()
                self.step()
                self._stopping.wait(RETRY_S if self._lost else PERIOD_S)
            self.step()
        except Exception as error:  # the thread's edge: whoever watches it stops the process
            self.failure = error
            log.exception("history thread failed; the process stops, and what was not acknowledged comes again")

    def _wait_in_line(self, batch: SampleBatch) -> None:
        """Let a batch wait, and drop the oldest beyond the bound: also while the history is slow without being away."""
        with self._line:
            self._waiting.append(batch)
            self._waiting_samples += len(batch)
            while self._waiting_samples > MAX_WAITING:
                lost = len(self._waiting.popleft())
                self._waiting_samples -= lost
                self.dropped += lost

    def _next_in_line(self) -> SampleBatch | None:
        """Return the batch that waits longest; ``None``: none does."""
        with self._line:
            if not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._waiting_samples -= len(batch)
            return batch
