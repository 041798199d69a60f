"""A thread that learns baselines from good periods in the history, beside the engine that watches with them.

A rule's good period is read once it is over, resampled as the live chart will see it, and what was learned is kept in
the database, where it outlives the samples. Then the engine goes on with it. A period that teaches nothing is told with
what to do, and is looked at again now and then: samples may still be on their way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.rules_begin import said_until
from facility.clock import NS_PER_S, Clock
from facility.conditions import GoodPeriod
from facility.errors import HistoryUnavailableError
from facility.history.history import History
from facility.model import Facility
from facility.storage.database import reading
from rules.baseline import GoodPeriodError, Matrix, fit
from rules.kernel import NEVER
from rules.learning import Learned, Lesson, lessons, load_learned, save_learned
from rules.signals.chart import grid_ns, held, steps_between

log = structlog.get_logger(__name__)

PERIOD_S: Final = 10.0
"""Wall seconds between two looks; most find nothing to do."""
RETRY_NS: Final = 3_600 * NS_PER_S
"""After how long a period that taught nothing is looked at again."""
MOST_ROWS: Final = 2_000_000
"""Rows of one good period; more would take the engine's machine for minutes and teach nothing new."""
_DAY_NS: Final = 86_400 * NS_PER_S
"""Samples are read so much at a time."""
_SHORTEST_HOLD_NS: Final = 600 * NS_PER_S
"""A point that reported no longer ago than this stands as it was; ten rows where those are further apart."""


