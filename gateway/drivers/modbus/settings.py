"""What a Modbus profile and connection may say, and where each point of a device stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facility.errors import ConfigurationError, Mistake
from facility.model import Connection, Point
from gateway.conversion import CONVERSION_KEYS, PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.modbus import codec
from gateway.drivers.modbus.codec import RegisterType, WordOrder
from gateway.drivers.modbus.plan import MAX_GAP, MAX_REGISTERS, Span


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LineOptions(_Settings):
    """A connection's ``options``."""

    timeout_s: float = Field(default=1.0, gt=0.0)
    """Wall seconds to wait for a connection or an answer."""


class DeviceSettings(_Settings):
    """A profile's ``settings``."""

    unit: int = Field(ge=0, le=255)
    """Modbus unit (slave) number."""
    poll_s: float = Field(default=1.0, gt=0.0)
    """Facility seconds between two readings."""
    function: Literal[3, 4] = 3
    """3: holding registers, 4: input registers."""
    word_order: WordOrder = WordOrder.BIG
    max_gap: int = Field(default=MAX_GAP, ge=0)
    """Unread registers that a request may span; 0 for a device that refuses to read any it does not have."""
    max_registers: int = Field(default=MAX_REGISTERS, ge=1, le=125)
    """Registers that the device gives in one answer."""


class RegisterMapping(_Settings):
    """A point's entry in a profile, apart from the keys of :mod:`gateway.conversion`."""

    register_: int = Field(alias="register", ge=0, le=65535)
    """Address as it goes over the wire, counted from 0."""
    type: RegisterType = RegisterType.UINT16
    bit: int | None = Field(default=None, ge=0, le=31)
    """The one bit that counts, 0 the least significant; ``None``: the number itself."""
    function: Literal[3, 4] | None = None
    """``None``: the device's own."""
    word_order: WordOrder | None = None
    """``None``: the device's own."""

    @model_validator(mode="after")
    def _bits_exist(self) -> RegisterMapping:
        bits = {RegisterType.UINT16: 16, RegisterType.UINT32: 32}.get(self.type, 0)
        if self.bit is not None and self.bit >= bits:
            raise ValueError(
                f"{self.type} has no bit {self.bit}; take one below 16 of a uint16 or below 32 of a uint32"
            )
        if self.register_ + codec.width(self.type) > 1 << 16:
            raise ValueError(f"a {self.type} at {self.register_} reaches beyond the last register, 65535")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPoint:
    """One point of a device: where it stands and how it reads."""

    point: Point
    converter: PointConverter
    span: Span
    type: RegisterType
    word_order: WordOrder
    bit: int | None

    def field(self, block_start: int) -> codec.Field:
        """Return the point's place within a block."""
        at = self.span.start - block_start
        return codec.Field(at=at, type=self.type, word_order=self.word_order, bit=self.bit)


def line_options(connection: Connection) -> LineOptions:
    """Read a connection's options.

    Raises:
        ConfigurationError: They have mistakes; all are listed.
    """
    return _validated(LineOptions, connection.options, connection.id)


def device_settings(device: DeviceConfig) -> DeviceSettings:
    """Read a device's settings.

    Raises:
        ConfigurationError: They have mistakes; all are listed.
    """
    return _validated(DeviceSettings, device.settings, device.asset.id)


def register_points(device: DeviceConfig, settings: DeviceSettings) -> list[RegisterPoint]:
    """Return where a device's points stand, in their order.

    Raises:
        ConfigurationError: Entries have mistakes; all are listed.
    """
    mistakes: list[Mistake] = []
    points: list[RegisterPoint] = []
    for column, point in enumerate(device.points):
        try:
            points.append(_register_point(point, column, device.mapping[point.name], settings))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    return points


def _register_point(point: Point, column: int, mapping: Mapping[str, Any], settings: DeviceSettings) -> RegisterPoint:
    place = {key: value for key, value in mapping.items() if key not in CONVERSION_KEYS}
    entry = _validated(RegisterMapping, place, point.address)
    return RegisterPoint(
        point=point,
        converter=PointConverter(point, mapping),
        span=Span(
            function=entry.function or settings.function,
            start=entry.register_,
            width=codec.width(entry.type),
            column=column,
        ),
        type=entry.type,
        word_order=entry.word_order or settings.word_order,
        bit=entry.bit,
    )


_Model = TypeVar("_Model", bound=_Settings)


def _validated(model: type[_Model], data: Mapping[str, Any], owner: str) -> _Model:
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigurationError(list(_mistakes(error, owner))) from error


def _mistakes(error: ValidationError, owner: str) -> Iterator[Mistake]:
    for detail in error.errors():
        where = ".".join(map(str, detail["loc"]))
        message = detail["msg"].removeprefix("Value error, ")
        yield Mistake(owner, 0, f"{where}: {message}" if where else message)
