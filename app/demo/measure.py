"""What the demo saw: counts and latencies, and whether all of it held."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from alarms.tables import alarm_episode
from app.engine import Commit
from facility.clock import NS_PER_MS
from facility.equipment import OrderKind, System
from facility.model import Facility, Protocol, SiteDescription
from gateway.events import ConnectionStatus
from rules.events import RuleTransition, TransitionKind
from workorders.tables import work_order, work_order_alarm

SLOWEST_P99_MS = 250.0
"""From a device's change to the committed alarm, and to the console."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution in milliseconds."""

    n: int
    p50: float | None
    """``None`` when nothing was measured."""
    p99: float | None

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Latency:
        """Summarise measurements."""
        if not milliseconds:
            return cls(0, None, None)
        p50, p99 = np.percentile(milliseconds, [50, 99])
        return cls(len(milliseconds), round(float(p50), 1), round(float(p99), 1))

    def holds(self) -> bool:
        """Tell whether something was measured and was fast enough."""
        return self.p99 is not None and self.p99 <= SLOWEST_P99_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One alarm that was raised without a delay."""

    alarm_id: int
    protocol: Protocol
    changed_ns: int
    """When the device changed."""
    committed_ns: int


class LatencyMeter:
    """Watches commits on the engine's thread and arrivals on the console's."""

    def __init__(self, site: SiteDescription, device_change_ns: Callable[[str], int | None]) -> None:
        """Take the site, and what tells when a device without a clock of its own went into alarm."""
        self._site = site
        self._device_change_ns = device_change_ns
        self._raised: dict[int, Raised] = {}
        self._arrived_ns: dict[int, int] = {}
        self._lock = threading.Lock()

    def on_commit(self, commit: Commit) -> None:
        """Take the alarms that a transaction opened."""
        transitions = {change.rule_id: change for change in commit.evaluation.transitions if _undelayed(change)}
        for event in commit.alarms:
            change = transitions.get(event.rule_id)
            changed_ns = self._changed_ns(event.asset_id, change) if change is not None and event.opened else None
            if changed_ns is not None:
                raised = Raised(
                    alarm_id=event.alarm_id,
                    protocol=self._protocol_of(event.asset_id),
                    changed_ns=changed_ns,
                    committed_ns=commit.committed_ns,
                )
                with self._lock:
                    self._raised[event.alarm_id] = raised

    def on_arrival(self, alarm_id: int, now_ns: int) -> None:
        """Take the first time that a console hears of an alarm."""
        with self._lock:
            self._arrived_ns.setdefault(alarm_id, now_ns)

    def latencies(self) -> dict[str, Latency]:
        """Return the latencies by protocol, and to the WebSocket client over all protocols."""
        with self._lock:
            raised, arrived = list(self._raised.values()), dict(self._arrived_ns)
        to_commit = {
            name: [_ms(alarm.committed_ns - alarm.changed_ns) for alarm in raised if alarm.protocol is protocol]
            for name, protocol in (("mqtt", Protocol.MQTT), ("bacnet", Protocol.BACNET_IP))
        }
        to_console = [_ms(arrived[a.alarm_id] - a.changed_ns) for a in raised if a.alarm_id in arrived]
        return {name: Latency.of(values) for name, values in {**to_commit, "websocket": to_console}.items()}

    def _protocol_of(self, asset_id: str) -> Protocol:
        return self._site.connections[self._site.assets[asset_id].connection_id].protocol

    def _changed_ns(self, asset_id: str, change: RuleTransition) -> int | None:
        """Return when the device changed: MQTT carries the device's time, BACnet none, Modbus is only polled."""
        protocol = self._protocol_of(asset_id)
        if protocol is Protocol.MQTT:
            return change.at_ns
        return self._device_change_ns(asset_id) if protocol is Protocol.BACNET_IP else None


def _undelayed(change: RuleTransition) -> bool:
    return change.kind is TransitionKind.RAISED and change.at_ns == change.since_ns


def _ms(ns: int) -> float:
    return ns / NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The demo's result; ``ok`` only if all of it held."""

    ok: bool
    faults: list[str]
    """What did not hold, in words."""
    seconds: float
    first_sample_s: float | None
    """From the start of the command to the first sample."""
    cores: int | None
    points: int
    rules: int
    samples: dict[str, int]
    alarms_raised: dict[str, int]
    work_orders: dict[str, int]
    orders_per_episode_max: int
    latency_ms: dict[str, Latency]
    errors: int

    def as_json(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the database holds at the end."""

    alarms_raised: dict[str, int]
    work_orders: dict[str, int]
    orders_per_episode_max: int


def count(connection: Connection, facility: Facility) -> Counts:
    """Count episodes by system, orders by kind, and orders per episode."""
    systems = Counter(
        facility.assets[asset_id].equipment_class.system
        for asset_id in connection.scalars(select(alarm_episode.c.asset_id))
    )
    kinds = Counter(connection.scalars(select(work_order.c.kind)))
    links = select(func.count()).select_from(work_order_alarm).group_by(work_order_alarm.c.alarm_id)
    return Counts(
        alarms_raised={system.value: systems[system] for system in System},
        work_orders={kind.value: kinds[kind.value] for kind in OrderKind},
        orders_per_episode_max=max(connection.scalars(links), default=0),
    )


def samples_by_protocol(facility: Facility, statuses: Iterable[ConnectionStatus]) -> dict[str, int]:
    """Add up the samples of each protocol's connections."""
    totals = dict.fromkeys((protocol.value for protocol in Protocol), 0)
    for status in statuses:
        totals[facility.connections[status.connection_id].protocol.value] += status.samples
    return totals


def summarise(
    *,
    facility: Facility,
    counts: Counts,
    samples: Mapping[str, int],
    latencies: Mapping[str, Latency],
    errors: int,
    seconds: float,
    first_sample_s: float | None,
) -> Summary:
    """Put the result together and judge it."""
    faults = [
        *(f"no alarm of system {name}" for name, n in counts.alarms_raised.items() if n < 1),
        *(f"no {name} work order" for name, n in counts.work_orders.items() if n < 1),
        *(f"no sample over {name}" for name, n in samples.items() if n < 1),
        *(
            f"{name} latency {latency} is not within {SLOWEST_P99_MS:g} ms"
            for name, latency in latencies.items()
            if not latency.holds()
        ),
    ]
    if counts.orders_per_episode_max != 1:
        faults.append(f"an episode opened {counts.orders_per_episode_max} orders instead of exactly one")
    if errors:
        faults.append(f"{errors} errors were logged")
    return Summary(
        ok=not faults,
        faults=faults,
        seconds=round(seconds, 1),
        first_sample_s=None if first_sample_s is None else round(first_sample_s, 1),
        cores=os.cpu_count(),
        points=len(facility.points),
        rules=len(facility.rules),
        samples=dict(samples),
        alarms_raised=counts.alarms_raised,
        work_orders=counts.work_orders,
        orders_per_episode_max=counts.orders_per_episode_max,
        latency_ms=dict(latencies),
        errors=errors,
    )
