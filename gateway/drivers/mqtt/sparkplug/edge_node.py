"""One edge node as its messages have made it known: aliases, types, which of its devices live."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from facility.clock import NS_PER_MS, NS_PER_S
from facility.quality import Quality
from facility.samples import Sample
from gateway.drivers.mqtt.reading import Reading
from gateway.drivers.mqtt.source_time import source_time
from gateway.drivers.mqtt.sparkplug.metrics import MetricId, NodeId, NodeMap
from gateway.drivers.mqtt.sparkplug.node import Node, NodeState
from gateway.drivers.mqtt.sparkplug.payload import (
    DataType,
    MalformedPayloadError,
    Metric,
    MetricQuality,
    Payload,
    command,
    decode,
    encode,
    typed,
)

BIRTH_PATIENCE_S: Final = 10.0
"""Wall seconds within which a living node or device answers with its birth certificate, and for which we do not ask
again."""

BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
"""The metric that every node has, and that makes it say its births again; both names from the specification."""

OWN: Final = ""
"""Stands for the node itself where others stand for its devices."""


class EdgeNode:
    """A node and the devices behind it."""

    def __init__(self, node_id: NodeId, node_map: NodeMap) -> None:
        self._id = node_id
        self._map = node_map
        self._devices = frozenset(node_map.assets.values())
        self._node = Node()
        self._aliases: dict[int, MetricId] = {}
        self._types: dict[MetricId, int] = {}
        self._awaited_ns: dict[str, int] = {}
        """Since when the birth of a device is awaited."""
        self._is_wanted = False
        """Its birth is to be asked for."""
        self._asked_ns: int | None = None

    def begin(self, now_ns: int) -> None:
        """Know nothing of it any more, as after a connection that may have missed something."""
        self._node = Node()
        self._awaited_ns = dict.fromkeys(self._devices, now_ns)
        self._is_wanted, self._asked_ns = True, None

    def rebirth(self, now_ns: int, *, speed: float) -> tuple[str, bytes] | None:
        """Return the command that asks for its births, where that is due."""
        patience_ns = BIRTH_PATIENCE_S * speed * NS_PER_S
        if not self._is_wanted or (self._asked_ns is not None and now_ns - self._asked_ns < patience_ns):
            return None
        self._is_wanted, self._asked_ns = False, now_ns
        now_ms = now_ns // NS_PER_MS
        metric = Metric(name=REBIRTH, timestamp_ms=now_ms, datatype=DataType.BOOLEAN, raw=True)
        return self._id.topic("NCMD"), encode(Payload(timestamp_ms=now_ms, seq=None, metrics=[metric]))

    def unborn(self, now_ns: int, *, speed: float) -> list[str]:
        """Return the assets whose birth has been awaited for too long, once."""
        limit_ns = now_ns - BIRTH_PATIENCE_S * speed * NS_PER_S
        late = {device for device, since_ns in self._awaited_ns.items() if since_ns < limit_ns}
        for device in late:
            del self._awaited_ns[device]
        return [asset for asset, device in self._map.assets.items() if device in late]

    def command(self, metric: MetricId, value: float | str, now_ns: int) -> tuple[str, bytes] | None:
        """Return the command that sets a metric; ``None`` while no birth has told its type.

        Raises:
            ValueError: The metric's type cannot hold the value.
        """
        datatype = self._types.get(metric)
        if datatype is None or self._node.state is NodeState.OFFLINE:
            return None
        kind = "DCMD" if metric.device else "NCMD"
        return self._id.topic(kind, metric.device), command(metric.name, datatype, value, now_ns // NS_PER_MS)

    def read(self, kind: str, device: str, data: bytes | None, now_ns: int, *, speed: float) -> Sequence[Reading]:
        """Return what a message says, by asset; of a device that no asset is behind only the number counts."""
        try:
            payload = decode(data)
        except MalformedPayloadError:
            return self._malformed(device, now_ns)
        readings: Sequence[Reading] = []  # of commands, ours among them
        match kind:
            case "NBIRTH":
                readings = self._born(payload, now_ns, speed=speed)
            case "DBIRTH":
                readings = self._device_born(device, payload, now_ns, speed=speed)
            case "NDATA" | "DDATA":
                readings = self._said(device, payload, now_ns, speed=speed)
            case "DDEATH":
                readings = self._device_died(device, payload, now_ns)
            case "NDEATH":
                readings = self._died(payload, now_ns)
        return readings

    def _born(self, payload: Payload, now_ns: int, *, speed: float) -> Sequence[Reading]:
        self._node = self._node.born(payload.seq, _bd_seq(payload))
        self._aliases.clear()
        self._types.clear()
        self._awaited_ns = {device: now_ns for device in self._devices if device != OWN}
        self._is_wanted = False
        return self._learned(OWN, payload, now_ns, speed=speed)

    def _device_born(self, device: str, payload: Payload, now_ns: int, *, speed: float) -> Sequence[Reading]:
        if not self._counts(payload.seq) or device not in self._devices:
            return []
        self._awaited_ns.pop(device, None)
        return self._learned(device, payload, now_ns, speed=speed)

    def _learned(self, device: str, payload: Payload, now_ns: int, *, speed: float) -> Sequence[Reading]:
        """Take names, aliases and types from a birth, and the values that it begins with."""
        self._aliases = {alias: each for alias, each in self._aliases.items() if each.device != device}
        self._types = {each: datatype for each, datatype in self._types.items() if each.device != device}
        for metric in payload.metrics:
            if metric.name is not None:
                metric_id = MetricId(device, metric.name)
                self._types[metric_id] = metric.datatype
                if metric.alias is not None:
                    self._aliases[metric.alias] = metric_id
        return self._readings(device, payload, now_ns, speed=speed)

    def _said(self, device: str, payload: Payload, now_ns: int, *, speed: float) -> Sequence[Reading]:
        if not self._counts(payload.seq) or device not in self._devices:
            return []
        if device in self._awaited_ns or any(self._metric_id(device, metric) is None for metric in payload.metrics):
            self._node, row = self._node.strange()
            self._is_wanted = self._is_wanted or row.asks_birth
        return self._readings(device, payload, now_ns, speed=speed)

    def _device_died(self, device: str, payload: Payload, now_ns: int) -> Sequence[Reading]:
        if not self._counts(payload.seq):
            return []
        return self._lost({device}, f"the node {self._id.node} says that its device {device} is away", now_ns)

    def _died(self, payload: Payload, now_ns: int) -> Sequence[Reading]:
        self._node, is_dead = self._node.died(_bd_seq(payload))
        if not is_dead:
            return []
        self._awaited_ns.clear()
        return self._lost(self._devices, f"the node {self._id.node} is away", now_ns)

    def _counts(self, seq: int | None) -> bool:
        """Take note of a message's number; return whether what it says counts."""
        self._node, row = self._node.said(seq)
        self._is_wanted = self._is_wanted or row.asks_birth
        return row.takes_data

    def _readings(self, device: str, payload: Payload, now_ns: int, *, speed: float) -> list[Reading]:
        readings: dict[str, Reading] = {}
        for metric in payload.metrics:
            metric_id = self._metric_id(device, metric)
            for found in self._map.points.get(metric_id, ()) if metric_id is not None else ():
                reading = readings.setdefault(found.asset_id, Reading(found.asset_id, is_timed=True))
                said_ms = payload.timestamp_ms if metric.timestamp_ms is None else metric.timestamp_ms
                said = source_time(said_ms, now_ns, retained=False, speed=speed)
                value, quality = found.converter.convert(typed(metric.raw, metric.datatype or self._type(metric_id)))
                if metric.raw is None:
                    value, quality = math.nan, Quality.BAD_DEVICE_EXCEPTION
                worst = max(quality, said.quality, _quality(metric))
                reading.samples.append(Sample(found.point.key, said.ns, now_ns, value, worst))
        return list(readings.values())

    def _type(self, metric_id: MetricId | None) -> int:
        return DataType.UNKNOWN if metric_id is None else self._types.get(metric_id, DataType.UNKNOWN)

    def _metric_id(self, device: str, metric: Metric) -> MetricId | None:
        """Return which metric is meant; ``None`` for an alias of which no birth told."""
        if metric.name is not None:
            return MetricId(device, metric.name)
        return None if metric.alias is None else self._aliases.get(metric.alias)

    def _malformed(self, device: str, now_ns: int) -> list[Reading]:
        return self._without_value({device}, Quality.BAD_MALFORMED, now_ns)

    def _lost(self, devices: Iterable[str], reason: str, now_ns: int) -> list[Reading]:
        readings = self._without_value(set(devices), Quality.BAD_COMMUNICATION, now_ns)
        for reading in readings:
            reading.lost = reason
        return readings

    def _without_value(self, devices: set[str], quality: Quality, now_ns: int) -> list[Reading]:
        """Return a sample without a value for every point behind some devices."""
        readings: defaultdict[str, Reading] = defaultdict(lambda: Reading(""))
        for metric_id, points in self._map.points.items():
            for found in points if metric_id.device in devices else ():
                reading = readings[found.asset_id]
                reading.asset_id = found.asset_id
                reading.samples.append(Sample(found.point.key, now_ns, now_ns, math.nan, quality))
        return list(readings.values())


def _bd_seq(payload: Payload) -> int | None:
    """Return to which birth a certificate belongs; ``None`` where it does not say."""
    metric = payload.metric(BD_SEQ)
    return int(metric.raw) if metric is not None and isinstance(metric.raw, int | float) else None


def _quality(metric: Metric) -> Quality:
    """Return what the node itself says of a value."""
    if metric.quality == MetricQuality.BAD:
        return Quality.BAD_SENSOR_FAILURE
    if metric.quality == MetricQuality.STALE:
        return Quality.UNCERTAIN_STALE
    return Quality.UNCERTAIN_BUFFERED if metric.is_historical else Quality.GOOD
