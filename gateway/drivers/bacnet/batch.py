"""How many objects a device is asked for at once: a pure state machine over what became of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST: Final = 5
MOST_AT_ONCE: Final = 20
"""Objects in one ReadPropertyMultiple: two milliseconds of work for the event loop, at which alarms do not wait."""

DOUBLE_AFTER: Final = 4
"""Full requests in a row that were answered, after which twice as many objects are tried."""

GROW_AFTER: Final = 100
"""Full requests in a row at the limit that the device once had, after which one object more is tried: a device that was
short of memory once is not asked in crumbs for ever, and one that is small refuses one request in a hundred."""


@dataclass(slots=True)
class BatchSize:
    """The size of one device's requests; begins small, as the device may be slow, busy or behind a slow line."""

    size: int = FIRST
    ceiling: int = MOST_AT_ONCE
    """The most whose answer is known, or still believed, to fit."""
    _full: int = 0
    """Full requests that were answered since the size last changed."""

    def fitted(self, count: int) -> None:
        """So many objects were answered at once."""
        if count < self.size:
            return
        self._full += 1
        if self.size < self.ceiling and self._full >= DOUBLE_AFTER:
            self._become(min(2 * self.size, self.ceiling))
        elif self.size == self.ceiling < MOST_AT_ONCE and self._full >= GROW_AFTER:
            self.ceiling += 1
            self._become(self.ceiling)

    def too_large(self, count: int) -> None:
        """The answer for so many did not fit."""
        self.ceiling = max(1, min(self.ceiling, count - 1))
        self._become(max(1, min(self.size, count // 2)))

    def silent(self, count: int) -> None:
        """So many were not answered in time: perhaps it was too slow for all of them."""
        self._become(max(1, min(self.size, count // 2)))

    def _become(self, size: int) -> None:
        self.size, self._full = size, 0
