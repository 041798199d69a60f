"""The chart takes rows of a machine's points as they stand, at the steps of a grid, in teaching as in watching."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.conditions import Baseline as BaselineCondition
from facility.expression import Operand, parse
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from rules.baseline import Baseline, Matrix, fit
from rules.kernel import NEVER
from rules.signals.chart import ChartSignal, grid_ns, held, steps_between
from rules.signals.operating import OperatingState
from tests.rules.signals.timelines import START_NS, S

NAMES = ["flow", "motor_current", "temperature"]
FLOW, CURRENT, TEMPERATURE, RUNNING = 11, 12, 13, 14
KEYS = (FLOW, CURRENT, TEMPERATURE)


def condition(sample_s: float = 1.0) -> BaselineCondition:
    return BaselineCondition(type="baseline", points=NAMES, sample_s=sample_s)


def machine(rows: int, seed: int = 0) -> Matrix:
    random = np.random.default_rng(seed)
    load = random.normal(0, 1, rows)
    columns = [120 + 2 * load, 8 + 0.3 * load + random.normal(0, 0.1, rows), 40 + random.normal(0, 0.2, rows)]
    return np.column_stack(columns)


def learned(rows: Matrix) -> Baseline:
    return fit(rows, names=NAMES, smoothing=0.1)


BASELINE = learned(machine(600))


def chart(sample_s: float = 1.0) -> ChartSignal:
    return ChartSignal(condition(sample_s), BASELINE, KEYS)


def watched(signal: ChartSignal, rows: Sequence[Sequence[float]], start_ns: int = START_NS) -> list[float]:
    """Return what the chart says of rows that come a second apart."""
    if signal.due_ns == NEVER:
        signal.begin(start_ns - 1)
    return [signal.reach(start_ns + place * S, row) for place, row in enumerate(rows)]


def test_a_chart_wants_a_row_at_every_step_of_its_grid_once_it_has_begun() -> None:
    signal = chart(sample_s=10)
    assert signal.due_ns == NEVER
    assert math.isnan(signal.begin(START_NS + 3 * S))
    assert signal.due_ns == START_NS + 10 * S
    signal.reach(START_NS + 10 * S, [120.0, 8.0, 40.0])
    assert signal.due_ns == START_NS + 20 * S
    assert signal.begin(START_NS + 14 * S) == signal.begin(START_NS + 15 * S)


def test_a_machine_that_is_well_is_within_and_a_flow_that_falls_is_named_first() -> None:
    signal = chart()
    assert max(watched(signal, machine(500, seed=1).tolist())) < 1
    fallen = machine(100, seed=2)
    fallen[:, 0] -= 12
    assert watched(signal, fallen.tolist(), START_NS + 500 * S)[-1] > 1
    assert signal.explain().startswith("flow ")
    assert signal.explain().endswith(" %")


def test_only_points_that_matter_are_named_with_their_share() -> None:
    signal = chart()
    watched(signal, [[120.0, 8.0, 60.0]] * 50)
    name, share, percent = signal.explain().split(" ")
    assert (name, percent) == ("temperature", "%")
    assert int(share) in range(95, 106)


def test_nothing_is_said_before_any_point_has_a_value() -> None:
    signal = chart()
    assert all(math.isnan(said) for said in watched(signal, [[math.nan] * 3] * 5))
    assert signal.explain() == ""
    assert signal.reach(START_NS + 5 * S, [120.0, math.nan, math.nan]) >= 0.0


def only_while_running() -> ChartSignal:
    running = Operand(states={"stopped": 0, "running": 1})
    state = OperatingState(parse("running == 'running'", {"running": running}), (RUNNING,))
    return ChartSignal(condition(), BASELINE, KEYS, state)


def test_a_machine_that_stands_still_is_not_looked_at_and_begins_well_when_it_runs_again() -> None:
    signal = only_while_running()
    assert signal.inputs == (*KEYS, RUNNING)
    assert watched(signal, [[90.0, 8.0, 40.0, 1.0]] * 30)[-1] > 1
    assert all(math.isnan(said) for said in watched(signal, [[0.0, 0.0, 20.0, 0.0]] * 30, START_NS + 30 * S))
    assert signal.explain() == ""
    rows = np.column_stack([machine(60, seed=3), np.ones(60)])
    assert max(watched(signal, rows.tolist(), START_NS + 60 * S)) < 1


def test_while_nobody_knows_whether_it_runs_the_chart_stays_as_it_was() -> None:
    signal = only_while_running()
    before = watched(signal, [[90.0, 8.0, 40.0, 1.0]] * 30)[-1]
    assert watched(signal, [[0.0, 0.0, 20.0, math.nan]] * 30, START_NS + 30 * S) == [before] * 30


@given(st.integers(1, 2000), st.integers(0, 100))
def test_rows_that_nobody_came_for_are_taken_as_the_points_stand(missed: int, seed: int) -> None:
    rows = machine(20, seed).tolist()
    early, late = chart(), chart()
    watched(early, rows)
    watched(late, rows)
    standing = [110.0, 8.0, 41.0]
    punctual = watched(early, [standing] * missed, START_NS + 20 * S)[-1]
    assert late.reach(START_NS + (19 + missed) * S, standing) == pytest.approx(punctual, rel=1e-9)
    assert late.due_ns == early.due_ns


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(450, 700), st.sampled_from([math.nan, 0.0]))
def test_a_restart_changes_no_later_answer(seed: int, place: int, hole: float) -> None:
    rows = machine(800, seed)
    rows[600:, 0] -= 3
    if math.isnan(hole):
        rows[place - 30 : place - 10, 1] = math.nan
    calm, restarted = chart(), chart()
    said = watched(calm, rows.tolist())
    begin = place - calm.look_back_ns // S
    watched(restarted, rows[begin:place].tolist(), START_NS + begin * S)
    restarted.begin(START_NS + (place - 1) * S)
    again = watched(restarted, rows[place:].tolist(), START_NS + place * S)
    assert again == pytest.approx(said[place:], rel=1e-9)


def samples(*readings: tuple[int, float, float] | tuple[int, float, float, Quality]) -> SampleBatch:
    """Make a batch of (point, second, value[, quality])."""
    rows = []
    for point, second, value, *quality in readings:
        at_ns = START_NS + int(second * S)
        rows.append(Sample(point, at_ns, at_ns + 7, value, quality[0] if quality else Quality.GOOD))
    return SampleBatch.of(rows)


def rows_of(batch: SampleBatch, seconds: int, *, hold_s: int = 100) -> list[list[float]]:
    times_ns = steps_between(START_NS, START_NS + seconds * S, S)
    rows: list[list[float]] = held(batch, [FLOW, CURRENT], times_ns, hold_ns=hold_s * S).tolist()
    return [row for row in rows if np.isfinite(row).all()]


def test_points_stand_as_they_reported_last_and_rows_without_one_are_left_out() -> None:
    batch = samples((FLOW, 0, 5.0), (CURRENT, 1.5, 1.0), (FLOW, 3, 6.0), (FLOW, 3.2, 7.0))
    assert rows_of(batch, 5) == [[5.0, 1.0], [6.0, 1.0], [7.0, 1.0]]


def test_bad_samples_and_long_silence_leave_rows_out_until_a_good_sample_comes() -> None:
    batch = samples(
        (FLOW, 0, 5.0),
        (CURRENT, 0, 1.0),
        (CURRENT, 1, 9.0, Quality.BAD_COMMUNICATION),
        (CURRENT, 3, 2.0),
        (FLOW, 9, 8.0),
    )
    assert rows_of(batch, 5) == [[5.0, 1.0], [5.0, 2.0], [5.0, 2.0]]
    assert rows_of(batch, 10, hold_s=4) == [[5.0, 1.0], [5.0, 2.0], [5.0, 2.0]]


def test_a_point_without_any_sample_leaves_no_rows() -> None:
    assert rows_of(samples((FLOW, 0, 5.0)), 5) == []
    assert rows_of(SampleBatch.of([]), 5) == []


@given(st.data())
def test_held_rows_are_what_a_walk_through_the_samples_finds(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 30))
    readings = [
        (
            data.draw(st.sampled_from([FLOW, CURRENT])),
            data.draw(st.integers(-20, 60)) / 2,
            float(place),
            data.draw(st.sampled_from([Quality.GOOD, Quality.BAD_COMMUNICATION])),
        )
        for place in range(count)
    ]
    hold_s = data.draw(st.integers(1, 40))
    expected = []
    for second in range(30):
        row = []
        for point in (FLOW, CURRENT):
            known = [reading for reading in readings if reading[0] == point and reading[1] <= second]
            newest = max(known, key=lambda reading: (reading[1], reading[2]), default=None)
            if newest is not None and newest[3] is Quality.GOOD and second - newest[1] <= hold_s:
                row.append(newest[2])
        if len(row) == 2:
            expected.append(row)
    assert rows_of(samples(*readings), 30, hold_s=hold_s) == expected


def test_the_grid_is_that_of_the_condition() -> None:
    assert grid_ns(condition(0.5)) == S // 2
