"""Everything the driver knows of bacpypes3: addresses, requests, decoding, and its pitfalls.

Outside this module no error of bacpypes3 is seen (``ErrorRejectAbortNack`` is no ``Exception``) and no value of it:
objects are ``"analog-input,101"``, enumerations their names in the standard (``"pre-alarm"``), numbers are numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bacpypes3.apdu import (
    APDU,
    AbortPDU,
    AbortReason,
    ErrorPDU,
    ErrorRejectAbortNack,
    ReadPropertyMultipleRequest,
    ReadPropertyRequest,
    RejectPDU,
    RejectReason,
    SubscribeCOVRequest,
    UnconfirmedCOVNotificationRequest,
    WritePropertyRequest,
)
from bacpypes3.app import Application
from bacpypes3.basetypes import (
    PropertyIdentifier,
    PropertyReference,
    ReadAccessResult,
    ReadAccessSpecification,
    Reliability,
    StatusFlags,
)
from bacpypes3.constructeddata import Any as BacnetAny
from bacpypes3.constructeddata import SequenceOf
from bacpypes3.errors import RejectException
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address
from bacpypes3.primitivedata import Double, Enumerated, Integer, Null, ObjectIdentifier, Real, Unsigned
from bacpypes3.vendor import get_vendor_info

MAX_IN_FLIGHT: Final = 4
"""Requests to one device at once; bacpypes3 freezes the event loop at the 257th, and small devices much earlier."""

PROCESS_ID: Final = 1
"""Our subscriber process; a subscription is known by our address, this and the object, so renewing never doubles it."""

LOCAL_INSTANCE: Final = 4_194_302
"""Our own device instance where the connection does not say one; unique on the internetwork if anybody asks."""

ObjectId = tuple[str, int]
"""Type and instance, such as ``("analog-input", 101)``."""


class NoAnswerError(Exception):
    """The device did not answer in time; the driver tries again."""


class RefusedError(Exception):
    """The device answered with an error, reject or abort; the message is its reason."""


class TooLargeError(RefusedError):
    """The answer would not fit; ask for less at once."""


class UnknownServiceError(RefusedError):
    """The device does not offer the service at all."""


class LocalPortError(OSError):
    """Our own UDP port cannot be had."""


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


CovHandler = Callable[[ObjectId, ObjectValue], None]


class Peer:
    """One remote device, reached through an application of our own."""

    def __init__(self, app: _Application, address: Address, *, timeout_s: float) -> None:
        self._app = app
        self._address = address
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def read_many(self, objects: Sequence[ObjectId]) -> dict[ObjectId, ObjectValue]:
        """Read objects with one ReadPropertyMultiple; objects that the device does not know say so in their value.

        Raises:
            NoAnswerError: Nothing came back.
            TooLargeError: The answer does not fit the device; ask for fewer.
            UnknownServiceError: The device has no ReadPropertyMultiple.
            RefusedError: It refused the whole request.
        """
        request = ReadPropertyMultipleRequest(
            listOfReadAccessSpecs=SequenceOf(ReadAccessSpecification)(
                [
                    ReadAccessSpecification(
                        objectIdentifier=ObjectIdentifier(each),
                        listOfPropertyReferences=[PropertyReference(propertyIdentifier=name) for name in _PROPERTIES],
                    )
                    for each in objects
                ]
            ),
            destination=self._address,
        )
        answer = await self._request(request)
        return dict(_object_value(result) for result in answer.listOfReadAccessResults)

    async def read_one(self, object_id: ObjectId) -> ObjectValue:
        """Read one object with ReadProperty, for devices without ReadPropertyMultiple.

        Raises:
            NoAnswerError: Nothing came back.
        """
        try:
            found = {_VALUE: await self._read_property(object_id, _VALUE)}
        except RefusedError as error:
            return ObjectValue(error=str(error), unknown=str(error).startswith("unknown"))
        for optional in (_FLAGS, _RELIABILITY):
            with contextlib.suppress(RefusedError):
                found[optional] = await self._read_property(object_id, optional)
        return _valued(object_id, found)

    async def subscribe(self, object_id: ObjectId, lifetime_s: int) -> None:
        """Subscribe to an object's changes, or renew it; the device answers with the present state as a change.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The object takes no subscription.
        """
        request = SubscribeCOVRequest(
            subscriberProcessIdentifier=PROCESS_ID,
            monitoredObjectIdentifier=ObjectIdentifier(object_id),
            issueConfirmedNotifications=False,
            lifetime=lifetime_s,
            destination=self._address,
        )
        await self._request(request)

    async def write(self, object_id: ObjectId, value: float | None, datatype: str, priority: int) -> None:
        """Write an object's present value at a priority, ahead of all waiting polls; ``None`` relinquishes.

        Raises:
            NoAnswerError: Nothing came back.
            RefusedError: The device said no.
        """
        request = WritePropertyRequest(
            objectIdentifier=ObjectIdentifier(object_id),
            propertyIdentifier=_VALUE,
            propertyValue=BacnetAny(Null(()) if value is None else _ATOMIC[datatype](value)),
            priority=priority,
            destination=self._address,
        )
        await self._request(request)

    async def _read_property(self, object_id: ObjectId, name: PropertyIdentifier) -> BacnetAny:
        request = ReadPropertyRequest(
            objectIdentifier=ObjectIdentifier(object_id), propertyIdentifier=name, destination=self._address
        )
        return (await self._request(request)).propertyValue

    async def _request(self, request: APDU) -> Any:  # noqa: ANN401  # bacpypes3 is untyped
        """Send a confirmed request: the one place where bacpypes3's errors become ours."""
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._app.request(request)
            except TimeoutError:
                raise NoAnswerError("no answer") from None
            except ErrorRejectAbortNack as error:
                raise _refusal(error) from None


