"""What a payload says, without a broker."""

from __future__ import annotations

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.clock import NS_PER_MS, NS_PER_S
from facility.equipment import PointKind
from facility.errors import ConfigurationError
from facility.model import Protocol
from facility.quality import BAD_FROM, Quality
from gateway.drivers.mqtt import MqttDriver
from gateway.drivers.mqtt.messages import Message
from gateway.drivers.mqtt.reading import Reading
from gateway.drivers.mqtt.source_time import source_time
from gateway.drivers.mqtt.topic_source import TopicSource
from gateway.drivers.mqtt.topics import DeviceTopic, compile_topics, decoded
from tests.gateway.driver_site import Collector, PointPlace, analog, device, driver_config, states

NOW_NS = 1_760_000_000 * NS_PER_S
NOW_MS = NOW_NS / NS_PER_MS


def only(topics: list[DeviceTopic]) -> DeviceTopic:
    (topic,) = topics
    return topic


def read(topic: DeviceTopic, payload: bytes, *, retained: bool = False) -> Reading:
    return topic.read(decoded(payload, topic.format), NOW_NS, retained=retained)


def door_topic() -> DeviceTopic:
    events = states(PointKind.EVENT, granted=1, denied=2)
    mapping = {"topic": "d/event", "path": "event", "event": True, "id": "id", "text": {"badge": "card.badge"}}
    return only(compile_topics([device("door-1", 1, {"access_event": (events, mapping)})]))


def lift_topic() -> DeviceTopic:
    points: dict[str, PointPlace] = {
        "speed": (analog("m/s"), {"topic": "l", "path": "car.speed", "scale": 2}),
        "door": (states(PointKind.MULTISTATE, closed=0, open=2), {"topic": "l", "path": "door"}),
    }
    return only(compile_topics([device("lift-1", 10, points)]))


def test_values_are_found_by_dotted_path_and_carry_the_lifts_own_time() -> None:
    said_ms = NOW_MS - 1500
    reading = read(lift_topic(), orjson.dumps({"t_ms": said_ms, "car": {"speed": 1.25}, "door": "open"}))
    speed, door = reading.samples
    assert (speed.point, speed.value, speed.quality) == (10, 2.5, Quality.GOOD)
    assert (door.point, door.value, door.quality) == (11, 2.0, Quality.GOOD)
    assert speed.source_time_ns == NOW_NS - 1500 * NS_PER_MS
    assert speed.gateway_time_ns == NOW_NS
    assert reading.bad == 0


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[1, 2]", b"3", b'"text"', b"null", b"\xff\xfe", b'{"car": NaN}'],
    ids=["empty", "cut", "list", "number", "text", "null", "no-utf8", "nan"],
)
def test_a_payload_that_is_no_object_gives_one_malformed_sample_per_point(payload: bytes) -> None:
    reading = read(lift_topic(), payload)
    assert [sample.quality for sample in reading.samples] == [Quality.BAD_MALFORMED] * 2
    assert reading.bad == 2


def test_a_device_that_gathers_before_it_publishes_gives_every_record_with_its_own_time() -> None:
    records = [{"t_ms": NOW_MS - age_ms, "car": {"speed": age_ms}, "door": "open"} for age_ms in (500, 250, 0)]
    records[1]["car"] = "18. Jan"
    reading = read(lift_topic(), orjson.dumps(records))
    speeds = [sample for sample in reading.samples if sample.point == 10]
    ages_ms = [(NOW_NS - sample.source_time_ns) / NS_PER_MS for sample in speeds]
    assert ages_ms == pytest.approx([500, 250, 0], abs=0.01)
    assert [sample.quality for sample in speeds] == [Quality.GOOD, Quality.BAD_MALFORMED, Quality.GOOD]
    assert (len(reading.samples), reading.bad) == (6, 1)


def test_events_that_a_door_gathered_are_all_there() -> None:
    records = [{"id": number, "t_ms": NOW_MS, "event": "granted"} for number in range(3)]
    assert [event.event_id for event in read(door_topic(), orjson.dumps(records)).events] == ["0", "1", "2"]


def test_one_missing_or_wrong_value_does_not_hide_its_neighbour() -> None:
    reading = read(lift_topic(), orjson.dumps({"t_ms": NOW_MS, "car": {"speed": "18. Jan"}, "door": "closed"}))
    assert [sample.quality for sample in reading.samples] == [Quality.BAD_MALFORMED, Quality.GOOD]
    reading = read(lift_topic(), orjson.dumps({"t_ms": NOW_MS, "car": 3, "door": "ajar"}))
    assert [sample.quality for sample in reading.samples] == [Quality.BAD_MALFORMED] * 2


