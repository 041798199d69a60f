"""The rate is that of the straight line through a window's samples, however long they have been coming."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.conditions import LimitDefinition, LimitSide, RateOfChange
from rules.signals.rate import RateSignal
from tests.rules.signals.timelines import (
    START_NS,
    WILD,
    Reading,
    S,
    answers,
    answers_after_restart,
    edge_of,
    timelines,
)

WINDOW_NS = 60 * S


def rate(per: str = "s") -> RateSignal:
    limits = {LimitSide.HIGH: LimitDefinition(value=1.0)}
    return RateSignal(
        RateOfChange.model_validate({"type": "rate_of_change", "window_s": 60, "per": per, "limits": limits})
    )


def slope(fitted: Sequence[Reading]) -> float | None:
    """Fit by the textbook, in fractions."""
    times, values = [Fraction(each.at_ns, S) for each in fitted], [Fraction(each.value) for each in fitted]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - middle) ** 2 for time in times)
    pairs = zip(times, values, strict=True)
    return float(sum((time - middle) * (value - mean) for time, value in pairs) / spread) if spread else None


def naive(readings: Sequence[Reading]) -> float | None:
    """Return the rate at the last of all samples."""
    at_ns = readings[-1].at_ns
    inside = [each for each in readings if each.at_ns >= edge_of(WINDOW_NS, at_ns)]
    if 2 * (at_ns - inside[0].at_ns) >= WINDOW_NS:
        return slope(inside)
    before = readings[: len(readings) - len(inside)][-1:]
    return slope([*before, *inside]) if before else None


@given(timelines(window_ns=WINDOW_NS))
def test_the_rate_is_the_least_squares_slope_to_the_last_digit(readings: list[Reading]) -> None:
    said = answers(rate(), readings)
    assert said == [naive(readings[: place + 1]) for place in range(len(readings))]


@given(timelines(WILD, window_ns=WINDOW_NS), st.data())
def test_a_restart_changes_no_later_rate(readings: list[Reading], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(readings) - 1))
    assert answers_after_restart(rate, readings, place) == answers(rate(), readings)[place + 1 :]


@pytest.mark.parametrize(("per", "expected"), [("s", 0.5), ("min", 30.0), ("h", 1800.0)])
def test_a_steady_rise_has_its_own_rate_in_every_unit(per: str, expected: float) -> None:
    readings = [Reading(START_NS + second * S, 20 + 0.5 * second) for second in range(200)]
    assert answers(rate(per), readings)[29:] == [None, *[expected] * 170]


def test_a_rate_after_months_is_that_of_the_last_minute() -> None:
    signal = rate()
    for hour in range(24 * 180):
        signal.take(START_NS + hour * 3600 * S, 1e12 + hour)
    end_ns = START_NS + 24 * 180 * 3600 * S
    assert answers(signal, [Reading(end_ns + second * S, 0.25 * second) for second in range(120)])[-1] == 0.25


def test_a_point_that_reports_every_two_minutes_has_a_rate_too() -> None:
    said = answers(rate("min"), [Reading(START_NS + minute * 60 * S, 3.0 * minute) for minute in range(0, 20, 2)])
    assert said == [None, *[3.0] * 9]


def test_ten_thousand_samples_a_second_fill_no_memory() -> None:
    signal = rate()
    for place in range(200_000):
        signal.take(START_NS + place * S // 1000, float(place))
    assert len(signal._cells) <= 1001
