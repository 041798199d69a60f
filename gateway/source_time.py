"""Whether to believe the time that a device sends with its values."""

from __future__ import annotations

from typing import Final

from facility.clock import NS_PER_S
from facility.quality import UNCERTAIN_FROM, Quality

MAX_SKEW_NS: Final = 300 * NS_PER_S
"""How far a device's clock may be from the gateway's; beyond it, episodes would be ordered by a wrong clock."""


def checked_source_time(
    source_time_ns: int | None, gateway_time_ns: int, quality: Quality, *, max_skew_ns: int = MAX_SKEW_NS
) -> tuple[int, Quality]:
    """Return the source time to keep, and the quality that the sample has with it.

    A device that says no time (``None``) takes the gateway's without a stain. A time out of bounds is replaced by the
    gateway's, and a good sample becomes ``UNCERTAIN_TIME``; a sample that is worse already keeps its reason.
    """
    if source_time_ns is None:
        return gateway_time_ns, quality
    if abs(source_time_ns - gateway_time_ns) <= max_skew_ns:
        return source_time_ns, quality
    return gateway_time_ns, Quality.UNCERTAIN_TIME if quality < UNCERTAIN_FROM else quality
