"""A sensor that froze goes on sending; what it sends does not move."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from facility.conditions import StuckValue
from rules.signals.stuck import StuckSignal
from tests.rules.signals.timelines import START_NS, Reading, S, answers, answers_after_restart, edge_of, timelines

FOR_S = 60
FOR_NS = FOR_S * S
TOLERANCES = st.sampled_from([0.0, 0.5, 1.0, 2.5])


def stuck(tolerance: float = 0.0) -> StuckSignal:
    return StuckSignal(StuckValue(type="stuck", for_s=FOR_S, tolerance=tolerance))


def spread(readings: Sequence[Reading]) -> float:
    values = [each.value for each in readings]
    return max(values) - min(values)


def after_last_move(cell: list[Reading], tolerance: float) -> list[Reading]:
    """Return a cell's samples from the last one on that lay apart from others of its cell."""
    run: list[Reading] = []
    for reading in cell:
        run = [*run, reading] if spread([*run, reading]) <= tolerance else [reading]
    return run


def naive(readings: Sequence[Reading], tolerance: float) -> float:
    """Return the seconds at the last of all samples."""
    at_ns = readings[-1].at_ns
    edge_ns = edge_of(FOR_NS, at_ns)
    inside = [each for each in readings if each.at_ns >= edge_ns]
    run: list[Reading] = []
    for _, each in groupby(reversed(inside), lambda reading: reading.at_ns // (FOR_NS // 1000)):
        cell = list(each)[::-1]
        still = after_last_move(cell, tolerance)
        if run and spread([*still, *run]) > tolerance:
            return (at_ns - run[0].at_ns) / S
        run = [*still, *run]
        if len(still) < len(cell):
            return (at_ns - run[0].at_ns) / S
    before = readings[: len(readings) - len(inside)][-1:]
    if before and spread([*before, *run]) <= tolerance:
        return min((at_ns - before[0].at_ns) / S, FOR_S)
    return (at_ns - run[0].at_ns) / S


@given(timelines(window_ns=FOR_NS), TOLERANCES)
def test_the_seconds_are_those_since_the_last_move(readings: list[Reading], tolerance: float) -> None:
    said = answers(stuck(tolerance), readings)
    assert said == [naive(readings[: place + 1], tolerance) for place in range(len(readings))]


@given(timelines(window_ns=FOR_NS), TOLERANCES, st.data())
def test_a_restart_changes_no_later_answer(readings: list[Reading], tolerance: float, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(readings) - 1))
    later = answers_after_restart(lambda: stuck(tolerance), readings, place)
    assert later == answers(stuck(tolerance), readings)[place + 1 :]


def test_a_frozen_value_is_stuck_after_its_time_and_until_it_moves() -> None:
    values = [20.0, *[21.0] * 70, 21.5]
    said = answers(stuck(), [Reading(START_NS + second * S, value) for second, value in enumerate(values)])
    assert said == [0.0, *[float(min(second, FOR_S)) for second in range(70)], 0.0]


def test_a_value_that_creeps_is_not_stuck_though_every_step_is_small() -> None:
    creeping = [Reading(START_NS + second * S, 0.02 * second) for second in range(600)]
    assert FOR_S not in answers(stuck(tolerance=1.0), creeping)
    assert FOR_S in answers(stuck(tolerance=1.3), creeping)


def test_a_device_that_reports_every_hour_the_same_is_stuck() -> None:
    said = answers(stuck(), [Reading(START_NS + hour * 3600 * S, 4.0) for hour in range(4)])
    assert said == [0.0, FOR_S, FOR_S, FOR_S]


def test_a_thousand_samples_a_second_fill_no_memory() -> None:
    signal = stuck(tolerance=1e9)
    for place in range(200_000):
        signal.take(START_NS + place * S // 1000, float(-place))
    assert max(len(signal._cells), len(signal._high._queue), len(signal._low._queue)) <= 1001
