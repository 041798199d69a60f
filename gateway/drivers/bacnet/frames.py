"""Datagrams of BACnet/IP: virtual link (annex J), network layer (clause 6) and APDU headers (clause 20.1).

Pure functions between datagrams and values; :mod:`gateway.drivers.bacnet.station` sends and receives them.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from gateway.drivers.bacnet.tags import MalformedError

MAX_APDU: Final = 1476
"""Octets of our largest APDU, BACnet/IP's own limit."""

MAX_SEGMENTS: Final = 64
"""Segments of one answer that we take."""

GLOBAL_NETWORK: Final = 65_535
"""Every network that routers reach."""


class Address(NamedTuple):
    """Where a device is: directly at a host and port, or on a network behind the router there."""

    host: str
    port: int
    network: int = 0
    """0: no router in between."""
    mac: bytes = b""
    """Its address on that network; empty means all devices there."""

    def __str__(self) -> str:
        """Return ``host:port``, or what is behind it."""
        behind = f" network {self.network} address {self.mac.hex(':')}" if self.network else ""
        return f"{self.host}:{self.port}{behind}"


class Link(IntEnum):
    """Functions of the virtual link layer that we speak."""

    RESULT = 0x00
    FORWARDED = 0x04
    REGISTER_FOREIGN = 0x05
    DISTRIBUTE = 0x09
    UNICAST = 0x0A
    BROADCAST = 0x0B


class Pdu(IntEnum):
    """Types of APDU."""

    CONFIRMED = 0
    UNCONFIRMED = 1
    SIMPLE_ACK = 2
    COMPLEX_ACK = 3
    SEGMENT_ACK = 4
    ERROR = 5
    REJECT = 6
    ABORT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Apdu:
    """One APDU; fields that its type does not have keep their defaults."""

    pdu: Pdu
    invoke_id: int = 0
    service: int = 0
    """Service choice; of a reject or abort the reason, of a segment-ack nothing."""
    data: bytes = b""
    is_segment: bool = False
    more: bool = False
    sequence: int = 0
    from_server: bool = False
    """Of an abort or a segment-ack: whether the side sent it that answers."""


class Received(NamedTuple):
    """An APDU, and who sent it; ``apdu`` is ``None`` for messages among routers and of the link itself."""

    source: Address
    apdu: Apdu | None
    result: int | None = None
    """Of a link result: its code, 0 for success."""


_LINK_TYPE: Final = 0x81
_VERSION: Final = 1
_NETWORK_MESSAGE, _HAS_DESTINATION, _HAS_SOURCE, _EXPECTS_REPLY = 0x80, 0x20, 0x08, 0x04
_HOPS: Final = 255
_SEGMENTED, _MORE, _ACCEPTS_SEGMENTS, _SERVER = 0x08, 0x04, 0x02, 0x01
_CAPACITY: Final = 0x65
"""At most 64 segments of up to 1476 octets."""


def link(function: Link, payload: bytes) -> bytes:
    """Return a datagram of the virtual link layer."""
    return bytes([_LINK_TYPE, function]) + (len(payload) + 4).to_bytes(2, "big") + payload


def packet(to: Address, apdu: bytes, *, expects_reply: bool = False) -> bytes:
    """Return an APDU with its network header."""
    control = _EXPECTS_REPLY if expects_reply else 0
    if not to.network:
        return bytes([_VERSION, control]) + apdu
    place = to.network.to_bytes(2, "big") + bytes([len(to.mac)]) + to.mac
    return bytes([_VERSION, control | _HAS_DESTINATION]) + place + bytes([_HOPS]) + apdu


def confirmed_request(invoke_id: int, service: int, data: bytes) -> bytes:
    """Return a request that wants an answer, segmented or not."""
    return bytes([Pdu.CONFIRMED << 4 | _ACCEPTS_SEGMENTS, _CAPACITY, invoke_id, service]) + data


def unconfirmed_request(service: int, data: bytes) -> bytes:
    """Return a request that nobody answers."""
    return bytes([Pdu.UNCONFIRMED << 4, service]) + data


def simple_ack(invoke_id: int, service: int) -> bytes:
    """Return the answer to a request that was done."""
    return bytes([Pdu.SIMPLE_ACK << 4, invoke_id, service])


