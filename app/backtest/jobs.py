"""Back-tests that were asked for: one runs, a few wait, and what came out is kept for a while.

State machine of a job::

    WAITING ──its turn──> RUNNING ──> DONE
       │                     ├──────> FAILED     its error is the job's only: nothing else stops
       └──────cancelled──────┴──────> CANCELLED
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from app.backtest.work import BacktestTask, Work
from app.backtest.worker import BACKGROUND, Worker
from dashboards.backtest_schemas import BacktestResult, BacktestState
from facility.clock import NS_PER_S, Clock
from facility.errors import InvalidCommandError, NotFoundError, WatchkeeperError
from facility.history.history import History

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 8
MOST_KEPT: Final = 50
"""Back-tests that are over and can still be looked at."""
KEPT_NS: Final = 24 * 3_600 * NS_PER_S
"""For how long they can."""
UNFINISHED: Final = frozenset({BacktestState.WAITING, BacktestState.RUNNING})


@dataclass(slots=True, kw_only=True)
class Job:
    """One back-test."""

    id: int
    work: Work
    author: str
    created_ns: int
    state: BacktestState = BacktestState.WAITING
    progress: float = 0.0
    error: str | None = None
    """Why it failed and what to do; ``None`` unless it did."""
    result: BacktestResult | None = None
    """``None`` until it is done."""
    worker: Worker | None = field(default=None, repr=False)
    """While it runs."""

    def advance(self, share: float) -> None:
        """Note how much of the history is behind."""
        self.progress = share


class Jobs:
    """Runs back-tests one after the other; asked from any thread."""

    def __init__(self, history: History, folder: Path, clock: Clock) -> None:
        """Begin with none.

        Args:
            history: Gives the files.
            folder: For them, on the history's own file system; emptied.
            clock: Facility time.
        """
        self._history = history
        self._folder = folder
        self._clock = clock
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="back-tests")

    def start(self) -> None:
        """Begin to run what is submitted."""
        shutil.rmtree(self._folder, ignore_errors=True)  # what a killed process left
        self._thread.start()

    def stop(self) -> None:
        """End the one that runs, and run no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        for job in self.all():
            self.cancel(job.id)
        self._thread.join()

    def submit(self, work: Work, *, author: str) -> Job:
        """Put a back-test in line.

        Raises:
            InvalidCommandError: Too many wait already.
        """
        with self._changed:
            waiting = sum(job.state is BacktestState.WAITING for job in self._jobs.values())
            if waiting >= MOST_WAITING:
                raise InvalidCommandError(f"{waiting} back-tests wait already. Cancel one, or wait until one is done.")
            self._forget()
            number = next(self._numbers)
            job = self._jobs[number] = Job(id=number, work=work, author=author, created_ns=self._clock.now_ns())
            self._changed.notify()
            return job

    def all(self) -> list[Job]:
        """Return those that are not forgotten, the newest first."""
        with self._changed:
            self._forget()
            return list(reversed(self._jobs.values()))

    def job(self, number: int) -> Job:
        """Return one.

        Raises:
            NotFoundError: There is none, or it was forgotten.
        """
        with self._changed:
            self._forget()
            job = self._jobs.get(number)
        if job is None:
            raise NotFoundError(
                f"There is no back-test {number} any more. Start it again, or list those that are kept."
            )
        return job

    def cancel(self, number: int) -> Job:
        """End one; what is over stays as it is."""
        job = self.job(number)
        with self._changed:
            if job.state in UNFINISHED:
                job.state = BacktestState.CANCELLED
                if job.worker is not None:
                    job.worker.kill()
        return job

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._perform(job)
            except WatchkeeperError as error:
                self._end(job, BacktestState.FAILED, error=str(error))
            except Exception as error:  # the thread's edge: the next job is another one
                log.exception("a back-test failed; others go on", backtest=job.id)
                self._end(job, BacktestState.FAILED, error=f"It failed: {error!r}. Report this with the rule.")

    def _next(self) -> Job | None:
        """Wait for a job that waits; ``None``: there will be none any more."""
        with self._changed:
            while not self._stopping:
                for job in self._jobs.values():
                    if job.state is BacktestState.WAITING:
                        job.state = BacktestState.RUNNING
                        return job
                self._changed.wait()
            return None

    def _perform(self, job: Job) -> None:
        work, folder = job.work, self._folder / str(job.id)
        with _emptied(folder):
            files = work.snapshot(self._history, folder)
            with self._working(job, folder) as worker:
                task = BacktestTask(work=work, files=files)
                result = BacktestResult.model_validate_json(worker.ask(task, job.advance))
                self._end(job, BacktestState.DONE, result=result)

    @contextlib.contextmanager
    def _working(self, job: Job, folder: Path) -> Iterator[Worker]:
        """Give a process that a cancellation ends."""
        worker = Worker(folder, niceness=BACKGROUND)
        try:
            with self._changed:
                job.worker = worker
                if job.state is BacktestState.CANCELLED:  # before there was anything to end
                    worker.kill()
            yield worker
        finally:
            with self._changed:
                job.worker = None
            worker.close()

    def _end(
        self, job: Job, state: BacktestState, *, result: BacktestResult | None = None, error: str | None = None
    ) -> None:
        """Note how a job ended; one that was cancelled has ended already."""
        with self._changed:
            if job.state is BacktestState.RUNNING:
                job.state, job.result, job.error = state, result, error
                job.progress = 1.0 if result is not None else job.progress

    def _forget(self) -> None:
        over = [job for job in self._jobs.values() if job.state not in UNFINISHED]
        oldest_ns = self._clock.now_ns() - KEPT_NS
        for place, job in enumerate(over):
            if job.created_ns < oldest_ns or place < len(over) - MOST_KEPT:
                del self._jobs[job.id]


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
