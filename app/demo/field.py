"""The field of the demo: broker and devices, each system on an event loop and in a thread of its own, as if outside.

On one loop with the console's API, or with each other, every message would wait for whatever else the loop has to do
several times over, and the demo would measure that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from simulators.broker import BrokerAccount, embedded_broker
from simulators.simulation import Simulation


class Outside:
    """Runs a coroutine on an event loop of its own thread, driven from another loop."""

    def __init__(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.loop = asyncio.new_event_loop()
        self._job = job
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled or until the coroutine fails; returns only when the thread has ended."""
        thread = asyncio.create_task(asyncio.to_thread(self._run_loop))
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            if not thread.done():
                self.loop.call_soon_threadsafe(self._stop.set)
            await thread
            raise

    def _run_loop(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        job, stopped = asyncio.create_task(self._job()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({job, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (job, stopped):
            task.cancel()
        await asyncio.gather(job, stopped, return_exceptions=True)
        if not job.cancelled():
            job.result()


class Field:
    """A broker and simulations side by side; their scenarios wait until somebody watches."""

    def __init__(self, simulations: Iterable[Simulation], *, broker_port: int, account: BrokerAccount) -> None:
        self._broker = Outside(lambda: _serve(broker_port, account))
        self._devices = [_outside(simulation) for simulation in simulations]

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._broker.run())
            for outside, _ in self._devices:
                group.create_task(outside.run())

    def begin(self) -> None:
        """Let the scenarios start."""
        for outside, begin in self._devices:
            outside.loop.call_soon_threadsafe(begin.set)


def _outside(simulation: Simulation) -> tuple[Outside, asyncio.Event]:
    begin = asyncio.Event()
    return Outside(partial(simulation.run, begin)), begin


async def _serve(port: int, account: BrokerAccount) -> None:
    async with embedded_broker(port, account):
        await asyncio.Event().wait()
