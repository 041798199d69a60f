"""The spool: records on disk, from the moment they are taken until the engine has committed them.

One SQLite file in WAL mode that belongs to one process. What :meth:`Spool.write` returned from survives a kill and a
power cut; a torn last write is recognised by the checksums of SQLite's log and counts as not written.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from facility.clock import NS_PER_S
from facility.errors import WatchkeeperError
from gateway.spool.intervals import Interval
from gateway.spool.lanes import Lane

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    spooled_ns INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS record_lane ON record (lane, seq, spooled_ns, samples, size);
"""
_OVERHEAD: Final = 64
"""Bytes of a record beside its body, about."""
_FULL: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class SpoolFullError(WatchkeeperError):
    """The disk does not take what the spool wants to write."""

    title = "The spool's disk is full"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The spool {path} cannot be written: {reason}. Make room on its disk or mend it; until then devices that "
            "wait for an acknowledgement get none, and the oldest telemetry in memory is dropped."
        )


class SpoolDamagedError(WatchkeeperError):
    """The file is no spool, or parts of it are unreadable."""

    title = "The spool is damaged"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The spool {path} is damaged: {reason}. It is put aside, and a new one begun.")


class SpoolTakenError(WatchkeeperError):
    """Another process holds the spool."""

    title = "The spool is taken"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"Another process holds the spool {path}. Stop that gateway, or give this one another WATCHKEEPER_DATA_DIR."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a spool keeps."""

    size: int
    """Bytes of records; beyond them the oldest telemetry is dropped."""
    age_s: float
    """Seconds that telemetry is kept; state changes and events are kept for ever."""


class NewRecord(NamedTuple):
    """What is to be kept."""

    lane: Lane
    samples: int
    """Samples and events in the body, for counting what is dropped."""
    body: bytes


class Record(NamedTuple):
    """What is kept."""

    seq: int
    """Grows with each record of any lane; never used twice."""
    lane: Lane
    spooled_ns: int
    samples: int
    body: bytes


class Tally(NamedTuple):
    """How much of one lane there is."""

    records: int = 0
    samples: int = 0
    size: int = 0
    """Bytes, those beside the bodies included."""

    def changed(self, sign: int, other: Tally) -> Tally:
        """Return this with another one added (1) or taken away (-1)."""
        return Tally(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a spool holds and what it had to drop."""

    held: dict[Lane, Tally] = field(default_factory=lambda: dict.fromkeys(Lane, Tally()))
    dropped: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    """Samples and events dropped by size, by age or because they were damaged, since the spool was begun."""

    @property
    def size(self) -> int:
        """Return the bytes held."""
        return sum(tally.size for tally in self.held.values())


class Spool:
    """Used by one thread at a time."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """Open or create the file.

        Raises:
            SpoolTakenError: Another process holds it.
            SpoolDamagedError: It is no spool, or unreadable.
            SpoolFullError: The disk does not take it.
        """
        self._path = path
        self._limits = limits
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
        try:
            with self._naming_errors():
                self._configure()
                self.identity = self._identity()
                self.figures = self._counted()
        except WatchkeeperError:
            self._connection.close()
            raise

    @property
    def is_over(self) -> bool:
        """Tell whether it is beyond its size although no telemetry is left to drop."""
        return self.figures.size > self._limits.size

    @property
    def next_seq(self) -> int:
        """Return a number that no record has reached yet."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
        return 1 if row is None else row[0] + 1

    def write(self, new: Sequence[NewRecord] = (), *, done: Iterable[Interval] = (), now_ns: int) -> None:
        """Forget what is done, keep what is new and drop what is beyond the limits, in one transaction synced to disk.

        Where the disk is full, the oldest telemetry gives way.

        Raises:
            SpoolFullError: Nothing was changed.
            SpoolDamagedError: The file is unreadable.
        """
        done = tuple(done)
        try:
            self._write(new, done, now_ns, room=0)
        except SpoolFullError:
            self._write(new, done, now_ns, room=2 * sum(len(record.body) + _OVERHEAD for record in new))

    def page(self, lane: Lane, *, after: int, before: int | None = None, count: int) -> list[Record]:
        """Return the lane's next records by number: above ``after``, below ``before``, at most ``count``.

        Raises:
            SpoolDamagedError: The file is unreadable.
        """
        with self._naming_errors():
            rows = self._connection.execute(
                "SELECT seq, lane, spooled_ns, samples, body FROM record "
                "WHERE lane = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT ?",
                (lane, after, 2**62 if before is None else before, count),
            ).fetchall()
        return [Record(seq, Lane(lane_code), at, samples, body) for seq, lane_code, at, samples, body in rows]

    def oldest_seq(self) -> int:
        """Return the number of the oldest record of any lane; the next one to be given when there is none."""
        with self._naming_errors():
            (seq,) = self._connection.execute("SELECT min(seq) FROM record").fetchone()
        return self.next_seq if seq is None else seq

    def oldest_ns(self) -> int | None:
        """Return when the oldest record was taken; ``None`` when there is none."""
        with self._naming_errors():
            row = self._connection.execute("SELECT spooled_ns FROM record ORDER BY seq LIMIT 1").fetchone()
        return None if row is None else row[0]

    def discard(self, records: Iterable[Record]) -> None:
        """Drop records that turned out to be damaged, and count them.

        Raises:
            SpoolFullError: Nothing was changed.
            SpoolDamagedError: The file is unreadable.
        """
        with self._transaction() as change:
            for record in records:
                change.drop(record.lane, Interval(record.seq, record.seq))

    def close(self) -> None:
        """Close the file; everything written stays."""
        self._connection.close()

    def _configure(self) -> None:
        # Exclusive, so that a second process is refused; the lock is taken by the first access.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "journal_size_limit=16000000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)

    def _identity(self) -> int:
        """Return the number that tells this spool from one begun anew, whose records count from 1 again."""
        self._connection.execute("INSERT OR IGNORE INTO fact VALUES ('identity', ?)", (secrets.randbits(52) + 1,))
        (identity,) = self._connection.execute("SELECT value FROM fact WHERE name = 'identity'").fetchone()
        return int(identity)

    def _counted(self) -> Figures:
        figures = Figures()
        statement = "SELECT lane, count(*), sum(samples), sum(size) FROM record GROUP BY lane"
        for lane, *tally in self._connection.execute(statement):
            figures.held[Lane(lane)] = Tally(*tally)
        for lane in Lane:
            row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (_dropped(lane),)).fetchone()
            figures.dropped[lane] = 0 if row is None else row[0]
        return figures

    def _write(self, new: Sequence[NewRecord], done: Sequence[Interval], now_ns: int, *, room: int) -> None:
        with self._transaction() as change:
            for interval in done:
                change.remove(interval)
            change.drop_oldest(size=room, before_ns=now_ns - round(self._limits.age_s * NS_PER_S))
            for record in new:
                change.insert(record, now_ns)
            change.drop_oldest(size=change.figures.size - self._limits.size, before_ns=0)

    @contextmanager
    def _transaction(self) -> Iterator[_Change]:
        """Give a change that holds altogether or not at all."""
        change = _Change(self._connection, _copied(self.figures))
        with self._naming_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield change
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        self.figures = change.figures

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest says only where
            if code == sqlite3.SQLITE_BUSY:
                raise SpoolTakenError(self._path) from error
            if code in _FULL:
                raise SpoolFullError(self._path, str(error)) from error
            if code in _DAMAGED:
                raise SpoolDamagedError(self._path, str(error)) from error
            raise


