"""Values written to devices over MQTT, and points read on demand, against a real broker."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from facility.equipment import PointKind
from facility.errors import ConfigurationError, DeviceRefusedError, DeviceUnreachableError
from facility.model import Point, Protocol
from facility.quality import Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig, PointWrite
from gateway.drivers.mqtt import MqttDriver
from gateway.drivers.mqtt.commands import compile_commands
from gateway.events import ConnectionState
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, running, states, until
from tests.servers import Mosquitto, free_port


class Valve:
    """A device that keeps what it is told."""

    def __init__(self, port: int, topic: str) -> None:
        self.told: list[bytes] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"valve-{topic}")
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic, 1)
        self._client.loop_start()
        assert self._ready.wait(30)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.told.append(bytes(message.payload))

    def reports(self, topic: str, **values: object) -> None:
        self._client.publish(topic, orjson.dumps(values), qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def valve_site(root: str, write: Mapping[str, Any], **mapping: object) -> tuple[DeviceConfig, ...]:
    opening: PointPlace = (analog("percent"), {"topic": f"{root}/state", "path": "opening", **mapping})
    mode: PointPlace = (
        states(PointKind.MULTISTATE, automatic=0, manual=1),
        {"topic": f"{root}/state", "path": "mode"},
    )
    plain = device("valve-1", 1, {"opening": opening, "mode": mode})
    topic = f"{root}/set"
    writes = {"opening": {"topic": topic, **write}, "mode": {"topic": topic, "path": "mode"}}
    return (dataclasses.replace(plain, writes=writes),)


def opening_of(devices: tuple[DeviceConfig, ...]) -> Point:
    return devices[0].points[0]


def config_of(port: int, devices: tuple[DeviceConfig, ...], root: str, **options: object) -> DriverConfig:
    return driver_config(Protocol.MQTT, port, devices, Collector(), options={"client_id": root, **options})


@pytest.fixture
def root(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).replace("[", "-").replace("]", "")


@pytest.fixture
def valve(mosquitto: Mosquitto, root: str) -> Iterator[Valve]:
    valve = Valve(mosquitto.port, f"{root}/set")
    yield valve
    valve.close()


@pytest.mark.parametrize(
    "case",
    [
        ({"path": "command.opening"}, {}, b'{"command":{"opening":40}}'),
        ({}, {}, b"40"),
        ({"format": "text"}, {}, b"40"),
        ({"path": "opening"}, {"scale": 0.1}, b'{"opening":400}'),
        ({"path": "opening", "scale": 100}, {"scale": 0.1}, b'{"opening":0.4}'),
    ],
    ids=["path", "bare", "text", "scaled", "scaled-otherwise"],
)
@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_valve_is_told_its_opening_in_its_own_unit_and_words(
    mosquitto: Mosquitto, valve: Valve, root: str, version: str, case: tuple[dict[str, Any], dict[str, Any], bytes]
) -> None:
    write, mapping, told = case
    devices = valve_site(root, write, **mapping)
    config = config_of(mosquitto.port, devices, root, version=version)
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        await driver.write(PointWrite(point=opening_of(devices), value=40.0, priority=16))
        await until(lambda: valve.told)
    assert valve.told == [told]


async def test_a_state_is_told_by_its_name(mosquitto: Mosquitto, valve: Valve, root: str) -> None:
    devices = valve_site(root, {})
    config = config_of(mosquitto.port, devices, root)
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        await driver.write(PointWrite(point=devices[0].points[1], value=1.0, priority=16))
        await until(lambda: valve.told == [b'{"mode":"manual"}'])


async def test_what_mqtt_cannot_do_is_refused_with_the_reason(mosquitto: Mosquitto, root: str) -> None:
    devices = valve_site(root, {})
    config = config_of(mosquitto.port, devices, root)
    driver = MqttDriver(config)
    read_only = MqttDriver(config_of(mosquitto.port, (dataclasses.replace(devices[0], writes={}),), root))
    with pytest.raises(DeviceRefusedError, match="cannot take a written value back"):
        await driver.write(PointWrite(point=opening_of(devices), value=None, priority=16))
    with pytest.raises(DeviceRefusedError, match="no topic to write it on"):
        await read_only.write(PointWrite(point=opening_of(devices), value=1.0, priority=16))


async def test_a_valve_that_nobody_has_plugged_in_is_told_apart_in_mqtt_5(mosquitto: Mosquitto, root: str) -> None:
    devices = valve_site(root, {})
    config = config_of(mosquitto.port, devices, root, version="5")
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        with pytest.raises(DeviceRefusedError, match="no device listens"):
            await driver.write(PointWrite(point=opening_of(devices), value=40.0, priority=16))


async def test_without_a_broker_nothing_is_written_or_read_and_nothing_waits_for_it(root: str) -> None:
    devices = valve_site(root, {})
    driver = MqttDriver(config_of(free_port(), devices, root))
    async with running(driver):
        with pytest.raises(DeviceUnreachableError):
            await driver.write(PointWrite(point=opening_of(devices), value=40.0, priority=16))
        with pytest.raises(DeviceUnreachableError):
            await driver.read(opening_of(devices))


async def test_a_point_is_read_with_the_devices_next_report(mosquitto: Mosquitto, valve: Valve, root: str) -> None:
    devices = valve_site(root, {})
    config = config_of(mosquitto.port, devices, root)
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        reading = asyncio.create_task(driver.read(opening_of(devices)))
        while not reading.done():
            valve.reports(f"{root}/state", opening=55.5, mode="manual")
            await asyncio.sleep(0.05)
        sample = await reading
    assert (sample.value, sample.quality) == (55.5, Quality.GOOD)


async def test_a_valve_that_reports_nothing_in_time_is_unreachable(mosquitto: Mosquitto, root: str) -> None:
    devices = valve_site(root, {})
    config = config_of(mosquitto.port, devices, root, report_timeout_s=0.1)
    driver = MqttDriver(config)
    async with running(driver):
        await until(lambda: config.status.state is ConnectionState.UP)
        with pytest.raises(DeviceUnreachableError, match=r"valve-1.*within 0\.1 s"):
            await driver.read(opening_of(devices))


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"path": "x"}, "needs 'topic'"),
        ({"topic": "a/+/set"}, "wildcards"),
        ({"topic": ""}, "is empty"),
        ({"topic": "a/set", "format": "xml"}, "json or text"),
    ],
)
def test_a_write_entry_that_cannot_work_is_told_with_its_point(entry: Mapping[str, Any], complaint: str) -> None:
    (plain,) = valve_site("site", {})
    with pytest.raises(ConfigurationError, match=rf"valve-1/opening.*{complaint}"):
        compile_commands([dataclasses.replace(plain, writes={"opening": entry})])
