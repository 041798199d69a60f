"""The engine thread: takes all deliveries that wait, decides, commits once, and only then acknowledges.

While it commits, new deliveries gather, so a burst becomes one transaction without a timer. A kill at any instant loses
nothing acknowledged and opens nothing twice: the state of running delays is in the same transaction as the alarms they
raise, and every repeated delivery meets a unique constraint. History is kept by a thread of its own
(:mod:`app.history_thread`), which then acknowledges, so that no alarm waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from queue import SimpleQueue
from typing import Any, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from alarms.events import AlarmEvent
from alarms.service import apply_transitions
from app.history_thread import HistoryThread
from facility.clock import NS_PER_S, Clock
from facility.errors import WatchkeeperError
from facility.latest import LatestValues
from facility.model import Facility
from facility.samples import SampleBatch
from facility.storage.repository import DeviceEventRow, save_device_events
from gateway.events import Delivery, DeviceEvent
from gateway.inbox import Inbox
from rules.engine import RuleEngine
from rules.events import Evaluation
from rules.repository import save_states
from rules.state import SavedState
from workorders.events import OrderEvent
from workorders.service import open_due_maintenance, respond_to_alarms

log = structlog.get_logger(__name__)

T = TypeVar("T")

LONGEST_WAIT_S = 0.25
"""Wall seconds after which the engine looks at its deadlines even if nothing came."""
DATABASE_RETRY_S = 1.0
"""Wall seconds between tries while the database does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one transaction made durable."""

    evaluation: Evaluation
    alarms: tuple[AlarmEvent, ...]
    orders: tuple[OrderEvent, ...]
    committed_ns: int
    """Facility time right after the commit."""


class EngineThread:
    """One thread that owns the rules' state and writes all that follows from samples."""

    def __init__(
        self,
        *,
        database: Engine,
        facility: Facility,
        rules: RuleEngine,
        inbox: Inbox,
        history: HistoryThread,
        latest: LatestValues,
        clock: Clock,
        on_commit: Callable[[Commit], None],
    ) -> None:
        self._failure: BaseException | None = None
        self._database = database
        self._facility = facility
        self._rules = rules
        self._inbox = inbox
        self._history = history
        self._latest = latest
        self._clock = clock
        self._on_commit = on_commit
        self._told_isolated: set[int] = set()
        """Rules of which the log says already that they are isolated."""
        self._stopping = threading.Event()
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        """What others want done between two steps, with who waits for it."""
        self._thread = threading.Thread(target=self._run, name="engine")

    def start(self) -> None:
        """Begin to take deliveries."""
        self._history.start()
        self._thread.start()

    def perform(self, job: Callable[[], T]) -> T:
        """Do a job between two steps, on the engine's own thread, and return what it returns or raise what it raises.

        So nothing of the rules or alarms moves while a job changes them, and the history holds all that they were
        decided on. Without a running thread it is done at once.
        """
        if not self._thread.is_alive():
            return job()
        done: Future[T] = Future()
        self._jobs.put((job, done))
        self._inbox.wake()
        return done.result()

    @property
    def facility(self) -> Facility:
        """Return the facility as the engine has it now."""
        return self._facility

    @property
    def rules(self) -> RuleEngine:
        """Return the rules as they run now."""
        return self._rules

    def take_site(self, facility: Facility, rules: RuleEngine | None) -> None:
        """Go on with another facility and its rules, ``None``: with the same rules; only from within a job."""
        self._facility, self._rules = facility, rules or self._rules
        self._told_isolated = set() if rules else self._told_isolated

    def stop(self) -> None:
        """Finish what was taken, commit it, and end."""
        self._stopping.set()
        self._inbox.wake()
        self._thread.join()
        self._history.stop()

    @property
    def alive(self) -> bool:
        """Tell whether deliveries are taken and kept."""
        return self._thread.is_alive() and self._history.alive

    @property
    def failure(self) -> BaseException | None:
        """Why a thread ended by itself; ``None`` while both run and after a clean stop."""
        return self._failure or self._history.failure

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                taken = self._inbox.take(self._patience_s())
                self.step(taken.deliveries, waiting_since_ns=taken.waiting_since_ns)
                self._do_job()
            self.step(self._inbox.take_all(0.0))
        except Exception as error:  # the thread's edge: whoever watches it stops the process, and a restart continues
            self._failure = error
            log.exception("engine failed; the process stops, and a restart continues where it was")
        finally:
            while not self._jobs.empty():
                self._jobs.get()[1].cancel()

    def _do_job(self) -> None:
        """Do the next job, if there is one: an alarm never waits for more than that."""
        if self._jobs.empty():
            return
        job, done = self._jobs.get()
        self._history.flush()
        try:
            done.set_result(job())
        except (WatchkeeperError, SQLAlchemyError) as error:  # whoever asked gets it; nothing has changed here
            done.set_exception(error)
        finally:
            done.cancel()  # so that nobody waits for a job that ends the engine; one that is done stays done

    def _patience_s(self) -> float:
        """Return the wall seconds until a delay is over, or until a look around; 0 while a job waits."""
        if not self._jobs.empty():
            return 0.0
        deadline_ns = self._rules.next_deadline_ns
        if deadline_ns is None:
            return LONGEST_WAIT_S
        due_s = (deadline_ns - self._clock.now_ns()) / NS_PER_S / self._clock.speed
        return min(max(due_s, 0.0), LONGEST_WAIT_S)

    def step(self, deliveries: Sequence[Delivery], *, waiting_since_ns: int | None = None) -> None:
        """Take deliveries through rules, alarms and orders in one transaction, then pass them on to be kept.

        Args:
            deliveries: What came, urgent samples first.
            waiting_since_ns: Gateway time from which on others wait still; ``None`` when these are all.
        """
        now_ns = self._clock.now_ns()
        heard_ns = now_ns if waiting_since_ns is None else min(now_ns, waiting_since_ns)
        batch, deliveries = self._as_heard(deliveries)
        evaluation = self._evaluate(batch, heard_ns)
        self._tell_isolated()
        changed = self._rules.take_changed()
        events = [_event_row(event) for delivery in deliveries for event in delivery.events]
        if changed or events or evaluation.transitions or evaluation.due:
            self._commit(evaluation, changed, events)
        self._history.put(deliveries)

    def _as_heard(self, deliveries: Sequence[Delivery]) -> tuple[SampleBatch, Sequence[Delivery]]:
        """Return all samples with the times at which the rules hear them, and the deliveries to be kept with these.

        What a sender wants acknowledged has overtaken plain telemetry in the inbox, maybe of the same points.
        """
        deliveries = sorted(deliveries, key=_came_ns)
        came = SampleBatch.concatenate(delivery.batch for delivery in deliveries)
        heard = self._rules.as_heard(came)
        if heard is came:
            return came, deliveries
        ends = list(accumulate(len(delivery.batch) for delivery in deliveries))
        parts = (heard.part(start, end) for start, end in pairwise([0, *ends]))
        return heard, [replace(delivery, batch=part) for delivery, part in zip(deliveries, parts, strict=True)]

    def _tell_isolated(self) -> None:
        isolated = self._rules.isolated
        for rule_id in isolated.keys() - self._told_isolated:
            rule = self._facility.rules[rule_id]
            log.error(
                "a rule failed and is watched no more until the rules are loaded again; all others go on",
                rule=rule.definition.name,
                asset=rule.asset_id,
                error=isolated[rule_id],
            )
        self._told_isolated |= isolated.keys()

    def _evaluate(self, batch: SampleBatch, heard_ns: int) -> Evaluation:
        """Decide from samples, and then from time as far as every sample up to ``heard_ns`` is known.

        What still waits may break a silence or end a delay; time alone must not decide before it.
        """
        if not len(batch):
            return self._rules.sweep(heard_ns)
        self._latest.update(batch)
        by_samples, by_time = self._rules.evaluate(batch), self._rules.sweep(heard_ns)
        return Evaluation(
            transitions=by_samples.transitions + by_time.transitions,
            due=by_samples.due + by_time.due,
        )

    def _commit(self, evaluation: Evaluation, changed: Sequence[SavedState], events: Sequence[DeviceEventRow]) -> None:
        """Write one unit of work; while the database does not answer, try again and let deliveries gather."""
        lost = False
        while True:
            try:
                commit = self._write(evaluation, changed, events)
            except OperationalError as error:
                if self._stopping.is_set():
                    raise
                if not lost:
                    log.warning("database lost; nothing is acknowledged until it is back", error=str(error.orig))
                lost = True
                self._stopping.wait(DATABASE_RETRY_S)
            else:
                if lost:
                    log.info("database back")
                self._on_commit(commit)
                return

    def _write(self, evaluation: Evaluation, changed: Sequence[SavedState], events: Sequence[DeviceEventRow]) -> Commit:
        now_ns = self._clock.now_ns()
        with self._database.begin() as connection:
            save_device_events(connection, events)
            alarms = apply_transitions(connection, self._facility, evaluation.transitions, now_ns=now_ns)
            orders = respond_to_alarms(connection, self._facility, alarms, now_ns=now_ns)
            orders += open_due_maintenance(connection, self._facility, evaluation.due, now_ns=now_ns)
            save_states(connection, changed)
        return Commit(
            evaluation=evaluation,
            alarms=tuple(alarms),
            orders=tuple(orders),
            committed_ns=self._clock.now_ns(),
        )


def _came_ns(delivery: Delivery) -> int:
    """Return when the gateway had what a delivery brings; one without samples comes first."""
    return int(delivery.batch.gateway_time_ns[0]) if len(delivery.batch) else 0


def _event_row(event: DeviceEvent) -> DeviceEventRow:
    return DeviceEventRow(
        point_key=event.point,
        event_id=event.event_id,
        source_time_ns=event.source_time_ns,
        gateway_time_ns=event.gateway_time_ns,
        code=event.code,
        text=event.text,
    )