class _Change:
    """One transaction's statements, with the figures as they will be."""

    def __init__(self, connection: sqlite3.Connection, figures: Figures) -> None:
        self.figures = figures
        self._connection = connection

    def insert(self, record: NewRecord, now_ns: int) -> None:
        size = len(record.body) + _OVERHEAD
        self._connection.execute(
            "INSERT INTO record (lane, spooled_ns, samples, size, body) VALUES (?, ?, ?, ?, ?)",
            (record.lane, now_ns, record.samples, size, record.body),
        )
        self._account(record.lane, 1, Tally(1, record.samples, size))

    def remove(self, interval: Interval) -> None:
        """Forget records of any lane that the engine has committed."""
        statement = "DELETE FROM record WHERE seq BETWEEN ? AND ? RETURNING lane, samples, size"
        for lane, samples, size in self._connection.execute(statement, interval).fetchall():
            self._account(Lane(lane), -1, Tally(1, samples, size))

    def drop(self, lane: Lane, interval: Interval) -> None:
        """Remove a lane's records and count them as lost."""
        statement = "DELETE FROM record WHERE lane = ? AND seq BETWEEN ? AND ? RETURNING samples, size"
        for samples, size in self._connection.execute(statement, (lane, *interval)).fetchall():
            self._account(lane, -1, Tally(1, samples, size))
            self.figures.dropped[lane] += samples
        self._connection.execute("REPLACE INTO fact VALUES (?, ?)", (_dropped(lane), self.figures.dropped[lane]))

    def drop_oldest(self, *, size: int, before_ns: int) -> None:
        """Drop the oldest telemetry: until so many bytes are free, and all from before some time."""
        last = 0
        statement = "SELECT seq, spooled_ns, size FROM record WHERE lane = ? ORDER BY seq"
        for seq, spooled_ns, its_size in self._connection.execute(statement, (Lane.TELEMETRY,)):
            if size <= 0 and spooled_ns >= before_ns:
                break
            last, size = seq, size - its_size
        if last:
            self.drop(Lane.TELEMETRY, Interval(0, last))

    def _account(self, lane: Lane, sign: int, tally: Tally) -> None:
        self.figures.held[lane] = self.figures.held[lane].changed(sign, tally)


def _dropped(lane: Lane) -> str:
    return f"dropped {lane.label}"


def _copied(figures: Figures) -> Figures:
    return replace(figures, held=dict(figures.held), dropped=dict(figures.dropped))


def put_aside(path: Path, now_ns: int) -> Path:
    """Rename a damaged spool with its log, so that a new one can begin and someone can look at the old one."""
    aside = path.with_name(f"{path.name}.damaged-{now_ns // NS_PER_S}")
    for suffix in ("", "-wal", "-shm"):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside
