"""When was it so? What a payload says of its own time, checked against the gateway's."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from facility.clock import NS_PER_MS, NS_PER_S
from facility.quality import Quality

AHEAD_S: Final = 60.0
"""Wall seconds that a device's clock may be ahead of the gateway's."""

BEHIND_S: Final = 30 * 86_400.0
"""Wall seconds that a source time may lie back: a broker keeps a queue through a long outage, a device whose clock
restarted says 1970."""

RETAINED_FRESH_S: Final = 60.0
"""Wall seconds within which a retained message is as good as one just published."""


class SourceTime(NamedTuple):
    """When a payload's values were true, and how far that can be trusted."""

    ns: int
    quality: Quality
    """The best quality that a value of this payload can have."""


def source_time(said_ms: object, now_ns: int, *, retained: bool, speed: float = 1.0) -> SourceTime:
    """Return a payload's source time.

    Args:
        said_ms: What the payload says, in milliseconds since 1970-01-01 UTC; ``None`` where it says nothing.
        now_ns: The gateway's time.
        retained: The broker kept the message; without a time of its own nobody knows how old it is.
        speed: Facility seconds in a wall second; the limits are wall seconds.
    """
    if said_ms is None:
        return SourceTime(now_ns, Quality.UNCERTAIN_RETAINED if retained else Quality.GOOD)
    said_ns = _nanoseconds(said_ms)
    scale = NS_PER_S * max(speed, 1.0)
    if said_ns is None or not -AHEAD_S * scale <= now_ns - said_ns <= BEHIND_S * scale:
        return SourceTime(now_ns, Quality.UNCERTAIN_TIME)
    stale = retained and now_ns - said_ns > RETAINED_FRESH_S * scale
    return SourceTime(said_ns, Quality.UNCERTAIN_RETAINED if stale else Quality.GOOD)


def _nanoseconds(said_ms: object) -> int | None:
    """Return integer nanoseconds; ``None`` for anything that is no time."""
    if isinstance(said_ms, bool) or not isinstance(said_ms, int | float) or not math.isfinite(said_ms):
        return None
    return said_ms * NS_PER_MS if isinstance(said_ms, int) else round(said_ms * NS_PER_MS)
