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
ALL_ADDRESSES = 0x10000
OTHER_UNITS = 0
"""The unit under which pymodbus looks up requests for units that do not exist."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One slave on the line, read-only, with holding registers alone."""

    start: int
    """Address of the first register."""
    count: int
    registers: Callable[[], list[int]]
    """Returns the whole block as it is now."""
    silent: Callable[[], bool]
    """Whether the unit is off the line."""

    async def answer(  # noqa: PLR0917  # pymodbus fixes the arguments and passes them by position
        self,
        function_code: int,
        start_address: int,  # noqa: ARG002  # not needed
        address: int,  # noqa: ARG002
        count: int,  # noqa: ARG002
        current_registers: list[int],
        set_values: list[int] | list[bool] | None,  # noqa: ARG002
    ) -> ExcCodes | None:
        """Bring the registers up to date for the request that is being answered.

        The block is replaced in one go and read before anything else can run, so no value is torn.

        Raises:
            CancelledError: The unit is silent. It ends the task of this one request, which is then never answered;
                a request that slept instead would wake and answer under the number of a later one.
        """
        if self.silent():
            raise asyncio.CancelledError
        if function_code != READ_HOLDING_REGISTERS:
            return ExcCodes.ILLEGAL_FUNCTION
        current_registers[: self.count] = self.registers()
        return None


@contextlib.asynccontextmanager
async def serving(connection: Connection, units: Mapping[int, Unit]) -> AsyncIterator[None]:
    """Answer for the units at the connection's address until the block ends.

    A request outside a unit's block gets exception 2, a write too, another function exception 1, and a unit that does
    not exist exception 11 as a gateway would say.

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
            simdata=[SimData(unit.start, count=unit.count, values=0, datatype=DataType.REGISTERS, readonly=True)],
            action=unit.answer,
        )
        for number, unit in units.items()
    ]


def _nobody() -> SimDevice:
    every_register = SimData(0, count=ALL_ADDRESSES, values=0, datatype=DataType.REGISTERS)
    return SimDevice(id=OTHER_UNITS, simdata=[every_register], action=_no_such_unit)


async def _no_such_unit(*_request: object) -> ExcCodes | None:
    return ExcCodes.GATEWAY_NO_RESPONSE
