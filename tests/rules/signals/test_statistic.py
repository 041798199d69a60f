"""Statistics of a window: each value counts for as long as it held."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.conditions import LimitDefinition, LimitSide, WindowStatistic
from rules.signals.statistic import ExtremeSignal, MeanSignal, PercentileSignal, statistic_signal
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
KINDS = st.sampled_from(["mean", "min", "max", "percentile 5", "percentile 50", "percentile 95"])


def statistic(kind: str) -> MeanSignal | PercentileSignal | ExtremeSignal:
    name, _, percentile = kind.partition(" ")
    written = {"type": "window", "statistic": name, "percentile": percentile or None, "window_s": 60}
    limits = {LimitSide.HIGH: LimitDefinition(value=1.0)}
    return statistic_signal(WindowStatistic.model_validate({**written, "limits": limits}))


def begin_of(readings: Sequence[Reading]) -> int | None:
    """Return when the window begins that ends at the last sample; ``None`` if the first one lies within it."""
    at_ns = readings[-1].at_ns
    before = [each.at_ns for each in readings if each.at_ns < edge_of(WINDOW_NS, at_ns)]
    return max(before[-1], at_ns - WINDOW_NS) if before else None


def held(readings: Sequence[Reading], begin_ns: int) -> list[tuple[int, int, float]]:
    """Return what held from when to when in the window that ends at the last sample."""
    parts = [(max(one.at_ns, begin_ns), other.at_ns, one.value) for one, other in pairwise(readings)]
    return [part for part in parts if part[0] < part[1]]


def mean_of(parts: Sequence[tuple[int, int, float]]) -> float:
    area = sum((end - begin) * Fraction(value) for begin, end, value in parts)
    return float(area / (parts[-1][1] - parts[0][0]))


def percentile_of(readings: Sequence[Reading], parts: list[tuple[int, int, float]], percentile: float) -> float:
    """Sort the window's cells by their means and go up to the percentile of the time."""
    begin_ns, end_ns = parts[0][0], parts[-1][1]
    inside = (each.at_ns for each in readings if each.at_ns >= edge_of(WINDOW_NS, end_ns))
    ends = [begin_ns, *[next(times) for _, times in groupby(inside, lambda at: at // (WINDOW_NS // 1000))], end_ns]
    levels = sorted(
        (mean_of([part for part in parts if begin <= part[0] < end]), end - begin)
        for begin, end in pairwise(ends)
        if begin < end
    )
    passed = 0
    for value, weight in levels:
        passed += weight
        if passed * 100 >= Fraction(percentile) * (end_ns - begin_ns):
            return value
    raise AssertionError(levels)


def naive(kind: str, readings: Sequence[Reading]) -> float | None:
    """Return the statistic at the last of all samples."""
    begin_ns = begin_of(readings)
    if begin_ns is None:
        return None
    parts = held(readings, begin_ns)
    name, _, percentile = kind.partition(" ")
    if name == "mean":
        return mean_of(parts)
    if name == "percentile":
        return percentile_of(readings, parts, float(percentile))
    values = [*(value for _, _, value in parts), readings[-1].value]
    return max(values) if name == "max" else min(values)


@given(KINDS, timelines(window_ns=WINDOW_NS))
def test_the_statistic_is_that_of_all_values_in_the_window(kind: str, readings: list[Reading]) -> None:
    said = answers(statistic(kind), readings)
    assert said == [naive(kind, readings[: place + 1]) for place in range(len(readings))]


@given(KINDS, timelines(WILD, window_ns=WINDOW_NS), st.data())
def test_a_restart_changes_no_later_statistic(kind: str, readings: list[Reading], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(readings) - 1))
    later = answers_after_restart(lambda: statistic(kind), readings, place)
    assert later == answers(statistic(kind), readings)[place + 1 :]


@pytest.mark.parametrize(
    ("kind", "expected"), [("mean", 5.0), ("min", 2.0), ("max", 8.0), ("percentile 50", 2.0), ("percentile 51", 8.0)]
)
def test_a_value_counts_for_as_long_as_it_held(kind: str, expected: float) -> None:
    """Two degrees for half a minute with many samples, eight for the other half with one."""
    readings = [Reading(START_NS + second * S, 2.0) for second in range(31)]
    readings += [Reading(START_NS + 30 * S, 8.0), Reading(START_NS + 60 * S, 8.0)]
    assert answers(statistic(kind), readings)[-1] == expected


@given(KINDS)
def test_nothing_is_said_of_a_window_that_was_not_seen_whole(kind: str) -> None:
    readings = [Reading(START_NS + second * S, 2.0) for second in range(0, 70, 10)]
    assert answers(statistic(kind), readings) == [None] * 6 + [2.0]


def test_the_mean_of_a_year_of_large_numbers_has_no_drift() -> None:
    signal = statistic("mean")
    for place in range(50_000):
        signal.take(START_NS + place * 600 * S, 1e15 if place % 2 else 0.1)
    end_ns = START_NS + 50_000 * 600 * S
    assert answers(signal, [Reading(end_ns + second * S, 0.1) for second in range(62)])[-1] == 0.1


@given(KINDS)
def test_a_thousand_samples_a_second_fill_no_memory(kind: str) -> None:
    signal = statistic(kind)
    for place in range(70_000):
        signal.take(START_NS + place * S // 1000, float(-place if place % 3 else place))
    kept = signal._queue if isinstance(signal, ExtremeSignal) else signal._held.cells
    assert len(kept) <= 1002
    assert not isinstance(signal, PercentileSignal) or len(signal._sorted.values) <= 1002
