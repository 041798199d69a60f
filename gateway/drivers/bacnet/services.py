"""BACnet services: parameters to octets and back (clauses 13 to 16 of ASHRAE 135); pure functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.drivers.bacnet import tags
from gateway.drivers.bacnet.names import ERROR_CODES, PROPERTIES, ObjectId, object_number, object_of
from gateway.drivers.bacnet.tags import Kind, MalformedError, Mark, Reader, Value, context


class Confirmed(IntEnum):
    """Services that are answered."""

    ACKNOWLEDGE_ALARM = 0
    COV_NOTIFICATION = 1
    EVENT_NOTIFICATION = 2
    SUBSCRIBE_COV = 5
    READ_PROPERTY = 12
    READ_PROPERTY_MULTIPLE = 14
    WRITE_PROPERTY = 15


class Unconfirmed(IntEnum):
    """Services that are not."""

    I_AM = 0
    COV_NOTIFICATION = 2
    EVENT_NOTIFICATION = 3
    TIME_SYNCHRONIZATION = 6
    WHO_IS = 8
    UTC_TIME_SYNCHRONIZATION = 9


class Refusal(NamedTuple):
    """What a device says in place of a property's value."""

    reason: str
    """Error code by its name, such as ``unknown-object``."""

    @property
    def is_unknown(self) -> bool:
        """Return whether there is no such thing, rather than no value now."""
        return self.reason.startswith("unknown")


class PropertyRef(NamedTuple):
    """A property, or one element of it."""

    name: str
    element: int | None = None
    """Counted from 1. ``None``: the whole; 0: how many elements it has."""


Answer = list[Value] | Refusal
"""The values of a property in their order, or why there are none."""


class IAm(NamedTuple):
    """How a device introduces itself."""

    instance: int
    max_apdu: int
    segmentation: int
    """0 both ways, 1 sends segments, 2 receives them, 3 neither."""
    vendor: int


class CovNotification(NamedTuple):
    """A change that a device reports."""

    process: int
    device: int
    object_id: ObjectId
    lifetime_s: int
    """Seconds until the subscription ends."""
    found: Mapping[str, Answer]


class EventNotification(NamedTuple):
    """An intrinsic or algorithmic event that a device reports."""

    process: int
    device: int
    object_id: ObjectId
    timestamp: bytes
    """As it came, to be given back in an acknowledgement."""
    ack_required: bool
    to_state: int | None
    """``None`` in the notification that somebody acknowledged."""
    text: str


def read_property(object_id: ObjectId, ref: PropertyRef) -> bytes:
    """Return the parameters of ReadProperty."""
    return _object(0, object_id) + _property(1, ref)


def read_multiple(objects: Iterable[ObjectId], refs: Sequence[PropertyRef]) -> bytes:
    """Return the parameters of ReadPropertyMultiple: the same properties of each object."""
    wanted = tags.opening(1) + b"".join(_property(0, ref) for ref in refs) + tags.closing(1)
    return b"".join(_object(0, object_id) + wanted for object_id in objects)


def write_property(object_id: ObjectId, ref: PropertyRef, value: bytes, priority: int) -> bytes:
    """Return the parameters of WriteProperty; ``value`` is tagged already."""
    wrapped = tags.opening(3) + value + tags.closing(3)
    return read_property(object_id, ref) + wrapped + context(4, tags.unsigned(priority))


def subscribe_cov(process: int, object_id: ObjectId, *, confirmed: bool, lifetime_s: int) -> bytes:
    """Return the parameters of SubscribeCOV."""
    return (
        context(0, tags.unsigned(process))
        + _object(1, object_id)
        + context(2, bytes([confirmed]))
        + context(3, tags.unsigned(lifetime_s))
    )


def acknowledge_alarm(process: int, event: EventNotification, source: str, now: dt.datetime) -> bytes:
    """Return the parameters of AcknowledgeAlarm for an event that was reported.

    Raises:
        MalformedError: The event names no state to acknowledge.
    """
    if event.to_state is None:
        raise MalformedError("an acknowledgement cannot be acknowledged")
    moment = tags.opening(2) + date_and_time(now) + tags.closing(2)
    return (
        context(0, tags.unsigned(process))
        + _object(1, event.object_id)
        + context(2, tags.unsigned(event.to_state))
        + tags.opening(3)
        + event.timestamp
        + tags.closing(3)
        + context(4, tags.text(source))
        + tags.opening(5)
        + moment
        + tags.closing(5)
    )


def who_is(low: int | None = None, high: int | None = None) -> bytes:
    """Return the parameters of Who-Is: instances from ``low`` to ``high``, or all."""
    if low is None or high is None:
        return b""
    return context(0, tags.unsigned(low)) + context(1, tags.unsigned(high))


def read_who_is(data: bytes) -> tuple[int, int] | None:
    """Return the instances that somebody looks for; ``None`` for all."""
    if not data:
        return None
    reader = Reader(data)
    return tags.unsigned_of(reader.context(0)), tags.unsigned_of(reader.context(1))


