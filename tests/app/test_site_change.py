"""A site changed while everything runs, on real wires: what the file does not change goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from alarms.tables import alarm_episode
from app.system import System, flowing, open_system
from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.errors import ConfigurationError
from facility.model import SiteDescription
from facility.settings import Settings
from facility.site_file import parse_site
from facility.storage.database import reading
from facility.storage.tables import configuration_change
from gateway.commands.lifecycle import CommandState
from gateway.commands.model import Request
from gateway.commands.repository import command
from gateway.commands.service import request
from people.model import Account, Role
from simulators.pumps.wire import PumpWire
from tests.databases import employ
from tests.gateway.driver_site import until
from tests.gateway.relay import Relay
from tests.servers import free_port

HEAD = """\
site: {{id: house, name: House, time_zone: Asia/Shanghai}}
spaces: [{{id: house, kind: building}}]
connections:
  - {{id: old, protocol: modbus, host: 127.0.0.1, port: {old}}}
  - {{id: new, protocol: modbus, host: 127.0.0.1, port: {new}}}
assets:
  - {{id: pump-1, class: pump, profile: pump-vfd-a, connection: old, address: {{unit: 1}}, commands: [speed_setpoint]}}
"""
SECOND = "  - {{id: pump-2, class: pump, profile: pump-vfd-b, connection: new, address: {{unit: 2}}{more}}}\n"


@dataclass
class House:
    """A running system over two simulated pumps, each reached through a relay of its own."""

    system: System
    engineer: Account
    relays: dict[str, Relay]
    ports: dict[str, int]

    def site(self, *, second: str | None = None) -> str:
        """Return the site file; ``second``: what the second pump says besides, ``None``: there is none."""
        text = HEAD.format(**self.ports)
        return text + ("" if second is None else SECOND.format(more=second))

    async def change(self, text: str) -> None:
        site = self.system.services.site
        assert site is not None
        await asyncio.to_thread(site.change, text, author=self.engineer, reason="a second pump")

    def value(self, address: str) -> float | None:
        """Return the newest value of a point; ``None`` for none."""
        points = {point.address: key for key, point in self.system.services.facility.points.items()}
        values = {row.point: row.value for row in self.system.services.latest.changed_since(0)[1]}
        return values.get(points[address])


@contextlib.asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    server, ports = free_port(), {"old": free_port(), "new": free_port()}
    relays = {name: Relay(server) for name in ports}
    site_file = folder / "site.yaml"
    site_file.write_text(HEAD.format(**ports), encoding="utf-8")
    settings = Settings(site_file=site_file, data_dir=folder / "data")
    clock = SystemClock()
    with open_system(settings, clock=clock) as system:
        with system.database.begin() as connection:
            engineer = employ(connection, Role.ENGINEER)
        async with contextlib.AsyncExitStack() as stack:
            pumps = asyncio.create_task(two_pumps(server, clock).run())
            stack.push_async_callback(ended, pumps)
            for name, relay in relays.items():
                await stack.enter_async_context(relay.listening(ports[name]))
            await stack.enter_async_context(flowing(system))
            found = House(system, engineer, relays, ports)
            await until(lambda: found.value("pump-1/speed") is not None)
            yield found


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def two_pumps(port: int, clock: SystemClock) -> PumpWire:
    """Return simulated pumps behind one port, of both makes."""

    text = HEAD.format(old=port, new=port + 1) + SECOND.format(more="").replace("connection: new", "connection: old")
    site: SiteDescription = parse_site("pumps.yaml", text, load_classes(), {})
    return PumpWire(site.connections["old"], list(site.assets.values()), clock=clock, seed=1)


async def test_a_second_pump_is_read_and_the_first_ones_session_alarms_and_command_stay(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        system = found.system
        asked = Request(
            request_id="request-1",
            point_key=next(key for key, each in system.facility.points.items() if each.name == "speed_setpoint"),
            value=900.0,
            hold_s=600.0,
            reason="night",
            holder=None,
        )
        with system.database.begin() as connection:
            made = request(
                connection, system.services.command_site, asked, actor=found.engineer, now_ns=SystemClock().now_ns()
            )

        def state() -> CommandState:
            with reading(system.database) as connection:
                return command(connection, made.id).state

        await until(lambda: state() is CommandState.CONFIRMED)
        await until(lambda: (found.value("pump-1/speed") or 9999.0) < 1000.0)

        await found.change(found.site(second=""))

        await until(lambda: found.value("pump-2/speed") is not None)
        assert found.relays["old"].sessions == 1, "the untouched connection was closed"
        assert state() is CommandState.CONFIRMED
        assert found.value("pump-1/speed_setpoint") == 900.0
        with reading(system.database) as connection:
            change = connection.execute(
                select(configuration_change).where(configuration_change.c.entity == "pump-2")
            ).one()
        assert (change.author, change.reason) == ("engineer", "a second pump")

        await found.change(found.site())
        await until(lambda: found.relays["new"].open == 0)
        assert set(system.services.connections) == {"old"}


async def test_a_new_limit_raises_at_the_next_sample_and_a_removed_rule_closes_its_alarm(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        strict = "commands: [speed_setpoint], rules: {winding_temperature_high: {limits: {high: 1}, on_delay_s: 0}}"
        off = "commands: [speed_setpoint], rules: {winding_temperature_high: {enabled: false}}"
        text = found.site()

        def open_alarms() -> int:
            with reading(found.system.database) as connection:
                rows = select(alarm_episode.c.id).where(alarm_episode.c.closed_at_ns.is_(None))
                return len(connection.execute(rows).all())

        await found.change(text.replace("commands: [speed_setpoint]", strict))
        await until(lambda: open_alarms() == 1)
        await found.change(text.replace("commands: [speed_setpoint]", off))
        assert open_alarms() == 0
        assert found.relays["old"].sessions == 1


async def test_an_edited_matrix_makes_a_standing_alarm_more_urgent(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        strict = "commands: [speed_setpoint], rules: {winding_temperature_high: {limits: {high: 1}, on_delay_s: 0}}"
        text = found.site().replace("commands: [speed_setpoint]", strict)

        def priorities() -> list[int]:
            with reading(found.system.database) as connection:
                return list(connection.scalars(select(alarm_episode.c.priority)))

        await found.change(text)
        await until(lambda: priorities() == [3])
        await found.change(text + "priority_matrix: {moderate: {prompt: 2, soon: 2}}\n")
        await until(lambda: priorities() == [2])
        await found.change(text)
        await until(lambda: priorities() == [3])


async def test_a_file_with_mistakes_names_them_all_and_disturbs_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        before = found.system.services.facility
        wrong = found.site(second=", commands: [sped, flow]").replace("pump-vfd-a", "pump-vfd-c")
        with pytest.raises(ConfigurationError) as caught:
            await found.change(wrong)
        assert "pump has no point 'sped'" in str(caught.value)
        with pytest.raises(ConfigurationError) as caught:
            await found.change(wrong.replace("sped, ", ""))
        assert {"no profile 'pump-vfd-c'", "does not say how to write flow"} <= {
            part
            for mistake in caught.value.mistakes
            for part in ("no profile 'pump-vfd-c'", "does not say how to write flow")
            if part in mistake.message
        }
        assert found.system.services.facility is before
        assert found.relays["old"].sessions == 1
        assert found.relays["new"].sessions == 0
