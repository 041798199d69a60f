"""Tables for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.onboarding.draft import printable

WIDEST: Final = 60
"""Columns of a terminal that one cell may take."""


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return aligned columns; a cell that is too wide is cut, except in the last column."""
    cells = [tuple(headers), *((*map(_cell, row[:-1]), printable(str(row[-1]))) for row in rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(headers))]
    lines = ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    text = printable(str(value))
    while _width(text) > WIDEST:
        text = f"{text[: WIDEST - 2]}…" if len(text) >= WIDEST else f"{text[:-2]}…"
    return text


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns a terminal gives a text: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
