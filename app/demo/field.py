"""The field of the demo: broker and devices on an event loop and in a thread of their own, as if they were outside.

On one loop with the console's API each would wait for the other, and the demo would measure that.
"""

from __future__ import annotations

import asyncio

from simulators.broker import BrokerAccount, embedded_broker
from simulators.simulation import Simulation


class Field:
    """Broker and devices; driven from another loop."""

    def __init__(self, simulation: Simulation, *, broker_port: int, account: BrokerAccount) -> None:
        self._simulation = simulation
        self._broker_port = broker_port
        self._account = account
        self._loop = asyncio.new_event_loop()
        self._begin = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; returns only when the thread has ended."""
        thread = asyncio.create_task(asyncio.to_thread(self._run_loop))
        try:
            await asyncio.shield(thread)
        except asyncio.CancelledError:
            if not thread.done():
                self._loop.call_soon_threadsafe(self._stop.set)
            await thread
            raise

    def begin(self) -> None:
        """Let the scenario start, now that somebody watches."""
        self._loop.call_soon_threadsafe(self._begin.set)

    def _run_loop(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        async with embedded_broker(self._broker_port, self._account):
            devices = asyncio.create_task(self._simulation.run(self._begin))
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait({devices, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if devices.done():
                stopped.cancel()
                devices.result()
            devices.cancel()
            await asyncio.gather(devices, stopped, return_exceptions=True)