def test_a_door_event_brings_its_badge_and_a_sample_with_its_code() -> None:
    payload = {"id": "e-7", "t_ms": NOW_MS, "event": "denied", "card": {"badge": 100342}}
    reading = read(door_topic(), orjson.dumps(payload))
    (event,) = reading.events
    assert (event.event_id, event.code, dict(event.text)) == ("e-7", 2, {"badge": "100342"})
    assert reading.samples[0].value == 2.0


def test_a_door_event_without_badge_has_no_text() -> None:
    (event,) = read(door_topic(), orjson.dumps({"id": 7, "t_ms": NOW_MS, "event": "granted"})).events
    assert (event.event_id, dict(event.text)) == ("7", {})


@pytest.mark.parametrize("document", [{"event": "granted"}, {"id": "", "event": "granted"}, {"id": "x", "event": "?"}])
def test_an_event_without_identity_or_with_an_unknown_name_is_malformed(document: dict[str, str]) -> None:
    reading = read(door_topic(), orjson.dumps(document))
    assert reading.events == []
    assert reading.samples[0].quality is Quality.BAD_MALFORMED


def test_a_retained_message_is_uncertain_only_when_it_is_old() -> None:
    def quality(age_s: float) -> Quality:
        document = {"t_ms": NOW_MS - age_s * 1000, "car": {"speed": 1}, "door": "open"}
        return read(lift_topic(), orjson.dumps(document), retained=True).samples[0].quality

    assert quality(5) is Quality.GOOD
    assert quality(3600) is Quality.UNCERTAIN_RETAINED


def test_limits_of_time_are_wall_seconds_when_facility_time_runs_fast() -> None:
    half_an_hour_ago = NOW_MS - 1_800_000
    assert source_time(half_an_hour_ago, NOW_NS, retained=True).quality is Quality.UNCERTAIN_RETAINED
    assert source_time(half_an_hour_ago, NOW_NS, retained=True, speed=60).quality is Quality.GOOD


@pytest.mark.parametrize("said", ["soon", True, [1], 0, -1, 10**30, NOW_MS + 600_000, math.inf, math.nan])
def test_an_impossible_source_time_is_replaced_by_the_gateways(said: object) -> None:
    assert source_time(said, NOW_NS, retained=False) == (NOW_NS, Quality.UNCERTAIN_TIME)


def test_a_payload_without_time_has_the_gateways() -> None:
    assert source_time(None, NOW_NS, retained=False) == (NOW_NS, Quality.GOOD)
    assert source_time(None, NOW_NS, retained=True) == (NOW_NS, Quality.UNCERTAIN_RETAINED)


def test_a_queued_message_of_last_night_keeps_its_time() -> None:
    last_night_ms = NOW_MS - 12 * 3_600_000
    assert source_time(last_night_ms, NOW_NS, retained=False) == (NOW_NS - 12 * 3600 * NS_PER_S, Quality.GOOD)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t_ms", "car", "speed", "door", "event", "id", "card"]), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_no_payload_whatever_stops_the_reader(document: object, retained: bool) -> None:  # noqa: FBT001  # hypothesis calls by position
    payload = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS) if _encodable(document) else b"\x00"
    for topic in (lift_topic(), door_topic()):
        reading = read(topic, payload, retained=retained)
        assert len(reading.samples) % len(topic.places) == 0
        assert len(reading.samples) > 0
        for sample in reading.samples:
            assert sample.quality >= BAD_FROM or math.isfinite(sample.value)


@given(st.binary(max_size=64))
def test_no_bytes_whatever_stop_the_reader(payload: bytes) -> None:
    assert len(read(lift_topic(), payload).samples) == 2


def test_a_mapping_without_topic_or_path_is_told_with_its_point() -> None:
    with pytest.raises(ConfigurationError, match=r"lift-1/speed.*'topic' and 'path'"):
        compile_topics([device("lift-1", 1, {"speed": (analog(), {})})])


def _encodable(document: object) -> bool:
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return False
    return True


def test_a_gateway_of_many_tanks_is_read_by_list_index_and_by_keys_with_dots() -> None:
    points: dict[str, PointPlace] = {
        "level": (analog("m"), {"topic": "t", "path": "tanks.1.level"}),
        "volume": (analog(), {"topic": "t", "path": ["tanks", 0, "vol.m3"]}),
        "missing": (analog(), {"topic": "t", "path": "tanks.7.level"}),
    }
    topic = only(compile_topics([device("tank-1", 1, points)]))
    reading = read(topic, orjson.dumps({"tanks": [{"vol.m3": 4.0}, {"level": "2.5"}]}))
    assert [sample.value for sample in reading.samples[:2]] == [2.5, 4.0]
    assert reading.samples[2].quality is Quality.BAD_MALFORMED


