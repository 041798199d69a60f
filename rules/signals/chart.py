"""A learned baseline as something timed: at every step of a grid it takes a row of the points as they stand.

Rows are taken at multiples of ``sample_s`` since 1970, and a point that reports seldom stands as it reported last. The
fitting takes the good period's rows in the same way (:func:`held`), so the chart sees what it was taught with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.clock import NS_PER_S
from facility.conditions import Baseline as BaselineCondition
from facility.quality import BAD_FROM
from facility.samples import SampleBatch
from rules import kernel
from rules.baseline import Baseline, Chart, Matrix, Vector, Verdict
from rules.signals.operating import OperatingState

_MEMORY: Final = 40.0
"""Time constants of the smoothing after which a row is below a float's last digit (e⁻⁴⁰ is 4e-18)."""
_WORTH_NAMING: Final = 0.1
"""Share of T² from which on a point is named."""


def grid_ns(condition: BaselineCondition) -> int:
    """Return the nanoseconds between two rows."""
    return max(round(condition.sample_s * NS_PER_S), 1)


class ChartSignal:
    """How far the points are from their baseline: T² as a multiple of its limit, so beyond 1 they are not well."""

    def __init__(
        self,
        condition: BaselineCondition,
        baseline: Baseline,
        points: Sequence[int],
        state: OperatingState | None = None,
    ) -> None:
        """Watch.

        Args:
            condition: Names the points.
            baseline: What was fitted for them.
            points: Their keys, in the order of the condition's names.
            state: In which rows are taken; a machine that left it is well again when it comes back, until its rows say
                otherwise. ``None``: always.
        """
        self.inputs: Sequence[int] = (*points, *(() if state is None else state.points))
        self.due_ns: int = kernel.NEVER
        """Time of the next row; none before it began."""
        self._names = condition.points
        self._limit_factor = condition.limit_factor
        self._state = state
        self._step_ns = grid_ns(condition)
        self._rows = math.ceil(_MEMORY / baseline.smoothing)
        self._chart = Chart(baseline, condition.limit_factor)
        self._verdict: Verdict | None = None
        """Of the newest row; ``None`` before the first."""
        self.look_back_ns = self._rows * self._step_ns
        """How much time rebuilds this."""

    def begin(self, at_ns: int) -> float:
        """Begin, or go on after the past was rebuilt; return the newest row's answer, NaN before the first."""
        self.due_ns = (at_ns // self._step_ns + 1) * self._step_ns
        return math.nan if self._verdict is None else self._verdict.ratio

    def reach(self, at_ns: int, values: Sequence[float]) -> float:
        """Take the rows that are due up to ``at_ns``; return how far the last one is, NaN before there is any.

        Args:
            at_ns: Not before ``due_ns``.
            values: Of ``inputs`` as they stand; NaN for a missing one.
        """
        missed = (at_ns - self.due_ns) // self._step_ns
        row, rest = np.array(values[: len(self._names)], np.float64), values[len(self._names) :]
        is_watched = True if self._state is None else self._state.holds(rest)
        if is_watched is False:
            self._chart, self._verdict = Chart(self._chart.baseline, self._limit_factor), None
        elif is_watched and not np.isnan(row).all():
            for _ in range(1 + min(missed, self._rows)):
                self._verdict = self._chart.take(row)
        return self.begin(at_ns)

    def explain(self) -> str:
        """Return which points moved it, the most important first, such as ``flow 71 %, motor_current 22 %``."""
        if self._verdict is None:
            return ""
        shares = zip(self._names, self._verdict.shares.tolist(), strict=True)
        ranked = sorted(shares, key=lambda named: -named[1])
        worth = [named for named in ranked if named[1] >= _WORTH_NAMING] or ranked[:1]
        return ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in worth)


def steps_between(start_ns: int, end_ns: int, step_ns: int) -> npt.NDArray[np.int64]:
    """Return the times of the rows in ``[start_ns, end_ns)``."""
    return np.arange(-(-start_ns // step_ns) * step_ns, end_ns, step_ns, dtype=np.int64)


def held(batch: SampleBatch, points: Sequence[int], times_ns: npt.NDArray[np.int64], *, hold_ns: int) -> Matrix:
    """Return the points as they stood at some times.

    Args:
        batch: Samples of the points, also from before the times.
        points: Keys, one column each.
        times_ns: One row each; these and all times are those of the samples' source.
        hold_ns: How long a point stands without a new sample; a bad sample ends it at once.

    Returns:
        NaN where a point is missing; shape ``(n, k)``.
    """
    columns = [_held(batch.where(batch.point == point), times_ns, hold_ns) for point in points]
    rows: Matrix = np.column_stack(columns) if columns else np.empty((len(times_ns), 0))
    return rows


def _held(samples: SampleBatch, times: npt.NDArray[np.int64], hold_ns: int) -> Vector:
    """Return one point's value at each time, NaN where it is missing."""
    order = np.argsort(samples.source_time_ns, kind="stable")
    at_ns = samples.source_time_ns[order]
    values = np.where(samples.quality < BAD_FROM, samples.value, np.nan)[order]
    place = np.searchsorted(at_ns, times, side="right") - 1
    known = place >= 0
    known[known] = times[known] - at_ns[place[known]] <= hold_ns
    held: Vector = np.full(len(times), np.nan)
    held[known] = values[place[known]]
    return held
