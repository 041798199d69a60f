"""What the API can do about back-tests, over jobs and processes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine

from app.backtest.drafts import draft_of, labels_of, proposed_rules, rule_of
from app.backtest.jobs import Job, Jobs
from app.backtest.previews import Previews
from app.backtest.work import Work, planned
from dashboards.backtest_schemas import (
    BacktestView,
    StartBacktest,
    Stretch,
    SuggestionView,
    SuggestRule,
    TestedRule,
    TryRule,
)
from dashboards.views import moment
from facility.clock import NS_PER_MS, Clock
from facility.history.history import History
from facility.model import Facility, Rule
from facility.samples import SampleBatch
from facility.storage.database import reading
from people.model import Account
from rules.backtest import Period, RuleSet, cut, needed, with_rules
from rules.candidates import Window
from rules.learning import load_baselines
from rules.suggestion import tunable
from rules.trial import Question


class RunningBacktests:
    """Back-tests of a running system."""

    def __init__(self, jobs: Jobs, previews: Previews, database: Engine) -> None:
        self._jobs = jobs
        self._previews = previews
        self._database = database

    def start(self, asked: StartBacktest, facility: Facility, *, author: Account) -> BacktestView:
        """Put a back-test in line.

        Raises:
            NotFoundError: A rule does not exist.
            ConfigurationError: A draft has mistakes.
            InvalidCommandError: Too many wait already.
        """
        with reading(self._database) as connection:
            work = work_of(asked, facility, connection)
        return view_of(self._jobs.submit(work, author=author.name))

    def all(self) -> list[BacktestView]:
        """Return those that are not forgotten, the newest first, without what came out."""
        return [view_of(job).model_copy(update={"result": None}) for job in self._jobs.all()]

    def one(self, number: int) -> BacktestView:
        """Return one; see :meth:`app.backtest.jobs.Jobs.job`."""
        return view_of(self._jobs.job(number))

    def cancel(self, number: int) -> BacktestView:
        """End one; what is over stays as it is."""
        return view_of(self._jobs.cancel(number))

    def preview(self, rule_id: int, asked: TryRule, facility: Facility) -> bytes:
        """Try a draft of one rule at once, and return the :class:`~dashboards.backtest_schemas.TryView` as JSON.

        Raises:
            NotFoundError: There is no such rule.
            ConfigurationError: The draft has mistakes.
        """
        tested = TestedRule(rule_id=rule_id, definition=asked.definition)
        wanted = StartBacktest(from_ms=asked.from_ms, to_ms=asked.to_ms, rules=[tested])
        with reading(self._database) as connection:
            work = work_of(wanted, facility, connection)
        return self._previews.preview(work)

    def suggest(self, rule_id: int, asked: SuggestRule, facility: Facility) -> SuggestionView:
        """Search for settings of a rule that meet a target.

        Raises:
            NotFoundError: There is no such rule.
            InvalidCommandError: Nothing can be suggested.
        """
        rule = rule_of(facility, rule_id)
        tunable(rule)
        labels = labels_of(asked.labels, {rule_id: rule})
        question = Question(
            facility=cut(facility, [rule_id]),
            rule=rule,
            samples=SampleBatch.of([]),
            period=period_of(asked),
            labels=tuple(Window(label.start_ns, label.end_ns) for label in labels),
            target_per_day=asked.target_per_day,
        )
        return self._previews.suggest(question)


@contextlib.contextmanager
def running_backtests(database: Engine, history: History, folder: Path, clock: Clock) -> Iterator[RunningBacktests]:
    """Run back-tests until the block ends."""
    jobs, previews = Jobs(history, folder, clock), Previews(history, folder)
    jobs.start()
    try:
        yield RunningBacktests(jobs, previews, database)
    finally:
        previews.close()
        jobs.stop()


def work_of(asked: StartBacktest, facility: Facility, connection: Connection) -> Work:
    """Return what a request asks for.

    Raises:
        NotFoundError: A rule, or the change, does not exist.
        StaleCommandError: A rule of the change was decided about since it was proposed.
        ConfigurationError: A draft has mistakes.
    """
    drafts = _drafts(asked, facility, connection)
    named = facility.rules if asked.all else {rule_of(facility, each.rule_id).id for each in asked.rules}
    tested = frozenset(named) | drafts.keys()
    draft = with_rules(facility, drafts)
    rules = {key: rule for key in tested if (rule := facility.rules.get(key) or draft.rules.get(key))}
    return planned(
        rule_set(facility, tested, connection),
        rule_set(draft, tested, connection) if drafts else None,
        tested=tested,
        period=period_of(asked),
        labels=labels_of(asked.labels, rules),
    )


def _drafts(asked: StartBacktest, facility: Facility, connection: Connection) -> dict[int, Rule | None]:
    if asked.change_id is not None:
        return proposed_rules(facility, connection, asked.change_id)
    return {
        each.rule_id: draft_of(facility, rule_of(facility, each.rule_id), each.definition)
        for each in asked.rules
        if each.definition is not None
    }


def rule_set(facility: Facility, tested: Collection[int], connection: Connection) -> RuleSet:
    """Return rules with what was learned for them; a draft that moves only a limit keeps that."""
    part = cut(facility, needed(facility, tested))
    return RuleSet(part, load_baselines(connection, part))


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
