"""What people ask of a device: writes and read-backs, each ahead of all polls."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from facility.clock import Clock
from facility.errors import DeviceRefusedError
from facility.model import Point
from facility.quality import Quality
from facility.samples import Sample
from gateway.drivers.driver import DeviceConfig, PointWrite
from gateway.drivers.modbus import pdu
from gateway.drivers.modbus.codec import BitBlockCodec, BlockCodec, RegisterType
from gateway.drivers.modbus.line import Line, Station
from gateway.drivers.modbus.pdu import ILLEGAL_FUNCTION, Function
from gateway.drivers.modbus.settings import DeviceSettings, RegisterPoint
from gateway.drivers.modbus.writing import Change, write_targets

_REGISTER: Final = struct.Struct(">H")


class Commands:
    """Writes and reads single points of one device."""

    def __init__(
        self, device: DeviceConfig, settings: DeviceSettings, points: Sequence[RegisterPoint], station: Station
    ) -> None:
        """Prepare one device's writable points.

        Raises:
            ConfigurationError: The profile's ``write`` entries have mistakes.
        """
        self._station = station
        self._places = {each.point.key: each for each in points}
        self._targets = write_targets(device, settings)
        self._writes_masks = True
        """Until the device refuses function 22."""

    async def write(self, line: Line, write: PointWrite) -> None:
        """Write one point; return when the device has confirmed.

        Raises:
            DeviceUnreachableError: No answer in time, or the line is not open.
            DeviceRefusedError: The device said no, or the profile does not let this point be written.
        """
        address, target = write.point.address, self._targets.get(write.point.key)
        if target is None:
            raise DeviceRefusedError(address, "its profile has no 'write' entry")
        if write.value is None:
            raise DeviceRefusedError(address, "Modbus cannot take a write back; write the value that it should have")
        request = target.request(write.value)
        async with line.turn(ahead=True):
            if target.function is Function.MASK_WRITE_REGISTER:
                await self._write_bits(line, address, request, target.change(write.value))
            else:
                await self._granted(line, address, request)

    async def read(self, line: Line, point: Point, clock: Clock) -> Sample:
        """Read one point.

        Raises:
            DeviceUnreachableError: No answer in time, or the line is not open.
            DeviceRefusedError: The device said no, or the profile does not map this point.
        """
        place = self._places.get(point.key)
        if place is None:
            raise DeviceRefusedError(point.address, "its profile does not say where it is")
        span = place.span
        async with line.turn(ahead=True):
            data = await self._granted(line, point.address, pdu.read(span.function, span.start, span.width))
        value, quality = converted(place, data)
        now_ns = clock.now_ns()
        return Sample(point.key, now_ns, now_ns, value, quality)

    async def _write_bits(self, line: Line, address: str, request: bytes, change: Change) -> None:
        """Set some bits of a register; where the device has no function for it, read, change and write back.

        The line is ours meanwhile, but the device's own changes of other bits between the two requests are lost.
        """
        if self._writes_masks:
            answer = await line.ask_now(self._station, request)
            if answer != ILLEGAL_FUNCTION:
                _check(address, answer)
                return
            self._writes_masks = False
        data = await self._granted(line, address, pdu.read(Function.READ_HOLDING_REGISTERS, change.register, 1))
        changed = change.of(_REGISTER.unpack(data)[0])
        await self._granted(line, address, pdu.write_register(change.register, changed))

    async def _granted(self, line: Line, address: str, request: bytes) -> bytes:
        return _check(address, await line.ask_now(self._station, request))


def converted(place: RegisterPoint, data: bytes) -> tuple[float, Quality]:
    """Return one point's value and quality from the data of its registers alone."""
    field = place.field(place.span.start)
    codec = BitBlockCodec([field]) if place.type is RegisterType.BOOL else BlockCodec([field])
    texts = codec.texts(data)
    if texts:
        return place.converter.convert_field(texts[0][1])
    return place.converter.convert_field(float(codec.decode(data)[0]))


def _check(address: str, answer: bytes | int) -> bytes:
    if isinstance(answer, int):
        raise DeviceRefusedError(address, pdu.describe(answer))
    return answer