def test_a_list_that_is_a_document_of_its_own_is_not_several_records() -> None:
    level: PointPlace = (analog("m"), {"topic": "t", "path": "1.level"})
    topic = only(compile_topics([device("tank-1", 1, {"level": level})]))
    reading = read(topic, orjson.dumps([{"level": 1}, {"level": 2}]))
    assert [sample.value for sample in reading.samples] == [2.0]


def test_a_payload_may_be_one_bare_number() -> None:
    topic = only(compile_topics([device("tank-1", 1, {"level": (analog("m"), {"topic": "t", "path": ""})})]))
    assert read(topic, b"21.5").samples[0].value == 21.5
    assert read(topic, b'"21.5"').samples[0].value == 21.5


@pytest.mark.parametrize(
    ("payload", "value", "quality"),
    [
        (b"21.5", 21.5, Quality.GOOD),
        (b" 21.5\n", 21.5, Quality.GOOD),
        (b"-1e3", -1000.0, Quality.GOOD),
        (b"", math.nan, Quality.BAD_MALFORMED),
        (b"n/a", math.nan, Quality.BAD_MALFORMED),
        (b"nan", math.nan, Quality.BAD_NOT_A_NUMBER),
        (b"\xff", math.nan, Quality.BAD_MALFORMED),
        (b"1" * 5000, math.nan, Quality.BAD_MALFORMED),
    ],
)
def test_plain_text_is_read_as_the_number_that_it_is(payload: bytes, value: float, quality: Quality) -> None:
    level: PointPlace = (analog("m"), {"topic": "t", "format": "text"})
    topic = only(compile_topics([device("tank-1", 1, {"level": level})]))
    (sample,) = read(topic, payload).samples
    assert sample.quality is quality
    assert sample.value == pytest.approx(value, nan_ok=True)


def test_a_state_in_plain_text_is_read_by_its_name() -> None:
    door: PointPlace = (states(PointKind.MULTISTATE, closed=0, open=2), {"topic": "t"})
    topic = only(compile_topics([device("door-1", 1, {"door": door}, {"format": "text"})]))
    assert read(topic, b"OPEN").samples[0].value == 2.0


def test_two_assets_in_one_payload_are_read_each_by_its_own_profile() -> None:
    devices = [
        device("fan-1", 1, {"speed": (analog(), {"topic": "t", "path": "fans.a"})}, {"time": "at"}),
        device("fan-2", 2, {"speed": (analog(), {"topic": "t", "path": "fans.b"})}),
    ]
    source = TopicSource(compile_topics(devices))
    said = Message(
        "t", orjson.dumps({"fans": {"a": 1, "b": 2}, "at": NOW_MS - 1000}), retained=False, again=False, number=0
    )
    first, second = source.read(said, NOW_NS, speed=1.0)
    assert (first.asset_id, first.samples[0].value, second.asset_id, second.samples[0].value) == (
        "fan-1",
        1.0,
        "fan-2",
        2.0,
    )
    assert first.samples[0].source_time_ns < second.samples[0].source_time_ns == NOW_NS


def test_a_meter_whose_topic_ends_in_a_serial_number_is_read_whatever_that_is() -> None:
    energy: PointPlace = (analog("kWh"), {"topic": "meters/hall/+/energy", "format": "text"})
    source = TopicSource(compile_topics([device("meter-1", 1, {"energy": energy})]))
    for serial in ("A-17", "B-03"):
        said = Message(f"meters/hall/{serial}/energy", b"5", retained=False, again=False, number=0)
        assert source.read(said, NOW_NS, speed=1.0)[0].samples[0].value == 5.0
    stranger = Message("meters/hall/energy", b"5", retained=False, again=False, number=0)
    assert source.read(stranger, NOW_NS, speed=1.0) == []


@pytest.mark.parametrize(
    ("mapping", "settings", "complaint"),
    [
        ({"topic": "t", "format": "xml"}, {}, "json or text"),
        ({"topic": "a/b+", "path": "x"}, {}, "shares its level"),
        ({"topic": "t", "event": True, "id": "i", "format": "text"}, {}, "identity of its own"),
        ({"topic": "t", "path": "x"}, {"qos": 2}, "write 0 or 1"),
        ({"topic": "t", "path": "x"}, {"heartbeat_s": "soon"}, "write seconds"),
    ],
)
def test_a_profile_that_cannot_work_is_told_with_what_to_write(
    mapping: dict[str, object], settings: dict[str, object], complaint: str
) -> None:
    tank = device("tank-1", 1, {"level": (analog("m"), mapping)}, settings)
    with pytest.raises(ConfigurationError, match=complaint):
        MqttDriver(driver_config(Protocol.MQTT, 1, (tank,), Collector()))
