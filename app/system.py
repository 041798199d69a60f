"""One process: gateway (or the bus to gateways elsewhere), engine and API, started and stopped in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from collections import ChainMap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

import structlog
import uvicorn
from sqlalchemy import Engine

from app.backtest.service import running_backtests
from app.baseline_fitting import BaselineFitting, FittingThread
from app.engine import Commit, EngineThread
from app.history_thread import HistoryThread
from app.history_tidying import tidied
from app.live_site import LiveSite
from app.retirement import retire_what_is_gone
from app.rule_change import RunningRules, gateways_elsewhere_told, own_gateway_told
from app.rules_begin import begin_rules
from app.site_change import RunningSite
from dashboards.api import create_app
from dashboards.hub import LiveHub
from dashboards.services import Queue, Services
from facility.class_files import load_classes
from facility.clock import NS_PER_S, Clock
from facility.equipment import PointKind
from facility.errors import HistoryUnavailableError, WatchkeeperError
from facility.history.days import Retention
from facility.history.duckdb_history import DuckDbHistory
from facility.history.history import History
from facility.history.influx_history import InfluxHistory
from facility.latest import LatestValues
from facility.model import Facility, Point
from facility.samples import Sample
from facility.settings import Settings
from facility.site_file import read_site
from facility.storage.database import open_database, reading
from facility.storage.migrate import upgrade
from facility.storage.outbox import forget_before, last_seq
from facility.storage.repository import import_site, keys_of_kind, load_facility
from gateway.bus.receiver import Receiver
from gateway.commands.commander import Commander
from gateway.commands.service import Site
from gateway.commands.writables import writable_points
from gateway.drivers.driver import PointWrite
from gateway.events import ConnectionStatus
from gateway.gateway import Gateway
from gateway.inbox import Inbox, urgent_points
from gateway.profiles import all_profiles, driver_configs
from gateway.rollover import Totals
from people.model import SYSTEM
from rules.changes.service import record_site_file

log = structlog.get_logger(__name__)

ANNOUNCEMENTS_KEPT = 10_000
"""Rows of the outbox that a start leaves behind."""
LATEST_LOOKS_BACK_NS = 3_600 * NS_PER_S
"""How old a sample may be that a start shows until the devices speak again."""
PARTS_CHECK_S = 0.5


class EngineFailedError(WatchkeeperError):
    """The engine ended by itself."""

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__(f"The engine stopped: {cause!r}. Start again: it continues from what was committed.")


class PortTakenError(WatchkeeperError):
    """Another program listens on the console's port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"Port {port} on {host} is taken. Stop the program that holds it, or choose another --port.")


class Source(Protocol):
    """Where the samples come from: this process's own gateway, or gateways on the bus."""

    @property
    def statuses(self) -> Mapping[str, ConnectionStatus]:
        """Live figures by connection id."""
        ...

    async def run(self) -> None:
        """Put deliveries into the inbox until cancelled."""
        ...

    async def write(self, write: PointWrite) -> None:
        """Write to a point's device; see :meth:`gateway.drivers.driver.Driver.write`."""
        ...

    async def read(self, point: Point) -> Sample:
        """Read a point anew; see :meth:`gateway.drivers.driver.Driver.read`."""
        ...


