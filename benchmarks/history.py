"""How fast samples are kept and found again.

``uv run --group bench python -m benchmarks.history --json`` writes one hour of 10,000 points at 1 Hz into the history
on disk, one commit a second of data, and reads it open and closed; gathers a month of one point; writes samples to a
VictoriaMetrics (Debian's ``victoria-metrics``) through our own formatting and through influxdb-client's batching API.

The hour is tidied after every ten minutes of data, as a running system does, except after the last ones. Writing ten
minutes takes a few seconds here, so the tidying stands between commits and is not counted among them; a running system
has ten minutes for it, and ``sorting_rows_per_s`` says how short it is.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import structlog
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import WriteOptions

from app.history_tidying import PERIOD_S
from facility.clock import NS_PER_MS, NS_PER_S
from facility.history.days import GRACE_NS, NS_PER_DAY
from facility.history.duckdb_history import DuckDbHistory
from facility.history.influx_history import InfluxHistory
from facility.samples import SampleBatch
from tests.servers import binary, free_port, running

POINTS = 10_000
HOUR_S = 3_600
TIDY_S = round(PERIOD_S)
MONTH_DAYS = 30
MONTH_POINTS = 10
"""Points that share the month's files with the one that is asked for."""
BUCKETS = 500
DAY_NS = 20_600 * NS_PER_DAY
ASKED = 17
"""How often a question is asked; its median counts."""


def batches(points: int, seconds: int) -> Iterator[SampleBatch]:
    """Give one batch a second: values of one decimal that move now and then, received a few milliseconds on."""
    random = np.random.default_rng(1)
    keys, quality = np.arange(points, dtype=np.int32), np.zeros(points, np.uint8)
    value = np.round(20 + 10 * random.random(points), 1)
    for second in range(seconds):
        value = np.round(value + (random.random(points) < 0.3) * random.normal(0, 0.1, points), 1)
        source_ns = DAY_NS + second * NS_PER_S + random.integers(0, 20, points) * NS_PER_MS
        yield SampleBatch(keys, source_ns, source_ns + random.integers(1, 6, points) * NS_PER_MS, value, quality)


