"""Watches the objects of one BACnet/IP device: changes as they are reported, and a slow reading that misses nothing.

Every object has a subscription of its own (unconfirmed, limited lifetime) that this driver renews and checks itself.
Beside it each object is read now and then. The reading gives a silent panel away, notices a state whose report got
lost, and with it a device that restarted and forgot its subscribers: then everything is subscribed again at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from facility.errors import DeviceRefusedError, DeviceUnreachableError
from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample, SampleBatch
from gateway.breaker import backoff_s, draw_jitter
from gateway.conversion import PointConverter
from gateway.drivers.bacnet.commands import DATATYPES, check_writable, raw_value, written_mapping
from gateway.drivers.bacnet.figures import UnitFigures
from gateway.drivers.bacnet.objects import WatchedObject, watched_objects
from gateway.drivers.bacnet.reader import BatchReader, Found
from gateway.drivers.bacnet.stack import (
    LOCAL_INSTANCE,
    NoAnswerError,
    ObjectId,
    ObjectValue,
    Peer,
    RefusedError,
    open_peer,
    parse_object,
)
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.events import ConnectionState, Delivery
from gateway.trouble import Trouble

log = structlog.get_logger(__name__)

LOST_AFTER: Final = 2
"""Readings in a row without any answer after which a device, or one object of it, counts as lost."""

RETRY_S: Final = 0.5
"""Wall time after a reading or subscription without an answer until the next."""

LONGEST_SLEEP_S: Final = 1.0
"""Wall time; a clock that is set forward is noticed within it."""


class BacnetDriver:
    """One BACnet/IP device and all assets that are objects of it.

    Connection options: ``local_port`` (default a free one; a fixed one lets a restarted gateway take its old
    subscriptions over instead of adding to them), ``local_instance``, ``timeout_s`` (default 1).
    """

    def __init__(self, config: DriverConfig) -> None:
        """Collect the objects of all devices.

        Raises:
            ConfigurationError: A mapping names no object, or a setting is out of bounds.
        """
        self._config = config
        self._objects = watched_objects(config.devices)
        self._reader = BatchReader()
        self._is_lost = False
        """Whether the loss of the device has been logged and delivered."""
        self._troubles: defaultdict[ObjectId, Trouble] = defaultdict(Trouble)
        """By object, so that each trouble is logged once."""
        self._peer: Peer | None = None
        """The device while it is watched."""
        self._timeout_s = float(config.connection.options.get("timeout_s", 1.0))
        self._figures = UnitFigures(config, self._objects)

    async def run(self) -> None:
        """Watch until cancelled; whenever the device is lost, begin anew until it is back."""
        attempt = 0
        while True:
            try:
                await self._session()
            except (NoAnswerError, OSError) as error:
                self._peer = None
                attempt = 0 if self._config.status.state is ConnectionState.UP else attempt + 1
                self._lose(str(error))
            await asyncio.sleep(backoff_s(attempt, jitter=draw_jitter()))

    async def write(self, write: PointWrite) -> None:
        """Write a point's object at its priority, or relinquish that priority where the value is ``None``.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no, or the point is never written.
        """
        device = self._device_of(write.point)
        mapping = written_mapping(device, write.point)
        object_id = parse_object(str(mapping["object"]))
        check_writable(device, object_id, write)
        converter = PointConverter(write.point, mapping)
        raw = None if write.value is None else raw_value(converter, mapping, object_id, write.value)
        async with self._asking(write.point, object_id) as peer:
            await peer.write(object_id, raw, DATATYPES[object_id[0]], write.priority)

    async def read(self, point: Point) -> Sample:
        """Read a point's object now; what it says is delivered too.

        Raises:
            DeviceUnreachableError: No answer in time, or the connection is down.
            DeviceRefusedError: The device said no.
        """
        device = self._device_of(point)
        watched = self._objects[parse_object(str(device.mapping[point.name]["object"]))]
        async with self._asking(point, watched.id) as peer:
            said = await peer.read_one(watched.id)
        if said.error:
            raise DeviceRefusedError(point.address, said.error)
        samples = watched.samples(said, self._config.clock.now_ns())
        watched.known = said
        self._deliver(samples)
        return next(sample for sample in samples if sample.point == point.key)

    def _device_of(self, point: Point) -> DeviceConfig:
        for device in self._config.devices:
            if device.asset.id == point.asset_id and point.name in device.mapping:
                return device
        raise DeviceRefusedError(point.address, "its profile maps it to no object")

    @contextlib.asynccontextmanager
    async def _asking(self, point: Point, object_id: ObjectId) -> AsyncIterator[Peer]:
        """Give the device for one request; its errors become those of the contract."""
        connection = self._config.connection
        endpoint, timeout_s = f"{connection.host}:{connection.port}", self._timeout_s
        if self._peer is None:
            raise DeviceUnreachableError(connection.id, endpoint, timeout_s)
        try:
            yield self._peer
        except NoAnswerError as error:
            raise DeviceUnreachableError(connection.id, endpoint, timeout_s) from error
        except RefusedError as error:
            raise DeviceRefusedError(f"{point.address} ({object_id[0]},{object_id[1]})", str(error)) from error

    async def _session(self) -> None:
        """Watch until the device is lost.

        Raises:
            NoAnswerError: It does not answer any more.
            OSError: Our own port cannot be had, or nothing leads to the device.
        """
        connection = self._config.connection
        for watched in self._objects.values():
            watched.forget()
        async with open_peer(
            connection.host,
            connection.port,
            on_change=self._on_change,
            local_port=int(connection.options.get("local_port", 0)),
            local_instance=int(connection.options.get("local_instance", LOCAL_INSTANCE)),
            timeout_s=self._timeout_s,
        ) as peer:
            self._peer, silent = peer, 0
            while True:
                answered = await self._read_due(peer)
                silent = 0 if answered else silent + 1
                if silent >= LOST_AFTER:
                    raise NoAnswerError("the device does not answer; check its power and the network")
                if answered:
                    await self._subscribe_due(peer)
                await asyncio.sleep(self._pause_s() if answered else RETRY_S)

    async def _read_due(self, peer: Peer) -> bool:
        """Read what is due; false when all of it went without an answer."""
        asked_at = _now_s()
        due = [object_id for object_id, watched in self._objects.items() if asked_at >= watched.read_at]
        if not due:
            return True
        found = await self._reader.read(peer, due)
        took_s = _now_s() - asked_at
        answered = any(said is not None for said in found.values())
        self._count(found, took_s)
        samples = [sample for object_id, said in found.items() for sample in self._take(object_id, said, asked_at)]
        if answered:
            self._return()
        else:
            self._make_all_due()  # what was silent may have been one object; the next reading tells
        self._deliver(samples)
        return answered

    def _count(self, found: Found, took_s: float) -> None:
        """Count a round of readings for the assets concerned."""
        self._figures.answered([each for each, said in found.items() if said is not None], took_s)
        self._figures.silent([each for each, said in found.items() if said is None])
        self._figures.refused([each for each, said in found.items() if said is not None and said.error])

    def _take(self, object_id: ObjectId, said: ObjectValue | None, asked_at: float) -> Sequence[Sample]:
        """Note what a reading said of one object, and return its samples."""
        watched = self._objects[object_id]
        now_ns = self._config.clock.now_ns()
        if said is None:
            watched.misses += 1
            watched.read_at = asked_at + (RETRY_S if watched.misses < LOST_AFTER else self._interval_s(watched))
            lost = watched.misses == LOST_AFTER and not self._is_lost
            return watched.without_value(Quality.BAD_COMMUNICATION, now_ns) if lost else ()
        watched.misses = 0
        watched.read_at = asked_at + self._interval_s(watched)
        watched.is_readable = not said.error
        samples = watched.samples(said, now_ns)
        self._log_change(watched, said, samples)
        if watched.changed_at >= asked_at:
            return ()  # a report came while the reading was under way, and is the newer of the two
        known, watched.known = watched.known, said
        if watched.is_state and watched.takes_cov and known is not None and known.value != said.value:
            self._suspect(watched)
        return samples

    def _make_all_due(self) -> None:
        for watched in self._objects.values():
            watched.read_at = 0.0

    def _suspect(self, watched: WatchedObject) -> None:
        """A change was never reported: the device may have restarted, so subscribe to everything again."""
        log.info(
            "BACnet change was not reported; subscribing to everything again",
            connection=self._config.connection.id,
            object=watched.name,
        )
        for each in self._objects.values():
            each.renew_at = 0.0

    async def _subscribe_due(self, peer: Peer) -> None:
        """Make and renew the subscriptions that are due."""
        now_s = _now_s()
        due = [
            watched
            for watched in self._objects.values()
            if watched.is_readable and watched.takes_cov and now_s >= watched.renew_at
        ]
        await asyncio.gather(*(self._subscribe(peer, watched) for watched in due))

    async def _subscribe(self, peer: Peer, watched: WatchedObject) -> None:
        lifetime_s = watched.schedule.cov_lifetime_s
        try:
            await peer.subscribe(watched.id, lifetime_s)
        except NoAnswerError:
            watched.renew_at = _now_s() + RETRY_S
        except RefusedError as error:
            watched.takes_cov = False
            watched.read_at = min(watched.read_at, _now_s() + self._interval_s(watched))
            log.info(
                "BACnet object takes no subscription; it is polled",
                connection=self._config.connection.id,
                object=watched.name,
                reason=str(error),
            )
        else:
            watched.renew_at = _now_s() + lifetime_s / 2

    def _on_change(self, object_id: ObjectId, said: ObjectValue) -> None:
        """Deliver a reported change at once."""
        watched = self._objects.get(object_id)
        if watched is None:
            return
        watched.changed_at = _now_s()
        watched.known = said
        samples = watched.samples(said, self._config.clock.now_ns())
        self._log_change(watched, said, samples)
        self._deliver(samples)

    def _interval_s(self, watched: WatchedObject) -> float:
        """Return the wall seconds between two readings of an object."""
        schedule = watched.schedule
        return (schedule.reconcile_s if watched.takes_cov else schedule.poll_s) / self._config.clock.speed

    def _pause_s(self) -> float:
        """Return the wall seconds until something is due."""
        due = [watched.read_at for watched in self._objects.values()]
        due += [each.renew_at for each in self._objects.values() if each.is_readable and each.takes_cov]
        return min(max(min(due) - _now_s(), 0.0), LONGEST_SLEEP_S)

    def _lose(self, reason: str) -> None:
        """The device is away: log it and deliver it for every point, once until it is back."""
        status = self._config.status
        status.state, status.detail = ConnectionState.DOWN, reason
        self._figures.lost(reason)
        if self._is_lost:
            return
        self._is_lost = True
        connection = self._config.connection
        endpoint = f"{connection.host}:{connection.port}"
        log.warning("BACnet device lost; trying until it is back", connection=connection.id, at=endpoint, reason=reason)
        now_ns = self._config.clock.now_ns()
        self._deliver(
            [
                sample
                for watched in self._objects.values()
                if watched.misses < LOST_AFTER  # the others have been delivered as lost already
                for sample in watched.without_value(Quality.BAD_COMMUNICATION, now_ns)
            ]
        )

    def _return(self) -> None:
        """The device answers."""
        status = self._config.status
        status.state, status.detail = ConnectionState.UP, ""
        if self._is_lost:
            self._is_lost = False
            log.info("BACnet device is back", connection=status.connection_id)

    def _log_change(self, watched: WatchedObject, said: ObjectValue, samples: Sequence[Sample]) -> None:
        """Log once when an object's values turn bad and once when they are good again."""
        connection, trouble, now_s = self._config.connection.id, self._troubles[watched.id], _now_s()
        bad = [sample.quality for sample in samples if sample.quality >= BAD_FROM]
        if bad and trouble.bad(now_s):
            log.warning(
                "BACnet object has a bad value; compare the panel's object list with the profile",
                connection=connection,
                object=watched.name,
                points=[mapped.point.address for mapped in watched.points],
                reason=said.error or max(bad).label,
            )
        elif not bad and trouble.good(now_s):
            log.info("BACnet object has a good value again", connection=connection, object=watched.name)

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


def _now_s() -> float:
    return asyncio.get_running_loop().time()
