"""Answers about what was measured."""

from __future__ import annotations

from dashboards.schemas import View


class BucketsView(View):
    """One point's samples gathered by equal stretches of time, oldest first, as columns.

    A stretch without samples is left out. Minimum, maximum, mean and last are of the samples that are not bad, and null
    where all are.
    """

    time_ms: list[int]
    """When each stretch begins."""
    minimum: list[float | None]
    maximum: list[float | None]
    mean: list[float | None]
    last: list[float | None]
    good: list[int]
    """How many samples were good."""
    count: list[int]
    """How many samples there were, whatever their quality."""
