"""What goes wrong with a BACnet device in a building, on real sockets: it dies, comes back, is slow, talks nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from facility.equipment import PointKind
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.bacnet import BacnetDriver
from gateway.drivers.bacnet.frames import Address, Link, link
from gateway.drivers.bacnet.opening import open_station
from gateway.drivers.bacnet.services import Confirmed, EventNotification
from gateway.drivers.bacnet.station import LocalSide, TooLargeError
from gateway.drivers.driver import DriverConfig
from gateway.events import ConnectionState
from tests.gateway.bacnet_device import FieldDevice
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, states, until
from tests.servers import free_port

STATE, VALUE = 1, 2
LOOPBACK = "127.0.0.1"


def config_of(port: int, collector: Collector, timeout_s: float = 0.3, **settings: float) -> DriverConfig:
    points = {
        "state": (states(PointKind.MULTISTATE, quiet=0, alarm=2), {"object": "life-safety-point,101"}),
        "value": (analog(), {"object": "analog-input,1"}),
    }
    unit = device("detector", STATE, points, {"reconcile_s": 0.5, "poll_s": 0.5, "cov_lifetime_s": 300} | settings)
    options = {"timeout_s": timeout_s, "local_port": free_port()}
    return driver_config(Protocol.BACNET_IP, port, (unit,), collector, options=options)


@contextlib.asynccontextmanager
async def device_process(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.gateway.bacnet_device", str(port))
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def order(process: asyncio.subprocess.Process, line: str) -> None:
    assert process.stdin
    process.stdin.write(f"{line}\n".encode())


async def test_a_device_process_that_is_killed_and_started_again_reports_its_changes_again() -> None:
    port, collector = free_port(), Collector()
    config = config_of(port, collector)
    async with running(BacnetDriver(config)):
        async with device_process(port) as first:
            await until(lambda: collector.last(STATE) == (0.0, Quality.GOOD))
            order(first, "life-safety-point 101 alarm")
            await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
            first.kill()
            await until(lambda: config.status.state is ConnectionState.DOWN)
        async with device_process(port) as second:
            await until(lambda: collector.last(STATE) == (0.0, Quality.GOOD))
            order(second, "life-safety-point 101 alarm")
            await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
    assert collector.qualities(STATE).count(Quality.BAD_COMMUNICATION) <= 2, "once a loss; it also starts without one"


async def test_a_device_that_restarts_between_two_readings_and_says_hello_is_subscribed_to_again_at_once() -> None:
    panel, collector = FieldDevice(free_port()), Collector()
    config = config_of(panel.port, collector, reconcile_s=3600)
    async with running(BacnetDriver(config)):
        await until(lambda: panel.subscriptions == 2)
        panel.forget_subscribers()
        panel.say_hello(int(config.connection.options["local_port"]))
        await until(lambda: panel.subscriptions == 2)
    panel.stop()


async def test_a_slow_device_is_waited_for_and_counted_where_it_is_too_slow() -> None:
    collector = Collector()
    panel = FieldDevice(free_port())
    config = config_of(panel.port, collector)
    async with running(BacnetDriver(config)):
        await until(lambda: panel.subscriptions == 2)
        panel.answer_after(0.4)  # later than the first try waits, and in time for the second
        collector.clear()
        await until(lambda: len(collector.of(STATE)) > 2)
        assert set(collector.qualities(STATE)) == {Quality.GOOD}
        panel.answer_after(1.5)
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert config.status.units["detector"].timeouts > 0
        panel.answer_after(0.0)
        await until(lambda: config.status.state is ConnectionState.UP)
    await until(lambda: panel.thinking == 0)
    panel.stop()


async def test_a_flood_of_nonsense_is_counted_while_the_device_goes_on_being_read() -> None:
    panel, collector = FieldDevice(free_port()), Collector()
    config = config_of(panel.port, collector)
    chance = random.Random(1)  # noqa: S311  # nonsense, nothing secret
    async with running(BacnetDriver(config)):
        await until(lambda: panel.subscriptions == 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(2_000):
                stranger.sendto(
                    chance.randbytes(chance.randint(0, 60)), (LOOPBACK, config.connection.options["local_port"])
                )
        await until(lambda: config.status.errors > 100)
        collector.clear()
        await until(lambda: collector.last(STATE) == (0.0, Quality.GOOD))
        panel.object("life-safety-point", 101).presentValue = "alarm"
        await until(lambda: collector.last(STATE) == (2.0, Quality.GOOD))
    panel.stop()


async def test_a_dead_device_with_many_objects_is_given_up_after_a_few_requests() -> None:
    panel, collector = FieldDevice(free_port(), analogs=200), Collector()
    points = {f"v{number}": (analog(), {"object": f"analog-input,{number}"}) for number in range(1, 201)}
    unit = device("many", 1, points, {"poll_s": 0.5, "reconcile_s": 0.5, "cov": False})
    config = driver_config(Protocol.BACNET_IP, panel.port, (unit,), collector, options={"timeout_s": 0.5})
    async with running(BacnetDriver(config)):
        await until(lambda: collector.last(200) == (200.0, Quality.GOOD))
        before = config.status.units["many"].timeouts
        panel.stop()
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert config.status.units["many"].timeouts - before <= 21, (
            "the reading in which it died and two more, of seven requests each"
        )
        await until(
            lambda: collector.last(200) is not None and collector.qualities(200)[-1] is Quality.BAD_COMMUNICATION
        )


async def test_whatever_a_device_reports_only_what_is_watched_is_kept_and_answers_have_an_end() -> None:
    port = free_port()
    async with open_station(Address(LOOPBACK, port), LocalSide()) as station:
        driver = BacnetDriver(config_of(port, Collector()))
        for number in range(20_000):
            event = EventNotification(1, 2001, ("analog-input", number), b"", ack_required=True, to_state=1, text="")
            driver._on_event(event)
        assert len(driver._events) == 1, "one for each object that is watched, however many come"
        asked = asyncio.create_task(
            station.request(Address(LOOPBACK, port), Confirmed.READ_PROPERTY, b"", timeout_s=60.0)
        )
        await asyncio.sleep(0)
        for number in range(200):  # an answer in segments without end
            segment = bytes([0x3C, 0, number, 1, Confirmed.READ_PROPERTY]) + bytes(1_400)
            station.datagram_received(link(Link.UNICAST, bytes([1, 0]) + segment), (LOOPBACK, port))
        with pytest.raises(TooLargeError):
            await asked


async def test_a_device_that_dies_while_hundreds_of_objects_are_subscribed_to_is_found_soon() -> None:
    panel, collector = FieldDevice(free_port(), analogs=200), Collector()
    points = {f"v{number}": (analog(), {"object": f"analog-input,{number}"}) for number in range(1, 201)}
    unit = device("many", 1, points, {"reconcile_s": 3600, "cov_lifetime_s": 300})
    config = driver_config(Protocol.BACNET_IP, panel.port, (unit,), collector, options={"timeout_s": 0.5})
    async with running(BacnetDriver(config)):
        await until(lambda: panel.subscriptions > 5)
        panel.stop()
        await until(lambda: config.status.state is ConnectionState.DOWN, within_s=30)
        assert config.status.units["many"].timeouts < 40
