"""One remote device and the services that it is asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import struct
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from gateway.drivers.bacnet import services, tags
from gateway.drivers.bacnet.frames import MAX_APDU, Address
from gateway.drivers.bacnet.names import ObjectId, object_of
from gateway.drivers.bacnet.services import Answer, Confirmed, EventNotification, PropertyRef, Refusal, Unconfirmed
from gateway.drivers.bacnet.station import NoAnswerError, RefusedError, Station
from gateway.drivers.bacnet.tags import Kind, MalformedError, ObjectNumber, Value
from gateway.drivers.bacnet.values import VALUE

T = TypeVar("T")

MAX_IN_FLIGHT: Final = 4
"""Requests to one device at once, at most; small devices take one."""

MOST_OBJECTS: Final = 100_000
"""An object list that claims more is not believed."""

PROCESS_ID: Final = 1
"""Our subscriber process; a subscription is known by our address, this and the object, so renewing never doubles it."""


class Datatype(StrEnum):
    """Type of a present value that can be written."""

    REAL = "real"
    DOUBLE = "double"
    UNSIGNED = "unsigned"
    INTEGER = "integer"
    ENUMERATED = "enumerated"


class RequestWatch(Protocol):
    """Counts what happens to requests, by the objects that they are about."""

    def answered(self, objects: Sequence[ObjectId], seconds: float) -> None:
        """An answer came after so many wall seconds."""
        ...

    def silent(self, objects: Sequence[ObjectId]) -> None:
        """None came."""
        ...

    def refused(self, objects: Sequence[ObjectId]) -> None:
        """The answer, or one object's part in it, says no."""
        ...


