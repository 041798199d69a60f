"""Samples move from the tables that took them into files that answer: sorted by point and time, and never too large.

While a day lasts, what has gathered in its table is sorted now and again into files, which grow until their hour is
over, so that little has to be searched as it came. Once the day is over, files whose points overlap are merged, until
each point of the day lies in one file. Every move becomes true in one transaction; a crash before it leaves the samples
where they were, and one after it leaves files that nobody needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import structlog

from facility.clock import NS_PER_S
from facility.history.columns import FILE_ORDER, INTO_FILES, PARQUET, quoted
from facility.history.day_store import PART, DayStore, all_of, sorted_table_of, table_of
from facility.history.days import DayFile, Extent, Kept, Retention, is_over, overlapping, parted, words

log = structlog.get_logger(__name__)

SORT_FROM: Final = 1_000_000
"""Samples that the table of a day gathers before they are sorted; fewer are searched faster than files are opened."""
FILE_ROWS: Final = 2_000_000
"""Samples in a file, unless a single point has more. DuckDB looks at all of a file's row groups before it reads one: a
file of a day of 10,000 points at 1 Hz would have 7,000, and took longer to open than to read."""

NS_PER_HOUR: Final = 3_600 * NS_PER_S

Counts = dict[str, npt.NDArray[Any]]
"""Columns ``point``, ``rows``, ``first_ns``, ``last_ns``, one row a point, in the order of points."""


class Sorting:
    """Sorts and forgets what a store holds; called by one thread, while others write and read."""

    def __init__(self, store: DayStore, telemetry: Callable[[], Collection[int]], retention: Retention) -> None:
        """Prepare.

        Args:
            store: Where the samples lie.
            telemetry: Gives the keys of the points that measure quantities.
            retention: How long closed days are kept.
        """
        self._store = store
        self._telemetry = telemetry
        self._retention = retention

    def step(self, now_ns: int) -> None:
        """Bring everything into the form that it should have now.

        A file that is replaced stays until the next call, so that whoever is reading it can finish.

        Raises:
            duckdb.Error: The database did not answer.
            OSError: A file could not be written.
        """
        self._store.remove_unlisted()
        for day in sorted(self._store.parts.tables):
            if is_over(day, now_ns):
                self._sort(day, lasting=False)
            elif self._has_gathered(day):
                self._sort(day, lasting=True)
        for day in sorted(self._store.parts.days):
            if is_over(day, now_ns):
                self._merge(day)
        self._forget(now_ns)

    def _has_gathered(self, day: int) -> bool:
        names = self._store.parts.tables[day]
        with self._store.cursor() as cursor:
            (rows,) = cursor.execute(f"SELECT count(*) FROM ({all_of(names)})").fetchall()[0]  # noqa: S608  # our own names
        return int(rows) >= SORT_FROM

    def _sort(self, day: int, *, lasting: bool) -> None:
        """Move what a day's table holds into files."""
        table = sorted_table_of(day)
        if table not in self._store.parts.tables[day]:
            self._store.change([f"ALTER TABLE {table_of(day)} RENAME TO {table}"], [day])
        changes, new = [f"DROP TABLE {table}"], list[DayFile]()
        with self._store.cursor() as cursor:
            arrived = _counts(cursor, all_of([table]))
            quantities = np.isin(arrived["point"], np.fromiter(self._telemetry(), np.int32))
            for kept, chosen in ((Kept.TELEMETRY, quantities), (Kept.STATES, ~quantities)):
                if chosen.any():
                    last_ns = int(arrived["last_ns"][chosen].max())
                    young = self._of_the_hour(day, kept, last_ns) if lasting else []
                    source = self._joined(table, arrived["point"][chosen], young)
                    new += self._written(cursor, source, _counts(cursor, source), day, kept)
                    changes += map(_unlisted, young)
        self._store.change([*changes, *map(_listed, new)], [day])
        log.info("history of a day sorted", day=words(day), files=[file.name for file in new])

    def _of_the_hour(self, day: int, kept: Kept, last_ns: int) -> list[DayFile]:
        """Return the files that end in the same hour as samples that are to be sorted; they grow with them.

        So one point's samples of a lasting day lie in 24 files at most, and its hour in two or three.
        """
        return [
            file
            for file in self._store.parts.days.get(day, ())
            if file.kept is kept and file.extent.last_ns // NS_PER_HOUR == last_ns // NS_PER_HOUR
        ]

    def _joined(self, table: str, points: npt.NDArray[np.int32], files: Collection[DayFile]) -> str:
        """Return the query of a table's samples of some points, and of all in some files."""
        keys = ", ".join(map(str, points.tolist()))
        arrived = f"{all_of([table])} WHERE point IN ({keys})"
        return f"{arrived} UNION ALL {self._store.all_in(files)}" if files else arrived

    def _merge(self, day: int) -> None:
        """Merge the files of a day that is over, so that each point lies in one."""
        for kept in Kept:
            files = [file for file in self._store.parts.days[day] if file.kept is kept]
            for group in overlapping(files):
                source = self._store.all_in(group)
                with self._store.cursor() as cursor:
                    new = list(self._written(cursor, source, _counts(cursor, source), day, kept))
                self._store.change([*map(_unlisted, group), *map(_listed, new)], [day])
                log.info("history of a day merged", day=words(day), files=[file.name for file in new])

    def _written(
        self, cursor: duckdb.DuckDBPyConnection, source: str, counts: Counts, day: int, kept: Kept
    ) -> Iterator[DayFile]:
        """Write samples into files, some points each, safe on disk."""
        numbers = self._store.numbers_from(day, kept)
        for part in parted(counts["rows"].tolist(), FILE_ROWS):
            points = np.asarray(counts["point"][part], np.int32)
            first_ns, last_ns = int(counts["first_ns"][part].min()), int(counts["last_ns"][part].max())
            extent = Extent(int(points[0]), int(points[-1]), first_ns, last_ns)
            file = DayFile(day, kept, next(numbers), extent)
            written = self._store.folder / f"{file.name}{PART}"
            cursor.execute(
                f"COPY (SELECT {INTO_FILES} FROM ({source}) WHERE point IN (SELECT UNNEST(?)) ORDER BY {FILE_ORDER}) "  # noqa: S608  # our own names
                f"TO {quoted(written)} {PARQUET}",
                [points],
            )
            _settle(written, self._store.folder / file.name)
            yield file

    def _forget(self, now_ns: int) -> None:
        old = [file for file in self._store.parts.files if self._retention.forgets(file, now_ns)]
        if old:
            self._store.change([_unlisted(file) for file in old], {file.day for file in old})
            log.info("history beyond its time forgotten", files=[file.name for file in sorted(old)])


def _counts(cursor: duckdb.DuckDBPyConnection, source: str) -> Counts:
    """Return how many samples each point has, and from when to when."""
    return cursor.execute(
        "SELECT point, count(*) AS rows, min(source_time_ns) AS first_ns, max(source_time_ns) AS last_ns "  # noqa: S608  # our own names
        f"FROM ({source}) GROUP BY point ORDER BY point"
    ).fetchnumpy()


def _listed(file: DayFile) -> str:
    bounds = file.extent
    return (
        f"INSERT INTO day_file VALUES ({file.day}, '{file.kept}', {file.number}, {bounds.first_point}, "  # noqa: S608  # numbers and our own names
        f"{bounds.last_point}, {bounds.first_ns}, {bounds.last_ns})"
    )


def _unlisted(file: DayFile) -> str:
    return f"DELETE FROM day_file WHERE day = {file.day} AND kept = '{file.kept}' AND number = {file.number}"  # noqa: S608  # as above


def _settle(written: Path, final: Path) -> None:
    """Let a written file appear under its name, whole and safe on disk."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    written.rename(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
