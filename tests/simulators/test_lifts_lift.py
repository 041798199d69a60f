from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from simulators.lifts.car_door import CarDoor, DoorState, DoorTimes
from simulators.lifts.lift import Lift, LiftParameters, Mode
from simulators.lifts.machine import MachineParameters, motor_current_a
from simulators.lifts.motion import Kinematics
from simulators.lifts.traffic import UP_PEAK, Traffic, next_stop
from simulators.lifts.wire import LiftSpeaker

STEP_S = 0.05


def stepped(lift: Lift, seconds: float, *, start_s: float = 0.0) -> Iterator[float]:
    """Step the lift and yield the time after each step."""
    for number in range(1, round(seconds / STEP_S) + 1):
        at_s = start_s + number * STEP_S
        lift.step(round(at_s * NS_PER_S), STEP_S)
        yield at_s


def run(lift: Lift, seconds: float) -> None:
    for _ in stepped(lift, seconds):
        pass


def run_until(lift: Lift, condition: Callable[[], bool], within_s: float) -> float:
    for at_s in stepped(lift, within_s):
        if condition():
            return at_s
    pytest.fail(f"it did not happen within {within_s:g} s: {lift.state}")


@pytest.mark.parametrize("seed", range(4))
def test_a_lift_carries_its_traffic_and_keeps_its_books(seed: int) -> None:
    lift = Lift("lift-1", seed=seed)
    starts, trips, cycles = lift.starts, lift.trips, lift.door.cycles
    run(lift, 1800)
    assert lift.trips - trips > 50
    assert lift.starts - starts - (lift.trips - trips) in {0, 1}
    assert lift.door.cycles - cycles >= lift.trips - trips - 1
    assert 26 < lift.machine.temperature_c < 80
    assert lift.machine.vibration_mm_s < 1.5


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_a_moving_car_has_closed_doors_and_a_released_brake(seed: int) -> None:
    lift = Lift("lift-1", seed=seed)
    for _ in stepped(lift, 120):
        state = lift.state
        if lift.car.speed_m_s:
            assert state.door is DoorState.CLOSED
            assert state.brake == "released"
        else:
            assert state.brake == "applied" or lift.direction
        assert 0.0 <= lift.car.position_m <= lift.parameters.travel_m
        assert abs(lift.car.speed_m_s) <= lift.parameters.ride.speed_m_s + 1e-9


def states_of(lift: Lift, fault: str, seconds: float) -> list[object]:
    lift.inject(fault, 0)
    return [(lift.state, lift.car, lift.load_kg, lift.machine.vibration_mm_s) for _ in stepped(lift, seconds)]


@pytest.mark.parametrize("fault", sorted(Lift.faults))
def test_the_same_seed_and_steps_give_the_same_life(fault: str) -> None:
    first, second = (states_of(Lift("lift-1", seed=5), fault, 90) for _ in range(2))
    assert first == second
    assert first != states_of(Lift("lift-1", seed=6), fault, 90)


@pytest.mark.parametrize("seed", range(5))
def test_trapped_passengers_stand_between_floors_until_the_lift_is_repaired(seed: int) -> None:
    lift = Lift("lift-1", seed=seed)
    lift.inject("passenger_trapped", 0)
    run_until(lift, lambda: lift.state.passenger_trapped, within_s=90)
    state = lift.state
    assert (state.brake, state.safety_chain, state.mode) == ("applied", "open", Mode.OUT_OF_SERVICE)
    assert lift.load_kg > 30
    assert lift.car.speed_m_s == 0
    stranded_m = lift.car.position_m
    assert min(stranded_m % 3.6, 3.6 - stranded_m % 3.6) >= 1.0
    run(lift, 60)
    assert lift.car.position_m == stranded_m
    lift.clear("passenger_trapped", 0)
    run_until(lift, lambda: lift.state.door is DoorState.OPEN, within_s=30)
    assert not lift.state.passenger_trapped
    assert lift.state.safety_chain == "closed"
    run(lift, 300)
    assert lift.state.mode is Mode.NORMAL


def test_people_stay_trapped_until_the_rescue_reaches_a_floor() -> None:
    lift = Lift("lift-1", seed=1)
    lift.inject("passenger_trapped", 0)
    run_until(lift, lambda: lift.state.passenger_trapped, within_s=90)
    lift.clear("passenger_trapped", 0)
    run_until(lift, lambda: bool(lift.car.speed_m_s), within_s=2)
    assert lift.state.passenger_trapped
    assert lift.state.mode is Mode.INSPECTION


@pytest.mark.parametrize("seed", range(5))
def test_an_overspeeding_car_is_stopped_by_its_safety_gear(seed: int) -> None:
    lift = Lift("lift-1", seed=seed)
    lift.inject("overspeed", 0)
    fastest_m_s = 0.0
    for _ in stepped(lift, 90):
        fastest_m_s = max(fastest_m_s, abs(lift.car.speed_m_s))
        assert 0.0 < lift.car.position_m < lift.parameters.travel_m or not lift.state.overspeed
    assert lift.state.overspeed
    assert lift.state.safety_chain == "open"
    assert lift.car.speed_m_s == 0
    assert 2.6 < fastest_m_s <= 3.0 + 1e-9
    lift.clear("overspeed", 0)
    run_until(lift, lambda: lift.state.door is DoorState.OPEN, within_s=30)
    assert not lift.state.overspeed


