"""Sparkplug edge nodes that live, lose messages, die and come back, on a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from pysparkplug import DataType

from facility.equipment import PointKind
from facility.errors import ConfigurationError, DeviceRefusedError
from facility.model import Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.drivers.mqtt import MqttDriver
from gateway.events import ConnectionState
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.gateway.sparkplug_node import DEVICE, GROUP, EdgeNodePeer, aliased, metric
from tests.servers import Mosquitto

FLOW, MODE, STARTS, SETPOINT, UPTIME = 1, 2, 3, 4, 10
BORN = (
    metric("Pump/Flow", DataType.FLOAT, 12.5, alias=1),
    metric("Pump/Mode", DataType.STRING, "auto", alias=2),
    metric("Pump/Offset", DataType.INT16, -3, alias=3),
    metric("Pump/Setpoint", DataType.INT16, 40, alias=4),
)


def pump_behind(node: str, *, settings: Mapping[str, Any] | None = None) -> tuple[DeviceConfig, ...]:
    points: dict[str, PointPlace] = {
        "flow": (analog("m**3/h"), {"metric": "Pump/Flow"}),
        "mode": (states(PointKind.MULTISTATE, auto=0, manual=1), {"metric": "Pump/Mode"}),
        "offset": (analog(), {"metric": "Pump/Offset"}),
        "setpoint": (analog("percent"), {"metric": "Pump/Setpoint"}),
    }
    own: dict[str, PointPlace] = {"uptime": (analog("s"), {"metric": "Uptime"})}
    pump = device("pump-1", FLOW, points, settings or {"group": GROUP, "node": node, "device": DEVICE})
    return (
        dataclasses.replace(pump, writes={"setpoint": {}}),
        device("controller-1", UPTIME, own, {"group": GROUP, "node": node}),
    )


@pytest.fixture
def node(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def peer(mosquitto: Mosquitto, node: str) -> Iterator[EdgeNodePeer]:
    peer = EdgeNodePeer(mosquitto.port, node, BORN)
    yield peer
    peer.close()


def config_of(mosquitto: Mosquitto, node: str, collector: Collector, **options: object) -> DriverConfig:
    own = {"client_id": f"gateway-{node}", **options}
    return driver_config(Protocol.MQTT, mosquitto.port, pump_behind(node), collector, options=own)


@contextlib.asynccontextmanager
async def hosted(config: DriverConfig, collector: Collector) -> AsyncIterator[MqttDriver]:
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: collector.last(FLOW) == (12.5, Quality.GOOD))
        yield driver


async def test_a_node_is_asked_for_its_birth_and_then_read_by_aliases(
    mosquitto: Mosquitto, peer: EdgeNodePeer, node: str
) -> None:
    collector = Collector()
    config = config_of(mosquitto, node, collector)
    async with hosted(config, collector):
        assert peer.rebirths == 1
        assert [collector.last(key) for key in (MODE, STARTS, SETPOINT)] == [
            (0.0, Quality.GOOD),
            (-3.0, Quality.GOOD),
            (40.0, Quality.GOOD),
        ]
        peer.says(aliased(1, DataType.FLOAT, 13.25), aliased(2, DataType.STRING, "manual"))
        peer.says_of_itself(metric("Uptime", DataType.UINT32, 4_000_000_000))
        await until(lambda: collector.last(UPTIME) == (4e9, Quality.GOOD))
        assert collector.last(FLOW) == (13.25, Quality.GOOD)
        assert collector.last(MODE) == (1.0, Quality.GOOD)
        assert config.status.units["pump-1"].state is ConnectionState.UP
    assert peer.rebirths == 1


async def test_a_lost_message_is_noticed_and_the_birth_asked_for_again(
    mosquitto: Mosquitto, peer: EdgeNodePeer, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.drivers.mqtt.sparkplug.edge_node.BIRTH_PATIENCE_S", 0.0)
    collector = Collector()
    async with hosted(config_of(mosquitto, node, collector), collector):
        asked = peer.rebirths
        peer.loses_a_message()
        peer.says(aliased(1, DataType.FLOAT, 14.0))
        await until(lambda: peer.rebirths > asked)
        assert (14.0, Quality.GOOD) in [(sample.value, sample.quality) for sample in collector.of(FLOW)]


async def test_a_node_that_breaks_off_takes_all_its_points_with_it_once_and_brings_them_back(
    mosquitto: Mosquitto, peer: EdgeNodePeer, node: str
) -> None:
    collector = Collector()
    config = config_of(mosquitto, node, collector)
    async with hosted(config, collector):
        peer.breaks_off()
        await until(lambda: (last := collector.last(SETPOINT)) and last[1] is Quality.BAD_COMMUNICATION)
        assert collector.qualities(FLOW) == [Quality.GOOD, Quality.BAD_COMMUNICATION]
        assert {unit.state for unit in config.status.units.values()} == {ConnectionState.DOWN}
        peer.comes_back()
        await until(lambda: collector.last(FLOW) == (12.5, Quality.GOOD))
        assert config.status.units["pump-1"].state is ConnectionState.UP


async def test_the_late_death_of_an_earlier_life_kills_nobody(
    mosquitto: Mosquitto, peer: EdgeNodePeer, node: str
) -> None:
    collector = Collector()
    peer.bd_seq = 7
    async with hosted(config_of(mosquitto, node, collector), collector):
        peer.dies(bd_seq=6)
        peer.says(aliased(1, DataType.FLOAT, 15.0))
        await until(lambda: collector.last(FLOW) == (15.0, Quality.GOOD))
        assert Quality.BAD_COMMUNICATION not in collector.qualities(FLOW)


async def test_a_device_that_is_away_takes_its_points_with_it_and_not_its_nodes(
    mosquitto: Mosquitto, peer: EdgeNodePeer, node: str
) -> None:
    collector = Collector()
    config = config_of(mosquitto, node, collector)
    async with hosted(config, collector):
        peer.says_that_its_device_is_away()
        await until(lambda: collector.qualities(FLOW)[-1] is Quality.BAD_COMMUNICATION)
        peer.says_of_itself(metric("Uptime", DataType.UINT32, 5))
        await until(lambda: collector.last(UPTIME) == (5.0, Quality.GOOD))
        assert "pump-1" in config.status.detail


async def test_what_a_node_kept_while_nobody_listened_is_marked_as_buffered(
    mosquitto: Mosquitto, peer: EdgeNodePeer, node: str
) -> None:
    collector = Collector()
    async with hosted(config_of(mosquitto, node, collector), collector):
        peer.says(aliased(1, DataType.FLOAT, 9.0, is_historical=True), aliased(2, DataType.STRING, None))
        await until(lambda: collector.last(FLOW) == (9.0, Quality.UNCERTAIN_BUFFERED))
        assert collector.qualities(MODE)[-1] is Quality.BAD_DEVICE_EXCEPTION


async def test_a_node_that_gives_no_birth_is_lost(
    mosquitto: Mosquitto, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.drivers.mqtt.sparkplug.edge_node.BIRTH_PATIENCE_S", 0.1)
    collector = Collector()
    config = config_of(mosquitto, node, collector)
    async with running(MqttDriver(config)):
        await until(lambda: collector.qualities(FLOW) == [Quality.BAD_COMMUNICATION])
        assert config.status.units["pump-1"].timeouts == 1
        assert "birth" in config.status.units["pump-1"].detail


async def test_a_setpoint_is_written_as_the_metric_has_it(mosquitto: Mosquitto, peer: EdgeNodePeer, node: str) -> None:
    collector = Collector()
    config = config_of(mosquitto, node, collector)
    async with hosted(config, collector) as driver:
        points = config.devices[0].points
        await driver.write(PointWrite(point=points[3], value=-55.0, priority=16))
        await until(lambda: peer.commands == [{"Pump/Setpoint": -55}])
        with pytest.raises(DeviceRefusedError, match="no 'write'"):
            await driver.write(PointWrite(point=points[0], value=1.0, priority=16))
        with pytest.raises(DeviceRefusedError, match="does not fit"):
            await driver.write(PointWrite(point=points[3], value=1e6, priority=16))
        asked = asyncio.create_task(driver.read(points[0]))
        await asyncio.sleep(0)
        peer.says(aliased(1, DataType.FLOAT, 8.0))
        assert (await asked).value == 8.0


async def test_a_node_that_was_never_born_takes_no_command(mosquitto: Mosquitto, node: str) -> None:
    config = config_of(mosquitto, node, Collector())
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        with pytest.raises(DeviceRefusedError, match="not born"):
            await driver.write(PointWrite(point=config.devices[0].points[3], value=1.0, priority=16))


async def test_a_primary_host_says_when_it_comes_and_when_it_goes(mosquitto: Mosquitto, node: str) -> None:
    said: list[dict[str, Any]] = []
    ready = threading.Event()

    def hear(_client: Client, _data: object, message: MQTTMessage) -> None:
        said.append(orjson.loads(message.payload))

    watcher = Client(CallbackAPIVersion.VERSION2, client_id=f"watcher-{node}")
    watcher.on_message = hear
    watcher.on_subscribe = lambda *_: ready.set()
    watcher.connect("127.0.0.1", mosquitto.port)
    watcher.subscribe(f"spBv1.0/STATE/{node}", 1)
    watcher.loop_start()
    assert ready.wait(30)
    config = config_of(mosquitto, node, Collector(), primary_host=node)
    async with running(MqttDriver(config)):
        await until(lambda: config.status.state is ConnectionState.UP)
        await until(lambda: said)
    await until(lambda: len(said) == 2)
    watcher.disconnect()
    watcher.loop_stop()
    assert [each["online"] for each in said] == [True, False]
    assert said[0]["timestamp"] == said[1]["timestamp"]


@pytest.mark.parametrize(
    ("settings", "mapping", "complaint"),
    [
        ({"group": GROUP}, {"metric": "a"}, "'node'"),
        ({"group": GROUP, "node": "a/b"}, {"metric": "a"}, "'node'"),
        ({"group": GROUP, "node": "n"}, {"topic": "a", "metric": "a"}, "no 'topic'"),
        ({"group": GROUP, "node": "n"}, {"metric": "a", "event": True}, "no identity"),
    ],
)
def test_a_sparkplug_profile_that_cannot_work_is_told_with_what_to_write(
    settings: Mapping[str, Any], mapping: Mapping[str, Any], complaint: str
) -> None:
    pump = device("pump-1", 1, {"flow": (analog(), mapping)}, settings)
    with pytest.raises(ConfigurationError, match=complaint):
        MqttDriver(driver_config(Protocol.MQTT, 1, (pump,), Collector()))
