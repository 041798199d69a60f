"""Modbus profiles on a real socket: poll groups, single bits, texts, and the shipped lift controller."""

from __future__ import annotations

import contextlib
import struct
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from facility.class_files import load_classes
from facility.equipment import PointKind
from facility.errors import ConfigurationError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, PointWrite
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.profiles import load_profiles
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.gateway.modbus_peer import Memory, listening, tcp_speech
from tests.servers import free_port


@contextlib.asynccontextmanager
async def reading(unit: DeviceConfig, memory: Memory) -> AsyncIterator[tuple[ModbusDriver, Collector]]:
    """Read one unit until the block ends."""
    port, collector = free_port(), Collector()
    driver = ModbusDriver(driver_config(Protocol.MODBUS, port, (unit,), collector))
    async with listening(port, {1: memory}, tcp_speech), running(driver):
        yield driver, collector


def lift() -> DeviceConfig:
    profile, definitions = load_profiles()["lift-modbus"], load_classes()["lift"].points
    points = {name: (definition, profile.points[name]) for name, definition in definitions.items()}
    return device("lift-1", 1, points, {**profile.settings, "unit": 1})


async def test_a_lift_controller_is_read_in_three_paces_and_takes_a_mode() -> None:
    unit = lift()
    measured = struct.unpack(">10H", struct.pack(">i4hHHhH", 12_500, -1_600, 250, 630, 3, 0b0010_0010, 123, 415, 250))
    counted = struct.unpack(">8H", struct.pack(">4I", 70_000, 80_000, 90_000, 1))
    memory = Memory(
        contacts={0: True, 1: False, 2: False, 3: True},
        inputs={**dict(enumerate(measured)), **dict(enumerate(counted, 20))},
        registers={0: 3},
    )
    names = {point.key: point.name for point in unit.points}
    mode = next(point for point in unit.points if point.name == "mode")
    async with reading(unit, memory) as (driver, collector):
        await until(lambda: {sample.point for sample in collector.samples} == set(names))
        await driver.write(PointWrite(point=mode, value=0.0, priority=8))
        assert memory.registers == {0: 0}
        await until(lambda: len(collector.of(1)) > 3)
    found = {names[sample.point]: sample.value for sample in collector.samples if sample.point != mode.key}
    assert found == pytest.approx(
        {
            "car_position": 12.5, "car_speed": -1.6, "car_acceleration": 0.25, "car_load": 630, "floor": 3,
            "direction": 2, "door_state": 2, "motor_current": 12.3, "motor_temperature": 41.5,
            "machine_vibration": 2.5, "safety_chain": 1, "brake": 0, "passenger_trapped": 0, "overspeed": 1,
            "trips": 70_000, "starts": 80_000, "door_cycles": 90_000, "door_reopenings": 1,
        }
    )  # fmt: skip
    assert {sample.quality for sample in collector.samples} == {Quality.GOOD}
    polls = Counter(request[:3] for request in memory.requests if request[0] != 6)
    assert polls[b"\x04\x00\x14"] <= 2, "counters are read soon after the start, and then seldom"
    assert polls[b"\x02\x00\x00"] > polls[b"\x04\x00\x00"], "safety is read more often than motion"


async def test_a_text_is_a_state_by_its_name_and_a_number_by_its_digits() -> None:
    points: dict[str, PointPlace] = {
        "fault": (
            states(PointKind.MULTISTATE, none=0, overheated=7),
            {"register": 0, "type": "string", "length": 4, "states": {"OK": "none", "F07": "overheated"}},
        ),
        "level": (analog(), {"register": 4, "type": "string", "length": 3, "scale": 10}),
        "other": (states(PointKind.MULTISTATE, none=0), {"register": 0, "type": "string", "length": 4}),
    }
    memory = Memory(registers=dict(enumerate(struct.unpack(">7H", b"F07\0\0\0\0\0 12.5 "))))
    async with reading(device("tank", 1, points, {"unit": 1, "poll_s": 0.05}), memory) as (driver, collector):
        await until(lambda: collector.deliveries)
        assert collector.last(1) == (7.0, Quality.GOOD)
        assert collector.last(2) == (125.0, Quality.GOOD)
        assert collector.qualities(3)[0] is Quality.BAD_MALFORMED
        assert (await driver.read(driver._config.devices[0].points[0])).value == 7.0


