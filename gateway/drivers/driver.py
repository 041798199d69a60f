"""What every driver promises, whichever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from facility.clock import Clock
from facility.model import Asset, Connection, Point
from facility.samples import Sample
from gateway.events import ConnectionStatus, Delivery
from gateway.reporting import Policy
from gateway.watchdog import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """One asset on a connection: its points and what its profile says of each."""

    asset: Asset
    points: tuple[Point, ...]
    """The points that the profile maps; a class's other points stay without data."""
    settings: Mapping[str, Any]
    """The profile's device-wide settings, such as ``poll_s`` or ``word_order``."""
    mapping: Mapping[str, Mapping[str, Any]]
    """Point name to its register, topic or object, with the asset's address parameters filled in."""
    writes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Writable point name to the protocol's own keys of the profile's ``write`` entry, such as the ``topic`` to publish
    on, address parameters filled in; its limits are checked before a driver is asked."""
    reports: Mapping[str, Policy] = field(default_factory=dict)
    """Point name to when its value is news, for points that report by exception; drivers need not look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverConfig:
    """Everything one driver needs to run one connection."""

    connection: Connection
    devices: tuple[DeviceConfig, ...]
    clock: Clock
    deliver: Callable[[Delivery], None]
    """Takes a delivery at once; safe from any thread."""
    status: ConnectionStatus
    pulse: Pulse = field(default_factory=Pulse, compare=False)
    """Where the driver's loops say that they turn; a driver that says nothing is not watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointWrite:
    """A value for one point of one device, already allowed and within its limits."""

    point: Point
    value: float | None
    """In the point's unit or the code of its state; ``None`` takes an earlier write back, where the protocol can."""
    priority: int
    """BACnet's, 8 to 16, where smaller numbers win; other protocols ignore it."""


class Driver(Protocol):
    """One open connection to one broker, Modbus line or BACnet device, constructed from a ``DriverConfig``."""

    async def run(self) -> None:
        """Read until cancelled; reconnect for ever.

        A point that the device refuses is delivered with a bad quality, so one broken sensor never hides its
        neighbours; a device that is lost delivers one sample ``BAD_COMMUNICATION`` per point, is logged once when lost
        and once when back. Cancelling closes the connection.
        """
        ...

    async def write(self, write: PointWrite) -> None:
        """Write ahead of all waiting polls; return when the device has confirmed.

        Called on the event loop that runs the driver.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no, or this driver cannot write the point.
        """
        ...

    async def read(self, point: Point) -> Sample:
        """Return a sample that was taken after this call: read ahead of all polls, or the device's next report.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no.
        """
        ...
