"""What goes over a connection to a broker, and how the broker answers."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from facility.errors import DeviceRefusedError

NO_SUBSCRIBERS: Final = 0x10
"""MQTT 5 reason code: the broker took the message, and nobody listens to its topic."""


class Message(NamedTuple):
    """One message as it arrived."""

    topic: str
    payload: bytes | None
    """``None``: it is larger than any honest one."""
    retained: bool
    again: bool
    """The broker may have sent it before."""
    number: int
    """What the broker waits to see acknowledged; 0 for a message that nobody has to acknowledge."""


class Saying(NamedTuple):
    """One message of ours."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class Ending(NamedTuple):
    """Why a connection ended."""

    reason: str
    taken_over: bool = False
    """Another client opened the session with our name."""


def acknowledgement(number: int) -> bytes:
    """Return the packet PUBACK; MQTT 3.1.1 and 5, section 3.4, where 5 may leave out the reason "success"."""
    return struct.pack(">BBH", PacketTypes.PUBACK << 4, 2, number)


def check_taken(topic: str, reason: ReasonCode) -> None:
    """Raise if the broker did not pass a message on.

    Raises:
        DeviceRefusedError: It said no, or nobody listens to the topic.
    """
    if reason.is_failure:
        raise DeviceRefusedError(f"the broker, for {topic},", str(reason))
    if reason.value == NO_SUBSCRIBERS:
        raise DeviceRefusedError(topic, "no device listens to this topic")
