"""Finds BACnet devices and lists their objects; reads only, and outlives whatever a device cannot do.

Who-Is goes to one address, or to a network's broadcast address. An object list that does not fit one answer is read
element by element, and a device without ReadPropertyMultiple is asked for one property after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bacpypes3.apdu import (
    AbortPDU,
    AbortReason,
    ErrorRejectAbortNack,
    IAmRequest,
    ReadPropertyMultipleRequest,
    ReadPropertyRequest,
    RejectPDU,
    RejectReason,
)
from bacpypes3.app import Application
from bacpypes3.basetypes import EngineeringUnits, PropertyIdentifier, PropertyReference, ReadAccessSpecification
from bacpypes3.constructeddata import Any as BacnetAny
from bacpypes3.constructeddata import ArrayOf, SequenceOf
from bacpypes3.errors import RejectException
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address
from bacpypes3.primitivedata import CharacterString, ObjectIdentifier, ObjectType, Unsigned

from facility.errors import DeviceUnreachableError, WatchkeeperError

LOCAL_INSTANCE: Final = 4_194_301
"""Our own device instance while we look; not the running gateway's."""
IN_FLIGHT: Final = 4
"""Requests to one device at once."""
FIRST_BATCH: Final = 8
"""Objects in one ReadPropertyMultiple; halved whenever an answer does not fit."""
MOST_OBJECTS: Final = 100_000
"""An object list that claims more is not believed."""

_TEXTS: Final = ("object-name", "description")
_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "analog": (*_TEXTS, "units"),
    "accumulator": (*_TEXTS, "units"),
    "binary": (*_TEXTS, "inactive-text", "active-text"),
    "multi-state": (*_TEXTS, "state-text"),
    "life-safety": (*_TEXTS, "device-type"),
    "": _TEXTS,
}
"""Beginning of an object's type to what is asked of it."""
_OF_DEVICE: Final = ("object-name", "description", "vendor-name", "model-name")
_TYPES: Final[Mapping[str, Any]] = {"units": EngineeringUnits, "state-text": ArrayOf(CharacterString)}
"""Of the properties that are no text."""

_TOO_LARGE: Final = {
    AbortReason.bufferOverflow,
    AbortReason.segmentationNotSupported,
    AbortReason.apduTooLong,
    AbortReason.outOfResources,
}
_NO_ANSWER: Final = {AbortReason.noResponse, AbortReason.tsmTimeout, AbortReason.serverTimeout}

Properties = dict[str, Any]
"""Property to its value, as text or a list of texts; what the device does not have is absent."""


class PortTakenError(WatchkeeperError):
    """Our own UDP port cannot be had."""

    title = "Port taken"

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"UDP port {port} of {host} is taken. Stop what holds it, or choose another --local-port.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """One object of a device."""

    type: str
    """In the standard's spelling, such as ``analog-input``; a number for a maker's own type."""
    instance: int
    name: str = ""
    description: str = ""
    unit: str = ""
    """In the standard's spelling, such as ``degrees-celsius``."""
    states: tuple[str, ...] = ()
    """Texts of a multi-state object from state 1 on; of a binary one the inactive and the active text."""
    device_type: str = ""
    """What a life-safety object says it is."""

    @property
    def id(self) -> str:
        """Return type and instance as profiles write them."""
        return f"{self.type},{self.instance}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """One device that said I-Am, or whose objects a file lists."""

    instance: int
    address: str = ""
    """``host:port``, or ``network:mac`` behind a router; empty where only a file speaks of it."""
    vendor: int = 0
    segmentation: str = ""
    max_apdu: int = 0
    """Bytes of one message that it takes."""
    name: str = ""
    description: str = ""
    vendor_name: str = ""
    model: str = ""
    objects: tuple[FoundObject, ...] = ()
    trouble: str = ""
    """Why objects are missing; empty where none are."""
    requests: int = field(default=0, compare=False)
    """What the listing cost."""


async def discover(
    host: str,
    port: int,
    *,
    broadcast: bool = False,
    instance: int | None = None,
    timeout_s: float = 2.0,
    local_port: int = 0,
) -> list[FoundDevice]:
    """Return the devices that answer Who-Is at an address, with their objects.

    Args:
        host: The device's name or IPv4 address; with ``broadcast`` the network's broadcast address.
        port: Its UDP port.
        broadcast: Ask everybody on that network.
        instance: Only the device with this instance.
        timeout_s: Wall seconds to wait for I-Am, and for each answer.
        local_port: Our own; 0 takes a free one. Many devices broadcast their I-Am to port 47808 only.

    Raises:
        DeviceUnreachableError: Nobody answered.
        PortTakenError: Our own port cannot be had.
    """
    address = await _resolved(host, port, timeout_s)
    async with _application(address, port, local_port) as app:
        said = await _who_is(app, Address(f"{address}:{port}"), instance, timeout_s, broadcast=broadcast)
        if not said:
            raise DeviceUnreachableError("No BACnet device", f"{host}:{port}", timeout_s)
        return [await _listed(app, each, timeout_s) for each in said]


def object_type_name(number: int) -> str:
    """Return the standard's name of an object type; the number as text where it has none."""
    return str(ObjectType(number))


