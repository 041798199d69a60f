"""A fire panel answers and notifies a BACnet client on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from bacpypes3.apdu import ErrorRejectAbortNack
from bacpypes3.basetypes import PropertyIdentifier
from bacpypes3.primitivedata import ObjectIdentifier

from facility.clock import NS_PER_MS, Clock, ScaledClock, SystemClock
from facility.errors import ConfigurationError
from facility.model import Asset, Connection, Protocol
from simulators.fire.wire import FirePanelWire
from simulators.listening import CannotListenError, claim
from tests.servers import free_port
from tests.simulators.bacnet_client import Workstation, workstation
from tests.simulators.modbus_client import running
from tests.simulators.sites import asset

CLOCK = SystemClock()


def connection(port: int, **options: object) -> Connection:
    return Connection(id="fire", protocol=Protocol.BACNET_IP, host="127.0.0.1", port=port, options=options)


def harbour_tower() -> list[Asset]:
    instances = [100 * zone + index for zone in range(1, 5) for index in range(1, 7)]
    return [
        asset("fire-panel-1", "fire-panel"),
        *(asset(f"detector-{number}", "smoke-detector", instance=number) for number in instances),
        *(asset(f"call-point-{number}", "manual-call-point", instance=number) for number in range(11, 15)),
    ]


class Tower:
    """A running panel and a client of it."""

    def __init__(self, wire: FirePanelWire, client: Workstation, port: int) -> None:
        self.wire = wire
        self.client = client
        self.port = port
        self._devices = {device.asset_id: device for device in wire.devices}

    def inject(self, device: str, fault: str) -> None:
        self._devices[device].inject(fault, CLOCK.now_ns())

    def clear(self, device: str, fault: str) -> None:
        self._devices[device].clear(fault, CLOCK.now_ns())


@contextlib.asynccontextmanager
async def tower(clock: Clock = CLOCK, **options: object) -> AsyncIterator[Tower]:
    port, own_port = free_port(), free_port()
    wire = FirePanelWire(connection(port, **options), harbour_tower(), clock=clock, seed=1)
    async with running(wire), workstation(port, own_port) as client:
        yield Tower(wire, client, port)


async def test_the_panel_says_who_it_is() -> None:
    async with tower(device_instance=4711) as building:
        [answer] = await building.client.application.who_is(address=building.client.peer, timeout=1)
        assert answer.iAmDeviceIdentifier == ObjectIdentifier("device,4711")
        assert await building.client.text("device,4711", "object-name") == "fire-panel-1"


async def test_every_object_of_the_wire_description_answers() -> None:
    instances = [100 * zone + index for zone in range(1, 5) for index in range(1, 7)]
    quiet = {
        **{f"binary-input,{instance}": "inactive" for instance in (1, 2, 3, 11, 12, 13, 14)},
        **{f"life-safety-point,{instance}": "quiet" for instance in instances},
        "life-safety-zone,1": "quiet",
        "multi-state-input,1": "1",
    }
    async with tower() as building:
        for item, value in quiet.items():
            assert await building.client.text(item) == value
        for instance in instances:
            assert 0 < await building.client.read(f"analog-input,{instance}", "present-value") < 0.5
            assert 20 < await building.client.read(f"analog-input,{instance + 1000}", "present-value") < 24
        assert await building.client.read("analog-input,101", "cov-increment") == pytest.approx(0.05)
        assert await building.client.read("analog-input,1101", "cov-increment") == pytest.approx(0.5)


async def test_many_objects_are_read_in_one_request_and_unknown_ones_say_so() -> None:
    names = [PropertyIdentifier("present-value"), PropertyIdentifier("status-flags")]
    items = [f"life-safety-point,{100 * zone + index}" for zone in range(1, 5) for index in range(1, 7)]
    request = [part for item in [*items, "binary-input,99"] for part in (ObjectIdentifier(item), names)]
    async with tower() as building:
        answers = await building.client.application.read_property_multiple(building.client.peer, request)
    values = [str(value) for _, name, _, value in answers if name == PropertyIdentifier("present-value")]
    assert values[:-1] == ["quiet"] * 24
    assert type(answers[-1][3]).__name__ == "ErrorType"


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_detector_in_alarm_notifies_at_once_and_again_when_it_is_reset(*, confirmed: bool) -> None:
    async with tower() as building, building.client.changes("life-safety-point,202", confirmed=confirmed) as changes:
        assert await changes.next() == ("quiet", "")
        building.inject("detector-202", "false_alarm")
        assert await changes.next() == ("pre-alarm", "in-alarm")
        assert await changes.next() == ("alarm", "in-alarm")
        late_ns = CLOCK.now_ns() - building.wire.alarm_times["detector-202"]
        assert late_ns < 200 * NS_PER_MS
        assert await building.client.text("life-safety-point,202", "event-state") == "life-safety-alarm"
        building.clear("detector-202", "false_alarm")
        assert await changes.until("quiet") == ""
        assert await building.client.text("life-safety-zone,1") == "quiet"


async def test_a_call_point_and_the_zone_notify() -> None:
    async with (
        tower() as building,
        building.client.changes("binary-input,12", confirmed=False) as contact,
        building.client.changes("life-safety-zone,1", confirmed=True) as zone,
    ):
        building.inject("call-point-12", "activated")
        assert await contact.until("active") == "in-alarm"
        assert await zone.until("alarm") == "in-alarm"
        assert "call-point-12" in building.wire.alarm_times


async def test_a_subscriber_that_vanished_neither_blocks_the_panel_nor_the_others() -> None:
    gone_port = free_port()
    hurried = ScaledClock(start_ns=CLOCK.now_ns(), speed=20.0)
    async with tower(hurried) as building, building.client.changes("binary-input,11", confirmed=True) as watched:
        assert await watched.next() == ("inactive", "")
        async with workstation(building.port, gone_port) as gone:
            await gone.subscribe_and_forget("binary-input,11")
        # More changes than there are invoke ids while nobody answers for the one that is gone.
        for _ in range(150):
            building.inject("call-point-11", "activated")
            assert await watched.until("active") == "in-alarm"
            building.clear("call-point-11", "activated")
            assert await watched.until("inactive") == ""
        assert await building.client.text("life-safety-zone,1") == "quiet"


async def test_an_open_loop_takes_reliability_with_it_and_gives_it_back() -> None:
    async with (
        tower() as building,
        building.client.changes("life-safety-point,301", confirmed=False) as state,
        building.client.changes("analog-input,301", confirmed=False) as obscuration,
        building.client.changes("binary-input,1", confirmed=False) as trouble,
    ):
        _, flags = await obscuration.next()
        assert flags == ""
        building.inject("fire-panel-1", "loop_open")
        assert await state.until("fault") == "in-alarm;fault"
        assert await trouble.until("active") == "in-alarm"
        _, flags = await obscuration.next()
        assert flags == "fault"
        assert await building.client.text("life-safety-point,301", "reliability") == "no-sensor"
        assert await building.client.text("life-safety-point,201", "reliability") == "no-fault-detected"
        building.clear("fire-panel-1", "loop_open")
        assert await state.until("quiet") == ""


async def test_obscuration_notifies_beyond_its_increment_only() -> None:
    async with tower() as building, building.client.changes("analog-input,105", confirmed=False) as changes:
        before = float((await changes.next())[0])
        building.inject("detector-105", "dirty")
        for _ in range(3):
            after = float((await changes.next())[0])
            assert after - before >= 0.05 - 1e-6
            before = after


async def test_nobody_writes_to_a_fire_panel() -> None:
    async with tower() as building:
        with pytest.raises(ErrorRejectAbortNack, match="write-access-denied"):
            await building.client.application.write_property(
                building.client.peer, ObjectIdentifier("binary-input,1"), "present-value", "active"
            )
        assert await building.client.text("binary-input,1") == "inactive"


async def test_a_busy_port_is_said_at_once_and_free_again_after_the_stop() -> None:
    async with tower() as building:
        again = FirePanelWire(connection(building.port), harbour_tower(), clock=CLOCK, seed=1)
        with pytest.raises(CannotListenError, match="`fire` cannot listen"):
            await again.run()
    async with running(again), workstation(building.port, free_port()) as client:
        assert await client.text("life-safety-zone,1") == "quiet"


async def test_a_panel_stopped_while_it_opens_gives_its_port_back() -> None:
    line = connection(free_port())
    for turns in range(8):
        async with running(FirePanelWire(line, harbour_tower(), clock=CLOCK, seed=1)):
            for _ in range(turns):
                await asyncio.sleep(0)
        assert await claim(line, socket.SOCK_DGRAM) == ("127.0.0.1", line.port)


def test_every_mistake_of_the_site_is_listed() -> None:
    assets = [
        asset("detector-101", "smoke-detector", instance=101),
        asset("detector-102", "smoke-detector", instance=101),
        asset("call-point-11", "manual-call-point"),
    ]
    with pytest.raises(ConfigurationError) as caught:
        FirePanelWire(connection(1), assets, clock=CLOCK, seed=1)
    assert len(caught.value.mistakes) == 3
