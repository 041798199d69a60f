"""The forwarder: takes what the drivers deliver, keeps it on disk, acknowledges the devices, and sends it on.

One thread owns spool and sender. While it syncs one write to disk the next deliveries gather, so a burst becomes one
write. Nothing waits for the bus: while it or the engine is away, the spool fills, and devices are acknowledged all the
same, since what they sent is safe.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from facility.clock import Clock
from facility.samples import SampleBatch
from gateway.bus import frame
from gateway.events import Delivery, DeviceEvent, GatewayStatus
from gateway.inbox import Inbox
from gateway.spool.body import encode
from gateway.spool.intervals import Interval
from gateway.spool.lanes import Lane, LaneRouter
from gateway.spool.sender import LONGEST_PATIENCE_S, PATIENCE_S, Sender
from gateway.spool.spool import Limits, NewRecord, Spool, SpoolDamagedError, SpoolFullError, put_aside

log = structlog.get_logger(__name__)

IDLE_S: Final = 0.5
"""Wall seconds after which the forwarder looks around although nothing came."""
PACE_S: Final = 0.02
"""Wall seconds between two writes: what comes meanwhile goes together."""
RETRY_S: Final = 1.0
"""Wall seconds between tries while the disk takes nothing."""
LARGEST_BODY: Final = 2_000
"""Samples of one record."""


class Bus(Protocol):
    """Where frames go."""

    def send(self, lane: Lane, payload: bytes) -> bool:
        """Send one now; false when the bus is away."""
        ...


class Forwarder:
    """The thread between a gateway's drivers and the bus."""

    def __init__(self, *, path: Path, limits: Limits, inbox: Inbox, router: LaneRouter, bus: Bus, clock: Clock) -> None:
        """Open the spool; a damaged one is put aside.

        Raises:
            SpoolTakenError: Another process holds it.
            SpoolFullError: The disk does not take it.
        """
        self.failure: BaseException | None = None
        """Why the thread ended by itself; ``None`` while it runs and after a clean stop."""
        self._path = path
        self._limits = limits
        self._inbox = inbox
        self._router = router
        self._bus = bus
        self._clock = clock
        self._spool = self._opened()
        self._sender: Sender | None = None
        """``None`` while the bus or the engine is away."""
        self._patience_s = PATIENCE_S
        self._engine = ""
        """Who takes the frames; empty: nobody, as far as we know."""
        self._is_up = False
        self._new: list[NewRecord] = []
        self._owing: list[Callable[[], None]] = []
        """Acknowledgements that devices get once ``_new`` is on disk."""
        self._done: list[Interval] = []
        """What the engine has committed and the spool still holds."""
        self._is_full = self._is_over = False
        self._oldest_ns = 0
        self._news: deque[Callable[[], None]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forwarder")

    def start(self) -> None:
        """Begin to take deliveries."""
        self._thread.start()

    def stop(self) -> None:
        """Keep what was delivered, and end."""
        self._stopping.set()
        self._inbox.wake()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Tell whether deliveries are taken."""
        return self._thread.is_alive()

    def route_by(self, router: LaneRouter) -> None:
        """Tell changes of state by another router from now on; from any thread."""
        self._tell(lambda: setattr(self, "_router", router))

    def on_up(self) -> None:
        """The bus is there; from any thread."""
        self._tell(self._came_up)

    def on_lost(self) -> None:
        """The bus is away; from any thread."""
        self._tell(self._went_down)

    def on_engine(self, engine: str) -> None:
        """Who takes the frames; empty for nobody; from any thread."""
        self._tell(lambda: self._met(engine))

    def on_again(self, stream: int) -> None:
        """The engine misses a part of a stream; from any thread."""
        self._tell(lambda: self._start_over(stream))

    def on_acknowledged(self, spool: int, done: Sequence[Interval]) -> None:
        """The engine has committed records; from any thread."""
        self._tell(lambda: self._settle(spool, done))

    def describe(self, status: GatewayStatus) -> None:
        """Write the spool's figures into a status; from any thread."""
        figures = self._spool.figures
        status.waiting_by_lane = {lane.label: tally.samples for lane, tally in figures.held.items()}
        status.waiting_bytes = figures.size
        status.dropped_by_lane = {lane.label: count for lane, count in figures.dropped.items()}
        status.oldest_ns = self._oldest_ns
        status.detail = self._trouble()

    def step(self, deliveries: Sequence[Delivery]) -> None:
        """Keep deliveries, acknowledge them, forget what the engine has, and send what may go."""
        while self._news:
            self._news.popleft()()
        self._take(deliveries)
        try:
            self._keep()
            self._forward()
        except SpoolDamagedError as error:
            log.error("spool damaged; it is put aside and a new one begun", reason=str(error))  # noqa: TRY400  # SQLite's word is all
            self._spool.close()
            self._spool = self._opened()
            self._start_over()
            self._keep()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.step(() if self._is_full else self._inbox.take_all(IDLE_S))
                self._stopping.wait(RETRY_S if self._is_full else PACE_S)
            self.step(self._inbox.take_all(0.0))
        except Exception as error:  # the thread's edge: whoever watches it stops the process
            self.failure = error
            log.exception("forwarder failed; the process stops, and a restart continues where it was")
        finally:
            self._spool.close()

    def _tell(self, news: Callable[[], None]) -> None:
        """Let the thread do something; the only way in for other threads."""
        self._news.append(news)
        self._inbox.wake()

    def _opened(self) -> Spool:
        try:
            return Spool(self._path, self._limits)
        except SpoolDamagedError as error:
            aside = put_aside(self._path, self._clock.now_ns())
            log.error("spool damaged; a new one is begun", reason=str(error), kept_as=str(aside))  # noqa: TRY400  # as above
            return Spool(self._path, self._limits)

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        """Turn deliveries into records; telemetry first, so that a change has a higher number than what it changed."""
        events: dict[Lane, list[DeviceEvent]] = {lane: [] for lane in Lane}
        for delivery in deliveries:
            for event in delivery.events:
                events[self._router.lane_of(event.point)].append(event)
        parts = self._router.split(SampleBatch.concatenate(delivery.batch for delivery in deliveries))
        for lane in reversed(Lane):
            self._new += _records(lane, parts.get(lane, _NOTHING), events[lane])
        self._owing += [delivery.acknowledge for delivery in deliveries if delivery.acknowledge is not None]

    def _keep(self) -> None:
        if not (self._new or self._done):
            return
        try:
            self._spool.write(self._new, done=self._done, now_ns=self._clock.now_ns())
        except SpoolFullError as error:
            if not self._is_full:
                log.error("spool cannot be written; live telemetry may be lost", reason=str(error))  # noqa: TRY400  # as above
            self._is_full = True
            return
        if self._is_full:
            log.info("spool can be written again")
        self._is_full = False
        self._notice_overflow()
        self._new, self._done = [], []
        owing, self._owing = self._owing, []
        for acknowledge in owing:
            acknowledge()

    def _notice_overflow(self) -> None:
        if self._spool.is_over and not self._is_over:
            log.error(
                "spool is beyond its size with state changes and events alone; they are kept, and all telemetry is "
                "dropped: bring the engine back, or raise WATCHKEEPER_SPOOL_MEGABYTES",
                bytes=self._spool.figures.size,
            )
        elif self._is_over and not self._spool.is_over:
            log.info("spool is within its size again")
        self._is_over = self._spool.is_over

    def _forward(self) -> None:
        self._oldest_ns = self._spool.oldest_ns() or 0
        if self._sender is None:
            return
        now_s = time.monotonic()
        if self._sender.is_stuck(now_s, self._patience_s):
            self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)
            log.info("the engine acknowledges nothing; it is sent again", again_in_s=self._patience_s)
            self._start_over()
        for due in self._sender.due(now_ns=self._clock.now_ns(), now_s=now_s):
            if not self._bus.send(due.lane, frame.encode(due)):
                self._went_down()
                return
        damaged, self._sender.damaged = self._sender.damaged, []
        if damaged:
            log.error(
                "records in the spool do not fit their checksum and are dropped; look at its disk", records=len(damaged)
            )
            self._spool.discard(damaged)

    def _came_up(self) -> None:
        self._is_up = True
        self._start_over()

    def _went_down(self) -> None:
        self._is_up = False
        self._sender = None

    def _met(self, engine: str) -> None:
        if engine != self._engine:
            self._engine = engine
            self._start_over()

    def _start_over(self, stream: int | None = None) -> None:
        """Begin a new stream; with a number, only if that one is still the present one."""
        if stream is not None and (self._sender is None or self._sender.stream != stream):
            return
        can_send = self._is_up and self._engine
        self._sender = Sender(self._spool, stream=secrets.randbits(52), now_s=time.monotonic()) if can_send else None

    def _settle(self, spool: int, done: Sequence[Interval]) -> None:
        if spool != self._spool.identity:
            return
        self._done += done
        self._patience_s = PATIENCE_S
        if self._sender is not None:
            self._sender.acknowledged(done, time.monotonic())

    def _trouble(self) -> str:
        if self._is_full:
            return "its disk takes nothing"
        if self._is_over:
            return "its spool is full of state changes and events; telemetry is dropped"
        return ""


_NOTHING: Final = SampleBatch.of([])


def _records(lane: Lane, batch: SampleBatch, events: Sequence[DeviceEvent]) -> Iterator[NewRecord]:
    for start in range(0, max(len(batch), len(events)), LARGEST_BODY):
        part, its_events = batch.part(start, start + LARGEST_BODY), events[start : start + LARGEST_BODY]
        yield NewRecord(lane, len(part) + len(its_events), encode(part, its_events))
