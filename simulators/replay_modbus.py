"""Plays a recording of the pump bench into the registers of a Modbus unit."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from facility.clock import NS_PER_S, Clock
from facility.model import Connection
from simulators.modbus import Unit, serving
from simulators.pumps.registers import registers_of
from simulators.recording import RecordedRow, Recording, number_of
from simulators.wire import wait_until

POINTS = (
    "acceleration_1",
    "acceleration_2",
    "motor_current",
    "loop_pressure",
    "motor_temperature",
    "fluid_temperature",
    "motor_voltage",
    "flow",
)
"""In the order of their registers, from register 2."""
_BLOCK = struct.Struct(f">I{len(POINTS)}f")
FLOAT32_MAX = (2 - 2**-23) * 2.0**127


class ModbusPlayer:
    """Serves the current row: its number as uint32 from register 0, then its points as float32, big word order."""

    def __init__(self, connection: Connection, unit: int, recording: Recording, clock: Clock) -> None:
        """Prepare the registers of every row; opens nothing yet.

        Args:
            connection: Where the unit listens.
            unit: Its number on the line.
            recording: Rows with the cells ``POINTS``; what is not a number in them is served as NaN.
            clock: What paces the rows; ``speed`` 60 plays a minute a second.
        """
        self.started_ns: int | None = None
        """Facility time of the first row; ``None`` before it."""
        self._connection = connection
        self._clock = clock
        self._number = unit
        self._offsets_s = [row.offset_s for row in recording.rows]
        self._blocks = [_registers(index, row) for index, row in enumerate(recording.rows)]
        self._current: Sequence[int] = self._blocks[0] if self._blocks else _registers(0, RecordedRow(0.0, {}))

    async def run(self) -> None:
        """Serve from the first row to the last, which is held as long as the one before it, and return.

        Raises:
            CannotListenError: The connection's address cannot be had.
        """
        unit = Unit(start=0, count=_BLOCK.size // 2, registers=lambda: list(self._current), silent=lambda: False)
        async with serving(self._connection, {self._number: unit}):
            self.started_ns = start_ns = self._clock.now_ns()
            for offset_s, block in zip(self._offsets_s, self._blocks, strict=True):
                await wait_until(self._clock, start_ns + round(offset_s * NS_PER_S))
                self._current = block
            await wait_until(self._clock, start_ns + round(self._end_s() * NS_PER_S))

    def _end_s(self) -> float:
        offsets = self._offsets_s
        if not offsets:
            return 0.0
        return offsets[-1] + (offsets[-1] - offsets[-2] if len(offsets) > 1 else 1.0)


def _registers(index: int, row: RecordedRow) -> list[int]:
    return registers_of(_BLOCK.pack(index, *(_number(row.cells.get(point, "")) for point in POINTS)))


def _number(text: str) -> float:
    """Return the cell's number; NaN for a cell that is none or that float32 cannot hold."""
    value = number_of(text)
    return value if value is not None and abs(value) <= FLOAT32_MAX else math.nan
