from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from simulators.doors.door import AccessEvent, Door, DoorParameters, Leaf
from simulators.doors.traffic import BadgeTraffic
from simulators.doors.wire import DoorSpeaker

STEP_S = 0.05
NINE_IN_SHANGHAI_S = 3600.0
MIDNIGHT_IN_SHANGHAI_S = 16 * 3600.0

QUIET = DoorParameters(traffic=BadgeTraffic(peak_per_hour=0.0))


def stepped(door: Door, seconds: float, *, start_s: float = 0.0, step_s: float = STEP_S) -> Iterator[int]:
    """Step the door and yield the time after each step."""
    for number in range(1, round(seconds / step_s) + 1):
        now_ns = round((start_s + number * step_s) * NS_PER_S)
        door.step(now_ns, step_s)
        yield now_ns


def lived(door: Door, seconds: float, *, start_s: float = 0.0, step_s: float = STEP_S) -> list[AccessEvent]:
    for _ in stepped(door, seconds, start_s=start_s, step_s=step_s):
        pass
    return door.take_events()


def leaf_of(door: Door) -> Leaf:
    """Look again: a type checker believes that a value once compared stays."""
    return door.state.door


def run_until(door: Door, condition: Callable[[], bool], within_s: float) -> float:
    for now_ns in stepped(door, within_s):
        if condition():
            return now_ns / NS_PER_S
    pytest.fail(f"it did not happen within {within_s:g} s: {door.state}")


def test_the_morning_is_busy_and_the_night_is_not() -> None:
    traffic = BadgeTraffic()
    morning, night = (round(at_s * NS_PER_S) for at_s in (NINE_IN_SHANGHAI_S - 1800, MIDNIGHT_IN_SHANGHAI_S))
    assert traffic.rate_per_s(morning) * 3600 == pytest.approx(120)
    assert traffic.rate_per_s(night) < traffic.rate_per_s(morning) / 20


def test_people_are_let_in_or_denied_and_every_door_closes_behind_them() -> None:
    door = Door("door-1", seed=4)
    events = lived(door, 2 * 3600, start_s=0.0)
    kinds = [event.event for event in events]
    assert kinds.count("granted") > 100
    assert 0 < kinds.count("denied") < kinds.count("granted") / 10
    assert set(kinds) == {"granted", "denied"}
    assert all(event.badge is not None and event.badge.isdigit() for event in events)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(sorted(Door.faults)))
def test_the_same_seed_and_steps_give_the_same_life(seed: int, fault: str) -> None:
    def life() -> list[object]:
        door = Door("door-1", seed=seed)
        door.inject(fault, 0)
        return [*((door.state, *door.take_events()) for _ in stepped(door, 60, start_s=600))]

    assert life() == life()


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_a_closed_door_opens_only_for_a_badge_unless_it_is_forced(seed: int) -> None:
    door = Door("door-1", seed=seed)
    leaves = [door.leaf]
    granted = 0
    for _ in stepped(door, 900):
        leaves.append(door.leaf)
        granted += sum(event.event == "granted" for event in door.take_events())
    openings = sum(before is Leaf.CLOSED and after is Leaf.OPEN for before, after in pairwise(leaves))
    assert openings <= granted
    assert set(leaves) <= {Leaf.CLOSED, Leaf.OPEN}


def test_a_forced_door_says_so_at_once_and_closes_when_it_is_left() -> None:
    door = Door("door-1", seed=1, parameters=QUIET)
    door.inject("forced", 7)
    assert door.state.door is Leaf.FORCED
    assert door.state.lock == "locked"
    (event,) = door.take_events()
    assert (event.event, event.at_ns, event.badge) == ("forced", 7, None)
    lived(door, 30)
    assert door.state.door is Leaf.FORCED
    door.clear("forced", 30 * NS_PER_S)
    lived(door, 1, start_s=30)
    assert leaf_of(door) is Leaf.CLOSED


def test_a_door_held_open_is_told_after_its_time_and_closes_when_let_go() -> None:
    door = Door("door-1", seed=1, parameters=QUIET)
    door.inject("held_open", 0)
    told_s = run_until(door, lambda: door.state.door is Leaf.HELD_OPEN, within_s=30)
    assert 15.0 < told_s < 18.0
    assert [event.event for event in door.take_events()] == ["granted", "held_open"]
    lived(door, 60, start_s=told_s)
    assert door.state.door is Leaf.HELD_OPEN
    door.clear("held_open", 100 * NS_PER_S)
    lived(door, 1, start_s=100)
    assert leaf_of(door) is Leaf.CLOSED


def test_a_tailgating_is_shown_for_ten_seconds() -> None:
    door = Door("door-1", seed=1, parameters=QUIET)
    door.inject("tailgating", 0)
    shown = [now_ns / NS_PER_S for now_ns in stepped(door, 30) if door.state.tailgating]
    assert shown[-1] - shown[0] == pytest.approx(10.0, abs=0.1)
    assert [event.event for event in door.take_events()] == ["granted", "tailgating"]


def test_tampering_is_seen_until_the_case_is_closed() -> None:
    door = Door("door-1", seed=1, parameters=QUIET)
    door.inject("tamper", 0)
    door.inject("tamper", 1)
    assert door.state.tamper
    assert [event.event for event in door.take_events()] == ["tamper"]
    door.clear("tamper", 2)
    assert not door.state.tamper


def test_a_failing_battery_sinks_below_eleven_volts_and_recovers() -> None:
    door = Door("door-1", seed=1, parameters=QUIET)
    door.inject("battery_low", 0)
    low_s = run_until(door, lambda: door.state.battery_v < 10.8, within_s=30)
    assert low_s > 3
    door.clear("battery_low", 0)
    run_until(door, lambda: door.state.battery_v > 13.0, within_s=30)


def test_events_keep_their_own_names_when_the_simulator_starts_again() -> None:
    first = lived(Door("door-1", seed=1), 3600, start_s=0)
    again = lived(Door("door-1", seed=1), 3600, start_s=3600)
    names = [event.id for event in (*first, *again)]
    assert len(names) == len(set(names)) > 100


def test_a_fault_that_a_door_cannot_suffer_is_refused() -> None:
    with pytest.raises(ValueError, match="it can suffer battery_low"):
        Door("door-1", seed=1).inject("fire", 0)


def test_a_door_speaks_on_change_and_every_ten_seconds() -> None:
    door = Door("door-1", seed=1, parameters=QUIET)
    speaker = DoorSpeaker(door, "tower/door-1")
    said = [(now_ns, message) for now_ns in stepped(door, 25) for message in speaker.messages(now_ns, anew=False)]
    first_s, second_s, third_s = (now_ns / NS_PER_S for now_ns, _ in said)
    assert first_s == 0.05
    assert second_s <= 10.05
    assert third_s - second_s == pytest.approx(10.0)
    assert all(message.retain and message.qos == 1 for _, message in said)
    assert [*speaker.messages(25 * NS_PER_S, anew=False)] == []
    assert len([*speaker.messages(25 * NS_PER_S, anew=True)]) == 1
