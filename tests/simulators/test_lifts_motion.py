from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulators.lifts.motion import Kinematics, MotionLimits, braking, runaway, travel

LIMITS = MotionLimits(speed_m_s=2.5, acceleration_m_s2=0.9, jerk_m_s3=1.2)

limits = st.builds(
    MotionLimits,
    speed_m_s=st.floats(0.2, 10.0),
    acceleration_m_s2=st.floats(0.2, 2.0),
    jerk_m_s3=st.floats(0.2, 3.0),
)
heights = st.floats(0.0, 400.0)


@given(heights, heights, limits, st.floats(0.0, 1.0))
def test_a_ride_ends_at_rest_on_its_floor_and_never_exceeds_its_limits(
    start: float, target: float, allowed: MotionLimits, part: float
) -> None:
    assume(abs(target - start) > 0.01)
    ride = travel(start, target, allowed)
    assert ride.end == pytest.approx(Kinematics(target), abs=1e-6)
    car = ride.at(part * ride.duration_s)
    assert abs(car.speed_m_s) <= allowed.speed_m_s * (1 + 1e-9)
    assert abs(car.acceleration_m_s2) <= allowed.acceleration_m_s2 * (1 + 1e-9)
    assert min(start, target) - 1e-6 <= car.position_m <= max(start, target) + 1e-6


@given(heights, heights, limits, st.floats(0.001, 0.999))
def test_speed_is_how_fast_the_position_changes(
    start: float, target: float, allowed: MotionLimits, part: float
) -> None:
    assume(abs(target - start) > 1.0)
    ride = travel(start, target, allowed)
    at_s, width_s = part * ride.duration_s, 1e-4
    moved_m = ride.at(at_s + width_s).position_m - ride.at(at_s - width_s).position_m
    assert moved_m / (2 * width_s) == pytest.approx(ride.at(at_s).speed_m_s, abs=1e-3)


def test_a_long_ride_reaches_the_rated_speed_and_a_short_one_does_not() -> None:
    long, short = travel(0.0, 36.0, LIMITS), travel(0.0, 3.6, LIMITS)
    assert long.at(long.duration_s / 2).speed_m_s == pytest.approx(2.5)
    assert short.at(short.duration_s / 2).speed_m_s < 2.0


@given(st.floats(-4.0, 4.0), st.floats(0.5, 10.0))
def test_a_brake_stops_the_car_within_half_the_square_of_its_speed_over_the_deceleration(
    speed: float, deceleration: float
) -> None:
    stop = braking(Kinematics(50.0, speed), deceleration).end
    assert stop.speed_m_s == pytest.approx(0.0, abs=1e-9)
    assert abs(stop.position_m - 50.0) == pytest.approx(speed**2 / (2 * deceleration), abs=1e-9)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_runaway_car_gains_speed_until_the_governor_trips(direction: float) -> None:
    end = runaway(Kinematics(40.0, direction * 1.0), 1.2, 3.0).end
    assert end.speed_m_s == pytest.approx(direction * 3.0)
    assert math.copysign(1.0, end.position_m - 40.0) == direction
