"""How many objects a BACnet device is asked for at once settles at what it can do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.bacnet.batch import MOST_AT_ONCE, BatchSize


def asked(batch: BatchSize, limit: int, times: int) -> int:
    """Ask a device that answers at most ``limit`` objects so often; return how often it was too much."""
    refused = 0
    for _ in range(times):
        count = batch.size
        if count > limit:
            refused += 1
            batch.too_large(count)
        else:
            batch.fitted(count)
    return refused


@given(st.integers(1, MOST_AT_ONCE + 10))
def test_whatever_a_device_can_answer_is_found_and_seldom_exceeded(limit: int) -> None:
    batch = BatchSize()
    asked(batch, limit, 300)
    assert batch.ceiling in {min(limit, MOST_AT_ONCE), limit + 1}
    assert asked(batch, limit, 1_000) <= 10


@given(st.lists(st.sampled_from(["fitted", "too_large", "silent"]), max_size=400))
def test_a_request_is_never_empty_and_never_beyond_what_is_believed_to_fit(story: list[str]) -> None:
    batch = BatchSize()
    for outcome in story:
        getattr(batch, outcome)(batch.size)
        assert 1 <= batch.size <= batch.ceiling <= MOST_AT_ONCE


def test_a_device_that_was_away_is_asked_in_full_again_soon() -> None:
    batch = BatchSize()
    for _ in range(10):
        batch.silent(batch.size)
    assert batch.size == 1
    asked(batch, 100, 30)
    assert batch.size == MOST_AT_ONCE
