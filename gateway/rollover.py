"""Counters that begin again at a number of their own, as totals that grow on.

A 16-bit counter says 65535 and then 0. Its total went on by one, and maintenance by run hours, energy and starts
depends on it. The total is always the counter's own number plus whole turns of it, so nothing else has to be
remembered than how many turns there were and where the counter stood; that outlives the process in one small file,
written when a counter enters another quarter of its turn.

A device that restarts counts from 0 as well. That is no turn: it is one only if the counter had come within a quarter
of its end and is now within a quarter of the way. After such a restart the total falls back by less than a turn.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import structlog

from facility.model import Point
from facility.quality import BAD_FROM
from facility.samples import SampleBatch

log: Final = structlog.get_logger(__name__)

_QUARTERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Where one counter stands; all amounts in the point's unit."""

    size: float
    """How far the counter goes before it begins again."""
    count: int = 0
    """Whole turns so far."""
    at: float | None = None
    """The counter's own number, from 0 to ``size``; ``None`` before the first."""
    is_old: bool = False
    """``at`` may lie up to a quarter behind what the counter said last: it comes from before a restart of ours."""

    def grown(self, number: float) -> Turns:
        """Return where the counter stands once it says ``number``."""
        return replace(self, count=self.count + self._is_turn(number), at=number, is_old=False)

    def is_before(self, number: float) -> bool:
        """Tell whether a number is from before the newest turn: two registers read while the counter was turning."""
        is_far = self.at is not None and number - self.at > self.size * (1 - 1 / _QUARTERS)
        return is_far and self.count > 0 and not self.is_old

    def total_before(self, number: float) -> float:
        """Return the total of a number that the counter said earlier than ``at``."""
        is_of_turn_before = self.at is not None and number > self.at and self.count > 0
        return (self.count - is_of_turn_before) * self.size + number

    @property
    def total(self) -> float:
        """Return the counter's total."""
        return self.count * self.size + (self.at or 0.0)

    @property
    def quarter(self) -> tuple[int, int]:
        """Return the turn and the quarter of it: what is worth remembering for good."""
        return self.count, int((self.at or 0.0) * _QUARTERS / self.size)

    def _is_turn(self, number: float) -> bool:
        if self.at is None or number >= self.at:
            return False
        return number - self.at + self.size <= self.size / _QUARTERS * (2 if self.is_old else 1)


class Totals:
    """The turns of every counter that has any; shared by all connections of a gateway, safe from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Take up what was remembered; without a path nothing outlives the process.

        A file that cannot be read is told to the log and replaced by and by.
        """
        self._path = path
        self._remembered = {} if path is None else _read(path)
        self._turns: dict[str, Turns] = {}
        self._turn = threading.Lock()

    def grown(self, point: Point, size: float, number: float, *, is_older: bool) -> float:
        """Return the total of a counter that says ``number``.

        Args:
            point: The counter.
            size: How far it goes before it begins again, in its unit.
            number: What it says, in its unit.
            is_older: Whether it said this before what was taken last.
        """
        with self._turn:
            before = self._turns.get(point.address) or self._begun(point, size)
            if is_older or before.is_before(number):
                return before.total_before(number)
            after = self._turns[point.address] = before.grown(number)
            if after.quarter != before.quarter or before.at is None:
                self._save()
            return after.total

    def _begun(self, point: Point, size: float) -> Turns:
        count, at, size_then = self._remembered.get(point.address, (0, 0.0, math.nan))
        return Turns(size=size, count=count, at=at, is_old=True) if size == size_then else Turns(size=size)

    def _save(self) -> None:
        """Write the file anew and put it in place; a kill leaves the old one or the new one."""
        self._remembered |= {name: (turns.count, turns.at or 0.0, turns.size) for name, turns in self._turns.items()}
        if self._path is None:
            return
        try:
            new = self._path.with_suffix(".new")
            new.write_bytes(orjson.dumps(self._remembered))
            new.replace(self._path)
        except OSError as error:
            log.warning(
                "counters' turns are not remembered; make room on the disk", file=str(self._path), reason=str(error)
            )


class Unroller:
    """Turns one connection's counters into totals; used by one thread at a time."""

    def __init__(self, counters: Mapping[int, tuple[Point, float, float]], totals: Totals) -> None:
        """Take counters by point key: the point, how far it goes and where it begins, both in its unit."""
        self._counters = counters
        self._totals = totals
        self._is_counter = np.zeros(max(counters, default=-1) + 2, np.bool_)  # the last place is for all unknown keys
        self._is_counter[list(counters)] = True
        self._newest_ns: dict[int, int] = {}

    def unrolled(self, batch: SampleBatch) -> SampleBatch:
        """Return the batch with its counters' usable values replaced by their totals."""
        if not self._counters:
            return batch
        rolling = self._is_counter[np.minimum(batch.point, len(self._is_counter) - 1)]
        rows = np.flatnonzero(rolling & (batch.quality < BAD_FROM))
        if not len(rows):
            return batch
        values = batch.value.copy()
        for row in rows.tolist():
            values[row] = self._total(int(batch.point[row]), int(batch.source_time_ns[row]), float(values[row]))
        return replace(batch, value=values)

    def _total(self, key: int, source_ns: int, value: float) -> float:
        point, size, begin = self._counters[key]
        number = value - begin
        if not (math.isfinite(number) and 0.0 <= number < size):
            return value  # beyond what the profile says it can count to: nothing to compare with
        newest_ns = self._newest_ns.setdefault(key, source_ns)
        self._newest_ns[key] = max(newest_ns, source_ns)
        return begin + self._totals.grown(point, size, number, is_older=source_ns < newest_ns)


def _read(path: Path) -> dict[str, tuple[int, float, float]]:
    """Return by counter its turns, where it stood, and how far it went."""
    try:
        lines = orjson.loads(path.read_bytes()).items()
        return {name: (int(count), float(at), float(size)) for name, (count, at, size) in lines}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("counters' turns cannot be read; counting begins anew", file=str(path), reason=str(error))
        return {}
