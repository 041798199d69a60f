"""Simulated lifts and doors do what the control room says, and nothing that a real controller would not."""

from __future__ import annotations

from simulators.doors.door import Door
from simulators.doors.wire import DoorSpeaker
from simulators.lifts.lift import Lift, Mode
from simulators.lifts.wire import LiftSpeaker

STEP_S = 0.05


def run(device: Lift | Door, seconds: float, start_ns: int = 0) -> int:
    """Step a device; return the time it has then."""
    now_ns = start_ns
    for _ in range(round(seconds / STEP_S)):
        now_ns += round(STEP_S * 1e9)
        device.step(now_ns, STEP_S)
    return now_ns


def test_a_door_is_held_unlocked_until_it_is_locked_again() -> None:
    door = Door("door-1", seed=1)
    speaker = DoorSpeaker(door, "harbour/door-1")
    speaker.obey({"lock": "unlocked"})
    now_ns = run(door, 60.0)
    assert door.state.lock == "unlocked"
    speaker.obey({"lock": "ajar"})
    assert door.held_unlocked
    speaker.obey({"lock": "locked"})
    run(door, 60.0, now_ns)
    assert not door.held_unlocked


def test_a_lift_out_of_service_lets_everybody_out_takes_no_call_and_comes_back() -> None:
    lift = Lift("lift-1", seed=1)
    speaker = LiftSpeaker(lift, "harbour/lift-1")
    now_ns = run(lift, 120.0)
    speaker.obey({"mode": "out_of_service"})
    now_ns = run(lift, 600.0, now_ns)
    assert lift.state.mode is Mode.OUT_OF_SERVICE
    trips = lift.trips
    now_ns = run(lift, 300.0, now_ns)
    assert lift.trips == trips, "it travelled although it was out of service"
    assert not lift.state.passenger_trapped
    speaker.obey({"mode": "normal"})
    run(lift, 600.0, now_ns)
    assert lift.trips > trips


def test_a_lift_takes_no_other_mode_from_outside() -> None:
    lift = Lift("lift-1", seed=1)
    LiftSpeaker(lift, "harbour/lift-1").obey({"mode": "fire_service"})
    assert lift.state.mode is Mode.NORMAL
