"""Commands to a real BACnet device: what is written, who holds a point, and what is never touched."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from facility.equipment import PointKind, System
from facility.errors import DeviceRefusedError, DeviceUnreachableError
from facility.model import Point, Protocol
from facility.quality import Quality
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.events import ConnectionState
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.servers import free_port

SLOW = {"reconcile_s": 3600, "poll_s": 3600, "cov_lifetime_s": 60}
SETPOINT, DAMPER, MODE, DETECTOR, GHOST = range(1, 6)


def air_handler(system: System = System.LIFT) -> DeviceConfig:
    points: dict[str, PointPlace] = {
        "setpoint": (analog("degC"), {"object": "analog-output,1", "scale": 0.1}),
        "damper": (
            states(PointKind.BINARY, shut=0, open=1),
            {"object": "binary-output,1", "states": {"inactive": "shut", "active": "open"}},
        ),
        "mode": (
            states(PointKind.MULTISTATE, off=0, low=1, high=2),
            {"object": "multi-state-output,1", "states": {1: "off", 2: "low", 3: "high"}},
        ),
        "detector": (states(PointKind.MULTISTATE, quiet=0, alarm=2), {"object": "life-safety-point,101"}),
        "ghost": (analog(), {"object": "analog-output,99"}),
    }
    unit = device("ahu-1", SETPOINT, points, SLOW)
    equipment = unit.asset.equipment_class.model_copy(update={"system": system})
    return dataclasses.replace(unit, asset=dataclasses.replace(unit.asset, equipment_class=equipment))


def point_of(config: DriverConfig, key: int) -> Point:
    return next(point for point in config.devices[0].points if point.key == key)


@dataclasses.dataclass
class Plant:
    panel: FieldDevice
    driver: BacnetDriver
    config: DriverConfig
    collector: Collector

    async def write(self, key: int, value: float | None, priority: int = 8) -> None:
        await self.driver.write(PointWrite(point=point_of(self.config, key), value=value, priority=priority))

    def shown(self, kind: str) -> str:
        return str(self.panel.object(kind, 1).presentValue)


@pytest_asyncio.fixture
async def plant() -> AsyncIterator[Plant]:
    panel, collector = FieldDevice(free_port()), Collector()
    config = driver_config(Protocol.BACNET_IP, panel.port, (air_handler(),), collector, options={"timeout_s": 0.2})
    driver = BacnetDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        yield Plant(panel, driver, config, collector)
    panel.stop()


async def test_a_setpoint_is_written_in_the_objects_own_unit_and_taken_back(plant: Plant) -> None:
    await plant.write(SETPOINT, 2.25)
    assert plant.panel.object("analog-output", 1).presentValue == pytest.approx(22.5)
    sample = await plant.driver.read(point_of(plant.config, SETPOINT))
    assert sample.value == pytest.approx(2.25)
    assert sample.quality is Quality.GOOD
    await plant.write(SETPOINT, None)
    assert plant.panel.object("analog-output", 1).presentValue == pytest.approx(20.0)


async def test_a_damper_and_a_mode_are_written_as_the_states_they_have_on_the_wire(plant: Plant) -> None:
    await plant.write(DAMPER, 1.0)
    await plant.write(MODE, 2.0)
    assert plant.shown("binary-output") == "active"
    assert plant.shown("multi-state-output") == "3"
    await until(lambda: plant.collector.last(MODE) == (2.0, Quality.GOOD))


async def test_a_command_that_a_higher_priority_would_hold_back_is_refused_and_leaves_nothing_behind(
    plant: Plant,
) -> None:
    await plant.write(MODE, 2.0, priority=8)
    with pytest.raises(DeviceRefusedError, match="priority 8 holds it at 3"):
        await plant.write(MODE, 1.0, priority=12)
    await plant.write(MODE, None, priority=8)
    assert plant.shown("multi-state-output") == "1"


@pytest.mark.parametrize(
    ("key", "value", "priority", "reason"),
    [
        (DETECTOR, 0.0, 8, "only read"),
        (SETPOINT, 2.0, 7, "priority 7"),
        (MODE, 7.0, 8, "it has no word for the state"),
        (GHOST, 1.0, 8, "unknown-object"),
    ],
)
async def test_what_must_not_be_written_is_refused_with_a_reason(
    plant: Plant, key: int, value: float, priority: int, reason: str
) -> None:
    with pytest.raises(DeviceRefusedError, match=reason):
        await plant.write(key, value, priority)


async def test_no_point_of_a_fire_system_is_ever_written() -> None:
    config = driver_config(Protocol.BACNET_IP, free_port(), (air_handler(System.FIRE),), Collector())
    with pytest.raises(DeviceRefusedError, match="only read"):
        await BacnetDriver(config).write(PointWrite(point=point_of(config, DAMPER), value=1.0, priority=8))


async def test_a_point_that_the_device_does_not_have_cannot_be_read_back(plant: Plant) -> None:
    with pytest.raises(DeviceRefusedError, match="unknown-object"):
        await plant.driver.read(point_of(plant.config, GHOST))


async def test_a_device_that_is_away_is_told_from_one_that_refuses(plant: Plant) -> None:
    plant.panel.stop()
    with pytest.raises(DeviceUnreachableError):
        await plant.write(MODE, 2.0)
    with pytest.raises(DeviceUnreachableError):
        await plant.driver.read(point_of(plant.config, MODE))
    plant.panel.start()


async def test_the_figures_of_each_asset_count_what_was_asked_of_it(plant: Plant) -> None:
    unit = plant.config.status.units["ahu-1"]
    assert unit.state is ConnectionState.UP
    assert unit.requests >= 1
    assert sum(unit.latency.counts) >= 1
    assert unit.last_good_ns > 0
    assert unit.refusals >= 1, "one of its objects does not exist"


async def test_a_command_does_not_wait_behind_the_polls_of_a_slow_device() -> None:
    panel, collector = FieldDevice(free_port(), analogs=120, has_multiple=False), Collector()
    polled: dict[str, PointPlace] = {f"v{n}": (analog(), {"object": f"analog-input,{n}"}) for n in range(1, 121)}
    devices = (air_handler(), device("many", 100, polled, {"poll_s": 0.05, "reconcile_s": 0.05, "cov": False}))
    config = driver_config(Protocol.BACNET_IP, panel.port, devices, collector, options={"timeout_s": 5.0})
    driver = BacnetDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        panel.answer_after(0.05)
        unit = config.status.units["many"]
        before = unit.requests
        await until(lambda: unit.requests > before + 4)  # a reading of hundreds of slow requests is under way
        before = unit.requests
        await driver.write(PointWrite(point=point_of(config, MODE), value=2.0, priority=8))
        assert unit.requests - before < 20, "two requests of its own, and the few polls that were out already"
        assert str(panel.object("multi-state-output", 1).presentValue) == "3"
    await until(lambda: panel.thinking == 0)
    panel.stop()
