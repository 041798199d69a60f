"""Pumps answer a Modbus client on a real socket, each make in its own words."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

import pytest
from pymodbus.exceptions import ModbusIOException

from facility.clock import ScaledClock, SystemClock
from facility.errors import ConfigurationError
from facility.model import Asset
from simulators.listening import CannotListenError
from simulators.pumps.wire import PumpWire
from tests.servers import free_port
from tests.simulators.modbus_client import client_of, modbus_connection, read, running, until
from tests.simulators.sites import asset


def pump(asset_id: str, profile: str, **address: object) -> Asset:
    return replace(asset(asset_id, "pump", **address), profile=profile)


PUMPS = [
    pump("pump-1", "pump-vfd-a", unit=1, run_hours=499.996),
    pump("pump-2", "pump-vfd-b", unit=2, run_hours=1234.5),
]


def wire_at(port: int, pumps: list[Asset] = PUMPS, *, speed: float = 1.0) -> PumpWire:
    clock = ScaledClock(start_ns=SystemClock().now_ns(), speed=speed)
    return PumpWire(modbus_connection(port), pumps, clock=clock, seed=1)


async def test_both_makes_tell_the_same_story_in_their_own_words() -> None:
    port = free_port()
    async with running(wire_at(port)), client_of(port) as client:
        make_a = struct.unpack(">10fdIH", struct.pack(">27H", *await read(client, 0, 27, 1)))
        make_b = struct.unpack(">HhhhHHHhhHHHHHH", struct.pack(">15H", *await read(client, 100, 15, 2)))
    assert make_a[0] == pytest.approx(1465, abs=5)
    assert make_b[0] == pytest.approx(1465, abs=5)
    assert make_a[1] == pytest.approx(make_b[1] * 0.1, rel=0.1)
    assert make_a[9] < 2
    assert make_a[10] == pytest.approx(499.996, abs=0.001)
    assert (make_b[10] + (make_b[11] << 16)) / 1000 == pytest.approx(1234.5, abs=0.002)
    assert make_a[12] == make_b[14] == 0b1001


async def test_the_first_pump_passes_its_service_a_quarter_of_a_minute_after_the_start() -> None:
    port = free_port()
    async with running(wire_at(port, speed=60.0)), client_of(port) as client:

        async def due() -> bool:
            hours: float = struct.unpack(">d", struct.pack(">4H", *await read(client, 20, 4, 1)))[0]
            return hours >= 500

        await until(due)


async def test_no_wide_value_is_ever_torn() -> None:
    port = free_port()
    low_word_overflow_h = 65.535  # run hours of make b pass from one low word to the next here
    wire = wire_at(port, [pump("pump-2", "pump-vfd-b", unit=2, run_hours=low_word_overflow_h - 0.02)], speed=60.0)
    seen = []
    async with running(wire), client_of(port) as client:

        async def passed() -> bool:
            low, high = await read(client, 110, 2, 2)
            seen.append(low + (high << 16))
            return high > 0

        await until(passed)
    assert seen == sorted(seen)
    assert seen[-1] < 66_000


async def test_outside_the_map_comes_exception_2_and_writes_are_refused() -> None:
    port = free_port()
    async with running(wire_at(port)), client_of(port) as client:
        for address, count, unit in ((28, 2, 1), (29, 1, 1), (0, 1, 2), (99, 2, 2), (110, 7, 2)):
            answer = await client.read_holding_registers(address, count=count, device_id=unit)
            assert answer.exception_code == 2
        assert (await client.write_register(0, 1, device_id=1)).exception_code == 2
        assert (await client.read_input_registers(0, count=2, device_id=1)).exception_code == 1
        assert (await client.read_holding_registers(0, count=1, device_id=9)).exception_code == 11


async def test_a_drive_takes_a_speed_within_its_limits_shows_it_and_runs_there() -> None:
    port = free_port()
    async with running(wire_at(port, speed=20.0)), client_of(port) as client:
        high, low = struct.unpack(">2H", struct.pack(">f", 1000.0))
        assert not (await client.write_registers(27, [high, low], device_id=1)).isError()
        assert await read(client, 27, 2, 1) == [high, low]
        assert not (await client.write_register(115, 900, device_id=2)).isError()

        async def both_slowed_down() -> bool:
            words, [speed] = await read(client, 0, 2, 1), await read(client, 100, 1, 2)
            [shown] = struct.unpack(">f", struct.pack(">2H", *words))
            return abs(shown - 1000.0) < 5.0 and abs(speed - 900) <= 5

        await until(both_slowed_down)
        assert (await client.write_register(115, 5000, device_id=2)).exception_code == 3
        assert (await client.write_register(27, high, device_id=1)).exception_code == 2, "half a number is none"


async def test_a_silent_drive_leaves_its_neighbours_answering_and_comes_back() -> None:
    port = free_port()
    wire = wire_at(port)
    second = wire.devices[1]
    async with running(wire), client_of(port) as client:
        second.inject("communication_loss", 0)
        for _ in range(2):
            with pytest.raises(ModbusIOException):
                await read(client, 100, 15, 2)
            assert len(await read(client, 0, 27, 1)) == 27
        second.clear("communication_loss", 0)
        assert len(await read(client, 100, 15, 2)) == 15


async def test_many_clients_share_the_line() -> None:
    port = free_port()
    async with running(wire_at(port)), client_of(port) as one, client_of(port) as other:
        answers = await asyncio.gather(*(read(client, 0, 27, 1) for client in (one, other)))
    assert [len(answer) for answer in answers] == [27, 27]


async def test_a_busy_port_is_said_at_once() -> None:
    port = free_port()
    async with running(wire_at(port)), client_of(port):
        with pytest.raises(CannotListenError, match=f"`pumps` cannot listen at 127.0.0.1:{port}"):
            await wire_at(port).run()


async def test_a_port_is_free_again_after_the_stop() -> None:
    port = free_port()
    for _ in range(2):
        async with running(wire_at(port)), client_of(port) as client:
            assert len(await read(client, 0, 27, 1)) == 27


def test_every_mistake_of_the_site_is_listed() -> None:
    pumps = [
        pump("pump-1", "pump-vfd-a", unit=1),
        pump("pump-2", "pump-vfd-b", unit=1),
        pump("pump-3", "pump-vfd-a"),
        pump("pump-4", "lift-mqtt", unit=4),
    ]
    with pytest.raises(ConfigurationError) as caught:
        wire_at(1, pumps)
    assert [mistake.message.split("`")[1] for mistake in caught.value.mistakes] == ["pump-2", "pump-3", "pump-4"]
