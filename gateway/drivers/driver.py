"""What every driver promises, whichever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from facility.clock import Clock
from facility.model import Asset, Connection, Point
from gateway.events import ConnectionStatus, Delivery


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverConfig:
    """Everything one driver needs to run one connection."""

    connection: Connection
    devices: tuple[DeviceConfig, ...]
    clock: Clock
    deliver: Callable[[Delivery], None]
    """Takes a delivery at once; safe from any thread."""
    status: ConnectionStatus


class Driver(Protocol):
    """One open connection to one broker, Modbus line or BACnet device, constructed from a ``DriverConfig``."""

    async def run(self) -> None:
        """Read until cancelled; reconnect for ever.

        A point that the device refuses is delivered with a bad quality, so one broken sensor never hides its
        neighbours; a device that is lost delivers one sample ``BAD_COMMUNICATION`` per point, is logged once when lost
        and once when back. Cancelling closes the connection.
        """
        ...