@pytest.mark.parametrize("seed", range(5))
def test_a_door_that_cannot_close_stays_blocked_and_keeps_trying(seed: int) -> None:
    lift = Lift("lift-1", seed=seed)
    lift.inject("door_fails_to_close", 0)
    run_until(lift, lambda: lift.state.door is DoorState.BLOCKED, within_s=60)
    attempts, trips = lift.door.reopenings, lift.trips
    for _ in stepped(lift, 60):
        assert lift.state.door is DoorState.BLOCKED
    assert lift.door.reopenings - attempts == 6
    assert lift.trips == trips
    lift.clear("door_fails_to_close", 0)
    run_until(lift, lambda: lift.trips > trips, within_s=300)


@pytest.mark.parametrize("seed", range(5))
def test_a_worn_bearing_is_heard_within_half_a_minute_and_silent_after_its_repair(seed: int) -> None:
    lift = Lift("lift-1", seed=seed)
    lift.inject("bearing_wear", 0)
    run_until(lift, lambda: lift.machine.vibration_mm_s > 4.5, within_s=40)
    lift.clear("bearing_wear", 0)
    run(lift, 600)
    assert lift.machine.vibration_mm_s < 1.5


def test_a_bearing_wears_over_years_without_a_fault() -> None:
    lift = Lift("lift-1", seed=1)
    before = lift.machine.wear
    run(lift, 3600)
    assert 0 < lift.machine.wear - before < 1e-3


def test_a_silent_controller_says_nothing_while_the_lift_goes_on() -> None:
    lift = Lift("lift-1", seed=1)
    speaker = LiftSpeaker(lift, "tower/lift-1")
    trips = lift.trips
    lift.inject("controller_silent", 0)
    said = [message for at_s in stepped(lift, 300) for message in speaker.messages(round(at_s * NS_PER_S), anew=False)]
    assert said == []
    assert lift.trips > trips
    lift.clear("controller_silent", 0)
    assert next(speaker.messages(301 * NS_PER_S, anew=False)).topic == "tower/lift-1/state"


def test_a_fault_that_a_lift_cannot_suffer_is_refused() -> None:
    with pytest.raises(ValueError, match="it can suffer bearing_wear"):
        Lift("lift-1", seed=1).inject("cavitation", 0)


def test_long_steps_keep_a_lift_as_true_as_short_ones() -> None:
    lift = Lift("lift-1", seed=2)
    trips = lift.trips
    for number in range(1, 7200):
        lift.step(number * NS_PER_S // 2, 0.5)
        assert 0.0 <= lift.car.position_m <= lift.parameters.travel_m
    assert lift.trips - trips > 80


def test_up_peak_fills_the_building_from_the_lobby() -> None:
    traffic = Traffic(UP_PEAK, 20, np.random.default_rng(1))
    people = traffic.arrivals(4 * 3600.0)
    assert len(people) == pytest.approx(4 * UP_PEAK.arrivals_per_hour, rel=0.1)
    assert sum(person.origin == 0 for person in people) / len(people) == pytest.approx(0.9, abs=0.03)
    assert all(person.origin != person.destination for person in people)


@pytest.mark.parametrize(
    ("floor", "direction", "calls", "stop"),
    [
        (5, 1, {3, 8, 6}, 6),
        (5, -1, {3, 8, 6}, 3),
        (5, 1, {3, 1}, 3),
        (5, 0, {9, 4}, 4),
        (5, 1, {5}, None),
        (5, 1, set(), None),
    ],
)
def test_the_nearest_call_ahead_is_served_before_those_behind(
    floor: int, direction: int, calls: set[int], stop: int | None
) -> None:
    assert next_stop(floor, direction, calls) == stop


def test_a_half_full_car_balances_its_counterweight() -> None:
    machine = MachineParameters()
    empty, half, full = (motor_current_a(machine, Kinematics(0.0, 2.5), load) for load in (0.0, 500.0, 1000.0))
    assert half < empty
    assert half < full
    assert full == pytest.approx(28.7, abs=0.3)


def test_accelerating_takes_more_current_than_cruising() -> None:
    machine = MachineParameters()
    cruising = motor_current_a(machine, Kinematics(0.0, 2.5, 0.0), 900.0)
    assert motor_current_a(machine, Kinematics(0.0, 1.0, 0.9), 900.0) > cruising


def test_one_hand_in_the_door_reopens_it_once_and_counts() -> None:
    door = CarDoor(DoorTimes(reopening_probability=1.0), np.random.default_rng(1))
    door.open()
    seen = [door.state]
    for _ in range(400):
        door.step(STEP_S)
        if door.state is not seen[-1]:
            seen.append(door.state)
    assert seen[:5] == [DoorState.OPENING, DoorState.OPEN, DoorState.CLOSING, DoorState.OPENING, DoorState.OPEN]
    assert door.reopenings >= 1
    assert door.cycles == 0


def test_a_full_car_leaves_the_rest_waiting() -> None:
    lift = Lift("lift-1", seed=1, parameters=LiftParameters(traffic=UP_PEAK, capacity=2))
    for _ in stepped(lift, 900):
        assert lift.load_kg < 2 * 75 + 8 * 12
