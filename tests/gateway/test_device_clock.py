"""Whose clock is wrong, and whose message is merely late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.clock import NS_PER_S
from gateway.device_clock import FAR_S, STEADY_MESSAGES, STEADY_S, DeviceClock

HOUR_S = 3600.0


def heard(clock: DeviceClock, now_s: float, behind_s: float) -> bool:
    return clock.believes(round((now_s - behind_s) * NS_PER_S), round(now_s * NS_PER_S))


def settled(behind_s: float, *, speed: float = 1.0) -> tuple[DeviceClock, float]:
    """A clock that has been so far behind for a while, and the time now."""
    clock, now_s = DeviceClock(speed=speed), 1e6
    for _ in range(5):
        now_s += STEADY_S * speed
        heard(clock, now_s, behind_s)
    return clock, now_s


@given(st.lists(st.tuples(st.floats(0.1, 60), st.floats(0, 4.9)), min_size=1, max_size=100))
def test_a_right_clock_on_any_network_is_always_believed(messages: list[tuple[float, float]]) -> None:
    clock, now_s = DeviceClock(), 1e6
    for passed_s, late_s in messages:
        now_s += passed_s
        assert heard(clock, now_s, late_s)
    assert clock.jumps == 0
    assert clock.skew_s is None or 0 <= clock.skew_s < 5


@given(waited_s=st.floats(10, 30 * 24 * HOUR_S), period_s=st.floats(1, HOUR_S), count=st.integers(1, 200))
def test_what_waited_in_a_queue_is_believed_however_old_it_is(waited_s: float, period_s: float, count: int) -> None:
    clock, now_s = settled(0.2)
    for number in range(count):
        now_s += STEADY_S / 1000
        assert heard(clock, now_s, max(waited_s - number * period_s, 0.2))
    assert clock.jumps == 0


@given(behind_s=st.floats(FAR_S + 11, 30 * 24 * HOUR_S), period_s=st.floats(1, 60))
def test_a_clock_that_was_set_back_is_found_out_within_a_few_messages(behind_s: float, period_s: float) -> None:
    clock, now_s = settled(0.2)
    changed_s = now_s
    messages = 0
    while True:
        now_s += period_s
        messages += 1
        if not heard(clock, now_s, behind_s):
            break
        assert messages <= STEADY_MESSAGES or now_s - changed_s <= STEADY_S + 2 * period_s
    assert clock.jumps == 1
    assert clock.skew_s == pytest.approx(behind_s, abs=0.1)
    now_s += period_s
    assert heard(clock, now_s, 0.2)  # it was put right, and is believed at once


def test_a_message_from_the_future_is_never_believed_of_a_clock_that_was_right() -> None:
    clock, now_s = settled(0.2)
    assert not heard(clock, now_s + 1, -HOUR_S)
    assert heard(clock, now_s + 2, 0.3)
    assert clock.jumps == 0


def test_a_clock_that_is_a_little_wrong_is_believed_and_shown() -> None:
    clock, now_s = settled(-30.0)
    assert clock.skew_s == pytest.approx(-30.0, abs=0.1)
    assert heard(clock, now_s + 1, -30.2)
    assert clock.jumps == 0


def test_at_many_times_the_speed_of_life_the_same_holds_in_wall_seconds() -> None:
    clock, now_s = settled(0.2 * 600, speed=600.0)
    assert heard(clock, now_s + 600, 5 * 600)
    assert not heard(clock, now_s + 1200, -11 * 600)
