"""What came before is left out, but only once it is safe.

Until then a repetition is passed on, since whoever was to keep the first one can be killed in between.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

from facility.samples import Sample
from gateway.drivers.mqtt.messages import Message
from gateway.drivers.mqtt.reading import Reading

MAX_REMEMBERED: Final = 20_000
"""Messages, and events, that are remembered: far more than brokers have under way to one client, so what they may send
a second time is among them."""


class _Last(NamedTuple):
    """What a point said last."""

    source_time_ns: int
    value: float
    quality: int
    burst: int


class Duplicates:
    """Remembers what was delivered, and with which burst; a burst is safe once it is acknowledged.

    Three marks of a repetition: the broker says that it may be one and the message is the same; a device says the same
    value of the same time; an event has an identity that was there before.
    """

    def __init__(self) -> None:
        self._burst = 0
        self._unsafe: set[int] = set()
        """Bursts that wait for their acknowledgement."""
        self._messages: dict[Hashable, int] = {}
        self._events: dict[Hashable, int] = {}
        self._last: dict[int, _Last] = {}
        """By point key."""

    def open_burst(self, *, is_acknowledged: bool) -> int:
        """Begin the next burst and return its number; one that nobody acknowledges is safe from the start."""
        self._burst += 1
        if is_acknowledged:
            self._unsafe.add(self._burst)
        return self._burst

    def settle(self, burst: int) -> None:
        """Take note that a burst is safe; from any thread."""
        self._unsafe.discard(burst)

    def forget(self, points: Iterable[int]) -> None:
        """Forget what points said last, since they have lost their value meanwhile and may say it again."""
        for point in points:
            self._last.pop(point, None)

    def has_come(self, message: Message) -> bool:
        """Tell whether the broker repeats a message that is safe; remember it otherwise."""
        if not message.number:
            return False
        return self._is_known(self._messages, hash((message.topic, message.payload)), may_repeat=message.again)

    def thin(self, reading: Reading) -> int:
        """Take what came before out of a reading; return how many samples that were."""
        repeated = self._repeated_events(reading) if reading.events else set()
        fresh = [
            sample
            for sample in reading.samples
            if (sample.point, sample.source_time_ns) not in repeated
            and not (reading.is_timed and self._is_repeated(sample))
        ]
        left_out = len(reading.samples) - len(fresh)
        reading.samples = fresh
        return left_out

    def _repeated_events(self, reading: Reading) -> set[tuple[int, int]]:
        fresh, repeated = [], set()
        for event in reading.events:
            if self._is_known(self._events, (event.point, event.event_id), may_repeat=True):
                repeated.add((event.point, event.source_time_ns))
            else:
                fresh.append(event)
        reading.events = fresh
        return repeated

    def _is_known(self, memory: dict[Hashable, int], key: Hashable, *, may_repeat: bool) -> bool:
        burst = memory.pop(key, None)
        is_repeated = may_repeat and burst is not None and burst not in self._unsafe
        memory[key] = burst if is_repeated and burst is not None else self._burst
        if len(memory) > MAX_REMEMBERED:
            del memory[next(iter(memory))]
        return is_repeated

    def _is_repeated(self, sample: Sample) -> bool:
        last = self._last.get(sample.point)
        if (
            last is not None
            and last.source_time_ns == sample.source_time_ns
            and last.value == sample.value
            and last.quality <= sample.quality
            and last.burst not in self._unsafe
        ):
            return True
        self._last[sample.point] = _Last(sample.source_time_ns, sample.value, sample.quality, self._burst)
        return False
