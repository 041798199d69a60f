"""Ways to a BACnet device: several behind one address, a management device for broadcasts, small and plain devices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from facility.equipment import PointKind
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.bacnet.frames import Address
from gateway.drivers.bacnet.opening import open_station
from gateway.drivers.bacnet.peer import Peer
from gateway.drivers.bacnet.reader import BatchReader
from gateway.drivers.bacnet.services import PropertyRef
from gateway.drivers.bacnet.station import LocalSide, Station
from gateway.events import ConnectionState
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.bacnet_network import BEHIND, ManagementDevice, RoutedSite
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, states, until
from tests.servers import free_port

LOOPBACK = "127.0.0.1"
STATES = {"quiet": "quiet", "alarm": "alarm"}
SLOW = {"reconcile_s": 3600, "poll_s": 3600, "cov_lifetime_s": 60}


@contextlib.asynccontextmanager
async def station_towards(port: int, local: LocalSide | None = None) -> AsyncIterator[Station]:
    async with open_station(Address(LOOPBACK, port), local or LocalSide(), timeout_s=0.5) as station:
        yield station


async def test_two_devices_behind_one_address_are_two_connections_told_apart_by_their_instance() -> None:
    site = RoutedSite(free_port(), (31, 32))
    site.devices[32].object("life-safety-point", 101).presentValue = "alarm"
    collectors = {31: Collector(), 32: Collector()}
    points = {"state": (states(PointKind.MULTISTATE, quiet=0, alarm=2), {"object": "life-safety-point,101"})}
    async with contextlib.AsyncExitStack() as stack:
        for instance, collector in collectors.items():
            unit = device(f"panel-{instance}", instance, points, SLOW)
            options = {"timeout_s": 0.5, "device_instance": instance}
            config = driver_config(Protocol.BACNET_IP, site.port, (unit,), collector, options=options)
            await stack.enter_async_context(running(BacnetDriver(config)))
        await until(lambda: collectors[31].last(31) == (0.0, Quality.GOOD))
        await until(lambda: collectors[32].last(32) == (2.0, Quality.GOOD))
        await until(lambda: all(each.subscriptions == 1 for each in site.devices.values()))
        site.devices[31].object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collectors[31].last(31) == (2.0, Quality.GOOD))
    site.stop()


async def test_another_device_than_the_configured_one_is_never_read_and_the_connection_says_who_answers() -> None:
    panel, collector = FieldDevice(free_port(), instance=2002), Collector()
    unit = device("panel", 1, {"value": (analog(), {"object": "analog-input,1"})}, SLOW)
    options = {"timeout_s": 0.2, "device_instance": 2001}
    config = driver_config(Protocol.BACNET_IP, panel.port, (unit,), collector, options=options)
    async with running(BacnetDriver(config)):
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert "device 2002 answers" in config.status.detail
        assert "not device 2001" in config.status.detail
        assert Quality.GOOD not in collector.qualities(1)
    panel.stop()


async def test_a_router_shows_the_devices_behind_it_and_where_they_are() -> None:
    site = RoutedSite(free_port(), (31, 32))
    async with station_towards(site.port) as station:
        found = await station.find(Address(LOOPBACK, site.port), wait_s=0.5)
    assert [each.device.instance for each in found] == [31, 32, 9000]
    assert found[0].address == Address(LOOPBACK, site.port, BEHIND, b"\x0a")
    site.stop()


async def test_a_device_on_another_subnet_is_found_through_its_management_device() -> None:
    bbmd = ManagementDevice(free_port())
    port = free_port()
    panel = FieldDevice(port, instance=77, network_port=lambda: bbmd.guest_port(port))
    await until(lambda: bbmd.guests == 1)
    async with station_towards(port, LocalSide(bbmd=(LOOPBACK, bbmd.port))) as station:
        assert bbmd.guests == 2
        found = await station.find(None, wait_s=0.5)
    assert Address(LOOPBACK, port) in [each.address for each in found if each.device.instance == 77]
    panel.stop()
    bbmd.stop()


async def test_a_management_device_that_restarts_takes_us_again() -> None:
    bbmd, panel = ManagementDevice(free_port()), FieldDevice(free_port())
    async with station_towards(panel.port, LocalSide(bbmd=(LOOPBACK, bbmd.port), bbmd_ttl_s=1)):
        assert bbmd.guests == 1
        bbmd.stop()
        await asyncio.sleep(0)
        bbmd.start()
        await until(lambda: bbmd.guests == 1)
    bbmd.stop()
    panel.stop()


async def test_a_driver_stays_registered_with_the_management_device_that_its_connection_names() -> None:
    bbmd, panel, collector = ManagementDevice(free_port()), FieldDevice(free_port()), Collector()
    unit = device("panel", 1, {"value": (analog(), {"object": "analog-input,1"})}, SLOW)
    options = {"timeout_s": 0.5, "bbmd": f"{LOOPBACK}:{bbmd.port}", "device_instance": 2001}
    config = driver_config(Protocol.BACNET_IP, panel.port, (unit,), collector, options=options)
    async with running(BacnetDriver(config)):
        await until(lambda: collector.last(1) == (1.0, Quality.GOOD))
        assert bbmd.guests == 1
    bbmd.stop()
    panel.stop()


@pytest.mark.parametrize(("segmentation", "max_apdu"), [("segmentedBoth", 206), ("noSegmentation", 480)])
async def test_a_long_object_list_is_read_in_segments_or_else_one_by_one(segmentation: str, max_apdu: int) -> None:
    panel = FieldDevice(free_port(), analogs=120, segmentation=segmentation, max_apdu=max_apdu)
    at = Address(LOOPBACK, panel.port)
    async with station_towards(panel.port) as station:
        peer = Peer(station, at, timeout_s=1.0)
        objects = await peer.object_list(2001)
        assert {("analog-input", number) for number in range(1, 121)} <= set(objects)
        refs = (PropertyRef("object-name"), PropertyRef("units"))
        found = await BatchReader(refs).read(peer, objects)
    assert found["analog-input", 120] == {refs[0]: ["analog-120"], refs[1]: [95]}
    panel.stop()


async def test_a_batch_that_was_halved_once_grows_again_while_the_device_keeps_up() -> None:
    panel = FieldDevice(free_port(), analogs=20, most_at_once=4)
    async with station_towards(panel.port) as station:
        peer, reader = Peer(station, Address(LOOPBACK, panel.port), timeout_s=1.0), BatchReader()
        objects = [("analog-input", number) for number in range(1, 21)]
        while reader.batch.ceiling > 4:
            await reader.read(peer, objects)
        panel.allow_at_once(1000)
        while reader.batch.ceiling == 4:
            found = await reader.read(peer, objects)
            assert None not in found.values()
    panel.stop()
