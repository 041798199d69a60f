"""What goes wrong between a gateway and its broker: a dead broker, a dead network, a rival, a closed door."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from facility.clock import VirtualClock
from facility.equipment import PointKind
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.mqtt import MqttDriver, driver, retries, session
from gateway.drivers.mqtt.messages import Saying
from gateway.drivers.mqtt.retries import Retries
from gateway.events import ConnectionState, Delivery
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, states, until
from tests.gateway.mqtt_brokers import Swallower, broker_in
from tests.gateway.test_mqtt_broker import publish
from tests.servers import Mosquitto, mosquitto_in

SPEED, ACCESS = 1, 2


def site(**settings: object) -> tuple[DeviceConfig, ...]:
    access = states(PointKind.EVENT, granted=1)
    event = {"topic": "site/event", "path": "event", "event": True, "id": "id"}
    speed = {"topic": "site/speed", "format": "text"}
    return (
        device("lift-1", SPEED, {"speed": (analog("m/s"), speed)}, settings),
        device("door-1", ACCESS, {"access_event": (access, event)}),
    )


def config_of(port: int, collector: Collector, **options: object) -> DriverConfig:
    return driver_config(Protocol.MQTT, port, site(), collector, options={"client_id": "gateway", **options})


def badge(number: int) -> str:
    return orjson.dumps({"id": number, "event": "granted"}).decode()


def acknowledge_all(collector: Collector) -> None:
    for delivery in collector.deliveries:
        if delivery.acknowledge is not None:
            delivery.acknowledge()


@contextlib.asynccontextmanager
async def subscribed(config: DriverConfig) -> AsyncIterator[None]:
    async with running(MqttDriver(config)):
        await until(lambda: config.status.state is ConnectionState.UP)
        yield


async def publish_badges(port: int, numbers: range) -> None:
    """Let a door publish from its own session; return when the broker has taken responsibility for all of them."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="door")
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish("site/event", badge(number), qos=1) for number in numbers]
    for each in sent:
        await asyncio.to_thread(each.wait_for_publish, 30)
    client.disconnect()
    await asyncio.to_thread(client.loop_stop)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_broker_that_is_killed_with_a_full_queue_loses_nothing_that_it_saved_and_nothing_comes_twice(
    tmp_path: Path, version: str
) -> None:
    broker = broker_in(tmp_path, "allow_anonymous true", "max_inflight_messages 1000")
    collector = Collector()
    config = config_of(broker.port, collector, version=version)
    with broker.running():
        async with subscribed(config):
            pass  # the broker now knows the session
        await publish_badges(broker.port, range(100))
    with broker.running() as process:
        async with subscribed(config):
            await until(lambda: len(collector.events) == 100)
            for delivery in collector.deliveries[: len(collector.deliveries) // 2 + 1]:
                if delivery.acknowledge is not None:
                    delivery.acknowledge()
            os.kill(process.pid, signal.SIGKILL)  # what it saved last is the full queue
            process.wait()
            await until(lambda: config.status.state is ConnectionState.DOWN)
            acknowledge_all(collector)
            with broker.running():
                await until(lambda: config.status.duplicates == 100)
                await publish_badges(broker.port, range(100, 110))
                await until(lambda: len(collector.events) == 110)
    assert [int(event.event_id) for event in collector.events] == list(range(110)), "each once, in order"


async def test_a_network_that_swallows_everything_is_noticed_and_gone_round(mosquitto: Mosquitto) -> None:
    network = Swallower(mosquitto.port)
    collector = Collector()
    config = config_of(network.port, collector, keepalive_s=1)
    async with network.running(), subscribed(config):
        await publish(mosquitto.port, "site/speed", "1.0")
        await until(lambda: collector.last(SPEED) == (1.0, Quality.GOOD))
        acknowledge_all(collector)
        network.swallow()
        await publish(mosquitto.port, "site/speed", "2.0")
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert config.status.detail == "the broker is silent"
        assert collector.qualities(SPEED)[-1] is Quality.BAD_COMMUNICATION
        await until(lambda: collector.last(SPEED) == (2.0, Quality.GOOD))
    assert network.swallowed > 0


async def test_a_network_that_swallows_a_command_lets_it_go_with_the_connection(mosquitto: Mosquitto) -> None:
    """Whoever was told that a command failed must not see it done a minute later."""
    # The command's own path is in the tests of commands; here it is the session that must not try again.
    network = Swallower(mosquitto.port)
    collector = Collector()
    config = config_of(network.port, collector, confirm_timeout_s=0.2)
    mqtt = MqttDriver(config)
    async with network.running(), running(mqtt):
        await until(lambda: config.status.state is ConnectionState.UP)
        network.swallow()
        assert mqtt._session is not None
        with pytest.raises(TimeoutError):
            await mqtt._session.publish(Saying("site/speed", b"9.0", qos=1))
        await until(lambda: config.status.state is ConnectionState.DOWN)
        await until(lambda: config.status.state is ConnectionState.UP)
        await publish(mosquitto.port, "site/speed", "3.0")
        await until(lambda: collector.last(SPEED) == (3.0, Quality.GOOD))
    assert 9.0 not in [sample.value for sample in collector.of(SPEED)]


@pytest.fixture
def plugin() -> Path:
    """The rules of subscriptions that come with mosquitto."""
    found = next(Path("/usr/lib").rglob("mosquitto_dynamic_security.so"), None)
    if found is None:
        pytest.skip("mosquitto_dynamic_security.so is not there; .ci/run installs it with mosquitto")
    return found


async def test_a_topic_that_the_account_may_not_read_is_told_and_its_neighbours_are_read(
    tmp_path: Path, plugin: Path
) -> None:
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    allowed = {"acltype": "subscribeLiteral", "topic": "site/event", "allow": True}
    roles = [{"rolename": "doors", "acls": [allowed]}]
    group = {"groupname": "everybody", "roles": [{"rolename": "doors"}]}
    rules = {"defaultACLAccess": access, "roles": roles, "groups": [group], "anonymousGroup": "everybody"}
    (tmp_path / "rules.json").write_bytes(orjson.dumps(rules))
    lines = ["allow_anonymous true", f"plugin {plugin}", f"plugin_opt_config_file {tmp_path}/rules.json"]
    broker = broker_in(tmp_path, *lines)
    collector = Collector()
    with broker.running():
        async with subscribed(config_of(broker.port, collector)):
            await until(lambda: collector.qualities(SPEED) == [Quality.BAD_CONFIGURATION])
            await publish(broker.port, "site/event", badge(1))
            await until(lambda: collector.events)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_two_gateways_of_one_name_are_told_and_do_not_throw_each_other_out_all_the_time(
    mosquitto: Mosquitto, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "SUSPICIOUS", 1)
    options = {"client_id": f"rival-{version}", "version": version}
    first = config_of(mosquitto.port, Collector(), **options)
    second = config_of(mosquitto.port, Collector(), **options)
    async with subscribed(first), subscribed(second):
        await until(lambda: first.status.state is ConnectionState.DOWN)
        assert f"client_id of its own, now 'rival-{version}'" in first.status.detail
        assert "another client" in first.status.detail


@given(st.lists(st.none() | st.floats(0, 9.9), max_size=20), st.floats(0, 1))
def test_whoever_was_thrown_out_by_a_rival_waits_longest_and_nobody_waits_longer_than_half_a_minute(
    lasted: list[float | None], jitter: float
) -> None:
    tries = Retries()
    for lasted_s in lasted:
        tries = tries.after(lasted_s)
        assert tries.wait_s(jitter) <= 30
    assert tries.after(3600.0, taken_over=True).wait_s(jitter) >= 15
    assert tries.after(3600.0).wait_s(jitter) <= 1


def test_three_connections_that_broke_off_at_once_look_like_a_rival_and_a_broker_that_is_away_does_not() -> None:
    away = Retries().after(None).after(None).after(None).after(None)
    rival = Retries().after(0.1).after(0.1).after(0.1)
    assert (away.is_suspicious, rival.is_suspicious, rival.after(60.0).is_suspicious) == (False, True, False)


async def test_a_device_that_misses_its_heartbeat_is_lost_once_and_comes_back_with_its_next_word(
    mosquitto: Mosquitto,
) -> None:
    collector, clock = Collector(), VirtualClock(1_800_000_000 * 10**9)
    config = driver_config(
        Protocol.MQTT, mosquitto.port, site(heartbeat_s=30), collector, options={"client_id": "silence"}, clock=clock
    )
    lift = config.status
    async with subscribed(config):
        unit = lift.units["lift-1"]
        for speed in ("1.0", "2.0"):
            await publish(mosquitto.port, "site/speed", speed)
            await until(lambda: unit.state is ConnectionState.UP)
            assert collector.last(SPEED) == (float(speed), Quality.GOOD)
            clock.advance(29)
            await asyncio.sleep(3 * driver.LOOK_S)
            assert collector.last(SPEED) == (float(speed), Quality.GOOD)
            clock.advance(2)
            await until(lambda: unit.state is ConnectionState.DOWN)
            assert collector.qualities(SPEED)[-1] is Quality.BAD_COMMUNICATION
            clock.advance(300)
            assert "lift-1" in lift.detail
    assert collector.qualities(SPEED) == [Quality.GOOD, Quality.BAD_COMMUNICATION] * 2
    assert unit.timeouts == 2
    assert lift.units["door-1"].timeouts == 0, "a door has nothing to say while nobody comes"


async def test_a_thousand_doors_are_read_through_one_subscription(tmp_path: Path) -> None:
    broker = broker_in(tmp_path, "allow_anonymous true", "log_type subscribe")
    doors = tuple(
        device(
            f"door-{key}", key, {"battery": (analog("V"), {"topic": f"harbour/door-{key}/battery", "format": "text"})}
        )
        for key in range(1, 1001)
    )
    collector = Collector()
    options = {"client_id": "gateway", "subscribe": ["harbour/+/battery"]}
    config = driver_config(Protocol.MQTT, broker.port, doors, collector, options=options)
    with broker.running():
        async with subscribed(config):
            await publish(broker.port, "harbour/door-777/battery", "3.1")
            await publish(broker.port, "harbour/stranger/battery", "1.0")
            await publish(broker.port, "harbour/door-5/battery", "2.9")
            await until(lambda: collector.last(5) == (2.9, Quality.GOOD))
    assert {sample.point for sample in collector.samples} == {777, 5}
    assert (tmp_path / "mosquitto.log").read_text().count("gateway 1 harbour/") == 1


async def test_a_burst_is_one_delivery_and_its_acknowledgements_one_wake_up(tmp_path: Path) -> None:
    broker = broker_in(tmp_path, "allow_anonymous true", "max_inflight_messages 1000")
    collector = Collector()

    def take(delivery: Delivery) -> None:
        collector(delivery)
        if delivery.acknowledge is not None:
            delivery.acknowledge()

    config = driver_config(Protocol.MQTT, broker.port, site(), take, options={"client_id": "gateway"})
    with broker.running():
        async with subscribed(config):
            pass
        await publish_badges(broker.port, range(500))
        async with subscribed(config):
            await until(lambda: len(collector.events) == 500)
    assert len(collector.deliveries) < 100
    assert [int(event.event_id) for event in collector.events] == list(range(500))


async def test_a_flood_without_acknowledgement_is_dropped_and_counted_and_events_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_WAITING", 10)
    broker = mosquitto_in(tmp_path)
    collector = Collector()
    config = config_of(broker.port, collector)
    with broker.running():
        async with subscribed(config):
            flood = Client(CallbackAPIVersion.VERSION2, client_id="flood")
            flood.connect("127.0.0.1", broker.port)
            flood.loop_start()
            for number in range(2000):
                flood.publish("site/speed", str(number), qos=0)
            event = flood.publish("site/event", badge(1), qos=1)
            event.wait_for_publish(30)  # on the loop, which therefore takes nothing meanwhile
            await until(lambda: collector.events)
            flood.disconnect()
            flood.loop_stop()
    assert config.status.dropped > 0
    assert config.status.dropped + len(collector.of(SPEED)) == 2000
