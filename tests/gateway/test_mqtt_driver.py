"""The MQTT driver against a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from facility.equipment import PointKind
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.mqtt import MqttDriver, session
from gateway.drivers.mqtt.messages import Message
from gateway.events import ConnectionState, Delivery
from gateway.inbox import Inbox
from tests.gateway.driver_site import Collector, analog, device, driver_config, running, states, until
from tests.servers import Mosquitto, mosquitto_in

SPEED, ACCESS = 1, 2
REPOSITORY = Path(__file__).parents[2]


def lift_and_door(root: str) -> tuple[DeviceConfig, ...]:
    access = states(PointKind.EVENT, granted=1, denied=2)
    event = {"topic": f"{root}/event", "path": "event", "event": True, "id": "id", "text": {"badge": "badge"}}
    return (
        device("lift-1", SPEED, {"speed": (analog("m/s"), {"topic": f"{root}/motion", "path": "speed"})}),
        device("door-1", ACCESS, {"access_event": (access, event)}),
    )


def config_of(broker: Mosquitto, root: str, collector: Collector) -> DriverConfig:
    options = {"client_id": f"gateway-{root}"}
    return driver_config(Protocol.MQTT, broker.port, lift_and_door(root), collector, options=options)


class Field:
    """What the devices publish."""

    def __init__(self, broker: Mosquitto, root: str) -> None:
        self._root = root
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"field-{root}")
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self._client.publish(f"{self._root}/{topic}", payload, qos=qos, retain=retain).wait_for_publish(10)

    def moves(self, speed: float, *, qos: int = 1, retain: bool = False) -> None:
        now_ms = time.time() * 1000  # noqa: TID251  # a device has its own clock
        self.publish("motion", orjson.dumps({"t_ms": now_ms, "speed": speed}), qos=qos, retain=retain)

    def badge(self, event_id: str, event: str = "granted") -> None:
        self.publish("event", orjson.dumps({"id": event_id, "event": event, "badge": "100342"}))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def root(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def field(mosquitto: Mosquitto, root: str) -> Iterator[Field]:
    field = Field(mosquitto, root)
    yield field
    field.close()


@contextlib.asynccontextmanager
async def subscribed(config: DriverConfig) -> AsyncIterator[None]:
    async with running(MqttDriver(config)):
        await until(lambda: config.status.state is ConnectionState.UP)
        yield


def acknowledge_all(collector: Collector) -> None:
    for delivery in collector.deliveries:
        if delivery.acknowledge is not None:
            delivery.acknowledge()


async def test_a_lift_that_moves_is_read_with_value_and_source_time(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()
    config = config_of(mosquitto, root, collector)
    async with subscribed(config):
        field.moves(1.5, qos=0)
        await until(lambda: collector.last(SPEED) == (1.5, Quality.GOOD))
    assert config.status.samples == 1
    assert config.status.last_good_ns > 0
    assert collector.deliveries[0].acknowledge is None, "QoS 0 has nothing to acknowledge"


async def test_a_badge_at_the_door_comes_with_its_text_and_waits_for_acknowledgement(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()
    async with subscribed(config_of(mosquitto, root, collector)):
        field.badge("e-1", "denied")
        await until(lambda: collector.events)
    (event,) = collector.events
    assert (event.event_id, event.code, dict(event.text)) == ("e-1", 2, {"badge": "100342"})
    assert collector.deliveries[0].acknowledge is not None


async def test_malformed_and_huge_payloads_are_marked_and_disturb_nothing(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()
    config = config_of(mosquitto, root, collector)
    async with subscribed(config):
        for payload in (b"{", b"[]", b"{}", b'{"speed": "18. Jan"}', b'{"speed": 1e999}', bytes(10_000_000)):
            field.publish("motion", payload)
        field.moves(2.0)
        await until(lambda: collector.last(SPEED) == (2.0, Quality.GOOD))
        assert collector.qualities(SPEED)[:-1] == [Quality.BAD_MALFORMED] * 6
        assert config.status.errors == 6
        acknowledge_all(collector)
        field.badge("after-all-that")
        await until(lambda: collector.events)


async def test_an_old_retained_state_is_uncertain_and_a_fresh_one_good(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()
    old_ms = (time.time() - 3600) * 1000  # noqa: TID251  # a device has its own clock
    field.publish("motion", orjson.dumps({"t_ms": old_ms, "speed": 0.5}), retain=True)
    async with subscribed(config_of(mosquitto, root, collector)):
        await until(lambda: collector.last(SPEED) == (0.5, Quality.UNCERTAIN_RETAINED))
    field.moves(0.6, retain=True)
    collector.clear()
    async with subscribed(config_of(mosquitto, root, collector)):
        await until(lambda: collector.last(SPEED) == (0.6, Quality.GOOD))


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    first, second, third = Collector(), Collector(), Collector()
    async with subscribed(config_of(mosquitto, root, first)):
        field.badge("e-1")
        await until(lambda: first.events)
    async with subscribed(config_of(mosquitto, root, second)):
        await until(lambda: second.events)
        acknowledge_all(second)
        field.badge("e-2")
        await until(lambda: len(second.events) == 2)
    assert [event.event_id for event in second.events] == ["e-1", "e-2"]
    async with subscribed(config_of(mosquitto, root, third)):
        await until(lambda: third.events)
        field.badge("e-3")
        await until(lambda: len(third.events) == 2)
    assert [event.event_id for event in third.events] == ["e-2", "e-3"]


CONSUMER = """
import asyncio, sys
from tests.gateway.driver_site import driver_config
from tests.gateway.test_mqtt_driver import lift_and_door
from facility.model import Protocol
from gateway.drivers.mqtt import MqttDriver

