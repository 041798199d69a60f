"""A learned baseline tells a machine that is unwell from one that is only warm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pump_testbed import score
from rules.baseline import Baseline, Chart, GoodPeriodError, Matrix, fit, rows_needed, smoothed
from tests.app.recordings import recorded

NAMES = ["flow", "pressure", "temperature"]
FLOW, PRESSURE, TEMPERATURE = range(3)


def pump(rows: int, seed: int, *, warming: float = 0.02) -> Matrix:
    """A pump that runs steadily and warms up: flow and pressure go together, the temperature wanders upwards."""
    random = np.random.default_rng(seed)
    load = random.normal(0, 1, rows)
    flow = 120 + 2 * load + random.normal(0, 0.5, rows)
    pressure = 4 - 0.1 * load + random.normal(0, 0.02, rows)
    temperature = 40 + np.cumsum(random.normal(warming, 0.1, rows)) + random.normal(0, 0.1, rows)
    return np.column_stack([flow, pressure, temperature])


def learned(rows: Matrix, smoothing: float = 0.1) -> Baseline:
    return fit(rows, names=NAMES, smoothing=smoothing)


def beyond(chart: Chart, rows: Matrix) -> float:
    """Return the share of rows that the chart finds not well."""
    return float(np.mean([chart.take(row).ratio > 1 for row in rows]))


@pytest.mark.parametrize("seed", range(6))
def test_a_pump_that_goes_on_warming_as_it_did_is_well(seed: int) -> None:
    rows = pump(700, seed)
    chart = Chart(learned(rows[:400]), 4.0)
    assert beyond(chart, rows) < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_a_flow_that_falls_is_found_and_named(seed: int) -> None:
    rows = pump(900, seed)
    chart = Chart(learned(rows[:400]), 4.0)
    rows[600:, FLOW] -= 10
    assert beyond(chart, rows[400:600]) < 0.2
    assert beyond(chart, rows[620:]) > 0.9
    assert int(np.argmax(chart.take(rows[-1]).shares)) == FLOW


def test_two_points_that_part_are_found_though_each_is_within_its_own_range() -> None:
    rows = pump(900, 1)
    chart = Chart(learned(rows[:400]), 4.0)
    fresh = np.random.default_rng(2)
    parted = rows[400:].copy()
    parted[:, FLOW], parted[:, PRESSURE] = 122 + fresh.normal(0, 0.3, 500), 4.15 + fresh.normal(0, 0.02, 500)
    assert beyond(chart, parted[50:]) > 0.9


@pytest.mark.parametrize("still", [0.0, 4.0, 1e12])
def test_a_point_that_never_moved_is_named_and_nothing_is_divided_by_its_spread(still: float) -> None:
    rows = pump(500, 3)
    rows[:, PRESSURE] = still
    with pytest.raises(GoodPeriodError, match=r"^pressure did not move in the good period.*leave it out"):
        learned(rows)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused_by_its_points_name(value: float) -> None:
    rows = pump(500, 3)
    rows[77, TEMPERATURE] = value
    with pytest.raises(GoodPeriodError, match=r"^temperature: not every value is a number"):
        learned(rows)


def test_two_points_that_say_the_same_divide_by_nothing() -> None:
    rows = pump(900, 1)
    rows[:, PRESSURE] = rows[:, FLOW]
    chart = Chart(learned(rows[:400]), 4.0)
    assert beyond(chart, rows[400:600]) < 0.2
    rows[600:, FLOW] -= 10
    assert beyond(chart, rows[620:]) > 0.9


def test_a_point_that_says_nothing_leaves_the_chart_where_it_was() -> None:
    rows = pump(500, 4)
    chart = Chart(learned(rows[:400]), 4.0)
    chart.take(rows[400])
    before = chart.smoothed.copy()
    rows[401, TEMPERATURE] = np.nan
    verdict = chart.take(rows[401])
    assert np.isfinite(verdict.ratio)
    assert chart.smoothed[TEMPERATURE] == before[TEMPERATURE]
    assert chart.smoothed[FLOW] != before[FLOW]


def test_a_good_period_that_is_too_short_is_refused_with_what_it_needs() -> None:
    with pytest.raises(
        GoodPeriodError, match=r"has 189 rows with a value of every point and needs 190; choose a longer"
    ):
        learned(pump(189, 5))
    learned(pump(190, 5))
    with pytest.raises(GoodPeriodError, match=r"needs 380"):
        learned(pump(190, 5), smoothing=0.05)
    assert rows_needed(points=40, smoothing=0.1) == 450


@given(rows=st.integers(1, 700), weight=st.sampled_from([0.01, 0.1, 0.5, 1.0]))
def test_smoothing_many_rows_at_once_is_smoothing_one_after_the_other(rows: int, weight: float) -> None:
    scaled = np.random.default_rng(rows).normal(0, 1, (rows, 2))
    state = np.zeros(2)
    for row, seen in zip(scaled, smoothed(scaled, weight), strict=True):
        state = (1 - weight) * state + weight * row
        assert seen == pytest.approx(state, rel=1e-12, abs=1e-12)


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-3, 3.6, 1e4]), offset=st.sampled_from([0.0, 273.15]))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_a_point_changes_no_verdict(seed: int, scale: float, offset: float) -> None:
    rows = pump(500, seed)
    rows[450:, FLOW] -= 8
    other = rows.copy()
    other[:, FLOW] = rows[:, FLOW] * scale + offset
    ours, theirs = Chart(learned(rows[:400]), 4.0), Chart(learned(other[:400]), 4.0)
    for row, same in zip(rows, other, strict=True):
        assert theirs.take(same).ratio == pytest.approx(ours.take(row).ratio, rel=1e-3, abs=1e-3)


@given(seed=st.integers(0, 10_000), kill=st.integers(0, 199))
@settings(max_examples=20, deadline=None)
def test_a_chart_that_is_put_back_goes_on_as_if_nothing_had_happened(seed: int, kill: int) -> None:
    rows = pump(600, seed)
    baseline = learned(rows[:400])
    calm, stormy = Chart(baseline, 4.0), Chart(baseline, 4.0)
    for place, row in enumerate(rows[400:]):
        assert stormy.take(row).ratio == calm.take(row).ratio
        if place == kill:
            saved, stormy = stormy.smoothed, Chart(baseline, 4.0)
            stormy.smoothed = saved


def test_the_valve_of_the_pump_test_bed_is_found() -> None:
    figures = score(recorded("pump-testbed/0.csv").parent)
    assert figures["experiments"] >= 16
    assert figures["f1"] >= 0.84
    assert figures["far_percent"] <= 18.0