def unit_name(number: int) -> str:
    """Return the standard's name of an engineering unit; the number as text where it has none."""
    return str(EngineeringUnits(number))


class _NoAnswerError(Exception):
    """Nothing came back in time."""


class _RefusedError(Exception):
    """The device said no."""


class _TooLargeError(_RefusedError):
    """The answer would not fit."""


class _NoSuchServiceError(_RefusedError):
    """The device does not offer the service."""


class _Reader:
    """Reads properties of one device, and learns what it can stand."""

    def __init__(self, app: Application, address: Address, timeout_s: float) -> None:
        self.requests = 0
        self._app = app
        self._address = address
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._batch = FIRST_BATCH
        self._has_multiple = True

    async def object_list(self, device: str) -> list[str]:
        """Return ``type,instance`` of every object, whether or not the list fits one answer."""
        try:
            whole = await self._property(device, "object-list")
            return [_text_of(each) for each in _cast(whole, SequenceOf(ObjectIdentifier))]
        except _TooLargeError:
            count = int(_cast(await self._property(device, "object-list", 0), Unsigned))
        if count > MOST_OBJECTS:
            raise _RefusedError(f"it claims {count} objects")
        found = await asyncio.gather(*(self._element(device, number) for number in range(1, count + 1)))
        return list(found)

    async def _element(self, device: str, number: int) -> str:
        return _text_of(_cast(await self._property(device, "object-list", number), ObjectIdentifier))

    async def properties(self, objects: Mapping[str, Sequence[str]]) -> dict[str, Properties]:
        """Return what each object says of the properties asked."""
        names = list(objects)
        found: dict[str, Properties] = {}
        while names:
            part, names = names[: self._batch * IN_FLIGHT], names[self._batch * IN_FLIGHT :]
            batches = [part[start : start + self._batch] for start in range(0, len(part), self._batch)]
            for answers in await asyncio.gather(*(self._batch_of(batch, objects) for batch in batches)):
                found |= answers
        return found

    async def _batch_of(self, batch: Sequence[str], objects: Mapping[str, Sequence[str]]) -> dict[str, Properties]:
        if self._has_multiple:
            try:
                return await self._multiple(batch, objects)
            except _NoSuchServiceError:
                self._has_multiple = False
            except _RefusedError as error:
                if len(batch) > 1:
                    return await self._halves(batch, objects, is_too_large=isinstance(error, _TooLargeError))
        return {name: await self._one_by_one(name, objects[name]) for name in batch}

    async def _halves(
        self, batch: Sequence[str], objects: Mapping[str, Sequence[str]], *, is_too_large: bool
    ) -> dict[str, Properties]:
        middle = len(batch) // 2
        if is_too_large:
            self._batch = min(self._batch, middle)
        first = await self._batch_of(batch[:middle], objects)
        return first | await self._batch_of(batch[middle:], objects)

    async def _multiple(self, batch: Sequence[str], objects: Mapping[str, Sequence[str]]) -> dict[str, Properties]:
        request = ReadPropertyMultipleRequest(
            listOfReadAccessSpecs=SequenceOf(ReadAccessSpecification)(
                [
                    ReadAccessSpecification(
                        objectIdentifier=ObjectIdentifier(name),
                        listOfPropertyReferences=[
                            PropertyReference(propertyIdentifier=PropertyIdentifier(each)) for each in objects[name]
                        ],
                    )
                    for name in batch
                ]
            ),
            destination=self._address,
        )
        answer = await self._request(request)
        return {
            _text_of(result.objectIdentifier): _decoded(
                {
                    str(element.propertyIdentifier): element.readResult.propertyValue
                    for element in result.listOfResults
                    if not element.readResult.propertyAccessError
                }
            )
            for result in answer.listOfReadAccessResults
        }

    async def _one_by_one(self, name: str, properties: Iterable[str]) -> Properties:
        found: dict[str, BacnetAny] = {}
        for each in properties:
            with contextlib.suppress(_RefusedError):
                found[each] = await self._property(name, each)
        return _decoded(found)

    async def _property(self, name: str, which: str, index: int | None = None) -> BacnetAny:
        request = ReadPropertyRequest(
            objectIdentifier=ObjectIdentifier(name),
            propertyIdentifier=PropertyIdentifier(which),
            destination=self._address,
        )
        if index is not None:
            request.propertyArrayIndex = index
        return (await self._request(request)).propertyValue

    async def _request(self, request: Any) -> Any:  # noqa: ANN401  # bacpypes3 is untyped
        """Send a confirmed request: the one place where bacpypes3's errors, which are no exceptions, become ours."""
        async with self._slots:
            self.requests += 1
            try:
                async with asyncio.timeout(2 * self._timeout_s + 0.5):
                    return await self._app.request(request)
            except TimeoutError:
                raise _NoAnswerError from None
            except ErrorRejectAbortNack as error:
                raise _refusal(error) from None


