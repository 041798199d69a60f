"""Finds BACnet devices and lists their objects; reads only, and outlives whatever a device cannot do.

Who-Is goes to one address, or to a network's broadcast address. An object list that does not fit one answer is read
element by element, and a device without ReadPropertyMultiple is asked for one property after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bacpypes3.apdu import IAmRequest
from bacpypes3.app import Application
from bacpypes3.basetypes import EngineeringUnits
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address
from bacpypes3.primitivedata import ObjectType

from facility.errors import DeviceUnreachableError, WatchkeeperError
from gateway.drivers.bacnet.property_reader import NoAnswerError, Properties, PropertyReader, RefusedError

LOCAL_INSTANCE: Final = 4_194_301
"""Our own device instance while we look; not the running gateway's."""

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
    reader = PropertyReader(app, said.pduSource, timeout_s)
    device = f"device,{int(said.iAmDeviceIdentifier[1])}"
    own: Properties = {}
    objects: list[FoundObject] = []
    trouble = ""
    try:
        own = (await reader.properties({device: _OF_DEVICE})).get(device, {})
        names = [name for name in await reader.object_list(device) if name != device]
        properties = await reader.properties({name: _wanted(name) for name in names})
        objects = [_found_object(name, properties.get(name, {})) for name in names]
    except NoAnswerError:
        trouble = "it stopped answering while its objects were listed; ask again, or give it more time (--timeout)"
    except RefusedError as error:
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
