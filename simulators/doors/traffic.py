"""Who badges when: an office day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facility.clock import NS_PER_S

SECONDS_PER_HOUR = 3600.0
HOURS_PER_DAY = 24

OFFICE_DAY = (
    *(0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.20, 0.70),  # 0 to 8 h: guards and cleaners, then the first to come
    *(1.00, 0.80, 0.45, 0.55, 0.95, 0.80, 0.45, 0.45),  # 8 to 16 h: arrival, and lunch from 12 to 14
    *(0.50, 0.70, 0.95, 0.55, 0.25, 0.12, 0.06, 0.03),  # 16 to 24 h: leaving around 18
)
"""Badges in each local hour as a share of the busiest hour."""


class Badge(NamedTuple):
    """One badge held to a reader."""

    number: str
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeTraffic:
    """How busy one door is."""

    peak_per_hour: float = 120.0
    """Badges in the busiest hour."""
    utc_offset_h: float = 8.0
    """The building's local time; Harbour Tower keeps China Standard Time."""
    first_badge: int = 100_001
    badges: int = 400
    """People with a badge, numbered from ``first_badge``."""
    denied: float = 0.03
    """Share of badges that are expired or not for this door."""

    def rate_per_s(self, now_ns: int) -> float:
        """Return the expected badges in one second at this hour of the day."""
        hour = now_ns / NS_PER_S / SECONDS_PER_HOUR + self.utc_offset_h
        return self.peak_per_hour * OFFICE_DAY[int(hour % HOURS_PER_DAY)] / SECONDS_PER_HOUR

    def draw(self, now_ns: int, dt_s: float, chance: np.random.Generator) -> Badge | None:
        """Return the badge of the last ``dt_s`` seconds, if any: a Poisson process whose rate follows the day."""
        if float(chance.random()) >= -np.expm1(-self.rate_per_s(now_ns) * dt_s):
            return None
        return self.any_badge(chance, valid=bool(chance.random() >= self.denied))

    def any_badge(self, chance: np.random.Generator, *, valid: bool) -> Badge:
        """Return somebody's badge."""
        return Badge(str(self.first_badge + int(chance.integers(0, self.badges))), valid)
