"""Where samples lie on disk, and how they are asked for as of one instant.

Samples are committed to a table of their day in one DuckDB file; Parquet files beside it hold what was sorted. The
database says which files count: a file that it does not name is none.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from facility.history.columns import AS_WRITTEN, OF_FILES, TABLE, insert, quoted
from facility.history.days import EVERYWHERE, NS_PER_DAY, DayFile, Extent, Kept, day_file, day_of, words
from facility.samples import SampleBatch

DATABASE: Final = "open-days.duckdb"
CHECKPOINT_AT: Final = "256MB"
"""Size of the log at which DuckDB moves it into its file; at its own 16 MB a commit of 10,000 samples stalled for
100 ms about once a second."""

PART: Final = ".part"
"""Ending of a file that is being written."""
_TAKING: Final = "sample"
_SORTED: Final = "closing"
_FILES: Final = (
    "CREATE TABLE IF NOT EXISTS day_file (day INTEGER, kept TEXT, number INTEGER, first_point INTEGER, "
    "last_point INTEGER, first_ns BIGINT, last_ns BIGINT)"
)
_EARLIER: Final = "closed"
"""Table of the files in folders of the time when nobody wrote down where a file's samples lie."""
_PIN: Final = "SELECT 1 FROM day_file LIMIT 0"
"""A transaction of DuckDB's sees the instant of its first statement."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the samples lie at one instant; replaced as a whole, never changed."""

    tables: Mapping[int, tuple[str, ...]]
    """Day to its tables: the one that takes samples, and one that is being sorted into files."""
    days: Mapping[int, tuple[DayFile, ...]]
    """Day to its files: years of a large site have a hundred thousand, of which a question wants a few."""

    @property
    def files(self) -> Iterator[DayFile]:
        """Give the files of all days."""
        return itertools.chain.from_iterable(self.days.values())

    def of(self, wanted: Extent) -> Parts:
        """Return the parts that may hold wanted samples."""
        first, last = day_of(wanted.first_ns), day_of(wanted.last_ns)
        return Parts(
            {day: names for day, names in self.tables.items() if first <= day <= last},
            {
                day: tuple(file for file in files if file.extent.meets(wanted))
                for day, files in self.days.items()
                if first <= day <= last
            },
        )