async def test_a_strict_device_is_asked_for_nothing_that_is_not_mapped() -> None:
    points: dict[str, PointPlace] = {f"r{at}": (analog(), {"register": at}) for at in (0, 1, 3, 4, 9)}
    points |= {
        f"c{at}": (states(PointKind.BINARY, off=0, on=1), {"register": at, "function": 1}) for at in (0, 1, 30, 200)
    }
    memory = Memory(registers=dict.fromkeys(range(10), 7), coils=dict.fromkeys(range(201), True))
    async with reading(device("tank", 1, points, {"unit": 1, "strict": True}), memory) as (_, collector):
        await until(lambda: len(collector.samples) == len(points))
    assert {(request[0], *struct.unpack(">HH", request[1:])) for request in memory.requests} == {
        (1, 0, 2), (1, 30, 1), (1, 200, 1), (3, 0, 2), (3, 3, 2), (3, 9, 1),
    }  # fmt: skip


async def test_bits_that_lie_apart_are_read_together_as_registers_are() -> None:
    points: dict[str, PointPlace] = {
        f"c{at}": (states(PointKind.BINARY, off=0, on=1), {"register": at, "function": 1}) for at in (0, 100, 1999)
    }
    memory = Memory(coils=dict.fromkeys(range(2000), True))
    async with reading(device("tank", 1, points, {"unit": 1}), memory) as (_, collector):
        await until(lambda: len(collector.samples) == len(points))
    assert {(request[0], *struct.unpack(">HH", request[1:])) for request in memory.requests} == {
        (1, 0, 101), (1, 1999, 1),
    }  # fmt: skip
    assert {sample.value for sample in collector.samples} == {1.0}


async def test_all_groups_of_a_device_that_comes_back_are_read_at_once() -> None:
    points: dict[str, PointPlace] = {
        "fast": (analog(), {"register": 0, "poll_s": 0.05}),
        "slow": (analog(), {"register": 1, "poll_s": 3600}),
    }
    port, collector = free_port(), Collector()
    other = device("other", 11, {"level": (analog(), {"register": 0})}, {"unit": 2, "poll_s": 0.05})
    config = driver_config(
        Protocol.MODBUS, port, (device("tank", 1, points, {"unit": 1}), other), collector, options={"timeout_s": 0.1}
    )
    units = {1: Memory(registers={0: 5, 1: 6}), 2: Memory(registers={0: 7})}
    there = units[1]
    async with listening(port, units, tcp_speech), running(ModbusDriver(config)):
        await until(lambda: collector.last(2) == (6.0, Quality.GOOD))
        del units[1]
        await until(lambda: collector.last(2) == (6.0, Quality.BAD_COMMUNICATION))
        units[1] = there
        await until(lambda: collector.last(2) == (6.0, Quality.GOOD))


@pytest.mark.parametrize(
    ("mapping", "settings", "message"),
    [
        ({"register": 0, "function": 1, "type": "uint16"}, {}, "function 1 does not read a uint16"),
        ({"register": 0, "type": "bool"}, {}, "function 3 does not read a bool"),
        ({"register": 0, "type": "string"}, {}, "write 'type: string, length: 8'"),
        ({"register": 0, "length": 2}, {}, "write 'type: string, length: 8'"),
        ({"register": 0, "type": "int16", "bit": 3}, {}, "int16 has no bit 3"),
        ({"register": 0, "bit": 1, "bits": [0, 1]}, {}, "exclude each other"),
        ({"register": 0, "word_order": "ACBD"}, {}, "word_order"),
        ({"register": 0}, {"strict": True, "max_gap": 4}, "'strict' is a 'max_gap' of 0"),
    ],
)
def test_a_place_that_cannot_be_read_is_told_before_anything_is_opened(
    mapping: dict[str, object], settings: dict[str, object], message: str
) -> None:
    unit = device("tank", 1, {"level": (analog(), mapping)}, {"unit": 1, **settings})
    with pytest.raises(ConfigurationError, match=message):
        ModbusDriver(driver_config(Protocol.MODBUS, 1, (unit,), Collector()))
