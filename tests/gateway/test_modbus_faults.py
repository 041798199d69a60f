"""The Modbus driver against devices that speak nonsense, and networks that are neither whole nor broken."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.events import ConnectionState
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, until
from tests.gateway.modbus_server import FakeUnit, serving
from tests.gateway.tcp_proxy import proxying
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


def meter(number: int, *, poll_s: float = 0.02) -> DeviceConfig:
    points = {"a": (analog(), {"register": 0})}
    return device(f"meter-{number}", number, points, {"unit": number, "poll_s": poll_s})


def line(port: int, collector: Collector, *devices: DeviceConfig, timeout_s: float) -> DriverConfig:
    return driver_config(Protocol.MODBUS, port, devices, collector, options={"timeout_s": timeout_s})


async def test_a_half_open_connection_is_told_within_three_timeouts_and_left_for_a_new_one() -> None:
    port, target, collector = free_port(), free_port(), Collector()
    units = {number: FakeUnit([number]) for number in range(1, 11)}
    config = line(port, collector, *[meter(number) for number in units], timeout_s=0.5)
    async with serving(target, units), proxying(port, target) as proxy, running(ModbusDriver(config)):
        await until(lambda: all(collector.of(number) for number in units))
        proxy.swallowing = True
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert sum(figures.timeouts for figures in config.status.units.values()) <= 4
        assert all(collector.qualities(number)[-1] is Quality.BAD_COMMUNICATION for number in units)
        proxy.swallowing = False
        await until(lambda: all(collector.qualities(number)[-1] is Quality.GOOD for number in units))
    assert proxy.connections >= 2


async def test_answers_that_come_too_late_are_never_taken_for_later_ones() -> None:
    """Every answer is late by more than the timeout: it arrives while the next request waits for its own."""
    port, target, collector = free_port(), free_port(), Collector()
    config = line(port, collector, meter(1, poll_s=0.1), meter(2, poll_s=0.1), timeout_s=0.3)
    units = {1: FakeUnit([1]), 2: FakeUnit([2])}
    async with serving(target, units), proxying(port, target) as proxy, running(ModbusDriver(config)):
        await until(lambda: collector.of(1) and collector.of(2))
        proxy.delay_s = 0.4
        await until(lambda: config.status.state is ConnectionState.DOWN)
        proxy.delay_s = 0.0
        await until(lambda: collector.qualities(1)[-1] is Quality.GOOD)
    good = [sample for sample in collector.samples if sample.quality is Quality.GOOD]
    assert {(sample.point, sample.value) for sample in good} == {(1, 1.0), (2, 2.0)}


async def test_answers_that_are_slow_but_in_time_are_good() -> None:
    port, target, collector = free_port(), free_port(), Collector()
    config = line(port, collector, meter(1), timeout_s=30)
    async with serving(target, {1: FakeUnit([7])}), proxying(port, target) as proxy, running(ModbusDriver(config)):
        proxy.delay_s = 0.2
        await until(lambda: len(collector.of(1)) > 3)
        assert config.status.units["meter-1"].overruns > 0
    assert set(collector.qualities(1)) == {Quality.GOOD}
    assert config.status.units["meter-1"].timeouts == 0


FRAMES = 2000
answers = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda data: b"\x03" + data, st.binary(max_size=20)),
    st.builds(lambda count, data: bytes([3, count]) + data, st.integers(0, 255), st.binary(max_size=20)),
    st.builds(lambda code: bytes([0x83, code]), st.integers(0, 255)),
)
"""Functions and data of answers, most of which no device should ever send."""
malformed = st.one_of(
    st.builds(lambda noise: lambda _transaction, _unit: noise, st.binary(max_size=600)),
    st.builds(
        lambda answer, length, protocol, off: (
            lambda transaction, unit: (
                HEADER.pack(transaction + off & 0xFFFF, protocol, len(answer) + 1 if length is None else length, unit)
                + answer
            )
        ),
        answers,
        st.none() | st.integers(0, 0xFFFF),
        st.sampled_from([0, 0, 0, 1, 0xFFFF]),
        st.sampled_from([0, 0, 0, 1, 0xFFFE]),
    ),
)


def generated(count: int) -> list[Reply]:
    """Return so many replies, the same ones every time, so that a failure can be looked into."""
    replies: list[Reply] = []

    @settings(max_examples=count, phases=[Phase.generate], derandomize=True)
    @given(malformed)
    def keep(reply: Reply) -> None:
        replies.append(reply)

    keep()
    return replies


class Stammerer(Speaker):
    """Answers every other request with the next of some replies, and talks sense between them."""

    def __init__(self, replies: list[Reply]) -> None:
        super().__init__(self._next)
        self._waiting = iter(replies)
        self.malformed = 0
        self.is_done = False

    def _next(self, transaction: int, unit: int) -> bytes:
        reply = next(self._waiting, None) if self.requests % 2 else sound
        self.is_done = reply is None
        self.malformed += reply not in {None, sound}
        return (reply or sound)(transaction, unit)


async def test_thousands_of_malformed_frames_leave_the_driver_running_and_are_counted() -> None:
    """On one long-lived connection, where each is followed by the sound answer to the next request."""
    port, collector, speaker = free_port(), Collector(), Stammerer(generated(FRAMES))
    numbers = range(1, 22)
    config = line(port, collector, *[meter(number, poll_s=0.001) for number in numbers], timeout_s=0.005)
    tasks = asyncio.all_tasks()
    async with speaking(port, speaker), running(ModbusDriver(config)):
        await until(lambda: speaker.is_done, within_s=300)
        collector.clear()
        await until(lambda: all(collector.last(number) == (7.0, Quality.GOOD) for number in numbers))
        assert len(asyncio.all_tasks() - tasks) <= 4  # the driver, the server and its connection
    assert speaker.malformed == FRAMES
    figures = config.status.units.values()
    assert sum(each.timeouts + each.refusals for each in figures) >= FRAMES / 2
