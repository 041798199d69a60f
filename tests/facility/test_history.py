from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from facility.errors import HistoryUnavailableError
from facility.history import influx_history
from facility.history.duckdb_history import DuckDbHistory
from facility.history.history import History
from facility.history.influx_history import InfluxHistory
from facility.history.line_protocol import lines_of
from facility.history.snapshot import read_days
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
    opened = DuckDbHistory(tmp_path / "history")
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
from facility.history import influx_history
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


@pytest.fixture
def influxdb(tmp_path: Path) -> Iterator[str]:
    """A real InfluxDB 1: it answers InfluxQL but has no ``/api/v2/write``, so tests bring its data themselves."""
    port = free_port()
    settings = f"""
reporting-enabled = false
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{tmp_path}/meta"
[data]
dir = "{tmp_path}/data"
wal-dir = "{tmp_path}/wal"
[http]
bind-address = "127.0.0.1:{port}"
[monitor]
store-enabled = false
"""
    (tmp_path / "influxdb.conf").write_text(settings)
    command = [binary("influxd"), "-config", str(tmp_path / "influxdb.conf")]
    with running(command, port=port, log=tmp_path / "influxd.log"):
        yield f"http://127.0.0.1:{port}"


def filled(url: str, *batches: SampleBatch) -> InfluxHistory:
    """A history on a server that holds these samples, written as this history writes them."""
    with urllib3.PoolManager() as http:
        assert http.request("POST", f"{url}/query", fields={"q": "CREATE DATABASE watchkeeper"}).status == 200
        for batch in batches:
            assert http.request("POST", f"{url}/write?db=watchkeeper", body=lines_of(batch)).status == 204
    return InfluxHistory(url, "", "watchkeeper", "watchkeeper")


LOST = SampleBatch.of([Sample(1, NOON_NS + 60 * S, NOON_NS, math.nan, Quality.BAD_COMMUNICATION)])


def test_a_real_influxdb_answers_a_trend_oldest_first(influxdb: str) -> None:
    history = filled(influxdb, readings(1, range(10)), readings(2, range(5)), LOST)
    trend = history.read(1, NOON_NS + 2 * S, NOON_NS + 8 * S, limit=3)
    assert trend.value.tolist() == [5.0, 6.0, 7.0]
    assert trend.source_time_ns.tolist() == readings(1, range(5, 8)).source_time_ns.tolist()
    (lost,) = history.read(1, NOON_NS + 60 * S, NOON_NS + 61 * S, 10).rows()
    assert math.isnan(lost.value)
    assert lost.quality is Quality.BAD_COMMUNICATION
    assert len(history.read(7, 0, NOON_NS, 10)) == 0
    history.close()


def test_a_real_influxdb_and_the_disk_gather_the_same_buckets(influxdb: str, history: History) -> None:
    batches = [readings(1, range(50)), readings(1, range(50, 55), Quality.UNCERTAIN_STALE), LOST]
    remote = filled(influxdb, *batches)
    for batch in batches:
        history.append(batch)
    history.commit()
    start_ns, end_ns = NOON_NS + 3 * S, NOON_NS + 70 * S
    here, there = (each.buckets(1, start_ns, end_ns, 9) for each in (history, remote))
    for column in ("start_ns", "minimum", "maximum", "mean", "last", "good", "count"):
        assert getattr(there, column).tolist() == pytest.approx(getattr(here, column).tolist(), nan_ok=True), column
    assert int(here.count.sum()) == 53
    remote.close()


def test_a_real_influxdb_knows_the_latest_of_every_point(influxdb: str) -> None:
    history = filled(influxdb, readings(1, range(10)), readings(12, range(5)), LOST)
    latest = history.latest(NOON_NS)
    assert latest.point.tolist() == [1, 12]
    assert latest.source_time_ns.tolist() == [NOON_NS + 60 * S, NOON_NS + 4 * S]
    assert latest.quality.tolist() == [Quality.BAD_COMMUNICATION, Quality.GOOD]
    assert history.latest(NOON_NS + 3600 * S).rows() == []
    history.close()


def test_a_real_influxdb_gives_the_samples_of_some_points_in_the_order_of_arrival(
    influxdb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_history, "_PAGE_ROWS", 4)
    monkeypatch.setattr(influx_history, "_PAGE_POINTS", 2)
    history = filled(influxdb, *(readings(point, range(11)) for point in (3, 1, 2, 12)), LOST)
    samples = history.samples([12, 1, 3, 99], NOON_NS + S, NOON_NS + 10 * S)
    assert samples.point.tolist() == [1, 3, 12] * 9
    assert samples.source_time_ns.tolist() == [NOON_NS + second * S for second in range(1, 10) for _ in range(3)]
    assert samples.value.tolist() == [float(second) for second in range(1, 10) for _ in range(3)]
    assert len(history.samples([], 0, 2 * NOON_NS)) == 0
    history.close()


def test_a_snapshot_of_a_real_influxdb_reads_like_one_of_the_disk(
    influxdb: str, history: History, tmp_path: Path
) -> None:
    day_s = 86_400
    batches = [
        readings(1, range(3)),
        readings(2, range(day_s - 2, day_s + 2)),
        readings(1, range(2 * day_s, 2 * day_s + 2)),
    ]
    remote = filled(influxdb, *batches, LOST)
    for batch in (*batches, LOST):
        history.append(batch)
    history.commit()
    end_ns = NOON_NS + 2 * day_s * S + S
    found = []
    for name, each in (("here", history), ("there", remote)):
        (tmp_path / name).mkdir()
        files = each.snapshot([1, 2], 0, end_ns, tmp_path / name)
        found.append(SampleBatch.concatenate(read_days(files, [1, 2], 0, end_ns, by="point")))
    for column in ("point", "source_time_ns", "value", "quality"):
        here, there = (getattr(each, column).tolist() for each in found)
        assert there == pytest.approx(here, nan_ok=True), column
    assert len(found[0]) == 3 + 4 + 1 + 1
    assert remote.snapshot([1, 2], 0, NOON_NS, tmp_path) == []
    remote.close()


def test_a_server_that_refuses_a_question_is_quoted(influxdb: str) -> None:
    history = InfluxHistory(influxdb, "", "watchkeeper", "nowhere")
    with pytest.raises(HistoryUnavailableError, match="database not found"):
        history.read(1, 0, NOON_NS, 10)
    history.close()
