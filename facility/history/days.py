"""Days of history: which samples belong to one, how its files are called, and when it may be closed or forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from facility.clock import NS_PER_S

NS_PER_DAY: Final = 86_400 * NS_PER_S
GRACE_NS: Final = 3_600 * NS_PER_S
"""After midnight UTC a day stays open so long, for samples that come late; later ones make its files anew."""

_EPOCH: Final = date(1970, 1, 1)
_EXPORTED: Final = "exported.parquet"
_FILE: Final = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)\.(?P<kept>telemetry|states)\.(?P<number>\d+)\.parquet")


class Kept(StrEnum):
    """What a day keeps in files of their own, since it is kept for different times."""

    TELEMETRY = "telemetry"
    """Quantities."""
    STATES = "states"
    """States, events and counters: few, and evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many whole days closed days are kept."""

    telemetry_days: int = 400
    states_days: int = 1_830

    def forgets(self, file: DayFile, now_ns: int) -> bool:
        """Tell whether a file is older than it has to be kept."""
        days = self.telemetry_days if file.kept is Kept.TELEMETRY else self.states_days
        return file.day < day_of(now_ns) - days


@dataclass(frozen=True, slots=True)
class Extent:
    """Points and times, each from the first to the last, both among them."""

    first_point: int
    last_point: int
    first_ns: int
    last_ns: int

    def meets(self, other: Extent) -> bool:
        """Tell whether a sample may lie in both."""
        return (
            self.first_point <= other.last_point
            and other.first_point <= self.last_point
            and self.first_ns <= other.last_ns
            and other.first_ns <= self.last_ns
        )


EVERYWHERE: Final = Extent(-(2**31), 2**31 - 1, -(2**63), 2**63 - 1)
"""All points and times that there can be."""


@dataclass(frozen=True, slots=True, order=True)
class DayFile:
    """One Parquet file of a day, sorted by point and time."""

    day: int
    """Days since 1970-01-01 UTC."""
    kept: Kept
    number: int
    """Never given twice while a file of the name is about, so that who reads an old one finds no other in its place."""
    extent: Extent = field(default=EVERYWHERE, compare=False)
    """Where its samples lie; :data:`EVERYWHERE` for a file of the time before that was written down."""

    @property
    def name(self) -> str:
        """Return the file's name, such as ``2026-11-21.telemetry.1.parquet``."""
        return f"{words(self.day)}.{self.kept}.{self.number}.parquet"


def day_file(path: Path) -> DayFile | None:
    """Return what a file's name says; ``None`` for a file that is none of ours."""
    match = _FILE.fullmatch(path.name)
    return None if match is None else DayFile(day_of_name(match["day"]), Kept(match["kept"]), int(match["number"]))


def exported_name(day: int) -> str:
    """Return the name of a snapshot's file of samples that lay in no file before."""
    return f"{words(day)}.{_EXPORTED}"


def day_of_name(name: str) -> int:
    """Return the day of a file of a history or a snapshot, in days since 1970-01-01 UTC."""
    return (date.fromisoformat(name[:10]) - _EPOCH).days


def day_of(time_ns: int) -> int:
    """Return the day of a time, in days since 1970-01-01 UTC."""
    return time_ns // NS_PER_DAY


def is_over(day: int, now_ns: int) -> bool:
    """Tell whether a day may be closed."""
    return (day + 1) * NS_PER_DAY + GRACE_NS <= now_ns


def words(day: int) -> str:
    """Return a day as people write it."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def overlapping(files: Iterable[DayFile]) -> list[list[DayFile]]:
    """Return the groups of two and more files whose points overlap, directly or by way of others of the group.

    Once they are merged, a point of the day lies in one file only.
    """
    groups: list[list[DayFile]] = []
    last_point = EVERYWHERE.first_point - 1
    for file in sorted(files, key=lambda each: (each.extent.first_point, each)):
        if file.extent.first_point > last_point:
            groups.append([])
        groups[-1].append(file)
        last_point = max(last_point, file.extent.last_point)
    return [group for group in groups if len(group) > 1]


def parted(counts: Sequence[int], most: int) -> Iterator[slice]:
    """Part a row of counts into stretches whose sums are at most so large; a larger count stands alone."""
    start, gathered = 0, 0
    for place, count in enumerate(counts):
        if place > start and gathered + count > most:
            yield slice(start, place)
            start, gathered = place, 0
        gathered += count
    if len(counts) > start:
        yield slice(start, len(counts))
