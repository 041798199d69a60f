"""What may be written to a BACnet object, and how a point's value becomes the object's own; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from facility.equipment import System
from facility.errors import DeviceRefusedError
from facility.model import Point
from gateway.conversion import PointConverter
from gateway.drivers.bacnet.names import ObjectId
from gateway.drivers.bacnet.peer import Datatype
from gateway.drivers.bacnet.tags import Value
from gateway.drivers.driver import DeviceConfig, PointWrite

HIGHEST_PRIORITY: Final = 8
"""Manual operator (clause 19.2 of ASHRAE 135); 1 to 7 belong to life safety and to the plant's own protection."""

LOWEST_PRIORITY: Final = 16

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

_WHOLE_WITHIN: Final = 1e-6
"""How far from a whole number scaling may leave a value that has to be one."""

_BINARY: Final = {"inactive": 0.0, "active": 1.0}


def written_mapping(device: DeviceConfig, point: Point) -> Mapping[str, Any]:
    """Return where and how a point is written: its mapping, with what the profile's ``write`` entry says instead.

    A ``write`` entry may name another ``object``: what is commanded at an output is often read back from an input.
    """
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


def raw_value(converter: PointConverter, object_id: ObjectId, value: float) -> float:
    """Return the object's present value for a point's value.

    Raises:
        DeviceRefusedError: No number or no state of the device stands for it.
    """
    place, datatype, word = converter.point.address, DATATYPES[object_id[0]], converter.to_wire(value)
    if isinstance(word, str):
        if datatype is not Datatype.ENUMERATED or word.casefold() not in _BINARY:
            raise DeviceRefusedError(place, f"the state {word!r} cannot be written to a {object_id[0]}")
        return _BINARY[word.casefold()]
    return _checked(place, datatype, float(word))


def stronger_holder(values: Sequence[Value], priority: int) -> tuple[int, Value] | None:
    """Return which priority before ours holds an object, and at what; ``None`` where a command would take effect.

    Args:
        values: The priority array, ``None`` where nobody commands.
        priority: Ours, counted from 1.
    """
    for number, value in enumerate(values[: priority - 1], start=1):
        if value is not None:
            return number, value
    return None


def _refusal(device: DeviceConfig, object_id: ObjectId, write: PointWrite) -> str:
    kind = object_id[0]
    if device.asset.equipment_class.system is System.FIRE or kind.startswith("life-safety"):
        return "fire and life-safety points are only read, never operated"
    if kind not in DATATYPES:
        return f"a present value of type {kind} cannot be written"
    if not HIGHEST_PRIORITY <= write.priority <= LOWEST_PRIORITY:
        return f"priority {write.priority} is not from {HIGHEST_PRIORITY} to {LOWEST_PRIORITY}"
    return ""


def _checked(place: str, datatype: Datatype, raw: float) -> float:
    """Return a number that the datatype can carry.

    Raises:
        DeviceRefusedError: It cannot.
    """
    if datatype in {Datatype.REAL, Datatype.DOUBLE}:
        return raw
    whole = round(raw)
    if abs(raw - whole) > _WHOLE_WITHIN or (whole < 0 and datatype is not Datatype.INTEGER):
        raise DeviceRefusedError(place, f"{raw:g} is no {datatype} number")
    return float(whole)
