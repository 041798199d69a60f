"""Drivers that do not turn any more."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from gateway import watchdog
from gateway.drivers.driver import DriverConfig
from gateway.events import ConnectionState
from gateway.gateway import Gateway
from gateway.watchdog import Pulse, StalledError, watched
from tests.gateway.driver_site import until
from tests.gateway.test_gateway import named, running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_S", 0.02)
    monkeypatch.setattr(watchdog, "ENDING_S", 0.05)


async def stuck(pulse: Pulse) -> None:
    pulse.turn("polls", within_s=0.01)
    await asyncio.Event().wait()


async def test_a_loop_that_breaks_its_word_ends_its_driver() -> None:
    pulse = Pulse()
    with pytest.raises(StalledError, match="its loop 'polls' has been stuck"):
        await watched(stuck(pulse), pulse)


async def test_loops_that_turn_or_rest_are_left_alone() -> None:
    pulse = Pulse()

    async def works() -> None:
        pulse.turn("events", within_s=0.0)
        pulse.rest("events")
        for _ in range(10):
            pulse.turn("polls", within_s=60)
            await asyncio.sleep(watchdog.LOOK_S)

    await watched(works(), pulse)


async def test_what_an_earlier_life_of_a_driver_promised_is_forgotten() -> None:
    pulse = Pulse()
    pulse.turn("polls", within_s=-100)
    await watched(asyncio.sleep(5 * watchdog.LOOK_S), pulse)


async def test_a_machine_that_slept_makes_everybody_late_once_and_nobody_stuck() -> None:
    pulse = Pulse()

    async def works() -> None:
        pulse.turn("polls", within_s=-1.0)  # late at the first look
        await asyncio.sleep(1.5 * watchdog.LOOK_S)
        for _ in range(5):
            pulse.turn("polls", within_s=60)
            await asyncio.sleep(watchdog.LOOK_S)

    await watched(works(), pulse)


async def test_a_driver_that_fails_fails_with_its_own_error() -> None:
    async def fails() -> None:
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        await watched(fails(), Pulse())


async def test_whoever_is_told_to_stop_stops_the_driver() -> None:
    stopped = asyncio.Event()
    begun = asyncio.Event()

    async def driver() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    task = asyncio.create_task(watched(driver(), Pulse()))
    await begun.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_a_driver_that_does_not_listen_is_left_behind() -> None:
    pulse, release = Pulse(), asyncio.Event()

    async def deaf() -> None:
        pulse.turn("polls", within_s=0.0)
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    with capture_logs() as logs, pytest.raises(StalledError):
        await watched(deaf(), pulse)
    assert [entry["event"] for entry in logs] == ["a stalled driver does not end; it is left behind"]
    release.set()
    while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110  # a task sets no event
        await asyncio.sleep(0)


@dataclass
class OnceStuck:
    """A driver that hangs in its first life."""

    config: DriverConfig
    lives: list[int]

    async def run(self) -> None:
        self.lives.append(1)
        if len(self.lives) == 1:
            await stuck(self.config.pulse)
        self.config.status.state = ConnectionState.UP
        await asyncio.Event().wait()


async def test_a_stuck_driver_is_counted_told_and_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.gateway.backoff_s", lambda *_, **__: 0.0)
    lives: list[int] = []
    config = named("line")
    gateway = Gateway([config], opener=lambda config: OnceStuck(config, lives))  # type: ignore[arg-type, return-value]  # runs only
    with capture_logs() as logs:
        async with running(gateway):
            await until(lambda: config.status.state is ConnectionState.UP)
    assert config.status.stalls == 1
    assert len(lives) == 2
    assert [entry["event"] for entry in logs] == ["driver is stuck"]
