"""From an unknown panel to alarms: what discovery drafts runs as it stands."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import app.demo.demo
from alarms.tables import alarm_episode
from app.cli import cli
from app.system import System, flowing, open_system
from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.model import Asset
from facility.quality import Quality
from facility.settings import Settings
from facility.site_file import read_site
from facility.storage.database import reading
from facility.storage.tables import rule
from gateway.drivers.bacnet.discovery import FoundDevice, discover
from gateway.onboarding.folder import write_draft
from gateway.onboarding.workshop import bacnet_connections, open_workshop
from gateway.site_check import check_site
from simulators.fire.wire import FirePanelWire
from tests.app.processes import inherited
from tests.gateway.driver_site import until
from tests.servers import free_port
from tests.simulators.modbus_client import running

CLOCK = SystemClock()
WITHIN_S = 10.0


async def watchkeeper(*arguments: str) -> tuple[int, str]:
    """Run a command; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.cli",
        *arguments,
        env=inherited(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@contextlib.asynccontextmanager
async def harbour_tower_panel() -> AsyncIterator[tuple[int, FirePanelWire, list[Asset]]]:
    """Play the demo's fire panel; gives its port, the panel and the assets that the demo knows it by."""
    port = free_port()
    site = read_site(app.demo.demo.SITE_FILE, load_classes(), {"WATCHKEEPER_BACNET_PORT": str(port)})
    assets = [asset for asset in site.assets.values() if asset.connection_id == "fire"]
    wire = FirePanelWire(site.connections["fire"], assets, clock=CLOCK, seed=1)
    async with running(wire):
        yield port, wire, assets


def good_points(system: System) -> set[tuple[str, str]]:
    """Return asset and name of every point whose newest sample is good."""
    _, values = system.services.latest.changed_since(0)
    points = system.facility.points
    return {
        (points[each.point].asset_id, points[each.point].name)
        for each in values
        if each.source_time_ns and each.quality == Quality.GOOD
    }


def alarms(system: System) -> list[tuple[str, str]]:
    """Return asset and rule of every episode so far."""
    statement = select(alarm_episode.c.asset_id, rule.c.name).join(rule, rule.c.id == alarm_episode.c.rule_id)
    with reading(system.database) as connection:
        return [(row.asset_id, row.name) for row in connection.execute(statement)]


async def test_the_demos_fire_panel_is_discovered_drafted_and_runs_unedited(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    async with harbour_tower_panel() as (port, wire, assets):
        code, said = await watchkeeper("gateway", "discover", "bacnet", f"127.0.0.1:{port}", "--draft", str(draft))
        assert code == 0, said
        assert "24 smoke-detector, 4 manual-call-point, 1 fire-panel; 0 new profiles, 1 left out" in said
        drafted = check_site(draft / "site.yaml", load_classes(), {})
        assert {asset.id: asset.address for asset in drafted.assets.values()} == {
            asset.id: asset.address for asset in assets
        }
        settings = Settings(data_dir=tmp_path / "data", site_file=draft / "site.yaml")
        with open_system(settings, clock=CLOCK) as system:
            every = {(point.asset_id, point.name) for point in system.facility.points.values()}
            assert len(every) == 24 * 3 + 4 + 5
            async with flowing(system):
                await until(lambda: good_points(system) == every)
                assert alarms(system) == []
                call_point = next(device for device in wire.devices if device.asset_id == "call-point-12")
                call_point.inject("activated", CLOCK.now_ns())
                await until(lambda: ("call-point-12", "activated") in alarms(system))


async def test_a_probe_says_what_is_wrong_with_a_point_and_fails(tmp_path: Path) -> None:
    async with harbour_tower_panel() as (port, _, _):
        site = tmp_path / "site.yaml"
        draft_of(await discover("127.0.0.1", port, timeout_s=WITHIN_S), port, tmp_path)
        site.write_text(site.read_text().replace("address: {instance: 101}", "address: {instance: 999}"))
        code, said = await watchkeeper("gateway", "probe", "--site", str(site), "detector-101")
        assert code == 1
        assert said.count("the device does not have it") == 3, said


def draft_of(devices: Sequence[FoundDevice], port: int, folder: Path) -> None:
    """Draft devices into a folder."""
    workshop = open_workshop()
    draft = workshop.draft(workshop.recognised(bacnet_connections(devices, "127.0.0.1", port)), "a test")
    write_draft(folder, draft, classes=workshop.classes, force=False)


def test_a_draft_never_overwrites_what_is_there_unless_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("name;register;unit\nPump flow;1;m3/h\nPump speed;2;rpm\n")
    (tmp_path / "site.yaml").write_text("mine\n")
    command = ["gateway", "import", "csv", str(tmp_path / "list.csv"), "--class", "pump", "--draft", str(tmp_path)]
    refused = CliRunner().invoke(cli, command)
    assert (refused.exit_code, "would be overwritten" in refused.output) == (2, True), refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv", "site.yaml"]
    assert (tmp_path / "site.yaml").read_text() == "mine\n"
    taken = CliRunner().invoke(cli, [*command, "--force"])
    assert (taken.exit_code, "1 pump; 1 new profiles" in taken.output) == (0, True), taken.output
    checked = CliRunner().invoke(cli, ["site", "check", str(tmp_path / "site.yaml")])
    assert (checked.exit_code, "1 assets on 1 connections" in checked.output) == (0, True), checked.output


@pytest.mark.parametrize("protocol", ["bacnet", "mqtt", "modbus"])
def test_where_nobody_answers_the_command_says_what_to_check(protocol: str) -> None:
    result = CliRunner().invoke(cli, ["gateway", "discover", protocol, f"127.0.0.1:{free_port()}"])
    assert (result.exit_code, "Check its power" in result.output) == (2, True), result.output


def test_site_check_tells_a_profiles_mistake_at_its_line_and_an_assets_at_its_own(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/pump-x.yaml").write_text(
        "profile: pump-x\nclass: pump\nprotocol: modbus\nsettings: {unit: '{unit}'}\npoints:\n  flaw: {register: 1}\n"
        "  speed: {register: 2}\n"
    )
    (tmp_path / "site.yaml").write_text(
        "site: {id: s, name: S, time_zone: UTC}\nspaces: [{id: a, kind: building}]\n"
        "connections: [{id: m, protocol: modbus, host: 127.0.0.1, port: 502}]\nassets:\n"
        "  - {id: pump-1, class: pump, profile: pump-x, address: {unit: 1}}\n"
        "  - {id: pump-2, class: pump, profile: pump-x, address: {}}\n"
        "  - {id: pump-3, class: pump, profile: pump-y, address: {unit: 3}}\n"
    )
    result = CliRunner().invoke(cli, ["site", "check", str(tmp_path / "site.yaml")])
    assert result.exit_code == 2
    told = [line.removeprefix(f"{tmp_path}/") for line in result.output.splitlines()]
    assert told == [
        "profiles/pump-x.yaml:6: class 'pump' has no point 'flaw'; did you mean 'flow'?",
        "site.yaml:6: pump-2: profile 'pump-x' needs unit under 'address'",
        "site.yaml:7: pump-3: no profile 'pump-y'; did you mean 'pump-x'?",
    ]
