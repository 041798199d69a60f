"""Time as a parameter: whoever needs the time is handed a clock.

All times in Watchkeeper are nanoseconds since 1970-01-01 UTC as ``int``; names end in ``_ns``.
"""

from __future__ import annotations

import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Tells facility time."""

    speed: float
    """Facility seconds that pass in one wall second; whoever waits divides by it."""

    def now_ns(self) -> int:
        """Return the present facility time in nanoseconds UTC."""
        ...


class SystemClock:
    """The machine's own UTC clock."""

    speed = 1.0

    def now_ns(self) -> int:
        """Return the machine's time."""
        return time.time_ns()  # noqa: TID251  # this is the one clock that asks the machine


class ScaledClock:
    """A clock that starts at a chosen instant and runs ``speed`` times as fast as the wall.

    Used by replays and demos: with speed 60, an hour of facility life takes a minute.
    """

    def __init__(self, *, start_ns: int, speed: float = 1.0) -> None:
        self.speed = speed
        self._start_ns = start_ns
        self._origin_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """Return the scaled time, monotonic by construction."""
        return self._start_ns + int((time.monotonic_ns() - self._origin_ns) * self.speed)


class VirtualClock:
    """A clock that stands still until a test or a back-test moves it."""

    speed = 1.0

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Return the time last set."""
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move forward by so many seconds."""
        self._now_ns += round(seconds * NS_PER_S)
