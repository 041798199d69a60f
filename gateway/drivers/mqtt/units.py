"""The devices behind one broker: what each last said, and when its silence means that it is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from facility.clock import NS_PER_S
from facility.errors import ConfigurationError, Mistake
from facility.model import Point
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.mqtt.reading import Reading
from gateway.events import ConnectionState, ConnectionStatus, UnitStatus

HEARTBEAT: Final = "heartbeat_s"
"""The setting of a profile that says how long a living device is silent at most, in facility seconds."""


class Unit:
    """One device, its live figures, and how long it may be silent."""

    def __init__(self, device: DeviceConfig, status: UnitStatus) -> None:
        """Read the device's heartbeat.

        Raises:
            ConfigurationError: It is no number above 0.
        """
        self.asset_id = device.asset.id
        self.points: Sequence[Point] = device.points
        self.status = status
        self._heartbeat_ns = _heartbeat_ns(device)
        self._heard_ns = 0
        self.is_lost = False
        """Its points have been delivered as lost, and the log says so."""

    def begin(self, now_ns: int) -> None:
        """Wait for its first word on a new connection; what was lost was the broker."""
        self._heard_ns = now_ns
        self.is_lost = False
        self.status.state, self.status.detail = ConnectionState.CONNECTING, "nothing heard yet"

    def hear(self, reading: Reading, bad: int, now_ns: int) -> bool:
        """Take note of what it said, ``bad`` samples among it; return whether it was lost until now."""
        self._heard_ns = now_ns
        status, was_lost = self.status, self.is_lost
        status.requests += 1
        status.refusals += bad > 0
        if bad < len(reading.samples):
            status.last_good_ns = now_ns
        self.is_lost = False
        status.state, status.detail = ConnectionState.UP, ""
        return was_lost

    def lose(self, reason: str) -> bool:
        """Take note that it is away; return whether that is news."""
        is_news, self.is_lost = not self.is_lost, True
        self.status.state, self.status.detail = ConnectionState.DOWN, reason
        return is_news

    def is_overdue(self, now_ns: int) -> bool:
        """Tell whether its silence has become too long, which is true once until it speaks again."""
        is_silent = self._heartbeat_ns > 0 and now_ns - self._heard_ns > self._heartbeat_ns
        return is_silent and not self.is_lost

    @property
    def silence(self) -> str:
        """Return why it counts as lost when it is overdue."""
        return f"silent for more than the {self._heartbeat_ns / NS_PER_S:g} s of its heartbeat"


class Units:
    """All devices of a connection."""

    def __init__(self, devices: Sequence[DeviceConfig], status: ConnectionStatus) -> None:
        """Enter every device in the connection's figures.

        Raises:
            ConfigurationError: A heartbeat is no number above 0.
        """
        for device in devices:
            status.units.setdefault(device.asset.id, UnitStatus(asset_id=device.asset.id))
        self._units = {device.asset.id: Unit(device, status.units[device.asset.id]) for device in devices}

    def __getitem__(self, asset_id: str) -> Unit:
        return self._units[asset_id]

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._units.values())

    def overdue(self, now_ns: int) -> list[Unit]:
        """Return the devices whose silence has just become too long."""
        return [unit for unit in self if unit.is_overdue(now_ns)]


def _heartbeat_ns(device: DeviceConfig) -> int:
    """Return how long the device may be silent; 0 for ever."""
    written = device.settings.get(HEARTBEAT, 0)
    if isinstance(written, bool) or not isinstance(written, int | float) or written < 0:
        message = f"{HEARTBEAT!r} of profile {device.asset.profile} is {written!r}; write seconds, such as 30"
        raise ConfigurationError([Mistake(device.asset.id, 0, message)])
    return round(written * NS_PER_S)