@contextlib.asynccontextmanager
async def open_peer(
    host: str,
    port: int,
    *,
    on_change: CovHandler,
    local_port: int = 0,
    local_instance: int = LOCAL_INSTANCE,
    timeout_s: float = 1.0,
) -> AsyncIterator[Peer]:
    """Open a UDP port of our own and give access to one device; closes the port at the end.

    Args:
        host: Name or IPv4 address of the device.
        port: Its UDP port.
        on_change: Called in the event loop for every change of value that the device reports.
        local_port: Ours; 0 takes a free one.
        local_instance: Our own BACnet device instance.
        timeout_s: Wall seconds until a request is repeated once; twice that until it counts as unanswered.

    Raises:
        LocalPortError: Our port is taken.
        OSError: The device's name does not resolve, or no network leads there.
    """
    remote = await _resolve(host, port)
    local = _local_address(remote, local_port)
    app = _Application.from_object_list(_local_objects(local, local_instance, timeout_s))
    address = Address(f"{remote[0]}:{remote[1]}")
    app.listen(address, on_change)
    try:
        yield Peer(app, address, timeout_s=2.0 * timeout_s + 0.5)
    finally:
        app.shut_down()


class _Application(Application):  # type: ignore[misc]  # bacpypes3 is untyped
    """An application that hands every change of value on in the moment it is decoded."""

    _device: Address | None = None
    _on_change: CovHandler | None = None

    def listen(self, device: Address, on_change: CovHandler) -> None:
        """Hand changes that come from a device to a function."""
        self._device, self._on_change = device, on_change

    async def do_UnconfirmedCOVNotificationRequest(self, apdu: UnconfirmedCOVNotificationRequest) -> None:  # noqa: N802  # bacpypes3 finds it by this name
        """Take a change of value; one of a stranger or of another process is nobody's."""
        if apdu.pduSource != self._device or apdu.subscriberProcessIdentifier != PROCESS_ID or not self._on_change:
            return
        object_id = _object_id(apdu.monitoredObjectIdentifier)
        found = {each.propertyIdentifier: each.value for each in apdu.listOfValues}
        self._on_change(object_id, _valued(object_id, found))

    def shut_down(self) -> None:
        """Close the port and stop the timers of unanswered requests, which would otherwise send again later."""
        self._on_change = None
        for transaction in self.asap.clientTransactions:
            transaction.stop_timer()
        self.close()


_VALUE: Final = PropertyIdentifier.presentValue
_FLAGS: Final = PropertyIdentifier.statusFlags
_RELIABILITY: Final = PropertyIdentifier.reliability
_PROPERTIES: Final = (_VALUE, _FLAGS, _RELIABILITY)

_ATOMIC: Final[Mapping[str, Callable[[float], object]]] = {
    "real": Real,
    "double": Double,
    "unsigned": lambda value: Unsigned(int(value)),
    "integer": lambda value: Integer(int(value)),
    "enumerated": lambda value: Enumerated(int(value)),
}
"""How a number is written, by its datatype."""

_TOO_LARGE: Final = {
    AbortReason.bufferOverflow,
    AbortReason.segmentationNotSupported,
    AbortReason.apduTooLong,
    AbortReason.outOfResources,
}
_NO_ANSWER: Final = {AbortReason.noResponse, AbortReason.tsmTimeout, AbortReason.serverTimeout}


