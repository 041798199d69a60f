"""What one message said of one device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample
from gateway.events import DeviceEvent


@dataclass(slots=True)
class Reading:
    """Samples and events of one device, in the order they were true."""

    asset_id: str
    samples: list[Sample] = field(default_factory=list)
    events: list[DeviceEvent] = field(default_factory=list)
    is_timed: bool = False
    """The device said when it was so; the same value of the same time is then a repetition."""
    lost: str = ""
    """Why the device is away, if that is what the message says; empty for a device that speaks."""

    @property
    def bad(self) -> int:
        """Return how many samples are bad."""
        return sum(sample.quality >= BAD_FROM for sample in self.samples)


def without_value(points: Iterable[Point], now_ns: int, quality: Quality) -> list[Sample]:
    """Return one sample without a value per point, all of one quality."""
    return [Sample(point.key, now_ns, now_ns, math.nan, quality) for point in points]


def bad_points(points: Sequence[Point], samples: Iterable[Sample]) -> dict[str, str]:
    """Return in people's words which points are bad, and how; the last word counts."""
    addresses = {point.key: point.address for point in points}
    return {addresses[sample.point]: sample.quality.label for sample in samples if sample.quality >= BAD_FROM}