def i_am(mine: IAm) -> bytes:
    """Return the parameters of I-Am."""
    return (
        tags.application(Kind.OBJECT, tags.object_octets(object_number(("device", mine.instance))))
        + tags.application(Kind.UNSIGNED, tags.unsigned(mine.max_apdu))
        + tags.application(Kind.ENUMERATED, tags.unsigned(mine.segmentation))
        + tags.application(Kind.UNSIGNED, tags.unsigned(mine.vendor))
    )


def read_i_am(data: bytes) -> IAm:
    """Return how a device introduced itself."""
    reader = Reader(data)
    number, *rest = (reader.application() for _ in range(4))
    if not isinstance(number, tags.ObjectNumber) or not all(isinstance(each, int) for each in rest):
        raise MalformedError("an I-Am without its parameters")
    max_apdu, segmentation, vendor = (each for each in rest if isinstance(each, int))
    return IAm(object_of(number)[1], max_apdu, segmentation, vendor)


def date_and_time(moment: dt.datetime) -> bytes:
    """Return a date and a time as both time services and timestamps want them."""
    return tags.application(
        Kind.DATE, bytes([moment.year - _FIRST_YEAR, moment.month, moment.day, moment.isoweekday()])
    ) + tags.application(
        Kind.TIME, bytes([moment.hour, moment.minute, moment.second, moment.microsecond // _CENTISECOND_US])
    )


_FIRST_YEAR: Final = 1900
_CENTISECOND_US: Final = 10_000


def read_ack(data: bytes) -> list[Value]:
    """Return what a ReadProperty found."""
    reader = Reader(data)
    reader.context(0)
    reader.context(1)
    reader.optional(2)
    return reader.inside(3)


def read_multiple_ack(data: bytes) -> dict[ObjectId, dict[PropertyRef, Answer]]:
    """Return what a ReadPropertyMultiple found; what the device refused stands there as such."""
    reader = Reader(data)
    found: dict[ObjectId, dict[PropertyRef, Answer]] = {}
    while not reader.is_done:
        of_object = found.setdefault(object_of(tags.unsigned_of(reader.context(0))), {})
        reader.expect(Mark.OPENING, 1)
        while not reader.comes(Mark.CLOSING, 1):
            name = PROPERTIES.name(tags.unsigned_of(reader.context(2)))
            element = reader.optional(3)
            ref = PropertyRef(name, None if element is None else tags.unsigned_of(element))
            if reader.comes(Mark.OPENING, 4):
                of_object[ref] = reader.inside(4)
            else:
                of_object[ref] = _refusal(reader.inside(5))
        reader.expect(Mark.CLOSING, 1)
    return found


def read_error(data: bytes) -> Refusal:
    """Return why a request was refused."""
    reader = Reader(data)
    return _refusal([reader.application(), reader.application()])


def read_cov(data: bytes) -> CovNotification:
    """Return a reported change."""
    reader = Reader(data)
    process, device, number, lifetime_s = (tags.unsigned_of(reader.context(place)) for place in range(4))
    reader.expect(Mark.OPENING, 4)
    found: dict[str, Answer] = {}
    while not reader.comes(Mark.CLOSING, 4):
        name = PROPERTIES.name(tags.unsigned_of(reader.context(0)))
        reader.optional(1)
        found[name] = reader.inside(2)
        reader.optional(3)
    return CovNotification(process, object_of(device)[1], object_of(number), lifetime_s, found)


def read_event(data: bytes) -> EventNotification:
    """Return a reported event; its values are left out, since the object itself is asked for them."""
    reader = Reader(data)
    process, device, number = (tags.unsigned_of(reader.context(place)) for place in range(3))
    timestamp = reader.raw_inside(3)
    for place in (4, 5, 6):  # notification class, priority, event type
        reader.context(place)
    text = reader.optional(7)
    reader.context(8)  # notify type
    ack_required = reader.optional(9)
    reader.optional(10)  # from-state
    to_state = reader.optional(11)
    return EventNotification(
        process,
        object_of(device)[1],
        object_of(number),
        timestamp,
        ack_required=bool(ack_required and ack_required[0]),
        to_state=None if to_state is None else tags.unsigned_of(to_state),
        text=tags.text_of(text) if text else "",
    )


def _object(number: int, object_id: ObjectId) -> bytes:
    return context(number, tags.object_octets(object_number(object_id)))


def _property(number: int, ref: PropertyRef) -> bytes:
    name = context(number, tags.unsigned(PROPERTIES.number(ref.name)))
    return name if ref.element is None else name + context(number + 1, tags.unsigned(ref.element))


def _refusal(values: Sequence[Value]) -> Refusal:
    """Return an error from its class and code."""
    code = values[1] if len(values) > 1 else None
    if not isinstance(code, int):
        raise MalformedError("an error without its code")
    return Refusal(ERROR_CODES.name(code))
