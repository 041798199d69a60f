"""The simulated fire panel as the gateway sees it and as another maker's workstation does."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

import app.demo
from facility.class_files import load_classes
from facility.clock import SystemClock
from facility.errors import DeviceRefusedError
from facility.model import Connection, Facility, Point, Protocol
from facility.quality import Quality
from facility.site_file import read_site
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.profiles import driver_configs, load_profiles
from simulators.fire.wire import FirePanelWire
from tests.gateway.driver_site import Collector, running, until
from tests.servers import free_port
from tests.simulators.modbus_client import running as simulated

DETECTORS = [100 * zone + index for zone in range(1, 5) for index in range(1, 7)]


def tower_config(port: int, collector: Collector) -> tuple[DriverConfig, FirePanelWire]:
    """Return the driver's configuration and the panel of the demo's fire system, moved to a port."""
    site = read_site(Path(app.demo.__file__).with_name("harbour_tower.yaml"), load_classes(), {})
    assets = {name: asset for name, asset in site.assets.items() if asset.connection_id == "fire"}
    connection = Connection(id="fire", protocol=Protocol.BACNET_IP, host="127.0.0.1", port=port)
    points = (
        (asset.id, name, definition)
        for asset in assets.values()
        for name, definition in asset.equipment_class.points.items()
    )
    facility = Facility(
        site_id=site.site_id,
        name=site.name,
        time_zone=site.time_zone,
        spaces=site.spaces,
        connections={"fire": connection},
        assets=assets,
        points={
            key: Point(key=key, asset_id=asset, name=name, definition=definition)
            for key, (asset, name, definition) in enumerate(points, start=1)
        },
        rules={},
    )
    (config,) = driver_configs(facility, load_profiles(), clock=SystemClock(), deliver=collector)
    return config, FirePanelWire(connection, list(assets.values()), clock=SystemClock(), seed=1)


def keys(config: DriverConfig) -> dict[str, Point]:
    return {point.address: point for device in config.devices for point in device.points}


async def test_all_detectors_of_the_demo_are_read_and_a_fire_is_seen_at_the_right_one() -> None:
    collector = Collector()
    config, panel = tower_config(free_port(), collector)
    points = keys(config)
    async with simulated(panel), running(BacnetDriver(config)):
        await until(lambda: all(collector.of(point.key) for point in points.values()))
        for number in DETECTORS:
            assert collector.last(points[f"detector-{number}/state"].key) == (0.0, Quality.GOOD)
        (burning,) = (device for device in panel.devices if device.asset_id == "detector-302")
        burning.inject("false_alarm", SystemClock().now_ns())
        await until(lambda: collector.last(points["detector-302/state"].key) == (2.0, Quality.GOOD))
        await until(lambda: collector.last(points["fire-panel-1/panel_state"].key) == (2.0, Quality.GOOD))
        assert collector.last(points["detector-101/state"].key) == (0.0, Quality.GOOD)


async def test_neither_we_nor_anybody_else_operates_the_panel() -> None:
    config, _ = tower_config(free_port(), Collector())
    driver = BacnetDriver(config)
    for point in keys(config).values():
        with pytest.raises(DeviceRefusedError, match="only read"):
            await driver.write(PointWrite(point=point, value=1.0, priority=8))


async def test_a_workstation_made_of_bac0_reads_the_panel() -> None:
    port = free_port()
    _, panel = tower_config(port, Collector())
    asked = {
        "life-safety-point 101 presentValue": "quiet",
        "life-safety-zone 1 presentValue": "quiet",
        "binary-input 2 presentValue": "inactive",
        "analog-input 1406 units": "degrees-celsius",
        "device 2001 objectName": "fire-panel-1",
    }
    question = json.dumps({"port": port, "own_port": free_port(), "ask": list(asked)})
    async with simulated(panel):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "tests.simulators.bac0_client"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate(question.encode())
    assert json.loads(output.decode().splitlines()[-1]) == list(asked.values())
