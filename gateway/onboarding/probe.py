"""Reads all points of one device once, through the driver that the gateway uses, and says what is wrong with each."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from facility.clock import Clock
from facility.equipment import PointKind
from facility.errors import NotFoundError
from facility.model import Connection, Facility, Point, Protocol
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample
from facility.units import display_unit
from facility.yaml_file import did_you_mean
from gateway.drivers.driver import Driver, DriverConfig
from gateway.drivers.mqtt.discovery import forget_session
from gateway.events import ConnectionStatus, Delivery
from gateway.gateway import open_driver
from gateway.profiles import DeviceProfile, driver_configs

_ANOTHERS: Final[Mapping[Protocol, frozenset[str]]] = {
    Protocol.MQTT: frozenset({"client_id", "status_topic", "primary_host"}),
    Protocol.MODBUS: frozenset(),
    Protocol.BACNET_IP: frozenset({"local_port", "local_instance", "time_sync_s", "process"}),
}
"""Options by which the running gateway is known: a probe that took them would push it off the wire."""

_REMEDIES: Final[Mapping[Quality, str]] = {
    Quality.BAD_COMMUNICATION: "no answer: check power, address and that this host may reach it",
    Quality.BAD_DEVICE_EXCEPTION: "the device refuses this place: compare register or object with its list",
    Quality.BAD_CONFIGURATION: "the device does not have it, or it cannot be decoded so: compare the profile",
    Quality.BAD_MALFORMED: "the value is not of the profile's type or states: look at what the device sends",
    Quality.BAD_NOT_A_NUMBER: "the device says NaN: the sensor is missing, or type or word order is wrong",
    Quality.BAD_OUT_OF_RANGE: "outside what is possible: check unit, scale, type and word order",
    Quality.BAD_SENSOR_FAILURE: "the device reports a fault of the sensor itself",
    Quality.UNCERTAIN_RETAINED: "kept by the broker, of unknown age: the device may be silent",
    Quality.UNCERTAIN_OUT_OF_SERVICE: "out of service or overridden at the device",
    Quality.UNCERTAIN_TIME: "the device's clock is wrong: set it",
    Quality.UNCERTAIN_STALE: "the device marks it as old",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedPoint:
    """What one point said."""

    name: str
    value: str
    """For people: ``21.5``, ``running``; empty where there is none."""
    unit: str
    quality: str
    """``good``, or what is wrong in one word more."""
    remedy: str
    """What to look at; empty where nothing is wrong."""
    is_bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one device said."""

    asset: str
    profile: str
    connection: str
    endpoint: str
    state: str
    """Of the connection, with its reason where it is down."""
    points: tuple[ProbedPoint, ...]
    unmapped: tuple[str, ...]
    """Points of the class that the profile does not map."""

    @property
    def is_good(self) -> bool:
        """Tell whether no point is bad."""
        return not any(point.is_bad for point in self.points)


class _Latest:
    """Keeps the last sample of each point; takes deliveries from any thread, and is made on the event loop."""

    def __init__(self) -> None:
        self.samples: dict[int, Sample] = {}
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def __call__(self, delivery: Delivery) -> None:
        self._loop.call_soon_threadsafe(self._take, delivery)

    async def all_said(self, points: Sequence[Point]) -> None:
        """Return once every point has said something, be it that the device refuses it."""
        while not all(self._has_said(point) for point in points):
            self._news.clear()
            await self._news.wait()

    def _take(self, delivery: Delivery) -> None:
        self.samples.update({sample.point: sample for sample in delivery.batch.rows()})
        self._news.set()
        if delivery.acknowledge is not None:
            delivery.acknowledge()

    def _has_said(self, point: Point) -> bool:
        sample = self.samples.get(point.key)
        return sample is not None and sample.quality is not Quality.BAD_COMMUNICATION


