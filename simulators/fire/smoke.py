"""Fire, heat and smoke under a ceiling, and what a detector makes of them.

Pure functions of quantities with units in their names. Fire growth follows NFPA 72 (t-squared fires), the ceiling jet
Alpert (*Fire Technology* 8, 1972), the smoke in it the ratio of optical density to temperature rise of Heskestad and
Delichatsios (1977), the effect of a sprinkler Evans (NISTIR 5254, 1993).
"""

from __future__ import annotations

import math
from enum import IntEnum

GROWTH_KW_S2 = 0.1876
"""Heat release of an ultra-fast fire (upholstery, thin plastics) over the square of its age."""
PEAK_KW = 1500.0
"""Where the air of the room limits the fire."""
SUPPRESSION_TIME_S = 60.0
"""Time constant with which an open sprinkler takes a fire down."""

CEILING_M = 3.5
CEILING_JET_FROM = 0.18
"""Distance over ceiling height from which the plume has turned into a ceiling jet."""

DENSITY_PER_KELVIN = 0.02
"""Optical density (1/m, decadic) of the ceiling jet for each kelvin of its rise, for smouldering upholstery."""

PRE_ALARM_OBSCURATION = 3.0
"""Percent per metre from which a detector warns."""
ALARM_OBSCURATION = 6.0
"""Percent per metre from which a detector alarms; EN 54-7 allows up to about 10."""
PRE_ALARM_HEAT_C = 50.0
ALARM_HEAT_C = 58.0
"""Static response temperature of a class A1 heat detector lies between 54 and 65 °C (EN 54-5)."""
SPRINKLER_C = 68.0
"""Rating of a red glass bulb."""
MAX_OBSCURATION = 40.0
"""The chamber is saturated here, percent per metre."""


class LifeSafety(IntEnum):
    """State of a point or zone, by BACnet's ``BACnetLifeSafetyState``."""

    QUIET = 0
    PRE_ALARM = 1
    ALARM = 2
    FAULT = 3


WORST_FIRST = (LifeSafety.ALARM, LifeSafety.PRE_ALARM, LifeSafety.FAULT, LifeSafety.QUIET)
"""A danger hides a defect, never the other way round."""


def heat_release_kw(age_s: float) -> float:
    """Return what a fire gives ``age_s`` after ignition: ``Q = a·t²`` up to its peak."""
    return min(GROWTH_KW_S2 * max(age_s, 0.0) ** 2, PEAK_KW)


def suppressed_kw(release_at_opening_kw: float, since_opening_s: float) -> float:
    """Return what is left of a fire under an open sprinkler."""
    return release_at_opening_kw * math.exp(-since_opening_s / SUPPRESSION_TIME_S)


def ceiling_rise_k(release_kw: float, distance_m: float) -> float:
    """Return the temperature rise under the ceiling at a horizontal distance from the fire (Alpert)."""
    if distance_m <= CEILING_JET_FROM * CEILING_M:
        return 16.9 * math.pow(release_kw, 2 / 3) / math.pow(CEILING_M, 5 / 3)
    return 5.38 * math.pow(release_kw / distance_m, 2 / 3) / CEILING_M


def obscuration_of_rise(rise_k: float) -> float:
    """Return the obscuration of smoke that warms the ceiling jet by ``rise_k``, percent per metre."""
    return min(100.0 * (1.0 - math.pow(10.0, -DENSITY_PER_KELVIN * rise_k)), MAX_OBSCURATION)


def classify(obscuration: float, heat_c: float) -> LifeSafety:
    """Judge a detector's two measurements; either alone is enough."""
    if obscuration >= ALARM_OBSCURATION or heat_c >= ALARM_HEAT_C:
        return LifeSafety.ALARM
    if obscuration >= PRE_ALARM_OBSCURATION or heat_c >= PRE_ALARM_HEAT_C:
        return LifeSafety.PRE_ALARM
    return LifeSafety.QUIET
