"""The rule engine: batches in, transitions out, with a state that survives a restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from facility.garbage import collector_at_rest
from facility.model import Facility
from facility.samples import SampleBatch
from rules import kernel
from rules.baseline import Baseline
from rules.columns import batch_of, lists_of, table_of, views_of
from rules.compile import NOTHING_LEARNED, Program, compile_facility
from rules.compiled import compiled
from rules.course import Course, Watched
from rules.events import Evaluation
from rules.fold import Fold
from rules.layout import Kernel, Record
from rules.restore import restore
from rules.rows import Row
from rules.signals.past import Past, begin, nothing_before
from rules.state import Phase, SavedState
from rules.succession import take_over, unchanged

SMALL_BATCH = 4
"""Samples up to which plain Python is done before the columns of a compiled call are unpacked."""


LARGE_FACILITY = 5_000
"""Rows from which on the seconds that numba takes to load, or to compile on its first day, are worth it."""


class RuleEngine:
    """Evaluates all rules and maintenance plans of a facility; used by one thread at a time.

    Samples of points that no rule watches, and of unknown points, are ignored.
    """

    @collector_at_rest()
    def __init__(
        self,
        facility: Facility,
        *,
        saved: Iterable[SavedState] = (),
        now_ns: int,
        past: Past = nothing_before,
        baselines: Mapping[int, Baseline] = NOTHING_LEARNED,
        before: RuleEngine | None = None,
        fast: Kernel | None = None,
    ) -> None:
        """Begin to watch.

        Args:
            facility: Whose rules and plans to run.
            saved: What :func:`rules.repository.load_states` found; states of rules that are gone are ignored, and of
                what ``before`` ran, that knows better.
            now_ns: The gateway's time.
            past: Tells what points had said before; what signals remember is made of it.
            baselines: By rule, what was learned of its good period; a baseline rule without watches nothing.
            before: The engine that ran until an edit: unchanged rules go on where they stand, and their signals with
                what they remember. ``None``: a start.
            fast: Kernel for batches that are not small; ``None``: compiled for a large facility where numba is present,
                else plain.

        Raises:
            ConfigurationError: A rule or plan names a point or state that the facility does not have.
        """
        ran = None if before is None else before.program
        program = compile_facility(facility, baselines, ran)
        self.program: Program = program
        """What runs, for the engine after it."""
        self._rows = program.rows
        self._columns = program.columns
        self._views = views_of(program.columns)
        self._fast = fast or _kernel_for(len(program.rows))
        self._fold = Fold(program.rows, program.followed)
        self._unsaved = self._restore(list(saved), now_ns) if before is None else self._succeed(before, saved, now_ns)
        """To be saved besides what changes from now on."""
        self._course = self._course_of(program)
        self._reached_ns = now_ns
        begin(program, self._fold, past=past, now_ns=now_ns, before=ran)

    @property
    def next_deadline_ns(self) -> int | None:
        """When a sweep next has something to do, at the earliest; ``None`` while nothing waits for time."""
        earliest = int(self._columns.points.block_wake.min())
        if self._course is not None:
            earliest = min(earliest, self._course.next_deadline_ns)
        return earliest if earliest < kernel.NEVER else None

    def as_heard(self, batch: SampleBatch) -> SampleBatch:
        """Return samples with the gateway's times at which they count: none comes before what time alone has decided.

        A sample that was still on its way while the rules moved on, or that urgent ones overtook, is heard right after
        the instant that they had reached. Whoever keeps samples keeps them so: then a back-test hears them in the order
        in which they were heard live.
        """
        if not len(batch):
            return batch
        floor_ns = self._heard_ns(batch)
        if self._course is not None:
            floor_ns = self._course.earliest_ns(batch, floor_ns)
        return batch.not_before(floor_ns) if (batch.gateway_time_ns < floor_ns).any() else batch

    def _heard_ns(self, batch: SampleBatch) -> npt.NDArray[np.int64]:
        """Return for each sample when the newest of its point arrived, or time alone decided if that was later."""
        arrived = table_of(self._columns.points.whole)[:, kernel.ARRIVED]
        is_known = (batch.point >= 0) & (batch.point < len(arrived))
        newest = arrived[np.where(is_known, batch.point, 0)] if len(arrived) else np.zeros(len(batch), np.int64)
        return np.maximum(np.where(is_known, newest, self._reached_ns), self._reached_ns)

    def evaluate(self, batch: SampleBatch) -> Evaluation:
        """Take samples in the order they arrived, and return what they changed."""
        if self._course is None:
            return self._fold.take(self._scanned(batch))
        if self._course.reads(batch):
            return self._course.take(batch)
        return self._fold.take(self._scanned(batch))

    def sweep(self, now_ns: int) -> Evaluation:
        """Finish delays and silences that are over although no sample came."""
        self._reached_ns = max(self._reached_ns, now_ns)
        if self._course is None:
            return self._fold.take(self._swept(now_ns))
        return self._course.sweep(now_ns)

    @property
    def isolated(self) -> dict[int, str]:
        """Return the rules that raised an exception while they were evaluated, with what it said.

        They are asked no more until the rules are loaded again, and stand as they were decided last.
        """
        network = self.program.network
        if network is None or not network.isolated:
            return {}
        ids = {row.owner.key: row.owner.rule_id for row in self._rows}
        found = list(network.isolated.items())  # others than the engine's thread ask, too
        told = {ids.get(owner): f"{type(error).__name__}: {error}" for owner, error in found}
        return {rule_id: text for rule_id, text in told.items() if rule_id is not None}

    def take_changed(self) -> list[SavedState]:
        """Return every row whose durable state changed since the last call, to be saved with what it caused."""
        states, out = self._changed, self._columns.out
        self._columns.rows.live[out.changed[: out.filled[1]], kernel.MARKED] = 0
        out.filled[1] = 0
        self._fold.note_saved()
        self._unsaved = []
        return states

    @property
    def _changed(self) -> list[SavedState]:
        out = self._columns.out
        changed = sorted({*out.changed[: out.filled[1]].tolist(), *self._fold.announced_anew})
        return [*self._unsaved, *map(self._state_of, changed)]

    def _restore(self, saved: Sequence[SavedState], now_ns: int) -> list[SavedState]:
        return restore(self.program, saved, now_ns, self._fold)

    def _succeed(self, before: RuleEngine, saved: Iterable[SavedState], now_ns: int) -> list[SavedState]:
        """Go on where an engine stands, which runs on if this one never takes its place."""
        rows = unchanged(self.program, before.program)
        edited = np.setdiff1d(np.arange(len(before._rows)), rows.theirs, assume_unique=True).tolist()
        replaced = self._restore([*saved, *map(before._state_of, edited)], now_ns)
        unsaved = [*_of_living(before._changed, self._rows), *replaced]
        take_over(self.program, before.program, rows, now_ns)
        self._fold.take_over(before._fold, dict(zip(rows.theirs.tolist(), rows.ours.tolist(), strict=True)))
        network = self.program.network
        if network is not None and network is before.program.network:
            fresh = np.setdiff1d(np.arange(len(self._rows)), rows.ours, assume_unique=True).tolist()
            network.judge_again({self._rows[place].owner.key for place in fresh})
        return unsaved

    def _course_of(self, program: Program) -> Course | None:
        if program.network is None:
            return None
        rows = program.rows if program.followed else ()
        keys = frozenset(row.point for row in rows if row.owner.key in program.followed)
        watched = Watched(keys, np.array(sorted(keys), np.int64), program.columns.points.wake)
        return Course(program.network, self._fold, self._scanned, self._swept, watched)

    def _scanned(self, batch: SampleBatch) -> Iterator[Record]:
        scan, columns, samples = self._fast.scan, self._columns, batch_of(batch)
        if len(batch) <= SMALL_BATCH or scan is kernel.plain.scan:
            scan, columns, samples = kernel.plain.scan, self._views, lists_of(batch)
        done = 0
        while done < len(batch):
            done = scan(samples, columns, done)
            yield from self._drain()

    def _swept(self, now_ns: int) -> Iterator[Record]:
        sweep, columns = self._fast.sweep, self._columns
        if sweep is kernel.plain.sweep:
            columns = self._views
        done, blocks = 0, len(self._columns.points.block_wake)
        while done < blocks:
            done = sweep(columns, now_ns, done)
            yield from self._drain()

    def _drain(self) -> Iterator[Record]:
        out = self._columns.out
        count = int(out.filled[0])
        if count == 0:
            return
        out.filled[0] = 0
        for line, value in zip(out.line[:count].tolist(), out.value[:count].tolist(), strict=True):
            yield Record._make((*line, value))

    def _state_of(self, row: int) -> SavedState:
        meaning, points, live = self._rows[row], self._columns.points, self._columns.rows.live
        return SavedState(
            owner=meaning.owner.key,
            row=meaning.ordinal,
            fingerprint=meaning.owner.fingerprint,
            phase=Phase(int(live[row, kernel.PHASE])),
            since_ns=int(live[row, kernel.SINCE]),
            began_ns=self._fold.began_ns(row),
            seen_ns=int(table_of(points.whole)[meaning.point, kernel.NEWEST]),
            value=self._decided_on(meaning),
            priority=int(self._fold.priority(row)),
        )

    def _decided_on(self, row: Row) -> float:
        points = self._columns.points
        if row.shape.kind == kernel.QUALITY:
            return float(points.grade[row.point])
        return float(table_of(points.real)[row.point, kernel.HELD])


def _of_living(states: Sequence[SavedState], rows: Sequence[Row]) -> list[SavedState]:
    """Return the states whose owners have rows."""
    owners = {row.owner.key for row in rows} if states else ()
    return [state for state in states if state.owner in owners]


def _kernel_for(row_count: int) -> Kernel:
    return (compiled() if row_count >= LARGE_FACILITY else None) or kernel.plain