async def probe(
    facility: Facility, profiles: Mapping[str, DeviceProfile], asset_id: str, *, clock: Clock, within_s: float
) -> Probe:
    """Run the driver for one device alone until every point has said something, or the time is over.

    The driver connects as a stranger to the running gateway: with a client id and a port of its own.

    Raises:
        NotFoundError: The site has no such asset.
        ConfigurationError: The asset and its profile do not fit together.
    """
    alone = _alone(facility, asset_id)
    latest = _Latest()
    (config,) = driver_configs(alone, profiles, clock=clock, deliver=latest)
    expected = [point for point in config.devices[0].points if point.definition.kind is not PointKind.EVENT]
    state = await _run(open_driver(config), config, latest, expected, within_s)
    if config.connection.protocol is Protocol.MQTT:
        await forget_session(config.connection)
    asset, mapped = alone.assets[asset_id], {point.name for point in config.devices[0].points}
    return Probe(
        asset=asset_id,
        profile=asset.profile,
        connection=config.connection.id,
        endpoint=_endpoint(config.connection),
        state=state,
        points=tuple(_probed(point, latest.samples.get(point.key), within_s) for point in config.devices[0].points),
        unmapped=tuple(name for name in asset.equipment_class.points if name not in mapped),
    )


def stranger(connection: Connection) -> Connection:
    """Return a connection that takes nothing from the running gateway's own."""
    own: dict[str, Any] = {}
    if connection.protocol is Protocol.MQTT:
        own = {"client_id": f"watchkeeper-probe-{secrets.token_hex(4)}", "session_expiry_s": 0}
    others = _ANOTHERS[connection.protocol]
    kept = {name: value for name, value in connection.options.items() if name not in others}
    return replace(connection, options={**kept, **own})


def _alone(facility: Facility, asset_id: str) -> Facility:
    """Return the facility with nothing but one asset and its connection."""
    asset = facility.assets.get(asset_id)
    if asset is None:
        raise NotFoundError(f"The site has no asset {asset_id!r}{did_you_mean(asset_id, facility.assets)}.")
    connection = facility.connections[asset.connection_id]
    return replace(
        facility,
        connections={connection.id: stranger(connection)},
        assets={asset_id: replace(asset, parent_id=None)},
        points={point.key: point for point in facility.points_of(asset_id)},
    )


async def _run(
    driver: Driver, config: DriverConfig, latest: _Latest, expected: Sequence[Point], within_s: float
) -> str:
    """Run a driver until every point has said something; return how its connection stood then."""
    running = asyncio.create_task(driver.run())
    said = asyncio.create_task(latest.all_said(expected))
    await asyncio.wait({running, said}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    state = _state(config.status)
    for task in (running, said):
        task.cancel()
    await asyncio.gather(said, return_exceptions=True)
    with contextlib.suppress(asyncio.CancelledError):
        await running  # a driver that crashed says why
    return state


def _probed(point: Point, sample: Sample | None, within_s: float) -> ProbedPoint:
    is_event = point.definition.kind is PointKind.EVENT
    unit = display_unit(point.definition.unit)
    if sample is None:
        missing = "no event yet" if is_event else "nothing"
        remedy = "" if is_event else f"nothing came within {within_s:g} s"
        return ProbedPoint(name=point.name, value="", unit=unit, quality=missing, remedy=remedy, is_bad=not is_event)
    quality = Quality(sample.quality)
    return ProbedPoint(
        name=point.name,
        value=_value(point, sample.value),
        unit=unit,
        quality=quality.label,
        remedy=_REMEDIES.get(quality, ""),
        is_bad=quality >= BAD_FROM,
    )


def _value(point: Point, value: float) -> str:
    names = {float(code): name for name, code in point.definition.states.items()}
    if value in names:
        return names[value]
    return f"{value:.6g}" if value == value else ""  # noqa: PLR0124  # NaN is the one number unlike itself


def _endpoint(connection: Connection) -> str:
    return str(connection.options.get("serial") or f"{connection.host}:{connection.port}")


def _state(status: ConnectionStatus) -> str:
    return f"{status.state}: {status.detail}" if status.detail else str(status.state)
