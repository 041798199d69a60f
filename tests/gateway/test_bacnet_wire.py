"""Our octets against those of bacpypes3, an implementation that shares nothing with ours, and against nonsense."""

from __future__ import annotations

import asyncio
import random
import struct
from typing import Any

from bacpypes3.apdu import APDU, ConfirmedRequestPDU, ReadPropertyMultipleRequest, WritePropertyRequest
from bacpypes3.pdu import PDU
from bacpypes3.primitivedata import (
    BitString,
    Boolean,
    CharacterString,
    Double,
    Integer,
    Null,
    ObjectIdentifier,
    OctetString,
    Real,
    TagList,
    Unsigned,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.drivers.bacnet import frames, services, tags
from gateway.drivers.bacnet.frames import Address
from gateway.drivers.bacnet.names import MAX_INSTANCE, object_number, object_of, parse_object
from gateway.drivers.bacnet.opening import open_station
from gateway.drivers.bacnet.services import PropertyRef
from gateway.drivers.bacnet.station import LocalSide, Reports
from gateway.drivers.bacnet.tags import MalformedError, Value
from gateway.drivers.bacnet.values import WATCHED
from tests.servers import free_port

HERE = Address("127.0.0.1", 47808)
NONSENSE = 10_000
"""Datagrams thrown at a station in one test."""


def octets(value: Any) -> bytes:  # noqa: ANN401  # bacpypes3 ships no types
    """Return a primitive value of bacpypes3 as it puts it on the wire."""
    encoded: TagList = value.encode()
    return bytes(encoded.encode().pduData)


def decoded(data: bytes) -> Value:
    tag = tags.read_tag(data, 0)
    assert tag.end == len(data)
    return tags.application_value(tag)


@given(st.integers(0, 2**32 - 1))
def test_unsigned_numbers_are_read_as_others_write_them(number: int) -> None:
    assert decoded(octets(Unsigned(number))) == number
    assert tags.application(tags.Kind.UNSIGNED, tags.unsigned(number)) == octets(Unsigned(number))


@given(st.integers(-(2**31), 2**31 - 1))
def test_signed_numbers_are_read_as_others_write_them(number: int) -> None:
    assert decoded(octets(Integer(number))) == number
    assert decoded(tags.application(tags.Kind.SIGNED, tags.signed(number))) == number


@given(st.floats(width=32, allow_nan=False), st.floats(allow_nan=False))
def test_real_numbers_are_read_as_others_write_them(single: float, double: float) -> None:
    assert decoded(octets(Real(single))) == single
    assert decoded(octets(Double(double))) == double


@given(st.text(max_size=400), st.binary(max_size=70_000), st.lists(st.booleans(), max_size=40), st.booleans())
@settings(max_examples=50)
def test_texts_octets_and_bits_are_read_as_others_write_them(
    words: str,
    raw: bytes,
    bits: list[bool],
    truth: bool,  # noqa: FBT001  # generated
) -> None:
    assert decoded(octets(CharacterString(words))) == words
    assert decoded(octets(OctetString(raw))) == raw
    assert decoded(octets(BitString(bits))) == tuple(bits)
    assert decoded(octets(Boolean(truth))) is truth
    assert decoded(octets(Null(()))) is None


@given(st.integers(0, 1023), st.integers(0, MAX_INSTANCE))
def test_object_identifiers_are_those_of_others(kind: int, instance: int) -> None:
    number = kind << 22 | instance
    name, found = object_of(number)
    assert found == instance
    assert object_number((name, instance)) == number
    assert parse_object(f"{name},{instance}") == (name, instance)
    assert decoded(octets(ObjectIdentifier((kind, instance)))) == number


def understood(service: services.Confirmed, data: bytes) -> Any:  # noqa: ANN401  # bacpypes3 ships no types
    """Return a request of ours as bacpypes3 understands it."""
    request = APDU.decode(PDU(frames.confirmed_request(1, service, data)))
    assert isinstance(request, ConfirmedRequestPDU)
    return request


@given(st.lists(st.integers(0, MAX_INSTANCE), min_size=1, max_size=30))
@settings(max_examples=30)
def test_others_understand_our_request_for_many_objects(instances: list[int]) -> None:
    objects = [("analog-input", instance) for instance in instances]
    data = services.read_multiple(objects, WATCHED)
    request = ReadPropertyMultipleRequest.decode(understood(services.Confirmed.READ_PROPERTY_MULTIPLE, data))
    asked = [(str(each.objectIdentifier[0]), each.objectIdentifier[1]) for each in request.listOfReadAccessSpecs]
    assert asked == objects
    names = [str(ref.propertyIdentifier) for ref in request.listOfReadAccessSpecs[0].listOfPropertyReferences]
    assert names == ["present-value", "status-flags", "reliability"]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(8, 16))
