"""What came of a replayed recording, counted from what the system keeps: its history and its database."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sqlalchemy import func, select

from alarms.tables import alarm_episode
from app.system import System
from facility.clock import NS_PER_S
from facility.quality import BAD_FROM, Quality
from facility.storage.database import reading
from simulators.recording import Recording
from workorders.tables import work_order

ALL_TIME_NS = (0, 2**63 - 1)
ALL_SAMPLES = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedAlarm:
    """One episode, placed in the recording."""

    rule: str
    row: int
    """Row of the recording at which it was raised, counted from 0."""
    in_labelled_window: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """What came of a recording."""

    rows: int
    """Rows of the recording, also those that a replay stopped early did not reach."""
    samples: int
    """What the history holds of the recording; the silence of a wire before and after it is not counted."""
    bad_samples: int
    """How many of the samples have a bad quality: mangled or missing cells, NaN, out of range."""
    labelled_windows: list[tuple[int, int]]
    """Each stretch that the recording itself calls abnormal: its first row, and the row after its last."""
    alarms: list[ReplayedAlarm]
    work_orders: int

    def as_json(self) -> dict[str, object]:
        """Return the summary as JSON values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the summary as lines for people."""
        windows = ", ".join(f"rows {first} to {after - 1}" for first, after in self.labelled_windows)
        return "\n".join(
            [
                f"{self.rows} rows became {self.samples} samples, {self.bad_samples} of them bad.",
                f"Labelled windows: {windows or 'none'}",
                f"Alarms: {len(self.alarms)}, work orders: {self.work_orders}",
                *(f"  row {alarm.row}: {alarm.rule}, {_place(alarm)} a labelled window" for alarm in self.alarms),
            ]
        )


def summarise(system: System, recording: Recording, started_ns: int) -> ReplaySummary:
    """Count samples, place every episode in the recording and count the orders.

    Args:
        system: Stopped, but still open.
        recording: What was played.
        started_ns: Facility time of its first row.
    """
    samples, bad_samples = count_samples(system)
    with reading(system.database) as connection:
        orders = connection.scalars(select(func.count()).select_from(work_order)).one()
    return ReplaySummary(
        rows=len(recording.rows),
        samples=samples,
        bad_samples=bad_samples,
        labelled_windows=recording.labelled_windows(),
        alarms=placed_alarms(system, recording, started_ns),
        work_orders=orders,
    )


def count_samples(system: System) -> tuple[int, int]:
    """Return how many samples the history holds, and how many of them are bad."""
    samples = bad_samples = 0
    for point in system.facility.points:
        quality = system.services.history.read(point, *ALL_TIME_NS, ALL_SAMPLES).quality
        recorded = quality[quality != Quality.BAD_COMMUNICATION]
        samples += len(recorded)
        bad_samples += int(np.count_nonzero(recorded >= BAD_FROM))
    return samples, bad_samples


def placed_alarms(system: System, recording: Recording, started_ns: int) -> list[ReplayedAlarm]:
    """Return every episode in order, with the row at which it was raised."""
    offsets_s = [row.offset_s for row in recording.rows]
    windows = recording.labelled_windows()
    statement = select(alarm_episode.c.rule_id, alarm_episode.c.raised_at_ns).order_by(alarm_episode.c.raised_at_ns)
    with reading(system.database) as connection:
        episodes = connection.execute(statement).all()
    alarms = []
    for episode in episodes:
        row = row_at(offsets_s, (episode.raised_at_ns - started_ns) / NS_PER_S)
        rule = system.facility.rules[episode.rule_id].definition.name
        inside = any(first <= row < after for first, after in windows)
        alarms.append(ReplayedAlarm(rule=rule, row=row, in_labelled_window=inside))
    return alarms


def row_at(offsets_s: Sequence[float], at_s: float) -> int:
    """Return the row that was being played so many recorded seconds after the first."""
    return max(0, bisect_right(offsets_s, at_s) - 1)


def _place(alarm: ReplayedAlarm) -> str:
    return "inside" if alarm.in_labelled_window else "outside"
