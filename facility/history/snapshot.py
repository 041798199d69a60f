"""Snapshots of a history: Parquet files in a folder of their own, which another process reads day by day.

A DuckDB database belongs to one process. Whoever needs much history beside the live work, as a back-test does, is
handed files instead, and reads them at its own pace with its own cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

import duckdb
import numpy as np
import numpy.typing as npt

from facility.errors import HistoryUnavailableError
from facility.history.columns import FILE_ORDER, INTO_FILES, OF_FILES, PARQUET, batch_of, quoted
from facility.history.days import NS_PER_DAY, day_file, day_of, day_of_name, exported_name, parted
from facility.samples import SampleBatch

ROWS: Final = 1_000_000
"""Rows of a batch, at most."""
_MEMORY: Final = "2GB"
"""What a reader may take for sorting; beyond it DuckDB goes to disk."""


def export_day(cursor: duckdb.DuckDBPyConnection, source: str, points: Collection[int], day: int, folder: Path) -> Path:
    """Write the samples of a day that a query finds as one file of a snapshot.

    Args:
        cursor: Where the query is asked.
        source: A query that gives the columns :data:`~facility.history.columns.AS_WRITTEN`.
        points: The points wanted.
        day: Days since 1970-01-01 UTC; names the file.
        folder: Where the file is written.
    """
    path = folder / exported_name(day)
    cursor.execute(
        f"COPY (SELECT {INTO_FILES} FROM ({source}) WHERE point IN (SELECT UNNEST(?)) ORDER BY {FILE_ORDER}) "  # noqa: S608  # our own names
        f"TO {quoted(path)} {PARQUET}",
        [keys_of(points)],
    )
    return path


def read_days(
    files: Collection[Path],
    points: Collection[int],
    start_ns: int,
    end_ns: int,
    *,
    by: Literal["point", "arrival"],
    threads: int = 1,
) -> Iterator[SampleBatch]:
    """Read a snapshot in the order of its days.

    Args:
        files: What :meth:`~facility.history.history.History.snapshot` returned.
        points: The points wanted.
        start_ns: First source time wanted.
        end_ns: First source time no longer wanted.
        by: Within a day, ``point`` gives the samples by point and source time, which is how they lie; ``arrival`` by
            gateway time and point, which has to be sorted and takes some four times as long.
        threads: Cores to use.

    Yields:
        Batches of at most :data:`ROWS` rows; none is empty.

    Raises:
        HistoryUnavailableError: A file is missing or broken.
    """
    ordered = sorted(files, key=_place)
    wanted = keys_of(points)
    if not len(wanted):
        return
    with memory_database(threads) as connection:
        for day, found in groupby(ordered, key=lambda path: day_of_name(path.name)):
            if day_of(start_ns) <= day <= day_of(end_ns - 1):
                source = _Source(connection, list(found), wanted, start_ns, end_ns)
                try:
                    yield from source.by_point() if by == "point" else source.by_arrival()
                except duckdb.Error as error:
                    raise HistoryUnavailableError(str(ordered[0].parent), str(error)) from error


class _Source:
    """The files of one day, and what is wanted of them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[Path],
        points: npt.NDArray[np.int32],
        start_ns: int,
        end_ns: int,
    ) -> None:
        day_ns = day_of_name(files[0].name) * NS_PER_DAY
        self._connection = connection
        self._points = points
        self._from = f"FROM read_parquet([{', '.join(quoted(path) for path in files)}])"
        self._period = "true"
        if start_ns > day_ns or end_ns < day_ns + NS_PER_DAY:
            self._period = f"source_time_ns >= {start_ns} AND source_time_ns < {end_ns}"

    def by_point(self) -> Iterator[SampleBatch]:
        """Give the samples as they lie, some points at a time."""
        for points in self._groups():
            found = self._connection.execute(f"SELECT {OF_FILES} {self._from} WHERE {self._wanted(points)}")
            batch = in_file_order(batch_of(found.fetchnumpy()))
            for start in range(0, len(batch), ROWS):
                yield batch.part(start, start + ROWS)

    def by_arrival(self) -> Iterator[SampleBatch]:
        """Sort the day into a table of its own, and give it piece by piece."""
        wanted = f"SELECT {OF_FILES} {self._from} WHERE {self._wanted(self._points)}"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE arrived AS {wanted} ORDER BY gateway_time_ns, point, source_time_ns"
        )
        (rows,) = self._connection.execute("SELECT count(*) FROM arrived").fetchall()[0]
        for start in range(0, rows, ROWS):
            piece = f"SELECT * FROM arrived WHERE rowid >= {start} AND rowid < {start + ROWS} ORDER BY rowid"  # noqa: S608  # numbers
            yield batch_of(self._connection.execute(piece).fetchnumpy())

    def _wanted(self, points: npt.NDArray[np.int32]) -> str:
        """Return what holds for the samples wanted; a list in the text is looked up faster than one that is joined."""
        return f"{self._period} AND point IN ({', '.join(map(str, points.tolist()))})"

    def _groups(self) -> Iterator[npt.NDArray[np.int32]]:
        """Part the points into groups that make one batch each; a point with more samples stands alone."""
        counts = self._connection.execute(
            f"SELECT point, count(*) AS count {self._from} WHERE {self._wanted(self._points)} "
            "GROUP BY point ORDER BY point"
        ).fetchnumpy()
        points = np.asarray(counts["point"], np.int32)
        for part in parted(counts["count"].tolist(), ROWS):
            yield points[part]


@contextmanager
def memory_database(threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory that may go to disk for sorting."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-") as spill:
        connection = duckdb.connect(config={"threads": threads, "memory_limit": _MEMORY, "temp_directory": spill})
        try:
            yield connection
        finally:
            connection.close()


def in_file_order(batch: SampleBatch) -> SampleBatch:
    """Return the samples by point and source time; as they came where they are so already, which is the rule."""
    later = np.diff(batch.source_time_ns) >= 0
    if bool(np.all((np.diff(batch.point) > 0) | ((np.diff(batch.point) == 0) & later))):
        return batch
    order = np.lexsort((batch.gateway_time_ns, batch.source_time_ns, batch.point))
    return SampleBatch(*(getattr(batch, column)[order] for column in SampleBatch.__slots__))


def _place(path: Path) -> tuple[int, str, int]:
    """Return where a file stands among others: by day, and then by number, which mostly is by points."""
    file = day_file(path)
    return (day_of_name(path.name), "", 0) if file is None else (file.day, file.kept, file.number)


def keys_of(points: Collection[int]) -> npt.NDArray[np.int32]:
    """Return the keys as a column, each once."""
    return np.unique(np.fromiter(points, np.int32))
