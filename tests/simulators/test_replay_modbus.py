"""A recording of the pump bench is served row by row, mangled cells as NaN."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from facility.clock import ScaledClock, SystemClock
from simulators.recording import RecordedRow, Recording, read_recording, shipped_layout
from simulators.replay_modbus import POINTS, ModbusPlayer
from tests.servers import free_port
from tests.simulators.modbus_client import client_of, modbus_connection, read, running, until

DATA = Path(os.environ.get("WATCHKEEPER_DATA", Path(__file__).parents[3] / "shared" / "data"))
EXPERIMENT = DATA / "pump-testbed" / "0.csv"


def clock(speed: float = 1.0) -> ScaledClock:
    return ScaledClock(start_ns=SystemClock().now_ns(), speed=speed)


def recording(*rows: list[str], period_s: float = 1.0) -> Recording:
    recorded = [
        RecordedRow(index * period_s, dict(zip(POINTS, cells, strict=True))) for index, cells in enumerate(rows)
    ]
    return Recording(recorded, [False] * len(recorded))


async def row_of(client: AsyncModbusTcpClient) -> tuple[int, list[float]]:
    number, *values = struct.unpack(">I8f", struct.pack(">18H", *await read(client, 0, 18, 1)))
    return number, values


async def test_the_first_row_stands_in_its_registers() -> None:
    port = free_port()
    cells = ["0.026", "0.04", "1.33", "0.054", "79.3", "26.0", "233.0", "32.0"]
    async with (
        running(ModbusPlayer(modbus_connection(port), 1, recording(cells, cells), clock())),
        client_of(port) as it,
    ):
        number, values = await row_of(it)
    assert number == 0
    assert values == pytest.approx([float(cell) for cell in cells], rel=1e-6)


async def test_a_cell_that_is_no_number_is_served_as_nan() -> None:
    port = free_port()
    cells = ["06. Sep", "", "nan", "1e999", "0x10", "1_000", " 26.0 ", "-3.2e1"]
    async with (
        running(ModbusPlayer(modbus_connection(port), 1, recording(cells, cells), clock())),
        client_of(port) as it,
    ):
        _, values = await row_of(it)
    assert [math.isnan(value) for value in values] == [True] * 6 + [False] * 2
    assert values[6:] == [26.0, -32.0]


async def test_rows_follow_each_other_in_facility_time_and_the_player_ends_after_the_last() -> None:
    port = free_port()
    rows = [[str(index)] * len(POINTS) for index in range(30)]
    player = ModbusPlayer(modbus_connection(port), 1, recording(*rows), clock(speed=20.0))
    seen: list[int] = []
    async with running(player) as playing, client_of(port) as client:

        async def last() -> bool:
            number, values = await row_of(client)
            assert values == [float(number)] * len(POINTS)
            seen.append(number)
            return number == len(rows) - 1

        await until(last)
        await playing
    assert seen == sorted(seen)
    assert len(set(seen)) > 10
    assert player.started_ns is not None


async def test_a_recording_without_rows_ends_at_once() -> None:
    port = free_port()
    await ModbusPlayer(modbus_connection(port), 1, recording(), clock()).run()


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_every_number_that_the_wire_can_carry_arrives(value: float) -> None:
    player = ModbusPlayer(modbus_connection(1), 1, recording([repr(value)] * len(POINTS)), clock())
    served = struct.unpack(">I8f", struct.pack(">18H", *player._current))
    assert served[1:] == (value,) * len(POINTS)


@pytest.mark.skipif(not EXPERIMENT.exists(), reason="the recordings are not here; WATCHKEEPER_DATA names their folder")
async def test_a_real_experiment_can_be_read_off_the_wire() -> None:
    port = free_port()
    experiment = read_recording(EXPERIMENT, shipped_layout("pump-testbed"))
    async with running(ModbusPlayer(modbus_connection(port), 1, experiment, clock())), client_of(port) as client:
        number, values = await row_of(client)
    assert values == pytest.approx([float(experiment.rows[number].cells[point]) for point in POINTS], rel=1e-6)
