"""A Modbus TCP line of simulated units: blocks of registers that are never torn, units that can fall silent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from facility.model import Connection
from simulators.listening import claim

READ_HOLDING_REGISTERS = 3
WRITE_REGISTER = 6
WRITE_REGISTERS = 16
ALL_ADDRESSES = 0x10000
OTHER_UNITS = 0
"""The unit under which pymodbus looks up requests for units that do not exist."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Registers of a unit that a master may write."""

    address: int
    count: int
    take: Callable[[list[int]], bool]
    """Gets all of them at once, and returns whether the device accepts what they say."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One slave on the line with holding registers alone, of which a master may write one setting."""

    start: int
    """Address of the first register."""
    count: int
    registers: Callable[[], list[int]]
    """Returns the whole block as it is now."""
    silent: Callable[[], bool]
    """Whether the unit is off the line."""
    setting: Setting | None = None
    """``None``: it is only read."""

    async def answer(  # noqa: PLR0917  # pymodbus fixes the arguments and passes them by position
        self,
        function_code: int,
        start_address: int,  # noqa: ARG002  # not needed
        address: int,
        count: int,
        current_registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Bring the registers up to date for the request that is being answered, or take the setting.

        The block is replaced in one go and read before anything else can run, so no value is torn.

        Raises:
            CancelledError: The unit is silent. It ends the task of this one request, which is then never answered;
                a request that slept instead would wake and answer under the number of a later one.
        """
        if self.silent():
            raise asyncio.CancelledError
        if function_code not in {READ_HOLDING_REGISTERS, WRITE_REGISTER, WRITE_REGISTERS}:
            return ExcCodes.ILLEGAL_FUNCTION
        if set_values is not None:  # of a write; pymodbus asks again for what it answers a write of one register
            return self._take(address, count, [int(value) for value in set_values])
        current_registers[: self.count] = self.registers()
        return None

    def _take(self, address: int, count: int, values: list[int]) -> ExcCodes | None:
        if self.setting is None or (address, count) != (self.setting.address, self.setting.count):
            return ExcCodes.ILLEGAL_ADDRESS
        return None if self.setting.take(values) else ExcCodes.ILLEGAL_VALUE


@contextlib.asynccontextmanager
async def serving(connection: Connection, units: Mapping[int, Unit]) -> AsyncIterator[None]:
    """Answer for the units at the connection's address until the block ends.

    A request outside a unit's block gets exception 2, a write outside its setting too, another function exception 1, a
    unit that does not exist exception 11 as a gateway would say.

    Raises:
        CannotListenError: The address cannot be had.
    """
    address = await claim(connection, socket.SOCK_STREAM)
    server = ModbusTcpServer([*_devices(units), _nobody()], address=address)
    try:
        await server.serve_forever(background=True)
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it untyped


def _devices(units: Mapping[int, Unit]) -> list[SimDevice]:
    return [
        SimDevice(
            id=number,
            simdata=[SimData(unit.start, count=unit.count, values=0, datatype=DataType.REGISTERS)],
            action=unit.answer,
        )
        for number, unit in units.items()
    ]


def _nobody() -> SimDevice:
    every_register = SimData(0, count=ALL_ADDRESSES, values=0, datatype=DataType.REGISTERS)
    return SimDevice(id=OTHER_UNITS, simdata=[every_register], action=_no_such_unit)


async def _no_such_unit(*_request: object) -> ExcCodes | None:
    return ExcCodes.GATEWAY_NO_RESPONSE
