"""From the topics of a broker to devices: a shipped profile where its layout is seen, otherwise points to recognise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from facility.model import Protocol
from gateway.address import parameters, solved
from gateway.onboarding.found import FoundConnection, FoundPoint, Shape
from gateway.onboarding.found_asset import FoundAsset, Member
from gateway.onboarding.readings import Reading
from gateway.onboarding.topic_survey import MOST_TEXTS, FoundTopic, FoundValue, Payload
from gateway.profiles import DeviceProfile

SEEN_ENOUGH: Final = 0.6
"""Part of a profile's points that must have been heard for the profile to fit."""
FEWEST: Final = 3
ROOT: Final = "root"

_SUFFIX_UNITS: Final[Mapping[str, str]] = {
    "m_s2": "m/s**2",
    "mm_s": "mm/s",
    "m_s": "m/s",
    "m3_h": "m**3/h",
    "l_s": "L/s",
    "l_min": "L/min",
    "percent": "percent",
    "pct": "percent",
    "celsius": "degC",
    "degc": "degC",
    "rpm": "rpm",
    "bar": "bar",
    "kpa": "kPa",
    "mbar": "mbar",
    "kw": "kW",
    "kwh": "kW*h",
    "hz": "Hz",
    "kg": "kg",
    "ma": "mA",
    "mv": "mV",
    "mm": "mm",
    "c": "degC",
    "a": "A",
    "v": "V",
    "h": "h",
    "m": "m",
}
"""Endings of names, after an underscore, by which programmers say the unit."""
_GENERIC: Final = frozenset({"value", "val", "v", "state", "status", "payload", "data"})
"""Paths that say nothing: the topic's last level does."""
_HAS_NUMBER: Final = re.compile(r"\d")


class Fitted(NamedTuple):
    """A device that a shipped profile reads."""

    asset: FoundAsset
    used: frozenset[str]
    """Topics that the profile reads."""


def time_path(topics: Iterable[FoundTopic]) -> str:
    """Return the path at which most topics say their time; empty where none does."""
    paths = [value.path for topic in topics for value in topic.values.values() if value.is_time]
    return max(sorted(set(paths)), key=paths.count, default="")


def topic_connection(
    topics: Sequence[FoundTopic], *, host: str, port: str, options: Mapping[str, Any], identity: str
) -> FoundConnection:
    """Return a broker as a connection whose points are the values within its topics."""
    at = time_path(topics)
    return FoundConnection(
        id=identity,
        protocol=Protocol.MQTT,
        host=host,
        port=port,
        options=options,
        label=identity,
        points=tuple(_points(topics)),
        settings={"qos": 1, **({"time": at} if at else {})},
        notes=(f"{len(topics)} topics heard" + (f"; source time at {at!r}" if at else "; no source time found"),),
    )


def fitted_profiles(topics: Sequence[FoundTopic], shipped: Mapping[str, DeviceProfile]) -> list[Fitted]:
    """Return the devices whose topics and paths are those of a shipped profile."""
    heard = {(topic.topic, path) for topic in topics for path in topic.values}
    by_topic = {topic.topic: topic for topic in topics}
    best: dict[str, tuple[int, Fitted]] = {}
    for profile in shipped.values():
        if profile.protocol is not Protocol.MQTT or not _is_by_root(profile):
            continue
        for root in sorted({root for topic, _ in heard for root in _roots(profile, topic)}):
            found = _fitted(profile, root, heard, by_topic)
            if found is not None and len(found.asset.members) > best.get(root, (0, None))[0]:
                best[root] = (len(found.asset.members), found)
    return [found for _, found in best.values()]


def without(connection: FoundConnection, fitted: Sequence[Fitted]) -> FoundConnection:
    """Return a connection without the points of topics that shipped profiles read."""
    used = {topic for found in fitted for topic in found.used}
    return replace(connection, points=tuple(each for each in connection.points if _topic_of(each) not in used))


def _is_by_root(profile: DeviceProfile) -> bool:
    places = profile.points.values()
    return parameters(profile.points) == {ROOT} and all("topic" in place and "path" in place for place in places)


