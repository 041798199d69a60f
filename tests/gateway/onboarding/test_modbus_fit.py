"""A unit found on a line gets the shipped profile that reads it, and no other."""

from __future__ import annotations

from pathlib import Path

from facility.clock import SystemClock
from facility.model import Connection, Protocol
from gateway.onboarding.folder import write_draft
from gateway.onboarding.modbus_survey import Wanted, survey
from gateway.onboarding.workshop import open_workshop, recognised_units
from gateway.site_check import check_site
from tests.app.troubled_plant import registers_a, registers_b
from tests.gateway.modbus_server import FakeUnit, serving
from tests.servers import free_port

SETPOINT = [0, 0]
"""Registers of the speed that is asked for, behind those of what is measured."""


async def test_two_makes_of_drives_are_told_apart_and_a_stranger_is_left_to_a_person(tmp_path: Path) -> None:
    port = free_port()
    connection = Connection(id="line", protocol=Protocol.MODBUS, host="127.0.0.1", port=port)
    wanted = Wanted(units=[1, 2, 3], first=0, last=120, function=3, rate_hz=1000.0)
    workshop = open_workshop()
    units = {
        1: FakeUnit([*registers_a(), *SETPOINT]),
        2: FakeUnit([*registers_b(), *SETPOINT], missing=set(range(100))),
        3: FakeUnit([0xFFFF] * 120),
    }
    async with serving(port, units):
        found = [unit async for unit in survey(connection, wanted)]
        recognised = await recognised_units(workshop, found, connection, {}, wanted, clock=SystemClock())
    draft = workshop.draft(recognised, "a test")
    write_draft(tmp_path, draft, classes=workshop.classes, force=False)
    site = check_site(tmp_path / "site.yaml", workshop.classes, {})
    assert {asset.profile: dict(asset.address) for asset in site.assets.values()} == {
        "pump-vfd-a": {"unit": 1},
        "pump-vfd-b": {"unit": 2},
    }
    assert "# Unit 3 has the registers 0-119, and no shipped profile fits" in (tmp_path / "site.yaml").read_text()
