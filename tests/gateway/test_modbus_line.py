"""One Modbus connection, held to what its driver relies on."""

from __future__ import annotations

import asyncio

import pytest

from gateway.drivers.modbus.line import Line
from gateway.drivers.modbus.plan import Block, Span
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port

BLOCK = Block(spans=(Span(function=3, start=0, width=4, column=0),))


async def test_a_driver_that_is_told_to_stop_in_the_instant_of_an_answer_stops() -> None:
    port = free_port()
    async with serving(port, {1: FakeUnit([7] * 4)}):
        line = Line("127.0.0.1", port, 1.0)
        assert await line.open()
        manager = line._client.ctx
        before = manager.response_future
        asking = asyncio.create_task(line.read(1, BLOCK))
        while manager.response_future is before:  # noqa: ASYNC110  # turn by turn of the loop: the answer takes several
            await asyncio.sleep(0)
        manager.response_future.add_done_callback(lambda _: asking.cancel())
        with pytest.raises(asyncio.CancelledError):
            await asking
        line.close()
