"""Snapshots of a history hold one instant, whatever becomes of the days while they are read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from facility.clock import NS_PER_MS, NS_PER_S
from facility.errors import HistoryUnavailableError
from facility.history import snapshot, sorting
from facility.history.days import GRACE_NS, NS_PER_DAY, Retention, day_of
from facility.history.snapshot import read_days
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from tests.facility.test_history_days import DAY, MIDNIGHT_NS, after, at, keep, opened

Order = Literal["point", "arrival"]
ORDERS: Final[dict[Order, Callable[[Sample], Any]]] = {
    "point": lambda each: (day_of(each.source_time_ns), each.point, each.source_time_ns),
    "arrival": lambda each: (day_of(each.source_time_ns), each.gateway_time_ns, each.point),
}
END_NS: Final = MIDNIGHT_NS + 9 * NS_PER_DAY


def read(files: Iterable[Path], points: Iterable[int], start_ns: int, end_ns: int, by: Order) -> list[Sample]:
    batches = list(read_days(list(files), list(points), start_ns, end_ns, by=by))
    assert all(len(batch) for batch in batches)
    return SampleBatch.concatenate(batches).rows()


class Taken(NamedTuple):
    """A snapshot, and what it must hold."""

    files: list[Path]
    points: frozenset[int]
    start_ns: int
    end_ns: int
    expected: list[Sample]


class SnapshotsOfAModel(RuleBasedStateMachine):
    """Any order of keeping, closing, forgetting, starting anew: a snapshot is as a plain list was when it was taken."""

    folder: Callable[[], Path]

    @initialize()
    def begin(self) -> None:
        self.path = type(self).folder()
        self.retention = Retention(telemetry_days=2, states_days=3)
        self.history = opened(self.path / "history", self.retention)
        self.kept: list[Sample] = []
        self.today = 0
        self.taken: list[Taken] = []

    @rule(
        samples=st.lists(
            st.tuples(
                st.integers(-2, 1),
                st.integers(0, 86_399),
                st.sampled_from([1, 2, 3]),
                st.integers(-50, 50),
                st.integers(-5_000, 5_000),
            ),
            max_size=20,
        )
    )
    def keep(self, samples: list[tuple[int, int, int, int, int]]) -> None:
        for day, second, point, value, delay_ms in samples:
            sample = at(day + self.today, second, point, value)
            self.kept.append(sample._replace(gateway_time_ns=sample.source_time_ns + delay_ms * NS_PER_MS))
        keep(self.history, *self.kept[len(self.kept) - len(samples) :])

    @rule(days=st.integers(0, 2))
    def close_and_forget_days(self, days: int) -> None:
        self.today += days
        now_ns = MIDNIGHT_NS + self.today * NS_PER_DAY + 2 * GRACE_NS
        late = {sample for sample in self.kept if self.forgotten(sample, now_ns)}
        self.history.tidy(now_ns)
        self.kept = [sample for sample in self.kept if sample not in late]

    def forgotten(self, sample: Sample, now_ns: int) -> bool:
        days = self.retention.telemetry_days if sample.point < 3 else self.retention.states_days
        return day_of(sample.source_time_ns) < day_of(now_ns) - days

    @rule()
    def start_anew(self) -> None:
        self.history.close()
        self.history = opened(self.path / "history", self.retention)

    @rule(
        points=st.frozensets(st.sampled_from([1, 2, 3, 4])),
        first_s=st.integers(-3 * 86_400, 86_400),
        seconds=st.integers(1, 4 * 86_400),
    )
    def take_a_snapshot(self, points: frozenset[int], first_s: int, seconds: int) -> None:
        start_ns = MIDNIGHT_NS + self.today * NS_PER_DAY + first_s * NS_PER_S
        end_ns = start_ns + seconds * NS_PER_S
        expected = [each for each in self.kept if each.point in points and start_ns <= each.source_time_ns < end_ns]
        samples = self.history.samples(points, start_ns, end_ns).rows()
        assert sorted(samples) == sorted(expected)
        arrivals = [(each.gateway_time_ns, each.point) for each in samples]
        assert arrivals == sorted(arrivals)
        folder = self.path / f"snapshot-{len(self.taken)}"
        folder.mkdir()
        files = self.history.snapshot(points, start_ns, end_ns, folder)
        assert sorted(files) == sorted(folder.iterdir())
        self.taken.append(Taken(files, points, start_ns, end_ns, expected))

    @rule(by=st.sampled_from(["point", "arrival"]))
    def read_every_snapshot(self, by: Order) -> None:
        for taken in self.taken:
            samples = read(taken.files, taken.points, taken.start_ns, taken.end_ns, by)
            assert sorted(samples) == sorted(taken.expected)
            places = [ORDERS[by](each) for each in samples]
            assert places == sorted(places)

    def teardown(self) -> None:
        if hasattr(self, "history"):
            self.read_every_snapshot("point")
            self.history.close()


def test_a_snapshot_stays_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "SORT_FROM", 10)
    monkeypatch.setattr(sorting, "FILE_ROWS", 8)
    SnapshotsOfAModel.folder = staticmethod(lambda: tmp_path_factory.mktemp("history"))
    run_state_machine_as_test(
        SnapshotsOfAModel, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(snapshot, "ROWS", 100)
    return 100


@pytest.mark.parametrize("by", ["point", "arrival"])
def test_a_snapshot_comes_in_batches_of_bounded_size(tmp_path: Path, small_batches: int, by: Order) -> None:
    history = opened(tmp_path / "history")
    samples = [at(day, second, point) for day in (0, 1) for point in (1, 2) for second in range(30 + 220 * (point - 1))]
    keep(history, *samples)
    history.tidy(after(0))
    files = history.snapshot([1, 2], MIDNIGHT_NS, END_NS, tmp_path)
    history.close()
    batches = list(read_days(files, [1, 2], MIDNIGHT_NS, END_NS, by=by, threads=2))
    assert all(0 < len(batch) <= small_batches for batch in batches)
    assert sum(len(batch) for batch in batches) == len(samples)
    assert SampleBatch.concatenate(batches).rows() == sorted(samples, key=ORDERS[by])


def test_a_day_may_be_closed_again_and_forgotten_while_its_snapshot_is_read(tmp_path: Path) -> None:
    history = opened(tmp_path / "history", Retention(telemetry_days=3, states_days=3))
    samples = [at(day, second, point) for day in (0, 1, 2) for point in (1, 2) for second in range(50)]
    keep(history, *samples)
    history.tidy(after(1))
    files = history.snapshot([1, 2], MIDNIGHT_NS, END_NS, tmp_path)
    seen = []
    for batch in read_days(files, [1, 2], MIDNIGHT_NS, END_NS, by="point"):
        seen += batch.rows()
        keep(history, at(1, 3), at(2, 3))
        history.tidy(after(8))
        history.tidy(after(8))  # removes the files of forgotten days, and those that were replaced
    assert seen == samples
    assert len(history.read(1, 0, END_NS, 1_000)) == 0
    history.close()


def test_every_snapshot_is_of_one_instant_while_days_are_written_closed_and_read(tmp_path: Path) -> None:
    """A commit puts one sample into each of three days, so that a snapshot which holds one of them holds all."""
    history = opened(tmp_path / "history")
    done = threading.Event()

    def write() -> None:
        for second in range(300):
            keep(history, at(0, second), at(1, second), at(2, second))
        done.set()

    def close() -> None:
        while not done.is_set():
            history.tidy(after(2))

    def look() -> list[int]:
        lengths: list[int] = []
        while not done.is_set():
            folder = tmp_path / f"snapshot-{len(lengths)}"
            folder.mkdir()
            files = history.snapshot([1], MIDNIGHT_NS, END_NS, folder)
            samples = read(files, [1], MIDNIGHT_NS, END_NS, "point")
            per_day = [
                [s.source_time_ns % NS_PER_DAY for s in samples if day_of(s.source_time_ns) == DAY + d]
                for d in range(3)
            ]
            assert per_day[0] == per_day[1] == per_day[2] == [second * NS_PER_S for second in range(len(per_day[0]))]
            lengths.append(len(per_day[0]))
        return lengths

    with ThreadPoolExecutor() as pool:
        writer, closer, watcher = pool.submit(write), pool.submit(close), pool.submit(look)
        writer.result()
        closer.result()
        lengths = watcher.result()
    assert lengths == sorted(lengths)
    history.close()


def test_a_snapshot_without_points_or_samples_is_empty(tmp_path: Path) -> None:
    history = opened(tmp_path / "history")
    keep(history, at(0, 1))
    assert len(history.samples([], 0, END_NS)) == 0
    assert len(history.samples([7], 0, END_NS)) == 0
    assert history.snapshot([1], MIDNIGHT_NS + NS_PER_DAY, END_NS, tmp_path) == []
    files = history.snapshot([], 0, END_NS, tmp_path)
    history.close()
    assert read(files, [1], 0, END_NS, "point") == []
    assert read(files, [], 0, END_NS, "arrival") == []


def test_a_missing_file_of_a_snapshot_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryUnavailableError, match=r"2026-05-27\.telemetry"):
        read([tmp_path / "2026-05-27.telemetry.1.parquet"], [1], MIDNIGHT_NS, END_NS, "point")


def test_a_sample_without_a_value_and_quotes_in_the_folder_survive_a_snapshot(tmp_path: Path) -> None:
    odd = tmp_path / "the janitor's"
    odd.mkdir()
    history = opened(odd / "history")
    samples = [at(0, 1, value=np.nan, quality=Quality.BAD_COMMUNICATION), at(0, 2), at(1, 1, value=np.nan)]
    keep(history, *samples)
    history.tidy(after(0))
    files = history.snapshot([1], MIDNIGHT_NS, END_NS, odd)
    history.close()
    assert repr(read(files, [1], MIDNIGHT_NS, END_NS, "point")) == repr(samples)
