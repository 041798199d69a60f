"""History in InfluxDB: influxdb-client carries ready line protocol; reads ask in InfluxQL.

InfluxQL, since InfluxDB 1, 2 and 3 all answer it at ``/query``, while Flux is known to InfluxDB 2 alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import orjson
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from facility.errors import HistoryUnavailableError
from facility.history.columns import TABLE, insert
from facility.history.days import NS_PER_DAY, day_of
from facility.history.export import Export, write_export
from facility.history.history import Buckets
from facility.history.line_protocol import lines_of
from facility.history.snapshot import export_day, keys_of, memory_database
from facility.quality import BAD_FROM, UNCERTAIN_FROM, Quality
from facility.samples import Sample, SampleBatch

_TIMEOUT_MS: Final = 10_000
_PAGE_ROWS: Final = 10_000
_PAGE_POINTS: Final = 20
"""How much one question asks for, so that neither side holds a whole month in memory."""
_FAILURES = (ApiException, urllib3.exceptions.HTTPError, OSError)


class InfluxHistory:
    """One measurement ``sample`` with the tag ``point`` and the fields ``value`` and ``quality``.

    Time is the source's, so a sample sent twice is kept once. The gateway's time is not kept: a read gives the source's
    in its place.
    """

    def __init__(self, url: str, token: str, org: str, bucket: str) -> None:
        """Prepare to write; nothing is sent before the first commit.

        Args:
            url: Such as ``http://influx:8086``.
            token: Empty where the server wants none.
            org: InfluxDB 2's organisation; others ignore it.
            bucket: InfluxDB 2's bucket, and the database that its InfluxQL endpoint maps to it.
        """
        self._url, self._token, self._org, self._bucket = url, token, org, bucket
        self._waiting: list[SampleBatch] = []
        self._client = InfluxDBClient(url, token or "none", org=org, timeout=_TIMEOUT_MS)
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._reader = urllib3.PoolManager(timeout=_TIMEOUT_MS / 1000)

    def append(self, batch: SampleBatch) -> None:
        """Take samples; they are kept for good once ``commit`` has returned."""
        self._waiting.append(batch)

    def commit(self) -> None:
        """Send everything appended so far; returns when the server has taken it."""
        batch = SampleBatch.concatenate(self._waiting)
        if len(batch):
            try:
                self._writer.write(self._bucket, self._org, lines_of(batch))
            except _FAILURES as error:
                raise HistoryUnavailableError(self._url, str(error)) from error
        self._waiting.clear()

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        """Return the newest ``limit`` samples of a point with source time in ``[start_ns, end_ns)``, oldest first."""
        query = (
            f"SELECT value, quality FROM sample WHERE point = '{point:d}' AND time >= {start_ns:d} "  # noqa: S608
            f"AND time < {end_ns:d} ORDER BY time DESC LIMIT {limit:d}"
        )
        (series,) = self._query(query)
        return _batch(point, _rows(series)[::-1])

    def samples(self, points: Collection[int], start_ns: int, end_ns: int) -> SampleBatch:
        """Return all samples of some points with source time in ``[start_ns, end_ns)``, in the order of arrival."""
        found = SampleBatch.concatenate(self._pages(points, start_ns, end_ns))
        order = np.lexsort((found.point, found.gateway_time_ns))
        return SampleBatch(*(getattr(found, column)[order] for column in SampleBatch.__slots__))

    def snapshot(self, points: Collection[int], start_ns: int, end_ns: int, folder: Path) -> list[Path]:
        """Write the samples of some points and a period into Parquet files, a page after the other.

        The server has no instants: what it takes meanwhile may be among them.
        """
        files = []
        try:
            with memory_database(threads=1) as memory:
                for day in self._days(start_ns, end_ns):
                    memory.execute(f"CREATE OR REPLACE TABLE found ({TABLE})")
                    first_ns, past_ns = max(start_ns, day * NS_PER_DAY), min(end_ns, (day + 1) * NS_PER_DAY)
                    for page in self._pages(points, first_ns, past_ns):
                        insert(memory, "found", page)
                    files.append(export_day(memory, "FROM found", points, day, folder))
        except (duckdb.Error, OSError) as error:
            raise HistoryUnavailableError(str(folder), str(error)) from error
        return files

    def export(self, export: Export, file: Path) -> None:
        """Write the samples of some points and a period into one file for people."""
        try:
            with memory_database(threads=1) as memory:
                memory.execute(f"CREATE TABLE found ({TABLE})")
                keys = [point.key for point in export.points]
                for page in self._pages(keys, export.start_ns, export.end_ns):
                    insert(memory, "found", page)
                write_export(memory, "FROM found", export, file)
        except (duckdb.Error, OSError) as error:
            raise HistoryUnavailableError(str(file), str(error)) from error

    def buckets(self, point: int, start_ns: int, end_ns: int, count: int) -> Buckets:
        """Return a point's samples of a stretch of time, gathered into ``count`` equal ones."""
        width_ns = max(1, -(-(end_ns - start_ns) // count))
        where = f"FROM sample WHERE point = '{point:d}' AND time >= {start_ns:d} AND time < {end_ns:d}"
        group = f"GROUP BY time({width_ns:d}ns, {start_ns % width_ns:d}ns) fill(none)"
        usable, good, every = self._query(
            f"SELECT min(value), max(value), mean(value), last(value) {where} AND quality < {BAD_FROM} {group};"
            f"SELECT count(quality) {where} AND quality < {UNCERTAIN_FROM} {group};"
            f"SELECT count(quality) {where} {group}"
        )
        counts = {row[0]: row[1] for row in _rows(every)}
        values = {row[0]: row[1:] for row in _rows(usable)}
        goods = {row[0]: row[1] for row in _rows(good)}
        columns = np.array([values.get(time, [None] * 4) for time in counts], np.float64).reshape(-1, 4)
        return Buckets(
            start_ns=np.array(list(counts), np.int64),
            minimum=columns[:, 0],
            maximum=columns[:, 1],
            mean=columns[:, 2],
            last=columns[:, 3],
            good=np.array([goods.get(time, 0) for time in counts], np.int64),
            count=np.array(list(counts.values()), np.int64),
        )

    def latest(self, since_ns: int) -> SampleBatch:
        """Return the newest sample of every point that has one with source time from ``since_ns`` on."""
        query = (
            f"SELECT value, quality FROM sample WHERE time >= {since_ns:d} GROUP BY point ORDER BY time DESC LIMIT 1"  # noqa: S608  # a number only
        )
        (found,) = self._query(query)
        # A server that only takes line protocol (VictoriaMetrics) answers with a series that has no tags.
        rows = [(int(series["tags"]["point"]), *series["values"][0]) for series in found if "tags" in series]
        return SampleBatch.of(
            [
                Sample(point, time, time, _number(value), Quality(quality))
                for point, time, value, quality in sorted(rows)
            ]
        )

    def tidy(self, now_ns: int) -> None:
        """Leave it to the server: its own retention policy forgets what is old."""

    def close(self) -> None:
        """Commit and close the connections."""
        try:
            self.commit()
        finally:
            self._writer.close()  # type: ignore[no-untyped-call]  # influxdb-client types only a part of itself
            self._client.close()  # type: ignore[no-untyped-call]  # as above
            self._reader.clear()

    def _pages(self, points: Collection[int], start_ns: int, end_ns: int) -> Iterator[SampleBatch]:
        """Ask for all samples of some points, and give each answer of at most :data:`_PAGE_ROWS` of one point."""
        waiting = [(point, start_ns) for point in keys_of(points).tolist()]
        while waiting:
            asked, waiting = waiting[:_PAGE_POINTS], waiting[_PAGE_POINTS:]
            answers = self._query(
                ";".join(
                    f"SELECT value, quality FROM sample WHERE point = '{point:d}' AND time >= {since_ns:d} "  # noqa: S608
                    f"AND time < {end_ns:d} ORDER BY time LIMIT {_PAGE_ROWS}"
                    for point, since_ns in asked
                )
            )
            # A server that only takes line protocol (VictoriaMetrics) gives one answer to all questions.
            for (point, _), series in zip(asked, answers, strict=False):
                rows = _rows(series)
                if rows:
                    yield _batch(point, rows)
                if len(rows) == _PAGE_ROWS:
                    waiting.append((point, rows[-1][0] + 1))

    def _days(self, start_ns: int, end_ns: int) -> range:
        """Return the days of a period from the first to the last that has a sample of any point."""
        ends = self._query(
            ";".join(
                f"SELECT {end}(quality) FROM sample WHERE time >= {start_ns:d} AND time < {end_ns:d}"  # noqa: S608
                for end in ("first", "last")
            )
        )
        first, last = (_rows(series) for series in ends)
        return range(day_of(first[0][0]), day_of(last[0][0]) + 1) if first and last else range(0)

    def _query(self, query: str) -> list[list[dict[str, Any]]]:
        """Ask, and return the series that each statement found."""
        fields = {"db": self._bucket, "epoch": "ns", "q": query}
        headers = {"Authorization": f"Token {self._token}"} if self._token else {}
        try:
            answer = self._reader.request_encode_body(
                "POST", f"{self._url.rstrip('/')}/query", fields=fields, headers=headers, encode_multipart=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise HistoryUnavailableError(self._url, str(error)) from error
        if answer.status != 200:  # noqa: PLR2004  # HTTP's word for yes
            raise HistoryUnavailableError(self._url, f"HTTP {answer.status} {answer.data[:200]!r}")
        results = orjson.loads(answer.data)["results"]
        for result in results:
            if "error" in result:
                raise HistoryUnavailableError(self._url, result["error"])
        return [[series for series in result.get("series", []) if _is_in_time(series)] for result in results]


def _is_in_time(series: Mapping[str, Any]) -> bool:
    """Tell a series from what a server answers that only takes line protocol (VictoriaMetrics): a list of databases."""
    return bool(series.get("columns", [""])[0] == "time")


def _rows(series: Sequence[dict[str, Any]]) -> list[Sequence[Any]]:
    """Return the rows of a statement that asks for one point."""
    return list(series[0]["values"]) if series else []


def _batch(point: int, rows: Sequence[Sequence[Any]]) -> SampleBatch:
    """Return rows of time, value and quality as samples of a point."""
    times = np.array([row[0] for row in rows], np.int64)
    return SampleBatch(
        point=np.full(len(rows), point, np.int32),
        source_time_ns=times,
        gateway_time_ns=times,
        value=np.array([_number(row[1]) for row in rows], np.float64),
        quality=np.array([row[2] for row in rows], np.uint8),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
