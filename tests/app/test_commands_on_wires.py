"""Commands through a whole running system to devices on real wires: Modbus, MQTT and BACnet."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.system import System, flowing, open_system
from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.model import Protocol, SiteDescription
from facility.settings import Settings
from facility.site_file import parse_site
from facility.storage.database import metadata, open_database, reading
from gateway.commands.commander import Commander
from gateway.commands.lifecycle import CommandState
from gateway.commands.model import Command, Release, Request
from gateway.commands.repository import command
from gateway.commands.service import request, take_back
from gateway.drivers.driver import DeviceConfig
from gateway.gateway import Gateway
from people.model import Account, Role
from people.service import accounts
from simulators.doors.wire import DoorWire
from simulators.lifts.wire import LiftWire
from simulators.pumps.wire import PumpWire
from tests.databases import employ
from tests.facilities import PUMP
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.commanded import SETPOINT, at_work, desk_over, key_of
from tests.gateway.driver_site import Collector, driver_config, until
from tests.servers import Mosquitto, free_port

PUMPS = """\
site: {{id: house, name: House, time_zone: Asia/Shanghai}}
spaces: [{{id: house, kind: building}}]
connections: [{{id: pumps, protocol: modbus, host: 127.0.0.1, port: {port}, options: {{timeout_s: 0.5}}}}]
defaults: {{pump: {{commands: [speed_setpoint]}}}}
assets:
  - {{id: pump-1, class: pump, profile: pump-vfd-a, address: {{unit: 1}}}}
  - {{id: pump-2, class: pump, profile: pump-vfd-b, address: {{unit: 2}}}}
"""
DOORS = """\
site: {{id: house, name: House, time_zone: Asia/Shanghai}}
spaces: [{{id: house, kind: building}}]
connections: [{{id: broker, protocol: mqtt, host: 127.0.0.1, port: {port}, options: {{client_id: "{root}"}}}}]
assets:
  - {{id: door-1, class: door, address: {{root: "{root}/door-1"}}, commands: [lock]}}
  - {{id: lift-1, class: lift, address: {{root: "{root}/lift-1"}}, commands: [mode]}}
"""


@dataclass
class House:
    """A running system, and somebody who commands."""

    system: System
    operator: Account

    def ask(self, address: str, value: float, *, hold_s: float = 600.0) -> Command:
        asked = Request(
            request_id=uuid.uuid4().hex,
            point_key=key_of(self.system.facility, address),
            value=value,
            hold_s=hold_s,
            reason="test",
            holder=None,
        )
        services = self.system.services
        with self.system.database.begin() as connection:
            return request(
                connection, services.command_site, asked, actor=self.operator, now_ns=services.clock.now_ns()
            )

    def take_back(self, made: Command) -> None:
        services = self.system.services
        with self.system.database.begin() as connection:
            take_back(
                connection,
                services.command_site,
                made.id,
                reason="done",
                actor=self.operator,
                now_ns=services.clock.now_ns(),
            )

    async def reaches(self, made: Command, state: CommandState) -> Command:
        def now() -> Command:
            with reading(self.system.database) as connection:
                return command(connection, made.id)

        await until(lambda: now().state is state)
        return now()

    def shows(self, address: str) -> float | None:
        """Return a point's newest value; ``None`` for none."""
        key = key_of(self.system.facility, address)
        return next((row.value for row in self.system.services.latest.changed_since(0)[1] if row.point == key), None)


@contextlib.asynccontextmanager
async def house(folder: Path, text: str) -> AsyncIterator[House]:
    """Start a system on a folder; again on the same folder it is the same system after a restart."""
    site_file = folder / "site.yaml"
    site_file.write_text(text, encoding="utf-8")
    settings = Settings(site_file=site_file, data_dir=folder / "data")
    with open_system(settings, clock=SystemClock()) as system:
        with system.database.begin() as connection:
            operator = next(iter(accounts(connection)), None) or employ(connection, Role.OPERATOR)
        async with flowing(system):
            yield House(system, operator)


