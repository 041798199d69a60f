"""Which filters to ask a broker for, so that a thousand topics need not be a thousand subscriptions."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, Generic, TypeVar

from paho.mqtt.client import topic_matches_sub
from paho.mqtt.matcher import MQTTMatcher

from gateway.drivers.mqtt.broker import Subscription

Target = TypeVar("Target", bound=Hashable)

MAX_REMEMBERED: Final = 10_000
"""Topics whose match is remembered; a stranger who invents topics fills no memory."""


def is_filter(topic: str) -> bool:
    """Tell whether a topic of a profile has wildcards."""
    return "+" in topic or "#" in topic


def filter_mistake(filter_: str) -> str:
    """Return what is wrong with a topic or filter, in people's words; empty for nothing."""
    levels = filter_.split("/")
    if not filter_ or "\0" in filter_:
        return "it is empty; write a topic such as harbour/lift-1/state"
    if any(("+" in level or "#" in level) and len(level) > 1 for level in levels):
        return f"in {filter_!r} a wildcard shares its level with text; '+' and '#' stand alone between slashes"
    if "#" in levels[:-1]:
        return f"in {filter_!r} something follows '#'; it stands for all the rest, so write it last"
    return ""


def plan_subscriptions(topics: Iterable[tuple[str, int]], wide: Iterable[str]) -> list[Subscription]:
    """Return the fewest filters that bring every topic.

    Args:
        topics: Topics, or filters, that points are mapped to, each with its QoS.
        wide: Filters that the site or a profile asks for; one that covers nothing is left out.
    """
    covered: dict[str, int] = {}
    alone: dict[str, int] = {}
    wide_filters = sorted(set(wide), key=len)
    for topic, qos in topics:
        cover = next((filter_ for filter_ in wide_filters if covers(filter_, topic)), None)
        chosen, name = (alone, topic) if cover is None else (covered, cover)
        chosen[name] = max(chosen.get(name, 0), qos)
    return [Subscription(*each) for each in sorted({**alone, **covered}.items())]


def covers(filter_: str, topic: str) -> bool:
    """Tell whether everything that a topic or filter matches is also matched by ``filter_``."""
    if not is_filter(topic):
        return bool(topic_matches_sub(filter_, topic))
    own, other = filter_.split("/"), topic.split("/")
    for index, level in enumerate(own):
        if level == "#":
            return True
        if index >= len(other) or other[index] == "#" or (level != "+" and level != other[index]):
            return False
    return len(own) == len(other)


class Routes(Generic[Target]):
    """Who wants what arrives on a topic: a dictionary, and for filters a tree whose finds are remembered."""

    def __init__(self, routes: Iterable[tuple[str, Target]]) -> None:
        self._exact: dict[str, tuple[Target, ...]] = {}
        self._wild = MQTTMatcher()  # type: ignore[no-untyped-call]  # paho leaves it untyped
        self._remembered: dict[str, tuple[Target, ...]] = {}
        wild: dict[str, list[Target]] = {}
        for topic, target in routes:
            if is_filter(topic):
                wild.setdefault(topic, []).append(target)
            else:
                self._exact[topic] = tuple(dict.fromkeys([*self._exact.get(topic, ()), target]))
        self._has_filters = bool(wild)
        for filter_, targets in wild.items():
            self._wild[filter_] = tuple(targets)

    def of(self, topic: str) -> Sequence[Target]:
        """Return who wants a topic; empty for nobody."""
        if not self._has_filters:
            return self._exact.get(topic, ())
        found = self._remembered.get(topic)
        if found is None:
            found = self._found(topic)
            if len(self._remembered) < MAX_REMEMBERED:
                self._remembered[topic] = found
        return found

    def _found(self, topic: str) -> tuple[Target, ...]:
        matches = self._wild.iter_match(topic)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        wild = [target for targets in matches for target in targets]
        return tuple(dict.fromkeys([*self._exact.get(topic, ()), *wild]))
