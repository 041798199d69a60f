"""A real Modbus TCP server for tests: units that can fall silent, refuse, and be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.drivers.driver import DeviceConfig
from gateway.drivers.modbus.codec import BlockCodec
from gateway.drivers.modbus.settings import device_settings, register_points

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

Request = tuple[int, int, int]
"""Function, address, count."""


@dataclass
class FakeUnit:
    """One unit's registers and manners."""

    registers: list[int]
    start: int = 0
    missing: set[int] = field(default_factory=set)
    """Registers that the device does not have: exception 2."""
    silent: bool = False
    exception: ExcCodes | None = None
    """Answered to every request instead of data."""
    longest: int = 125
    """Registers in one answer; exception 3 beyond."""
    requests: list[Request] = field(default_factory=list)

    async def answer(  # noqa: PLR0917  # pymodbus passes by position
        self,
        function_code: int,
        start_address: int,  # noqa: ARG002  # pymodbus fixes the arguments
        address: int,
        count: int,
        current_registers: list[int],
        set_values: list[int] | list[bool] | None,  # noqa: ARG002
    ) -> ExcCodes | None:
        self.requests.append((function_code, address, count))
        if self.silent:
            raise asyncio.CancelledError  # ends this request's task: it is never answered
        if self.exception is not None:
            return self.exception
        if count > self.longest:
            return ExcCodes.ILLEGAL_VALUE
        if self.missing.intersection(range(address, address + count)):
            return ExcCodes.ILLEGAL_ADDRESS
        current_registers[: len(self.registers)] = self.registers
        return None


@contextlib.asynccontextmanager
async def serving(port: int, units: dict[int, FakeUnit]) -> AsyncIterator[None]:
    """Answer for the units until the block ends; then every connection breaks."""
    devices = [
        SimDevice(
            id=number,
            simdata=[SimData(unit.start, count=len(unit.registers), values=0, datatype=DataType.REGISTERS)],
            action=unit.answer,
        )
        for number, unit in units.items()
    ]
    server = ModbusTcpServer(devices, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it untyped


def registers_of(device: DeviceConfig, raw: Sequence[float], *, size: int) -> list[int]:
    """Return the register image in which a device's points have these raw values."""
    points = register_points(device, device_settings(device))
    return BlockCodec([point.field(0) for point in points]).encode(raw, [0] * size)