def parse_object(text: str) -> ObjectId:
    """Return type and instance of ``"analog-input,101"``.

    Raises:
        ValueError: It is no object identifier.
    """
    return _object_id(ObjectIdentifier(text))


def _refusal(error: ErrorRejectAbortNack) -> NoAnswerError | RefusedError:
    """Return our error for bacpypes3's."""
    if isinstance(error, AbortPDU):
        if error.apduAbortRejectReason in _NO_ANSWER:
            return NoAnswerError("no answer")
        if error.apduAbortRejectReason in _TOO_LARGE:
            return TooLargeError(str(AbortReason(error.apduAbortRejectReason)))
    if isinstance(error, RejectPDU) and error.apduAbortRejectReason == RejectReason.unrecognizedService:
        return UnknownServiceError("unrecognized-service")
    if isinstance(error, ErrorPDU):
        return RefusedError(str(error.errorCode))
    return RefusedError(str(error))


def _object_id(identifier: ObjectIdentifier) -> ObjectId:
    return str(identifier[0]), int(identifier[1])


def _object_value(result: ReadAccessResult) -> tuple[ObjectId, ObjectValue]:
    """Return one object of a ReadPropertyMultiple answer; what the device refused stands in it as an error value."""
    object_id = _object_id(result.objectIdentifier)
    found: dict[int, BacnetAny] = {}
    for element in result.listOfResults:
        refused = element.readResult.propertyAccessError
        if not refused:
            found[int(element.propertyIdentifier)] = element.readResult.propertyValue
        elif element.propertyIdentifier == _VALUE:
            reason = str(refused.errorCode)
            return object_id, ObjectValue(error=reason, unknown=reason.startswith("unknown"))
    return object_id, _valued(object_id, found)


def _valued(object_id: ObjectId, found: Mapping[int, BacnetAny]) -> ObjectValue:
    """Decode what is there; a property that cannot be decoded never hides the object's other properties."""
    value = _decoded(object_id, _VALUE, found)
    flags = _decoded(object_id, _FLAGS, found)
    reliability = _decoded(object_id, _RELIABILITY, found)
    flagged = flags if isinstance(flags, StatusFlags) else StatusFlags([0, 0, 0, 0])
    return ObjectValue(
        value=str(value) if isinstance(value, Enumerated) else value,
        error="" if value is not None else "no value that can be decoded",
        fault=bool(flagged[StatusFlags.fault]) or reliability not in {None, Reliability.noFaultDetected},
        out_of_service=bool(flagged[StatusFlags.outOfService] or flagged[StatusFlags.overridden]),
    )


def _decoded(object_id: ObjectId, name: int, found: Mapping[int, BacnetAny]) -> object | None:
    """Return a property's value; ``None`` where the device did not send it or sent something else."""
    kind = get_vendor_info(0).get_object_class(ObjectIdentifier(object_id)[0])
    property_type = kind.get_property_type(PropertyIdentifier(name)) if kind else None
    if name not in found or property_type is None:
        return None
    try:
        value: object = found[name].cast_out(property_type)
    except (ValueError, TypeError, IndexError, struct.error, RejectException):
        return None
    return value


async def _resolve(host: str, port: int) -> tuple[str, int]:
    """Return the IPv4 address of a device; asked anew at every try, since names move."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    address, found_port = found[0][4][:2]
    return str(address), int(found_port)


def _local_address(remote: tuple[str, int], local_port: int) -> str:
    """Return our own ``address:port`` towards a device, having seen that the port is free.

    bacpypes3 retries a port that is taken in silence for ever and may share it, so it is bound here first.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect(remote)
        host = str(route.getsockname()[0])
    if local_port == remote[1] and host.startswith("127."):
        raise LocalPortError(f"the device is on this machine with port {local_port} too; set another local_port")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, local_port))
        except OSError as error:
            message = f"UDP port {local_port} of {host} is taken; end what holds it or set another local_port"
            raise LocalPortError(message) from error
        return f"{host}:{probe.getsockname()[1]}"


def _local_objects(local: str, instance: int, timeout_s: float) -> list[object]:
    """Return the two objects that every BACnet application has."""
    device = DeviceObject(
        objectIdentifier=("device", instance),
        objectName=f"watchkeeper-{instance}",
        vendorIdentifier=999,
        maxApduLengthAccepted=1476,
        segmentationSupported="segmentedBoth",
        maxSegmentsAccepted=64,
        apduTimeout=round(timeout_s * 1000),
        numberOfApduRetries=1,
    )
    port = NetworkPortObject(
        local,
        objectIdentifier=("network-port", 1),
        objectName="network-port-1",
        networkNumber=0,
        networkNumberQuality="unknown",
    )
    return [device, port]
