from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from facility.errors import HistoryUnavailableError
from facility.history.duckdb_history import DuckDbHistory
from facility.history.history import History
from facility.history.influx_history import InfluxHistory
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from tests.servers import binary, free_port, running

S = 1_000_000_000
NOON_NS = 1_790_000_000 * S


def readings(point: int, seconds: range, quality: Quality = Quality.GOOD) -> SampleBatch:
    """One reading a second; its value is the second."""
    return SampleBatch.of([Sample(point, NOON_NS + s * S, NOON_NS + s * S + 5, float(s), quality) for s in seconds])


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = DuckDbHistory(tmp_path / "history.duckdb")
    yield opened
    opened.close()


def test_a_trend_shows_the_newest_readings_of_its_point_oldest_first(history: History) -> None:
    history.append(readings(1, range(10)))
    history.append(readings(2, range(100, 110)))
    history.commit()

    trend = history.read(1, NOON_NS + 2 * S, NOON_NS + 8 * S, limit=3)

    assert trend.rows() == readings(1, range(5, 8)).rows()


def test_a_reading_without_a_value_comes_back_as_not_a_number_with_its_quality(history: History) -> None:
    history.append(SampleBatch.of([Sample(1, NOON_NS, NOON_NS, math.nan, Quality.BAD_COMMUNICATION)]))
    history.commit()

    (sample,) = history.read(1, 0, NOON_NS + 1, 10).rows()

    assert math.isnan(sample.value)
    assert sample.quality is Quality.BAD_COMMUNICATION


def test_a_point_that_never_reported_has_an_empty_trend(history: History) -> None:
    assert len(history.read(7, 0, NOON_NS, 10)) == 0


def test_readings_wait_for_the_commit(history: History) -> None:
    history.append(readings(1, range(3)))
    assert len(history.read(1, 0, NOON_NS + 9 * S, 10)) == 0
    history.commit()
    assert len(history.read(1, 0, NOON_NS + 9 * S, 10)) == 3


def test_trends_can_be_read_from_many_threads_while_readings_arrive(history: History) -> None:
    lengths: list[list[int]] = [[] for _ in range(4)]
    done = threading.Event()

    def watch(seen: list[int]) -> None:
        while not done.is_set():
            seen.append(len(history.read(1, 0, NOON_NS + 10_000 * S, 100_000)))

    watchers = [threading.Thread(target=watch, args=(seen,)) for seen in lengths]
    for watcher in watchers:
        watcher.start()
    for minute in range(20):
        history.append(readings(1, range(60 * minute, 60 * minute + 60)))
        history.commit()
    done.set()
    for watcher in watchers:
        watcher.join(10)

    for seen in lengths:
        assert seen == sorted(seen)
        assert all(length % 60 == 0 for length in seen)  # a commit is seen whole or not at all


WRITER = """
import sys
from pathlib import Path
from facility.history.duckdb_history import DuckDbHistory
from tests.facility.test_history import readings
history = DuckDbHistory(Path(sys.argv[1]))
for minute in range(10_000):
    history.append(readings(1, range(60 * minute, 60 * minute + 60)))
    history.commit()
    print(minute, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603
        assert writer.stdout is not None
        for _ in range(8):
            committed = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)

    survivor = DuckDbHistory(path)
    kept = survivor.read(1, 0, NOON_NS + 10**6 * S, 10**6)
    survivor.close()
    assert len(kept) >= 60 * (committed + 1)
    assert len(kept) % 60 == 0


def test_a_file_that_is_no_history_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    path.write_text("a shopping list, long enough to be looked at as a header of something" * 100)
    with pytest.raises(HistoryUnavailableError, match=r"history\.duckdb"):
        DuckDbHistory(path)


@pytest.fixture
def victoria_metrics(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [
        binary("victoria-metrics"),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={tmp_path / 'metrics'}",
        "-retentionPeriod=100y",
    ]
    with running(command, port=port, log=tmp_path / "victoria-metrics.log"):
        yield f"http://127.0.0.1:{port}"


def test_a_real_server_takes_the_lines_that_influx_history_writes(victoria_metrics: str) -> None:
    history = InfluxHistory(victoria_metrics, "", "watchkeeper", "watchkeeper")
    history.append(readings(1, range(5)))
    history.append(SampleBatch.of([Sample(1, NOON_NS + 60 * S, NOON_NS, math.nan, Quality.BAD_COMMUNICATION)]))
    history.commit()
    history.close()

    with urllib3.PoolManager() as http:
        deadline = time.monotonic() + 20
        lines: list[str] = []
        while time.monotonic() < deadline and len(lines) < 2:
            http.request("GET", f"{victoria_metrics}/internal/force_flush")
            answer = http.request("GET", f'{victoria_metrics}/api/v1/export?match[]={{point="1"}}')
            lines = answer.data.decode().splitlines()
    exported = "\n".join(sorted(lines))
    assert '"__name__":"sample_quality"' in exported
    assert '"values":[0,1,2,3,4]' in exported
    assert f"{int(Quality.BAD_COMMUNICATION)}]" in exported


def test_what_a_silent_server_did_not_take_waits_for_the_next_commit(tmp_path: Path) -> None:
    port = free_port()
    history = InfluxHistory(f"http://127.0.0.1:{port}", "", "watchkeeper", "watchkeeper")
    history.append(readings(1, range(5)))
    with pytest.raises(HistoryUnavailableError, match=str(port)):
        history.commit()
    with pytest.raises(HistoryUnavailableError, match=str(port)):
        history.read(1, 0, NOON_NS, 10)

    command = [binary("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={tmp_path / 'm'}"]
    with running(command, port=port, log=tmp_path / "victoria-metrics.log"):
        history.commit()
        history.close()


ANSWER = b"""{"results": [{"statement_id": 0, "series": [{"name": "sample", "columns": ["time", "value", "quality"],
"values": [[1790000001000000000, null, 128], [1790000000000000000, 21.5, 0]]}]}]}"""


class InfluxQl(BaseHTTPRequestHandler):
    """Answers every query as InfluxDB's documentation shows it for ``epoch=ns``."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(parse_qs(urlsplit(self.path).query)["q"][0])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_arguments: object) -> None:
        """Keep the test's output quiet."""


def test_a_trend_is_asked_in_influxql_and_comes_back_oldest_first() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), InfluxQl) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        history = InfluxHistory(f"http://127.0.0.1:{server.server_port}", "secret", "watchkeeper", "watchkeeper")
        trend = history.read(3, NOON_NS, NOON_NS + 9 * S, 100)
        history.close()
        server.shutdown()
        thread.join()

    expected = (
        "SELECT value, quality FROM sample WHERE point = '3' AND time >= 1790000000000000000 "
        "AND time < 1790000009000000000 ORDER BY time DESC LIMIT 100"
    )
    assert InfluxQl.asked == [expected]
    assert trend.source_time_ns.tolist() == [NOON_NS, NOON_NS + S]
    assert trend.value.tolist()[0] == 21.5
    assert math.isnan(trend.value.tolist()[1])
    assert trend.quality.tolist() == [Quality.GOOD, Quality.BAD_COMMUNICATION]
