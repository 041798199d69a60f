"""What passes on, so that a gate can stand in its way: the value of a point, or what was computed from one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rules.signals.chart import ChartSignal
from rules.signals.signal import Judgement, Source, Stands


class HeldValue:
    """One input as it is."""

    def __init__(self, source: Source, *, is_code: bool = False) -> None:
        """Take the input; a code is its own limit, as the states that are wanted have no one number."""
        self.inputs = (source,)
        self._is_code = is_code

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return the value; ``None`` while it is missing."""
        (value,) = values
        if math.isnan(value):
            return None
        return Judgement(computed=(value,), value=value, limits=(value,) if self._is_code else ())

    def explain(self, judgement: Judgement) -> str:  # noqa: ARG002  # as the protocol wants it
        """Return nothing: the value says it all."""
        return ""


class HeldTruth:
    """Whether another condition stands, which has no value to show."""

    def __init__(self, owner: str) -> None:
        self.inputs = (Stands(owner),)

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return 1 while it stands, else 0; ``None`` while nobody knows."""
        (value,) = values
        return None if math.isnan(value) else Judgement(computed=(value,), value=math.nan)

    def explain(self, judgement: Judgement) -> str:  # noqa: ARG002  # as the protocol wants it
        """Return nothing: that it stands says it all."""
        return ""


class ChartReading:
    """How far several points are from their baseline, and which of them moved it."""

    def __init__(self, source: Source, chart: ChartSignal) -> None:
        self.inputs = (source,)
        self._chart = chart

    def judge(self, values: Sequence[float]) -> Judgement | None:
        """Return T² as a multiple of its limit; ``None`` before the first row."""
        (value,) = values
        if math.isnan(value):
            return None
        return Judgement(computed=(value,), value=value, details=(self._chart.explain(),))

    def explain(self, judgement: Judgement) -> str:
        """Return the points that moved it, with their shares."""
        return str(judgement.details[0])