OpenSource = Callable[[Facility, Engine, Inbox, Clock], Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The running parts of one process."""

    facility: Facility
    database: Engine
    inbox: Inbox
    engine: EngineThread
    gateway: Source
    services: Services
    fitting: FittingThread


def nothing_more(_commit: Commit) -> None:
    """Watch no commits: the live hub tells what people need."""


def own_gateway(
    facility: Facility,
    _database: Engine,
    inbox: Inbox,
    clock: Clock,
    *,
    profile_folder: Path,
    totals: Totals | None = None,
) -> Gateway:
    """Return a gateway that reads the whole site from this process.

    Raises:
        ConfigurationError: A profile or a connection has mistakes.
    """
    totals = totals or Totals()
    configs = driver_configs(facility, all_profiles(profile_folder), clock=clock, deliver=inbox.put, totals=totals)
    return Gateway(configs, totals=totals)


@contextlib.contextmanager
def open_system(
    settings: Settings,
    *,
    clock: Clock,
    on_commit: Callable[[Commit], None] = nothing_more,
    open_source: OpenSource | None = None,
) -> Iterator[System]:
    """Bring the database up to date, import the site if one is named, and put the parts together.

    Raises:
        ConfigurationError: The site file or a profile has mistakes.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    upgrade(database)
    facility = prepare_facility(settings, database, clock)
    history = open_history(settings, database)
    try:
        with (
            tidied(history, clock),
            running_backtests(database, history, settings.data_dir / "backtests", clock) as backtests,
        ):
            system = assemble(
                settings,
                facility=facility,
                database=database,
                history=history,
                clock=clock,
                on_commit=on_commit,
                open_source=open_source or partial(own_gateway, profile_folder=settings.profile_folder),
            )
            system.services.backtests = backtests
            yield system
    finally:
        history.close()
        database.dispose()


def prepare_facility(settings: Settings, database: Engine, clock: Clock) -> Facility:
    """Import the site file, if one is named, load the site with its keys, retire what is gone, trim the outbox."""
    classes = load_classes()
    site = None if settings.site_file is None else read_site(settings.site_file, classes, os.environ)
    now_ns = clock.now_ns()
    with database.begin() as connection:
        if site is not None and settings.site_file is not None:
            reason = f"start with {settings.site_file.name}"
            decisions = import_site(connection, site, author=SYSTEM.login, reason=reason, now_ns=now_ns)
            record_site_file(connection, decisions, author=SYSTEM, reason=reason, now_ns=now_ns)
        facility = load_facility(connection, classes, os.environ)
        retire_what_is_gone(connection, facility, now_ns=now_ns)
        # Whoever reads the outbox begins at its end; what another process may still be reading stays.
        forget_before(connection, last_seq(connection) - ANNOUNCEMENTS_KEPT)
    return facility


def open_history(settings: Settings, database: Engine) -> History:
    """Open the history that the settings name: InfluxDB by address, otherwise DuckDB in the data folder."""
    if settings.influx_url is not None:
        return InfluxHistory(settings.influx_url, settings.influx_token, settings.influx_org, settings.influx_bucket)

    def quantities() -> set[int]:  # asked when a day is closed, since the site may change while everything runs
        with reading(database) as connection:
            return keys_of_kind(connection, PointKind.ANALOG)

    retention = Retention(telemetry_days=settings.keep_telemetry_days, states_days=settings.keep_states_days)
    return DuckDbHistory(settings.data_dir / "history", telemetry=quantities, retention=retention)


def assemble(
    settings: Settings,
    *,
    facility: Facility,
    database: Engine,
    history: History,
    clock: Clock,
    on_commit: Callable[[Commit], None],
    open_source: OpenSource,
) -> System:
    """Put the parts together; nothing runs yet."""
    inbox = Inbox(urgent=urgent_points(facility))
    gateway = open_source(facility, database, inbox, clock)
    spools = gateway.spools if isinstance(gateway, Receiver) else {}
    latest = LatestValues(max(facility.points, default=0))
    with contextlib.suppress(HistoryUnavailableError):  # a server that is away costs the console its first picture only
        latest.restore(history.latest(clock.now_ns() - LATEST_LOOKS_BACK_NS))
    hub = LiveHub(database, facility, latest, clock)

    def committed(commit: Commit) -> None:
        hub.wake()
        on_commit(commit)

    with reading(database) as connection:
        rules = begin_rules(connection, facility, history, now_ns=clock.now_ns())
    keeper = HistoryThread(history)
    engine = EngineThread(
        database=database,
        facility=facility,
        rules=rules,
        inbox=inbox,
        history=keeper,
        latest=latest,
        clock=clock,
        on_commit=committed,
    )
    profiles = all_profiles(settings.profile_folder)
    writables = writable_points(facility, profiles)
    site = Site(facility=facility, writables=writables)
    commander = Commander(database=database, devices=gateway, site=site, clock=clock, on_change=hub.wake)
    services = Services(
        database=database,
        facility=facility,
        clock=clock,
        latest=latest,
        history=history,
        hub=hub,
        connections=gateway.statuses,
        started_at_ns=clock.now_ns(),
        session_valid_for_s=settings.session_hours * 3600.0,
        writables=writables,
        commander=commander,
        queues=ChainMap({"inbox": inbox, "history": keeper}, cast("dict[str, Queue]", spools)),
        gateways=gateway.gateways if isinstance(gateway, Receiver) else {},
        metrics_token=settings.metrics_token,
        isolated_rules=lambda: engine.rules.isolated,
    )
    live = LiveSite(database=database, engine=engine, inbox=inbox, services=services, clock=clock, profiles=profiles)
    if isinstance(gateway, Gateway):
        services.site = RunningSite(
            live=live, gateway=gateway, inbox=inbox, hub=hub, clock=clock, profile_folder=settings.profile_folder
        )
        services.rules = RunningRules(live, partial(own_gateway_told, gateway))
    elif isinstance(gateway, Receiver):
        services.rules = RunningRules(live, partial(gateways_elsewhere_told, gateway))
    fitting = BaselineFitting(
        database=database,
        history=history,
        clock=clock,
        facility=lambda: engine.facility,
        on_learned=partial(engine.perform, partial(take_baselines, engine, database, history, clock)),
    )
    return System(
        facility=facility,
        database=database,
        inbox=inbox,
        engine=engine,
        gateway=gateway,
        services=services,
        fitting=FittingThread(fitting),
    )


def take_baselines(engine: EngineThread, database: Engine, history: History, clock: Clock) -> None:
    """Let the rules go on with what was learned; only from within a job of the engine."""
    with reading(database) as connection:
        rules = begin_rules(connection, engine.facility, history, now_ns=clock.now_ns(), before=engine.rules)
    engine.take_site(engine.facility, rules)


class ApiServer(uvicorn.Server):
    """uvicorn that leaves signals to the process that runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one.

    Raises:
        PortTakenError: Another program holds the port.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # from now on whoever connects waits for the server instead of being refused
    except OSError as error:
        listener.close()
        raise PortTakenError(host, port) from error
    return listener


@contextlib.asynccontextmanager
async def flowing(system: System) -> AsyncIterator[asyncio.Task[None]]:
    """Let samples flow from gateway to engine until the block ends: first no more samples, then the last commit.

    Gives the gateway's task, with that of the commands to it, which ends by itself only when it fails.
    """
    system.engine.start()
    system.fitting.start()
    gateway = asyncio.create_task(_reach_devices(system), name="gateway")
    try:
        yield gateway
    finally:
        gateway.cancel()
        await asyncio.gather(gateway, return_exceptions=True)
        await asyncio.to_thread(system.fitting.stop)
        await asyncio.to_thread(system.engine.stop)


async def _reach_devices(system: System) -> None:
    """Run the gateway, and beside it the commands to its devices."""
    async with asyncio.TaskGroup() as group:
        group.create_task(system.gateway.run(), name="gateway")
        if system.services.commander is not None:
            group.create_task(system.services.commander.run(), name="commands")


async def serve(system: System, listener: socket.socket, stop: asyncio.Event) -> None:
    """Run everything until ``stop`` is set; the API answers until the last sample is committed.

    Raises:
        EngineFailedError: The engine ended by itself.
    """
    config = uvicorn.Config(create_app(system.services), log_config=None, ws="websockets-sansio", lifespan="on")
    server = ApiServer(config)
    with settled_memory():
        api = asyncio.create_task(server.serve(sockets=[listener]), name="api")
        try:
            async with flowing(system) as gateway:
                await until_stopped(system.engine, stop, {gateway, api})
        finally:
            server.should_exit = True
            await asyncio.gather(api, return_exceptions=True)


@contextlib.contextmanager
def settled_memory() -> Iterator[None]:
    """Keep what start-up made out of the garbage collector's sight until the block ends: it lives that long anyway.

    Otherwise a full collection walks all modules, rules and routes, and stops every thread for 200 ms and more.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def until_stopped(engine: EngineThread, stop: asyncio.Event, parts: set[asyncio.Task[None]]) -> None:
    """Wait for the signal to stop, and notice when a part ends by itself.

    Raises:
        EngineFailedError: The engine ended by itself.
    """
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTS_CHECK_S):
                await stop.wait()
        if not engine.alive:
            raise EngineFailedError(engine.failure)
        for part in parts:
            if part.done():
                part.result()
