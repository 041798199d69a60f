"""From a topic's payload to samples: which points it carries, where in it they stand, and how they convert.

Everything is compiled once from the profile's mappings; reading a payload never raises, whatever the wire says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeGuard

import orjson

from facility.errors import ConfigurationError, Mistake
from facility.model import Point
from facility.quality import BAD_FROM, Quality
from facility.samples import Sample
from gateway.conversion import PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.mqtt.reading import Reading, without_value
from gateway.drivers.mqtt.source_time import SourceTime, source_time
from gateway.drivers.mqtt.subscriptions import filter_mistake
from gateway.events import DeviceEvent

MAX_TEXT: Final = 256
"""Characters of an event's identity or text; beyond it the text is left out, and an event without identity is bad."""

MAX_PLAIN: Final = 4096
"""Bytes of a payload that is plain text; no value is so long."""

DEFAULT_TIME_PATH: Final = "t_ms"
DEFAULT_QOS: Final = 1

Path = tuple[str, ...]
"""Keys and list indexes from the document's root to a value."""


class Format(StrEnum):
    """How a payload is spelled."""

    JSON = "json"
    TEXT = "text"
    """The whole payload is the value of one point: ``21.5``, ``OPEN``."""


class EventPlace(NamedTuple):
    """Where an event's identity and texts stand in the payload."""

    id: Path
    text: Mapping[str, Path]


