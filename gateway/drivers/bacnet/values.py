"""From properties as the wire carries them to what a device says of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.drivers.bacnet.names import RELIABILITIES, ObjectId, state_name
from gateway.drivers.bacnet.services import Answer, PropertyRef, Refusal
from gateway.drivers.bacnet.tags import Enumerated

VALUE: Final = PropertyRef("present-value")
FLAGS: Final = PropertyRef("status-flags")
RELIABILITY: Final = PropertyRef("reliability")
WATCHED: Final = (VALUE, FLAGS, RELIABILITY)
"""What is read of every object."""

NO_FAULT: Final = "no-fault-detected"

_FAULT, _OVERRIDDEN, _OUT_OF_SERVICE = 1, 2, 3
"""Places in the status flags; the first is in-alarm, which the value itself says better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectValue:
    """What a device says of one object."""

    value: object = None
    """Number or name of the present value; ``None`` where there is none."""
    error: str = ""
    """Why there is no value; empty where there is one."""
    unknown: bool = False
    """The device does not have the object or the property at all."""
    fault: bool = False
    """Status flag ``fault``, or a reliability other than ``no-fault-detected``."""
    out_of_service: bool = False
    """Status flag ``out-of-service`` or ``overridden``: the value is a person's, not the field's."""
    reliability: str = NO_FAULT
    """Why it is faulty, by the standard's name; a device need not say."""


def object_value(object_id: ObjectId, found: Mapping[PropertyRef, Answer]) -> ObjectValue:
    """Return what properties say of their object; one that cannot be read never hides the others."""
    answer = found.get(VALUE, [])
    if isinstance(answer, Refusal):
        return ObjectValue(error=answer.reason, unknown=answer.is_unknown)
    value = _present_value(object_id, answer)
    reliability = _reliability(found.get(RELIABILITY))
    flags = _flags(found.get(FLAGS))
    return ObjectValue(
        value=value,
        error="" if value is not None else "no value that can be decoded",
        fault=flags[_FAULT] or reliability != NO_FAULT,
        out_of_service=flags[_OUT_OF_SERVICE] or flags[_OVERRIDDEN],
        reliability=reliability,
    )


def _present_value(object_id: ObjectId, answer: Answer) -> object:
    """Return the one value; a list, a text of bits or several values are none that a point could hold."""
    value = answer[0] if len(answer) == 1 else None
    if isinstance(value, Enumerated):
        return state_name(object_id[0], value)
    return value if isinstance(value, bool | int | float | str) else None


def _reliability(answer: Answer | None) -> str:
    value = answer[0] if answer and not isinstance(answer, Refusal) else None
    return RELIABILITIES.name(value) if isinstance(value, int) else NO_FAULT


def _flags(answer: Answer | None) -> tuple[bool, ...]:
    value = answer[0] if answer and not isinstance(answer, Refusal) else None
    return value if isinstance(value, tuple) and len(value) > _OUT_OF_SERVICE else (False,) * 4
