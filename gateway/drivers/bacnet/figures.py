"""Figures of each asset behind a BACnet device: what was asked of its objects, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.drivers.bacnet.names import ObjectId
from gateway.drivers.bacnet.objects import WatchedObject
from gateway.drivers.driver import DriverConfig
from gateway.events import ConnectionState, UnitStatus

LOOP: Final = "readings"
"""What the watchdog calls our loop; a long round of readings turns with every request that ends, either way."""


class UnitFigures:
    """Writes ``ConnectionStatus.units``; one request counts once for every asset whose objects are in it."""

    def __init__(self, config: DriverConfig, objects: Mapping[ObjectId, WatchedObject]) -> None:
        self._units = config.status.units
        self._clock = config.clock
        self._pulse = config.pulse
        for device in config.devices:
            self._units[device.asset.id] = UnitStatus(asset_id=device.asset.id)
        self._of = {
            object_id: tuple({mapped.point.asset_id for mapped in watched.points})
            for object_id, watched in objects.items()
        }
        self._asset_of = {point.key: point.asset_id for device in config.devices for point in device.points}

    def answered(self, objects: Sequence[ObjectId], seconds: float) -> None:
        """Count an answer that came after so many wall seconds."""
        self._pulse.turn(LOOP)
        for unit in self._units_of(objects):
            unit.requests += 1
            unit.latency.add(seconds)
            unit.state, unit.detail = ConnectionState.UP, ""

    def silent(self, objects: Sequence[ObjectId]) -> None:
        """Count a request that nobody answered."""
        self._pulse.turn(LOOP)
        for unit in self._units_of(objects):
            unit.requests += 1
            unit.timeouts += 1

    def refused(self, objects: Sequence[ObjectId]) -> None:
        """Count an answer that says no."""
        for unit in self._units_of(objects):
            unit.refusals += 1

    def overrun(self, objects: Sequence[ObjectId]) -> None:
        """Count a reading that was left out since the one before it was not done."""
        for unit in self._units_of(objects):
            unit.overruns += 1

    def good(self, points: Iterable[int]) -> None:
        """Note good samples of points."""
        now_ns = self._clock.now_ns()
        for asset in {self._asset_of[point] for point in points}:
            self._units[asset].last_good_ns = now_ns

    def lost(self, reason: str) -> None:
        """The device as a whole is away, and with it all of them."""
        for unit in self._units.values():
            if unit.state is not ConnectionState.DOWN:
                unit.openings += 1
            unit.state, unit.detail = ConnectionState.DOWN, reason

    def _units_of(self, objects: Sequence[ObjectId]) -> list[UnitStatus]:
        names = {asset for object_id in objects for asset in self._of.get(object_id, ())}
        return [self._units[asset] for asset in names]
