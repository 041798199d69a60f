"""What the gateway hands to the engine: deliveries of samples, and the state of its connections."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

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
    late: SampleBatch | None = None
    """Samples that newer ones of the same points have overtaken: they decide nothing and are only kept; ``None``: none,
    as from every driver."""
    acknowledge: Callable[[], None] | None = None
    """Called by the engine, from its own thread, once everything in here is committed; ``None`` where the wire does not
    wait for one."""


class ConnectionState(StrEnum):
    """Where a connection or one unit on it stands."""

    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"


LATENCY_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the latency classes in wall seconds; one more class has none."""


@dataclass(slots=True)
class Latency:
    """How long answers took, as a cumulative histogram in the sense of Prometheus; written by one thread."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    """Answers by class, each class on its own."""
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one answer that took so many wall seconds."""
        self.counts[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.total_s += seconds


@dataclass(slots=True, kw_only=True)
class UnitStatus:
    """Live figures of one device on a connection, written by its driver and read by the API."""

    asset_id: str
    state: ConnectionState = ConnectionState.CONNECTING
    detail: str = ""
    """Why it is down, in words; empty while it is up."""
    requests: int = 0
    """Requests sent; on MQTT, messages received."""
    timeouts: int = 0
    """Requests without an answer; on MQTT, silences that its heartbeat should have broken."""
    refusals: int = 0
    """Answers that say no: Modbus exceptions, BACnet errors, malformed payloads."""
    overruns: int = 0
    """Polls left out since the one before them was not done."""
    openings: int = 0
    """Times that its breaker opened."""
    last_good_ns: int = 0
    """When a good sample last came; 0 for never."""
    latency: Latency = field(default_factory=Latency)
    skew_s: float | None = None
    """How far its clock is behind the gateway's, in facility seconds, negative when ahead; ``None``: it says no time,
    or not for long enough to tell."""
    clock_jumps: int = 0
    """Times that its clock was moved."""


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
    duplicates: int = 0
    """Samples and events that had come before, and were left out."""
    stalls: int = 0
    """Times that the driver did not turn any more and was begun anew."""
    suppressed: int = 0
    """Samples left out since their values had hardly moved; see :mod:`gateway.reporting`."""
    units: dict[str, UnitStatus] = field(default_factory=dict)
    """The devices on it, by asset id; filled when the driver is made."""


@dataclass(slots=True, kw_only=True)
class GatewayStatus:
    """Live figures of a gateway that runs apart, as it last reported them."""

    gateway_id: str
    is_present: bool = False
    """Whether it is connected to the bus now."""
    detail: str = ""
    """What is wrong with it, in words; empty while nothing is."""
    reported_ns: int = 0
    """When it last reported, by its clock; 0 for never."""
    site_revision: str = ""
    """Of the configuration that it reads by."""
    waiting_by_lane: dict[str, int] = field(default_factory=dict)
    """Samples and events in its spool, by lane (``life-safety``, ``state``, ``telemetry``)."""
    waiting_bytes: int = 0
    oldest_ns: int = 0
    """When the oldest record in its spool was taken; 0 for an empty spool."""
    dropped_by_lane: dict[str, int] = field(default_factory=dict)
    """Samples and events that its spool had to drop, by lane, since it was begun."""

    @property
    def waiting(self) -> int:
        """Samples and events in its spool, in all lanes."""
        return sum(self.waiting_by_lane.values())

    @property
    def dropped(self) -> int:
        """Samples and events that its spool had to drop, in all lanes."""
        return sum(self.dropped_by_lane.values())
