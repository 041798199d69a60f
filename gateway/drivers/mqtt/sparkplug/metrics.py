"""Which metric of which node or device holds which point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from facility.errors import ConfigurationError, Mistake
from facility.model import Point
from gateway.conversion import PointConverter
from gateway.drivers.driver import DeviceConfig

NAMESPACE: Final = "spBv1.0"
"""First level of every Sparkplug B topic."""


class NodeId(NamedTuple):
    """An edge node."""

    group: str
    node: str

    def topic(self, message: str, device: str = "") -> str:
        """Return the topic of a kind of message of the node, or of a device of it."""
        return "/".join([NAMESPACE, self.group, message, self.node, *([device] if device else [])])


class MetricId(NamedTuple):
    """A metric of a node or device."""

    device: str
    """Empty for the node's own."""
    name: str


class MetricPoint(NamedTuple):
    """The point that a metric holds."""

    asset_id: str
    point: Point
    converter: PointConverter


class NodeMap(NamedTuple):
    """What a node's metrics mean to us."""

    points: dict[MetricId, list[MetricPoint]]
    assets: dict[str, str]
    """Asset to the device that it is behind; empty for one that is behind the node itself."""


def is_sparkplug(device: DeviceConfig) -> bool:
    """Tell whether a device's points are metrics."""
    return any("metric" in mapping for mapping in device.mapping.values())


def compile_metrics(devices: Sequence[DeviceConfig]) -> dict[NodeId, NodeMap]:
    """Return every node that the devices' mappings name, with its metrics.

    A point's mapping says ``metric`` and how it converts. The device's settings say ``group``, ``node`` and, for
    metrics of a device behind the node, ``device``.

    Raises:
        ConfigurationError: A mapping or setting lacks a key, or has one that cannot work; lists every one.
    """
    mistakes = [mistake for device in devices for mistake in _mistakes(device)]
    if mistakes:
        raise ConfigurationError(mistakes)
    nodes: defaultdict[NodeId, NodeMap] = defaultdict(lambda: NodeMap({}, {}))
    for device in devices:
        behind = str(device.settings.get("device", ""))
        node = nodes[NodeId(str(device.settings["group"]), str(device.settings["node"]))]
        node.assets[device.asset.id] = behind
        for point in device.points:
            mapping = device.mapping[point.name]
            found = MetricPoint(device.asset.id, point, PointConverter(point, mapping))
            node.points.setdefault(MetricId(behind, str(mapping["metric"])), []).append(found)
    return dict(nodes)


def _mistakes(device: DeviceConfig) -> Iterator[Mistake]:
    profile = device.asset.profile
    for key in ("group", "node", "device"):
        name = str(device.settings.get(key, "" if key != "device" else "none"))
        if not name or set("/+#") & set(name):
            yield Mistake(device.asset.id, 0, f"a Sparkplug device needs {key!r} under 'settings' of {profile}: a name")
    for point in device.points:
        mapping = device.mapping[point.name]
        if "metric" not in mapping or "topic" in mapping:
            message = f"a point of a Sparkplug device needs 'metric' and no 'topic'; change the profile {profile}"
            yield Mistake(point.address, 0, message)
        elif mapping.get("event"):
            message = f"a metric has no identity that an event needs; read it as a state in the profile {profile}"
            yield Mistake(point.address, 0, message)
