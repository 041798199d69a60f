"""Finds the device that a connection means: several may share one address behind a router or gateway."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.drivers.bacnet.frames import MAX_APDU, Address
from gateway.drivers.bacnet.names import MAX_INSTANCE, ObjectId, object_of
from gateway.drivers.bacnet.peer import Peer
from gateway.drivers.bacnet.services import PropertyRef
from gateway.drivers.bacnet.station import TRIES, NoAnswerError, RefusedError, Station
from gateway.drivers.bacnet.tags import ObjectNumber

IDENTIFIER: Final = PropertyRef("object-identifier")
WHOEVER: Final[ObjectId] = ("device", MAX_INSTANCE)
"""The device object of whichever device is asked (clause 15.5.2 of ASHRAE 135)."""


class WrongDeviceError(NoAnswerError):
    """Another device than the configured one answers."""


class Identity(NamedTuple):
    """Where a device is and what it can take."""

    address: Address
    max_apdu: int = MAX_APDU


async def identify(station: Station, at: Address, instance: int | None, *, timeout_s: float) -> Identity:
    """Return the device with an instance at an address or behind it; without one, whichever device is there.

    A device that answers no Who-Is, or only to everybody on its own subnet, is asked for its device object instead.

    Raises:
        NoAnswerError: Nobody answers.
        WrongDeviceError: Somebody else does.
    """
    if instance is None:
        return Identity(at)
    peer = Peer(station, at, timeout_s=timeout_s)
    for _ in range(TRIES):
        introduced = await _introduced(station, at, instance, timeout_s)
        if introduced:
            return introduced
        if await _is_there(peer, instance):
            return Identity(at)
    there = await _instance_of(peer) or await _instance_at(station, at, timeout_s)
    answers = "another device answers" if there is None else f"device {there} answers"
    raise WrongDeviceError(f"{answers} at {at}, and not device {instance}; correct device_instance or the address")


async def _introduced(station: Station, at: Address, instance: int, timeout_s: float) -> Identity | None:
    """Return the device that answers Who-Is, at the address or behind it; ``None`` where none does."""
    found = await station.find(at, low=instance, high=instance, wait_s=timeout_s, only_one=True)
    return next((Identity(each.address, each.device.max_apdu) for each in found if each.address[:2] == at[:2]), None)


async def _is_there(peer: Peer, instance: int) -> bool:
    """Return whether the device at the address has the device object of an instance.

    Raises:
        NoAnswerError: Nobody answers there.
    """
    try:
        await peer.read_property(("device", instance), IDENTIFIER)
    except RefusedError:
        return False
    return True


async def _instance_of(peer: Peer) -> int | None:
    """Return who answers; ``None`` where it does not say."""
    try:
        values = await peer.read_property(WHOEVER, IDENTIFIER)
    except RefusedError:
        return None
    return next((object_of(value)[1] for value in values if isinstance(value, ObjectNumber)), None)


async def _instance_at(station: Station, at: Address, timeout_s: float) -> int | None:
    """Return who answers a Who-Is there, for devices that do not know the instance that means whoever is asked."""
    found = await station.find(at, wait_s=timeout_s, only_one=True)
    return next((each.device.instance for each in found if each.address == at), None)
