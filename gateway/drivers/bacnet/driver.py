"""Watches the objects of one BACnet/IP device: changes as they are reported, and a slow reading that misses nothing.

Every object has a subscription of its own (unconfirmed unless the connection says otherwise, limited lifetime) that
this driver renews and checks itself. Beside it each object is read now and then. The reading gives a silent panel away,
notices a state whose report got lost, and with it a device that restarted and forgot its subscribers: then everything
is subscribed again at once. A device that says who it is when it starts is subscribed again even before that.

An event notification (alarm, fault or back to normal) says which object it is about; that object is read at once, so a
device that reports events and no changes still alarms within a moment. The events themselves are never taken for
alarms: Watchkeeper's rules decide that, on values.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import zoneinfo
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from facility.clock import NS_PER_S
from facility.errors import DeviceRefusedError, DeviceUnreachableError
from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample, SampleBatch
from gateway.breaker import backoff_s, draw_jitter
from gateway.conversion import PointConverter
from gateway.drivers.bacnet.commands import DATATYPES, check_writable, raw_value, stronger_holder, written_mapping
from gateway.drivers.bacnet.figures import LOOP, UnitFigures
from gateway.drivers.bacnet.identity import identify
from gateway.drivers.bacnet.names import ObjectId, parse_object
from gateway.drivers.bacnet.objects import watched_objects
from gateway.drivers.bacnet.opening import open_station, resolve
from gateway.drivers.bacnet.peer import Peer
from gateway.drivers.bacnet.services import EventNotification
from gateway.drivers.bacnet.settings import BacnetSettings
from gateway.drivers.bacnet.station import NoAnswerError, RefusedError, Reports, Station
from gateway.drivers.bacnet.together import until_one_ends
from gateway.drivers.bacnet.values import WATCHED, object_value
from gateway.drivers.bacnet.watch import LOST_AFTER, RETRY_S, Watch, now_s
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.events import ConnectionState, Delivery

log = structlog.get_logger(__name__)

LONGEST_TURN_S: Final = 900.0
"""Wall seconds after which a reading of everything that is due counts as stuck; a slow device may take minutes."""

OUR_NAME: Final = "Watchkeeper"
"""Who acknowledges events, as the device shows it."""


class BacnetDriver:
    """One BACnet/IP device and all assets that are objects of it.

    Connection options: :class:`facility.bacnet_options.BacnetOptions`.
    """

    def __init__(self, config: DriverConfig) -> None:
        """Collect the objects of all devices.

        Raises:
            ConfigurationError: A mapping names no object, or a setting is out of bounds.
        """
        self._config = config
        self._settings = BacnetSettings.of(config.connection)
        self._devices = {device.asset.id: device for device in config.devices}
        objects = watched_objects(config.devices)
        self._figures = UnitFigures(config, objects)
        self.watch = Watch(config, objects, self._figures, self._deliver)
        self._peer: Peer | None = None
        """The device while it is watched."""
        self._events: dict[ObjectId, EventNotification] = {}
        """The newest event of each object that has not been followed up yet."""
        self._has_events = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled; whenever the device is lost, begin anew until it is back."""
        attempt = 0
        while True:
            self._config.pulse.turn("readings", within_s=LONGEST_TURN_S)
            try:
                await self._session()
            except (NoAnswerError, OSError) as error:
                attempt = 0 if self._config.status.state is ConnectionState.UP else attempt + 1
                self._lose(str(error))
            finally:
                self._peer = None
            await asyncio.sleep(backoff_s(attempt, jitter=draw_jitter()))

    async def write(self, write: PointWrite) -> None:
        """Write a point's object at its priority, or relinquish that priority where the value is ``None``.

        A command that a higher priority would keep from taking effect is refused and leaves nothing behind.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no, a higher priority holds the object, or the point is never written.
        """
        device = self._device_of(write.point)
        mapping = written_mapping(device, write.point)
        object_id = parse_object(str(mapping["object"]))
        check_writable(device, object_id, write)
        raw = None
        if write.value is not None:
            raw = raw_value(PointConverter(write.point, device.mapping[write.point.name]), object_id, write.value)
        async with self._asking(write.point, object_id) as peer:
            if raw is not None:
                await _check_free(peer, write, object_id)
            await peer.write(object_id, raw, DATATYPES[object_id[0]], write.priority)

    async def read(self, point: Point) -> Sample:
        """Read a point's object now; what it says is delivered too.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no.
        """
        object_id = parse_object(str(self._device_of(point).mapping[point.name]["object"]))
        async with self._asking(point, object_id) as peer:
            said = object_value(object_id, await peer.read_one(object_id, WATCHED, urgent=True))
        if said.error:
            raise DeviceRefusedError(point.address, said.error)
        samples = self.watch.take_change(self.watch.objects[object_id], said)
        return next(sample for sample in samples if sample.point == point.key)

    async def _session(self) -> None:
        """Watch until the device is lost.

        Raises:
            NoAnswerError: It does not answer any more, or another device does.
            OSError: Our own port cannot be had, or nothing leads to the device.
        """
        self._config.pulse.turn(LOOP)
        self.watch.forget()
        self._events.clear()
        connection, settings = self._config.connection, self._settings
        at = await resolve(connection.host, connection.port)
        async with open_station(at, settings.local, timeout_s=settings.timeout_s) as station:
            identity = await identify(station, at, settings.device_instance, timeout_s=settings.timeout_s)
            peer = Peer(
                station,
                identity.address,
                timeout_s=settings.timeout_s,
                in_flight=settings.in_flight,
                max_apdu=identity.max_apdu,
                watch=self._figures,
            )
            reports = Reports(on_change=self.watch.on_change, on_event=self._on_event, on_hello=self.watch.note_hello)
            with station.reporting(peer.address, reports):
                self._peer = peer
                await until_one_ends(self._watch(station, peer), self._follow_events(peer), self._keep_time(peer))

    async def _watch(self, station: Station, peer: Peer) -> None:
        silent = 0
        while True:
            self._config.pulse.turn("readings", within_s=LONGEST_TURN_S)
            answered, samples = await self.watch.read_due(peer)
            self._count_malformed(station)
            if answered:
                self._return()
            self._deliver(samples)
            silent = 0 if answered else silent + 1
            if silent >= LOST_AFTER:
                raise NoAnswerError("the device does not answer; check its power and the network")
            if answered:
                await self.watch.subscribe_due(peer)
                self.watch.note_lapses()
            else:
                self.watch.make_all_due()  # what was silent may have been one object; the next reading tells
            await asyncio.sleep(self.watch.pause_s() if answered else RETRY_S)

    def _on_event(self, event: EventNotification) -> None:
        """Note an event for the object that it is about; bounded by the number of objects."""
        if event.object_id in self.watch.objects:
            self._events[event.object_id] = event
            self._has_events.set()

    async def _follow_events(self, peer: Peer) -> None:
        """Read each object that an event is about, ahead of all polls, and acknowledge where its profile says so."""
        while True:
            await self._has_events.wait()
            self._has_events.clear()
            while self._events:
                object_id = next(iter(self._events))
                event = self._events.pop(object_id)
                await self._follow(peer, object_id, event)

    async def _follow(self, peer: Peer, object_id: ObjectId, event: EventNotification) -> None:
        watched = self.watch.objects[object_id]
        try:
            said = object_value(object_id, await peer.read_one(object_id, WATCHED, urgent=True))
            if not said.error:
                self.watch.take_change(watched, said)
            if event.ack_required and event.to_state is not None and watched.schedule.acknowledge_events:
                await peer.acknowledge(event, OUR_NAME, self._now(dt.UTC))
        except NoAnswerError:
            watched.read_at = now_s()
        except RefusedError as error:
            log.info("BACnet event was not acknowledged", object=watched.name, reason=str(error))

    async def _keep_time(self, peer: Peer) -> None:
        """Tell the device the time now and then, where the connection asks for it."""
        every_s, zone = self._settings.time_sync_s, self._settings.time_zone
        if every_s is None:
            await asyncio.Event().wait()
            return
        while True:
            now = self._now(dt.UTC if zone is None else zoneinfo.ZoneInfo(zone))
            peer.synchronise_time(now, utc=zone is None)
            await asyncio.sleep(every_s / self._config.clock.speed)

    def _now(self, zone: dt.tzinfo) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._config.clock.now_ns() / NS_PER_S, zone)

    def _device_of(self, point: Point) -> DeviceConfig:
        device = self._devices.get(point.asset_id)
        if device is None or point.name not in device.mapping:
            raise DeviceRefusedError(point.address, "its profile maps it to no object")
        return device

    @contextlib.asynccontextmanager
    async def _asking(self, point: Point, object_id: ObjectId) -> AsyncIterator[Peer]:
        """Give the device for one request; its errors become those of the contract."""
        connection, timeout_s = self._config.connection, self._settings.timeout_s
        endpoint = f"{connection.host}:{connection.port}"
        if self._peer is None:
            raise DeviceUnreachableError(connection.id, endpoint, timeout_s)
        try:
            yield self._peer
        except NoAnswerError as error:
            raise DeviceUnreachableError(connection.id, endpoint, timeout_s) from error
        except RefusedError as error:
            raise DeviceRefusedError(f"{point.address} ({object_id[0]},{object_id[1]})", str(error)) from error

    def _count_malformed(self, station: Station) -> None:
        self._config.status.errors += station.malformed
        station.malformed = 0

    def _lose(self, reason: str) -> None:
        """The device is away: log it and deliver it for every point, once until it is back."""
        status = self._config.status
        status.state, status.detail = ConnectionState.DOWN, reason
        self._figures.lost(reason)
        if self.watch.is_lost:
            return
        self.watch.is_lost = True
        connection = self._config.connection
        endpoint = f"{connection.host}:{connection.port}"
        log.warning("BACnet device lost; trying until it is back", connection=connection.id, at=endpoint, reason=reason)
        self._deliver(self.watch.without_value(Quality.BAD_COMMUNICATION))

    def _return(self) -> None:
        """The device answers."""
        status = self._config.status
        status.state, status.detail = ConnectionState.UP, ""
        if self.watch.is_lost:
            self.watch.is_lost = False
            log.info("BACnet device is back", connection=status.connection_id)

    def _deliver(self, samples: Sequence[Sample]) -> None:
        if not samples:
            return
        status = self._config.status
        bad = sum(sample.quality >= BAD_FROM for sample in samples)
        status.samples += len(samples)
        status.errors += bad
        if bad < len(samples):
            status.last_good_ns = self._config.clock.now_ns()
            self._figures.good({sample.point for sample in samples if sample.quality < BAD_FROM})
        self._config.deliver(Delivery(connection_id=status.connection_id, batch=SampleBatch.of(samples)))


async def _check_free(peer: Peer, write: PointWrite, object_id: ObjectId) -> None:
    """Refuse a command that would not take effect; objects without priorities take every one.

    Raises:
        NoAnswerError: Nothing came back.
        DeviceRefusedError: A higher priority holds the object.
    """
    try:
        held = stronger_holder(await peer.priority_array(object_id), write.priority)
    except RefusedError:
        return
    if held:
        number, value = held
        raise DeviceRefusedError(write.point.address, f"priority {number} holds it at {value!r}")
