"""Stretches of time in questions: milliseconds UTC, as browsers count them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query

from facility.clock import NS_PER_MS

LATEST_MS: Final = 9_000_000_000_000
"""Of the year 2255; nanoseconds of later instants have no room in 64 bits."""

Millis = Annotated[int, Query(ge=0, le=LATEST_MS)]
MillisOrOpen = Annotated[int | None, Query(ge=0, le=LATEST_MS)]
"""``None`` when the question is open on that side."""


def ns_or_none(ms: int | None) -> int | None:
    """Return milliseconds as nanoseconds."""
    return None if ms is None else ms * NS_PER_MS
