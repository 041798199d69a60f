"""A BACnet driver in a process of its own does what it does in ours, and its process may die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from facility.errors import DeviceRefusedError, DeviceUnreachableError
from facility.model import Point, Protocol
from facility.quality import Quality
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.bacnet.apart import MODULE, SILENT_FOR_S, ApartDriver, open_bacnet_driver
from gateway.drivers.bacnet.pipe import Start, packed
from gateway.drivers.driver import DriverConfig, PointWrite
from gateway.events import ConnectionState
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, until
from tests.servers import free_port

VALUE, SETPOINT, GHOST = 1, 2, 3
FAST = {"reconcile_s": 0.2, "poll_s": 0.2, "cov_lifetime_s": 60}


def config_of(port: int, collector: Collector, process: str = "own", poll_s: float = 0.2) -> DriverConfig:
    points = {
        "value": (analog(), {"object": "analog-input,1"}),
        "setpoint": (analog(), {"object": "analog-output,1"}),
        "ghost": (analog(), {"object": "analog-output,99"}),
    }
    unit = device("ahu-1", VALUE, points, FAST | {"poll_s": poll_s})
    options = {"timeout_s": 0.5, "process": process}
    return driver_config(Protocol.BACNET_IP, port, (unit,), collector, options=options)


def point_of(config: DriverConfig, key: int) -> Point:
    return next(point for point in config.devices[0].points if point.key == key)


@pytest_asyncio.fixture
async def panel() -> AsyncIterator[FieldDevice]:
    device = FieldDevice(free_port())
    yield device
    device.stop()


def apart(config: DriverConfig) -> ApartDriver:
    driver = open_bacnet_driver(config)
    assert isinstance(driver, ApartDriver)
    return driver


async def test_samples_figures_readings_and_commands_come_through_the_other_process(panel: FieldDevice) -> None:
    collector = Collector()
    config = config_of(panel.port, collector)
    unit = config.status.units
    async with running(driver := apart(config)):
        await until(lambda: collector.last(VALUE) == (1.0, Quality.GOOD))
        await until(lambda: config.status.state is ConnectionState.UP)
        await until(lambda: config.status.samples > 0)
        assert unit["ahu-1"].requests > 0
        assert driver.pid != os.getpid()
        await driver.write(PointWrite(point=point_of(config, SETPOINT), value=23.5, priority=8))
        assert panel.object("analog-output", 1).presentValue == pytest.approx(23.5)
        assert (await driver.read(point_of(config, SETPOINT))).value == pytest.approx(23.5)
        with pytest.raises(DeviceRefusedError, match="unknown-object"):
            await driver.read(point_of(config, GHOST))
        panel.object("analog-input", 1).presentValue = 7.5
        await until(lambda: collector.last(VALUE) == (7.5, Quality.GOOD))
    assert driver.pid is None


async def test_a_process_that_is_killed_is_replaced_and_its_points_are_marked_meanwhile(panel: FieldDevice) -> None:
    collector = Collector()
    config = config_of(panel.port, collector)
    async with running(driver := apart(config)):
        await until(lambda: collector.last(VALUE) == (1.0, Quality.GOOD))
        first = driver.pid
        assert first
        os.kill(first, signal.SIGKILL)
        await until(lambda: Quality.BAD_COMMUNICATION in collector.qualities(VALUE))
        await until(lambda: collector.last(VALUE) == (1.0, Quality.GOOD))
        assert driver.pid not in {None, first}
        assert collector.qualities(VALUE).count(Quality.BAD_COMMUNICATION) == 1


async def test_nobody_waits_for_a_command_to_a_process_that_is_not_there(panel: FieldDevice) -> None:
    config = config_of(panel.port, Collector())
    with pytest.raises(DeviceUnreachableError):
        await apart(config).write(PointWrite(point=point_of(config, SETPOINT), value=1.0, priority=8))


async def test_the_process_ends_when_its_parent_is_gone(panel: FieldDevice) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin
    assert child.stdout
    child.stdin.write(packed(Start.of(config_of(panel.port, Collector()))))
    async with asyncio.timeout(60):
        await child.stdout.readexactly(4)
        child.stdin.close()  # as the kernel does for a parent that was killed
        await child.stdout.read()
        assert await child.wait() == 0


def test_only_a_load_that_others_would_feel_gets_a_process_of_its_own() -> None:
    assert isinstance(open_bacnet_driver(config_of(1, Collector(), "auto")), BacnetDriver)
    assert isinstance(open_bacnet_driver(config_of(1, Collector(), "auto", poll_s=0.001)), ApartDriver)
    assert isinstance(open_bacnet_driver(config_of(1, Collector(), "shared", poll_s=0.001)), BacnetDriver)


async def test_a_process_that_hangs_misses_its_word_so_that_the_watchdog_replaces_it(panel: FieldDevice) -> None:
    collector = Collector()
    config = config_of(panel.port, collector)
    loop = asyncio.get_running_loop()
    async with running(driver := apart(config)):
        await until(lambda: collector.last(VALUE) == (1.0, Quality.GOOD))
        assert driver.pid
        os.kill(driver.pid, signal.SIGSTOP)
        await until(lambda: config.pulse.late(loop.time() + SILENT_FOR_S + 1.0) is not None)
        os.kill(driver.pid, signal.SIGCONT)
        await until(lambda: config.pulse.late(loop.time() + SILENT_FOR_S - 1.0) is None)