class DayStore:
    """A folder that belongs to this process; one thread writes, any thread asks, one moves samples."""

    def __init__(self, folder: Path) -> None:
        """Open or create the folder.

        Raises:
            duckdb.Error: Another process holds it, or its database is no DuckDB file.
            OSError: It cannot be made.
        """
        self.folder = folder
        self._cursors = threading.Lock()
        self._writing = threading.Lock()
        """Held by a commit, and while tables move, so that no commit writes into one that goes."""
        self._moving = threading.Lock()
        """Held while tables come and go and while a reading settles on its instant, so that it asks all there are."""
        self._in_use: list[Parts] = []
        """What is being read; changed while ``_moving`` is held."""
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(str(folder / DATABASE), config={"checkpoint_threshold": CHECKPOINT_AT})
        self._connection.execute("SET parquet_metadata_cache = true")
        self._writer = self._connection.cursor()
        with _transaction(self._writer):
            self._shape()
        self.parts = Parts(self._tables(), self._files())

    def close(self) -> None:
        """Let go of the folder."""
        self._writer.close()
        self._connection.close()

    def write(self, batch: SampleBatch) -> None:
        """Keep samples for good, in one transaction.

        Raises:
            duckdb.Error: The database did not take them.
        """
        days = batch.source_time_ns // NS_PER_DAY
        with self._writing:
            present = np.unique(days).tolist()
            for day in present:
                self._open(day)
            if len(present) == 1:
                insert(self._writer, table_of(present[0]), batch)
                return
            with _transaction(self._writer):
                for day in present:
                    insert(self._writer, table_of(day), batch.where(days == day))

    def ask(
        self, wanted: Extent, question: Callable[[str], str], values: Sequence[object]
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Ask every part that may hold wanted samples, all as of one instant.

        Args:
            wanted: Where the samples lie.
            question: Makes the statement from the query of all samples in these parts.
            values: Of the statement's parameters.

        Raises:
            duckdb.Error: The database did not answer.
        """
        with self.settled(wanted) as (cursor, parts):
            return cursor.execute(question(self.source(parts)), values).fetchnumpy()

    @contextmanager
    def settled(self, wanted: Extent) -> Iterator[tuple[duckdb.DuckDBPyConnection, Parts]]:
        """Give a cursor that sees one instant, and that instant's parts with wanted samples.

        Until the block ends their files stay where they are, whatever becomes of their day.
        """
        with self.cursor() as cursor:
            with self._moving:
                parts = self.parts.of(wanted)
                if parts.tables:  # files do not change, and a transaction takes a tenth of a small question's time
                    cursor.begin()
                    cursor.execute(_PIN)
                self._in_use.append(parts)
            try:
                yield cursor, parts
            finally:
                with self._moving:
                    self._in_use.remove(parts)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a cursor of one's own."""
        with self._cursors:
            cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def source(self, parts: Parts) -> str:
        """Return the query of all samples in some parts."""
        queries = [all_of(names) for names in parts.tables.values()]
        files = list(parts.files)
        if files:
            queries.append(self.all_in(files))
        empty = f"SELECT {AS_WRITTEN} FROM (SELECT NULL::INTEGER AS point, 0::BIGINT AS source_time_ns, "  # noqa: S608
        empty += "0::BIGINT AS gateway_time_ns, NULL::DOUBLE AS value, 0::UTINYINT AS quality) WHERE false"
        return " UNION ALL ".join(queries or [empty])

    def all_in(self, files: Iterable[DayFile]) -> str:
        """Return the query of all samples in some files."""
        names = ", ".join(quoted(self.folder / file.name) for file in sorted(files))
        return f"SELECT {OF_FILES} FROM read_parquet([{names}])"  # noqa: S608  # our own names

    def change(self, statements: Sequence[str], days: Collection[int]) -> None:
        """Change what parts some days have, in one transaction."""
        with self._writing, self._moving:
            with _transaction(self._writer):
                for statement in statements:
                    self._writer.execute(statement)
            others = {day: files for day, files in self.parts.days.items() if day not in days}
            self.parts = Parts(self._tables(), others | self._files("WHERE day IN (SELECT UNNEST(?))", [sorted(days)]))

    def remove_unlisted(self) -> None:
        """Remove the files that are not, or no longer, part of the history, and that nobody reads."""
        with self._moving:
            wanted = {file for parts in (self.parts, *self._in_use) for file in parts.files}
        for path in self.folder.glob("*.parquet*"):
            if path.suffix == PART or day_file(path) not in wanted:
                path.unlink()

    def numbers_from(self, day: int, kept: Kept) -> Iterator[int]:
        """Give the numbers that new files of a day may have."""
        present = map(day_file, self.folder.glob(f"{words(day)}.{kept}.*.parquet"))
        return itertools.count(1 + max((file.number for file in present if file), default=0))

    def _open(self, day: int) -> None:
        name, names = table_of(day), self.parts.tables.get(day, ())
        if name not in names:
            with self._moving:
                self._writer.execute(f"CREATE TABLE IF NOT EXISTS {name} ({TABLE})")
                self.parts = Parts({**self.parts.tables, day: (*names, name)}, self.parts.days)

    def _shape(self) -> None:
        """Give the database the tables that it needs, and take over what an earlier shape knew."""
        self._writer.execute(_FILES)
        if self._writer.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [_EARLIER]).fetchall():
            self._writer.execute(
                f"INSERT INTO day_file SELECT day, kept, version, ?, ?, ?, ? FROM {_EARLIER}",  # noqa: S608  # our own names
                dataclasses.astuple(EVERYWHERE),
            )
            self._writer.execute(f"DROP TABLE {_EARLIER}")

    def _tables(self) -> dict[int, tuple[str, ...]]:
        """Return the tables that the database has, by day."""
        names = self._connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        tables: dict[int, tuple[str, ...]] = {}
        for (name,) in names:
            kind, _, day = name.partition("_")
            if kind in {_TAKING, _SORTED}:
                tables[int(day)] = (*tables.get(int(day), ()), name)
        return tables

    def _files(self, which: str = "", values: Sequence[object] = ()) -> dict[int, tuple[DayFile, ...]]:
        """Return the files that the database knows of, by day."""
        rows = self._connection.execute(f"SELECT * FROM day_file {which} ORDER BY day", values).fetchall()  # noqa: S608  # our own words
        files = (DayFile(day, Kept(kept), number, Extent(*bounds)) for day, kept, number, *bounds in rows)
        return {day: tuple(group) for day, group in itertools.groupby(files, key=attrgetter("day"))}


def table_of(day: int) -> str:
    """Return the name of the table that takes a day's samples."""
    return f"{_TAKING}_{day}"


def sorted_table_of(day: int) -> str:
    """Return the name of the table whose samples are being sorted into files."""
    return f"{_SORTED}_{day}"


def all_of(tables: Sequence[str]) -> str:
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
