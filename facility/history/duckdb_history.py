"""History on this machine's disk: what it is asked, put to the tables and files of :mod:`facility.history.day_store`.

Samples arrive in the order of time and are asked for by point. So they are appended to a table as they come, and sorted
by point and time into Parquet files afterwards (:mod:`facility.history.sorting`), which take a third of the space and
answer a trend in milliseconds.
"""

from __future__ import annotations

import dataclasses
import errno
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from facility.errors import HistoryUnavailableError
from facility.history.columns import AS_WRITTEN, batch_of, floats
from facility.history.day_store import DayStore, all_of
from facility.history.days import EVERYWHERE, DayFile, Extent, Retention
from facility.history.export import Export, write_export
from facility.history.history import Buckets
from facility.history.snapshot import export_day, keys_of
from facility.history.sorting import Sorting
from facility.quality import BAD_FROM, UNCERTAIN_FROM
from facility.samples import SampleBatch

_UNLINKABLE: Final = {errno.EXDEV, errno.EPERM, errno.ENOTSUP}
"""What a file system answers that is another one, or that knows no hard links."""


class DuckDbHistory:
    """A folder that belongs to this process; one thread writes, any thread reads, one tidies."""

    def __init__(
        self,
        folder: Path,
        *,
        telemetry: Callable[[], Collection[int]] = tuple,
        retention: Retention | None = None,
    ) -> None:
        """Open or create the folder.

        Args:
            folder: Holds the database of what was not sorted yet, and the sorted files.
            telemetry: Gives the keys of the points that measure quantities, whenever samples are sorted.
            retention: How long closed days are kept.

        Raises:
            HistoryUnavailableError: Another process holds the folder, or its database is no DuckDB file.
        """
        self._folder = folder
        self._waiting: list[SampleBatch] = []
        with self._told():
            self._store = DayStore(folder)
        self._sorting = Sorting(self._store, telemetry, retention or Retention())

    def append(self, batch: SampleBatch) -> None:
        """Take samples; they are kept for good once ``commit`` has returned."""
        self._waiting.append(batch)

    def commit(self) -> None:
        """Write everything appended so far in one transaction, which DuckDB syncs to its log."""
        batch = SampleBatch.concatenate(self._waiting)
        if len(batch):
            with self._told():
                self._store.write(batch)
        self._waiting.clear()

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        """Return the newest ``limit`` samples of a point with source time in ``[start_ns, end_ns)``, oldest first."""
        columns = self._ask(
            _extent([point], start_ns, end_ns),
            lambda source: (
                f"SELECT {AS_WRITTEN} FROM ({source}) WHERE point = ? AND source_time_ns >= ? AND source_time_ns < ? "  # noqa: S608  # our own names
                "ORDER BY source_time_ns DESC, gateway_time_ns DESC LIMIT ?"
            ),
            [point, start_ns, end_ns, limit],
        )
        return batch_of({name: column[::-1] for name, column in columns.items()})

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        """Return all samples of some points with source time in ``[start_ns, end_ns)``, in the order of arrival."""
        keys = keys_of(points)
        columns = self._ask(
            _extent(keys, start_ns, end_ns),
            lambda source: (
                f"SELECT {AS_WRITTEN} FROM ({source}) WHERE point IN (SELECT UNNEST(?)) AND source_time_ns >= ? "  # noqa: S608  # our own names
                "AND source_time_ns < ? ORDER BY gateway_time_ns, point, source_time_ns"
            ),
            [keys, start_ns, end_ns],
        )
        return batch_of(columns)

    def snapshot(self, points: Collection[int], start_ns: int, end_ns: int, folder: Path) -> list[Path]:
        """Leave Parquet files of some points and a period in a folder, as of one instant."""
        keys = keys_of(points)
        with self._told(), self._store.settled(_extent(keys, start_ns, end_ns)) as (cursor, parts):
            files = [self._linked(file, folder) for file in sorted(parts.files)]
            for day, names in parts.tables.items():
                files.append(export_day(cursor, all_of(names), keys, day, folder))
        return files

    def export(self, export: Export, file: Path) -> None:
        """Write the samples of some points and a period into one file for people, as of one instant."""
        wanted = _extent([point.key for point in export.points], export.start_ns, export.end_ns)
        with self._told(), self._store.settled(wanted) as (cursor, parts):
            write_export(cursor, self._store.source(parts), export, file)

    def buckets(self, point: int, start_ns: int, end_ns: int, count: int) -> Buckets:
        """Return a point's samples of a stretch of time, gathered into ``count`` equal ones."""
        width_ns = max(1, -(-(end_ns - start_ns) // count))
        columns = self._ask(
            _extent([point], start_ns, end_ns),
            lambda source: (
                f"SELECT (source_time_ns - {start_ns}) // {width_ns} AS bucket, min(usable) AS minimum, "  # noqa: S608  # numbers and our own names
                "max(usable) AS maximum, avg(usable) AS mean, arg_max(usable, source_time_ns) AS last, "
                f"count(*) FILTER (quality < {UNCERTAIN_FROM}) AS good, count(*) AS count "
                f"FROM (SELECT source_time_ns, quality, CASE WHEN quality < {BAD_FROM} THEN value END AS usable "
                f"FROM ({source}) WHERE point = ? AND source_time_ns >= ? AND source_time_ns < ?) "
                "GROUP BY bucket ORDER BY bucket"
            ),
            [point, start_ns, end_ns],
        )
        return Buckets(
            start_ns=start_ns + np.asarray(columns["bucket"], np.int64) * width_ns,
            minimum=floats(columns["minimum"]),
            maximum=floats(columns["maximum"]),
            mean=floats(columns["mean"]),
            last=floats(columns["last"]),
            good=np.asarray(columns["good"], np.int64),
            count=np.asarray(columns["count"], np.int64),
        )

    def latest(self, since_ns: int) -> SampleBatch:
        """Return the newest sample of every point that has one with source time from ``since_ns`` on."""
        columns = self._ask(
            dataclasses.replace(EVERYWHERE, first_ns=since_ns),
            lambda source: (
                "SELECT point, max(source_time_ns) AS source_time_ns, "  # noqa: S608  # our own names
                "arg_max(gateway_time_ns, source_time_ns) AS gateway_time_ns, "
                "arg_max(value, source_time_ns) AS value, arg_max(quality, source_time_ns) AS quality "
                f"FROM ({source}) WHERE source_time_ns >= ? GROUP BY point ORDER BY point"
            ),
            [since_ns],
        )
        return batch_of(columns)

    def tidy(self, now_ns: int) -> None:
        """Sort what has gathered, close the days that are over, and forget what is older than it has to be kept."""
        with self._told():
            self._sorting.step(now_ns)

    def close(self) -> None:
        """Commit and close the file."""
        self.commit()
        self._store.close()

    def _ask(
        self, wanted: Extent, question: Callable[[str], str], values: Sequence[object]
    ) -> Mapping[str, npt.NDArray[Any]]:
        with self._told():
            return self._store.ask(wanted, question, values)

    def _linked(self, file: DayFile, folder: Path) -> Path:
        """Let a file lie in a snapshot too; it then stays there whatever becomes of the day."""
        path = folder / file.name
        try:
            path.hardlink_to(self._folder / file.name)
        except OSError as error:
            if error.errno not in _UNLINKABLE:
                raise
            shutil.copyfile(self._folder / file.name, path)
        return path

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say of what fails where it did."""
        try:
            yield
        except (duckdb.Error, OSError) as error:
            raise HistoryUnavailableError(str(self._folder), str(error)) from error


def _extent(points: Collection[int] | npt.NDArray[np.int32], start_ns: int, end_ns: int) -> Extent:
    """Return where samples of some points with source time in ``[start_ns, end_ns)`` lie."""
    return Extent(int(min(points, default=0)), int(max(points, default=0)), start_ns, max(start_ns, end_ns - 1))