class BaselineFitting:
    """Learns what the facility's rules ask for and do not know yet."""

    def __init__(
        self,
        *,
        database: Engine,
        history: History,
        clock: Clock,
        facility: Callable[[], Facility],
        on_learned: Callable[[], None],
    ) -> None:
        """Prepare to learn.

        Args:
            database: Keeps what was learned.
            history: Holds the good periods.
            clock: Tells whether a period is over.
            facility: Returns the facility as it is now.
            on_learned: Called after something was learned and kept, so that the rules go on with it; raises
                ``CancelledError`` when they have ended.
        """
        self._database = database
        self._history = history
        self._clock = clock
        self._facility = facility
        self._on_learned = on_learned
        self._failing = False
        self._is_news = False
        """Whether something was learned that the rules do not go on with yet."""
        self._told: set[tuple[int, str]] = set()
        """Lessons that nobody can learn yet, and that were logged."""

    def step(self) -> None:
        """Learn what is due; what a database does not answer is tried again with the next step."""
        try:
            self._learn()
        except (HistoryUnavailableError, OperationalError) as error:
            if not self._failing:
                log.warning("baselines cannot be learned; it is tried again", error=str(error))
            self._failing = True
        else:
            if self._failing:
                log.info("baselines can be learned again")
            self._failing = False

    def _learn(self) -> None:
        wanted = lessons(self._facility())
        if not wanted:
            return
        with reading(self._database) as connection:
            known = load_learned(connection)
        due = [lesson for lesson in wanted if self._is_due(lesson, known.get((lesson.rule.id, lesson.fingerprint)))]
        for lesson in due:
            self._is_news |= self._kept(lesson).baseline is not None
        if self._is_news:
            self._on_learned()
            self._is_news = False

    def _is_due(self, lesson: Lesson, known: Learned | None) -> bool:
        if known is not None:
            return known.baseline is None and self._clock.now_ns() >= known.at_ns + RETRY_NS
        reason = self._why_not_yet(lesson)
        key = (lesson.rule.id, lesson.fingerprint)
        if reason is not None and key not in self._told:
            self._told.add(key)
            log.info("a learned baseline watches nothing yet", rule=lesson.place, reason=reason)
        return reason is None

    def _why_not_yet(self, lesson: Lesson) -> str | None:
        """Return what has to happen first; ``None``: the lesson can be learned."""
        if lesson.period is None:
            return "no good period is named; write good_period: {name, start, end} at the rule"
        if _ns(lesson.period.end.timestamp()) > self._clock.now_ns():
            return f"its good period {lesson.period.name!r} ends at {lesson.period.end.isoformat()}"
        return None

    def _kept(self, lesson: Lesson) -> Learned:
        """Learn one lesson and keep what came of it."""
        learned = self._learned(lesson)
        with self._database.begin() as connection:
            save_learned(connection, learned)
        if learned.problem:
            log.warning("a learned baseline watches nothing", rule=lesson.place, reason=learned.problem)
        else:
            log.info("learned a baseline", rule=lesson.place, rows=learned.rows)
        return learned

    def _learned(self, lesson: Lesson) -> Learned:
        rows, baseline, problem = 0, None, ""
        try:
            good = self._rows(lesson)
            rows = len(good)
            baseline = fit(good, names=lesson.condition.points, smoothing=lesson.condition.smoothing)
        except GoodPeriodError as error:
            problem = str(error)
        return Learned(
            rule_id=lesson.rule.id,
            fingerprint=lesson.fingerprint,
            baseline=baseline,
            rows=rows,
            at_ns=self._clock.now_ns(),
            problem=problem,
        )

    def _rows(self, lesson: Lesson) -> Matrix:
        """Return the good period's rows, a day of samples at a time.

        Raises:
            GoodPeriodError: They are too many.
        """
        step_ns = grid_ns(lesson.condition)
        start_ns, end_ns = _ends(lesson.period)
        if (end_ns - start_ns) // step_ns > MOST_ROWS:
            raise GoodPeriodError(
                f"the good period has more than {MOST_ROWS} rows; write a longer sample_s or choose a shorter period"
            )
        parts = [np.empty((0, len(lesson.points)))]
        for begin_ns in range(start_ns, end_ns, _DAY_NS):
            times_ns = steps_between(begin_ns, min(begin_ns + _DAY_NS, end_ns), step_ns)
            parts.append(self._standing(lesson, times_ns))
        return np.concatenate(parts)

    def _standing(self, lesson: Lesson, times_ns: npt.NDArray[np.int64]) -> Matrix:
        """Return the points as they stood at some times at which all are known and the rule is watched."""
        if not len(times_ns):
            return np.empty((0, len(lesson.points)))
        keys = [point.key for point in lesson.points]
        around = () if lesson.state is None else lesson.state.points
        first_ns, last_ns = int(times_ns[0]), int(times_ns[-1])
        batch = said_until(self._history, {*keys, *around}, first_ns, last_ns + 1)
        hold_ns = max(_SHORTEST_HOLD_NS, 10 * grid_ns(lesson.condition))
        rows = held(batch, keys, times_ns, hold_ns=hold_ns)
        known: Matrix = rows[np.isfinite(rows).all(axis=1)]
        if lesson.state is None:
            return known
        states = held(batch, around, times_ns, hold_ns=NEVER)  # a state may be told only when it changes
        holds = np.array([lesson.state.holds(values) is True for values in states.tolist()], bool)
        watched: Matrix = rows[holds & np.isfinite(rows).all(axis=1)]
        return watched


class FittingThread:
    """Learns now and again while the engine runs."""

    def __init__(self, fitting: BaselineFitting) -> None:
        self._fitting = fitting
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="baseline fitting")

    def start(self) -> None:
        """Begin to learn; after the engine's start."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the lesson that is being learned, and end; before the engine's end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._fitting.step()
                self._stopping.wait(PERIOD_S)
        except CancelledError:  # the engine ended by itself, and the process ends for it
            return
        except Exception:  # the thread's edge: alarms go on with what is known
            log.exception("baselines are learned no more until the next start; the rules go on with what they know")


def _ends(period: GoodPeriod | None) -> tuple[int, int]:
    """Return when a period begins and ends; without one, there is nothing in it."""
    return (0, 0) if period is None else (_ns(period.start.timestamp()), _ns(period.end.timestamp()))


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
