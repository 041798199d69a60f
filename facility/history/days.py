"""Days of history: which samples belong to one, how its files are called, and when it may be closed or forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from facility.clock import NS_PER_S

NS_PER_DAY: Final = 86_400 * NS_PER_S
GRACE_NS: Final = 3_600 * NS_PER_S
"""After midnight UTC a day stays open so long, for samples that come late; later ones make its file anew."""

_EPOCH: Final = date(1970, 1, 1)
_EXPORTED: Final = "exported.parquet"
_FILE: Final = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)\.(?P<kept>telemetry|states)\.(?P<version>\d+)\.parquet")


class Kept(StrEnum):
    """What a closed day keeps in files of their own, since it is kept for different times."""

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


@dataclass(frozen=True, slots=True, order=True)
class DayFile:
    """One Parquet file of a closed day."""

    day: int
    """Days since 1970-01-01 UTC."""
    kept: Kept
    version: int
    """Grows when late samples make the file anew."""

    @property
    def name(self) -> str:
        """Return the file's name, such as ``2026-11-21.telemetry.1.parquet``."""
        return f"{_EPOCH + timedelta(days=self.day)}.{self.kept}.{self.version}.parquet"


def day_file(path: Path) -> DayFile | None:
    """Return what a file's name says; ``None`` for a file that is none of ours."""
    match = _FILE.fullmatch(path.name)
    if match is None:
        return None
    day = (date.fromisoformat(match["day"]) - _EPOCH).days
    return DayFile(day, Kept(match["kept"]), int(match["version"]))


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
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
