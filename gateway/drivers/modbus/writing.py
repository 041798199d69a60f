"""From a value to the request that writes it: which function, which registers, and what of them stays as it is.

A coil is switched by function 5, one register set by 6, several by 16. Bits of a register are set by 22, which leaves
its other bits alone; a device without that function gets its register read, changed and written back. A profile's
``write`` entry may name another function (15 for coils, 16 for a single register, 23 to write and read back at once)
and another place than where the point is read::

    speed_setpoint: {register: 40, type: float32, write: {min: 0, max: 1480, register: 140, function: 16}}
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from facility.errors import ConfigurationError, DeviceRefusedError, Mistake
from gateway.commands.grammar import protocol_keys
from gateway.conversion import PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.modbus import pdu
from gateway.drivers.modbus.codec import BlockCodec, ByteOrder, RegisterType
from gateway.drivers.modbus.pdu import Function
from gateway.drivers.modbus.settings import (
    ADDRESSES,
    DeviceSettings,
    RegisterPoint,
    Settings,
    register_point,
    validated,
)

ALL_BITS: Final = 0xFFFF

WRITABLE: Final = {
    Function.READ_COILS: (Function.WRITE_COIL, Function.WRITE_COILS),
    Function.READ_HOLDING_REGISTERS: (
        Function.WRITE_REGISTER,
        Function.WRITE_REGISTERS,
        Function.MASK_WRITE_REGISTER,
        Function.READ_WRITE_REGISTERS,
    ),
}
"""Which functions write what a function reads; what is missing here is read-only."""


class WriteMapping(Settings):
    """The protocol's own keys of a profile's ``write`` entry; what is absent is as the point is read."""

    register_: int | None = Field(default=None, alias="register", ge=0, lt=ADDRESSES)
    type: RegisterType | None = None
    word_order: ByteOrder | None = None
    bit: int | None = None
    bits: list[int] | None = None
    function: Literal[5, 6, 15, 16, 22, 23] | None = None
    """``None``: as the type demands."""
    scale: float | None = None
    offset: float | None = None

    @model_validator(mode="after")
    def _bits_are_said_once(self) -> Self:
        if self.bit is not None and self.bits is not None:
            raise ValueError("'bit' and 'bits' exclude each other; remove one")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTarget:
    """Where a point is written, and how."""

    place: RegisterPoint
    function: Function

    @property
    def converter(self) -> PointConverter:
        """Return how values become raw ones."""
        return self.place.converter

    def request(self, value: float) -> bytes:
        """Return the request that writes a value in the point's unit.

        Raises:
            DeviceRefusedError: The device has no such state or number.
        """
        if self.function in WRITABLE[Function.READ_COILS]:
            return self._coil_request(bool(self._raw(value)))
        start = self.place.span.start
        if self.function is Function.MASK_WRITE_REGISTER:
            change = self.change(value)
            return pdu.mask_write_register(change.register, kept=change.kept, new=change.new)
        registers = self._registers(self._raw(value))
        if self.function is Function.WRITE_REGISTER:
            return pdu.write_register(start, registers[0])
        several = self.function is Function.READ_WRITE_REGISTERS
        return (pdu.read_write_registers if several else pdu.write_registers)(start, registers)

    def change(self, value: float) -> Change:
        """Return what writing a value changes of the one register that its bits stand in.

        Raises:
            DeviceRefusedError: The value does not fit the bits.
        """
        bits = self.place.bits
        full = self._registers(bits.mask if bits else ALL_BITS)
        at = next(at for at, mask in enumerate(full) if mask)
        new = self._registers(self._raw(value))[at]
        return Change(register=self.place.span.start + at, kept=ALL_BITS & ~full[at], new=new)

    def _coil_request(self, on: bool) -> bytes:  # noqa: FBT001  # the state itself
        start = self.place.span.start
        return pdu.write_coil(start, on=on) if self.function is Function.WRITE_COIL else pdu.write_coils(start, [on])

    def _raw(self, value: float) -> float:
        raw = self.converter.to_wire(value)
        if isinstance(raw, str):
            raise self._refused(f"it takes numbers, and its state is called {raw!r}")
        return float(raw)

    def _registers(self, raw: float) -> list[int]:
        """Return the registers with the raw value in them, and zeros where it does not stand."""
        try:
            return BlockCodec([self.place.field(self.place.span.start)]).encode([raw], [0] * self.place.span.width)
        except (struct.error, ValueError, OverflowError) as error:
            raise self._refused(f"{raw:g} does not fit its {self.place.type}") from error

    def _refused(self, reason: str) -> DeviceRefusedError:
        return DeviceRefusedError(self.place.point.address, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a write changes of one register."""

    register: int
    kept: int
    """Bits that stay as they are."""
    new: int
    """The other ones."""

    def of(self, old: int) -> int:
        """Return the register that was ``old``."""
        return old & self.kept | self.new & ~self.kept


