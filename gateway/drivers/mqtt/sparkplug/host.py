"""A Sparkplug host application: what all nodes of a connection say, and what is to be said to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from facility.clock import NS_PER_MS
from facility.errors import DeviceRefusedError
from facility.model import Point
from gateway.conversion import PointConverter
from gateway.drivers.driver import DeviceConfig
from gateway.drivers.mqtt.broker import Announcement
from gateway.drivers.mqtt.messages import Message
from gateway.drivers.mqtt.reading import Reading
from gateway.drivers.mqtt.sparkplug.edge_node import EdgeNode
from gateway.drivers.mqtt.sparkplug.metrics import NAMESPACE, MetricId, NodeId, compile_metrics

NODE_LEVELS = 4
"""Levels of a topic that names a node: namespace, group, kind of message, node; a device is the fifth."""


class SparkplugHost:
    """All nodes of a connection."""

    def __init__(self, devices: Sequence[DeviceConfig]) -> None:
        """Compile the metrics of all devices.

        Raises:
            ConfigurationError: A mapping or setting has mistakes.
        """
        maps = compile_metrics(devices)
        self._nodes = {node_id: EdgeNode(node_id, node_map) for node_id, node_map in maps.items()}
        self._writable: Mapping[int, tuple[NodeId, MetricId, PointConverter]] = {
            found.point.key: (node_id, metric_id, found.converter)
            for node_id, node_map in maps.items()
            for metric_id, points in node_map.points.items()
            for found in points
        }
        self._read_only = {
            point.key for device in devices for point in device.points if point.name not in device.writes
        }

    @property
    def wanted(self) -> list[tuple[str, int]]:
        """Return the filters that bring all messages of the nodes, with their QoS."""
        return [(f"{NAMESPACE}/{group}/+/{node}/#", 1) for group, node in self._nodes]

    def begin(self, now_ns: int) -> None:
        """Ask every node for its births: the connection is new."""
        for node in self._nodes.values():
            node.begin(now_ns)

    def read(self, message: Message, now_ns: int, *, speed: float) -> Sequence[Reading]:
        """Return what a message says, by device; empty for a node that no point is mapped to."""
        levels = message.topic.split("/")
        if not NODE_LEVELS <= len(levels) <= NODE_LEVELS + 1:
            return []
        node = self._nodes.get(NodeId(levels[1], levels[3]))
        device = "".join(levels[NODE_LEVELS:])
        return [] if node is None else node.read(levels[2], device, message.payload, now_ns, speed=speed)

    def rebirths(self, now_ns: int, *, speed: float) -> list[tuple[str, bytes]]:
        """Return the commands that ask nodes for their births, topic and payload, where that is due."""
        due = (node.rebirth(now_ns, speed=speed) for node in self._nodes.values())
        return [request for request in due if request is not None]

    def unborn(self, now_ns: int, *, speed: float) -> list[str]:
        """Return the assets whose birth has been awaited for too long, once."""
        return [asset for node in self._nodes.values() for asset in node.unborn(now_ns, speed=speed)]

    def knows(self, point: Point) -> bool:
        """Tell whether a point is a metric."""
        return point.key in self._writable

    def command(self, point: Point, value: float, now_ns: int) -> tuple[str, bytes]:
        """Return the command that sets a point's metric: topic and payload.

        Raises:
            DeviceRefusedError: The profile does not let the point be written, the metric cannot hold the value, or no
                birth certificate has told its type yet.
        """
        node_id, metric_id, converter = self._writable[point.key]
        if point.key in self._read_only:
            raise DeviceRefusedError(point.address, "its profile has no 'write' for it")
        try:
            command = self._nodes[node_id].command(metric_id, converter.to_wire(value), now_ns)
        except ValueError as error:
            raise DeviceRefusedError(point.address, str(error)) from error
        if command is None:
            raise DeviceRefusedError(point.address, f"the node {node_id.node} is not born, so nobody would take it")
        return command


def state_of(host_id: str, now_ns: int) -> Announcement:
    """Return how a primary host says that it is there, and by its last will that it is not.

    Both have the same time, so that a late will of an earlier connection is told from the present one's; topic and
    payload are the Sparkplug 3.0 specification's, section "Sparkplug Host Application Birth and Death Certificates".
    """
    said_at = now_ns // NS_PER_MS
    birth, death = (orjson.dumps({"online": online, "timestamp": said_at}) for online in (True, False))
    return Announcement(f"{NAMESPACE}/STATE/{host_id}", birth, death)
