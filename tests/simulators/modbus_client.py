"""A Modbus client as any building would have one, and a simulator beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from pymodbus.client import AsyncModbusTcpClient

from facility.model import Connection
from facility.model import Protocol as FieldProtocol

CONNECT_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 0.3


class Runnable(Protocol):
    """Anything that serves until cancelled."""

    async def run(self) -> None:
        """Serve."""
        ...


def modbus_connection(port: int) -> Connection:
    """Return a Modbus line on loopback."""
    return Connection(id="pumps", protocol=FieldProtocol.MODBUS, host="127.0.0.1", port=port)


@contextlib.asynccontextmanager
async def running(simulator: Runnable) -> AsyncIterator[asyncio.Task[None]]:
    """Run a simulator until the block ends."""
    task = asyncio.create_task(simulator.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def client_of(port: int) -> AsyncIterator[AsyncModbusTcpClient]:
    """Connect as soon as something listens."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                break
            await asyncio.sleep(0.01)
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=ANSWER_TIMEOUT_S, retries=0, reconnect_delay=0)
    client.set_max_no_responses(10**9)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def read(client: AsyncModbusTcpClient, address: int, count: int, unit: int) -> list[int]:
    """Read holding registers, or fail with the exception that came instead."""
    answer = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when a condition holds; fail when it does not in time."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        while not await condition():  # noqa: ASYNC110  # a device has no event to wait for
            await asyncio.sleep(0.01)
