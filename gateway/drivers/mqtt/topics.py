"""From a topic's payload to columns: which points it carries, where in the JSON they stand, and how they convert.

Everything is compiled once from the profile's mappings; reading a payload never raises, whatever the wire says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeGuard

import numpy as np
import orjson

from facility.errors import ConfigurationError, Mistake
from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import SampleBatch
from gateway.conversion import PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.mqtt.source_time import SourceTime, source_time
from gateway.events import DeviceEvent

MAX_PAYLOAD: Final = 1_000_000
"""Bytes; a larger payload is refused before it is decoded."""

MAX_TEXT: Final = 256
"""Characters of an event's identity or text; beyond it the text is left out, and an event without identity is bad."""

DEFAULT_TIME_PATH: Final = "t_ms"
DEFAULT_QOS: Final = 1


class EventPlace(NamedTuple):
    """Where an event's identity and texts stand in the payload."""

    id: tuple[str, ...]
    text: Mapping[str, tuple[str, ...]]


class JsonPoint(NamedTuple):
    """One point within a payload."""

    point: Point
    path: tuple[str, ...]
    converter: PointConverter
    event: EventPlace | None
    """``None`` for a point that is no event."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one payload said."""

    batch: SampleBatch
    events: tuple[DeviceEvent, ...]
    bad: int
    """How many samples of the batch are bad."""


class Topic:
    """One topic and the points that its payload carries."""

    def __init__(self, name: str, points: Iterable[JsonPoint], *, qos: int, time_path: tuple[str, ...]) -> None:
        self.name = name
        self.qos = qos
        """The broker delivers with the lower of this and what the device publishes with."""
        self.points = tuple(points)
        self._time_path = time_path
        self._keys = np.array([each.point.key for each in self.points], np.int32)
        self._keys.flags.writeable = False  # all batches of this topic share it

    def read(self, payload: bytes | bytearray, now_ns: int, *, retained: bool = False, speed: float = 1.0) -> Reading:
        """Return a sample for every point of the topic, and the events; what cannot be read is ``BAD_MALFORMED``.

        A device that gathers before it publishes sends a list of such payloads, oldest first: each gives its samples.
        """
        document = _document(payload)
        if document is None:
            return self.without_value(now_ns, Quality.BAD_MALFORMED)
        if not _is_bundle(document):
            return self._read_record(document, now_ns, retained=retained, speed=speed)
        records = [self._read_record(record, now_ns, retained=retained, speed=speed) for record in document]
        return Reading(
            SampleBatch.concatenate([record.batch for record in records]),
            tuple(event for record in records for event in record.events),
            sum(record.bad for record in records),
        )

    def _read_record(self, document: object, now_ns: int, *, retained: bool, speed: float) -> Reading:
        said = source_time(_at(document, self._time_path), now_ns, retained=retained, speed=speed)
        rows = [_value(each, document, said) for each in self.points]
        events = [
            _event(each, each.event, document, code=int(value), source_ns=said.ns, now_ns=now_ns)
            for each, (value, quality) in zip(self.points, rows, strict=True)
            if each.event is not None and quality < BAD_FROM
        ]
        return self._reading(rows, said.ns, now_ns, tuple(events))

    def without_value(self, now_ns: int, quality: Quality) -> Reading:
        """Return one sample without a value per point, all of one quality."""
        return self._reading([(math.nan, quality)] * len(self.points), now_ns, now_ns, ())

    def bad_points(self, batch: SampleBatch) -> dict[str, str]:
        """Return in people's words which of this topic's points are bad, and how; the last word counts."""
        addresses = {each.point.key: each.point.address for each in self.points}
        return {addresses[sample.point]: sample.quality.label for sample in batch.rows() if sample.quality >= BAD_FROM}

    def _reading(
        self, rows: Sequence[tuple[float, Quality]], source_ns: int, now_ns: int, events: tuple[DeviceEvent, ...]
    ) -> Reading:
        count = len(rows)
        batch = SampleBatch(
            self._keys,
            np.full(count, source_ns, np.int64),
            np.full(count, now_ns, np.int64),
            np.array([value for value, _ in rows], np.float64),
            np.array([quality for _, quality in rows], np.uint8),
        )
        return Reading(batch, events, sum(quality >= BAD_FROM for _, quality in rows))


