"""One Modbus line: whose turn it is, and that nobody's cancellation is forgotten."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from facility.errors import DeviceUnreachableError
from facility.modbus_options import ModbusOptions
from facility.model import Connection, Protocol
from gateway.drivers.modbus import pdu
from gateway.drivers.modbus.line import Line, Station, Turns
from gateway.drivers.modbus.wire import Wire
from gateway.events import UnitStatus
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port

READ = pdu.read(3, 0, 4)


def line_at(port: int, **options: object) -> Line:
    connection = Connection(id="line", protocol=Protocol.MODBUS, host="127.0.0.1", port=port)
    return Line(connection, ModbusOptions.model_validate(options))


def station(unit: int = 1, pause_s: float = 0.0) -> Station:
    return Station(unit=unit, figures=UnitStatus(asset_id=f"meter-{unit}"), pause_s=pause_s)


async def test_a_poll_that_is_told_to_stop_in_the_instant_of_its_answer_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    async with serving(port, {1: FakeUnit([7] * 4)}):
        line = line_at(port)
        await line.open()
        wire = line._wire
        assert wire is not None
        asking = asyncio.create_task(line.ask(station(), READ))

        def take_and_cancel(data: bytes) -> None:
            Wire.data_received(wire, data)
            asking.cancel()

        monkeypatch.setattr(wire, "data_received", take_and_cancel)
        with pytest.raises(asyncio.CancelledError):
            await asking
        monkeypatch.undo()
        assert await line.ask(station(), READ) == bytes([0, 7] * 4)
        line.close()


async def test_commands_have_their_turn_before_polls_and_each_kind_in_its_order() -> None:
    turns, order = Turns(), list[str]()

    async def take(name: str, *, ahead: bool) -> None:
        await turns.take(ahead=ahead)
        order.append(name)
        turns.give_back()

    await turns.take(ahead=False)
    names = ["poll 1", "poll 2", "command 1", "poll 3", "command 2", "given up"]
    tasks = [asyncio.create_task(take(name, ahead="poll" not in name)) for name in names]
    await asyncio.sleep(0)
    tasks[-1].cancel()
    turns.give_back()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["command 1", "command 2", "poll 1", "poll 2", "poll 3"]


async def test_a_turn_that_comes_in_the_instant_of_a_cancellation_goes_to_the_next() -> None:
    turns = Turns()
    await turns.take(ahead=False)
    first = asyncio.create_task(turns.take(ahead=False))
    second = asyncio.create_task(turns.take(ahead=False))
    await asyncio.sleep(0)
    turns.give_back()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(10):
        await second


async def test_a_device_that_needs_a_pause_gets_it_and_its_neighbours_are_asked_meanwhile() -> None:
    port, asked = free_port(), list[tuple[int, float]]()
    async with serving(port, {1: FakeUnit([7] * 4), 2: FakeUnit([8] * 4)}):
        line = line_at(port)
        await line.open()
        loop = asyncio.get_running_loop()
        for each in [station(1, pause_s=0.2), station(1, pause_s=0.2), station(2)]:
            await line.ask(each, READ)
            asked.append((each.unit, loop.time()))
        line.close()
    gaps = [after - before for (_, before), (_, after) in pairwise(asked)]
    assert gaps[0] >= 0.2


async def test_a_line_that_needs_a_pause_gets_it_between_all_requests() -> None:
    port = free_port()
    async with serving(port, {1: FakeUnit([7] * 4), 2: FakeUnit([8] * 4)}):
        line = line_at(port, pause_ms=100)
        await line.open()
        loop = asyncio.get_running_loop()
        await line.ask(station(1), READ)
        before = loop.time()
        await line.ask(station(2), READ)
        assert loop.time() - before >= 0.1
        line.close()


async def test_what_waits_on_a_line_that_is_closed_fails_at_once() -> None:
    port = free_port()
    async with serving(port, {1: FakeUnit([7] * 4, silent=True)}):
        line = line_at(port, timeout_s=300)
        await line.open()
        asking = [asyncio.create_task(line.ask(station(), READ)) for _ in range(3)]
        await asyncio.sleep(0)
        line.close()
        async with asyncio.timeout(60):
            results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [DeviceUnreachableError] * 3
