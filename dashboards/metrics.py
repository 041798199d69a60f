"""The gateway's figures for Prometheus, read from where they are kept whenever somebody asks.

Names and units follow Prometheus' conventions: base units, ``_total`` on what only grows, times as timestamps (an alert
rule subtracts them from ``time()``). What each figure means stands in ``docs/operations.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final, Generic, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboards.services import Services
from facility.clock import NS_PER_S
from gateway.events import LATENCY_BOUNDS_S, ConnectionState, ConnectionStatus, GatewayStatus, UnitStatus

PREFIX: Final = "watchkeeper_"

BUCKETS: Final = (*map(str, LATENCY_BOUNDS_S), "+Inf")

Status = TypeVar("Status", ConnectionStatus, GatewayStatus, UnitStatus)


class Figure(NamedTuple, Generic[Status]):
    """One number that a status holds."""

    name: str
    text: str
    read: Callable[[Status], float]


def is_up(status: ConnectionStatus | UnitStatus) -> float:
    """Return 1 for what is up."""
    return float(status.state is ConnectionState.UP)


def last_good_s(status: ConnectionStatus | UnitStatus) -> float:
    """Return when a good sample last came, in seconds since 1970."""
    return status.last_good_ns / NS_PER_S


def clock_behind_s(unit: UnitStatus) -> float:
    """Return how far a device's clock is behind the gateway's; NaN while nobody knows."""
    return math.nan if unit.skew_s is None else unit.skew_s


CONNECTION_GAUGES: Final[Sequence[Figure[ConnectionStatus]]] = (
    Figure("connection_up", "1 while the connection is up, 0 while it is down or connecting.", is_up),
    Figure(
        "connection_last_good_timestamp_seconds",
        "When a good sample last came over the connection; 0 for never.",
        last_good_s,
    ),
)

CONNECTION_COUNTERS: Final[Sequence[Figure[ConnectionStatus]]] = (
    Figure("connection_samples", "Samples that came over the connection.", attrgetter("samples")),
    Figure("connection_bad_samples", "Samples of bad quality, and payloads that make no sense.", attrgetter("errors")),
    Figure("connection_dropped", "Deliveries that the bounded inbox could not take.", attrgetter("dropped")),
    Figure("connection_duplicates", "Samples and events that came again and were left out.", attrgetter("duplicates")),
    Figure("connection_suppressed_samples", "Samples whose value had hardly moved.", attrgetter("suppressed")),
    Figure("connection_stalls", "Times that the driver was stuck and begun anew.", attrgetter("stalls")),
)

UNIT_GAUGES: Final[Sequence[Figure[UnitStatus]]] = (
    Figure("unit_up", "1 while the device answers, 0 while it does not.", is_up),
    Figure(
        "unit_last_good_timestamp_seconds", "When a good sample last came from the device; 0 for never.", last_good_s
    ),
    Figure("unit_clock_behind_seconds", "How far its clock is behind ours; NaN while unknown.", clock_behind_s),
)

UNIT_COUNTERS: Final[Sequence[Figure[UnitStatus]]] = (
    Figure("unit_requests", "Requests to the device; on MQTT, messages from it.", attrgetter("requests")),
    Figure("unit_timeouts", "Requests without an answer; on MQTT, heartbeats left out.", attrgetter("timeouts")),
    Figure("unit_refusals", "Answers that say no or cannot be read.", attrgetter("refusals")),
    Figure("unit_overruns", "Polls left out since the one before was not done.", attrgetter("overruns")),
    Figure("unit_breaker_openings", "Times that the device's breaker opened.", attrgetter("openings")),
    Figure("unit_clock_jumps", "Times that the device's clock was moved.", attrgetter("clock_jumps")),
)


GATEWAY_GAUGES: Final[Sequence[Figure[GatewayStatus]]] = (
    Figure("gateway_up", "1 while the gateway is connected to the bus.", lambda each: float(each.is_present)),
    Figure(
        "gateway_last_report_timestamp_seconds",
        "When the gateway last reported, by its clock; 0 for never.",
        lambda each: each.reported_ns / NS_PER_S,
    ),
    Figure("gateway_spool_bytes", "Size of what waits in the gateway's spool.", attrgetter("waiting_bytes")),
    Figure(
        "gateway_spool_oldest_timestamp_seconds",
        "When the oldest record in the gateway's spool was taken; 0 for an empty spool.",
        lambda each: each.oldest_ns / NS_PER_S,
    ),
)


def registry_of(services: Services) -> CollectorRegistry:
    """Return a registry of its own: libraries that use prometheus-client put nothing into it."""
    registry = CollectorRegistry()
    registry.register(GatewayCollector(services))
    ProcessCollector(registry=registry)
    return registry


class GatewayCollector(Collector):
    """Reads the statuses that the drivers write, and the queues behind them; keeps nothing itself."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Give every figure as it stands."""
        yield from self._connections()
        yield from self._units()
        yield from self._gateways()
        yield from self._process()

    def _connections(self) -> Iterator[Metric]:
        statuses = list(self._services.connections.values())
        rows = [((status.connection_id, self._protocol(status)), status) for status in statuses]
        yield from families(("connection", "protocol"), rows, gauges=CONNECTION_GAUGES, counters=CONNECTION_COUNTERS)

    def _units(self) -> Iterator[Metric]:
        labels = ("connection", "asset")
        rows = [
            ((status.connection_id, unit.asset_id), unit)
            for status in list(self._services.connections.values())
            for unit in list(status.units.values())
        ]
        yield from families(labels, rows, gauges=UNIT_GAUGES, counters=UNIT_COUNTERS)
        histogram = HistogramMetricFamily(PREFIX + "unit_response_seconds", "How long answers took.", labels=labels)
        for values, unit in rows:
            buckets = list(zip(BUCKETS, map(float, accumulate(unit.latency.counts)), strict=True))
            histogram.add_metric(values, buckets, unit.latency.total_s)
        yield histogram

    def _gateways(self) -> Iterator[Metric]:
        statuses = list(self._services.gateways.values())
        rows = [((status.gateway_id,), status) for status in statuses]
        yield from families(("gateway",), rows, gauges=GATEWAY_GAUGES, counters=())
        labels = ("gateway", "lane")
        waiting = GaugeMetricFamily(PREFIX + "gateway_spool_waiting", "Samples and events that wait.", labels=labels)
        dropped = CounterMetricFamily(PREFIX + "gateway_spool_dropped", "Samples and events lost.", labels=labels)
        for status in statuses:
            for lane, count in list(status.waiting_by_lane.items()):
                waiting.add_metric((status.gateway_id, lane), count)
            for lane, count in list(status.dropped_by_lane.items()):
                dropped.add_metric((status.gateway_id, lane), count)
        yield waiting
        yield dropped

    def _process(self) -> Iterator[Metric]:
        services = self._services
        waiting = GaugeMetricFamily(PREFIX + "queue_waiting_samples", "Samples that wait.", labels=("queue",))
        dropped = CounterMetricFamily(PREFIX + "queue_dropped_samples", "Samples lost to a bound.", labels=("queue",))
        for name, queue in services.queues.items():
            waiting.add_metric((name,), queue.waiting)
            dropped.add_metric((name,), queue.dropped)
        yield waiting
        yield dropped
        yield CounterMetricFamily(PREFIX + "samples", "Samples that the engine took.", value=services.latest.samples)
        text = "How late the event loop was within the last minute; quantile 1 is the worst."
        lag = GaugeMetricFamily(PREFIX + "event_loop_lag_seconds", text, labels=("quantile",))
        figures = services.loop_lag.figures()
        for quantile, late_s in (("0.5", figures.p50_s), ("0.99", figures.p99_s), ("1", figures.worst_s)):
            lag.add_metric((quantile,), late_s)
        yield lag

    def _protocol(self, status: ConnectionStatus) -> str:
        connection = self._services.facility.connections.get(status.connection_id)
        return "" if connection is None else connection.protocol.value


def families(
    labels: Sequence[str],
    rows: Sequence[tuple[Sequence[str], Status]],
    *,
    gauges: Sequence[Figure[Status]],
    counters: Sequence[Figure[Status]],
) -> Iterator[Metric]:
    """Give every figure of the statuses, each with the values of its labels."""
    for kind, figures in ((GaugeMetricFamily, gauges), (CounterMetricFamily, counters)):
        for figure in figures:
            family = kind(PREFIX + figure.name, figure.text, labels=labels)
            for values, status in rows:
                family.add_metric(values, figure.read(status))
            yield family
