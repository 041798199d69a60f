"""A gateway that runs apart from its engine: drivers, spool and the link to the bus.

It needs no database. What to read it learns from the engine over the bus, and keeps, so that after a restart it reads
and spools although bus and engine are away.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from typing import Final

import structlog

from app.roles import bus_address, counted_in
from facility.clock import Clock
from facility.errors import WatchkeeperError
from facility.model import Point
from facility.settings import Settings
from gateway.bus import site
from gateway.bus.calls import Call, carried_out
from gateway.bus.link import Link
from gateway.bus.report import Report
from gateway.bus.topics import Topics
from gateway.commands.writables import writable_points
from gateway.events import GatewayStatus
from gateway.gateway import Gateway, Reload
from gateway.inbox import Inbox
from gateway.profiles import driver_configs
from gateway.spool.forwarder import Forwarder
from gateway.spool.lanes import LaneRouter
from gateway.spool.spool import Limits

log = structlog.get_logger(__name__)

REPORT_EVERY_S: Final = 5.0
"""Wall seconds between two reports on the bus."""
PARTS_CHECK_S: Final = 0.5
SPOOL_FILE: Final = "spool.db"
SITE_FILE: Final = "gateway-site.json"
"""What to read, as the engine last said it."""


class ForwarderFailedError(WatchkeeperError):
    """The forwarder ended by itself."""

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__(f"The forwarder stopped: {cause!r}. Start again: it continues from what its spool holds.")


async def run_gateway(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    """Read devices and send what they say to the engine, until ``stop`` is set.

    Raises:
        ConfigurationError: The settings have mistakes.
        SpoolTakenError: Another process holds the spool.
        SpoolFullError: The disk does not take a spool.
        ForwarderFailedError: The forwarder ended by itself.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    outpost = Outpost(settings, clock)
    async with outpost.running() as parts:
        print(f"Watchkeeper's gateway {settings.gateway_id} runs", flush=True)  # noqa: T201  # speaks to its terminal
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PARTS_CHECK_S):
                    await stop.wait()
            if not outpost.forwarder.alive:
                raise ForwarderFailedError(outpost.forwarder.failure)
            for part in parts:
                if part.done():
                    part.result()


class Outpost:
    """The parts of a gateway that runs apart."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Open the spool; nothing runs yet. Call it on the event loop.

        Raises:
            ConfigurationError: The settings have mistakes.
            SpoolTakenError: Another process holds the spool.
            SpoolFullError: The disk does not take a spool.
        """
        self._only = settings.gateway_connections
        self._clock = clock
        self._inbox = Inbox()
        self._status = GatewayStatus(gateway_id=settings.gateway_id, is_present=True)
        self._trouble = "it waits for its configuration from the engine"
        self._site_file = settings.data_dir / SITE_FILE
        self._gateway = Gateway([], totals=counted_in(settings))
        """Reads nothing before the first configuration."""
        self._points: Mapping[int, Point] = {}
        self._writable: Collection[int] = ()
        self._calls: set[asyncio.Task[None]] = set()
        """Under way."""
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def arrived(configuration: bytes) -> None:
            loop.call_soon_threadsafe(self._arrived.put_nowait, configuration)

        def called(call: Call) -> None:
            loop.call_soon_threadsafe(self._begin, call)

        self._link = Link(
            bus_address(settings),
            Topics(settings.bus_prefix),
            settings.gateway_id,
            on_configuration=arrived,
            on_call=called,
        )
        self.forwarder = Forwarder(
            path=settings.data_dir / SPOOL_FILE,
            limits=Limits(size=round(settings.spool_megabytes * 1e6), age_s=settings.spool_days * 86_400.0),
            inbox=self._inbox,
            router=LaneRouter((), ()),
            bus=self._link,
            clock=clock,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[set[asyncio.Task[None]]]:
        """Run until the block ends: first no more samples, then the last ones on disk. Gives tasks that never end."""
        self.forwarder.start()
        link = asyncio.create_task(self._link.run(self.forwarder), name="bus")
        reporting = asyncio.create_task(self._report_for_ever(), name="reports")
        reading = asyncio.create_task(self._gateway.run(), name="gateway")
        following = asyncio.create_task(self._follow_configuration(), name="configuration")
        try:
            yield {link, reporting, reading, following}
        finally:
            await _cancelled(following, reporting, *self._calls)
            await _cancelled(reading)
            await asyncio.to_thread(self.forwarder.stop)
            await _cancelled(link)

    async def _follow_configuration(self) -> None:
        """Read by the configuration kept from last time, and by every new one."""
        if self._site_file.exists():
            await self._read_by(await asyncio.to_thread(self._site_file.read_bytes))
        while True:
            await self._read_by(await self._arrived.get())

    async def _read_by(self, configuration: bytes) -> None:
        """Read by a configuration from now on; one that cannot be read by leaves the one before it in force."""
        try:
            found, change, writable = await asyncio.to_thread(self._prepared, configuration)
        except WatchkeeperError as error:
            self._trouble = f"its newest configuration is not in force: {error}"
            log.error("configuration has mistakes; the one before it stays in force", reason=str(error))  # noqa: TRY400  # says all
            return
        self._trouble = ""
        if found.revision == self._status.site_revision:
            return
        self.forwarder.route_by(LaneRouter(found.facility.points.values(), found.life_safety))
        await self._gateway.reload(change)
        self._status.site_revision = found.revision
        self._points, self._writable = found.facility.points, writable
        await asyncio.to_thread(self._remember, configuration)
        log.info("reading by a new configuration", connections=len(change.connections), revision=found.revision)
        self._report()

    def _prepared(self, configuration: bytes) -> tuple[site.Site, Reload, Collection[int]]:
        """Return the site, what changes in the gateway, and the points that may be written."""
        found = site.decode(configuration, os.environ, only=self._only)
        configs = driver_configs(
            found.facility, found.profiles, clock=self._clock, deliver=self._inbox.put, totals=self._gateway.totals
        )
        return found, self._gateway.prepare(configs), writable_points(found.facility, found.profiles).keys()

    def _remember(self, configuration: bytes) -> None:
        """Keep the configuration for a start without the bus; renamed into place, so that a kill leaves one whole."""
        new = self._site_file.with_suffix(".new")
        new.write_bytes(configuration)
        new.replace(self._site_file)

    def _begin(self, call: Call) -> None:
        task = asyncio.create_task(self._answer(call), name=f"call {call.id}")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _answer(self, call: Call) -> None:
        point, writable = self._points.get(call.point), call.point in self._writable
        self._link.answer(await carried_out(call, self._gateway, point, writable=writable))

    async def _report_for_ever(self) -> None:
        while True:
            self._report()
            await asyncio.sleep(REPORT_EVERY_S)

    def _report(self) -> None:
        self._status.reported_ns = self._clock.now_ns()
        self.forwarder.describe(self._status)
        status = replace(self._status, detail=self._trouble or self._status.detail)
        self._link.report(Report(gateway=status, connections=list(self._gateway.statuses.values())))


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
