"""What may be written to a BACnet object, and how a point's value becomes the object's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from facility.equipment import System
from facility.errors import DeviceRefusedError
from facility.model import Point
from gateway.conversion import PointConverter
from gateway.drivers.bacnet.stack import ObjectId
from gateway.drivers.driver import DeviceConfig, PointWrite

HIGHEST_PRIORITY: Final = 8
"""Manual operator (clause 19.2 of ASHRAE 135); 1 to 7 belong to life safety and to the plant's own protection."""

LOWEST_PRIORITY: Final = 16


class Datatype(StrEnum):
    """Type of a present value that can be written."""

    REAL = "real"
    DOUBLE = "double"
    UNSIGNED = "unsigned"
    INTEGER = "integer"
    ENUMERATED = "enumerated"


DATATYPES: Final[Mapping[str, Datatype]] = {
    "analog-input": Datatype.REAL,
    "analog-output": Datatype.REAL,
    "analog-value": Datatype.REAL,
    "large-analog-value": Datatype.DOUBLE,
    "integer-value": Datatype.INTEGER,
    "positive-integer-value": Datatype.UNSIGNED,
    "binary-input": Datatype.ENUMERATED,
    "binary-output": Datatype.ENUMERATED,
    "binary-value": Datatype.ENUMERATED,
    "multi-state-input": Datatype.UNSIGNED,
    "multi-state-output": Datatype.UNSIGNED,
    "multi-state-value": Datatype.UNSIGNED,
}
"""Object types that may be written, with the type of their present value; inputs take one while they are out of
service. Life-safety objects are absent on purpose: nobody operates a fire panel from here."""

WHOLE_WITHIN: Final = 1e-6
"""How far from a whole number scaling may leave a value that has to be one."""

BINARY: Final = {"inactive": 0.0, "active": 1.0}


def written_mapping(device: DeviceConfig, point: Point) -> Mapping[str, Any]:
    """Return where and how a point is written: its mapping, with what the profile's ``write`` entry says instead."""
    return {**device.mapping[point.name], **device.writes.get(point.name, {})}


def check_writable(device: DeviceConfig, object_id: ObjectId, write: PointWrite) -> None:
    """Refuse what this driver never writes, whoever allowed it.

    Raises:
        DeviceRefusedError: It is a fire or life-safety point, a type without a writable value, or a priority that
            belongs to the plant's own protection.
    """
    reason = _refusal(device, object_id, write)
    if reason:
        raise DeviceRefusedError(write.point.address, reason)


def raw_value(converter: PointConverter, mapping: Mapping[str, Any], object_id: ObjectId, value: float) -> float:
    """Return the object's present value for a point's value: the conversion of the mapping, backwards.

    Raises:
        DeviceRefusedError: No number or no state of the device stands for it.
    """
    point = converter.point
    if converter.is_numeric:
        raw = (value - converter.offset) / converter.scale
        return _checked(point.address, DATATYPES[object_id[0]], raw)
    wires = mapping.get("states") or point.definition.states
    for wire in wires:
        if converter.convert(wire)[0] == value:
            return _checked(point.address, DATATYPES[object_id[0]], _state_number(wire, value))
    raise DeviceRefusedError(point.address, f"no state of the device stands for {value:g}")


def _refusal(device: DeviceConfig, object_id: ObjectId, write: PointWrite) -> str:
    kind = object_id[0]
    if device.asset.equipment_class.system is System.FIRE or kind.startswith("life-safety"):
        return "fire and life-safety points are only read, never operated"
    if kind not in DATATYPES:
        return f"a present value of type {kind} cannot be written"
    if not HIGHEST_PRIORITY <= write.priority <= LOWEST_PRIORITY:
        return f"priority {write.priority} is not from {HIGHEST_PRIORITY} to {LOWEST_PRIORITY}"
    return ""


def _state_number(wire: object, value: float) -> float:
    """Return the number of a state as the mapping names it; ``active`` and ``inactive`` are the standard's own."""
    try:
        return float(str(wire))
    except ValueError:
        return BINARY.get(str(wire).casefold(), value)


def _checked(place: str, datatype: Datatype, raw: float) -> float:
    """Return a number that the datatype can carry.

    Raises:
        DeviceRefusedError: It cannot.
    """
    if not math.isfinite(raw):
        raise DeviceRefusedError(place, f"{raw} is no number to write")
    if datatype in {Datatype.REAL, Datatype.DOUBLE}:
        return raw
    whole = round(raw)
    if abs(raw - whole) > WHOLE_WITHIN or (whole < 0 and datatype is not Datatype.INTEGER):
        raise DeviceRefusedError(place, f"{raw:g} is no {datatype} number")
    return float(whole)
