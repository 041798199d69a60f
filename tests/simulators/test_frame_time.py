from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from facility.clock import NS_PER_S, ScaledClock, VirtualClock
from simulators.device import device_generator, device_seed
from simulators.mqtt import Cadence
from simulators.wire import ticks, wait_until

Jump = Callable[[VirtualClock], None]


async def first_ticks(clock: VirtualClock | ScaledClock, period_s: float, count: int) -> list[tuple[int, float]]:
    seen: list[tuple[int, float]] = []
    async for tick in ticks(clock, period_s):
        seen.append(tick)
        if len(seen) == count:
            break
    return seen


class SteppingClock(VirtualClock):
    """Moves a little each time it is asked, as a busy machine's clock does."""

    speed = 1e6  # waiting costs no wall time

    def __init__(self, *, step_s: float) -> None:
        super().__init__(start_ns=1_000 * NS_PER_S)
        self._step_s = step_s

    def now_ns(self) -> int:
        self.advance(self._step_s)
        return super().now_ns()


async def test_ticks_lie_on_a_grid_however_unevenly_the_loop_wakes() -> None:
    seen = await first_ticks(SteppingClock(step_s=0.013), 0.05, 200)
    starts = {now_ns - index * 50_000_000 for index, (now_ns, _) in enumerate(seen)}
    assert len(starts) == 1
    assert {dt_s for _, dt_s in seen} == {0.05}


async def test_late_ticks_are_made_up_one_by_one() -> None:
    clock = VirtualClock()
    stream = ticks(clock, 0.1)
    pending = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(0.45)
    assert await pending == (100_000_000, 0.1)
    assert [(await anext(stream))[0] for _ in range(3)] == [200_000_000, 300_000_000, 400_000_000]


async def test_a_machine_that_slept_for_an_hour_goes_on_from_the_present() -> None:
    clock = VirtualClock()
    stream = ticks(clock, 0.1)
    pending = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(0.1)
    await pending
    clock.advance(3600.0)
    pending = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(0.1)
    now_ns, dt_s = await pending
    assert now_ns == clock.now_ns()
    assert dt_s == 0.1


async def test_a_clock_set_back_by_an_hour_does_not_stop_the_devices() -> None:
    clock = VirtualClock(start_ns=7200 * NS_PER_S)
    stream = ticks(clock, 0.1)
    pending = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(0.1)
    await pending
    clock.advance(-3600.0)
    pending = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    clock.advance(0.1)
    assert (await pending)[0] == clock.now_ns()


@pytest.mark.parametrize("speed", [1.0, 60.0, 1000.0])
async def test_facility_time_passes_at_the_speed_of_the_clock(speed: float) -> None:
    clock = ScaledClock(start_ns=0, speed=speed)
    seen = await first_ticks(clock, 0.01 * speed, 20)
    assert seen[-1][0] == pytest.approx(0.2 * speed * NS_PER_S, rel=0.01)
    assert clock.now_ns() >= seen[-1][0]


async def test_waiting_for_the_past_returns_at_once() -> None:
    await wait_until(VirtualClock(start_ns=5), 5)


def test_adding_a_device_does_not_change_the_chance_of_the_others() -> None:
    assert device_seed(7, "lift-1") == device_seed(7, "lift-1")
    assert len({device_seed(7, "lift-1"), device_seed(7, "lift-2"), device_seed(8, "lift-1")}) == 3
    assert device_generator(7, "lift-1").random() == device_generator(7, "lift-1").random()


def test_a_cadence_is_due_once_in_each_period() -> None:
    cadence = Cadence(0.5)
    due = [millisecond for millisecond in range(0, 2000, 50) if cadence.is_due(millisecond * 1_000_000)]
    assert due == [0, 500, 1000, 1500]
