"""History in InfluxDB: influxdb-client carries ready line protocol; reads ask in InfluxQL.

InfluxQL, since InfluxDB 1, 2 and 3 all answer it at ``/query``, while Flux is known to InfluxDB 2 alone.
"""

from __future__ import annotations

import json
import math
import urllib.parse
from collections.abc import Sequence
from typing import Any

import numpy as np
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from facility.errors import HistoryUnavailableError
from facility.samples import SampleBatch

_TIMEOUT_MS = 10_000
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
        self._prefixes: dict[int, str] = {}
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
                self._writer.write(self._bucket, self._org, self._lines(batch))
            except _FAILURES as error:
                raise HistoryUnavailableError(self._url, str(error)) from error
        self._waiting.clear()

    def read(self, point: int, start_ns: int, end_ns: int, limit: int) -> SampleBatch:
        """Return the newest ``limit`` samples of a point with source time in ``[start_ns, end_ns)``, oldest first."""
        query = (
            f"SELECT value, quality FROM sample WHERE point = '{point:d}' AND time >= {start_ns:d} "  # noqa: S608  # numbers only
            f"AND time < {end_ns:d} ORDER BY time DESC LIMIT {limit:d}"
        )
        rows = self._query(query)
        rows.reverse()
        times = np.array([row[0] for row in rows], np.int64)
        return SampleBatch(
            point=np.full(len(rows), point, np.int32),
            source_time_ns=times,
            gateway_time_ns=times,
            value=np.array([math.nan if row[1] is None else row[1] for row in rows], np.float64),
            quality=np.array([row[2] for row in rows], np.uint8),
        )

    def close(self) -> None:
        """Commit and close the connections."""
        try:
            self.commit()
        finally:
            self._writer.close()  # type: ignore[no-untyped-call]  # influxdb-client types only a part of itself
            self._client.close()  # type: ignore[no-untyped-call]  # as above
            self._reader.clear()

    def _lines(self, batch: SampleBatch) -> bytes:
        """Format columns as line protocol; a NaN has no spelling there and leaves the quality alone."""
        prefixes = self._prefixes
        for point in set(batch.point.tolist()) - prefixes.keys():
            prefixes[point] = f"sample,point={point} "
        columns = zip(
            batch.point.tolist(),
            batch.source_time_ns.tolist(),
            batch.value.tolist(),
            batch.quality.tolist(),
            strict=True,
        )
        return "\n".join(
            f"{prefixes[point]}value={value!r},quality={quality}i {time}"
            if math.isfinite(value)
            else f"{prefixes[point]}quality={quality}i {time}"
            for point, time, value, quality in columns
        ).encode()

    def _query(self, query: str) -> list[Sequence[Any]]:
        fields = urllib.parse.urlencode({"db": self._bucket, "epoch": "ns", "q": query})
        headers = {"Authorization": f"Token {self._token}"} if self._token else {}
        try:
            answer = self._reader.request("GET", f"{self._url.rstrip('/')}/query?{fields}", headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise HistoryUnavailableError(self._url, str(error)) from error
        if answer.status != 200:  # noqa: PLR2004  # HTTP's word for yes
            raise HistoryUnavailableError(self._url, f"HTTP {answer.status} {answer.data[:200]!r}")
        result = json.loads(answer.data)["results"][0]
        if "error" in result:
            raise HistoryUnavailableError(self._url, result["error"])
        return list(result["series"][0]["values"]) if "series" in result else []
