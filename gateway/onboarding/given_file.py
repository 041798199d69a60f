"""Reads tables that other programs exported, whatever their encoding and delimiter; refuses what is no such table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facility.errors import ConfigurationError, Mistake

LARGEST: Final = 20_000_000
"""Bytes; the list of a whole campus has fewer."""
LONGEST_CELL: Final = 10_000

_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DELIMITERS: Final = ";,\t|"
_SAMPLE: Final = 10_000
_CONTROL: Final = frozenset(map(chr, (*range(9), *range(14, 32))))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    line: int
    """Counted from 1, as editors do."""
    cells: tuple[str, ...]

    def cell(self, column: int | None) -> str:
        """Return a cell without blanks around it; empty where the row has none."""
        return self.cells[column].strip() if column is not None and column < len(self.cells) else ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows; rows without any text are left out."""

    name: str
    rows: tuple[Row, ...]

    def mistake(self, row: Row | None, message: str, column: int | None = None) -> Mistake:
        """Return a mistake at a row and, counted from 1, one of its columns."""
        where = "" if column is None else f"column {column + 1}: "
        return Mistake(self.name, 0 if row is None else row.line, where + message)


def read_table(path: Path) -> Table:
    """Read a file of separated values.

    Raises:
        ConfigurationError: It cannot be read, is too large, or is no text.
    """
    text = _text(path)
    try:
        rows = tuple(_rows(text))
    except csv.Error as error:
        raise ConfigurationError([Mistake(str(path), 0, f"is no table: {error}; export it as CSV again")]) from error
    return Table(str(path), rows)


def parse_table(name: str, text: str) -> Table:
    """Read a table's text; see :func:`read_table`.

    Raises:
        Error: Of the module csv: a quoted cell never ends, or is endless.
    """
    return Table(name, tuple(_rows(text)))


def read_bytes(path: Path) -> bytes:
    """Read a file as it is.

    Raises:
        ConfigurationError: It cannot be read, or is too large.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise ConfigurationError([Mistake(str(path), 0, f"cannot be read: {error.strerror}")]) from error
    if size > LARGEST:
        message = (
            f"has {size / 1e6:.0f} MB, and lists of points have at most {LARGEST / 1e6:.0f}; is it the right file?"
        )
        raise ConfigurationError([Mistake(str(path), 0, message)])
    return data


def _text(path: Path) -> str:
    text = decoded(read_bytes(path))
    if text is None:
        message = "is no text; export the list as CSV (a spreadsheet's own format cannot be read)"
        raise ConfigurationError([Mistake(str(path), 0, message)])
    return text


def decoded(data: bytes) -> str | None:
    """Return a text of the encodings that exports come in; ``None`` for what is none."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for encoding in [marked] if marked else ["utf-8", "gb18030", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        return None if _CONTROL.intersection(text) else text
    return None


def _rows(text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    start = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield Row(start, tuple(cell[:LONGEST_CELL] for cell in cells))
        start = reader.line_num + 1


def _delimiter(text: str) -> str:
    """Return the separator that the beginning has most of, EDE's semicolon first."""
    votes = Counter(dict.fromkeys(_DELIMITERS, 0))
    for line in text[:_SAMPLE].splitlines():
        for delimiter in _DELIMITERS:
            votes[delimiter] += line.count(delimiter)
    return max(_DELIMITERS, key=lambda delimiter: votes[delimiter])
