"""What the API can do about back-tests, over jobs and processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from app.backtest.drafts import draft_of, labels_of, rule_of
from app.backtest.jobs import Job, Jobs
from app.backtest.work import Work, planned
from dashboards.backtest_schemas import BacktestView, StartBacktest, Stretch
from dashboards.views import moment
from facility.clock import NS_PER_MS, Clock
from facility.history.history import History
from facility.model import Facility, Rule
from people.model import Account
from rules.backtest import Period


class RunningBacktests:
    """Back-tests of a running system."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def start(self, asked: StartBacktest, facility: Facility, *, author: Account) -> BacktestView:
        """Put a back-test in line.

        Raises:
            NotFoundError: A rule does not exist.
            ConfigurationError: A draft has mistakes.
            InvalidCommandError: Too many wait already.
        """
        return view_of(self._jobs.submit(work_of(asked, facility), author=author.name))

    def all(self) -> list[BacktestView]:
        """Return those that are not forgotten, the newest first, without what came out."""
        return [view_of(job).model_copy(update={"result": None}) for job in self._jobs.all()]

    def one(self, number: int) -> BacktestView:
        """Return one; see :meth:`app.backtest.jobs.Jobs.job`."""
        return view_of(self._jobs.job(number))

    def cancel(self, number: int) -> BacktestView:
        """End one; what is over stays as it is."""
        return view_of(self._jobs.cancel(number))


@contextlib.contextmanager
def running_backtests(history: History, folder: Path, clock: Clock) -> Iterator[RunningBacktests]:
    """Run back-tests until the block ends."""
    jobs = Jobs(history, folder, clock)
    jobs.start()
    try:
        yield RunningBacktests(jobs)
    finally:
        jobs.stop()


def work_of(asked: StartBacktest, facility: Facility) -> Work:
    """Return what a request asks for.

    Raises:
        NotFoundError: A rule does not exist.
        ConfigurationError: A draft has mistakes.
    """
    drafts: dict[int, Rule | None] = {
        each.rule_id: draft_of(facility, rule_of(facility, each.rule_id), each.definition)
        for each in asked.rules
        if each.definition is not None
    }
    tested = frozenset(facility.rules if asked.all else (rule_of(facility, each.rule_id).id for each in asked.rules))
    return planned(
        facility,
        drafts,
        tested=tested,
        period=period_of(asked),
        labels=labels_of(asked.labels, facility, tested),
    )


def period_of(stretch: Stretch) -> Period:
    """Return a stretch of history in nanoseconds."""
    return Period(start_ns=stretch.from_ms * NS_PER_MS, end_ns=stretch.to_ms * NS_PER_MS)


def view_of(job: Job) -> BacktestView:
    """Show a job."""
    period = job.work.period
    return BacktestView(
        id=job.id,
        state=job.state,
        progress=job.progress,
        author=job.author,
        created_at=moment(job.created_ns),
        from_ms=period.start_ns // NS_PER_MS,
        to_ms=period.end_ns // NS_PER_MS,
        rules=len(job.work.tested),
        error=job.error,
        result=job.result,
    )