def segment_ack(invoke_id: int, sequence: int) -> bytes:
    """Return our word that a segment came; one at a time, which every device can do."""
    return bytes([Pdu.SEGMENT_ACK << 4, invoke_id, sequence & 0xFF, 1])


def error(invoke_id: int, service: int, data: bytes) -> bytes:
    """Return an answer that says why not; ``data`` are class and code."""
    return bytes([Pdu.ERROR << 4, invoke_id, service]) + data


def reject(invoke_id: int, reason: int) -> bytes:
    """Return our refusal of a request."""
    return bytes([Pdu.REJECT << 4, invoke_id, reason])


def abort(invoke_id: int, reason: int, *, from_server: bool) -> bytes:
    """Return the end of an exchange that cannot go on."""
    return bytes([Pdu.ABORT << 4 | (_SERVER if from_server else 0), invoke_id, reason])


def read_datagram(data: bytes, host: str, port: int) -> Received:
    """Return what a datagram from a host says.

    Raises:
        MalformedError: It is no BACnet/IP.
    """
    try:
        return _read_datagram(data, Address(host, port))
    except (IndexError, ValueError, OSError) as reason:
        if isinstance(reason, MalformedError):
            raise
        raise MalformedError("a datagram is cut off") from None


def _read_datagram(data: bytes, sender: Address) -> Received:
    if data[0] != _LINK_TYPE or int.from_bytes(data[2:4], "big") != len(data):
        raise MalformedError("no BACnet/IP datagram")
    function, payload = Link(data[1]), data[4:]
    if function is Link.RESULT:
        return Received(sender, None, int.from_bytes(payload[:2], "big"))
    if function is Link.FORWARDED:
        sender = Address(socket.inet_ntoa(payload[:4]), int.from_bytes(payload[4:6], "big"))
        payload = payload[6:]
    if function in {Link.REGISTER_FOREIGN, Link.DISTRIBUTE}:
        return Received(sender, None)  # for a broadcast management device, which we are not
    return _read_packet(payload, sender)


def _read_packet(data: bytes, sender: Address) -> Received:
    if data[0] != _VERSION:
        raise MalformedError("another version of the network layer")
    control, at = data[1], 2
    if control & _HAS_DESTINATION:
        at += 3 + data[at + 2]
    if control & _HAS_SOURCE:
        network, width = int.from_bytes(data[at : at + 2], "big"), data[at + 2]
        sender = sender._replace(network=network, mac=data[at + 3 : at + 3 + width])
        at += 3 + width
    if control & _HAS_DESTINATION:
        at += 1
    return Received(sender, None if control & _NETWORK_MESSAGE else read_apdu(data[at:]))


def read_apdu(data: bytes) -> Apdu:
    """Return an APDU's header and what follows it.

    Raises:
        MalformedError: It is none.
    """
    pdu = Pdu(data[0] >> 4)
    if pdu is Pdu.UNCONFIRMED:
        return Apdu(pdu=pdu, service=data[1], data=data[2:])
    if pdu is Pdu.CONFIRMED:
        return _with_segment(pdu, data, 2)
    if pdu is Pdu.COMPLEX_ACK:
        return _with_segment(pdu, data, 1)
    from_server = bool(data[0] & _SERVER)
    if pdu is Pdu.SEGMENT_ACK:
        return Apdu(pdu=pdu, invoke_id=data[1], sequence=data[2], from_server=from_server)
    return Apdu(pdu=pdu, invoke_id=data[1], service=data[2], data=data[3:], from_server=from_server)


def _with_segment(pdu: Pdu, data: bytes, at: int) -> Apdu:
    """Return an APDU that may be one segment of several; its invoke id stands at ``at``."""
    is_segment = bool(data[0] & _SEGMENTED)
    behind = at + 3 if is_segment else at + 1
    return Apdu(
        pdu=pdu,
        invoke_id=data[at],
        service=data[behind],
        data=data[behind + 1 :],
        is_segment=is_segment,
        more=bool(data[0] & _MORE),
        sequence=data[at + 1] if is_segment else 0,
    )
