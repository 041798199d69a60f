"""How often the log hears of one source that goes bad and good."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.trouble import FIRST_PATIENCE_S, LONGEST_PATIENCE_S, Trouble


def test_a_sensor_that_breaks_and_is_mended_is_told_once_each() -> None:
    trouble = Trouble()
    assert [trouble.bad(at) for at in (0.0, 1.0, 2.0)] == [True, False, False]
    assert [trouble.good(at) for at in (2.1, 2.0 + FIRST_PATIENCE_S, 9.0)] == [False, True, False]


def test_a_loose_contact_is_told_less_and_less_often_through_a_whole_day() -> None:
    trouble, told = Trouble(), 0
    for second in range(86_400):
        told += trouble.bad(float(second)) + trouble.good(second + 0.9)
    assert 2 <= told <= 40


def test_after_hours_without_trouble_the_log_is_told_as_promptly_as_at_first() -> None:
    trouble = Trouble()
    for second in range(100):
        trouble.bad(float(second))
        trouble.good(second + 0.9)
    trouble.good(100 + LONGEST_PATIENCE_S)
    later_s = 101 + 2 * LONGEST_PATIENCE_S
    assert trouble.bad(later_s)
    assert trouble.good(later_s + FIRST_PATIENCE_S)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 5000.0))))
def test_trouble_and_its_end_always_alternate_in_the_log(steps: list[tuple[bool, float]]) -> None:
    trouble, now_s, told = Trouble(), 0.0, []
    for is_bad, wait_s in steps:
        now_s += wait_s
        if trouble.bad(now_s) if is_bad else trouble.good(now_s):
            told.append(is_bad)
    assert told == [place % 2 == 0 for place in range(len(told))]
