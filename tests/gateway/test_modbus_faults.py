"""The Modbus driver against a device that speaks nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.modbus.driver import ModbusDriver
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, until
from tests.servers import free_port

HEADER = struct.Struct(">HHHB")
Reply = Callable[[int, int], bytes]
"""Transaction and unit of the request to the bytes that the device sends."""


def sound(transaction: int, unit: int) -> bytes:
    return HEADER.pack(transaction, 0, 5, unit) + b"\x03\x02\x00\x07"


NONSENSE: dict[str, Reply] = {
    "another transaction": lambda transaction, unit: sound(transaction + 7, unit),
    "another unit": lambda transaction, unit: sound(transaction, unit + 1),
    "a truncated frame": lambda transaction, unit: sound(transaction, unit)[:-2],
    "more registers than asked for": lambda transaction, unit: (
        HEADER.pack(transaction, 0, 7, unit) + b"\x03\x04\x00\x07\x00\x08"
    ),
    "another function": lambda transaction, unit: HEADER.pack(transaction, 0, 6, unit) + b"\x06\x00\x00\x00\x07",
    "an unknown function": lambda transaction, unit: HEADER.pack(transaction, 0, 4, unit) + b"\x55\x01\x02",
    "a count that lies": lambda transaction, unit: HEADER.pack(transaction, 0, 5, unit) + b"\x03\x09\x00\x07",
    "another protocol": lambda transaction, unit: HEADER.pack(transaction, 9, 5, unit) + b"\x03\x02\x00\x07",
    "noise": lambda transaction, unit: bytes(range(256)) * 4 + bytes([transaction & 0xFF, unit]),
    "an exception that does not exist": lambda transaction, unit: HEADER.pack(transaction, 0, 3, unit) + b"\x83\x63",
    "an empty frame": lambda transaction, unit: HEADER.pack(transaction, 0, 1, unit),
}


class Speaker:
    """A TCP server that answers every request as it is told."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readexactly(12)
                transaction, _, _, unit = HEADER.unpack(request[:7])
                self.requests += 1
                writer.write(self.reply(transaction, unit))
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def speaking(port: int, speaker: Speaker) -> AsyncIterator[None]:
    server = await asyncio.start_server(speaker.serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("reply", NONSENSE.values(), ids=list(NONSENSE))
async def test_nonsense_on_the_wire_is_a_bad_sample_and_the_device_is_read_again_when_it_talks_sense(
    reply: Reply,
) -> None:
    port, collector, speaker = free_port(), Collector(), Speaker(reply)
    meter = device("meter", 1, {"a": (analog(), {"register": 0})}, {"unit": 1, "poll_s": 0.02})
    config = driver_config(Protocol.MODBUS, port, (meter,), collector, options={"timeout_s": 0.05})
    async with speaking(port, speaker), running(ModbusDriver(config)):
        await until(lambda: collector.of(1))
        assert collector.of(1)[0].quality.level == "bad"
        speaker.reply = sound
        await until(lambda: collector.last(1) == (7.0, Quality.GOOD))
    assert speaker.requests >= 2