@contextlib.asynccontextmanager
async def playing(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run simulated devices until the block ends."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def site_of(text: str) -> SiteDescription:
    return parse_site("site.yaml", text, load_classes(), {})


def pumps_of(text: str) -> Coroutine[Any, Any, None]:
    site = site_of(text)
    return PumpWire(site.connections["pumps"], list(site.assets.values()), clock=SystemClock(), seed=1).run()


async def test_pumps_of_both_makes_take_a_speed_over_modbus_and_get_their_own_back(tmp_path: Path) -> None:
    text = PUMPS.format(port=free_port())
    async with playing(pumps_of(text)), house(tmp_path, text) as found:
        await until(lambda: found.shows("pump-1/speed") and found.shows("pump-2/speed"))
        made = [found.ask(f"{pump}/speed_setpoint", 1100.0) for pump in ("pump-1", "pump-2")]
        for each in made:
            confirmed = await found.reaches(each, CommandState.CONFIRMED)
            assert confirmed.shown == pytest.approx(1100.0)
        await until(lambda: (found.shows("pump-1/speed") or 0.0) < 1110.0 > (found.shows("pump-2/speed") or 0.0))
        for each in made:
            found.take_back(each)
            await found.reaches(each, CommandState.RELINQUISHED)
        await until(lambda: found.shows("pump-1/speed_setpoint") == found.shows("pump-2/speed_setpoint") == 1465.0)


async def test_a_command_to_a_dead_line_fails_and_what_may_have_arrived_is_undone_when_it_lives(tmp_path: Path) -> None:
    text = PUMPS.format(port=free_port())
    async with house(tmp_path, text) as found:
        made = found.ask("pump-1/speed_setpoint", 1100.0)
        failing = await found.reaches(made, CommandState.FAILING)
        assert failing.detail is not None
        assert "did not answer" in failing.detail
        async with playing(pumps_of(text)):
            await found.reaches(made, CommandState.FAILED)


async def test_a_speed_that_expired_while_nothing_ran_is_taken_back_at_the_next_start(tmp_path: Path) -> None:
    text = PUMPS.format(port=free_port())
    async with playing(pumps_of(text)):
        async with house(tmp_path, text) as found:
            await until(lambda: found.shows("pump-2/speed"))
            made = found.ask("pump-2/speed_setpoint", 1100.0, hold_s=3.0)
            await found.reaches(made, CommandState.CONFIRMED)
        async with house(tmp_path, text) as found:
            await found.reaches(made, CommandState.EXPIRED)
            await until(lambda: found.shows("pump-2/speed_setpoint") == 1465.0)


async def test_a_door_is_unlocked_and_a_lift_withdrawn_over_a_real_broker(tmp_path: Path, mosquitto: Mosquitto) -> None:
    text = DOORS.format(port=mosquitto.port, root=f"commands-{uuid.uuid4().hex}")
    site, clock = site_of(text), SystemClock()
    broker = site.connections["broker"]
    doors = DoorWire(broker, [site.assets["door-1"]], clock=clock, seed=1)
    lifts = LiftWire(broker, [site.assets["lift-1"]], clock=clock, seed=1)
    async with playing(doors.run(), lifts.run()), house(tmp_path, text) as found:
        await until(lambda: found.shows("door-1/lock") is not None and found.shows("lift-1/mode") is not None)
        unlocked, withdrawn = found.ask("door-1/lock", 0.0), found.ask("lift-1/mode", 3.0)
        await found.reaches(unlocked, CommandState.CONFIRMED)
        await found.reaches(withdrawn, CommandState.CONFIRMED)
        assert found.shows("lift-1/mode") == 3.0
        found.take_back(withdrawn)
        await found.reaches(withdrawn, CommandState.RELINQUISHED)
        await until(lambda: found.shows("lift-1/mode") == 0.0)


async def test_a_bacnet_command_takes_its_slot_of_the_priority_array_and_frees_it_at_its_expiry(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    metadata.create_all(database)
    desk = desk_over(database, release=Release.RELINQUISH, safe=None, priority=10, confirm_s=5.0)
    panel = FieldDevice(free_port())
    point = desk.site.facility.points[desk.key(SETPOINT)]
    pump = DeviceConfig(
        asset=desk.site.facility.assets[PUMP],
        points=(point,),
        settings={},
        mapping={point.name: {"object": "analog-output,1"}},
        writes={point.name: {}},
    )
    gateway = Gateway([driver_config(Protocol.BACNET_IP, panel.port, (pump,), Collector())])
    commander = Commander(database=database, devices=gateway, site=desk.site, clock=desk.clock, on_change=lambda: None)

    def slot() -> float | None:
        value = panel.object("analog-output", 1).priorityArray[9]
        return None if value.null is not None else value.real

    async with playing(gateway.run()), at_work(commander):
        await until(lambda: gateway.statuses["line"].last_good_ns)
        made = desk.ask(desk.asked(SETPOINT, 1200.0, hold_s=60.0))
        await until(is_in(desk.now, made, CommandState.CONFIRMED))
        assert slot() == 1200.0
        desk.clock.advance(60.0)
        await until(is_in(desk.now, made, CommandState.EXPIRED))
        assert slot() is None
        assert panel.object("analog-output", 1).presentValue == 20.0
    panel.stop()
    database.dispose()


def is_in(now: Callable[[Command], Command], made: Command, state: CommandState) -> Callable[[], bool]:
    """Return a condition: the command is in a state."""
    return lambda: now(made).state is state
