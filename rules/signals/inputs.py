"""The values of the points that signals read, as they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

_UNSEEN = -(2**62)


@dataclass(slots=True)
class Held:
    """What is known of one point.

    A sample older than the newest says nothing about now, and one that was delivered twice says nothing the second
    time. A point whose device is lost is missing until something comes that arrived later.
    """

    value: float = math.nan
    """As signals are to see it; NaN: missing."""
    known: float = math.nan
    """Of the newest usable sample."""
    newest_ns: int = _UNSEEN
    """That sample's source time."""
    lost_ns: int = _UNSEEN
    """Gateway time of the newest bad sample."""
    arrived_ns: int = _UNSEEN
    """Gateway time of the newest usable sample."""

    def lose(self, gateway_ns: int) -> bool:
        """Take a bad sample; return whether the value went missing."""
        if gateway_ns < self.arrived_ns or gateway_ns < self.lost_ns:
            return False
        self.lost_ns = gateway_ns
        was_there = not math.isnan(self.value)
        self.value = math.nan
        return was_there

    def is_news(self, source_ns: int, value: float) -> bool:
        """Tell whether a usable sample says anything that was not said already."""
        return source_ns > self.newest_ns or (source_ns == self.newest_ns and value != self.known)

    def take(self, source_ns: int, gateway_ns: int, value: float) -> None:
        """Take a usable sample that is no older than the newest."""
        self.newest_ns = source_ns
        self.arrived_ns = max(gateway_ns, self.arrived_ns)
        self.known = value
        if gateway_ns >= self.lost_ns:
            self.value = value

    def is_back(self, source_ns: int, gateway_ns: int) -> bool:
        """Tell whether a sample that is no news shows that a device is back that was lost."""
        return self.value != self.known and source_ns == self.newest_ns and gateway_ns > self.lost_ns
