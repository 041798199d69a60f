"""What a Modbus profile and connection may say, and where each point of a device stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facility.errors import ConfigurationError, Mistake
from facility.modbus_options import ModbusOptions
from facility.model import Connection, Point
from gateway.bits import BIT_KEYS, BitField
from gateway.conversion import CONVERSION_KEYS, PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.modbus import codec
from gateway.drivers.modbus.codec import ByteOrder, RegisterType
from gateway.drivers.modbus.pdu import BIT_FUNCTIONS
from gateway.drivers.modbus.plan import MAX_GAP, MAX_REGISTERS, Span

ADDRESSES: Final = 1 << 16
"""Registers, and bits, that a device can have of each kind."""


class Settings(BaseModel):
    """Base of what a profile says."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceSettings(Settings):
    """A profile's ``settings``."""

    unit: int = Field(ge=0, le=255)
    """Modbus unit (slave) number."""
    poll_s: float = Field(default=1.0, gt=0.0)
    """Facility seconds between two readings."""
    function: Literal[1, 2, 3, 4] = 3
    """1: coils, 2: discrete inputs, 3: holding registers, 4: input registers."""
    word_order: ByteOrder = ByteOrder.ABCD
    """``ABCD``, ``CDAB``, ``BADC`` or ``DCBA``; ``big`` and ``little`` are the first two."""
    max_gap: int | None = Field(default=None, ge=0)
    """Unread registers in a row that a request may span; ``None``: the usual number."""
    strict: bool = False
    """The device refuses to read any register that it does not have: requests span no gap."""
    max_registers: int = Field(default=MAX_REGISTERS, ge=1, le=125)
    """Registers that the device gives in one answer."""
    pause_ms: float = Field(default=0.0, ge=0.0, le=60_000.0)
    """Wall milliseconds of silence that the device needs between its answer and the next request to it."""

    @model_validator(mode="after")
    def _gap_is_said_once(self) -> Self:
        if self.strict and self.max_gap:
            raise ValueError("'strict' is a 'max_gap' of 0; remove one of the two")
        return self

    @property
    def gap(self) -> int:
        """Return how many unread registers in a row a request may span."""
        return 0 if self.strict else MAX_GAP if self.max_gap is None else self.max_gap


class RegisterMapping(Settings):
    """A point's entry in a profile, apart from the keys of :mod:`gateway.conversion` and the bits."""

    register_: int = Field(alias="register", ge=0, lt=ADDRESSES)
    """Address as it goes over the wire, counted from 0; of a coil or discrete input, its own."""
    type: RegisterType | None = None
    """``None``: uint16, or bool where single bits are read."""
    length: int = Field(default=0, ge=0, le=125)
    """Registers of a string."""
    function: Literal[1, 2, 3, 4] | None = None
    """``None``: the device's own."""
    word_order: ByteOrder | None = None
    """``None``: the device's own."""
    poll_s: float | None = Field(default=None, gt=0.0)
    """Facility seconds between two readings of this point; ``None``: the device's own."""

    @model_validator(mode="after")
    def _string_has_a_length(self) -> Self:
        if (self.type is RegisterType.STRING) != bool(self.length):
            raise ValueError("a string wants its registers, and nothing else does: write 'type: string, length: 8'")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPoint:
    """One point of a device: where it stands and how it reads."""

    point: Point
    converter: PointConverter
    span: Span
    type: RegisterType
    order: ByteOrder
    length: int
    poll_s: float

    @property
    def bits(self) -> BitField | None:
        """Return the bits that count; ``None``: the number itself."""
        return self.converter.bits

    def field(self, block_start: int) -> codec.Field:
        """Return the point's place within a block."""
        at = self.span.start - block_start
        return codec.Field(at=at, type=self.type, order=self.order, bits=self.bits, length=self.length)


def line_options(connection: Connection) -> ModbusOptions:
    """Read a connection's options.

    Raises:
        ConfigurationError: They have mistakes, or name files that do not exist; all are listed.
    """
    options = validated(ModbusOptions, connection.options, connection.id)
    files = {name: getattr(options, name) for name in ("ca_file", "certificate_file", "key_file")}
    missing = [name for name, path in files.items() if path and not Path(path).is_file()]
    if missing:
        raise ConfigurationError(
            [Mistake(connection.id, 0, f"{name}: there is no file {files[name]}; put it there") for name in missing]
        )
    return options


def device_settings(device: DeviceConfig) -> DeviceSettings:
    """Read a device's settings.

    Raises:
        ConfigurationError: They have mistakes; all are listed.
    """
    return validated(DeviceSettings, device.settings, device.asset.id)


def register_points(device: DeviceConfig, settings: DeviceSettings) -> list[RegisterPoint]:
    """Return where a device's points stand, in their order.

    Raises:
        ConfigurationError: Entries have mistakes; all are listed.
    """
    mistakes: list[Mistake] = []
    points: list[RegisterPoint] = []
    for column, point in enumerate(device.points):
        try:
            points.append(register_point(point, column, device.mapping[point.name], settings))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return points


def register_point(point: Point, column: int, mapping: Mapping[str, Any], settings: DeviceSettings) -> RegisterPoint:
    """Return where one point stands, by its mapping.

    Raises:
        ConfigurationError: The mapping has mistakes; all are listed.
    """
    place = {key: value for key, value in mapping.items() if key not in CONVERSION_KEYS | BIT_KEYS}
    entry = validated(RegisterMapping, place, point.address)
    function = entry.function or settings.function
    kind = entry.type or (RegisterType.BOOL if function in BIT_FUNCTIONS else RegisterType.UINT16)
    converter = PointConverter(point, mapping)
    wrong = _wrong_place(entry.register_, function, kind, entry.length, converter.bits)
    if wrong:
        raise ConfigurationError([Mistake(point.address, 0, wrong)])
    return RegisterPoint(
        point=point,
        converter=converter,
        span=Span(function=function, start=entry.register_, width=codec.width(kind, entry.length), column=column),
        type=kind,
        order=entry.word_order or settings.word_order,
        length=entry.length,
        poll_s=entry.poll_s or settings.poll_s,
    )


def _wrong_place(start: int, function: int, kind: RegisterType, length: int, bits: BitField | None) -> str:
    """Return what keeps a place from being read; empty if nothing does."""
    width = codec.width(kind, length)
    size = 16 * width if kind in codec.UNSIGNED else 0
    if (function in BIT_FUNCTIONS) != (kind is RegisterType.BOOL):
        return f"function {function} does not read a {kind}; functions 1 and 2 read bool, 3 and 4 all other types"
    if bits is not None and bits.high >= size:
        return f"{kind} has no bit {bits.high}; take one below 16 of a uint16, 32 of a uint32 or 64 of a uint64"
    if start + width > ADDRESSES:
        return f"a {kind} at {start} reaches beyond the last register, {ADDRESSES - 1}"
    return ""


_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], data: Mapping[str, Any], owner: str) -> _Model:
    """Return the model that data makes.

    Raises:
        ConfigurationError: It has mistakes; all are listed under the owner's name.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigurationError(list(_mistakes(error, owner))) from error


def _mistakes(error: ValidationError, owner: str) -> Iterator[Mistake]:
    for detail in error.errors():
        where = ".".join(map(str, detail["loc"]))
        message = detail["msg"].removeprefix("Value error, ")
        yield Mistake(owner, 0, f"{where}: {message}" if where else message)
