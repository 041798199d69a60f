"""Counters that begin again, as totals that grow on."""

from __future__ import annotations

import os
import tempfile
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from facility.definition import LocalText
from facility.equipment import PointDefinition, PointKind
from facility.model import Point
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from gateway.rollover import Totals, Unroller

HOURS = Point(
    key=3,
    asset_id="pump-1",
    name="run_hours",
    definition=PointDefinition(kind=PointKind.COUNTER, name=LocalText(en="Run hours", zh="运行小时"), unit="h"),
)
SIZE = 65536.0


def counted(totals: Totals, *numbers: float, begin: float = 0.0, first_s: int = 0) -> list[float]:
    """The totals of what the counter says second by second."""
    unroller = Unroller({HOURS.key: (HOURS, SIZE, begin)}, totals)
    rows = [Sample(HOURS.key, first_s + n, first_s + n, number, Quality.GOOD) for n, number in enumerate(numbers)]
    said: list[float] = unroller.unrolled(SampleBatch.of(rows)).value.tolist()
    return said


def test_a_counter_that_wraps_grows_on() -> None:
    assert counted(Totals(), 65534, 65535, 0, 1) == [65534, 65535, 65536, 65537]


def test_a_device_that_restarts_has_not_wrapped() -> None:
    assert counted(Totals(), 30000, 30001, 0, 1) == [30000, 30001, 0, 1]
    assert counted(Totals(), 65535, 5, 40000, 2) == [65535, 65541, 105536, 65538]


def test_a_sample_from_before_the_turn_that_comes_after_it_is_of_the_turn_before() -> None:
    unroller = Unroller({HOURS.key: (HOURS, SIZE, 0.0)}, Totals())
    rows = [(1, 65530), (3, 2), (2, 65535), (4, 3)]
    batch = SampleBatch.of([Sample(HOURS.key, at, at, number, Quality.GOOD) for at, number in rows])
    assert unroller.unrolled(batch).value.tolist() == [65530, 65538, 65535, 65539]


def test_registers_read_while_the_counter_turns_do_not_add_a_turn() -> None:
    assert counted(Totals(), 65535, 0, 65534, 1) == [65535, 65536, 65534, 65537]


@given(
    start=st.integers(0, 65535),
    steps=st.lists(st.integers(0, 16383), max_size=60),
    kills=st.sets(st.integers(0, 59)),
    begin=st.sampled_from([0.0, 1200.5]),
)
def test_whatever_turns_and_restarts_of_ours_come_the_total_grows_by_what_was_counted(
    start: int, steps: list[int], kills: set[int], begin: float
) -> None:
    true = list(accumulate([start, *steps]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counters.json"
        totals, said = Totals(path), []
        for second, count in enumerate(true):
            said += counted(totals, begin + count % 65536, begin=begin, first_s=second)
            if second in kills:
                totals = Totals(path)
    assert all(before <= after for before, after in pairwise(said))
    assert [total - said[0] for total in said] == pytest.approx([count - true[0] for count in true])


def test_only_usable_samples_of_counters_with_an_end_are_touched() -> None:
    unroller = Unroller({HOURS.key: (HOURS, SIZE, 0.0)}, Totals())
    rows = [
        Sample(HOURS.key, 1, 1, 65535, Quality.GOOD),
        Sample(HOURS.key, 2, 2, 0, Quality.BAD_DEVICE_EXCEPTION),
        Sample(9, 3, 3, 7, Quality.GOOD),
        Sample(HOURS.key, 4, 4, 70000, Quality.GOOD),
        Sample(HOURS.key, 5, 5, 1, Quality.UNCERTAIN_STALE),
    ]
    assert unroller.unrolled(SampleBatch.of(rows)).value.tolist() == [65535, 0, 7, 70000, 65537]
    other = SampleBatch.of([rows[2]])
    assert unroller.unrolled(other) is other
    assert np.isnan(unroller.unrolled(SampleBatch.of([rows[0]._replace(value=float("nan"))])).value[0])


def test_a_profile_that_counts_to_another_number_begins_anew(tmp_path: Path) -> None:
    counted(Totals(tmp_path / "c.json"), 65535, 0)
    unroller = Unroller({HOURS.key: (HOURS, 2.0**32, 0.0)}, Totals(tmp_path / "c.json"))
    batch = SampleBatch.of([Sample(HOURS.key, 1, 1, 65600, Quality.GOOD)])
    assert unroller.unrolled(batch).value.tolist() == [65600]


def test_a_file_that_cannot_be_read_or_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "counters.json").write_text("[1, 2")
    with capture_logs() as logs:
        assert counted(Totals(tmp_path / "counters.json"), 65535, 0) == [65535, 65536]
    assert ["cannot be read" in entry["event"] for entry in logs] == [True]
    with capture_logs() as logs:
        assert counted(Totals(tmp_path / "no such folder" / "counters.json"), 65535, 0) == [65535, 65536]
    assert any("make room" in entry["event"] for entry in logs)


def test_the_file_is_written_only_when_a_counter_enters_another_quarter(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    totals = Totals(path)
    counted(totals, 1)
    path.unlink()
    counted(totals, 2, 100, 16383, first_s=1)
    assert not path.exists()
    counted(totals, 16384, first_s=10)
    assert os.listdir(tmp_path) == ["counters.json"]  # noqa: PTH208  # its name alone
