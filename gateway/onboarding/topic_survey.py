"""What a broker's topics carry, learned from the messages themselves; bounded whatever comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

MOST_TOPICS: Final = 10_000
MOST_VALUES: Final = 500
"""Values within one topic's payload."""
MOST_TEXTS: Final = 16
"""Different texts of one value that are kept; a value with more is free text, not a state."""
DEEPEST: Final = 8
LONGEST: Final = 64
"""Characters of a text that are kept."""
SPARKPLUG: Final = "spBv1.0/"

_EPOCH_MS: Final = (1.0e12, 1.0e13)
"""Milliseconds since 1970 from 2001 to 2286."""


class Payload(StrEnum):
    """What a topic's payloads are."""

    JSON = "json"
    """An object with values in it."""
    TEXT = "text"
    """One value alone."""
    SPARKPLUG = "sparkplug"
    BINARY = "binary"
    EMPTY = "empty"


@dataclass(slots=True)
class FoundValue:
    """One value within a topic's payload."""

    path: str
    """Dotted; empty where the payload is the value."""
    types: set[str] = field(default_factory=set)
    """Of ``number``, ``integer``, ``boolean``, ``text``, ``null``, ``list``."""
    example: object = None
    texts: set[str] = field(default_factory=set)
    """Different texts, at most :data:`MOST_TEXTS` and one."""
    low: float | None = None
    high: float | None = None

    @property
    def is_time(self) -> bool:
        """Tell whether it looks like a time in milliseconds."""
        return self.low is not None and self.high is not None and _EPOCH_MS[0] < self.low <= self.high < _EPOCH_MS[1]

    def take(self, value: object) -> None:
        """Take note of one value."""
        self.types.add(type_name(value))
        self.example = value[:LONGEST] if isinstance(value, str) else value
        if isinstance(value, str) and len(self.texts) <= MOST_TEXTS:
            self.texts.add(value[:LONGEST])
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.low = value if self.low is None else min(self.low, value)
            self.high = value if self.high is None else max(self.high, value)


@dataclass(slots=True)
class FoundTopic:
    """One topic."""

    topic: str
    messages: int = 0
    live: int = 0
    """Messages that were published while we listened, and not kept by the broker."""
    retained: bool = False
    """The broker keeps its last message."""
    first_s: float = 0.0
    last_s: float = 0.0
    """When the first and the last live message came."""
    kinds: set[Payload] = field(default_factory=set)
    values: dict[str, FoundValue] = field(default_factory=dict)
    last: bytes = b""
    """The last payload of a topic that carries Sparkplug."""

    @property
    def kind(self) -> Payload:
        """Return what its payloads are; of several the one that says most."""
        return next((kind for kind in Payload if kind in self.kinds), Payload.EMPTY)

    @property
    def rate_hz(self) -> float | None:
        """Return live messages a second; ``None`` before the second one."""
        span_s = self.last_s - self.first_s
        return (self.live - 1) / span_s if self.live > 1 and span_s > 0 else None


class Survey:
    """Learns from messages."""

    def __init__(self) -> None:
        self.left_out = 0
        """Messages of topics beyond :data:`MOST_TOPICS`."""
        self._topics: dict[str, FoundTopic] = {}

    def take(self, topic: str, payload: bytes, *, retained: bool, at_s: float) -> None:
        """Take note of one message."""
        found = self._topics.get(topic)
        if found is None:
            if len(self._topics) >= MOST_TOPICS:
                self.left_out += 1
                return
            found = self._topics[topic] = FoundTopic(topic)
        found.messages += 1
        found.retained |= retained
        if not retained:
            found.first_s = found.first_s if found.live else at_s
            found.last_s = at_s
            found.live += 1
        kind, values = read_payload(topic, payload)
        found.kinds.add(kind)
        if kind is Payload.SPARKPLUG:
            found.last = payload
        for path, value in values:
            if path in found.values or len(found.values) < MOST_VALUES:
                found.values.setdefault(path, FoundValue(path)).take(value)

    def topics(self) -> list[FoundTopic]:
        """Return what was learned so far, by topic."""
        return [self._topics[topic] for topic in sorted(self._topics)]


def read_payload(topic: str, payload: bytes) -> tuple[Payload, list[tuple[str, object]]]:
    """Return what a payload is, and the values in it by path; never raises."""
    if topic.startswith(SPARKPLUG) and "/STATE/" not in topic:
        return Payload.SPARKPLUG, []
    if not payload:
        return Payload.EMPTY, []
    try:
        document: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _plain(payload)
    if isinstance(document, list) and document and all(isinstance(each, dict) for each in document):
        document = document[-1]  # a device that gathers before it publishes
    if isinstance(document, dict):
        return Payload.JSON, list(_values(document, ()))
    return Payload.TEXT, [("", document)]


def type_name(value: object) -> str:
    """Return what people call the type of a value."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case None:
            return "null"
        case _:
            return "list"


def _plain(payload: bytes) -> tuple[Payload, list[tuple[str, object]]]:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return Payload.BINARY, []
    return (Payload.TEXT, [("", text)]) if text.isprintable() else (Payload.BINARY, [])


def _values(document: dict[str, Any], place: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Return the values below an object; what a dotted path cannot name is left out."""
    for key, value in document.items():
        if "." in key or not key or len(place) >= DEEPEST:
            continue
        if isinstance(value, dict):
            yield from _values(value, (*place, key))
        else:
            yield ".".join((*place, key)), value if not isinstance(value, list) else []
