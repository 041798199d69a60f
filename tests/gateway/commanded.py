"""A facility with points that may be commanded, and a plant that obeys, refuses or stays silent as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Engine

from facility.clock import NS_PER_S, VirtualClock
from facility.equipment import PointDefinition, PointKind
from facility.errors import DeviceRefusedError, DeviceUnreachableError
from facility.model import Facility, Point, SiteDescription
from facility.quality import Quality
from facility.samples import Sample
from facility.storage.database import reading
from facility.storage.outbox import Topic
from facility.storage.site_import import import_site
from gateway.commands import repository, service
from gateway.commands.commander import Commander
from gateway.commands.model import Command, Release, Request, Writable
from gateway.commands.service import Site
from gateway.drivers.driver import PointWrite
from people.journal import journal_of
from people.model import Account, Role
from tests.databases import employ
from tests.facilities import DOOR, PUMP, small_facility, text

START_NS = 1_800_000_000 * NS_PER_S
SETPOINT, LOCK, ALARM = "pump-1/speed_setpoint", "door-1/lock", "detector-101/alarm"
HOUR_S = 3600.0


def commanded_facility() -> Facility:
    """Return the small facility whose pump takes a speed and whose door a lock."""
    small = small_facility()
    speed = PointDefinition(kind=PointKind.ANALOG, name=text("Speed set-point"), unit="rpm", range=(0, 3000))
    lock = PointDefinition(kind=PointKind.BINARY, name=text("Lock"), states={"unlocked": 0, "locked": 1})
    added = {PUMP: ("speed_setpoint", speed), DOOR: ("lock", lock)}
    assets = dict(small.assets)
    for asset_id, (name, definition) in added.items():
        equipment = assets[asset_id].equipment_class
        richer = equipment.model_copy(update={"points": {**equipment.points, name: definition}})
        assets[asset_id] = replace(assets[asset_id], equipment_class=richer, commands=(name,))
    rows = [(asset.id, name, each) for asset in assets.values() for name, each in asset.equipment_class.points.items()]
    points = [
        Point(key=key, asset_id=owner, name=name, definition=definition)
        for key, (owner, name, definition) in enumerate(rows, start=1)
    ]
    keys = {point.address: point.key for point in points}
    rules = {
        number: replace(rule, point_key=keys[f"{rule.asset_id}/{rule.definition.point}"])
        for number, rule in small.rules.items()
    }
    return replace(small, assets=assets, points={point.key: point for point in points}, rules=rules)


def key_of(facility: Facility, address: str) -> int:
    """Return the key of a point by its address."""
    return next(key for key, point in facility.points.items() if point.address == address)


def writable(point: Point, **changes: object) -> Writable:
    """Return what a profile might say of a point."""
    states = point.definition.states
    number = not states
    usual = Writable(
        point=point,
        low=600.0 if number else None,
        high=1480.0 if number else None,
        codes=frozenset(states.values()),
        roles=frozenset({Role.OPERATOR, Role.SUPERVISOR}),
        priority=8,
        longest_s=HOUR_S,
        release=Release.SAFE_VALUE,
        safe=1465.0 if number else 1.0,
        tolerance=1.0 if number else 0.5,
        confirm_s=0.5,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # a test names the fields it changes


@dataclass
class Plant:
    """Devices that do what they are told, unless a test says otherwise."""

    values: dict[str, float] = field(default_factory=lambda: {SETPOINT: 1465.0, LOCK: 1.0})
    writes: list[tuple[str, float | None, int]] = field(default_factory=list)
    is_silent: bool = False
    is_refusing: bool = False
    is_stubborn: bool = False
    """Takes writes and shows what it had before."""
    gate: asyncio.Event | None = None
    """Writes wait for it; ``None``: they do not."""

    async def write(self, write: PointWrite) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.is_silent:
            raise DeviceUnreachableError(write.point.asset_id, "127.0.0.1:502", 1.0)
        if self.is_refusing:
            raise DeviceRefusedError(write.point.address, "illegal data value")
        self.writes.append((write.point.address, write.value, write.priority))
        if not self.is_stubborn and write.value is not None:
            self.values[write.point.address] = write.value

    async def read(self, point: Point) -> Sample:
        if self.is_silent:
            raise DeviceUnreachableError(point.asset_id, "127.0.0.1:502", 1.0)
        return Sample(point.key, START_NS, START_NS, self.values[point.address], Quality.GOOD)


@dataclass(kw_only=True)
class Desk:
    """Where people ask for commands, over a real database."""

    database: Engine
    site: Site
    accounts: dict[Role, Account]
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START_NS))
    plant: Plant = field(default_factory=Plant)
    count: int = 0

    def key(self, address: str) -> int:
        return key_of(self.site.facility, address)

    def asked(self, address: str, value: float, **changes: object) -> Request:
        self.count += 1
        usual = Request(
            request_id=f"request-{self.count}",
            point_key=self.key(address),
            value=value,
            hold_s=None,
            reason="night set-back",
            holder=None,
        )
        return replace(usual, **changes)  # type: ignore[arg-type]  # a test names the fields it changes

    def ask(self, asked: Request, role: Role = Role.OPERATOR) -> Command:
        with self.database.begin() as connection:
            return service.request(connection, self.site, asked, actor=self.accounts[role], now_ns=self.clock.now_ns())

    def take_back(self, command: Command, role: Role = Role.OPERATOR) -> Command:
        with self.database.begin() as connection:
            return service.take_back(
                connection,
                self.site,
                command.id,
                reason="done",
                actor=self.accounts[role],
                now_ns=self.clock.now_ns(),
            )

    def now(self, command: Command) -> Command:
        with reading(self.database) as connection:
            return repository.command(connection, command.id)

    def journal(self, command: Command) -> list[tuple[str, str, str | None]]:
        """Return transition, actor and comment of every line."""
        with reading(self.database) as connection:
            lines = journal_of(connection, Topic.COMMAND, command.id)
        return [(line.transition, line.actor, line.comment) for line in lines]

    def commander(self) -> Commander:
        return Commander(
            database=self.database, devices=self.plant, site=self.site, clock=self.clock, on_change=lambda: None
        )


@contextlib.asynccontextmanager
async def at_work(commander: Commander) -> AsyncIterator[None]:
    """Run a commander until the block ends, which ends it as a stop of the process does."""
    task = asyncio.create_task(commander.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def store_site(database: Engine, facility: Facility) -> None:
    """Store a facility; in an empty database its keys come out as it has them."""
    description = SiteDescription(
        site_id=facility.site_id,
        name=facility.name,
        time_zone=facility.time_zone,
        spaces=facility.spaces,
        connections=facility.connections,
        assets=facility.assets,
        rules={asset_id: {} for asset_id in facility.assets},
    )
    with database.begin() as connection:
        import_site(connection, description, author="test", reason="test", now_ns=START_NS)


def writables_of(facility: Facility, **changes: object) -> dict[int, Writable]:
    """Return what may be commanded of the facility: the pump's speed and the door's lock."""
    points = [facility.points[key_of(facility, address)] for address in (SETPOINT, LOCK)]
    return {point.key: writable(point, **changes) for point in points}


def desk_over(database: Engine, **changes: object) -> Desk:
    """Return a desk whose pump and door may be commanded."""
    facility = commanded_facility()
    store_site(database, facility)
    with database.begin() as connection:
        accounts = {
            role: employ(connection, role) for role in (Role.OPERATOR, Role.SUPERVISOR, Role.ENGINEER, Role.TECHNICIAN)
        }
    site = Site(facility=facility, writables=writables_of(facility, **changes))
    return Desk(database=database, site=site, accounts=accounts)
