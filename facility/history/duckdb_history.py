"""History on this machine's disk: open days in one DuckDB file, each closed day in Parquet files beside it.

Samples arrive in the order of time and are asked for by point. So a day's samples are appended to a table of that day,
and once it is over they are sorted by point and time into Parquet, which takes a third of the space and answers a trend
in milliseconds. A closed day's file and the end of its table become true in one transaction; a crash before it leaves
the table, a crash after it leaves a file that nobody needs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import structlog

from facility.errors import HistoryUnavailableError
from facility.history.columns import (
    AS_WRITTEN,
    FILE_ORDER,
    INTO_FILES,
    OF_FILES,
    PARQUET,
    TABLE,
    batch_of,
    floats,
    insert,
    quoted,
)
from facility.history.days import NS_PER_DAY, DayFile, Kept, Retention, day_file, day_of, is_over, words
from facility.history.history import Buckets
from facility.history.snapshot import export_day, keys_of
from facility.quality import BAD_FROM, UNCERTAIN_FROM
from facility.samples import SampleBatch

log = structlog.get_logger(__name__)

DATABASE: Final = "open-days.duckdb"
CHECKPOINT_AT: Final = "256MB"
"""Size of the log at which DuckDB moves it into its file; at its own 16 MB a commit of 10,000 samples stalled for
100 ms about once a second."""

_PIN: Final = "SELECT 1 FROM closed LIMIT 0"
"""A transaction of DuckDB's sees the instant of its first statement."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the samples lie at one instant; replaced as a whole, never changed."""

    tables: Mapping[int, tuple[str, ...]]
    """Open day to its tables: the one that takes samples, and one that is being closed."""
    files: frozenset[DayFile]

    def between(self, start_ns: int, end_ns: int) -> Parts:
        """Return the parts that may hold samples of a stretch of time."""
        days = range(day_of(start_ns), day_of(max(start_ns, end_ns - 1)) + 1)
        return Parts(
            {day: names for day, names in self.tables.items() if day in days},
            frozenset(file for file in self.files if file.day in days),
        )


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
            folder: Holds :data:`DATABASE` and the closed days' files.
            telemetry: Gives the keys of the points that measure quantities, whenever a day is closed.
            retention: How long closed days are kept.

        Raises:
            HistoryUnavailableError: Another process holds the folder, or its database is no DuckDB file.
        """
        self._folder = folder
        self._telemetry = telemetry
        self._retention = retention or Retention()
        self._waiting: list[SampleBatch] = []
        self._cursors = threading.Lock()
        self._writing = threading.Lock()
        """Held by a commit, and while tables move, so that no commit writes into one that goes."""
        self._moving = threading.Lock()
        """Held while tables come and go and while a reading settles on its instant, so that it asks all there are."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = duckdb.connect(str(folder / DATABASE), config={"checkpoint_threshold": CHECKPOINT_AT})
            self._connection.execute("SET parquet_metadata_cache = true")
            self._connection.execute("CREATE TABLE IF NOT EXISTS closed (day INTEGER, kept TEXT, version INTEGER)")
            self._writer = self._connection.cursor()
            self._parts = self._found()
        except (duckdb.Error, OSError) as error:
            raise HistoryUnavailableError(str(folder), str(error)) from error

    def append(self, batch: SampleBatch) -> None:
        """Take samples; they are kept for good once ``commit`` has returned."""
        self._waiting.append(batch)

    def commit(self) -> None:
        """Write everything appended so far in one transaction, which DuckDB syncs to its log."""
        batch = SampleBatch.concatenate(self._waiting)
        if len(batch):
            try:
                self._write(batch)
            except duckdb.Error as error:
                raise HistoryUnavailableError(str(self._folder), str(error)) from error
        self._waiting.clear()

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        """Return the newest ``limit`` samples of a point with source time in ``[start_ns, end_ns)``, oldest first."""
        columns = self._ask(
            start_ns,
            end_ns,
            lambda source: (
                f"SELECT {AS_WRITTEN} FROM ({source}) WHERE point = ? AND source_time_ns >= ? AND source_time_ns < ? "  # noqa: S608  # our own names
                "ORDER BY source_time_ns DESC, gateway_time_ns DESC LIMIT ?"
            ),
            [point, start_ns, end_ns, limit],
        )
        return batch_of({name: column[::-1] for name, column in columns.items()})

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        """Return all samples of some points with source time in ``[start_ns, end_ns)``, in the order of arrival."""
        columns = self._ask(
            start_ns,
            end_ns,
            lambda source: (
                f"SELECT {AS_WRITTEN} FROM ({source}) WHERE point IN (SELECT UNNEST(?)) AND source_time_ns >= ? "  # noqa: S608  # our own names
                "AND source_time_ns < ? ORDER BY gateway_time_ns, point, source_time_ns"
            ),
            [keys_of(points), start_ns, end_ns],
        )
        return batch_of(columns)

    def snapshot(self, points: Collection[int], start_ns: int, end_ns: int, folder: Path) -> list[Path]:
        """Leave Parquet files of some points and a period in a folder on this file system, as of one instant."""
        with self._cursor() as cursor:
            try:
                with self._moving:
                    parts = self._parts.between(start_ns, end_ns)
                    files = [self._linked(file, folder) for file in sorted(parts.files)]
                    _pin(cursor)
                for day, names in parts.tables.items():
                    files.append(export_day(cursor, _all_of(names), points, day, folder))
            except (duckdb.Error, OSError) as error:
                raise HistoryUnavailableError(str(self._folder), str(error)) from error
            return files

    def buckets(self, point: int, start_ns: int, end_ns: int, count: int) -> Buckets:
        """Return a point's samples of a stretch of time, gathered into ``count`` equal ones."""
        width_ns = max(1, -(-(end_ns - start_ns) // count))
        columns = self._ask(
            start_ns,
            end_ns,
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
            since_ns,
            2**62,
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
        """Close the days that are over, and forget the files that are older than they have to be kept."""
        try:
            self._remove_unlisted()
            for day in sorted(day for day in self._parts.tables if is_over(day, now_ns)):
                self._close_day(day)
            self._forget(now_ns)
        except (duckdb.Error, OSError) as error:
            raise HistoryUnavailableError(str(self._folder), str(error)) from error

    def close(self) -> None:
        """Commit and close the file."""
        self.commit()
        self._writer.close()
        self._connection.close()

    def _write(self, batch: SampleBatch) -> None:
        days = batch.source_time_ns // NS_PER_DAY
        with self._writing:
            present = np.unique(days).tolist()
            for day in present:
                self._open_day(day)
            if len(present) == 1:
                insert(self._writer, f"sample_{present[0]}", batch)
                return
            with _transaction(self._writer):
                for day in present:
                    insert(self._writer, f"sample_{day}", batch.where(days == day))

    def _open_day(self, day: int) -> None:
        name, names = f"sample_{day}", self._parts.tables.get(day, ())
        if name not in names:
            with self._moving:
                self._writer.execute(f"CREATE TABLE IF NOT EXISTS {name} ({TABLE})")
                self._parts = Parts({**self._parts.tables, day: (*names, name)}, self._parts.files)

    def _ask(
        self, start_ns: int, end_ns: int, question: Callable[[str], str], values: Sequence[object]
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Ask every part that may hold samples of a stretch of time, all as of one instant."""
        with self._cursor() as cursor:
            try:
                with self._moving:
                    source = self._source(start_ns, end_ns)
                    _pin(cursor)
                return cursor.execute(question(source), values).fetchnumpy()
            except duckdb.Error as error:
                raise HistoryUnavailableError(str(self._folder), str(error)) from error

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._cursors:
            cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def _source(self, start_ns: int, end_ns: int) -> str:
        """Return the query of all samples in the parts that a stretch of time touches."""
        parts = self._parts.between(start_ns, end_ns)
        files = ", ".join(quoted(self._folder / file.name) for file in sorted(parts.files))
        queries = [_all_of(names) for names in parts.tables.values()]
        if files:
            queries.append(f"SELECT {OF_FILES} FROM read_parquet([{files}])")  # noqa: S608  # our own names
        empty = f"SELECT {AS_WRITTEN} FROM (SELECT NULL::INTEGER AS point, 0::BIGINT AS source_time_ns, "  # noqa: S608
        empty += "0::BIGINT AS gateway_time_ns, NULL::DOUBLE AS value, 0::UTINYINT AS quality) WHERE false"
        return " UNION ALL ".join(queries or [empty])

    def _linked(self, file: DayFile, folder: Path) -> Path:
        """Let a closed day's file lie in a snapshot too; it then stays there whatever becomes of the day."""
        path = folder / file.name
        path.hardlink_to(self._folder / file.name)
        return path

    def _found(self) -> Parts:
        """Return the parts that the database knows of."""
        names = self._connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        tables: dict[int, tuple[str, ...]] = {}
        for (name,) in names:
            kind, _, day = name.partition("_")
            if kind in {"sample", "closing"}:
                tables[int(day)] = (*tables.get(int(day), ()), name)
        files = self._connection.execute("SELECT day, kept, version FROM closed").fetchall()
        return Parts(tables, frozenset(DayFile(day, Kept(kept), version) for day, kept, version in files))

    def _close_day(self, day: int) -> None:
        """Sort a day's samples into files, together with those it was closed with before."""
        closing = f"closing_{day}"
        if closing not in self._parts.tables[day]:
            self._change([f"ALTER TABLE sample_{day} RENAME TO {closing}"])
        old = {file.kept: file for file in self._parts.files if file.day == day}
        new = [file for kept in Kept if (file := self._closed_file(day, kept, closing, old.get(kept)))]
        statements = [f"DELETE FROM closed WHERE day = {day}", f"DROP TABLE {closing}"]  # noqa: S608  # numbers and our own names
        statements += [f"INSERT INTO closed VALUES ({file.day}, '{file.kept}', {file.version})" for file in new]  # noqa: S608  # as above
        self._change(statements)
        log.info("history of a day closed", day=words(day), files=[file.name for file in new])

    def _closed_file(self, day: int, kept: Kept, table: str, old: DayFile | None) -> DayFile | None:
        """Write one file of a day, safe on disk; ``None`` when there is nothing to keep in it."""
        telemetry = np.fromiter(self._telemetry(), np.int32)
        belongs = "IN" if kept is Kept.TELEMETRY else "NOT IN"
        source = f"SELECT {AS_WRITTEN} FROM {table} WHERE point {belongs} (SELECT UNNEST(?))"  # noqa: S608  # our own names
        if old is not None:
            source += f" UNION ALL SELECT {OF_FILES} FROM read_parquet({quoted(self._folder / old.name)})"  # noqa: S608
        file = DayFile(day, kept, old.version + 1 if old else 1)
        written = self._folder / f"{file.name}.part"
        copy = (
            f"COPY (SELECT {INTO_FILES} FROM ({source}) ORDER BY {FILE_ORDER}) "  # noqa: S608
            f"TO {quoted(written)} {PARQUET}"
        )
        with self._cursor() as cursor:
            (rows,) = cursor.execute(copy, [telemetry]).fetchall()[0]
        if not rows:
            written.unlink()
            return None
        _settle(written, self._folder / file.name)
        return file

    def _change(self, statements: Sequence[str]) -> None:
        """Change what parts there are in one transaction."""
        with self._writing, self._moving:
            with _transaction(self._writer):
                for statement in statements:
                    self._writer.execute(statement)
            self._parts = self._found()

    def _forget(self, now_ns: int) -> None:
        old = [file for file in self._parts.files if self._retention.forgets(file, now_ns)]
        if not old:
            return
        self._change([f"DELETE FROM closed WHERE day = {file.day} AND kept = '{file.kept}'" for file in old])  # noqa: S608  # numbers and our own names
        log.info("history beyond its time forgotten", files=[file.name for file in sorted(old)])

    def _remove_unlisted(self) -> None:
        """Remove files that are not, or no longer, part of the history.

        A closing leaves the file it replaced until the next call, so that whoever is reading it can finish.
        """
        for path in self._folder.glob("*.parquet*"):
            if path.suffix == ".part" or day_file(path) not in self._parts.files:
                path.unlink()


def _pin(cursor: duckdb.DuckDBPyConnection) -> None:
    """Let a cursor see this instant until it is closed."""
    cursor.begin()
    cursor.execute(_PIN)


def _all_of(tables: Sequence[str]) -> str:
    """Return the query of all samples in some tables."""
    return " UNION ALL ".join(f"SELECT {AS_WRITTEN} FROM {name}" for name in tables)  # noqa: S608  # our own names


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.begin()
    try:
        yield
    except duckdb.Error:
        cursor.rollback()
        raise
    cursor.commit()


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