def _roots(profile: DeviceProfile, topic: str) -> Iterator[str]:
    for place in profile.points.values():
        solution = solved(place["topic"], topic)
        if solution:
            yield str(solution[ROOT])


def _fitted(
    profile: DeviceProfile, root: str, heard: set[tuple[str, str]], topics: Mapping[str, FoundTopic]
) -> Fitted | None:
    """Return the device below a root, where enough of a profile's points were heard there."""
    places = {
        point: (str(entry["topic"]).replace(f"{{{ROOT}}}", root), str(entry["path"]))
        for point, entry in profile.points.items()
    }
    events = {point for point, entry in profile.points.items() if entry.get("event")}
    seen = {point: place for point, place in places.items() if place in heard}
    expected = places.keys() - events
    if len(seen.keys() - events) < max(FEWEST, SEEN_ENOUGH * len(expected)):
        return None
    missing = [point for point in places if point not in seen]
    members = {
        point: Member(found=_point(topics[topic], topics[topic].values[path], root), reading=Reading())
        for point, (topic, path) in seen.items()
    }
    notes = (f"not heard yet: {', '.join(missing)}",) if missing else ()
    asset = FoundAsset(
        name=root.rpartition("/")[2],
        equipment_class=profile.equipment_class,
        members=members,
        reason=f"{len(seen)} of {len(places)} places of the profile {profile.profile} were heard",
        profile=profile.profile,
        address={ROOT: root},
        notes=notes,
    )
    return Fitted(asset, frozenset(topic for topic, _ in places.values()))


def _points(topics: Iterable[FoundTopic]) -> Iterator[FoundPoint]:
    for topic in topics:
        if topic.kind in {Payload.JSON, Payload.TEXT} and not {"{", "}"} & set(topic.topic):
            root = root_of(topic.topic)
            yield from (_point(topic, value, root) for value in topic.values.values() if not value.is_time)


def root_of(topic: str) -> str:
    """Return the levels of a topic that name the device: all, where the last has a number, otherwise all but it."""
    above, slash, last = topic.rpartition("/")
    return above if slash and above and not _HAS_NUMBER.search(last) else topic


def _point(topic: FoundTopic, value: FoundValue, root: str) -> FoundPoint:
    last = topic.topic.rpartition("/")[2]
    name = value.path if value.path and value.path.casefold() not in _GENERIC else f"{last} {value.path}".strip()
    place = {"path": value.path} if value.path else {"format": "text"}
    shape, states = _shape(value)
    return FoundPoint(
        name=name,
        entry={"topic": topic.topic.replace(root, f"{{{ROOT}}}", 1), **place},
        origin=f"{topic.topic} {value.path} (such as {value.example!r})",
        shape=shape,
        group=root,
        unit=_suffix_unit(value.path or last) if shape in {Shape.QUANTITY, None} else "",
        states=states,
        address={ROOT: root},
    )


def _topic_of(found: FoundPoint) -> str:
    return str(found.entry["topic"]).replace(f"{{{ROOT}}}", str(found.address[ROOT]), 1)


def _shape(value: FoundValue) -> tuple[Shape | None, dict[Any, str]]:
    types = value.types - {"null"}
    if types == {"boolean"}:
        return Shape.CONTACT, {}
    if types and types <= {"integer", "number"}:
        return (Shape.QUANTITY if "number" in types else None), {}
    if types == {"text"} and len(value.texts) <= MOST_TEXTS:
        return _shape_of_texts(value.texts)
    return Shape.OTHER, {}


def _shape_of_texts(texts: Iterable[str]) -> tuple[Shape | None, dict[Any, str]]:
    if all(_is_number(text) for text in texts):
        return Shape.QUANTITY, {}
    return Shape.STATES, {text: text for text in sorted(texts)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _suffix_unit(name: str) -> str:
    _, _, last = name.casefold().rpartition(".")
    fits = [suffix for suffix in _SUFFIX_UNITS if last.endswith(f"_{suffix}")]
    return _SUFFIX_UNITS[max(fits, key=len)] if fits else ""