async def _who_is(
    app: Application, address: Address, instance: int | None, timeout_s: float, *, broadcast: bool
) -> list[IAmRequest]:
    """Return each device's I-Am once; an address that is one device's ends the waiting with its answer."""
    found: dict[tuple[int, str], IAmRequest] = {}
    one_answer_is_enough = not broadcast and instance is not None
    for _ in range(1 if broadcast else 2):  # a datagram may get lost
        answers = await app.who_is(
            instance, instance, address=address, timeout=timeout_s if broadcast else timeout_s / 2
        )
        for each in answers:
            found[int(each.iAmDeviceIdentifier[1]), str(each.pduSource)] = each
        if found and (one_answer_is_enough or not broadcast):
            break
    return [found[key] for key in sorted(found)]


async def _listed(app: Application, said: IAmRequest, timeout_s: float) -> FoundDevice:
    """Return a device with all that its objects say; one that stops answering keeps what it said before."""
    reader = _Reader(app, said.pduSource, timeout_s)
    device = f"device,{int(said.iAmDeviceIdentifier[1])}"
    own: Properties = {}
    objects: list[FoundObject] = []
    trouble = ""
    try:
        own = (await reader.properties({device: _OF_DEVICE})).get(device, {})
        names = [name for name in await reader.object_list(device) if name != device]
        properties = await reader.properties({name: _wanted(name) for name in names})
        objects = [_found_object(name, properties.get(name, {})) for name in names]
    except _NoAnswerError:
        trouble = "it stopped answering while its objects were listed; ask again, or give it more time (--timeout)"
    except _RefusedError as error:
        trouble = f"it refused to list its objects: {error}"
    return FoundDevice(
        instance=int(said.iAmDeviceIdentifier[1]),
        address=str(said.pduSource),
        vendor=int(said.vendorID),
        segmentation=str(said.segmentationSupported),
        max_apdu=int(said.maxAPDULengthAccepted),
        name=own.get("object-name", ""),
        description=own.get("description", ""),
        vendor_name=own.get("vendor-name", ""),
        model=own.get("model-name", ""),
        objects=tuple(objects),
        trouble=trouble,
        requests=reader.requests,
    )


