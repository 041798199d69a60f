"""Asks the units of a Modbus line what they have, at a rate that leaves the line to its master; reads only."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Final

from facility.errors import DeviceUnreachableError
from facility.model import Connection
from gateway.drivers.modbus.line import Line, Station
from gateway.drivers.modbus.pdu import BIT_FUNCTIONS, describe, read
from gateway.drivers.modbus.settings import line_options
from gateway.events import UnitStatus

RECONNECT_S: Final = 1.0
"""Wall seconds until a line that was closed is opened again."""


class RefusedReadError(Exception):
    """A unit answered with an exception."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(describe(code))


class Pacer:
    """Lets requests through at most at a rate."""

    def __init__(self, rate_hz: float) -> None:
        self._period_s = 1.0 / rate_hz
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait until the next request may go."""
        now_s = asyncio.get_running_loop().time()
        self._next_s = max(self._next_s, now_s)
        await asyncio.sleep(self._next_s - now_s)
        self._next_s += self._period_s


class SurveyedLine:
    """A line on which single questions are asked, no faster than a rate."""

    def __init__(self, connection: Connection, rate_hz: float) -> None:
        self.requests = 0
        self._connection = connection
        self._options = line_options(connection)
        self._pacer = Pacer(rate_hz)
        self._line = Line(connection, self._options)

    async def read(self, unit: int, function: int, start: int, count: int) -> list[int]:
        """Return registers, or bits as 0 and 1, as they stand on the wire.

        Raises:
            RefusedReadError: The unit refused.
            DeviceUnreachableError: It did not answer, or the line is down.
        """
        await self._pacer.turn()
        await self._reopen()
        self.requests += 1
        answer = await self._line.ask(Station(unit=unit, figures=UnitStatus(asset_id="")), read(function, start, count))
        if isinstance(answer, int):
            raise RefusedReadError(answer)
        if function in BIT_FUNCTIONS:
            return [answer[place // 8] >> place % 8 & 1 for place in range(count)]
        return list(struct.unpack(f">{count}H", answer))

    async def open(self) -> None:
        """Connect.

        Raises:
            DeviceUnreachableError: It did not work.
        """
        try:
            await self._line.open()
        except OSError as error:
            raise DeviceUnreachableError("The Modbus line", self._line.endpoint, self._options.timeout_s) from error

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    async def _reopen(self) -> None:
        """Connect again where the device closed the connection, as many do after a request that they do not like."""
        if not self._line.is_open:
            self._line.close()
            await asyncio.sleep(RECONNECT_S)
            self._line = Line(self._connection, self._options)
            await self.open()


@contextlib.asynccontextmanager
async def surveyed_line(connection: Connection, rate_hz: float) -> AsyncIterator[SurveyedLine]:
    """Open a line until the block ends.

    Raises:
        DeviceUnreachableError: Nobody answers there.
        ConfigurationError: The connection's options have mistakes.
    """
    line = SurveyedLine(connection, rate_hz)
    await line.open()
    try:
        yield line
    finally:
        line.close()
