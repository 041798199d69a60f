"""One Modbus line: a connection shared by all units behind it, on which one request goes after another."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass

from facility.errors import DeviceUnreachableError
from facility.modbus_options import ModbusOptions
from facility.model import Connection
from gateway.drivers.modbus.pdu import UNIT_SILENT, data_of
from gateway.drivers.modbus.wire import Wire, open_wire
from gateway.events import UnitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Whom requests are for, and where they are counted."""

    unit: int
    figures: UnitStatus
    pause_s: float = 0.0
    """Wall seconds of silence that the device needs between its answer and the next request to it."""


class Turns:
    """Whose turn it is on a line: commands before polls, each kind in the order it came."""

    def __init__(self) -> None:
        self._taken = False
        self._arrivals = 0
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []

    async def take(self, *, ahead: bool) -> None:
        """Wait for a turn; ``ahead`` of everything that is not."""
        if not self._taken:
            self._taken = True
            return
        self._arrivals += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not ahead, self._arrivals, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came in the same instant
                self.give_back()
            raise

    def give_back(self) -> None:
        """Let the next one have its turn."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False


class Line:
    """The line of one connection; opens once, a new one is made to connect again."""

    def __init__(self, connection: Connection, options: ModbusOptions) -> None:
        self.endpoint = options.serial or f"{connection.host}:{connection.port}"
        self.answers = 0
        """Frames that answered a request, be it by an exception."""
        self._connection = connection
        self._options = options
        self._pause_s = options.pause_ms / 1000
        self._wire: Wire | None = None
        self._turns = Turns()
        self._quiet_from_s = 0.0
        """When the last exchange ended, on the event loop's clock."""
        self._unit_quiet_from_s: dict[int, float] = {}
        """The same for units that need a pause of their own."""

    @property
    def is_open(self) -> bool:
        """Say whether the connection stands, as far as this side knows."""
        return self._wire is not None and self._wire.is_open

    async def open(self) -> None:
        """Connect once.

        Raises:
            OSError: It did not work; says why.
        """
        self._wire = await open_wire(self._connection, self._options)

    def close(self) -> None:
        """Break the connection off; requests under way and waiting fail at once."""
        if self._wire is not None:
            self._wire.close()

    @contextlib.asynccontextmanager
    async def turn(self, *, ahead: bool) -> AsyncIterator[None]:
        """Have the line for several requests that nobody else's may come between."""
        await self._turns.take(ahead=ahead)
        try:
            yield
        finally:
            self._turns.give_back()

    async def ask(self, station: Station, request: bytes) -> bytes | int:
        """Send one poll's request when its turn comes; see :meth:`ask_now`."""
        await self._turns.take(ahead=False)
        try:
            return await self.ask_now(station, request)
        finally:
            self._turns.give_back()

    async def ask_now(self, station: Station, request: bytes) -> bytes | int:
        """Return an answer's data, or the exception code by which the device refused; the turn is the caller's.

        A device may answer with more or fewer registers than it was asked for, or with another function: that is the
        code ``NONSENSE``.

        Raises:
            DeviceUnreachableError: The unit did not answer, or the line is not open.
        """
        if self._wire is None:
            raise self._unreachable(station)
        await self._keep_quiet(station, self._wire)
        figures, loop = station.figures, asyncio.get_running_loop()
        figures.requests += 1
        asked_s = loop.time()
        try:
            answer = data_of(request, await self._wire.exchange(station.unit, request, self._options.timeout_s))
        except (TimeoutError, ConnectionError) as error:
            figures.timeouts += 1
            raise self._unreachable(station) from error
        finally:
            self._quiet_from_s = self._unit_quiet_from_s[station.unit] = loop.time()
        self.answers += 1
        figures.latency.add(self._quiet_from_s - asked_s)
        return self._judged(station, answer)

    def _judged(self, station: Station, answer: bytes | int) -> bytes | int:
        if isinstance(answer, int):
            if answer in UNIT_SILENT:
                station.figures.timeouts += 1
                raise self._unreachable(station)
            station.figures.refusals += 1
        return answer

    async def _keep_quiet(self, station: Station, wire: Wire) -> None:
        """Wait until wire, line and device have had their silence."""
        line_s = self._quiet_from_s + max(self._pause_s, wire.gap_s)
        unit_s = self._unit_quiet_from_s.get(station.unit, 0.0) + station.pause_s
        wait_s = max(line_s, unit_s) - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def _unreachable(self, station: Station) -> DeviceUnreachableError:
        return DeviceUnreachableError(f"Modbus unit {station.unit}", self.endpoint, self._options.timeout_s)
