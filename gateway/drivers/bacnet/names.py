"""Numbers of the standard and their names, such as 3 and ``"analog-input"``; a maker's own numbers stay numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bacpypes3.apdu import AbortReason, RejectReason
from bacpypes3.basetypes import (
    BinaryLightingPV,
    BinaryPV,
    DoorValue,
    EngineeringUnits,
    ErrorCode,
    EventState,
    LifeSafetyState,
    PropertyIdentifier,
    Reliability,
    Segmentation,
)
from bacpypes3.primitivedata import ObjectType

ObjectId = tuple[str, int]
"""Type and instance, such as ``("analog-input", 101)``."""

MAX_INSTANCE: Final = 4_194_303
"""The largest instance; of a device it stands for whichever device is asked."""

_TYPE_BITS: Final = 22
_MAX_TYPE: Final = 1023


class Vocabulary:
    """One enumeration of the standard."""

    def __init__(self, enumeration: Any) -> None:  # noqa: ANN401  # bacpypes3 is untyped
        self._names: Mapping[int, str] = dict(enumeration._asn1_map)  # noqa: SLF001  # its table, read once
        self._numbers: Mapping[str, int] = dict(enumeration._enum_map)  # noqa: SLF001  # both spellings

    def name(self, number: int) -> str:
        """Return the standard's name of a number, or the number as text."""
        return self._names.get(number) or str(number)

    def number(self, name: str) -> int:
        """Return the number of a name, or of a number as text.

        Raises:
            ValueError: The standard has no such name.
        """
        found = self._numbers.get(name)
        return int(name) if found is None else found


OBJECT_TYPES: Final = Vocabulary(ObjectType)
PROPERTIES: Final = Vocabulary(PropertyIdentifier)
RELIABILITIES: Final = Vocabulary(Reliability)
ERROR_CODES: Final = Vocabulary(ErrorCode)
ABORT_REASONS: Final = Vocabulary(AbortReason)
REJECT_REASONS: Final = Vocabulary(RejectReason)
EVENT_STATES: Final = Vocabulary(EventState)
SEGMENTATIONS: Final = Vocabulary(Segmentation)
UNITS: Final = Vocabulary(EngineeringUnits)

_BINARY: Final = Vocabulary(BinaryPV)
_LIFE_SAFETY: Final = Vocabulary(LifeSafetyState)
_STATES: Final[Mapping[str, Vocabulary]] = {
    "binary-input": _BINARY,
    "binary-output": _BINARY,
    "binary-value": _BINARY,
    "binary-lighting-output": Vocabulary(BinaryLightingPV),
    "life-safety-point": _LIFE_SAFETY,
    "life-safety-zone": _LIFE_SAFETY,
    "access-door": Vocabulary(DoorValue),
}
"""What the enumerated present values of each object type are called."""


def state_name(object_type: str, number: int) -> str:
    """Return what an enumerated present value is called; the number as text where the standard does not say."""
    states = _STATES.get(object_type)
    return states.name(number) if states else str(number)


def enumerated_name(object_type: str, name: str, number: int) -> str:
    """Return what an enumerated value of any property is called; the number as text where this module does not know."""
    if name == "present-value":
        return state_name(object_type, number)
    vocabulary = _OF_PROPERTY.get(name)
    return vocabulary.name(number) if vocabulary else str(number)


_OF_PROPERTY: Final[Mapping[str, Vocabulary]] = {
    "units": UNITS,
    "reliability": RELIABILITIES,
    "event-state": EVENT_STATES,
    "segmentation-supported": SEGMENTATIONS,
    "object-type": OBJECT_TYPES,
}


def parse_object(text: str) -> ObjectId:
    """Return type and instance of ``"analog-input,101"``.

    Raises:
        ValueError: It is no object identifier.
    """
    kind, separator, instance = text.partition(",")
    number = OBJECT_TYPES.number(kind.strip())
    if not separator or not 0 <= number <= _MAX_TYPE or not 0 <= int(instance) <= MAX_INSTANCE:
        raise ValueError(f"{text!r} is no object; write a type and an instance such as analog-input,101")
    return OBJECT_TYPES.name(number), int(instance)


def object_number(object_id: ObjectId) -> int:
    """Return an object identifier as the wire carries it: ten bits of type, 22 of instance."""
    return OBJECT_TYPES.number(object_id[0]) << _TYPE_BITS | object_id[1]


def object_of(number: int) -> ObjectId:
    """Return an object identifier that the wire carried."""
    return OBJECT_TYPES.name(number >> _TYPE_BITS), number & MAX_INSTANCE
