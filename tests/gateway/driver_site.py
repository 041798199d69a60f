"""Small facilities for driver tests: assets made from a table, and a collector that stands where the engine does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from facility.clock import Clock, SystemClock
from facility.definition import LocalText
from facility.equipment import EquipmentClass, PointDefinition, PointKind, System
from facility.model import Asset, Connection, Point, Protocol
from facility.quality import Quality
from facility.samples import Sample
from gateway.drivers.driver import DeviceConfig, Driver, DriverConfig
from gateway.events import ConnectionStatus, Delivery, DeviceEvent
from gateway.profiles import WRITE

DEADLINE_S = 60.0
PointPlace = tuple[PointDefinition, Mapping[str, Any]]
"""A point of a test asset, and its mapping as a profile would say it."""
TEXT = LocalText(en="x", zh="x")


class Collector:
    """Keeps what a driver delivers; stands where the engine does."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._lock = threading.Lock()

    def __call__(self, delivery: Delivery) -> None:
        with self._lock:
            self.deliveries.append(delivery)

    @property
    def samples(self) -> list[Sample]:
        with self._lock:
            return [row for delivery in self.deliveries for row in delivery.batch.rows()]

    @property
    def events(self) -> list[DeviceEvent]:
        with self._lock:
            return [event for delivery in self.deliveries for event in delivery.events]

    def of(self, point: int) -> list[Sample]:
        return [sample for sample in self.samples if sample.point == point]

    def last(self, point: int) -> tuple[float, Quality] | None:
        found = self.of(point)
        return (found[-1].value, found[-1].quality) if found else None

    def qualities(self, point: int) -> list[Quality]:
        return [sample.quality for sample in self.of(point)]

    def clear(self) -> None:
        with self._lock:
            self.deliveries.clear()


async def until(condition: Callable[[], object], *, within_s: float = DEADLINE_S) -> None:
    """Return as soon as the condition holds; fail at the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come true in time"
        await asyncio.sleep(0.005)


def analog(unit: str = "") -> PointDefinition:
    return PointDefinition(kind=PointKind.ANALOG, name=TEXT, unit=unit)


def states(kind: PointKind, **codes: int) -> PointDefinition:
    return PointDefinition(kind=kind, name=TEXT, states=codes)


def device(
    asset_id: str,
    first_key: int,
    points: Mapping[str, PointPlace],
    settings: Mapping[str, Any] | None = None,
) -> DeviceConfig:
    """Return an asset whose points have keys from ``first_key`` on, in the order of the table.

    A mapping's ``write`` says how the point may be written, as in a profile.
    """
    definitions = {name: definition for name, (definition, _) in points.items()}
    asset = Asset(
        id=asset_id,
        name=TEXT,
        equipment_class=EquipmentClass(name="thing", title=TEXT, system=System.LIFT, points=definitions),
        space_id="room",
        connection_id="line",
        profile="thing-profile",
    )
    return DeviceConfig(
        asset=asset,
        points=tuple(
            Point(key=first_key + index, asset_id=asset_id, name=name, definition=definition)
            for index, (name, definition) in enumerate(definitions.items())
        ),
        settings=dict(settings or {}),
        mapping={name: {key: mapping[key] for key in mapping if key != WRITE} for name, (_, mapping) in points.items()},
        writes={name: mapping[WRITE] for name, (_, mapping) in points.items() if WRITE in mapping},
    )


def driver_config(
    protocol: Protocol,
    port: int,
    devices: tuple[DeviceConfig, ...],
    deliver: Callable[[Delivery], None],
    *,
    options: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
) -> DriverConfig:
    return DriverConfig(
        connection=Connection(id="line", protocol=protocol, host="127.0.0.1", port=port, options=dict(options or {})),
        devices=devices,
        clock=clock or SystemClock(),
        deliver=deliver,
        status=ConnectionStatus(connection_id="line"),
    )


@contextlib.asynccontextmanager
async def running(driver: Driver) -> AsyncIterator[None]:
    """Run a driver until the block ends; fail if it ended by itself."""
    task = asyncio.create_task(driver.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
