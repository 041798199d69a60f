"""What a real broker carries is learned, drafted, and nothing is left behind on it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from facility.errors import ConfigurationError
from facility.model import Connection, Protocol
from gateway.drivers.mqtt.discovery import Heard, listen
from gateway.drivers.mqtt.sparkplug.payload import DataType, Metric, Payload, encode
from gateway.onboarding.folder import write_draft
from gateway.onboarding.imports import Place, import_birth
from gateway.onboarding.topic_survey import FoundTopic, Survey
from gateway.onboarding.workshop import open_workshop, recognised_topics
from gateway.site_check import check_site
from tests.servers import START_TIMEOUT_S, Mosquitto

DOOR = {"t_ms": 1_795_000_000_000, "door": "closed", "lock": "locked", "tamper": False, "tailgating": False}
PUMP = {"ts": 1_795_000_000_500, "motor_speed_rpm": 1450.5, "flow_m3_h": 21.5, "running": True, "firmware": "1.2"}
BIRTH = encode(
    Payload(
        timestamp_ms=1_795_000_000_000,
        seq=0,
        metrics=[
            Metric(name="bdSeq", datatype=DataType.INT64, raw=1),
            Metric(name="Motor/Speed", datatype=DataType.FLOAT, raw=1450.0),
            Metric(name="Motor/Current", datatype=DataType.DOUBLE, raw=12.5),
            Metric(name="Running", datatype=DataType.BOOLEAN, raw=True),
            Metric(name="Serial", datatype=DataType.INT32, raw=77),
        ],
    )
)


def connection(port: int) -> Connection:
    return Connection(id="broker", protocol=Protocol.MQTT, host="127.0.0.1", port=port)


@contextlib.contextmanager
def retained(port: int, messages: dict[str, bytes]) -> Iterator[None]:
    """Let the broker keep messages until the block ends."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert connected.wait(START_TIMEOUT_S)
    for topic, payload in messages.items():
        client.publish(topic, payload, qos=1, retain=True).wait_for_publish(START_TIMEOUT_S)
    try:
        yield
    finally:
        for topic in messages:
            client.publish(topic, b"", qos=1, retain=True).wait_for_publish(START_TIMEOUT_S)
        client.disconnect()
        client.loop_stop()


async def heard(port: int, topic: str, count: int) -> list[FoundTopic]:
    """Listen until so many messages came."""
    survey = Survey()
    enough = asyncio.Event()
    messages: list[Heard] = []

    def take(message: Heard) -> None:
        messages.append(message)
        survey.take(message.topic, message.payload, retained=message.retained, at_s=message.at_s)
        if len(messages) >= count:
            enough.set()

    listening = asyncio.create_task(listen(connection(port), topic, seconds=START_TIMEOUT_S, take=take))
    async with asyncio.timeout(START_TIMEOUT_S):
        await enough.wait()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    return survey.topics()


async def test_doors_get_the_shipped_profile_and_a_strange_pump_one_of_its_own(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    doors = {f"found/door-{number}/state": orjson.dumps({**DOOR, "battery_v": 12.9}) for number in (1, 2)}
    with retained(mosquitto.port, {**doors, "found/plant/pump-7": orjson.dumps(PUMP)}):
        topics = await heard(mosquitto.port, "found/#", 3)
    assert {topic.retained for topic in topics} == {True}
    workshop = open_workshop()
    draft = workshop.draft(recognised_topics(workshop, topics, connection(mosquitto.port), {}), "a test")
    write_draft(tmp_path, draft, classes=workshop.classes, force=False)
    site = check_site(tmp_path / "site.yaml", workshop.classes, {})
    assert {asset.id: (asset.profile, dict(asset.address)) for asset in site.assets.values()} == {
        "door-1": ("door-mqtt", {"root": "found/door-1"}),
        "door-2": ("door-mqtt", {"root": "found/door-2"}),
        "found-plant-pump-7": ("pump-mqtt", {"root": "found/plant/pump-7"}),
    }
    (made,) = draft.profiles
    assert made.points == {
        "speed": {"topic": "{root}", "path": "motor_speed_rpm"},
        "flow": {"topic": "{root}", "path": "flow_m3_h"},
        "running": {"topic": "{root}", "path": "running"},
    }
    assert [left.found.name for left in draft.unmapped] == ["firmware"]


async def test_a_birth_is_drafted_whether_it_was_heard_or_captured(mosquitto: Mosquitto, tmp_path: Path) -> None:
    topic = "spBv1.0/onboarding/DBIRTH/edge-1/pump-3"
    with retained(mosquitto.port, {topic: BIRTH}):
        topics = await heard(mosquitto.port, "spBv1.0/onboarding/#", 1)
    (tmp_path / "birth.bin").write_bytes(BIRTH)
    workshop = open_workshop()
    captured = workshop.recognised(import_birth(tmp_path / "birth.bin", Place("", 1883), topic).connections)
    for number, recognised in enumerate(
        [recognised_topics(workshop, topics, connection(mosquitto.port), {}), captured]
    ):
        draft = workshop.draft(recognised, "a test")
        write_draft(tmp_path / str(number), draft, classes=workshop.classes, force=False)
        site = check_site(tmp_path / str(number) / "site.yaml", workshop.classes, {})
        (asset,) = site.assets.values()
        assert dict(asset.address) == {"group": "onboarding", "node": "edge-1", "device": "pump-3"}
        assert draft.profiles[0].points == {
            "speed": {"metric": "Motor/Speed"},
            "motor_current": {"metric": "Motor/Current"},
            "running": {"metric": "Running"},
        }


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [("spBv1.0/g/DDATA/n/d", BIRTH, "no topic of a birth"), ("spBv1.0/g/NBIRTH/n", b"\xff\xff", "no Sparkplug B")],
)
def test_what_is_no_birth_is_refused(tmp_path: Path, topic: str, payload: bytes, reason: str) -> None:
    (tmp_path / "birth.bin").write_bytes(payload)
    with pytest.raises(ConfigurationError, match=reason):
        import_birth(tmp_path / "birth.bin", Place("", 1883), topic)
