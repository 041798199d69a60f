"""A fire panel with its detectors and call points on BACnet/IP, as `docs/wire.md` lays its objects out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from facility.clock import Clock
from facility.errors import ConfigurationError, Mistake
from facility.model import Asset, Connection
from simulators.device import SimulatedDevice
from simulators.fire.bacnet import serving
from simulators.fire.building import Building, Place
from simulators.fire.devices import CallPoint, Detector, Panel
from simulators.fire.objects import CallPointObjects, DetectorObjects, PanelObjects
from simulators.wire import ticks

STEP_S = 0.05
"""Facility seconds between two rounds of the panel over its loops."""
INSTANCES_PER_ZONE = 100
"""Detector 302 is the second of zone 3."""


class DeviceObjects(Protocol):
    """The BACnet objects of one device."""

    @property
    def objects(self) -> Sequence[Any]:
        """The objects themselves."""
        ...

    def refresh(self, now_ns: int) -> None:
        """Set the objects to what the device shows; only what changed notifies."""
        ...


class FirePanelWire:
    """One BACnet/IP device that speaks for a panel, its detectors and its call points.

    A detector's and a call point's address give its ``instance``; the panel's gives none.
    """

    def __init__(self, connection: Connection, assets: Sequence[Asset], *, clock: Clock, seed: int) -> None:
        """Build the devices; opens nothing yet.

        Args:
            connection: Where the panel listens (UDP), with ``device_instance`` in its options.
            assets: One ``fire-panel`` and any number of ``smoke-detector`` and ``manual-call-point``.
            clock: The facility time that they live on.
            seed: The simulation's seed.

        Raises:
            ConfigurationError: There is not exactly one panel, or an instance is missing or given twice.
        """
        _check(connection, assets)
        self._connection = connection
        self._clock = clock
        building = Building()
        self._detectors = {
            _instance(asset): Detector(asset.id, _place(asset), building, seed=seed)
            for asset in _of_class(assets, "smoke-detector")
        }
        self._call_points = {_instance(asset): CallPoint(asset.id) for asset in _of_class(assets, "manual-call-point")}
        (panel,) = _of_class(assets, "fire-panel")
        self._panel = Panel(panel.id, list(self._detectors.values()), list(self._call_points.values()))

    @property
    def devices(self) -> Sequence[SimulatedDevice]:
        """Return all devices, the panel last, since it gathers what the others say."""
        return [*self._detectors.values(), *self._call_points.values(), self._panel]

    @property
    def alarm_times(self) -> dict[str, int]:
        """Return when each detector and call point last went into alarm, facility time; absent before its first."""
        points: list[Detector | CallPoint] = [*self._detectors.values(), *self._call_points.values()]
        return {point.asset_id: point.alarm_ns for point in points if point.alarm_ns is not None}

    async def run(self) -> None:
        """Step the devices and serve their objects until cancelled.

        Raises:
            CannotListenError: The connection's address cannot be had.
        """
        served = self._served()
        objects = [item for device in served for item in device.objects]
        async with serving(self._connection, self._panel.asset_id, objects):
            async for now_ns, dt_s in ticks(self._clock, STEP_S):
                for device in self.devices:
                    device.step(now_ns, dt_s)
                for device_objects in served:
                    device_objects.refresh(now_ns)

    def _served(self) -> list[DeviceObjects]:
        """Build the objects; bacpypes3 wants a running loop for it."""
        detectors = [DetectorObjects(detector, instance) for instance, detector in self._detectors.items()]
        call_points = [CallPointObjects(point, instance) for instance, point in self._call_points.items()]
        return [*detectors, *call_points, PanelObjects(self._panel, list(self._detectors))]


def _of_class(assets: Sequence[Asset], name: str) -> list[Asset]:
    return [asset for asset in assets if asset.equipment_class.name == name]


def _instance(asset: Asset) -> int:
    return int(asset.address["instance"])


def _place(asset: Asset) -> Place:
    zone, index = divmod(_instance(asset), INSTANCES_PER_ZONE)
    return Place(zone, index)


def _check(connection: Connection, assets: Sequence[Asset]) -> None:
    messages = []
    if len(_of_class(assets, "fire-panel")) != 1:
        messages.append(f"connection `{connection.id}`: give it exactly one asset of class fire-panel")
    seen: set[object] = set()
    for asset in assets:
        instance = asset.address.get("instance")
        if asset.equipment_class.name != "fire-panel" and (not isinstance(instance, int) or instance in seen):
            messages.append(f"`{asset.id}`: give it an `instance` of its own, such as 302")
        seen.add(instance)
    if messages:
        raise ConfigurationError([Mistake("site.yaml", 0, message) for message in messages])
