"""Days of the history on disk: closed, closed again for late samples, forgotten; nothing is lost on the way."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from facility.clock import NS_PER_MS, NS_PER_S
from facility.history import sorting
from facility.history.day_store import DATABASE
from facility.history.days import (
    EVERYWHERE,
    GRACE_NS,
    NS_PER_DAY,
    DayFile,
    Extent,
    Kept,
    Retention,
    day_file,
    overlapping,
    parted,
)
from facility.history.duckdb_history import DuckDbHistory
from facility.quality import BAD_FROM, UNCERTAIN_FROM, Quality
from facility.samples import Sample, SampleBatch

DAY = 20_600
MIDNIGHT_NS = DAY * NS_PER_DAY
TELEMETRY = (1, 2)
"""Points that measure quantities; 3 is a state."""


def opened(folder: Path, retention: Retention | None = None) -> DuckDbHistory:
    return DuckDbHistory(folder, telemetry=lambda: TELEMETRY, retention=retention)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[DuckDbHistory]:
    history = opened(tmp_path)
    yield history
    history.close()


def at(day: int, second: float, point: int = 1, value: float = 1.0, quality: Quality = Quality.GOOD) -> Sample:
    source_ns = (DAY + day) * NS_PER_DAY + round(second * NS_PER_S)
    return Sample(point, source_ns, source_ns + 3 * NS_PER_MS, value, quality)


def keep(history: DuckDbHistory, *samples: Sample) -> None:
    history.append(SampleBatch.of(samples))
    history.commit()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.parquet*"))


def after(day: int) -> int:
    """The first instant at which a day may be closed."""
    return MIDNIGHT_NS + (day + 1) * NS_PER_DAY + GRACE_NS


def test_a_day_that_is_over_moves_into_files_and_reads_as_before(history: DuckDbHistory, tmp_path: Path) -> None:
    samples = [at(0, 10), at(0, 20, value=math.nan, quality=Quality.BAD_COMMUNICATION), at(0, 30, point=3), at(1, 5)]
    keep(history, *samples)
    history.tidy(after(0) - 1)
    assert files(tmp_path) == []
    history.tidy(after(0))
    assert files(tmp_path) == ["2026-05-27.states.1.parquet", "2026-05-27.telemetry.1.parquet"]
    trend = history.read(1, 0, after(9), 100).rows()
    assert repr(trend) == repr([samples[0], samples[1], samples[3]])
    assert history.read(3, 0, after(9), 100).rows() == [samples[2]]


def test_samples_that_come_late_join_their_closed_day(history: DuckDbHistory, tmp_path: Path) -> None:
    keep(history, at(0, 10), at(0, 30))
    history.tidy(after(0))
    keep(history, at(0, 20, value=2.0))
    assert [sample.value for sample in history.read(1, 0, after(9), 100).rows()] == [1.0, 2.0, 1.0]
    history.tidy(after(0))
    assert [sample.value for sample in history.read(1, 0, after(9), 100).rows()] == [1.0, 2.0, 1.0]
    history.tidy(after(0))
    assert files(tmp_path) == ["2026-05-27.telemetry.3.parquet"]  # those it replaced are gone a call later


def test_quantities_are_forgotten_before_states(tmp_path: Path) -> None:
    history = opened(tmp_path, Retention(telemetry_days=2, states_days=4))
    for day in range(6):
        keep(history, at(day, 10), at(day, 10, point=3))
    history.tidy(after(5))
    assert [sample.source_time_ns for sample in history.read(1, 0, after(9), 100).rows()] == [
        at(day, 10).source_time_ns for day in (4, 5)
    ]
    assert len(history.read(3, 0, after(9), 100)) == 4
    history.tidy(after(5))
    assert len(files(tmp_path)) == 2 + 4
    history.close()


def test_what_a_crash_left_behind_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    history = opened(tmp_path)
    keep(history, at(0, 10))
    (tmp_path / DayFile(DAY, Kept.TELEMETRY, 7).name).write_bytes(b"half a file")
    (tmp_path / f"{DayFile(DAY, Kept.STATES, 1).name}.part").write_bytes(b"half a file")
    (tmp_path / "notes.parquet").write_bytes(b"somebody's own")
    history.tidy(after(-1))
    assert files(tmp_path) == []
    assert len(history.read(1, 0, after(9), 100)) == 1
    history.close()


CLOSER = """
import sys
from pathlib import Path
from facility.history import sorting
from tests.facility.test_history_days import after, opened
history = opened(Path(sys.argv[1]))
sorting.FILE_ROWS = 7_000
print("opened", flush=True)
history.tidy(after(int(sys.argv[2])))
print("closed", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("patience_s", [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 5.0])
def test_a_kill_while_days_are_sorted_and_merged_loses_nothing_and_doubles_nothing(
    tmp_path: Path, patience_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "SORT_FROM", 10_000)
    history = opened(tmp_path)
    for part in range(2):  # the first is sorted already, the second is to be merged into it
        for day in range(3):
            seconds = range(10_000 * part, 10_000 * (part + 1))
            keep(history, *(at(day, second / 10, point=second % 3 + 1, value=second) for second in seconds))
        if not part:
            history.tidy(MIDNIGHT_NS)
    history.close()
    command = [sys.executable, "-c", CLOSER, str(tmp_path), "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as closer:  # noqa: S603
        assert closer.stdout is not None
        assert closer.stdout.readline() == "opened\n"
        try:
            closer.wait(patience_s)
        except subprocess.TimeoutExpired:
            closer.send_signal(signal.SIGKILL)
    survivor = opened(tmp_path)
    for _ in range(2):
        values = [survivor.read(point, 0, after(9), 10**6).value for point in (1, 2, 3)]
        assert sorted(np.concatenate(values).tolist()) == sorted([*range(20_000)] * 3)
        survivor.tidy(after(2))
    assert not survivor._store.parts.tables
    survivor.close()


def test_trends_can_be_read_and_samples_kept_while_days_are_closed(history: DuckDbHistory) -> None:
    for day in range(8):
        keep(history, *(at(day, second) for second in range(500)))
    done = threading.Event()

    def watch() -> set[int]:
        lengths = set()
        while not done.is_set():
            lengths.add(len(history.read(1, 0, MIDNIGHT_NS + 8 * NS_PER_DAY, 10**6)))
        return lengths

    def write() -> None:
        for second in range(200):
            keep(history, at(9, second))

    with ThreadPoolExecutor() as pool:
        watchers, writer = [pool.submit(watch), pool.submit(watch)], pool.submit(write)
        for day in range(8):
            history.tidy(after(day))
        writer.result()
        done.set()
        assert [watcher.result() for watcher in watchers] == [{8 * 500}] * 2
    assert len(history.read(1, 0, after(9), 10**6)) == 8 * 500 + 200


def usable(sample: Sample) -> bool:
    return sample.quality < BAD_FROM


class HistoryOfAModel(RuleBasedStateMachine):
    """Any order of keeping, closing, starting anew and asking: the answers are those of a plain list."""

    folder: Callable[[], Path]

    @initialize()
    def begin(self) -> None:
        self.path = type(self).folder()
        self.history = opened(self.path)
        self.kept: list[Sample] = []
        self.today = 0

    @rule(
        samples=st.lists(
            st.builds(
                at,
                st.integers(-2, 1),
                st.integers(0, 86_399),
                st.sampled_from([1, 2, 3]),
                st.floats(-1e6, 1e6),
                st.sampled_from([Quality.GOOD, Quality.UNCERTAIN_BUFFERED, Quality.BAD_COMMUNICATION]),
            ),
            max_size=20,
        )
    )
    def keep(self, samples: list[Sample]) -> None:
        shifted = [
            sample._replace(
                source_time_ns=sample.source_time_ns + self.today * NS_PER_DAY,
                gateway_time_ns=sample.gateway_time_ns + self.today * NS_PER_DAY,
            )
            for sample in samples
        ]
        keep(self.history, *shifted)
        self.kept += shifted

    @rule(days=st.integers(0, 2))
    def close_days(self, days: int) -> None:
        self.today += days
        self.history.tidy(MIDNIGHT_NS + self.today * NS_PER_DAY + 2 * GRACE_NS)

    @rule()
    def start_anew(self) -> None:
        self.history.close()
        self.history = opened(self.path)

    @rule(point=st.sampled_from([1, 2, 3]), first=st.integers(-2, 3), days=st.integers(1, 4), count=st.integers(1, 50))
    def gather(self, point: int, first: int, days: int, count: int) -> None:
        start_ns = MIDNIGHT_NS + (self.today + first) * NS_PER_DAY
        end_ns = start_ns + days * NS_PER_DAY
        buckets = self.history.buckets(point, start_ns, end_ns, count)
        chosen = [each for each in self.kept if each.point == point and start_ns <= each.source_time_ns < end_ns]
        assert int(buckets.count.sum()) == len(chosen)
        assert int(buckets.good.sum()) == sum(each.quality < UNCERTAIN_FROM for each in chosen)
        assert len(buckets.start_ns) <= count
        width_ns = -(-(end_ns - start_ns) // count)
        for place, bucket_ns in enumerate(buckets.start_ns.tolist()):
            values = [e.value for e in chosen if usable(e) and bucket_ns <= e.source_time_ns < bucket_ns + width_ns]
            if values:
                assert buckets.minimum[place] == min(values)
                assert buckets.maximum[place] == max(values)
                assert buckets.mean[place] == pytest.approx(sum(values) / len(values), abs=1e-6)
            else:
                assert math.isnan(buckets.minimum[place])

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        for point in (1, 2, 3):
            read = self.history.read(point, 0, 2**62, 10**6).rows()
            assert sorted(read) == sorted(each for each in self.kept if each.point == point)
            assert [each.source_time_ns for each in read] == sorted(each.source_time_ns for each in read)

    @invariant()
    def the_latest_of_each_point_is_known(self) -> None:
        newest = {each.point: each.source_time_ns for each in sorted(self.kept, key=lambda each: each.source_time_ns)}
        assert {each.point: each.source_time_ns for each in self.history.latest(0).rows()} == newest

    def teardown(self) -> None:
        if hasattr(self, "history"):
            self.history.close()


@pytest.mark.parametrize("small", [False, True])
def test_answers_are_those_of_a_plain_list(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    small: bool,  # noqa: FBT001  # the parameter's own name says it
) -> None:
    """With ``small``, lasting days are sorted often, and into files of few samples."""
    if small:
        monkeypatch.setattr(sorting, "SORT_FROM", 5)
        monkeypatch.setattr(sorting, "FILE_ROWS", 4)
    HistoryOfAModel.folder = staticmethod(lambda: tmp_path_factory.mktemp("history"))
    run_state_machine_as_test(
        HistoryOfAModel, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )


def test_only_files_of_closed_days_are_taken_for_such() -> None:
    assert day_file(Path("2026-05-27.telemetry.3.parquet")) == DayFile(DAY, Kept.TELEMETRY, 3)
    assert day_file(Path("2026-05-27.telemetry.parquet")) is None


def test_files_whose_points_overlap_are_merged_and_others_left_alone() -> None:
    def file(number: int, first_point: int, last_point: int) -> DayFile:
        return DayFile(DAY, Kept.TELEMETRY, number, Extent(first_point, last_point, 0, 1))

    low, middle, high, late, alone = file(1, 1, 10), file(2, 11, 20), file(3, 21, 30), file(4, 10, 12), file(5, 31, 31)
    assert overlapping([low, middle, high, alone]) == []
    assert overlapping([low, middle, high, late, alone]) == [[low, late, middle]]
    unknown = DayFile(DAY, Kept.TELEMETRY, 6)
    assert overlapping([unknown]) == []
    assert overlapping([low, unknown, high]) == [[unknown, low, high]]


@given(st.lists(st.integers(1, 50)), st.integers(1, 60))
def test_files_are_parted_between_points_and_are_no_larger_than_they_must_be(counts: list[int], most: int) -> None:
    parts = [counts[part] for part in parted(counts, most)]
    assert [count for part in parts for count in part] == counts
    assert all(part and (len(part) == 1 or sum(part) <= most) for part in parts)
    assert all(sum(before) + after[0] > most for before, after in pairwise(parts))


def test_a_lasting_day_is_sorted_once_enough_has_gathered_into_files_that_grow_until_their_hour_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "SORT_FROM", 40)
    history = opened(tmp_path)
    samples = [at(0, 120 * minute, point) for minute in range(40) for point in (1, 2, 3)]
    for place, sample in enumerate(samples, 1):
        keep(history, sample)
        history.tidy(MIDNIGHT_NS)
        assert len(list(history._store.parts.files)) == 2 * ((place >= 40) + (place >= 120))
    assert history.samples([1, 2, 3], 0, after(9)).rows() == samples
    hours = [file.extent.last_ns // (3_600 * NS_PER_S) % 24 for file in sorted(history._store.parts.files)]
    assert hours == [0, 1, 0, 1]
    history.tidy(after(0))
    history.tidy(after(0))
    assert [file.split(".")[1] for file in files(tmp_path)] == ["states", "telemetry"]
    assert history.samples([1, 2, 3], 0, after(9)).rows() == samples
    history.close()


def test_a_point_that_became_a_state_while_its_hour_lasted_is_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "SORT_FROM", 2)
    quantities = {1, 2}
    history = DuckDbHistory(tmp_path, telemetry=lambda: quantities)
    samples = [at(0, second, point) for second in range(6) for point in (1, 2, 3)]
    for place, sample in enumerate(samples):
        if place == 9:
            quantities.remove(2)
        keep(history, sample)
        history.tidy(MIDNIGHT_NS)
    history.tidy(after(0))
    assert history.samples([1, 2, 3], 0, after(9)).rows() == samples
    history.close()


def test_late_samples_make_only_the_files_of_their_points_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "FILE_ROWS", 20)
    history = DuckDbHistory(tmp_path, telemetry=lambda: range(1, 9))
    keep(history, *(at(0, second, point) for second in range(10) for point in range(1, 9)))
    history.tidy(after(0))
    assert files(tmp_path) == [f"2026-05-27.telemetry.{number}.parquet" for number in (1, 2, 3, 4)]
    keep(history, at(0, 3.5, 5), at(0, 3.5, 6))
    history.tidy(after(0))
    history.tidy(after(0))
    assert files(tmp_path) == [f"2026-05-27.telemetry.{number}.parquet" for number in (1, 2, 4, 6, 7)]
    assert len(history.read(5, 0, after(9), 100)) == 11
    history.close()


def test_a_file_that_is_being_read_stays_until_it_was(tmp_path: Path) -> None:
    history = opened(tmp_path)
    keep(history, at(0, 10))
    history.tidy(after(0))
    with history._store.settled(EVERYWHERE) as (cursor, parts):
        keep(history, at(0, 20))
        for _ in range(3):
            history.tidy(after(0))
        assert cursor.execute(history._store.source(parts)).fetchall() == [(*at(0, 10)[:4], 0)]
        assert files(tmp_path) == ["2026-05-27.telemetry.1.parquet", "2026-05-27.telemetry.3.parquet"]
    history.tidy(after(0))
    assert files(tmp_path) == ["2026-05-27.telemetry.3.parquet"]
    history.close()


def test_a_folder_of_the_earlier_shape_opens_and_its_days_take_late_samples(tmp_path: Path) -> None:
    """Such a folder has a table ``closed`` of files, one of each kind a day, and tables of open days as now."""
    written = "source_time_ns BIGINT NOT NULL, gateway_time_ns BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL"
    with duckdb.connect(str(tmp_path / DATABASE)) as earlier:
        earlier.execute("CREATE TABLE closed (day INTEGER, kept TEXT, version INTEGER)")
        earlier.execute(f"INSERT INTO closed VALUES ({DAY}, 'telemetry', 2), ({DAY}, 'states', 1)")  # noqa: S608  # numbers
        for table, sample in ((f"sample_{DAY + 1}", at(1, 5)), (f"closing_{DAY + 2}", at(2, 5))):
            earlier.execute(f"CREATE TABLE {table} (point INTEGER NOT NULL, {written})")
            earlier.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", [*sample])  # noqa: S608  # our own name
        for name, samples in (("telemetry.2", [at(0, 5), at(0, 5, 2)]), ("states.1", [at(0, 5, 3)])):
            rows = ", ".join(
                f"({each.point}::INTEGER, {each.source_time_ns}, 3000000, 1.0::DOUBLE, 0::UTINYINT)" for each in samples
            )
            earlier.execute(
                f"COPY (SELECT * FROM (VALUES {rows}) AS v(point, source_time_ns, delay_ns, value, quality)) "  # noqa: S608  # numbers
                f"TO '{tmp_path}/2026-05-27.{name}.parquet' (FORMAT parquet)"
            )
    for _ in range(2):
        history = opened(tmp_path)
        assert history.samples([1, 2, 3], 0, after(9)).rows() == [
            at(0, 5),
            at(0, 5, 2),
            at(0, 5, 3),
            at(1, 5),
            at(2, 5),
        ]
        history.close()
    history = opened(tmp_path)
    keep(history, at(0, 7))
    history.tidy(after(2))
    assert history.read(1, 0, after(9), 10).rows() == [at(0, 5), at(0, 7), at(1, 5), at(2, 5)]
    history.close()
