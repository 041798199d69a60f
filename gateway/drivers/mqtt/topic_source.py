"""Devices that publish JSON or plain text on topics of their own."""

from __future__ import annotations

from collections.abc import Sequence

from facility.quality import Quality
from facility.samples import Sample
from gateway.drivers.mqtt.messages import Message
from gateway.drivers.mqtt.reading import Reading, without_value
from gateway.drivers.mqtt.subscriptions import Routes, covers
from gateway.drivers.mqtt.topics import DeviceTopic, decoded


class TopicSource:
    """Finds a topic's devices and reads its payload once for all of them."""

    def __init__(self, topics: Sequence[DeviceTopic]) -> None:
        self._topics = tuple(topics)
        self._routes = Routes((topic.topic, topic) for topic in topics)

    @property
    def wanted(self) -> list[tuple[str, int]]:
        """Return every topic and filter that points are mapped to, with its QoS."""
        return [(topic.topic, topic.qos) for topic in self._topics]

    def read(self, message: Message, now_ns: int, *, speed: float) -> Sequence[Reading]:
        """Return what a message says, by device; empty for a topic that no point is mapped to."""
        targets = self._routes.of(message.topic)
        documents = {format_: decoded(message.payload, format_) for format_ in {target.format for target in targets}}
        return [
            target.read(documents[target.format], now_ns, retained=message.retained, speed=speed) for target in targets
        ]

    def without_value(self, filter_: str, now_ns: int, quality: Quality) -> list[Sample]:
        """Return a sample without a value for every point whose topic a filter covers."""
        points = [point for topic in self._topics if covers(filter_, topic.topic) for point in topic.points]
        return without_value(points, now_ns, quality)
