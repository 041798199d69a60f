"""How long a bearing, a filter or a battery has left, told from its trend and not from its noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, groupby, pairwise
from statistics import mean, median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.conditions import Forecast
from rules.signals.forecast import NO_TREND_H, ForecastSignal, is_beyond_chance, theil_sen
from tests.rules.signals.timelines import START_NS, WILD, Reading, S, answers, answers_after_restart, timelines

HOUR = 3600 * S
WINDOW_NS = 48 * HOUR
"""Buckets of an hour."""


def forecast(limit: float = 80.0, direction: str = "rising") -> ForecastSignal:
    written = {"type": "forecast", "limit": limit, "direction": direction, "horizon_h": 24, "window_h": 48}
    return ForecastSignal(Forecast.model_validate(written))


def naive(readings: Sequence[Reading]) -> float | None:
    """Return the hours left at the last of all samples, until 80 is reached from below."""
    now = readings[-1].at_ns // HOUR
    complete = [each for each in readings if now - 48 <= each.at_ns // HOUR < now]
    buckets = [list(bucket) for _, bucket in groupby(complete, lambda each: each.at_ns // HOUR)]
    if len(buckets) < 24:
        return None
    hours = [mean((each.at_ns - now * HOUR) / HOUR for each in bucket) for bucket in buckets]
    values = [mean(each.value for each in bucket) for bucket in buckets]
    slope = median((v - u) / (t - s) for (s, u), (t, v) in combinations(zip(hours, values, strict=True), 2))
    level = median(value - slope * hour for hour, value in zip(hours, values, strict=True))
    if slope <= 0 or not is_beyond_chance(np.array(hours), np.array(values), slope):
        return NO_TREND_H
    left = 80.0 - level - slope * (readings[-1].at_ns - now * HOUR) / HOUR
    return min(max(left / slope, 0.0), NO_TREND_H)


@st.composite
def drifting(draw: st.DrawFn) -> list[Reading]:
    """A value with a trend and noise, sampled some times an hour with gaps, over days."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 200))
    steps = random.choice([600, 1800, 3600, 5400, draw(st.sampled_from([3600, 36_000, 180_000]))], count)
    hours = np.cumsum(steps + random.random(count)) / 3600
    trend, noise = draw(st.sampled_from([-0.5, 0.0, 0.1, 0.5, 2.0])), draw(st.sampled_from([0.0, 0.5, 5.0]))
    values = 40 + trend * hours + random.normal(0, 1, count) * noise
    return [Reading(START_NS + int(hour * HOUR), float(value)) for hour, value in zip(hours, values, strict=True)]


@settings(deadline=None)
@given(drifting())
def test_the_hours_left_are_those_of_the_line_through_all_complete_hours(readings: list[Reading]) -> None:
    said = answers(forecast(), readings)
    for place in range(0, len(readings), 7):
        expected = naive(readings[: place + 1])
        assert said[place] == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-6))


@settings(deadline=None)
@given(st.one_of(drifting(), timelines(WILD, window_ns=WINDOW_NS, most=100)), st.data())
def test_a_restart_changes_no_later_forecast(readings: list[Reading], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(readings) - 1))
    assert answers_after_restart(forecast, readings, place) == answers(forecast(), readings)[place + 1 :]


@given(timelines(WILD, window_ns=WINDOW_NS, most=100))
def test_whatever_comes_the_hours_are_a_number_from_nought_to_the_cap(readings: list[Reading]) -> None:
    assert all(left is None or 0.0 <= left <= NO_TREND_H for left in answers(forecast(), readings))


def rising(per_hour: float, *, noise: float = 0.0, seed: int = 0) -> list[Reading]:
    """Four days at a sample a minute from 40 on."""
    random = np.random.default_rng(seed)
    minutes = range(4 * 24 * 60)
    return [Reading(START_NS + m * 60 * S, 40 + per_hour * m / 60 + random.normal(0, noise)) for m in minutes]


@pytest.mark.parametrize("seed", range(5))
def test_a_bearing_that_warms_through_noise_is_told_in_time(seed: int) -> None:
    readings = rising(0.5, noise=3.0, seed=seed)
    said = answers(forecast(), readings)
    first = next(place for place, left in enumerate(said) if left is not None and left < 24)
    truly_left = (80 - 40 - 0.5 * first / 60) / 0.5
    assert truly_left == pytest.approx(24, abs=2)


def test_the_last_value_before_the_limit_leaves_no_time() -> None:
    said = answers(forecast(), rising(0.5))
    assert said[80 * 60] == pytest.approx(0.0, abs=1e-6)
    assert said[-1] == 0.0


def test_a_level_falls_towards_its_lower_limit_as_another_rises() -> None:
    up = answers(forecast(80.0), rising(0.5))
    down = [Reading(at_ns, -value) for at_ns, value in rising(0.5)]
    assert answers(forecast(-80.0, "falling"), down) == up
    assert set(answers(forecast(-80.0, "rising"), down)[60 * 30 :]) <= {NO_TREND_H, 0.0}


@pytest.mark.parametrize("seed", range(20))
def test_noise_just_below_the_limit_is_no_trend(seed: int) -> None:
    said = answers(forecast(), [Reading(at_ns, value + 38) for at_ns, value in rising(0.0, noise=1.0, seed=seed)])
    assert np.mean([left is not None and left < 24 for left in said]) < 0.03


def test_a_fifth_of_wild_hours_moves_the_forecast_little() -> None:
    random = np.random.default_rng(1)
    wild_hours = set(random.choice(96, 20, replace=False).tolist())
    spoilt = [
        Reading(at_ns, value + (200 if (at_ns - START_NS) // HOUR in wild_hours else 0))
        for at_ns, value in rising(0.3, noise=0.5)
    ]
    calm, wild = answers(forecast(), rising(0.3, noise=0.5))[-1], answers(forecast(), spoilt)[-1]
    assert calm is not None
    assert wild is not None
    assert wild == pytest.approx(calm, rel=0.3)


def test_nothing_is_said_before_half_of_the_window_has_samples() -> None:
    said = answers(forecast(), rising(0.5))
    first = next(place for place, left in enumerate(said) if left is not None)
    assert first / 60 == pytest.approx(24, abs=1)


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=12, unique_by=lambda p: p[0])
)
def test_the_slope_is_the_median_of_all_pairs(points: list[tuple[float, float]]) -> None:
    points.sort()
    if min(later[0] - earlier[0] for earlier, later in pairwise(points)) < 1e-6:
        return
    slopes = [(v - u) / (t - s) for (s, u), (t, v) in combinations(points, 2)]
    hours, values = (np.array(column) for column in zip(*points, strict=True))
    assert math.isclose(theil_sen(hours, values), median(slopes), rel_tol=1e-9, abs_tol=1e-9)
