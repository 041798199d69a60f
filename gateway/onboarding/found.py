"""What discovery or a given file says of a device, in words that no protocol owns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from facility.model import Protocol


class Shape(StrEnum):
    """What the values of a found point look like."""

    QUANTITY = "quantity"
    """A number in a unit."""
    CONTACT = "contact"
    """One of two values."""
    STATES = "states"
    """One of several, by number or name."""
    LIFE_SAFETY = "life-safety"
    """The standard's states of a fire device, by name."""
    OTHER = "other"
    """Nothing that a point can hold, such as a schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPoint:
    """One object, register or value in a payload."""

    name: str
    """As the source writes it; with :attr:`group` it says what it measures of which device."""
    entry: Mapping[str, Any]
    """What a profile would say of it: its place on the wire, and scale and offset where the source knows them."""
    origin: str
    """Where it stands for a person: ``analog-input,101``, ``line 12``, ``plant/pump-1/state flow``."""
    shape: Shape | None = None
    """``None``: the source does not say."""
    group: str = ""
    """The device it belongs to, where the source says so; empty: its name tells."""
    description: str = ""
    unit: str = ""
    """In pint's spelling; empty where there is none or nobody knows it."""
    unit_said: str = ""
    """As the source writes it."""
    states: Mapping[Any, str] = field(default_factory=dict)
    """Value on the wire to what the source calls it; of a contact the one at rest first."""
    address: Mapping[str, Any] = field(default_factory=dict)
    """What its asset says under ``address``, where the source's own structure tells it: ``unit``, ``root``."""
    hint: str = ""
    """The class that this kind of object stands for, whatever it is called; empty for most kinds."""

    def __str__(self) -> str:
        """Return one line for a person."""
        unit = f" [{self.unit or self.unit_said}]" if self.unit or self.unit_said else ""
        description = f": {self.description}" if self.description and self.description != self.name else ""
        return f"{self.origin} {self.name!r}{unit}{description}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConnection:
    """One broker, line or BACnet device, and everything found behind it."""

    id: str
    protocol: Protocol
    host: str
    """Address, or a reference to the environment where the source does not know it."""
    port: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    """What the source calls the device; names the assets where nothing else does."""
    points: tuple[FoundPoint, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What profiles made for it say under ``settings``."""
    notes: tuple[str, ...] = ()
    """What a person should know of it, for the draft's comments."""
