"""The process that runs one BACnet driver for a busy connection: ``python -m gateway.drivers.bacnet.child``.

Reads its configuration and its tasks from standard input and writes samples, figures, answers and log lines to standard
output. It ends when its parent does, since its input ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any, Final

import structlog

from facility.errors import DeviceRefusedError, DeviceUnreachableError
from gateway.drivers.bacnet.driver import BacnetDriver
from gateway.drivers.bacnet.pipe import Asked, Delivered, Done, Message, Start, Told, packed, received
from gateway.drivers.bacnet.together import until_one_ends
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.events import ConnectionStatus, Delivery
from gateway.watchdog import watched

FIGURES_EVERY_S: Final = 0.5
"""Wall seconds between two copies of the figures; a change of state is told at once."""

MAX_WAITING: Final = 16 * 1024 * 1024
"""Octets that may wait in the pipe; beyond them samples are dropped and counted, since the parent stopped reading."""


class Outlet:
    """Our end of the pipe to the parent."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def send(self, message: Message) -> bool:
        """Put a message into the pipe; false where so much waits there that it was dropped."""
        if self._transport.get_write_buffer_size() > MAX_WAITING:
            return False
        self._transport.write(packed(message))
        return True


async def main() -> None:
    """Drive one connection until the parent is gone."""
    reader, outlet = await _pipes()
    structlog.configure(processors=[structlog.processors.format_exc_info, _Forward(outlet)])
    start = await received(reader)
    if not isinstance(start, Start):
        return
    status = ConnectionStatus(connection_id=start.connection.id)

    def deliver(delivery: Delivery) -> None:
        if not outlet.send(Delivered(delivery.batch)):
            status.dropped += len(delivery.batch)

    config = DriverConfig(
        connection=start.connection, devices=start.devices, clock=start.clock, deliver=deliver, status=status
    )
    driver = BacnetDriver(config)
    with contextlib.suppress(EOFError):
        watchful = watched(driver.run(), config.pulse)
        await until_one_ends(watchful, _do_tasks(reader, outlet, driver), _show_figures(outlet, status))


async def _pipes() -> tuple[asyncio.StreamReader, Outlet]:
    """Return both pipes; whatever else writes to standard output goes to standard error from now on."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, out)
    return reader, Outlet(transport)


async def _do_tasks(reader: asyncio.StreamReader, outlet: Outlet, driver: BacnetDriver) -> None:
    """Do what the parent asks, each task on its own, until the parent is gone.

    Raises:
        EOFError: It is.
    """
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            asked = await received(reader)
            if isinstance(asked, Asked):
                task = asyncio.create_task(_do(outlet, driver, asked))
                running.add(task)
                task.add_done_callback(running.discard)
    finally:
        for task in tuple(running):
            task.cancel()


async def _do(outlet: Outlet, driver: BacnetDriver, asked: Asked) -> None:
    done = Done(asked.number)
    try:
        if isinstance(asked.task, PointWrite):
            await driver.write(asked.task)
        else:
            done = replace(done, sample=await driver.read(asked.task))
    except (DeviceUnreachableError, DeviceRefusedError) as error:
        done = replace(done, error=str(error), unreachable=isinstance(error, DeviceUnreachableError))
    outlet.send(done)


async def _show_figures(outlet: Outlet, status: ConnectionStatus) -> None:
    while True:
        outlet.send(status)
        await _until_changed(status)


async def _until_changed(status: ConnectionStatus) -> None:
    """Wait until the figures are due again, or the connection's state changed."""
    loop, state = asyncio.get_running_loop(), status.state
    due_at = loop.time() + FIGURES_EVERY_S
    while loop.time() < due_at and status.state is state:  # noqa: ASYNC110  # the figures are plain fields
        await asyncio.sleep(FIGURES_EVERY_S / 10)


class _Forward:
    """Sends log lines to the parent, whose log they belong to."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def __call__(self, _logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        self._outlet.send(Told(level, {key: _plain(value) for key, value in event.items()}))
        raise structlog.DropEvent


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | list | None) else str(value)


if __name__ == "__main__":
    asyncio.run(main())
