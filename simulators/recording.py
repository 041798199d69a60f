"""Recordings of real equipment: delimited text, read as it stands, to be played onto a wire.

Cells stay text on purpose: what a spreadsheet has mangled has to reach the gateway mangled.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from pydantic import Field

from facility.definition import Definition
from facility.errors import ConfigurationError, Mistake, NotFoundError
from facility.grammar import validate
from facility.yaml_file import did_you_mean, read_yaml

LAYOUTS = Path(__file__).parent / "recordings"
"""The layouts that are shipped."""


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def number_of(cell: str) -> float | None:
    """Return the number that a cell's text is; ``None`` for a mangled or empty cell."""
    return float(cell) if _NUMBER.fullmatch(cell.strip()) else None


class TimeColumn(Definition):
    """Where a row's time stands."""

    column: str
    format: str
    """As ``datetime.strptime`` takes it; only differences between rows matter, so no zone is needed."""


class RecordingLayout(Definition):
    """How a recording is to be read."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    time: TimeColumn | None = None
    """``None``: the rows have no time of their own and follow each other every ``period_s``."""
    period_s: float = Field(default=1.0, gt=0.0)
    """Seconds between two rows without a time of their own."""
    label: str | None = None
    """Column that marks anomalous rows with another number than 0; ``None``, or a file without it: none is marked."""
    columns: dict[str, str] = Field(min_length=1)
    """Column to point name; other columns are left out."""


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """One row, untouched."""

    offset_s: float
    """Since the first row."""
    cells: Mapping[str, str]
    """Point name to the cell's text."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording in memory."""

    rows: Sequence[RecordedRow]
    labels: Sequence[bool]
    """Whether the row was marked as anomalous by those who made the recording."""

    def labelled_windows(self) -> list[tuple[int, int]]:
        """Return the runs of marked rows as ``(first row, row after the last)``, counted from 0."""
        windows, row = [], 0
        for marked, run in groupby(self.labels):
            after = row + len(list(run))
            if marked:
                windows.append((row, after))
            row = after
        return windows


def shipped_layout(name: str) -> RecordingLayout:
    """Return a layout of ``simulators/recordings`` by its name, such as ``pump-testbed``.

    Raises:
        NotFoundError: There is none of that name.
    """
    names = sorted(file.stem for file in LAYOUTS.glob("*.yaml"))
    if name not in names:
        raise NotFoundError(f"there is no recording layout {name!r}{did_you_mean(name, names)}")
    return read_layout(LAYOUTS / f"{name}.yaml")


def read_layout(path: Path) -> RecordingLayout:
    """Read a layout from its file.

    Raises:
        ConfigurationError: The file cannot be read or has mistakes; all are listed.
    """
    file = read_yaml(path)
    mistakes: list[Mistake] = []
    layout = validate(RecordingLayout, file, file.data, mistakes)
    if layout is None:
        raise ConfigurationError(mistakes)
    return layout


def read_recording(path: Path, layout: RecordingLayout) -> Recording:
    """Read a recording.

    Raises:
        ConfigurationError: Columns are missing, rows are short or a time cannot be read; all are listed.
        OSError: The file cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=layout.delimiter)
        reading = _Reading(str(path), layout, reader)
        rows = list(reading.rows())
    if reading.mistakes:
        raise ConfigurationError(reading.mistakes)
    return Recording([row for row, _ in rows], [marked for _, marked in rows])


class _Reading:
    """Goes through a file once and gathers what is wrong on the way."""

    def __init__(self, file: str, layout: RecordingLayout, reader: csv.DictReader[str]) -> None:
        self.mistakes: list[Mistake] = []
        self._file = file
        self._layout = layout
        self._reader = reader
        self._first: datetime | None = None

    def rows(self) -> Iterator[tuple[RecordedRow, bool]]:
        """Yield each row with its mark."""
        present = self._reader.fieldnames or []
        wanted = [*self._layout.columns, *([self._layout.time.column] if self._layout.time else [])]
        for column in wanted:
            if column not in present:
                self._mistake(1, f"there is no column {column!r}{did_you_mean(column, present)}")
        if self.mistakes:
            return
        for index, row in enumerate(self._reader):
            if None in row.values():
                self._mistake(self._reader.line_num, f"the row has fewer cells than the {len(present)} columns")
            else:
                yield self._row(index, row)

    def _row(self, index: int, row: Mapping[str, str]) -> tuple[RecordedRow, bool]:
        cells = {point: row[column] for column, point in self._layout.columns.items()}
        return RecordedRow(self._offset_s(index, row), cells), self._is_marked(row)

    def _offset_s(self, index: int, row: Mapping[str, str]) -> float:
        layout = self._layout
        if layout.time is None:
            return index * layout.period_s
        try:
            at = datetime.strptime(row[layout.time.column], layout.time.format).replace(tzinfo=UTC)
        except ValueError:
            text = row[layout.time.column]
            self._mistake(self._reader.line_num, f"{text!r} is not a time of the form {layout.time.format}")
            return 0.0
        self._first = self._first or at
        return (at - self._first).total_seconds()

    def _is_marked(self, row: Mapping[str, str]) -> bool:
        text = row.get(self._layout.label or "", "0")
        try:
            return float(text) != 0.0
        except ValueError:
            self._mistake(self._reader.line_num, f"{text!r} is not a label; write 0 or 1")
            return False

    def _mistake(self, line: int, message: str) -> None:
        self.mistakes.append(Mistake(self._file, line, message))
