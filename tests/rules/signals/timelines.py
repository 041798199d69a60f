"""Samples of one point over time, and what every signal of one point must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from hypothesis import strategies as st

START_NS = 1_700_000_000 * 10**9
S = 10**9


class Reading(NamedTuple):
    """One usable sample."""

    at_ns: int
    value: float


class Signal(Protocol):
    """What rules/signals has for one point."""

    look_back_ns: int

    def take(self, at_ns: int, value: float) -> float | None: ...


SENSIBLE = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e3, 1e3))
WILD = st.floats(allow_nan=False, allow_infinity=False)


def timelines(
    values: st.SearchStrategy[float] = SENSIBLE, *, window_ns: int, most: int = 60
) -> st.SearchStrategy[list[Reading]]:
    """Samples in order of time whose steps lie around a window's cells, around its length and in between."""
    cell = window_ns // 1000
    steps = st.one_of(
        st.integers(0, 3 * cell),
        st.integers(0, window_ns // 10),
        st.sampled_from([0, cell, window_ns // 2, window_ns, window_ns - cell, window_ns + 1, 3 * window_ns]),
        st.just(window_ns // 20),
    )
    begin = st.integers(0, window_ns).map(START_NS.__add__)
    rows = st.lists(st.tuples(steps, values), min_size=1, max_size=most)
    return st.tuples(begin, rows).map(lambda drawn: _in_order(*drawn))


def _in_order(at_ns: int, rows: Sequence[tuple[int, float]]) -> list[Reading]:
    readings = []
    for step, value in rows:
        at_ns += step
        readings.append(Reading(at_ns, value))
    return readings


def answers(signal: Signal, readings: Sequence[Reading]) -> list[float | None]:
    """Return what the signal says of each sample."""
    return [signal.take(*reading) for reading in readings]


def answers_after_restart(make: Callable[[], Signal], readings: Sequence[Reading], place: int) -> list[float | None]:
    """Return what a signal says of the samples after ``place`` that was rebuilt there from its look-back."""
    signal = make()
    known = readings[: place + 1]
    begin_ns = known[-1].at_ns - signal.look_back_ns
    before = [reading for reading in known if reading.at_ns < begin_ns][-1:]
    answers(signal, [*before, *(reading for reading in known if reading.at_ns >= begin_ns)])
    return answers(signal, readings[place + 1 :])


def edge_of(window_ns: int, at_ns: int) -> int:
    """Return when the first cell begins that begins after ``at_ns - window_ns``."""
    cell = window_ns // 1000
    begin = at_ns - window_ns
    return begin - begin % cell + cell
