"""Commands to Modbus devices, and what the device's memory holds afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from facility.equipment import PointKind
from facility.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.events import ConnectionState
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.gateway.modbus_peer import Memory, listening, tcp_speech
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port


def drive(points: Mapping[str, PointPlace], **settings: object) -> DeviceConfig:
    return device("drive", 1, points, {"unit": 1, "poll_s": 0.05, **settings})


def line(port: int, collector: Collector, *devices: DeviceConfig, **options: object) -> DriverConfig:
    return driver_config(Protocol.MODBUS, port, devices, collector, options=options)


def written(driver_device: DeviceConfig, name: str, value: float | None) -> PointWrite:
    point = next(point for point in driver_device.points if point.name == name)
    return PointWrite(point=point, value=value, priority=8)


@contextlib.asynccontextmanager
async def connected(reading: DeviceConfig, memory: Memory) -> AsyncIterator[ModbusDriver]:
    """Run a driver against one unit with a memory; wait until it reads."""
    port, collector = free_port(), Collector()
    driver = ModbusDriver(line(port, collector, reading))
    async with listening(port, {1: memory}, tcp_speech), running(driver):
        await until(lambda: collector.samples)
        yield driver


LIMITS = {"min": 0, "max": 100}
ON_OFF = states(PointKind.BINARY, stopped=0, running=1)


@pytest.mark.parametrize(
    ("mapping", "value", "request_bytes", "registers"),
    [
        ({"register": 7, "scale": 0.1, "write": LIMITS}, 42.5, b"\x06\x00\x07\x01\xa9", {7: 425}),
        ({"register": 7, "scale": 0.1, "write": {**LIMITS, "function": 16}}, 42.5, None, {7: 425}),
        ({"register": 7, "type": "float32", "write": LIMITS}, 42.5, None, {7: 0x422A, 8: 0}),
        ({"register": 7, "type": "float32", "word_order": "CDAB", "write": LIMITS}, 42.5, None, {8: 0x422A, 7: 0}),
        ({"register": 7, "type": "float32", "write": {**LIMITS, "function": 23}}, 42.5, None, {7: 0x422A, 8: 0}),
        ({"register": 7, "write": {**LIMITS, "register": 8}}, 42, b"\x06\x00\x08\x00\x2a", {7: 0, 8: 42}),
        ({"register": 7, "type": "bcd16", "write": LIMITS}, 42, None, {7: 0x42}),
        ({"register": 7, "bits": [4, 7], "write": LIMITS}, 9, b"\x16\x00\x07\xff\x0f\x00\x90", {7: 0x90}),
        ({"register": 7, "type": "int16", "offset": -10, "write": LIMITS}, 42, None, {7: 52}),
    ],
)
async def test_a_value_is_written_as_the_profile_says(
    mapping: Mapping[str, Any], value: float, request_bytes: bytes | None, registers: Mapping[int, int]
) -> None:
    reading, memory = drive({"setpoint": (analog(), mapping)}), Memory(registers={7: 0, 8: 0})
    async with connected(reading, memory) as driver:
        memory.requests.clear()
        await driver.write(written(reading, "setpoint", value))
        sample = await driver.read(reading.points[0])
        if "register" not in mapping["write"]:
            assert sample.value == pytest.approx(value)
            assert sample.quality is Quality.GOOD
    assert {at: memory.registers[at] for at in registers} == registers
    if request_bytes is not None:
        assert request_bytes in memory.requests


@pytest.mark.parametrize("function", [5, 15])
async def test_a_coil_is_switched(function: int) -> None:
    mapping = {"register": 3, "function": 1, "write": {"states": ["running"], "function": function}}
    reading, memory = drive({"run": (ON_OFF, mapping)}), Memory(coils={3: False})
    async with connected(reading, memory) as driver:
        await driver.write(written(reading, "run", 1.0))
        assert memory.coils[3] is True
        assert (await driver.read(reading.points[0])).value == 1.0
        await driver.write(written(reading, "run", 0.0))
    assert memory.coils[3] is False
    assert memory.requests[-1][0] == function


async def test_a_state_is_written_as_the_device_calls_it() -> None:
    mapping = {"register": 3, "states": {"10": "stopped", "20": "running"}, "write": {"states": ["running"]}}
    reading, memory = drive({"run": (ON_OFF, mapping)}), Memory(registers={3: 10})
    async with connected(reading, memory) as driver:
        await driver.write(written(reading, "run", 1.0))
    assert memory.registers == {3: 20}


@pytest.mark.parametrize("lacks", [set[int](), {22}])
async def test_a_bit_is_set_and_its_neighbours_stay_also_where_the_device_writes_no_masks(lacks: set[int]) -> None:
    mapping = {"register": 3, "bit": 9, "write": {"states": ["stopped", "running"]}}
    reading, memory = drive({"run": (ON_OFF, mapping)}), Memory(registers={3: 0b1010_0101_0000_1111}, lacks=lacks)
    async with connected(reading, memory) as driver:
        for _ in range(2):
            await driver.write(written(reading, "run", 1.0))
        assert memory.registers == {3: 0b1010_0111_0000_1111}
        await driver.write(written(reading, "run", 0.0))
    assert memory.registers == {3: 0b1010_0101_0000_1111}
    masks = [request for request in memory.requests if request[0] == 22]
    assert len(masks) == (1 if lacks else 3), "a device that refused once is not asked again"


async def test_the_bits_of_a_swapped_32_bit_word_are_set_where_they_are_read() -> None:
    mapping = {"register": 3, "type": "uint32", "word_order": "DCBA", "bits": [20, 22], "write": LIMITS}
    reading = drive({"mode": (analog(), mapping)})
    memory = Memory(registers=dict(zip((3, 4), struct.unpack("<HH", bytes(4)), strict=True)))
    async with connected(reading, memory) as driver:
        await driver.write(written(reading, "mode", 5))
        assert (await driver.read(reading.points[0])).value == 5.0
    assert struct.unpack("<I", struct.pack(">HH", memory.registers[3], memory.registers[4])) == (5 << 20,)


async def test_what_a_device_or_its_profile_refuses_is_said_in_words() -> None:
    points: dict[str, PointPlace] = {
        "speed": (analog(), {"register": 7, "type": "int16", "write": LIMITS}),
        "elsewhere": (analog(), {"register": 7, "write": {**LIMITS, "register": 99}}),
        "level": (analog(), {"register": 8}),
    }
    reading, memory = drive(points), Memory(registers={7: 1, 8: 2})
    async with connected(reading, memory) as driver:
        for name, value, said in [
            ("speed", None, "cannot take a write back"),
            ("speed", 1e6, "does not fit"),
            ("elsewhere", 5.0, "Modbus exception 2, illegal data address"),
            ("level", 5.0, "no 'write' entry"),
        ]:
            with pytest.raises(DeviceRefusedError, match=said):
                await driver.write(written(reading, name, value))
    assert memory.registers == {7: 1, 8: 2}


async def test_a_command_goes_ahead_of_every_poll_that_waits() -> None:
    port, collector = free_port(), Collector()
    points: dict[str, PointPlace] = {
        f"r{at}": (analog(), {"register": 20 * at, "write": LIMITS} if not at else {"register": 20 * at})
        for at in range(10)
    }
    reading = drive(points, poll_s=0.001, max_gap=0)
    unit = FakeUnit([0] * 200)
    driver = ModbusDriver(line(port, collector, reading))
    async with serving(port, {1: unit}), running(driver):
        await until(lambda: len(collector.deliveries) > 2)
        for _ in range(20):
            before = len(unit.requests)
            await driver.read(reading.points[0])
            polls = [request for request in unit.requests[before:-1] if request[1] != 0]
            assert len(polls) <= 2, "one poll may be under way and one answered as the command comes, no more"


async def test_a_command_to_a_dead_line_or_unit_fails_and_one_that_is_answered_brings_the_unit_back() -> None:
    port, collector = free_port(), Collector()
    reading = drive({"speed": (analog(), {"register": 0, "write": LIMITS})})
    other = device("other", 2, {"level": (analog(), {"register": 0})}, {"unit": 2, "poll_s": 0.05})
    driver = ModbusDriver(line(port, collector, reading, other, timeout_s=0.05))
    config = driver._config
    command = written(reading, "speed", 5.0)
    with pytest.raises(DeviceUnreachableError):
        await driver.write(command)
    dead = FakeUnit([7], silent=True)
    async with serving(port, {1: dead, 2: FakeUnit([7])}), running(driver):
        await until(lambda: config.status.units["drive"].state is ConnectionState.DOWN)
        with pytest.raises(DeviceUnreachableError):
            await driver.read(reading.points[0])
        dead.silent = False
        assert (await driver.read(reading.points[0])).value == 7.0
        await until(lambda: config.status.units["drive"].state is ConnectionState.UP)


async def test_the_figures_of_every_unit_are_counted() -> None:
    port, collector = free_port(), Collector()
    meters = [
        device(f"meter-{number}", number, {"level": (analog(), {"register": 0})}, {"unit": number, "poll_s": 0.02})
        for number in (1, 2, 3)
    ]
    config = line(port, collector, *meters, timeout_s=0.05)
    assert list(config.status.units) == []
    driver = ModbusDriver(config)
    assert list(config.status.units) == ["meter-1", "meter-2", "meter-3"]
    units = {number: Memory(registers={0: 7}) for number in (1, 3)}
    units[3].lacks.add(3)
    async with listening(port, units, tcp_speech), running(driver):
        figures = config.status.units
        await until(lambda: figures["meter-1"].latency.counts[-1] or figures["meter-1"].requests > 20)
        await until(lambda: figures["meter-3"].refusals > 3 and figures["meter-2"].openings)
        assert figures["meter-1"].state is ConnectionState.UP
        assert figures["meter-1"].last_good_ns > 0
        assert figures["meter-1"].timeouts == figures["meter-1"].refusals == 0
        assert sum(figures["meter-1"].latency.counts) >= figures["meter-1"].requests - 1
        assert figures["meter-2"].state is ConnectionState.DOWN
        assert "Modbus unit 2 did not answer" in figures["meter-2"].detail
        assert figures["meter-2"].timeouts == figures["meter-2"].requests >= 2
        assert figures["meter-3"].last_good_ns == 0


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"register": 0, "function": 4, "write": LIMITS}, "only coils and holding registers are written"),
        ({"register": 0, "function": 2, "write": LIMITS}, "only coils and holding registers are written"),
        ({"register": 0, "write": {**LIMITS, "function": 5}}, "function 5 does not write this uint16"),
        ({"register": 0, "type": "float32", "write": {**LIMITS, "function": 6}}, "write function: 16 or 23"),
        ({"register": 0, "bit": 1, "write": {**LIMITS, "function": 6}}, "write function: 22"),
        ({"register": 0, "type": "uint32", "bits": [12, 18], "write": LIMITS}, "must lie in one register"),
        ({"register": 0, "write": {**LIMITS, "regster": 5}}, "regster"),
    ],
)
def test_a_write_entry_that_cannot_work_is_told_before_anything_is_opened(
    mapping: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ModbusDriver(line(1, Collector(), drive({"speed": (analog(), mapping)})))


async def test_a_bit_under_change_is_nobody_elses() -> None:
    """Two bits of one register, written at once to a device without masks: both stay."""
    points: dict[str, PointPlace] = {
        f"bit-{bit}": (ON_OFF, {"register": 3, "bit": bit, "write": {"states": ["running"]}}) for bit in range(8)
    }
    reading, memory = drive(points), Memory(registers={3: 0}, lacks={22})
    async with connected(reading, memory) as driver:
        await asyncio.gather(*(driver.write(written(reading, name, 1.0)) for name in points))
    assert memory.registers == {3: 0xFF}
