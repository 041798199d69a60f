"""Which record goes next: life safety, then changes of state, then live telemetry, and the backlog at a limited share.

A way is a window: so many samples may be under way on it without an acknowledgement. The backlog's is small, so what is
live never has more than that before it, in the network or in the engine, and its rate follows what the engine commits.
Telemetry waits until no change of state waits: a repeated value must not overtake the change before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from facility.clock import NS_PER_S
from gateway.bus.frame import Frame
from gateway.spool.body import BodyError, check
from gateway.spool.intervals import Interval
from gateway.spool.lanes import Lane
from gateway.spool.spool import Record


class Way(Enum):
    """How a record goes."""

    LIFE_SAFETY = auto()
    STATE = auto()
    LIVE = auto()
    """Telemetry taken since the stream began, newest traffic first."""
    BACKLOG = auto()
    """Telemetry from before, oldest first."""


WINDOWS: Final[Mapping[Way, int]] = {Way.LIFE_SAFETY: 20_000, Way.STATE: 20_000, Way.LIVE: 20_000, Way.BACKLOG: 4_000}
"""Samples under way at most; one record may always be."""
BUFFERED_AFTER_S: Final = 10.0
"""Seconds in the spool after which a record is forwarded as buffered."""
LAGGING_AFTER_S: Final = 5.0
"""Seconds after which live telemetry that could not be sent becomes backlog, so that newer goes before it."""
PATIENCE_S: Final = 10.0
"""Wall seconds without an acknowledgement after which everything is sent again; doubles while none comes."""
LONGEST_PATIENCE_S: Final = 60.0

_PROTECTED: Final = ((Way.LIFE_SAFETY, Lane.LIFE_SAFETY), (Way.STATE, Lane.STATE))
_PAGE: Final = 16


class Store(Protocol):
    """What the sender needs of a spool."""

    identity: int

    @property
    def next_seq(self) -> int:
        """Return a number that no record has reached yet."""
        ...

    def oldest_seq(self) -> int:
        """Return the number of the oldest record."""
        ...

    def page(self, lane: Lane, *, after: int, before: int | None = None, count: int) -> list[Record]:
        """Return a lane's next records by number."""
        ...


@dataclass(frozen=True, slots=True)
class _UnderWay:
    way: Way
    samples: int


class Sender:
    """What was sent in this stream, and what comes next; touches neither disk nor network but through its arguments."""

    def __init__(self, store: Store, *, stream: int, now_s: float, windows: Mapping[Way, int] = WINDOWS) -> None:
        """Begin a stream: everything in the store is unsent, and what it takes from now on is live.

        Args:
            store: The spool.
            stream: A number that no other stream has.
            now_s: Wall seconds of any monotonic clock.
            windows: Samples under way at most, by way.
        """
        self.damaged: list[Record] = []
        """Records met that do not fit their checksum: not sent, to be discarded."""
        self.stream = stream
        self._store = store
        self._windows = windows
        self._number = 0
        self._under_way: dict[int, _UnderWay] = {}
        self._filled = dict.fromkeys(Way, 0)
        self._sent_to = dict.fromkeys(Way, 0)
        self._live_from = self._sent_to[Way.LIVE] = store.next_seq - 1
        self._progress_s = now_s

    def due(self, *, now_ns: int, now_s: float) -> Iterator[Frame]:
        """Give the frames that may go now; each counts as sent once it was given."""
        if not self._under_way:
            self._progress_s = now_s
        base = self._store.oldest_seq()
        for way, lane in _PROTECTED:
            yield from self._frames(way, lane, base, now_ns)
            if not self._has_room(way):
                return
        self._let_lagging_go(now_ns)
        yield from self._frames(Way.LIVE, Lane.TELEMETRY, base, now_ns)
        yield from self._frames(Way.BACKLOG, Lane.TELEMETRY, base, now_ns, before=self._live_from + 1)

    def acknowledged(self, done: Iterable[Interval], now_s: float) -> None:
        """The engine has committed these records."""
        intervals = tuple(done)
        for seq in [seq for seq in self._under_way if any(first <= seq <= last for first, last in intervals)]:
            gone = self._under_way.pop(seq)
            self._filled[gone.way] -= gone.samples
            self._progress_s = now_s

    def is_stuck(self, now_s: float, patience_s: float) -> bool:
        """Tell whether something is under way and nothing was acknowledged for so long."""
        return bool(self._under_way) and now_s - self._progress_s >= patience_s

    def _frames(self, way: Way, lane: Lane, base: int, now_ns: int, before: int | None = None) -> Iterator[Frame]:
        while self._has_room(way):
            page = self._store.page(lane, after=self._sent_to[way], before=before, count=_PAGE)
            if not page:
                return
            for record in page:
                if not self._has_room(way):
                    return
                self._sent_to[way] = record.seq
                if record.seq not in self._under_way and self._is_sound(record):
                    yield self._frame(way, record, base, now_ns)

    def _has_room(self, way: Way) -> bool:
        return self._filled[way] < self._windows[way]

    def _is_sound(self, record: Record) -> bool:
        try:
            check(record.body)
        except BodyError:
            self.damaged.append(record)
            return False
        return True

    def _frame(self, way: Way, record: Record, base: int, now_ns: int) -> Frame:
        self._under_way[record.seq] = _UnderWay(way, record.samples)
        self._filled[way] += record.samples
        number, self._number = self._number, self._number + 1
        return Frame(
            lane=record.lane,
            spool=self._store.identity,
            seq=record.seq,
            stream=self.stream,
            number=number,
            base=base,
            is_buffered=now_ns - record.spooled_ns >= BUFFERED_AFTER_S * NS_PER_S,
            body=record.body,
        )

    def _let_lagging_go(self, now_ns: int) -> None:
        oldest = self._store.page(Lane.TELEMETRY, after=self._sent_to[Way.LIVE], count=1)
        if oldest and now_ns - oldest[0].spooled_ns >= LAGGING_AFTER_S * NS_PER_S:
            self._live_from = self._sent_to[Way.LIVE] = self._store.next_seq - 1
