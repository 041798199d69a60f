"""The breaker of one unit."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from gateway.breaker import MAX_BACKOFF_S, TABLE, Breaker, BreakerState, Signal, backoff_s

jitters = st.floats(0.0, 1.0)


def test_a_unit_is_left_alone_after_two_silences_and_asked_again_after_the_wait() -> None:
    breaker = Breaker().silent(10.0, jitter=1.0)
    assert breaker.state is BreakerState.CLOSED
    breaker = breaker.silent(11.0, jitter=1.0)
    assert breaker.state is BreakerState.OPEN
    assert not breaker.may_ask(11.9)
    assert breaker.may_ask(12.0)
    probing = breaker.asked(12.0)
    assert probing.state is BreakerState.HALF_OPEN
    assert probing.answered() == Breaker()


def test_every_further_silence_doubles_the_wait_up_to_thirty_seconds() -> None:
    breaker, now_s, waits = Breaker(tolerance=1), 0.0, []
    for _ in range(8):
        breaker = breaker.asked(now_s).silent(now_s, jitter=1.0)
        waits.append(breaker.retry_at_s - now_s)
        now_s = breaker.retry_at_s
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_an_open_breaker_does_not_listen_to_answers_or_silences_it_did_not_ask_for() -> None:
    breaker = Breaker(tolerance=1).silent(0.0, jitter=0.0)
    assert breaker.answered() == breaker
    assert breaker.silent(0.1, jitter=0.0) == breaker


def test_a_new_connection_gives_a_waiting_unit_its_chance_at_once() -> None:
    breaker = Breaker(tolerance=1).silent(0.0, jitter=1.0)
    assert breaker.retried_at(0.25).may_ask(0.25)
    assert Breaker().retried_at(5.0) == Breaker()


def test_the_table_says_what_every_answer_and_silence_means_unless_the_breaker_waits() -> None:
    heard = {Signal.ANSWERED, Signal.SILENT, Signal.GAVE_UP}
    asking = {BreakerState.CLOSED, BreakerState.HALF_OPEN}
    assert set(TABLE) == set(product(asking, heard)) | {(BreakerState.OPEN, Signal.WAITED)}


@given(st.integers(0, 10_000), jitters)
def test_a_wait_is_between_half_a_second_and_thirty(attempt: int, jitter: float) -> None:
    assert 0.5 <= backoff_s(attempt, jitter=jitter) <= MAX_BACKOFF_S


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.floats(0.0, 60.0), st.booleans(), jitters), max_size=200),
)
def test_whatever_a_unit_does_it_is_asked_again_within_thirty_seconds_and_never_forgotten(
    tolerance: int, turns: list[tuple[float, bool, float]]
) -> None:
    breaker, now_s, silences = Breaker(tolerance=tolerance), 0.0, 0
    for wait_s, answers, jitter in turns:
        now_s += wait_s
        assert breaker.may_ask(now_s + MAX_BACKOFF_S)
        if not breaker.may_ask(now_s):
            continue
        breaker = breaker.asked(now_s)
        assert breaker.state is not BreakerState.OPEN
        breaker = breaker.answered() if answers else breaker.silent(now_s, jitter=jitter)
        silences = 0 if answers else silences + 1
        assert (breaker.state is BreakerState.OPEN) == (silences >= tolerance)
        assert breaker.state is not BreakerState.HALF_OPEN
