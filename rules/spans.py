"""When rules stood, by columns: the kernel's records without an object for each, for millions of samples at once.

It says of rules that are decided on samples what :class:`rules.engine.RuleEngine` says of them, less the evidence; a
property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from facility.model import Facility
from facility.samples import SampleBatch
from rules import kernel
from rules.columns import batch_of, lists_of, views_of
from rules.compile import compile_facility
from rules.fold import Fold
from rules.layout import Kernel
from rules.restore import restore

STANDING: Final = 2**62
"""End of a span that has not ended."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spans:
    """Columns of equal length: one row for each time that a rule's condition stood; by rule, then time."""

    rule: Integers
    start_ns: Integers
    end_ns: Integers
    """:data:`STANDING` for one that has not ended."""
    priority: Integers
    """The most urgent that it reached."""


class SpanEngine:
    """Runs rules that are decided on samples of their own point, and keeps nothing but when they stood."""

    def __init__(self, facility: Facility, *, now_ns: int, fast: Kernel) -> None:
        """Begin to watch.

        Args:
            facility: Its rules are run; it has no maintenance plans.
            now_ns: The gateway's time.
            fast: The kernel to run.

        Raises:
            ConfigurationError: A rule names a point or state that the facility does not have.
        """
        program = compile_facility(facility)
        restore(program, (), now_ns, Fold(program.rows))
        self._columns = program.columns
        self._fast = fast
        self._seen_by_kernel = views_of(program.columns) if fast is kernel.plain else program.columns
        self._rule = np.array([row.owner.rule_id for row in program.rows], np.int64)
        self._priority = np.array([row.priority for row in program.rows], np.int64)
        self._calls: list[Integers] = []

    def evaluate(self, batch: SampleBatch) -> None:
        """Take samples in the order they arrived."""
        samples = lists_of(batch) if self._fast is kernel.plain else batch_of(batch)
        self._call(lambda done: self._fast.scan(samples, self._seen_by_kernel, done), len(batch))

    def sweep(self, now_ns: int) -> None:
        """Finish delays and silences that are over although no sample came."""
        blocks = len(self._columns.points.block_wake)
        self._call(lambda done: self._fast.sweep(self._seen_by_kernel, now_ns, done), blocks)

    def spans(self) -> Spans:
        """Return when the rules stood, from the beginning on."""
        if not self._calls:
            return NO_SPANS
        numbers = np.repeat(np.arange(len(self._calls)), [len(call) for call in self._calls])
        records = np.concatenate(self._calls)
        return _spans(records, numbers, self._rule[records[:, kernel.ROW]], self._priority[records[:, kernel.ROW]])

    def _call(self, advance: Callable[[int], int], end: int) -> None:
        """Let the kernel go to the end, and keep its records as those of one call."""
        done, parts = 0, []
        while done < end:
            done = advance(done)
            count = int(self._columns.out.filled[0])
            if count:
                parts.append(self._columns.out.line[:count].copy())
                self._columns.out.filled[0] = 0
        if parts:
            self._calls.append(np.concatenate(parts))


def _spans(records: Integers, call: Integers, rule: Integers, priority: Integers) -> Spans:
    """Fold rows into rules: a rule stands while any of its rows does, looked at when a step is over.

    As in :class:`rules.fold.Fold`, the records that a call made for one rule stay in the order of samples.
    """
    order = np.lexsort((records[:, kernel.AT], records[:, kernel.STEP], call, rule))
    records, rule, call, priority = records[order], rule[order], call[order], priority[order]
    newest = _newest(rule, call, records[:, kernel.AT])
    key = np.column_stack([rule, call, newest, records[:, kernel.STEP]])
    first = np.flatnonzero(np.append(True, (key[1:] != key[:-1]).any(axis=1)))  # of each step
    last = np.append(first[1:], len(rule)) - 1
    raised = records[:, kernel.CODE] == kernel.RAISED
    active = _active(rule, raised.astype(np.int64) - (records[:, kernel.CODE] == kernel.CLEARED))
    rule, at, stands = rule[last], records[last, kernel.AT], active[last] > 0
    stood = np.append(False, stands[:-1] & (rule[1:] == rule[:-1]))
    starts, ends = np.flatnonzero(stands & ~stood), np.flatnonzero(~stands & stood)
    if not len(starts):
        return NO_SPANS
    urgency = np.minimum.reduceat(np.where(raised, priority, STANDING), first)
    end = np.append(ends, 0)[np.searchsorted(ends, starts)]
    has_ended = (np.searchsorted(ends, starts) < len(ends)) & (rule[end] == rule[starts])
    return Spans(
        rule=rule[starts],
        start_ns=at[starts],
        end_ns=np.where(has_ended, at[end], STANDING),
        priority=np.minimum.reduceat(urgency, starts),
    )


def _newest(rule: Integers, call: Integers, at: Integers) -> Integers:
    """Return for each record the latest time so far among those of its rule and call."""
    times, rank = np.unique(at, return_inverse=True)
    begins = np.append(True, (rule[1:] != rule[:-1]) | (call[1:] != call[:-1]))
    floor = np.cumsum(begins) * len(times)  # ranks of one rule and call are all above those before
    newest: Integers = times[np.maximum.accumulate(rank + floor) - floor]
    return newest


def _active(rule: Integers, change: Integers) -> Integers:
    """Return how many rows of its rule are active after each record."""
    total = np.cumsum(change)
    first = np.flatnonzero(np.append(True, rule[1:] != rule[:-1]))
    lengths = np.diff(np.append(first, len(rule)))
    active: Integers = total - np.repeat(total[first] - change[first], lengths)
    return active


NO_SPANS: Final = Spans(*(np.zeros(0, np.int64) for _ in range(4)))
