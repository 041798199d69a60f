"""Who wants to go where, and which floor the car serves next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

LOBBY = 0
"""The floor that people enter the building by."""

MEAN_MASS_KG = 75.0
"""A person as EN 81-20 counts one."""
MASS_SPREAD_KG = 12.0
MIN_MASS_KG = 40.0


class Passenger(NamedTuple):
    """One person on the way."""

    origin: int
    """Floor, counted from 0."""
    destination: int
    mass_kg: float

    @property
    def direction(self) -> int:
        """Return 1 for up, -1 for down."""
        return 1 if self.destination > self.origin else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPattern:
    """How busy a lift is and where its passengers come from."""

    arrivals_per_hour: float
    """Mean of the Poisson arrivals at one lift."""
    incoming: float
    """Share that enters at the lobby."""
    outgoing: float
    """Share that leaves by the lobby; the rest goes from floor to floor."""


LUNCHTIME = TrafficPattern(arrivals_per_hour=240.0, incoming=0.45, outgoing=0.45)
"""Shares as CIBSE Guide D gives for lunchtime in an office."""

UP_PEAK = TrafficPattern(arrivals_per_hour=360.0, incoming=0.90, outgoing=0.05)
"""The morning, when the lobby fills the building."""


class Traffic:
    """Poisson arrivals at one lift."""

    def __init__(self, pattern: TrafficPattern, floors: int, chance: np.random.Generator) -> None:
        self._pattern = pattern
        self._floors = floors
        self._chance = chance
        self._next_in_s = self._gap_s()

    def arrivals(self, dt_s: float) -> list[Passenger]:
        """Return who came within the last ``dt_s`` seconds."""
        arrived = []
        self._next_in_s -= dt_s
        while self._next_in_s <= 0:
            arrived.append(self._passenger())
            self._next_in_s += self._gap_s()
        return arrived

    def passenger_from(self, origin: int) -> Passenger:
        """Return someone who enters at the given floor and rides far, which leaves room for something to happen."""
        far_end = self._floors - 1 if origin < self._floors / 2 else LOBBY
        return Passenger(origin, far_end, self._mass_kg())

    def _gap_s(self) -> float:
        return float(self._chance.exponential(3600.0 / self._pattern.arrivals_per_hour))

    def _passenger(self) -> Passenger:
        way = float(self._chance.random())
        upper = int(self._chance.integers(1, self._floors))
        if way < self._pattern.incoming:
            return Passenger(LOBBY, upper, self._mass_kg())
        if way < self._pattern.incoming + self._pattern.outgoing:
            return Passenger(upper, LOBBY, self._mass_kg())
        other = (upper + int(self._chance.integers(1, self._floors))) % self._floors
        return Passenger(upper, other, self._mass_kg())

    def _mass_kg(self) -> float:
        return max(MIN_MASS_KG, float(self._chance.normal(MEAN_MASS_KG, MASS_SPREAD_KG)))


def next_stop(floor: int, direction: int, calls: Collection[int]) -> int | None:
    """Return the floor to serve next: the nearest call ahead, else the nearest behind (collective control).

    Args:
        floor: Where the car stands.
        direction: 1 up, -1 down, 0 when it has none yet.
        calls: Floors of car and landing calls.

    Returns:
        A floor other than the present one, or ``None`` when nobody calls.
    """
    others = [call for call in calls if call != floor]
    ahead = [call for call in others if (call - floor) * direction > 0]
    return min(ahead or others, key=lambda call: (abs(call - floor), call), default=None)
