"""How long a back-test takes, and whether alarms notice.

``uv run --group bench python -m benchmarks.backtest --json`` lays down 30 days of 1,000 points at one sample in 10 s
(259 million samples, through the history's own closing of days; not counted), then lets an engine with a database take
1,000 samples and 20 alarms a second: first alone, then beside the back-test of 1,000 threshold rules over all of it,
which runs as it does in the server. Times of the live path are from the inbox to the committed alarm. Needs some
1.5 GB in ``--folder`` and removes them.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from app.backtest.jobs import UNFINISHED, Jobs
from app.backtest.work import planned
from app.engine import Commit, EngineThread
from app.history_thread import HistoryThread
from app.process import SWITCH_INTERVAL_S
from dashboards.backtest_schemas import BacktestResult
from facility.clock import NS_PER_MS, NS_PER_S, SystemClock
from facility.conditions import LimitDefinition, LimitSide, Threshold
from facility.history.days import GRACE_NS, NS_PER_DAY
from facility.history.duckdb_history import DuckDbHistory
from facility.latest import LatestValues
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from facility.storage.database import metadata, open_database
from gateway.events import Delivery
from gateway.inbox import Inbox
from rules.backtest import Period, RuleSet
from rules.engine import RuleEngine
from tests.facilities import BEARING_HIGH, PUMP, small_facility

START_NS: Final = 20_000 * NS_PER_DAY
PERIOD_S: Final = 10
TICK_S: Final = 0.05
"""Between two deliveries of the live path."""
PER_TICK: Final = 50
"""Samples of each: 1,000 a second."""
STANDS_TICKS: Final = 10
"""For how long an alarm stands; one begins and one ends with every delivery."""
QUIET_S: Final = 30.0
HOT, COOL = 99.0, 50.0
LIMIT, DEADBAND = 62.0, 2.0


def plant(points: int) -> Facility:
    """Return so many pumps, each with one temperature and one limit on it."""
    small = small_facility()
    asset, rule = small.assets[PUMP], small.rules[BEARING_HIGH]
    limit = Threshold(type="threshold", limits={LimitSide.HIGH: LimitDefinition(value=LIMIT)}, deadband=DEADBAND)
    definition = rule.definition.model_copy(update={"condition": limit, "acknowledge": False, "order": None})
    pump = asset.equipment_class.model_copy(update={"maintenance": {}})
    point = small.points[rule.point_key]
    names = {key: f"pump-{key}" for key in range(1, points + 1)}
    return replace(
        small,
        assets={name: replace(asset, id=name, equipment_class=pump) for name in names.values()},
        points={key: replace(point, key=key, asset_id=name) for key, name in names.items()},
        rules={
            key: replace(rule, id=key, asset_id=name, point_key=key, definition=definition)
            for key, name in names.items()
        },
    )


def a_day(points: int, day: int) -> SampleBatch:
    """Return a day's samples by point: a slow wave with noise, that passes the limit now and then."""
    random = np.random.default_rng(day)
    count = 86_400 // PERIOD_S
    wave = 50 + 8 * np.sin(2 * np.pi * np.arange(count) / count)
    value = np.round(wave + random.normal(0, 1.5, (points, count)).astype(np.float32), 1).astype(np.float64).ravel()
    key = np.repeat(np.arange(1, points + 1, dtype=np.int32), count)
    at_ns = START_NS + day * NS_PER_DAY + np.arange(count, dtype=np.int64) * PERIOD_S * NS_PER_S
    source_ns = np.tile(at_ns, points) + (key.astype(np.int64) % PERIOD_S) * NS_PER_S
    received_ns = source_ns + random.integers(1, 6, len(key)) * NS_PER_MS
    return SampleBatch(key, source_ns, received_ns, value, np.zeros(len(key), np.uint8))


def lay_down(history: DuckDbHistory, points: int, days: int) -> None:
    """Fill the history and close its days."""
    for day in range(days):
        history.append(a_day(points, day))
        history.commit()
        history.tidy(START_NS + (day + 1) * NS_PER_DAY + GRACE_NS)


