"""How a car moves: stretches of constant jerk, so that any instant of a movement is computed exactly.

A step of any length lands on the same curve, which keeps fast replays as true as slow ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class Kinematics(NamedTuple):
    """Where the car is and how it moves; up is positive."""

    position_m: float
    """Above the lowest floor."""
    speed_m_s: float = 0.0
    acceleration_m_s2: float = 0.0

    def after(self, duration_s: float, jerk_m_s3: float) -> Kinematics:
        """Return the state after a stretch of constant jerk."""
        t = duration_s
        return Kinematics(
            self.position_m + self.speed_m_s * t + self.acceleration_m_s2 * t**2 / 2 + jerk_m_s3 * t**3 / 6,
            self.speed_m_s + self.acceleration_m_s2 * t + jerk_m_s3 * t**2 / 2,
            self.acceleration_m_s2 + jerk_m_s3 * t,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionLimits:
    """What a ride may ask of drive and passengers."""

    speed_m_s: float
    acceleration_m_s2: float
    jerk_m_s3: float
    """ISO 18738-1 measures it; below about 1.5 m/s³ passengers call a ride smooth."""


class Stretch(NamedTuple):
    """A time of constant jerk."""

    duration_s: float
    jerk_m_s3: float


@dataclass(frozen=True, slots=True)
class Movement:
    """A start and the stretches that follow it."""

    start: Kinematics
    stretches: tuple[Stretch, ...]

    @property
    def duration_s(self) -> float:
        """Return how long it lasts."""
        return sum(stretch.duration_s for stretch in self.stretches)

    @property
    def end(self) -> Kinematics:
        """Return the state at its end."""
        return self.at(self.duration_s)

    def at(self, elapsed_s: float) -> Kinematics:
        """Return the state so long after the start; after its end, the end."""
        state, left_s = self.start, elapsed_s
        for duration_s, jerk in self.stretches:
            state = state.after(min(left_s, duration_s), jerk)
            left_s -= duration_s
            if left_s <= 0:
                break
        return state


def travel(start_m: float, target_m: float, limits: MotionLimits) -> Movement:
    """Return the fastest ride from rest to rest within the limits.

    Source: Biagiotti and Melchiorri, Trajectory Planning for Automatic Machines and Robots, section 3.4.2 (double S).
    """
    distance = abs(target_m - start_m)
    jerk_s, ramp_s, cruise_s = _double_s_times(distance, limits)
    jerk = math.copysign(limits.jerk_m_s3, target_m - start_m)
    level_s = ramp_s - 2 * jerk_s
    up = (Stretch(jerk_s, jerk), Stretch(level_s, 0.0), Stretch(jerk_s, -jerk))
    down = (Stretch(jerk_s, -jerk), Stretch(level_s, 0.0), Stretch(jerk_s, jerk))
    return Movement(Kinematics(start_m), (*up, Stretch(cruise_s, 0.0), *down))


def _double_s_times(distance_m: float, limits: MotionLimits) -> tuple[float, float, float]:
    """Return the times of one jerk phase, of the whole speed-up, and at constant speed."""
    v, a, j = limits.speed_m_s, limits.acceleration_m_s2, limits.jerk_m_s3
    jerk_s = a / j if v * j >= a**2 else math.sqrt(v / j)
    ramp_s = jerk_s + v / a if v * j >= a**2 else 2 * jerk_s
    cruise_s = distance_m / v - ramp_s
    if cruise_s >= 0:
        return jerk_s, ramp_s, cruise_s
    if distance_m >= 2 * a**3 / j**2:  # the rated acceleration is reached, the rated speed is not
        jerk_s = a / j
        return jerk_s, jerk_s / 2 + math.sqrt((jerk_s / 2) ** 2 + distance_m / a), 0.0
    jerk_s = (distance_m / (2 * j)) ** (1 / 3)
    return jerk_s, 2 * jerk_s, 0.0


def braking(now: Kinematics, deceleration_m_s2: float) -> Movement:
    """Return the stop that brake or safety gear forces from the present speed."""
    slowing = math.copysign(deceleration_m_s2, -now.speed_m_s)
    start = Kinematics(now.position_m, now.speed_m_s, slowing)
    return Movement(start, (Stretch(abs(now.speed_m_s) / deceleration_m_s2, 0.0),))


def runaway(now: Kinematics, acceleration_m_s2: float, until_m_s: float) -> Movement:
    """Return an uncontrolled gain of speed up to the speed at which the governor trips."""
    direction = math.copysign(1.0, now.speed_m_s)
    start = Kinematics(now.position_m, now.speed_m_s, direction * acceleration_m_s2)
    return Movement(start, (Stretch(max(0.0, until_m_s - abs(now.speed_m_s)) / acceleration_m_s2, 0.0),))
