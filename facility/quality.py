"""How far a sample can be trusted: good, uncertain or bad, each with a sub-reason, in one byte."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

UNCERTAIN_FROM = 64
"""Codes from here on are not good; ``code < UNCERTAIN_FROM`` is the test for a good sample."""

BAD_FROM = 128
"""Codes from here on are bad: the value must not decide anything."""


class Quality(IntEnum):
    """The quality byte of a sample.

    The two top bits are the level (0 good, 1 uncertain, 2 bad), the rest is the sub-reason, so one comparison tells the
    level and the whole set fits a ``uint8`` column.
    """

    GOOD = 0

    UNCERTAIN_STALE = 64
    """The device keeps answering but marks the value as old, or a COV subscription lapsed."""
    UNCERTAIN_RETAINED = 65
    """A retained MQTT message: true when it was published, which may be long ago."""
    UNCERTAIN_BUFFERED = 66
    """Arrived late out of a buffer."""
    UNCERTAIN_OUT_OF_SERVICE = 67
    """The device says that the point is out of service or overridden by hand."""
    UNCERTAIN_TIME = 68
    """The source's time was out of bounds and the gateway's was used."""

    BAD_COMMUNICATION = 128
    """The device did not answer; the value is the last one known, or NaN."""
    BAD_DEVICE_EXCEPTION = 129
    """The device answered with an exception for this point."""
    BAD_CONFIGURATION = 130
    """The point does not exist on the device or cannot be decoded as configured."""
    BAD_MALFORMED = 131
    """The payload could not be read as the configured type."""
    BAD_NOT_A_NUMBER = 132
    """The device sent NaN or an infinity."""
    BAD_OUT_OF_RANGE = 133
    """Outside the physical range of the point."""
    BAD_SENSOR_FAILURE = 134
    """The device reports a fault of the sensor itself (BACnet reliability, status flag ``fault``)."""

    @property
    def level(self) -> str:
        """Return ``good``, ``uncertain`` or ``bad``."""
        return ("good", "uncertain", "bad")[self >> 6]

    @property
    def label(self) -> str:
        """Return the words people read, such as ``bad: communication``."""
        level, _, reason = self.name.lower().partition("_")
        return f"{level}: {reason.replace('_', ' ')}" if reason else level


REASONS: Final[Mapping[str, tuple[int, int]]] = {
    "uncertain": (UNCERTAIN_FROM, BAD_FROM - 1),
    "bad": (BAD_FROM, 255),
    **{quality.name.lower(): (int(quality), int(quality)) for quality in Quality if quality >= UNCERTAIN_FROM},
}
"""Level or single quality by the name that rules use, with its first and last code."""
