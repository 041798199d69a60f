"""The Modbus driver against real servers on loopback."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Mapping
from typing import Any

import pytest
from pymodbus.constants import ExcCodes
from structlog.testing import capture_logs

from facility.class_files import load_classes
from facility.equipment import PointKind
from facility.errors import ConfigurationError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.modbus.driver import ModbusDriver
from gateway.events import ConnectionState
from gateway.profiles import load_profiles
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.gateway.modbus_server import FakeUnit, registers_of, serving
from tests.servers import free_port

FAST = {"poll_s": 0.02}
PATIENCE = {"timeout_s": 0.1}


def pump(profile: str, number: int, *, first_key: int = 1, poll_s: float = 0.02) -> DeviceConfig:
    """Return a pump as a shipped profile reads it."""
    shipped, definitions = load_profiles()[profile], load_classes()["pump"].points
    points = {name: (definitions[name], mapping) for name, mapping in shipped.points.items()}
    return device(f"pump-{number}", first_key, points, {**shipped.settings, "unit": number, "poll_s": poll_s})


def meter(
    number: int, registers: Mapping[str, Mapping[str, Any]], *, first_key: int = 1, **settings: object
) -> DeviceConfig:
    """Return a device of plain analog points."""
    points = {name: (analog(), mapping) for name, mapping in registers.items()}
    return device(f"meter-{number}", first_key, points, {"unit": number, **FAST, **settings})


def line(port: int, collector: Collector, *devices: DeviceConfig) -> DriverConfig:
    return driver_config(Protocol.MODBUS, port, devices, collector, options=PATIENCE)


PUMP_VALUES = [1450, 32.5, -0.25, 3.5, 12.25, 400.5, 7.5, 61.5, 48.5, 2.5, 8123.5, 71, 1, 0, 0, 1, 1465]
"""In the order of the profile; every one fits a float32."""


@pytest.mark.parametrize("profile", ["pump-vfd-a", "pump-vfd-b"])
async def test_a_pump_of_either_make_is_read_in_one_request_with_its_values_in_the_class_units(profile: str) -> None:
    port, collector = free_port(), Collector()
    reading = pump(profile, 1)
    scales = [load_profiles()[profile].points[point.name].get("scale", 1.0) for point in reading.points]
    raw = [round(value / scale) if scale != 1.0 else value for value, scale in zip(PUMP_VALUES, scales, strict=True)]
    unit = FakeUnit(registers_of(reading, raw, size=130))
    async with serving(port, {1: unit}), running(ModbusDriver(line(port, collector, reading))):
        await until(lambda: collector.deliveries)
    rows = collector.deliveries[0].batch.rows()
    assert [row.point for row in rows] == [point.key for point in reading.points]
    assert [row.value for row in rows] == pytest.approx(PUMP_VALUES)
    assert {row.quality for row in rows} == {Quality.GOOD}
    assert len(set(unit.requests)) == 1


async def test_a_dead_pump_costs_its_neighbours_one_timeout_and_then_nothing() -> None:
    port, collector = free_port(), Collector()
    pumps = [pump("pump-vfd-a", number, first_key=100 * number) for number in (1, 2, 3)]
    units = {number: FakeUnit([0] * 60, silent=number == 2) for number in (1, 2, 3)}
    config = line(port, collector, *pumps)
    with capture_logs() as logs:
        async with serving(port, units), running(ModbusDriver(config)):
            await until(lambda: collector.of(200))
            await until(lambda: len(collector.of(100)) > 50 and len(collector.of(300)) > 50)
            assert config.status.state is ConnectionState.UP
            assert config.status.detail == "no answer from pump-2"
            asked_while_dead = len(units[2].requests)
            units[2].silent = False
            await until(lambda: collector.qualities(200)[-1] is Quality.GOOD)
            assert config.status.detail == ""
    assert asked_while_dead <= 4
    assert collector.qualities(200)[0] is Quality.BAD_COMMUNICATION
    assert collector.qualities(200).count(Quality.BAD_COMMUNICATION) == 1
    assert Quality.BAD_COMMUNICATION not in collector.qualities(100)
    assert [entry["event"] for entry in logs] == ["device lost", "device back"]


async def test_a_gateway_that_says_its_unit_does_not_answer_counts_as_a_dead_unit() -> None:
    port, collector = free_port(), Collector()
    units = {1: FakeUnit([7] * 4), 2: FakeUnit([7] * 4, exception=ExcCodes.GATEWAY_NO_RESPONSE)}
    meters = [meter(number, {"a": {"register": 0}}, first_key=number) for number in units]
    async with serving(port, units), running(ModbusDriver(line(port, collector, *meters))):
        await until(lambda: collector.of(2))
        await until(lambda: len(collector.of(1)) > 10)
    assert set(collector.qualities(2)) == {Quality.BAD_COMMUNICATION}


async def test_a_gateway_all_of_whose_units_are_dead_is_up_and_keeps_its_connection() -> None:
    port, collector = free_port(), Collector()
    units = {number: FakeUnit([7], exception=ExcCodes.GATEWAY_NO_RESPONSE) for number in (1, 2, 3, 4)}
    config = line(port, collector, *[meter(number, {"a": {"register": 0}}, first_key=number) for number in units])
    async with serving(port, units), running(ModbusDriver(config)):
        await until(lambda: all(figures.openings for figures in config.status.units.values()))
        assert config.status.state is ConnectionState.UP
        assert config.status.detail == "no answer from meter-1, meter-2, meter-3, meter-4"
        units[3].exception = None
        await until(lambda: collector.last(3) == (7.0, Quality.GOOD))
        assert config.status.detail == "no answer from meter-1, meter-2, meter-4"


async def test_a_server_that_is_killed_and_started_again_is_reported_once_and_found_again() -> None:
    port, collector = free_port(), Collector()
    config = line(port, collector, meter(1, {"a": {"register": 0}}), meter(2, {"a": {"register": 0}}, first_key=2))
    units = {1: FakeUnit([41]), 2: FakeUnit([42])}
    with capture_logs() as logs:
        async with running(ModbusDriver(config)):
            async with serving(port, units):
                await until(lambda: collector.of(1) and collector.of(2) and collector.of(2)[-1].value == 42)
            await until(lambda: config.status.state is ConnectionState.DOWN)
            lost = collector.of(2)[-1]
            units[2].registers = [43]
            async with serving(port, units):
                await until(lambda: collector.of(2)[-1].value == 43)
                await until(lambda: config.status.state is ConnectionState.UP and not config.status.detail)
    assert (lost.value, lost.quality) == (42.0, Quality.BAD_COMMUNICATION)
    events = [entry["event"] for entry in logs]
    assert events.count("connection lost") == events.count("connection back")
    assert set(events) == {"connection lost", "connection back"}


async def test_a_line_that_was_never_there_says_so_once_per_point_and_then_is_silent() -> None:
    collector = Collector()
    config = line(free_port(), collector, meter(1, {"a": {"register": 0}, "b": {"register": 1}}))
    with capture_logs() as logs:
        async with running(ModbusDriver(config)):
            await until(lambda: collector.samples)
            await asyncio.sleep(1.2)  # long enough for a second try
    assert [(sample.point, sample.quality) for sample in collector.samples] == [
        (1, Quality.BAD_COMMUNICATION),
        (2, Quality.BAD_COMMUNICATION),
    ]
    assert all(math.isnan(sample.value) for sample in collector.samples)
    assert [entry["event"] for entry in logs] == ["connection lost"]
    assert config.status.state is ConnectionState.DOWN
    assert "check the device's power" in config.status.detail


async def test_a_half_open_connection_is_given_up_when_no_unit_answers_on_it() -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit([7])
    config = line(port, collector, meter(1, {"a": {"register": 0}}))
    async with serving(port, {1: unit}), running(ModbusDriver(config)):
        await until(lambda: collector.of(1))
        unit.silent = True
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert "no unit" in config.status.detail
        unit.silent = False
        await until(lambda: config.status.state is ConnectionState.UP)


async def test_registers_that_a_device_does_not_have_are_learned_as_holes_without_losing_a_value() -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit(list(range(40)), missing={3, 4, 13})
    reading = meter(1, {f"r{at}": {"register": at} for at in (0, 1, 2, 5, 6, 10, 12, 14, 20)})
    async with serving(port, {1: unit}), running(ModbusDriver(line(port, collector, reading))):
        await until(lambda: len(collector.deliveries) > 5)
    for delivery in collector.deliveries:
        rows = delivery.batch.rows()
        assert [row.value for row in rows] == [0, 1, 2, 5, 6, 10, 12, 14, 20]
        assert {row.quality for row in rows} == {Quality.GOOD}
    assert set(unit.requests[-3:]) == {(3, 0, 3), (3, 5, 8), (3, 14, 7)}


async def test_a_point_that_the_device_does_not_have_is_bad_by_configuration_and_its_neighbours_are_read() -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit(list(range(10)), missing={2})
    reading = meter(1, {f"r{at}": {"register": at} for at in range(5)})
    async with serving(port, {1: unit}), running(ModbusDriver(line(port, collector, reading))):
        await until(lambda: len(collector.of(1)) > 5)
    assert collector.qualities(3) == [Quality.BAD_CONFIGURATION]
    assert set(collector.qualities(2)) == set(collector.qualities(4)) == {Quality.GOOD}
    assert set(unit.requests[-2:]) == {(3, 0, 2), (3, 3, 2)}


async def test_a_device_that_answers_only_short_requests_is_asked_for_less_at_once() -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit(list(range(60)), longest=16)
    reading = meter(1, {f"r{at}": {"register": at} for at in range(60)})
    async with serving(port, {1: unit}), running(ModbusDriver(line(port, collector, reading))):
        await until(lambda: len(collector.of(60)) > 2 and collector.qualities(60)[-1] is Quality.GOOD)
    assert max(count for _, _, count in unit.requests[-4:]) <= 16


@pytest.mark.parametrize(
    ("exception", "quality"),
    [
        (ExcCodes.ILLEGAL_FUNCTION, Quality.BAD_CONFIGURATION),
        (ExcCodes.DEVICE_FAILURE, Quality.BAD_DEVICE_EXCEPTION),
        (ExcCodes.DEVICE_BUSY, Quality.BAD_DEVICE_EXCEPTION),
    ],
)
async def test_a_device_that_refuses_is_alive_and_its_points_are_bad(exception: ExcCodes, quality: Quality) -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit([7], exception=exception)
    config = line(port, collector, meter(1, {"a": {"register": 0}}))
    async with serving(port, {1: unit}), running(ModbusDriver(config)):
        await until(lambda: len(collector.of(1)) > 3)
        assert config.status.state is ConnectionState.UP
        assert config.status.errors >= 3
        unit.exception = None
        await until(lambda: collector.last(1) == (7.0, Quality.GOOD))
    assert collector.qualities(1)[0] is quality


async def test_not_a_number_and_an_unknown_state_are_bad_and_their_neighbours_good() -> None:
    port, collector = free_port(), Collector()
    points: dict[str, PointPlace] = {
        "level": (analog(), {"register": 0, "type": "float32"}),
        "mode": (states(PointKind.MULTISTATE, off=0, on=1), {"register": 2}),
        "flow": (analog(), {"register": 3, "type": "int16", "scale": 0.5}),
    }
    unit = FakeUnit([0x7FC0, 0, 9, 0xFFFF])
    config = line(port, collector, device("tank", 1, points, {"unit": 1, **FAST}))
    async with serving(port, {1: unit}), running(ModbusDriver(config)):
        await until(lambda: collector.deliveries)
    assert [row.quality for row in collector.deliveries[0].batch.rows()] == [
        Quality.BAD_NOT_A_NUMBER,
        Quality.BAD_MALFORMED,
        Quality.GOOD,
    ]
    assert collector.last(3) == (-0.5, Quality.GOOD)


async def test_input_registers_are_read_with_their_own_function() -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit([5, 6])
    reading = meter(1, {"a": {"register": 0}, "b": {"register": 1, "function": 4}})
    async with serving(port, {1: unit}), running(ModbusDriver(line(port, collector, reading))):
        await until(lambda: collector.deliveries)
    assert set(unit.requests) == {(3, 0, 1), (4, 1, 1)}


async def test_two_thousand_polls_leave_no_task_and_no_object_behind() -> None:
    port, collector = free_port(), Collector()
    unit = FakeUnit([0] * 60)
    tasks = asyncio.all_tasks()

    async def objects_after(polls: int) -> int:
        await until(lambda: len(unit.requests) >= polls)
        unit.requests.clear()
        collector.clear()
        gc.collect()
        return len(gc.get_objects())

    async with (
        serving(port, {1: unit}),
        running(ModbusDriver(line(port, collector, pump("pump-vfd-a", 1, poll_s=0.0005)))),
    ):
        before = await objects_after(500)
        grown = await objects_after(2000) - before
        assert len(asyncio.all_tasks() - tasks) <= 3  # the driver and the server's two
    assert grown < 200


def test_every_mistake_of_a_line_is_named_before_anything_is_opened() -> None:
    devices = [
        meter(1, {"a": {"register": -1}, "b": {"register": 0, "bit": 16}, "c": {"register": 0, "typ": "int16"}}),
        meter(2, {"a": {"register": 65535, "type": "float32"}}, poll_s=0),
        meter(3, {"a": {"register": 65535, "type": "float32"}}),
    ]
    with pytest.raises(ConfigurationError) as caught:
        ModbusDriver(line(1, Collector(), *devices))
    assert [(mistake.file, mistake.message.split(":")[0]) for mistake in caught.value.mistakes] == [
        ("meter-1/a", "register"),
        ("meter-1/b", "uint16 has no bit 16; take one below 16 of a uint16, 32 of a uint32 or 64 of a uint64"),
        ("meter-1/c", "typ"),
        ("meter-2", "poll_s"),
        ("meter-3/a", "a float32 at 65535 reaches beyond the last register, 65535"),
    ]
