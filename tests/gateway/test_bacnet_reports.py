"""What a BACnet device reports by itself: changes, confirmed or not, and events; and what it is told."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from facility.equipment import PointKind, System
from facility.errors import ConfigurationError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.driver import DeviceConfig, DriverConfig
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import Collector, device, driver_config, running, states, until
from tests.servers import free_port

STATE = 1
HOUR_NS = 3_600_000_000_000
SLOW = {"reconcile_s": 3600, "poll_s": 3600, "cov_lifetime_s": 60}


def detector(**settings: Any) -> DeviceConfig:  # noqa: ANN401  # what a profile may say
    points = {"state": (states(PointKind.MULTISTATE, quiet=0, alarm=2), {"object": "life-safety-point,101"})}
    return device("detector-101", STATE, points, SLOW | settings)


def config_of(
    panel: FieldDevice, collector: Collector, unit: DeviceConfig, options: Mapping[str, Any] | None = None
) -> DriverConfig:
    given = {"timeout_s": 0.3} | dict(options or {})
    return driver_config(Protocol.BACNET_IP, panel.port, (unit,), collector, options=given)


@pytest_asyncio.fixture
async def panel() -> AsyncIterator[FieldDevice]:
    device = FieldDevice(free_port())
    yield device
    device.stop()


async def test_a_panel_that_waits_for_our_word_on_each_change_gets_it(panel: FieldDevice) -> None:
    collector = Collector()
    async with running(BacnetDriver(config_of(panel, collector, detector(), {"cov_confirmed": True}))):
        await until(lambda: panel.subscriptions == 1)
        assert panel.confirmed_subscriptions == 1
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
        await until(lambda: panel.unconfirmed_reports == 0)


@pytest.mark.parametrize("confirmed", [False, True])
async def test_an_event_makes_its_object_read_at_once_although_it_reports_no_changes(confirmed: bool) -> None:  # noqa: FBT001
    panel, collector, local_port = FieldDevice(free_port(), takes_cov=False), Collector(), free_port()
    async with running(BacnetDriver(config_of(panel, collector, detector(), {"local_port": local_port}))):
        await until(lambda: collector.last(STATE) == (0.0, Quality.GOOD))
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await panel.report_event(local_port, "life-safety-point", 101, confirmed=confirmed)
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
        await panel.report_event(local_port, "analog-input", 999, confirmed=confirmed)  # nobody's, and no harm
        assert panel.acknowledged == [], "nobody acknowledges unless the profile says so"
    panel.stop()


async def test_an_event_is_acknowledged_in_our_name_where_the_profile_says_so(panel: FieldDevice) -> None:
    collector, local_port = Collector(), free_port()
    unit = detector(acknowledge_events=True)
    async with running(BacnetDriver(config_of(panel, collector, unit, {"local_port": local_port}))):
        await until(lambda: collector.last(STATE) == (0.0, Quality.GOOD))
        await panel.report_event(local_port, "life-safety-point", 101, confirmed=True)
        await until(lambda: panel.acknowledged)
    (told,) = panel.acknowledged
    assert str(told.eventObjectIdentifier) == "life-safety-point,101"
    assert str(told.eventStateAcknowledged) == "life-safety-alarm"
    assert told.timeStamp.sequenceNumber == 41
    assert told.acknowledgmentSource == "Watchkeeper"


def test_no_profile_can_make_us_acknowledge_for_a_fire_panel() -> None:
    unit = detector(acknowledge_events=True)
    fire = unit.asset.equipment_class.model_copy(update={"system": System.FIRE})
    unit = dataclasses.replace(unit, asset=dataclasses.replace(unit.asset, equipment_class=fire))
    config = driver_config(Protocol.BACNET_IP, free_port(), (unit,), Collector())
    with pytest.raises(ConfigurationError, match="nobody acknowledges"):
        BacnetDriver(config)


@pytest.mark.parametrize(("zone", "kind"), [(None, "UTCTimeSynchronizationRequest"), ("Asia/Shanghai", "TimeSynchro")])
async def test_a_device_is_told_the_time_where_its_connection_asks_for_it(
    panel: FieldDevice, zone: str | None, kind: str
) -> None:
    collector = Collector()
    options = {"time_sync_s": 0.2} | ({"time_zone": zone} if zone else {})
    config = config_of(panel, collector, detector(), options)
    async with running(BacnetDriver(config)):
        await until(lambda: len(panel.times) > 1)
    assert type(panel.times[0]).__name__.startswith(kind)
    hour = panel.times[0].time.time[0]
    now = config.clock.now_ns() // HOUR_NS + (8 if zone else 0)
    assert hour in {now % 24, (now - 1) % 24}


async def test_a_device_is_left_its_own_time_unless_somebody_asks(panel: FieldDevice) -> None:
    collector = Collector()
    async with running(BacnetDriver(config_of(panel, collector, detector()))):
        await until(lambda: panel.subscriptions == 1)
        await asyncio.sleep(0)
    assert panel.times == []


async def test_a_subscription_that_the_device_does_not_renew_leaves_what_is_known_uncertain_and_polled(
    panel: FieldDevice,
) -> None:
    collector = Collector()
    unit = detector(cov_lifetime_s=1, poll_s=0.2)
    async with running(BacnetDriver(config_of(panel, collector, unit))):
        await until(lambda: panel.subscriptions == 1)
        panel.ignore_subscriptions(ignored=True)
        await until(lambda: Quality.UNCERTAIN_STALE in collector.qualities(STATE))
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
        panel.ignore_subscriptions(ignored=False)
        await until(lambda: panel.subscriptions == 1)
