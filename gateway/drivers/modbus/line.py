"""One TCP connection to a Modbus device or gateway, shared by all units behind it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from facility.errors import DeviceUnreachableError
from gateway.drivers.modbus.plan import Block

_NEVER: Final = 10**9
_INPUT_REGISTERS: Final = 4
_UNIT_SILENT: Final = frozenset({10, 11})
"""Exceptions by which a gateway says that the unit behind it did not answer."""

# pymodbus logs every single timeout as an error; the driver says once when a unit is lost and once when it is back.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class Line:
    """An open client; a new one is made for every connection, so nothing of a broken one lives on."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.endpoint = f"{host}:{port}"
        self._timeout_s = timeout_s
        # Retry and reconnect belong to the driver: the library's own would block every unit and back off to 300 s.
        self._client = AsyncModbusTcpClient(host, port=port, timeout=timeout_s, retries=0, reconnect_delay=0)
        self._client.set_max_no_responses(_NEVER)

    @property
    def is_open(self) -> bool:
        """Say whether the connection stands, as far as this side knows."""
        return self._client.connected

    async def open(self) -> bool:
        """Connect once; return whether it worked."""
        return await self._client.connect()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    async def read(self, unit: int, block: Block) -> list[int] | int:
        """Return a block's registers, or the exception code by which the device refused.

        A device may send more or fewer registers than it was asked for, and none where it answers another function.

        Raises:
            DeviceUnreachableError: The unit did not answer.
        """
        try:
            response = await self._request(unit, block)
        except ModbusException as error:
            raise self._silent(unit) from error
        if not response.isError():
            return list(response.registers) if response.function_code == block.function else []
        if response.exception_code in _UNIT_SILENT:
            raise self._silent(unit)
        return response.exception_code

    async def _request(self, unit: int, block: Block) -> ModbusPDU:
        client = self._client
        ask = client.read_input_registers if block.function == _INPUT_REGISTERS else client.read_holding_registers
        response = await ask(block.start, count=block.count, device_id=unit)
        _end_if_cancelled()
        return response

    def _silent(self, unit: int) -> DeviceUnreachableError:
        return DeviceUnreachableError(f"Modbus unit {unit}", self.endpoint, self._timeout_s)


def _end_if_cancelled() -> None:
    """Let a cancellation take effect that came in the same instant as the answer.

    The library waits with ``asyncio.wait_for``, which in Python 3.11 then returns the answer and forgets that it was
    told to stop.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