def a_day(points: int, start_ns: int) -> SampleBatch:
    """Return the same kind of samples for a whole day at once, sorted by time."""
    random = np.random.default_rng(start_ns // NS_PER_DAY)
    seconds = 86_400
    steps = (random.random((seconds, points)) < 0.3) * random.normal(0, 0.1, (seconds, points))
    value = np.round(20 + 10 * random.random(points) + np.cumsum(steps, axis=0), 1).ravel()
    clock_ns = start_ns + np.repeat(np.arange(seconds, dtype=np.int64), points) * NS_PER_S
    source_ns = clock_ns + random.integers(0, 20, len(value)) * NS_PER_MS
    keys = np.tile(np.arange(points, dtype=np.int32), seconds)
    received_ns = source_ns + random.integers(1, 6, len(value)) * NS_PER_MS
    return SampleBatch(keys, source_ns, received_ns, value, np.zeros(len(value), np.uint8))


def tidied(history: DuckDbHistory, given: Iterable[SampleBatch], durations: list[float]) -> Iterator[SampleBatch]:
    """Give the batches, and tidy the history between them as often as a running system does."""
    for second, batch in enumerate(given):
        if second and second % TIDY_S == 0:
            began = time.perf_counter()
            history.tidy(DAY_NS + second * NS_PER_S)
            durations.append(time.perf_counter() - began)
        yield batch


def kept(history: DuckDbHistory | InfluxHistory, given: Iterator[SampleBatch]) -> list[float]:
    """Commit every batch by itself and return the seconds that each took."""
    durations = []
    for batch in given:
        began = time.perf_counter()
        history.append(batch)
        history.commit()
        durations.append(time.perf_counter() - began)
    return durations


def median_ms(ask: Callable[[int], object]) -> float:
    """Return the median duration of a question that is asked of one point after the other."""
    durations = []
    for point in range(ASKED):
        began = time.perf_counter()
        ask(point)
        durations.append(time.perf_counter() - began)
    return round(statistics.median(durations) * 1e3, 2)


def an_hour(folder: Path) -> dict[str, float]:
    """Write an hour of a campus; read one point's hour from the open and from the closed day."""
    history = DuckDbHistory(folder, telemetry=lambda: range(POINTS))
    sorting: list[float] = []
    durations = kept(history, tidied(history, batches(POINTS, HOUR_S), sorting))
    rows = POINTS * HOUR_S
    end_ns = DAY_NS + HOUR_S * NS_PER_S

    def hour(point: int) -> None:
        assert len(history.read(point * 501, DAY_NS, end_ns, 10**6)) == HOUR_S

    today_ms = median_ms(hour)
    began = time.perf_counter()
    history.tidy(DAY_NS + NS_PER_DAY + GRACE_NS)
    closing_s = time.perf_counter() - began
    closed_ms = median_ms(hour)
    history.tidy(DAY_NS + NS_PER_DAY + GRACE_NS)  # removes the files that the last call replaced
    history.close()
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    return {
        "rows_per_s": round(rows / sum(durations)),
        "commit_ms_p50": round(statistics.median(durations) * 1e3, 2),
        "commit_ms_p99": round(sorted(durations)[len(durations) * 99 // 100] * 1e3, 2),
        "bytes_per_row_closed": round(size / rows, 2),
        "sorting_rows_per_s": round(POINTS * TIDY_S * len(sorting) / sum(sorting)),
        "closing_rows_per_s": round(rows / closing_s),
        "hour_closed_ms": closed_ms,
        "hour_today_ms": today_ms,
    }


def a_month(folder: Path) -> dict[str, float]:
    """Gather thirty closed days of one point into a trend."""
    history = DuckDbHistory(folder, telemetry=lambda: range(MONTH_POINTS))
    for day in range(MONTH_DAYS):
        start_ns = DAY_NS + day * NS_PER_DAY
        history.append(a_day(MONTH_POINTS, start_ns))
        history.commit()
        history.tidy(start_ns + NS_PER_DAY + GRACE_NS)
    end_ns = DAY_NS + MONTH_DAYS * NS_PER_DAY

    def month(point: int) -> None:
        assert int(history.buckets(point % MONTH_POINTS, DAY_NS, end_ns, BUCKETS).count.sum()) == MONTH_DAYS * 86_400

    milliseconds = median_ms(month)
    history.close()
    return {"month_buckets_ms": milliseconds}


def over_http(folder: Path, seconds: int) -> dict[str, float]:
    """Write the same samples through both ways to one server, one after the other."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        binary("victoria-metrics"),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'metrics'}",
        "-retentionPeriod=100y",
    ]
    with running(command, port=port, log=folder / "victoria-metrics.log"):
        history = InfluxHistory(url, "", "watchkeeper", "watchkeeper")
        ours_s = sum(kept(history, batches(POINTS, seconds)))
        history.close()
        few = max(1, seconds // 10)
        client_s = by_client(url, batches(POINTS, few))
    ours, client = POINTS * seconds / ours_s, POINTS * few / client_s
    return {
        "influx_rows_per_s": round(ours),
        "influx_client_rows_per_s": round(client),
        "influx_ratio": round(ours / client, 1),
    }


def by_client(url: str, given: Iterator[SampleBatch]) -> float:
    """Return the seconds that influxdb-client's batching API takes, from its point objects to the last answer."""
    began = time.perf_counter()
    with InfluxDBClient(url, "none", org="watchkeeper") as client:
        options = WriteOptions(batch_size=POINTS, flush_interval=1_000)
        with client.write_api(write_options=options) as api:
            for batch in given:
                api.write(
                    "watchkeeper",
                    "watchkeeper",
                    [
                        Point("sample").tag("point", row.point).field("value", row.value)  # type: ignore[no-untyped-call]  # its own
                        .field("quality", int(row.quality)).time(row.source_time_ns)
                        for row in batch.rows()
                    ],
                )  # fmt: skip
    return time.perf_counter() - began


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--influx-seconds", type=int, default=200, help="seconds of data written over HTTP")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, float] = {"cores": os.cpu_count() or 1}
        found |= an_hour(folder / "hour")
        found |= a_month(folder / "month")
        found |= over_http(folder, arguments.influx_seconds)
    print(json.dumps(found) if arguments.json else "\n".join(f"{key:26} {value:,}" for key, value in found.items()))


if __name__ == "__main__":
    main()
