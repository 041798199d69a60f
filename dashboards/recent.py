"""What the gateway's connections did within the last minute, out of counters that only ever grow.

Somebody who opens the console wants to see that a device is slow *now*; its figures since the start would hide that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.events import LATENCY_BOUNDS_S, ConnectionStatus, UnitStatus

SPAN_S: Final = 60.0
"""Wall seconds that the figures look back, once Watchkeeper has run for so long."""

NOTE_PERIOD_S: Final = 5.0
"""Wall seconds between two notes."""

Counts = tuple[int, ...]
"""Answers by class of latency."""


@dataclass(frozen=True, slots=True)
class Note:
    """How far the counters were at one instant."""

    at_s: float
    """Of any steady clock."""
    samples: Mapping[str, int]
    """By connection."""
    answers: Mapping[tuple[str, str], Counts]
    """By connection and asset."""


class Recent:
    """Notes the counters now and then, and compares them with how they stand."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque()

    def note(self, connections: Iterable[ConnectionStatus], now_s: float) -> None:
        """Write down the counters, and forget what lies further back than a minute."""
        statuses = list(connections)
        units = [(status.connection_id, unit) for status in statuses for unit in list(status.units.values())]
        self._notes.append(
            Note(
                at_s=now_s,
                samples={status.connection_id: status.samples for status in statuses},
                answers={(connection, unit.asset_id): tuple(unit.latency.counts) for connection, unit in units},
            )
        )
        while self._notes[0].at_s < now_s - SPAN_S:
            self._notes.popleft()

    def samples_per_s(self, status: ConnectionStatus, now_s: float) -> float:
        """Return how many samples a connection brought a second; 0 before the first note."""
        first = next(iter(self._notes), None)
        if first is None or now_s <= first.at_s:
            return 0.0
        # A gateway that runs apart begins to count anew when it starts again.
        return max(0, status.samples - first.samples.get(status.connection_id, 0)) / (now_s - first.at_s)

    def answers(self, connection_id: str, unit: UnitStatus) -> Counts:
        """Return a device's answers by class of latency; all that it ever gave where there is no note of it."""
        first = next(iter(self._notes), None)
        before = first.answers.get((connection_id, unit.asset_id)) if first else None
        counts = tuple(unit.latency.counts)
        since = tuple(map(int.__sub__, counts, before)) if before else counts
        return counts if min(since) < 0 else since


def quantile_s(counts: Sequence[int], share: float) -> float | None:
    """Return the latency that a share (0 to 1) of the answers did not exceed, in wall seconds; ``None``: no answers.

    Within a class the answers count as evenly spread; of the last class, which has no upper bound, its lower bound is
    all that is known. So does Prometheus' ``histogram_quantile``.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, below = share * total, 0
    lower_s = 0.0
    for upper_s, count in zip(LATENCY_BOUNDS_S, counts, strict=False):
        if count and below + count >= wanted:
            return lower_s + (upper_s - lower_s) * (wanted - below) / count
        below += count
        lower_s = upper_s
    return lower_s
