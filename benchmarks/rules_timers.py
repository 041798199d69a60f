"""What running delays cost while nothing comes: sweeps of a plant with a million rules, ten times a second.

250,000 points with four rules each, every rule with an on- and an off-delay between 10 and 60 s. In each second of
virtual time 1 % of the points, drawn anew, send a value on the other side of their limits, so that four delays begin
or are broken at each of them; all other points are silent. After two minutes, when about as many delays end as begin,
ten sweeps follow upon each second's samples, in steps of 100 ms of virtual time.

``timer_percent_of_core`` is the core's time in all of these sweeps, with the records that they write, per second of
virtual time. It leaves out the samples that begin the delays, and what the engine makes of the records afterwards,
which is the alarms' work. ``timer_delays_running`` is how many delays were running at the end,
``timer_delays_ended_per_s`` how many ended in a second of virtual time.
"""

from __future__ import annotations

import time

import numpy as np

from facility.clock import NS_PER_S
from facility.samples import SampleBatch
from rules import kernel
from rules.columns import allocate, batch_of, table_of
from rules.layout import Columns, Kernel

_START_NS = 1_790_000_000 * NS_PER_S
_ROWS_PER_POINT = 4
_LIMIT = 1.0
_DELAYS_S = range(10, 61)
_SHARE = 0.01
_WARM_S = 120
_MEASURED_S = 30
_SWEEPS_PER_S = 10


def timer_figures(chosen: Kernel, rules: int) -> dict[str, float]:
    """Return the share of a core that sweeps take, and how much there was to sweep."""
    field = _Field(chosen, rules // _ROWS_PER_POINT)
    for second in range(_WARM_S):
        field.live(second)
    field.ended, field.seconds = 0, 0.0
    for second in range(_WARM_S, _WARM_S + _MEASURED_S):
        field.live(second)
    return {
        "timer_percent_of_core": round(100 * field.seconds / _MEASURED_S, 3),
        "timer_delays_running": field.running,
        "timer_delays_ended_per_s": round(field.ended / _MEASURED_S),
    }


class _Field:
    def __init__(self, chosen: Kernel, points: int) -> None:
        self._kernel = chosen
        self._columns = _columns(points)
        self._dice = np.random.default_rng(1)
        self._is_beyond = np.zeros(points, np.bool_)
        self.seconds = 0.0
        """Spent in sweeps."""
        self.ended = 0
        """Delays."""

    @property
    def running(self) -> int:
        """Return how many delays are running."""
        phases = self._columns.rows.live[:, kernel.PHASE]
        return int(np.isin(phases, (kernel.PENDING, kernel.LEAVING)).sum())

    def live(self, second: int) -> None:
        """Let a second pass."""
        now_ns = _START_NS + second * NS_PER_S
        self._move(now_ns)
        for step in range(1, _SWEEPS_PER_S + 1):
            began = time.thread_time()
            self._sweep(now_ns + step * NS_PER_S // _SWEEPS_PER_S)
            self.seconds += time.thread_time() - began
            self._tidy()

    def _move(self, now_ns: int) -> None:
        points = len(self._is_beyond)
        moved = np.flatnonzero(self._dice.random(points) < _SHARE)
        self._is_beyond[moved] ^= True
        times = np.full(len(moved), now_ns)
        values = np.where(self._is_beyond[moved], 2 * _LIMIT, 0.0)
        batch = batch_of(SampleBatch(moved.astype(np.int32), times, times, values, np.zeros(len(moved), np.uint8)))
        done = 0
        while done < len(moved):
            done = self._kernel.scan(batch, self._columns, done)
            self._columns.out.filled[0] = 0
        self._tidy()

    def _sweep(self, now_ns: int) -> None:
        out = self._columns.out
        done, blocks = 0, len(self._columns.points.block_wake)
        while done < blocks:
            done = self._kernel.sweep(self._columns, now_ns, done)
            self.ended += int(out.filled[0])
            out.filled[0] = 0

    def _tidy(self) -> None:
        rows, out = self._columns.rows, self._columns.out
        rows.live[out.changed[: out.filled[1]], kernel.MARKED] = 0
        out.filled[1] = 0


def _columns(points: int) -> Columns:
    """Return what the compiler makes of the plant; a million rules as objects would only take minutes to make."""
    rows = points * _ROWS_PER_POINT
    columns = allocate(keys=points, rows=rows, shapes=len(_DELAYS_S), ranges=len(_DELAYS_S), records=8192)
    table_of(columns.points.whole)[:, kernel.NEWEST] = kernel.UNSEEN
    columns.points.first_row[:] = np.arange(points + 1) * _ROWS_PER_POINT
    columns.rows.live[:, kernel.SHAPE] = np.arange(rows) * 7 % len(_DELAYS_S)
    setup = columns.rows.setup
    setup[:-1, kernel.KIND] = kernel.VALUE
    setup[:-1, kernel.ON_DELAY] = setup[:-1, kernel.OFF_DELAY] = np.array(_DELAYS_S) * NS_PER_S
    setup[:, kernel.FIRST_RANGE] = np.arange(len(setup))
    columns.rows.edge[:] = (_LIMIT, np.inf, _LIMIT, np.inf)
    return columns
