"""Ten thousand messages that nobody should have sent: the driver goes on, counts them and owes the broker nothing."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import product

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from pysparkplug import DataType, DBirth, Metric

from facility.equipment import PointKind
from facility.model import Protocol
from facility.quality import BAD_FROM, Quality
from gateway.drivers.driver import DeviceConfig, DriverConfig
from gateway.drivers.mqtt import MqttDriver
from gateway.drivers.mqtt.messages import Message
from tests.gateway.driver_site import Collector, analog, device, driver_config, states
from tests.gateway.sparkplug_node import DEVICE, GROUP

SPEED, ACCESS, LEVEL, FLOW = 1, 2, 3, 4
BURSTS = 50


def site() -> tuple[DeviceConfig, ...]:
    access = states(PointKind.EVENT, granted=1, denied=2)
    event = {"topic": "s/event", "path": "event", "event": True, "id": "id", "text": {"badge": "badge"}}
    sparkplug = {"group": GROUP, "node": "n", "device": DEVICE}
    return (
        device("lift-1", SPEED, {"speed": (analog("m/s"), {"topic": "s/motion", "path": "car.0.speed"})}),
        device("door-1", ACCESS, {"access_event": (access, event)}),
        device("tank-1", LEVEL, {"level": (analog("m"), {"topic": "s/+/level", "format": "text"})}),
        device("pump-1", FLOW, {"flow": (analog("m**3/h"), {"metric": "Flow"})}, sparkplug),
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t_ms", "car", "speed", "event", "id", "badge"]), inner, max_size=4)
    ),
    max_leaves=6,
)
chunks = st.sampled_from([b"\x08", b"\x12", b"\x18", b"\x0a", b"\x52\x04Flow", b"\x65", b"\xff" * 9, b"{", b"[[", b'"'])
payloads = (
    st.none()
    | st.binary(max_size=40)
    | st.lists(chunks | st.binary(max_size=4), max_size=6).map(b"".join)
    | json_values.map(lambda value: orjson.dumps(value, default=str))
)
kinds = st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH", "NCMD", "STATE", "?"])
topics = (
    st.sampled_from(["s/motion", "s/event", "s/a/level", "s//level", "", "/", "$SYS/x", "s/" * 300])
    | st.text(max_size=12)
    | kinds.map(lambda kind: f"spBv1.0/{GROUP}/{kind}/n")
    | kinds.map(lambda kind: f"spBv1.0/{GROUP}/{kind}/n/{DEVICE}")
    | kinds.map(lambda kind: f"spBv1.0/{GROUP}/{kind}")
)


def crossed(said: Sequence[tuple[bytes | None, bool, bool]], heard: Sequence[str]) -> list[Message]:
    """Return every payload on every topic, numbered."""
    pairs = enumerate(product(heard, said))
    return [Message(topic, payload, old, again, number) for number, (topic, (payload, old, again)) in pairs]


bursts = st.builds(
    crossed,
    st.lists(st.tuples(payloads, st.booleans(), st.booleans()), min_size=20, max_size=20),
    st.lists(topics, min_size=10, max_size=10),
)
"""200 messages each."""


def driver_of(collector: Collector) -> tuple[MqttDriver, DriverConfig]:
    config = driver_config(Protocol.MQTT, 1883, site(), collector)
    return MqttDriver(config), config


@settings(max_examples=BURSTS)
@given(bursts)
def test_nothing_that_arrives_stops_the_driver_or_stays_unacknowledged(burst: Sequence[Message]) -> None:
    collector, acknowledged = Collector(), list[int]()
    driver, config = driver_of(collector)
    driver._intake.take(burst, acknowledged.extend)
    for delivery in collector.deliveries:
        if delivery.acknowledge is not None:
            delivery.acknowledge()
    assert acknowledged == [message.number for message in burst if message.number]
    bad = sum(sample.quality >= BAD_FROM for sample in collector.samples)
    assert config.status.errors == bad, "each bad sample is counted, and nothing was an error of ours"
    assert config.status.samples == len(collector.samples)
    before = len(collector.deliveries)
    good = Message("s/a/level", b"2.5", retained=False, again=False, number=0)
    driver._intake.take([good], acknowledged.extend)
    assert collector.deliveries[before].batch.rows()[0][3:] == (2.5, Quality.GOOD)


def test_a_flood_of_bytes_is_never_kept() -> None:
    collector = Collector()
    driver, config = driver_of(collector)
    for topic in ("s/motion", "s/event", "s/a/level", f"spBv1.0/{GROUP}/DDATA/n/{DEVICE}"):
        driver._intake.take([Message(topic, None, retained=False, again=False, number=0)], lambda _numbers: None)
    assert [sample.quality for sample in collector.samples] == [Quality.BAD_MALFORMED] * 4
    assert [unit.refusals for unit in config.status.units.values()] == [1] * 4


def test_a_metric_that_claims_a_huge_length_is_malformed() -> None:
    collector = Collector()
    driver, _ = driver_of(collector)
    claim = b"\x12" + b"\xff\xff\xff\xff\x07" + struct.pack("<I", 0)
    topic = f"spBv1.0/{GROUP}/NBIRTH/n"
    driver._intake.take([Message(topic, claim, retained=False, again=False, number=0)], lambda _numbers: None)
    assert collector.samples == [], "the node has no points of its own"


def test_births_of_devices_that_nobody_asked_for_fill_no_memory() -> None:
    collector = Collector()
    driver, config = driver_of(collector)
    clock_ns = config.clock.now_ns()

    def say(kind: str, device_id: str, number: int) -> None:
        metric = Metric(timestamp=1, name=f"m{number}", datatype=DataType.INT8, value=1, alias=number)
        payload = DBirth(timestamp=1, seq=number % 256, metrics=(metric,)).encode()
        topic = "/".join(["spBv1.0", GROUP, kind, "n", *([device_id] if device_id else [])])
        message = Message(topic, payload, retained=False, again=False, number=0)
        driver.read_message(message, clock_ns)

    say("NBIRTH", "", 0)
    for number in range(1, 500):
        say("DBIRTH", f"stranger-{number}", number)
        say("DBIRTH", DEVICE, number)
    (node,) = driver._sparkplug._nodes.values()
    assert (len(node._types), len(node._aliases)) == (2, 2), "the node's last birth, and the device's"
