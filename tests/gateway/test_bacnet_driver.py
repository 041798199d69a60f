"""The BACnet driver against a real device on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from facility.equipment import PointKind
from facility.errors import ConfigurationError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.bacnet.services import CovNotification
from gateway.drivers.bacnet.tags import Enumerated
from gateway.drivers.bacnet.values import ObjectValue
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.events import ConnectionState
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.servers import free_port

OBSCURATION, CONTACT, STATE = 1, 2, 3
CODES = {"quiet": 0, "pre_alarm": 1, "alarm": 2, "fault": 3}
FAST = {"reconcile_s": 0.2, "poll_s": 0.1, "cov_lifetime_s": 60}
SLOW = {"reconcile_s": 3600, "poll_s": 3600, "cov_lifetime_s": 60}


def detector(settings: Mapping[str, Any]) -> DeviceConfig:
    names = {"quiet": "quiet", "pre-alarm": "pre_alarm", "alarm": "alarm", "fault": "fault"}
    points: dict[str, PointPlace] = {
        "obscuration": (analog(), {"object": "analog-input,1"}),
        "contact": (
            states(PointKind.BINARY, no=0, yes=1),
            {"object": "binary-input,1", "states": {"inactive": "no", "active": "yes"}},
        ),
        "state": (states(PointKind.MULTISTATE, **CODES), {"object": "life-safety-point,101", "states": names}),
    }
    return device("detector-101", OBSCURATION, points, settings)


def config_of(
    port: int, collector: Collector, *devices: DeviceConfig, options: Mapping[str, Any] | None = None
) -> DriverConfig:
    return driver_config(Protocol.BACNET_IP, port, devices, collector, options={"timeout_s": 0.2} | dict(options or {}))


@pytest_asyncio.fixture
async def panel() -> AsyncIterator[FieldDevice]:
    device = FieldDevice(free_port())
    yield device
    device.stop()


@contextlib.asynccontextmanager
async def watching(config: DriverConfig) -> AsyncIterator[None]:
    async with running(BacnetDriver(config)):
        await until(lambda: config.status.state is ConnectionState.UP)
        yield


async def test_an_alarm_of_a_detector_is_reported_at_once_and_not_at_the_next_reading(panel: FieldDevice) -> None:
    collector = Collector()
    async with watching(config_of(panel.port, collector, detector(SLOW))):
        await until(lambda: panel.subscriptions == 3)
        assert collector.last(STATE) == (0.0, Quality.GOOD)
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD), within_s=2)
        panel.object("life-safety-point", 101).presentValue = "preAlarm"
        await until(lambda: collector.last(STATE) == (1.0, Quality.GOOD), within_s=2)
        panel.object("analog-input", 1).presentValue = 4.5
        await until(lambda: collector.last(OBSCURATION) == (4.5, Quality.GOOD), within_s=2)
        panel.object("binary-input", 1).presentValue = "active"
        await until(lambda: collector.last(CONTACT) == (1.0, Quality.GOOD), within_s=2)


async def test_every_object_is_also_read_now_and_then_so_that_silence_means_something(panel: FieldDevice) -> None:
    collector = Collector()
    config = config_of(panel.port, collector, detector(FAST))
    async with watching(config):
        await until(lambda: len(collector.of(STATE)) > 8)
    assert set(collector.qualities(STATE)) == {Quality.GOOD}
    assert config.status.last_good_ns > 0


async def test_a_panel_that_forgot_its_subscribers_is_noticed_by_reading_and_reports_again(panel: FieldDevice) -> None:
    collector = Collector()
    async with watching(config_of(panel.port, collector, detector(FAST))):
        await until(lambda: panel.subscriptions == 3)
        panel.forget_subscribers()
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
        await until(lambda: panel.subscriptions == 3)


async def test_an_alarm_reported_while_a_reading_was_under_way_is_not_undone_by_the_older_answer() -> None:
    collector = Collector()
    driver = BacnetDriver(config_of(1, collector, detector(SLOW)))
    asked_at = asyncio.get_running_loop().time()
    change = CovNotification(1, 2001, ("life-safety-point", 101), 60, {"present-value": [Enumerated(2)]})
    driver.watch.on_change(change)
    assert driver.watch.take_reading(("life-safety-point", 101), ObjectValue(value="quiet"), asked_at) == ()
    assert collector.last(STATE) == (2.0, Quality.GOOD)


async def test_a_subscription_is_renewed_even_when_nothing_happens(panel: FieldDevice) -> None:
    collector = Collector()
    async with watching(config_of(panel.port, collector, detector(SLOW | {"cov_lifetime_s": 2}))):
        await until(lambda: panel.subscriptions == 3)
        panel.forget_subscribers()
        await until(lambda: panel.subscriptions == 3, within_s=5)


async def test_a_panel_that_goes_away_is_marked_once_and_watched_again_when_it_is_back(panel: FieldDevice) -> None:
    collector = Collector()
    config = config_of(panel.port, collector, detector(FAST))
    async with watching(config):
        await until(lambda: panel.subscriptions == 3)
        panel.stop()
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert config.status.detail
        await until(lambda: collector.last(STATE) is not None and collector.qualities(STATE)[-1] >= 128)
        panel.start()
        await until(lambda: config.status.state is ConnectionState.UP)
        await until(lambda: panel.subscriptions == 3)
        await until(lambda: collector.last(STATE) == (0.0, Quality.GOOD))
        for point in (OBSCURATION, CONTACT, STATE):
            assert collector.qualities(point).count(Quality.BAD_COMMUNICATION) == 1


async def test_a_panel_that_was_never_there_marks_its_points() -> None:
    collector = Collector()
    config = config_of(free_port(), collector, detector(FAST))
    async with running(BacnetDriver(config)):
        await until(lambda: config.status.state is ConnectionState.DOWN)
        await until(lambda: collector.qualities(STATE) == [Quality.BAD_COMMUNICATION])


async def test_an_object_that_does_not_exist_hides_none_of_its_neighbours(panel: FieldDevice) -> None:
    collector = Collector()
    ghost = device("ghost", 50, {"value": (analog(), {"object": "analog-input,999"})}, FAST)
    async with watching(config_of(panel.port, collector, detector(FAST), ghost)):
        await until(lambda: len(collector.of(50)) > 2)
        await until(lambda: panel.subscriptions == 3)
    assert set(collector.qualities(50)) == {Quality.BAD_CONFIGURATION}
    assert set(collector.qualities(STATE)) == {Quality.GOOD}


async def test_a_panel_that_knows_none_of_the_objects_gives_each_its_own_reason(panel: FieldDevice) -> None:
    collector = Collector()
    ghosts = {f"v{n}": (analog(), {"object": f"analog-input,{900 + n}"}) for n in range(5)}
    async with watching(config_of(panel.port, collector, device("ghost", 50, ghosts, FAST))):
        await until(lambda: all(len(collector.of(50 + n)) > 2 for n in range(5)))
    assert {quality for n in range(5) for quality in collector.qualities(50 + n)} == {Quality.BAD_CONFIGURATION}


async def test_a_faulty_sensor_is_bad_but_a_detectors_fault_state_can_still_raise_its_rule(panel: FieldDevice) -> None:
    collector = Collector()
    async with watching(config_of(panel.port, collector, detector(FAST))):
        panel.object("analog-input", 1).reliability = "noSensor"
        panel.object("life-safety-point", 101).reliability = "noSensor"
        panel.object("life-safety-point", 101).presentValue = "fault"
        await until(lambda: Quality.BAD_SENSOR_FAILURE in collector.qualities(OBSCURATION))
        await until(lambda: collector.last(STATE) == (3.0, Quality.GOOD))


async def test_a_point_that_a_person_overrides_is_uncertain(panel: FieldDevice) -> None:
    collector = Collector()
    panel.object("binary-input", 1).outOfService = True
    async with watching(config_of(panel.port, collector, detector(FAST))):
        await until(lambda: collector.last(CONTACT) == (0.0, Quality.UNCERTAIN_OUT_OF_SERVICE))


async def test_objects_that_take_no_subscription_are_polled() -> None:
    panel = FieldDevice(free_port(), takes_cov=False)
    collector = Collector()
    async with watching(config_of(panel.port, collector, detector(SLOW | {"poll_s": 0.1}))):
        await until(lambda: len(collector.of(STATE)) > 2)
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
    panel.stop()


async def test_a_small_panel_is_asked_in_batches_that_it_can_answer() -> None:
    panel = FieldDevice(free_port(), analogs=60, most_at_once=7)
    collector = Collector()
    points = {f"v{n}": (analog(), {"object": f"analog-input,{n}"}) for n in range(1, 61)}
    config = config_of(panel.port, collector, device("small", 100, points, FAST))
    driver = BacnetDriver(config)
    async with running(driver):
        await until(lambda: all(collector.of(100 + n) for n in range(60)))
        for n in range(60):
            assert collector.last(100 + n) == (float(n + 1), Quality.GOOD)
        await until(lambda: driver.watch.reader.batch.ceiling == 7)  # what it can answer at once is remembered
    panel.stop()


async def test_a_panel_without_read_property_multiple_is_read_one_by_one() -> None:
    panel = FieldDevice(free_port(), has_multiple=False)
    collector = Collector()
    async with watching(config_of(panel.port, collector, detector(FAST))):
        await until(lambda: len(collector.of(STATE)) > 3)
        panel.object("analog-input", 1).reliability = "noSensor"
        await until(lambda: Quality.BAD_SENSOR_FAILURE in collector.qualities(OBSCURATION))
    panel.stop()


async def test_a_local_port_that_is_taken_is_told_and_had_as_soon_as_it_is_free(panel: FieldDevice) -> None:
    collector = Collector()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        config = config_of(panel.port, collector, detector(FAST), options={"local_port": port})
        task = asyncio.create_task(BacnetDriver(config).run())
        await until(lambda: f"UDP port {port} of 127.0.0.1 is taken" in config.status.detail)
    await until(lambda: config.status.state is ConnectionState.UP)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_cancelled_driver_gives_its_port_back(panel: FieldDevice) -> None:
    port = free_port()
    for _ in range(2):
        config = config_of(panel.port, Collector(), detector(FAST), options={"local_port": port})
        async with watching(config):
            pass


@pytest.mark.parametrize(
    ("mapping", "settings", "message"),
    [
        ({}, {}, "detector-1/value.*type,instance"),
        ({"object": "smoke,1"}, {}, "detector-1/value.*type,instance"),
        ({"object": "analog-input,1"}, {"cov_lifetime_s": 0}, "cov_lifetime_s is 0"),
        ({"object": "analog-input,1"}, {"reconcile_s": 0}, "reconcile_s"),
    ],
)
def test_a_mapping_or_setting_that_makes_no_sense_is_told(
    mapping: Mapping[str, Any], settings: Mapping[str, Any], message: str
) -> None:
    devices = device("detector-1", 1, {"value": (analog(), mapping)}, settings)
    with pytest.raises(ConfigurationError, match=message):
        BacnetDriver(config_of(1, Collector(), devices))
