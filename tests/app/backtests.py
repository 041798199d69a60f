"""A pump whose history is known, for tests of back-tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from app.backtest.jobs import UNFINISHED, Job, Jobs
from facility.clock import NS_PER_S, VirtualClock
from facility.history.days import GRACE_NS, NS_PER_DAY
from facility.history.duckdb_history import DuckDbHistory
from facility.history.history import History
from facility.samples import SampleBatch
from tests.facilities import small_facility

FACILITY = small_facility()
BEARING = next(key for key, point in FACILITY.points.items() if point.name == "bearing_temperature")
START_NS = 20_000 * NS_PER_DAY
DAYS = 3
END_NS = START_NS + DAYS * NS_PER_DAY
PERIOD_S = 10


def warm_days(days: int = DAYS, *, step_s: int = PERIOD_S) -> SampleBatch:
    """The bearing runs at 70 °C, and every noon for an hour at 85 °C."""
    second = np.arange(0, days * 86_400, step_s, dtype=np.int64)
    hour = second % 86_400 // 3_600
    value = np.where(hour == 12, 85.0, 70.0)
    source_ns = START_NS + second * NS_PER_S
    key = np.full(len(second), BEARING, np.int32)
    return SampleBatch(key, source_ns, source_ns + 5_000_000, value, np.zeros(len(second), np.uint8))


def written(folder: Path, samples: SampleBatch | None = None) -> DuckDbHistory:
    """A history of those days, the last of which is still open."""
    history = DuckDbHistory(folder, telemetry=lambda: {BEARING})
    history.append(warm_days() if samples is None else samples)
    history.commit()
    history.tidy(END_NS - NS_PER_DAY + GRACE_NS)
    return history


@contextmanager
def running_jobs(history: History, folder: Path) -> Iterator[Jobs]:
    jobs = Jobs(history, folder, VirtualClock(END_NS))
    jobs.start()
    try:
        yield jobs
    finally:
        jobs.stop()


def over(jobs: Jobs, job: Job) -> Job:
    """Return a job when it is over."""
    reached(lambda: job.state not in UNFINISHED, why=lambda: f"{jobs.job(job.id)}")
    return job


PATIENCE_S = 300.0
"""How long to wait for a process of the lowest priority; the machine may be busy."""


def reached(holds: Callable[[], bool], *, why: Callable[[], str] = str) -> None:
    """Wait until another process or thread has come so far."""
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, why()
        pause.wait(0.02)
