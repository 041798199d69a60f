"""How late the event loop is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.loop_lag import INTERVAL_S, WINDOW_S, LoopLag, LoopLagFigures


def test_a_loop_that_nobody_watched_has_no_figures() -> None:
    assert LoopLag().figures() == LoopLagFigures(0.0, 0.0, 0.0, 0)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(-0.01, 5)), min_size=1, max_size=200))
def test_the_figures_are_of_the_last_minute_and_in_order(looks: list[tuple[float, float]]) -> None:
    lag, now_s = LoopLag(), 0.0
    kept: list[tuple[float, float]] = []
    for passed_s, late_s in looks:
        now_s += passed_s
        lag.add(now_s, late_s=late_s)
        kept = [(at, late) for at, late in [*kept, (now_s, max(late_s, 0.0))] if at >= now_s - WINDOW_S]
    figures = lag.figures()
    assert figures.looks == len(kept)
    assert 0.0 <= figures.p50_s <= figures.p99_s <= figures.worst_s
    assert figures.worst_s == max(late for _, late in kept)


def test_years_of_looks_take_the_memory_of_a_minute() -> None:
    lag = LoopLag()
    for number in range(5000):
        lag.add(number * INTERVAL_S / 10, late_s=0.001)
    assert lag.figures().looks <= WINDOW_S / INTERVAL_S
    assert lag.figures().p99_s == pytest.approx(0.001)


async def until(lag: LoopLag, enough: Callable[[LoopLagFigures], bool]) -> None:
    async with asyncio.timeout(30):
        while not enough(lag.figures()):  # noqa: ASYNC110  # the figures set no event
            await asyncio.sleep(INTERVAL_S)


async def test_a_task_that_computes_for_long_shows_as_lag() -> None:
    lag, blocked_s = LoopLag(), 0.3
    watching = asyncio.create_task(lag.run())
    await until(lag, lambda figures: figures.looks > 1)
    time.sleep(blocked_s)  # noqa: ASYNC251  # the very thing that the figure is there to show
    await until(lag, lambda figures: figures.worst_s >= blocked_s - INTERVAL_S)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