def _wanted(name: str) -> tuple[str, ...]:
    return next(wanted for beginning, wanted in _PROPERTIES.items() if name.startswith(beginning))


def _found_object(name: str, properties: Properties) -> FoundObject:
    kind, _, instance = name.partition(",")
    contact = (properties.get("inactive-text", ""), properties.get("active-text", ""))
    return FoundObject(
        type=kind,
        instance=int(instance),
        name=properties.get("object-name", ""),
        description=properties.get("description", ""),
        unit=properties.get("units", ""),
        states=tuple(properties.get("state-text", contact if any(contact) else ())),
        device_type=properties.get("device-type", ""),
    )


def _decoded(found: Mapping[str, BacnetAny]) -> Properties:
    """Return what can be decoded; one broken property never hides the others."""
    decoded: Properties = {}
    for name, value in found.items():
        with contextlib.suppress(_RefusedError):
            plain = _cast(value, _TYPES.get(name, CharacterString))
            decoded[name] = [str(each) for each in plain] if name == "state-text" else str(plain)
    return decoded


def _cast(value: BacnetAny, kind: Any) -> Any:  # noqa: ANN401  # bacpypes3 is untyped
    try:
        return value.cast_out(kind)
    except (ValueError, TypeError, IndexError, AttributeError, struct.error, RejectException) as error:
        raise _RefusedError(f"an answer that cannot be decoded ({error})") from error


def _text_of(identifier: ObjectIdentifier) -> str:
    return f"{identifier[0]},{int(identifier[1])}"


def _refusal(error: ErrorRejectAbortNack) -> Exception:
    reason = getattr(error, "apduAbortRejectReason", None)
    if isinstance(error, AbortPDU) and reason in _NO_ANSWER:
        return _NoAnswerError()
    if isinstance(error, AbortPDU) and reason in _TOO_LARGE:
        return _TooLargeError(str(AbortReason(reason)))
    if isinstance(error, RejectPDU) and reason == RejectReason.unrecognizedService:
        return _NoSuchServiceError("unrecognized-service")
    return _RefusedError(str(error))


async def _resolved(host: str, port: int, timeout_s: float) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise DeviceUnreachableError("No BACnet device", f"{host}:{port}", timeout_s) from error
    return str(found[0][4][0])


@contextlib.asynccontextmanager
async def _application(remote: str, port: int, local_port: int) -> AsyncIterator[Application]:
    """Open a UDP port of our own towards an address; closes it at the end."""
    host = _own_address(remote, port)
    chosen = _free_port(host, local_port)
    device = DeviceObject(
        objectIdentifier=("device", LOCAL_INSTANCE),
        objectName="watchkeeper-discovery",
        vendorIdentifier=999,
        maxApduLengthAccepted=1476,
        segmentationSupported="segmentedBoth",
        maxSegmentsAccepted=64,
        apduTimeout=1000,
        numberOfApduRetries=1,
    )
    network_port = NetworkPortObject(
        f"{host}:{chosen}",
        objectIdentifier=("network-port", 1),
        objectName="network-port-1",
        networkNumber=0,
        networkNumberQuality="unknown",
    )
    app = Application.from_object_list([device, network_port])
    try:
        yield app
    finally:
        for transaction in app.asap.clientTransactions:
            transaction.stop_timer()
        app.close()
        await asyncio.sleep(0)  # lets what was cancelled end


def _own_address(remote: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            route.connect((remote, port))
        except OSError as error:
            raise DeviceUnreachableError("No BACnet device", f"{remote}:{port}", 0.0) from error
        return str(route.getsockname()[0])


def _free_port(host: str, wanted: int) -> int:
    """Return our port, having seen that it is free: bacpypes3 would wait for a taken one for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise PortTakenError(host, wanted) from error
        return int(probe.getsockname()[1])
