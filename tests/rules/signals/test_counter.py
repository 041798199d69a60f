"""How much a counter grew, over its turns and through exchanged devices."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.conditions import CounterIncrease, LimitDefinition, LimitSide
from rules.signals.counter import CounterSignal
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

WINDOW_NS = 3600 * S
MODULI = st.sampled_from([None, 100.0, 65536.0])


def counter(modulus: float | None = None) -> CounterSignal:
    limits = {LimitSide.HIGH: LimitDefinition(value=6.0)}
    written = {"type": "counter", "window_s": 3600, "modulus": modulus, "limits": limits}
    return CounterSignal(CounterIncrease.model_validate(written))


def growth(one: Reading, other: Reading, modulus: float | None) -> Fraction:
    grown = Fraction(other.value) - Fraction(one.value)
    if grown >= 0:
        return grown
    over = grown + Fraction(modulus or 0)
    return over if modulus is not None and 0 <= over <= Fraction(modulus) / 2 else Fraction(0)


def naive(readings: Sequence[Reading], modulus: float | None) -> float | None:
    """Return the growth at the last of all samples."""
    edge_ns = edge_of(WINDOW_NS, readings[-1].at_ns)
    steps = [growth(one, other, modulus) for one, other in pairwise(readings) if other.at_ns >= edge_ns]
    return float(sum(steps, Fraction(0))) if readings[0].at_ns < edge_ns else None


@given(timelines(st.one_of(st.integers(0, 100).map(float), st.floats(0, 70_000)), window_ns=WINDOW_NS), MODULI)
def test_the_growth_is_the_sum_of_all_steps_in_the_window(readings: list[Reading], modulus: float | None) -> None:
    said = answers(counter(modulus), readings)
    assert said == [naive(readings[: place + 1], modulus) for place in range(len(readings))]


@given(timelines(WILD, window_ns=WINDOW_NS), MODULI, st.data())
def test_a_restart_changes_no_later_growth(readings: list[Reading], modulus: float | None, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(readings) - 1))
    later = answers_after_restart(lambda: counter(modulus), readings, place)
    assert later == answers(counter(modulus), readings)[place + 1 :]


@pytest.mark.parametrize(
    ("modulus", "values", "expected"),
    [
        (None, [5, 5, 6, 8], 3.0),
        (100.0, [98, 99, 1, 3], 5.0),
        (None, [98, 99, 1, 3], 3.0),
        (65536.0, [2000, 2001, 0, 1], 2.0),
        (100.0, [100, 0, 0, 1], 1.0),
    ],
)
def test_turns_count_and_exchanged_devices_do_not(modulus: float | None, values: list[int], expected: float) -> None:
    readings = [Reading(START_NS + place * 1200 * S, float(value)) for place, value in enumerate(values)]
    assert answers(counter(modulus), readings) == [None, None, None, expected]


def test_a_hundred_thousand_starts_in_an_hour_fill_no_memory() -> None:
    signal = counter()
    for place in range(100_000):
        signal.take(START_NS + place * S // 20, float(place))
    assert len(signal._cells) <= 1001
    assert signal.take(START_NS + 5000 * S, 100_000.0) == pytest.approx(72_000, rel=1e-3)