def compile_topics(devices: Sequence[DeviceConfig]) -> dict[str, Topic]:
    """Return every topic that the devices' mappings name, with its points.

    A point's mapping says ``topic`` and ``path`` (dotted), and how it converts. An event point adds ``event: true``,
    ``id`` (path of the device's own identity of the event) and ``text`` (name to path). A device's settings may say
    ``qos`` (default 1) and ``time`` (path of the source time in milliseconds, default ``t_ms``).

    Raises:
        ConfigurationError: A mapping lacks a key; lists every one.
    """
    points: defaultdict[str, list[JsonPoint]] = defaultdict(list)
    settings: dict[str, Mapping[str, Any]] = {}
    mistakes: list[Mistake] = []
    for device in devices:
        for point in device.points:
            mapping = device.mapping[point.name]
            missing = _missing_keys(mapping)
            if missing:
                message = f"an MQTT point needs {' and '.join(missing)}; add it to the profile {device.asset.profile}"
                mistakes.append(Mistake(point.address, 0, message))
                continue
            points[mapping["topic"]].append(_json_point(point, mapping))
            settings[mapping["topic"]] = device.settings
    if mistakes:
        raise ConfigurationError(mistakes)
    return {
        name: Topic(
            name,
            members,
            qos=settings[name].get("qos", DEFAULT_QOS),
            time_path=_path(settings[name].get("time", DEFAULT_TIME_PATH)),
        )
        for name, members in points.items()
    }


def _missing_keys(mapping: Mapping[str, Any]) -> list[str]:
    needed = ("topic", "path", "id") if mapping.get("event") else ("topic", "path")
    return [f"'{key}'" for key in needed if key not in mapping]


def _json_point(point: Point, mapping: Mapping[str, Any]) -> JsonPoint:
    event = None
    if mapping.get("event"):
        event = EventPlace(_path(mapping["id"]), {name: _path(path) for name, path in mapping.get("text", {}).items()})
    return JsonPoint(point, _path(mapping["path"]), PointConverter(point, mapping), event)


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.split("."))


def _document(payload: bytes | bytearray) -> object | None:
    """Return the decoded JSON; ``None`` for what is none, or too large to be honest."""
    if len(payload) > MAX_PAYLOAD:
        return None
    try:
        document: object = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return document


def _is_bundle(document: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(document, list) and bool(document) and all(isinstance(record, dict) for record in document)


def _at(document: object, path: tuple[str, ...]) -> object | None:
    """Return what stands at a path; ``None`` where nothing does."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _value(place: JsonPoint, document: object, said: SourceTime) -> tuple[float, Quality]:
    """Convert one value; an event without an identity could not be told from its own repetition, so it is malformed."""
    if place.event is not None and not _text(_at(document, place.event.id)):
        return math.nan, Quality.BAD_MALFORMED
    value, quality = place.converter.convert(_at(document, place.path))
    return value, max(quality, said.quality)  # the codes rise from good over uncertain to bad


def _event(
    place: JsonPoint, event: EventPlace, document: object, *, code: int, source_ns: int, now_ns: int
) -> DeviceEvent:
    texts = {name: _text(_at(document, path)) for name, path in event.text.items()}
    return DeviceEvent(
        point=place.point.key,
        source_time_ns=source_ns,
        gateway_time_ns=now_ns,
        code=code,
        event_id=_text(_at(document, event.id)),
        text={name: text for name, text in texts.items() if text},
    )


def _text(value: object) -> str:
    """Return a text or whole number as text; empty for anything else, and for a text longer than any badge."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
