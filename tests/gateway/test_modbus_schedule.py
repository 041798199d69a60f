"""Whose turn it is on a Modbus line."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.modbus.schedule import FIRST_READING_S, REST, Pace, next_turn, spread


def line_of(*periods_s: float) -> list[Pace]:
    """Return a line of units with one group each, numbered from 1, spread from time 0 on."""
    paces = [Pace(unit=number, period_s=period_s) for number, period_s in enumerate(periods_s, 1)]
    spread(paces, 0.0)
    return paces


@pytest.mark.parametrize(
    ("ended_s", "next_s", "left_out"),
    [(10.1, 11.0, 0), (10.999, 11.0, 0), (11.3, 11.0, 0), (12.9, 12.0, 1), (15.2, 15.0, 4)],
)
def test_a_late_group_takes_the_turn_it_is_in_and_those_that_passed_are_counted(
    ended_s: float, next_s: float, left_out: int
) -> None:
    pace = Pace(unit=1, period_s=1.0, due_s=10.0, grid_s=10.0)
    assert pace.advance(ended_s) == left_out
    assert pace.due_s == pytest.approx(next_s)


def test_groups_are_spread_over_their_period_but_none_waits_long_for_its_first_reading() -> None:
    paces = line_of(1.0, 1.0, 60.0, 3600.0)
    assert [pace.due_s for pace in paces] == [0.0, 0.25, 0.5, 0.75]
    for pace in paces:
        pace.advance(pace.due_s + 0.01)
    assert [pace.due_s for pace in paces] == [1.0, 1.25, 30.0, 2700.0]


@given(st.lists(st.floats(0.5, 100.0), min_size=1, max_size=20))
def test_every_group_of_a_fast_line_is_read_at_once_and_then_at_its_own_pace(periods_s: list[float]) -> None:
    paces = line_of(*periods_s)
    assert max(pace.due_s for pace in paces) <= FIRST_READING_S
    readings, now_s = Counter[int](), 0.0
    while now_s < 300.0:
        turn = next_turn(paces, set(), 0.0)
        now_s = max(now_s, turn.at_s)
        assert paces[turn.place].advance(now_s) == 0
        readings[turn.place] += 1
    for place, period_s in enumerate(periods_s):
        assert 300.0 / period_s - 2 <= readings[place] <= 300.0 / period_s + 3


@pytest.mark.parametrize("dead", [1, 2, 5, 9])
def test_those_that_answer_keep_their_polls_however_many_of_their_neighbours_are_dead(dead: int) -> None:
    """The worst that can be: no breaker leaves a dead unit alone, each is asked whenever the schedule lets it."""
    paces, silent = line_of(*[1.0] * 10), set(range(1, dead + 1))
    readings, tried = Counter[int](), Counter[int]()
    now_s = from_s = 0.0
    while now_s < 120.0:
        turn = next_turn(paces, silent, from_s)
        pace, now_s = paces[turn.place], max(now_s, turn.at_s)
        if pace.unit in silent:
            now_s += 1.0
            from_s = now_s + REST
            tried[pace.unit] += 1
        else:
            now_s += 0.01
            readings[pace.unit] += 1
        pace.advance(now_s)
    assert min(readings[unit] for unit in range(dead + 1, 11)) >= 118
    assert min(tried[unit] for unit in silent) >= 120 / 30


def test_where_nobody_lives_the_dead_do_not_wait_for_one_another() -> None:
    paces = line_of(1.0, 1.0)
    assert next_turn(paces, {1, 2}, 100.0).at_s == 0.0
