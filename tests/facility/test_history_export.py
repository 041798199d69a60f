"""What people take away of a history, from the disk and from a real InfluxDB."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from facility.errors import HistoryUnavailableError
from facility.history.days import NS_PER_DAY
from facility.history.export import Export, ExportedPoint, ExportForm
from facility.history.history import History
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from tests.facility.test_history import filled, influxdb  # noqa: F401  # a fixture
from tests.facility.test_history_days import MIDNIGHT_NS, after, at, keep, opened

FLOW, DOOR = ExportedPoint(2, "pump-1/flow", "m³/h"), ExportedPoint(3, "door-1/state", "")
MIDNIGHT = datetime(2026, 5, 27, tzinfo=UTC)
SAMPLES = [
    at(0, 10.25, 2, 41.5),
    at(0, 20, 2, math.nan, Quality.BAD_COMMUNICATION),
    at(0, 30, 1, 7.0),
    at(0, 40, 3, 1.0),
    at(1, 0, 2, 42.0, Quality.UNCERTAIN_STALE),
    at(1, 5, 2, 43.0),
]


@pytest.fixture(params=["disk", "influxdb"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """The same samples on disk, the first day sorted into files, and in a real InfluxDB."""
    if request.param == "disk":
        here = opened(tmp_path / "history")
        keep(here, *SAMPLES)
        here.tidy(after(0))
        yield here
        here.close()
    else:
        there = filled(request.getfixturevalue("influxdb"), SampleBatch.of(SAMPLES))
        yield there
        there.close()


def wanted(form: ExportForm) -> Export:
    return Export([FLOW, DOOR], MIDNIGHT_NS, MIDNIGHT_NS + NS_PER_DAY + 5_000_000_000, form)


def test_a_csv_speaks_of_points_times_and_qualities_as_people_do(history: History, tmp_path: Path) -> None:
    file = tmp_path / "it's.csv"
    history.export(wanted(ExportForm.CSV), file)
    with file.open(encoding="utf-8", newline="") as text:
        assert list(csv.reader(text)) == [
            ["time", "point", "value", "unit", "quality"],
            ["2026-05-27T00:00:40.000000Z", "door-1/state", "1.0", "", "good"],
            ["2026-05-27T00:00:10.250000Z", "pump-1/flow", "41.5", "m³/h", "good"],
            ["2026-05-27T00:00:20.000000Z", "pump-1/flow", "", "m³/h", "bad: communication"],
            ["2026-05-28T00:00:00.000000Z", "pump-1/flow", "42.0", "m³/h", "uncertain: stale"],
        ]


def test_a_parquet_file_holds_the_same_with_instants_and_numbers(history: History, tmp_path: Path) -> None:
    file = tmp_path / "samples.parquet"
    history.export(wanted(ExportForm.PARQUET), file)
    assert rows_of(file) == [
        (MIDNIGHT + timedelta(seconds=40), "door-1/state", 1.0, "", "good"),
        (MIDNIGHT + timedelta(seconds=10.25), "pump-1/flow", 41.5, "m³/h", "good"),
        (MIDNIGHT + timedelta(seconds=20), "pump-1/flow", None, "m³/h", "bad: communication"),
        (MIDNIGHT + timedelta(days=1), "pump-1/flow", 42.0, "m³/h", "uncertain: stale"),
    ]


def rows_of(file: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        return [(each[0].astimezone(UTC), *each[1:]) for each in reader.read_parquet(str(file)).fetchall()]


def test_an_export_of_a_silent_point_has_its_header_only(history: History, tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    history.export(Export([ExportedPoint(9, "pump-9/flow", "m³/h")], 0, after(9), ExportForm.CSV), file)
    assert file.read_text(encoding="utf-8") == "time,point,value,unit,quality\n"


def test_a_file_that_cannot_be_written_is_named(history: History, tmp_path: Path) -> None:
    with pytest.raises(HistoryUnavailableError, match="nowhere"):
        history.export(wanted(ExportForm.CSV), tmp_path / "nowhere" / "samples.csv")


def test_a_quality_without_a_word_is_written_as_its_code(tmp_path: Path) -> None:
    history = opened(tmp_path / "history")
    batch = SampleBatch.of([Sample(2, MIDNIGHT_NS, MIDNIGHT_NS, 1.0, Quality.GOOD)])
    batch.quality[:] = 99
    history.append(batch)
    history.commit()
    history.export(wanted(ExportForm.CSV), tmp_path / "samples.csv")
    history.close()
    assert (tmp_path / "samples.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",99")
