"""How far a device's clock is from the gateway's, and whether what it says of its time may be believed.

A message may be old because the device's clock is behind, or because it waited on its way. The two look different
over time: behind a wrong clock the distance stays as it is while the gateway's time goes on; what had waited comes
faster than it was sent, and the distance shrinks. So a distance counts as the clock's own only once it has held for a
while. Until then a message is believed, unless it says that it comes from the future.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

from facility.clock import NS_PER_S

JUMP_S: Final = 10.0
"""Wall seconds by which a distance may change without the clock having been moved."""
STEADY_S: Final = 10.0
"""Wall seconds for which a distance must hold before it is the clock's own."""
STEADY_MESSAGES: Final = 3
"""Messages that must agree on a distance before it is the clock's own."""
FAR_S: Final = 60.0
"""Wall seconds by which a clock may be wrong and still be believed."""

_MESSAGES: Final = 31


class DeviceClock:
    """One device's clock as its messages show it."""

    def __init__(self, *, speed: float = 1.0) -> None:
        """Know nothing yet; ``speed`` is facility seconds in a wall second, where it is more than 1."""
        self.skew_s: float | None = None
        """How far it is behind the gateway's, in facility seconds, negative when ahead; ``None``: not known yet."""
        self.jumps = 0
        """Times that it was moved."""
        self._scale = max(speed, 1.0)
        self._recent: deque[tuple[float, float]] = deque(maxlen=_MESSAGES)
        """Gateway time in seconds and distance of the newest messages that agree with each other."""

    def believes(self, source_ns: int, gateway_ns: int) -> bool:
        """Take the time that a message brings; return whether its values may be placed there."""
        now_s, behind_s = gateway_ns / NS_PER_S, (gateway_ns - source_ns) / NS_PER_S
        if self._recent and not self._is_near(behind_s, median(distance for _, distance in self._recent)):
            self._recent.clear()
        self._recent.append((now_s, behind_s))
        self._settle(now_s)
        if self.skew_s is None:
            return True
        if self._is_near(behind_s, self.skew_s):
            return abs(self.skew_s) <= FAR_S * self._scale
        return behind_s >= -JUMP_S * self._scale  # late, perhaps; but no way is so long that it ends before it begins

    def _settle(self, now_s: float) -> None:
        """Let the distance be the clock's own once it has held for long enough."""
        if len(self._recent) < STEADY_MESSAGES or now_s - self._recent[0][0] < STEADY_S * self._scale:
            return
        settled_s = median(distance for _, distance in self._recent)
        if self.skew_s is not None and not self._is_near(settled_s, self.skew_s):
            self.jumps += 1
        self.skew_s = settled_s

    def _is_near(self, one_s: float, other_s: float) -> bool:
        return abs(one_s - other_s) <= JUMP_S * self._scale