class Peer:
    """One device behind a station of ours; every request ends in an answer or one of the station's errors."""

    def __init__(
        self,
        station: Station,
        address: Address,
        *,
        timeout_s: float,
        in_flight: int = MAX_IN_FLIGHT,
        max_apdu: int = MAX_APDU,
        watch: RequestWatch | None = None,
    ) -> None:
        self.address = address
        self.in_flight = in_flight
        """Requests that the device is given at once."""
        self.max_apdu = max_apdu
        """Octets of the largest request that the device takes."""
        self._station = station
        self._watch = watch
        self._timeout_s = timeout_s
        # A request that waits its turn for the one gate never stands before an urgent one at the other.
        self._turns = asyncio.Semaphore(in_flight)
        self._slots = asyncio.Semaphore(in_flight)

    async def read_many(
        self, objects: Sequence[ObjectId], refs: Sequence[PropertyRef]
    ) -> dict[ObjectId, dict[PropertyRef, Answer]]:
        """Read the same properties of several objects with one ReadPropertyMultiple.

        What the device refuses, such as an unknown object, stands in the answer as :class:`Refusal`.

        Raises:
            NoAnswerError: Nothing came back.
            TooLargeError: The answer does not fit the device; ask for fewer.
            UnknownServiceError: The device has no ReadPropertyMultiple.
            RefusedError: It refused the whole request.
        """
        data = services.read_multiple(objects, refs)
        return _decoded(
            services.read_multiple_ack, await self._request(Confirmed.READ_PROPERTY_MULTIPLE, objects, data)
        )

    async def read_property(self, object_id: ObjectId, ref: PropertyRef, *, urgent: bool = False) -> list[Value]:
        """Read one property, ahead of all waiting polls if it is urgent.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The device has no such property, or no value of it.
        """
        data = services.read_property(object_id, ref)
        return _decoded(
            services.read_ack, await self._request(Confirmed.READ_PROPERTY, [object_id], data, urgent=urgent)
        )

    async def read_one(
        self, object_id: ObjectId, refs: Sequence[PropertyRef], *, urgent: bool = False
    ) -> dict[PropertyRef, Answer]:
        """Read properties of one object one by one, for devices without ReadPropertyMultiple.

        Raises:
            NoAnswerError: Nothing came back.
        """
        found: dict[PropertyRef, Answer] = {}
        for ref in refs:
            try:
                found[ref] = await self.read_property(object_id, ref, urgent=urgent)
            except RefusedError as error:
                found[ref] = Refusal(str(error))
                if ref == VALUE:
                    break  # an object without a value has nothing else to say
        return found

    async def object_list(self, instance: int) -> list[ObjectId]:
        """Return the objects of the device: in one answer where it fits, else one by one by their index.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The device does not tell.
        """
        device, ref = ("device", instance), PropertyRef("object-list")
        try:
            values = await self.read_property(device, ref)
        except NoAnswerError:
            raise
        except RefusedError:  # an abort, since the answer is too long and the device cannot send segments
            values = [
                value
                for index in range(1, min(await self._count(device), MOST_OBJECTS) + 1)
                for value in await self.read_property(device, ref._replace(element=index))
            ]
        return [object_of(value) for value in values if isinstance(value, ObjectNumber)]

    async def subscribe(self, object_id: ObjectId, lifetime_s: int, *, confirmed: bool = False) -> None:
        """Subscribe to an object's changes, or renew it; the device answers with the present state as a change.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The object takes no subscription.
        """
        data = services.subscribe_cov(PROCESS_ID, object_id, confirmed=confirmed, lifetime_s=lifetime_s)
        await self._request(Confirmed.SUBSCRIBE_COV, [object_id], data)

    async def write(self, object_id: ObjectId, value: float | None, datatype: Datatype, priority: int) -> None:
        """Write an object's present value at a priority, ahead of all waiting polls; ``None`` relinquishes.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The device said no.
        """
        tagged = tags.application(Kind.NULL, b"") if value is None else _ENCODERS[datatype](value)
        data = services.write_property(object_id, VALUE, tagged, priority)
        await self._request(Confirmed.WRITE_PROPERTY, [object_id], data, urgent=True)

    async def priority_array(self, object_id: ObjectId) -> list[Value]:
        """Return the sixteen commanded values of an object, highest priority first; ``None`` where nobody commands.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The object is not commanded by priority.
        """
        return await self.read_property(object_id, PropertyRef("priority-array"), urgent=True)

    async def acknowledge(self, event: EventNotification, source: str, now: dt.datetime) -> None:
        """Acknowledge an event that the device reported, in the name of ``source``.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The device said no.
        """
        data = services.acknowledge_alarm(PROCESS_ID, event, source, now)
        await self._request(Confirmed.ACKNOWLEDGE_ALARM, [event.object_id], data, urgent=True)

    def synchronise_time(self, now: dt.datetime, *, utc: bool) -> None:
        """Tell the device the time; nobody answers."""
        service = Unconfirmed.UTC_TIME_SYNCHRONIZATION if utc else Unconfirmed.TIME_SYNCHRONIZATION
        self._station.send(self.address, service, services.date_and_time(now))

    async def _count(self, device: ObjectId) -> int:
        found = await self.read_property(device, PropertyRef("object-list", 0))
        return found[0] if found and isinstance(found[0], int) else 0

    async def _request(
        self, service: Confirmed, objects: Sequence[ObjectId], data: bytes, *, urgent: bool = False
    ) -> bytes:
        if urgent:
            async with self._slots:
                return await self._counted(service, objects, data)
        async with self._turns, self._slots:
            return await self._counted(service, objects, data)

    async def _counted(self, service: Confirmed, objects: Sequence[ObjectId], data: bytes) -> bytes:
        loop, watch = asyncio.get_running_loop(), self._watch
        asked_at = loop.time()
        try:
            answer = await self._station.request(self.address, service, data, timeout_s=self._timeout_s)
        except NoAnswerError:
            if watch:
                watch.silent(objects)
            raise
        except RefusedError:
            if watch:
                watch.answered(objects, loop.time() - asked_at)
                watch.refused(objects)
            raise
        if watch:
            watch.answered(objects, loop.time() - asked_at)
        return answer


def _decoded(decode: Callable[[bytes], T], data: bytes) -> T:
    """Return what an answer says.

    Raises:
        RefusedError: It cannot be decoded.
    """
    try:
        return decode(data)
    except MalformedError as error:
        raise RefusedError(f"an answer that cannot be decoded: {error}") from error


_ENCODERS: Final[Mapping[Datatype, Callable[[float], bytes]]] = {
    Datatype.REAL: lambda value: tags.application(Kind.REAL, struct.pack(">f", value)),
    Datatype.DOUBLE: lambda value: tags.application(Kind.DOUBLE, struct.pack(">d", value)),
    Datatype.UNSIGNED: lambda value: tags.application(Kind.UNSIGNED, tags.unsigned(int(value))),
    Datatype.INTEGER: lambda value: tags.application(Kind.SIGNED, tags.signed(int(value))),
    Datatype.ENUMERATED: lambda value: tags.application(Kind.ENUMERATED, tags.unsigned(int(value))),
}
"""How a number is written, by its datatype."""