def deliver(delivery):
    print("took", len(delivery.events), flush=True)

root, port = sys.argv[1], int(sys.argv[2])
options = {"client_id": f"gateway-{root}"}
asyncio.run(MqttDriver(driver_config(Protocol.MQTT, port, lift_and_door(root), deliver, options=options)).run())
"""


async def test_a_gateway_killed_before_it_acknowledged_gets_the_event_again(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()
    async with subscribed(config_of(mosquitto, root, collector)):
        pass  # the broker now knows the session
    field.badge("e-1")
    consumer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONSUMER, root, str(mosquitto.port), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert consumer.stdout is not None
    assert await asyncio.wait_for(consumer.stdout.readline(), 20) == b"took 1\n"
    os.kill(consumer.pid, signal.SIGKILL)
    await consumer.wait()
    async with subscribed(config_of(mosquitto, root, collector)):
        await until(lambda: [event.event_id for event in collector.events] == ["e-1"])


async def test_a_broker_restart_marks_every_point_once_and_the_lift_is_read_again(tmp_path: Path) -> None:
    broker = mosquitto_in(tmp_path)
    collector = Collector()
    config = config_of(broker, "site", collector)
    async with contextlib.AsyncExitStack() as stack:
        with broker.running():
            await stack.enter_async_context(subscribed(config))
        await until(lambda: config.status.state is ConnectionState.DOWN)
        assert collector.qualities(SPEED) == [Quality.BAD_COMMUNICATION]
        with broker.running():
            await until(lambda: config.status.state is ConnectionState.UP)
            field = Field(broker, "site")
            field.moves(3.0)
            field.close()
            await until(lambda: collector.last(SPEED) == (3.0, Quality.GOOD))
            assert collector.qualities(SPEED) == [Quality.BAD_COMMUNICATION, Quality.GOOD]
            assert config.status.detail == ""
            await stack.aclose()
    assert decided(collector)[-1] == Quality.GOOD, "no loss comes after the return, though it waits for nobody"


def decided(collector: Collector) -> list[int]:
    """Return the qualities in the order in which an engine that was busy all the time gets them."""
    inbox = Inbox()
    for delivery in collector.deliveries:
        inbox.put(delivery)
    return [sample.quality for delivery in inbox.take_all(0) for sample in delivery.batch.rows()]


async def test_events_that_the_broker_queued_survive_its_restart(tmp_path: Path) -> None:
    broker = mosquitto_in(tmp_path)
    collector = Collector()
    with broker.running():
        async with subscribed(config_of(broker, "site", collector)):
            pass  # the broker now knows the session
        field = Field(broker, "site")
        for number in range(30):
            field.badge(f"e-{number}")
        field.close()

    def take(delivery: Delivery) -> None:
        collector(delivery)
        if delivery.acknowledge is not None:
            delivery.acknowledge()

    config = driver_config(
        Protocol.MQTT, broker.port, lift_and_door("site"), take, options={"client_id": "gateway-site"}
    )
    with broker.running():
        async with subscribed(config):
            await until(lambda: len(collector.events) == 30)
    assert [event.event_id for event in collector.events] == [f"e-{number}" for number in range(30)]


async def test_an_event_that_was_committed_after_the_connection_broke_off_is_not_delivered_again(
    tmp_path: Path,
) -> None:
    broker = mosquitto_in(tmp_path)
    collector = Collector()
    config = config_of(broker, "site", collector)
    async with contextlib.AsyncExitStack() as stack:
        with broker.running():
            await stack.enter_async_context(subscribed(config))
            field = Field(broker, "site")
            field.badge("e-1")
            field.close()
            await until(lambda: collector.events)
        await until(lambda: config.status.state is ConnectionState.DOWN)
        acknowledge_all(collector)
        with broker.running():
            await until(lambda: config.status.duplicates)
            assert [event.event_id for event in collector.events] == ["e-1"]
            await stack.aclose()
    third = Collector()
    with broker.running():
        async with subscribed(config_of(broker, "site", third)):
            field = Field(broker, "site")
            field.badge("e-2")
            field.close()
            await until(lambda: third.events)
    assert [event.event_id for event in third.events] == ["e-2"], "the repetition was acknowledged"


async def test_an_event_that_is_not_committed_yet_comes_again_after_a_reconnect(tmp_path: Path) -> None:
    broker = mosquitto_in(tmp_path)
    collector = Collector()
    config = config_of(broker, "site", collector)
    async with contextlib.AsyncExitStack() as stack:
        with broker.running():
            await stack.enter_async_context(subscribed(config))
            field = Field(broker, "site")
            field.badge("e-1")
            field.close()
            await until(lambda: collector.events)
        with broker.running():
            await until(lambda: len(collector.events) == 2)
            assert {event.event_id for event in collector.events} == {"e-1"}
            await stack.aclose()


async def test_a_broker_that_was_never_there_marks_the_points_and_is_joined_when_it_comes(tmp_path: Path) -> None:
    broker = mosquitto_in(tmp_path)
    collector = Collector()
    config = config_of(broker, "site", collector)
    async with running(MqttDriver(config)):
        await until(lambda: collector.qualities(SPEED) == [Quality.BAD_COMMUNICATION])
        assert config.status.state is ConnectionState.DOWN
        assert config.status.detail
        with broker.running():
            await until(lambda: config.status.state is ConnectionState.UP)


async def test_an_error_of_ours_costs_one_message_and_not_the_thread(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()

    def deliver(delivery: Delivery) -> None:
        if not collector.deliveries:
            collector(delivery)
            raise RuntimeError("the inbox has a bug")
        collector(delivery)

    config = driver_config(Protocol.MQTT, mosquitto.port, lift_and_door(root), deliver, options={"client_id": root})
    async with subscribed(config):
        field.badge("e-1")
        await until(lambda: collector.events)
        field.badge("e-2")
        await until(lambda: len(collector.events) == 2)
    assert config.status.errors == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread is meant to die
@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit()], ids=["bug", "exit"])
async def test_a_network_thread_that_dies_is_replaced_and_nothing_is_lost(
    mosquitto: Mosquitto, field: Field, root: str, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    collector = Collector()
    killed = threading.Event()

    def take(message: MQTTMessage) -> Message:
        if not killed.is_set():
            killed.set()
            raise error  # inside paho's on_message
        return copied(message)

    copied = session._message
    monkeypatch.setattr(session, "_message", take)
    config = config_of(mosquitto, root, collector)
    async with subscribed(config):
        field.badge("e-1")
        await until(lambda: collector.events)
        assert collector.qualities(SPEED) == [Quality.BAD_COMMUNICATION]
        await until(lambda: config.status.state is ConnectionState.UP)


async def test_a_network_thread_that_is_stuck_is_replaced(
    mosquitto: Mosquitto, field: Field, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    stuck, released = threading.Event(), threading.Event()

    def take(message: MQTTMessage) -> Message:
        if not stuck.is_set():
            stuck.set()
            released.wait(60)
        return copied(message)

    copied = session._message
    monkeypatch.setattr(session, "_message", take)
    monkeypatch.setattr(session, "STUCK_S", 1.5)
    config = config_of(mosquitto, root, collector)
    async with subscribed(config):
        field.badge("e-1")
        await until(lambda: collector.events)
        assert collector.qualities(SPEED) == [Quality.BAD_COMMUNICATION]
        released.set()
        await until(lambda: config.status.state is ConnectionState.UP)


async def test_topics_of_an_earlier_configuration_do_not_clog_the_session(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    wide, narrow = Collector(), Collector()
    async with subscribed(config_of(mosquitto, root, wide)):
        pass
    only_door = lift_and_door(root)[1:]
    options = {"client_id": f"gateway-{root}"}
    config = driver_config(Protocol.MQTT, mosquitto.port, only_door, narrow, options=options)
    for number in range(50):  # more than the broker's window of unacknowledged messages
        field.moves(number)
    async with subscribed(config):
        field.badge("e-1")
        await until(lambda: narrow.events)


async def test_a_burst_larger_than_the_brokers_window_flows_as_it_is_acknowledged(
    mosquitto: Mosquitto, field: Field, root: str
) -> None:
    collector = Collector()

    def deliver(delivery: Delivery) -> None:
        collector(delivery)
        if delivery.acknowledge is not None:
            threading.Timer(0.001, delivery.acknowledge).start()  # another thread, later, as the engine does

    config = driver_config(Protocol.MQTT, mosquitto.port, lift_and_door(root), deliver, options={"client_id": root})
    async with subscribed(config):
        for number in range(200):
            field.badge(f"e-{number}")
        await until(lambda: len(collector.events) == 200)
    assert [event.event_id for event in collector.events] == [f"e-{number}" for number in range(200)]
