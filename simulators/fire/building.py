"""The rooms that the detectors hang in: where fires burn and how their smoke travels."""

from __future__ import annotations

from dataclasses import dataclass

from facility.clock import NS_PER_S
from simulators.fire.smoke import ceiling_rise_k, heat_release_kw, suppressed_kw

NEAREST_M = 2.0
"""Horizontal distance from a fire to the detector above it."""
SPACING_M = 8.0
"""Between detectors of a zone."""
ZONE_M = 24.0
"""What a fire door or a slab between two zones adds."""
JET_M_S = 1.2
"""How fast smoke runs under the ceiling."""
LEAK_DELAY_S = 20.0
"""How long it takes to find its way into the next zone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device is."""

    zone: int
    index: int
    """Position in the zone's row of detectors."""


@dataclass(slots=True)
class Fire:
    """One fire that burns."""

    place: Place
    ignited_ns: int
    sprinkled_ns: int | None = None
    """When the sprinkler above it opened; ``None`` while it is shut."""

    def release_kw(self, at_ns: int) -> float:
        """Return its heat release at a time."""
        if self.sprinkled_ns is None or at_ns <= self.sprinkled_ns:
            return heat_release_kw((at_ns - self.ignited_ns) / NS_PER_S)
        at_opening = heat_release_kw((self.sprinkled_ns - self.ignited_ns) / NS_PER_S)
        return suppressed_kw(at_opening, (at_ns - self.sprinkled_ns) / NS_PER_S)


def distance_m(fire: Place, detector: Place) -> float:
    """Return how far smoke has to go."""
    along = SPACING_M * abs(fire.index - detector.index)
    return NEAREST_M + along + ZONE_M * abs(fire.zone - detector.zone)


def delay_s(fire: Place, detector: Place) -> float:
    """Return how long smoke is on its way."""
    return distance_m(fire, detector) / JET_M_S + LEAK_DELAY_S * abs(fire.zone - detector.zone)


class Building:
    """Everything that detectors share: the fires that burn."""

    def __init__(self) -> None:
        self.fires: dict[str, Fire] = {}
        """By the id of the detector above."""

    def ignite(self, detector: str, place: Place, now_ns: int) -> None:
        """Start a fire below a detector; one that burns there already is left alone."""
        self.fires.setdefault(detector, Fire(place, now_ns))

    def extinguish(self, detector: str) -> None:
        """End the fire below a detector, if one burns there."""
        self.fires.pop(detector, None)

    def rise_k(self, place: Place, now_ns: int) -> float:
        """Return how much warmer than the room the strongest ceiling jet is that has reached a place."""
        return max((_rise_k(fire, place, now_ns) for fire in self.fires.values()), default=0.0)


def _rise_k(fire: Fire, place: Place, now_ns: int) -> float:
    left_ns = now_ns - round(delay_s(fire.place, place) * NS_PER_S)
    if left_ns <= fire.ignited_ns:
        return 0.0
    return ceiling_rise_k(fire.release_kw(left_ns), distance_m(fire.place, place))
