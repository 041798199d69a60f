"""What the gateway hands to the engine: deliveries of samples, and the state of its connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from facility.samples import SampleBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvent:
    """Something that happened at a device, with the text that a number cannot carry (a badge)."""

    point: int
    """Key of an ``event`` point; its code also stands in the delivery's batch."""
    source_time_ns: int
    gateway_time_ns: int
    code: int
    event_id: str
    """The device's own identity of this event; with ``point`` it makes a repeated delivery harmless."""
    text: Mapping[str, str] = field(default_factory=dict)
    """Such as ``{"badge": "100342"}``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one driver hands over at once."""

    connection_id: str
    batch: SampleBatch
    events: tuple[DeviceEvent, ...] = ()
    acknowledge: Callable[[], None] | None = None
    """Called by the engine, from its own thread, once everything in here is committed; ``None`` where the wire does not
    wait for one."""


class ConnectionState(StrEnum):
    """Where a connection or one unit on it stands."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"


@dataclass(slots=True, kw_only=True)
class ConnectionStatus:
    """Live figures of one connection, written by its driver and read by the API."""

    connection_id: str
    state: ConnectionState = ConnectionState.CONNECTING
    detail: str = ""
    """Why it is down, in words; while it is up, which devices on it do not answer, or empty."""
    samples: int = 0
    errors: int = 0
    """Samples that came out bad, exceptions and malformed payloads."""
    last_good_ns: int = 0
    """When a good sample last came; 0 for never."""
    dropped: int = 0
    """Deliveries that the bounded inbox could not take."""