@settings(max_examples=30)
def test_others_understand_our_write(value: float, priority: int) -> None:
    tagged = tags.application(tags.Kind.REAL, struct.pack(">f", value))
    data = services.write_property(("analog-output", 3), PropertyRef("present-value"), tagged, priority)
    request = WritePropertyRequest.decode(understood(services.Confirmed.WRITE_PROPERTY, data))
    assert request.propertyValue.cast_out(Real) == value
    assert request.priority == priority


@given(st.binary(max_size=60))
@example(b"\x3e" * 60)
@settings(max_examples=500)
def test_parameters_that_are_nonsense_are_malformed_and_nothing_else(data: bytes) -> None:
    for read in (
        services.read_ack,
        services.read_multiple_ack,
        services.read_error,
        services.read_cov,
        services.read_event,
        services.read_i_am,
        services.read_who_is,
    ):
        try:
            read(data)
        except MalformedError:
            continue


@given(st.binary(max_size=80), st.booleans(), st.integers(0, 12))
@settings(max_examples=500)
def test_datagrams_that_are_nonsense_are_malformed_and_nothing_else(
    data: bytes,
    framed: bool,  # noqa: FBT001  # generated
    function: int,
) -> None:
    if framed:
        data = bytes([0x81, function]) + (len(data) + 4).to_bytes(2, "big") + data
    try:
        frames.read_datagram(data, *HERE[:2])
    except MalformedError:
        return


@given(st.integers(0, 2**32))
@settings(max_examples=3)
def test_ten_thousand_broken_datagrams_leave_a_station_answering_and_are_counted(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # nonsense, nothing secret
    whole = [
        frames.link(frames.Link.UNICAST, frames.packet(HERE, apdu))
        for apdu in (
            frames.unconfirmed_request(8, services.who_is(1, 5)),
            frames.unconfirmed_request(0, services.i_am(services.IAm(7, 1476, 3, 999))),
            frames.unconfirmed_request(2, bytes.fromhex("09011c020007d12c00000065393c4e09552e4440a000002f4f")),
            frames.confirmed_request(9, 2, b"\x09\x01\x1c\x02\x00\x07\xd1"),
            bytes([0x38, 1, 0, 1, 14]) + b"\x0c\x00\x00\x00\x01",
            bytes([0x30, 1, 14]) + b"\x0c\x00\x00\x00\x01\x1e\x29\x55\x4e\x44\x3f\x80\x00\x00\x4f\x1f",
        )
    ]

    def broken() -> bytes:
        octets = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 4)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        return bytes(octets[: chance.randint(1, len(octets))])

    async def flood() -> None:
        async with open_station(Address("127.0.0.1", free_port()), LocalSide()) as station:
            with station.reporting(
                HERE, Reports(on_change=lambda _: None, on_event=lambda _: None, on_hello=lambda: None)
            ):
                for _ in range(NONSENSE // 3):
                    station.datagram_received(broken(), ("127.0.0.1", 47808))
            assert station.malformed > NONSENSE // 30
            assert station.is_open

    asyncio.run(flood())