class PointPlace(NamedTuple):
    """One point within a payload."""

    point: Point
    path: Path
    converter: PointConverter
    event: EventPlace | None
    """``None`` for a point that is no event."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DeviceTopic:
    """What one device says on one topic."""

    asset_id: str
    topic: str
    """A topic, or a filter with wildcards."""
    qos: int
    """The broker delivers with the lower of this and what the device publishes with."""
    places: tuple[PointPlace, ...]
    format: Format
    time_path: Path
    is_whole_list: bool
    """A path begins with a list index, so a list is one document and not several that were gathered."""

    @property
    def points(self) -> list[Point]:
        """Return the points that its payload carries."""
        return [place.point for place in self.places]

    def read(self, document: object, now_ns: int, *, retained: bool = False, speed: float = 1.0) -> Reading:
        """Return a sample for every point of the topic, and the events; what cannot be read is ``BAD_MALFORMED``.

        A device that gathers before it publishes sends a list of such payloads, oldest first: each gives its samples.

        Args:
            document: What :func:`decoded` made of the payload.
            now_ns: The gateway's time.
            retained: The broker kept the message.
            speed: Facility seconds in a wall second.
        """
        reading = Reading(self.asset_id)
        if document is MALFORMED:
            reading.samples = without_value(self.points, now_ns, Quality.BAD_MALFORMED)
            return reading
        records = document if not self.is_whole_list and _is_bundle(document) else [document]
        for record in records:
            said_ms = _at(record, self.time_path)
            said = source_time(said_ms, now_ns, retained=retained, speed=speed)
            reading.is_timed = said_ms is not None and said.quality is not Quality.UNCERTAIN_TIME
            self._read_record(record, said, now_ns, reading)
        return reading

    def _read_record(self, record: object, said: SourceTime, now_ns: int, reading: Reading) -> None:
        for place in self.places:
            value, quality = _value(place, record, said)
            reading.samples.append(Sample(place.point.key, said.ns, now_ns, value, quality))
            if place.event is not None and quality < BAD_FROM:
                code = int(value)
                reading.events.append(_event(place, place.event, record, code=code, source_ns=said.ns, now_ns=now_ns))


MALFORMED: Final = object()
"""Stands for a payload that cannot be read at all."""


def decoded(payload: bytes | None, format_: Format) -> object:
    """Return the JSON document or the text of a payload; :data:`MALFORMED` for what is none.

    ``None`` is a payload that was too large to be kept.
    """
    if payload is None:
        return MALFORMED
    return _text_of(payload) if format_ is Format.TEXT else _json_of(payload)


def compile_topics(devices: Sequence[DeviceConfig]) -> list[DeviceTopic]:
    """Return every topic that the devices' mappings name, with its points.

    A point's mapping says ``topic`` (which may have the wildcards ``+`` and ``#``), ``path`` (dotted, with list indexes
    as numbers, or a list where a key has dots of its own), and how it converts. A point whose ``format`` is ``text``
    has no path: the payload is its value. An event point adds ``event: true``, ``id`` (path of the device's own
    identity of the event) and ``text`` (name to path). A device's settings may say ``qos`` (0 or 1, default 1),
    ``format`` and ``time`` (path of the source time in milliseconds, default ``t_ms``).

    Raises:
        ConfigurationError: A mapping lacks a key, or has one that cannot work; lists every one.
    """
    mistakes = [mistake for device in devices for mistake in _mistakes(device)]
    if mistakes:
        raise ConfigurationError(mistakes)
    return [topic for device in devices for topic in _device_topics(device)]


def _device_topics(device: DeviceConfig) -> Iterator[DeviceTopic]:
    places: defaultdict[tuple[str, Format], list[PointPlace]] = defaultdict(list)
    for point in device.points:
        mapping = device.mapping[point.name]
        places[mapping["topic"], _format(device, mapping)].append(_place(point, mapping))
    for (topic, format_), members in places.items():
        yield DeviceTopic(
            asset_id=device.asset.id,
            topic=topic,
            qos=device.settings.get("qos", DEFAULT_QOS),
            places=tuple(members),
            format=format_,
            time_path=path_of(device.settings.get("time", DEFAULT_TIME_PATH)),
            is_whole_list=any(member.path and member.path[0].isdecimal() for member in members),
        )


def _mistakes(device: DeviceConfig) -> Iterator[Mistake]:
    profile = device.asset.profile
    if device.settings.get("qos", DEFAULT_QOS) not in {0, 1}:
        yield Mistake(device.asset.id, 0, f"'qos' of profile {profile} is {device.settings['qos']!r}; write 0 or 1")
    for point in device.points:
        mapping = device.mapping[point.name]
        for wrong in _point_mistakes(device, mapping):
            yield Mistake(point.address, 0, f"{wrong}; change the profile {profile}")


def _point_mistakes(device: DeviceConfig, mapping: Mapping[str, Any]) -> Iterator[str]:
    written = mapping.get("format", device.settings.get("format", Format.JSON))
    if written not in list(Format):
        yield f"'format' is {written!r}; write json or text"
        return
    missing = _missing_keys(mapping, Format(written))
    if missing:
        yield f"an MQTT point needs {' and '.join(missing)}"
    if mapping.get("event") and written == Format.TEXT:
        yield "an event needs an identity of its own, which plain text does not have; read it as a state"
    if "topic" in mapping and (wrong := filter_mistake(str(mapping["topic"]))):
        yield wrong


def _missing_keys(mapping: Mapping[str, Any], format_: Format) -> list[str]:
    needed = ["topic"] if format_ is Format.TEXT else ["topic", "path"]
    needed += ["id"] if mapping.get("event") else []
    return [f"'{key}'" for key in needed if key not in mapping]


def _format(device: DeviceConfig, mapping: Mapping[str, Any]) -> Format:
    return Format(mapping.get("format", device.settings.get("format", Format.JSON)))


def _place(point: Point, mapping: Mapping[str, Any]) -> PointPlace:
    event = None
    if mapping.get("event"):
        texts = {name: path_of(path) for name, path in mapping.get("text", {}).items()}
        event = EventPlace(path_of(mapping["id"]), texts)
    return PointPlace(point, path_of(mapping.get("path", "")), PointConverter(point, mapping), event)


def path_of(written: object) -> Path:
    """Return the steps of a path: dotted text, or a list where a key has dots; empty for the document itself."""
    if isinstance(written, list):
        return tuple(map(str, written))
    return tuple(str(written).split(".")) if written != "" else ()


def _json_of(payload: bytes) -> object:
    try:
        document: object = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return MALFORMED
    return document


def _text_of(payload: bytes) -> object:
    try:
        return payload.decode().strip() if len(payload) <= MAX_PLAIN else MALFORMED
    except UnicodeDecodeError:
        return MALFORMED


def _is_bundle(document: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(document, list) and bool(document) and all(isinstance(record, dict) for record in document)


def _at(document: object, path: Iterable[str]) -> object | None:
    """Return what stands at a path; ``None`` where nothing does."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def _value(place: PointPlace, document: object, said: SourceTime) -> tuple[float, Quality]:
    """Convert one value; an event without an identity could not be told from its own repetition, so it is malformed."""
    if place.event is not None and not _text(_at(document, place.event.id)):
        return math.nan, Quality.BAD_MALFORMED
    value, quality = place.converter.convert(_at(document, place.path))
    return value, max(quality, said.quality)  # the codes rise from good over uncertain to bad


def _event(
    place: PointPlace, event: EventPlace, document: object, *, code: int, source_ns: int, now_ns: int
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