@dataclass
class LivePath:
    """An engine that takes samples at a fixed rate, and how long its alarms took."""

    facility: Facility
    inbox: Inbox
    latencies_ms: list[float] = field(default_factory=list)
    _sent_s: dict[tuple[int, bool], float] = field(default_factory=dict)
    """Rule, and whether it was to be raised, to when its sample was handed over."""
    _hot: dict[int, int] = field(default_factory=dict)
    """Point to the tick since which its alarm stands."""
    _stopping: threading.Event = field(default_factory=threading.Event)

    def on_commit(self, commit: Commit) -> None:
        """Note how long the alarms of a commit took."""
        now_s = time.perf_counter()
        for alarm in commit.alarms:
            sent_s = self._sent_s.pop((alarm.rule_id, alarm.active), None)
            if sent_s is not None:
                self.latencies_ms.append((now_s - sent_s) * 1e3)

    def run(self) -> None:
        """Hand over deliveries at their times until stopped."""
        points = list(self.facility.points)
        began_s, tick = time.perf_counter(), 0
        while not self._stopping.wait(max(0.0, began_s + tick * TICK_S - time.perf_counter())):
            self.inbox.put(Delivery(connection_id="wire", batch=self._batch(points, tick)))
            tick += 1

    def _batch(self, points: list[int], tick: int) -> SampleBatch:
        now_ns = SystemClock().now_ns()
        first = tick * PER_TICK % len(points)
        values = dict.fromkeys(points[first : first + PER_TICK], COOL)
        for key in [key for key, since in self._hot.items() if tick - since >= STANDS_TICKS]:
            del self._hot[key]
            values[key] = COOL
            self._sent_s[key, False] = time.perf_counter()
        values |= dict.fromkeys(self._hot.keys() & values.keys(), HOT)
        chosen = points[(tick * 7 + 500) % len(points)]
        if chosen not in self._hot and (chosen, False) not in self._sent_s:
            self._hot[chosen] = tick
            values[chosen] = HOT
            self._sent_s[chosen, True] = time.perf_counter()
        return SampleBatch.of([Sample(key, now_ns, now_ns, value, Quality.GOOD) for key, value in values.items()])

    def stop(self) -> None:
        """Hand over no more."""
        self._stopping.set()

    def take_latencies(self) -> list[float]:
        """Return what was noted since the last time."""
        taken, self.latencies_ms = self.latencies_ms, []
        return taken


@contextmanager
def running_live(folder: Path, facility: Facility, history: DuckDbHistory) -> Iterator[LivePath]:
    """Let samples flow through engine, database and history until the block ends."""
    database = open_database(f"sqlite:///{folder / 'live.db'}")
    metadata.create_all(database)
    live = LivePath(facility, Inbox())
    engine = EngineThread(
        database=database,
        facility=facility,
        rules=RuleEngine(facility, now_ns=SystemClock().now_ns()),
        inbox=live.inbox,
        history=HistoryThread(history),
        latest=LatestValues(max(facility.points)),
        clock=SystemClock(),
        on_commit=live.on_commit,
    )
    sender = threading.Thread(target=live.run, name="wire")
    gc.collect()
    gc.freeze()  # as the server does once it has started
    engine.start()
    sender.start()
    try:
        yield live
    finally:
        live.stop()
        sender.join()
        engine.stop()
        database.dispose()
        gc.unfreeze()


def tested(jobs: Jobs, facility: Facility, days: int) -> BacktestResult:
    """Run the back-test as the server does, and wait for it."""
    period = Period(start_ns=START_NS, end_ns=START_NS + days * NS_PER_DAY)
    work = planned(RuleSet(facility), None, tested=facility.rules.keys(), period=period)
    job = jobs.submit(work, author="benchmark")
    while job.state in UNFINISHED:
        time.sleep(TICK_S)
    if job.result is None:
        raise SystemExit(f"The back-test ended as {job.state}: {job.error}")
    return job.result


def measure(folder: Path, *, points: int, days: int) -> dict[str, float]:
    """Return the figures."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as the server does
    facility = plant(points)
    history = DuckDbHistory(folder / "history", telemetry=lambda: range(points + 1))
    began_s = time.perf_counter()
    lay_down(history, points, days)
    laid_s = time.perf_counter() - began_s
    jobs = Jobs(history, folder / "back-tests", SystemClock())
    jobs.start()
    try:
        with running_live(folder, facility, history) as live:
            time.sleep(2.0)
            live.take_latencies()
            time.sleep(QUIET_S)
            quiet = live.take_latencies()
            began_s = time.perf_counter()
            result = tested(jobs, facility, days)
            seconds = time.perf_counter() - began_s
            busy = live.take_latencies()
    finally:
        jobs.stop()
        history.close()
    return {
        "samples": result.samples,
        "seconds": round(seconds, 2),
        "samples_per_s": round(result.samples / seconds),
        "alarms": result.live.alarms,
        "live_p50_ms_quiet": round(statistics.median(quiet), 2),
        "live_p99_ms_quiet": round(p99(quiet), 2),
        "live_p50_ms_busy": round(statistics.median(busy), 2),
        "live_p99_ms_busy": round(p99(busy), 2),
        "live_alarms_quiet": len(quiet),
        "live_alarms_busy": len(busy),
        "laid_down_s": round(laid_s, 1),
    }


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(values)[len(values) * 99 // 100]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--points", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="where the history is made; a temporary folder by default")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        result = measure(Path(folder), points=wanted.points, days=wanted.days)
    print(json.dumps(result) if wanted.json else "\n".join(f"{name}: {value:,}" for name, value in result.items()))


if __name__ == "__main__":
    main()