def write_targets(device: DeviceConfig, settings: DeviceSettings) -> dict[int, WriteTarget]:
    """Return where a device's writable points are written, by point key.

    Raises:
        ConfigurationError: Entries have mistakes; all are listed.
    """
    mistakes: list[Mistake] = []
    targets: dict[int, WriteTarget] = {}
    for point in device.points:
        if point.name in device.writes:
            try:
                entry = validated(WriteMapping, protocol_keys(device.writes[point.name]), f"{point.address} write")
                place = register_point(point, 0, _placed(device.mapping[point.name], entry), settings)
                targets[point.key] = WriteTarget(place=place, function=_function(place, entry.function))
            except ConfigurationError as error:
                mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return targets


def _placed(mapping: Mapping[str, Any], entry: WriteMapping) -> dict[str, Any]:
    """Return the mapping by which a point is written: as it is read, with what the entry says otherwise."""
    own = entry.model_dump(by_alias=True, exclude_unset=True, exclude={"function"})
    elsewhere = own.keys() & {"register", "bit", "bits", "type"}
    kept = {key: value for key, value in mapping.items() if not (elsewhere and key in {"bit", "bits"})}
    return kept | own


def _function(place: RegisterPoint, asked: int | None) -> Function:
    """Return by which function a place is written.

    Raises:
        ConfigurationError: Not by the one asked for, or by none.
    """
    reads, address = Function(place.span.function), place.point.address
    if reads not in WRITABLE or place.type is RegisterType.STRING:
        reason = "only coils and holding registers are written, and no text; remove 'write'"
        raise ConfigurationError([Mistake(address, 0, reason)])
    if place.bits is not None and sum(map(bool, _full_mask(place))) > 1:
        raise ConfigurationError([Mistake(address, 0, "bits to write must lie in one register; take some that do")])
    usual = _usual(place)
    fitting = {usual} if place.bits is not None else set(WRITABLE[reads]) - {Function.MASK_WRITE_REGISTER}
    if place.span.width > 1:
        fitting.discard(Function.WRITE_REGISTER)
    if asked is not None and asked not in fitting:
        known = " or ".join(str(int(each)) for each in sorted(fitting))
        reason = f"function {asked} does not write this {place.type}; write function: {known} or leave it out"
        raise ConfigurationError([Mistake(address, 0, reason)])
    return Function(asked) if asked is not None else usual


def _full_mask(place: RegisterPoint) -> list[int]:
    mask = place.bits.mask if place.bits else 0
    return BlockCodec([place.field(place.span.start)]).encode([mask], [0] * place.span.width)


def _usual(place: RegisterPoint) -> Function:
    if place.type is RegisterType.BOOL:
        return Function.WRITE_COIL
    if place.bits is not None:
        return Function.MASK_WRITE_REGISTER
    return Function.WRITE_REGISTER if place.span.width == 1 else Function.WRITE_REGISTERS
