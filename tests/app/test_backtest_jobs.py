"""Back-tests in a process of their own: what comes out, how they are cancelled, and whom their end disturbs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.backtest.drafts import draft_of, labels_of
from app.backtest.jobs import KEPT_NS, MOST_KEPT, MOST_WAITING, Jobs
from app.backtest.work import Progress, Work, planned
from app.backtest.worker import BACKGROUND, BacktestFailedError, Worker
from dashboards.backtest_schemas import BacktestState, LabelWindow
from dashboards.schemas import View
from facility.clock import NS_PER_S, VirtualClock
from facility.errors import ConfigurationError, InvalidCommandError, NotFoundError
from facility.history.duckdb_history import DuckDbHistory
from facility.priority import Priority
from rules.backtest import Period, RuleSet, with_rules
from tests.app.backtests import END_NS, FACILITY, START_NS, over, reached, running_jobs, written
from tests.facilities import BEARING_HIGH, HELD_OPEN, SEAL_LEAK

HOUR_MS = 3_600_000
START_MS = START_NS // 1_000_000
PERIOD = Period(start_ns=START_NS, end_ns=END_NS)


@dataclass(frozen=True)
class Endless:
    """A task that never comes to an end."""

    def run(self) -> Iterator[Progress | View]:
        while True:
            yield Progress(os.nice(0) / 100)  # tells its priority meanwhile


@dataclass(frozen=True)
class Deadly:
    """A task that takes its process with it."""

    def run(self) -> Iterator[Progress | View]:
        os.kill(os.getpid(), signal.SIGSEGV)
        yield Progress(1.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[DuckDbHistory]:
    opened = written(tmp_path / "history")
    yield opened
    opened.close()


@pytest.fixture
def jobs(history: DuckDbHistory, tmp_path: Path) -> Iterator[Jobs]:
    with running_jobs(history, tmp_path / "back-tests") as running:
        yield running


def noon_rule(*, limit: float | None = None) -> Work:
    """The bearing's rule, with a draft of another limit beside it."""
    rule = FACILITY.rules[BEARING_HIGH]
    condition = {"type": "threshold", "limits": {"high": {"value": limit}}}
    draft = None
    if limit is not None:
        draft = RuleSet(with_rules(FACILITY, {BEARING_HIGH: draft_of(FACILITY, rule, {"condition": condition})}))
    return planned(RuleSet(FACILITY), draft, tested={BEARING_HIGH}, period=PERIOD)


def test_a_rule_on_closed_and_open_days_alarms_as_often_as_it_would_have(jobs: Jobs) -> None:
    job = over(jobs, jobs.submit(noon_rule(), author="Eva"))
    assert (job.state, job.error, job.progress) == (BacktestState.DONE, None, 1.0)
    assert job.result is not None
    assert job.result.samples == 3 * 8_640
    live = job.result.live
    assert (live.alarms, live.alarms_per_day, live.orders, live.in_alarm_s) == (3, 1.0, 3, 3 * 3_600)
    assert live.by_priority == {Priority.CRITICAL: 0, Priority.HIGH: 0, Priority.MEDIUM: 3, Priority.LOW: 0}
    assert job.result.draft is None
    assert job.result.rules[0].draft is None


def test_a_draft_is_compared_with_the_live_rule_and_with_labels(history: DuckDbHistory, tmp_path: Path) -> None:
    noon = START_MS + 12 * HOUR_MS
    windows = [
        LabelWindow(rule_id=BEARING_HIGH, from_ms=noon - HOUR_MS, to_ms=noon + HOUR_MS),
        LabelWindow(asset_id="pump-1", from_ms=START_MS + HOUR_MS, to_ms=START_MS + 2 * HOUR_MS),
        LabelWindow(asset_id="door-1", from_ms=noon, to_ms=noon + 1),
    ]
    labels = labels_of(windows, {BEARING_HIGH: FACILITY.rules[BEARING_HIGH]})
    with running_jobs(history, tmp_path / "back-tests") as jobs:
        low = over(jobs, jobs.submit(replace(noon_rule(limit=60), labels=tuple(labels)), author="Eva")).result
        high = over(jobs, jobs.submit(replace(noon_rule(limit=90), labels=tuple(labels)), author="Eva")).result
    assert low is not None
    assert low.draft is not None
    assert (low.draft.alarms, low.draft.stale, low.new, low.missed) == (1, 1, 0, 0)  # for ever beyond, all at once
    assert low.live.labels is not None
    assert (low.live.labels.labels, low.live.labels.caught, low.live.labels.false) == (2, 1, 2)
    assert low.live.labels.delay_s == 3_600
    assert low.draft.labels is not None
    assert low.draft.labels.caught == 2
    assert high is not None
    assert high.draft is not None
    assert (high.draft.alarms, high.new, high.missed) == (0, 0, 3)
    assert high.rules[0].missed_episodes[0] == (noon, noon + HOUR_MS, Priority.MEDIUM)


def test_many_rules_are_listed_with_those_that_differ_first(jobs: Jobs) -> None:
    seal = FACILITY.rules[SEAL_LEAK]
    work = planned(
        RuleSet(FACILITY),
        RuleSet(with_rules(FACILITY, {SEAL_LEAK: None})),
        tested={BEARING_HIGH, SEAL_LEAK, HELD_OPEN},
        period=PERIOD,
    )
    result = over(jobs, jobs.submit(work, author="Eva")).result
    assert result is not None
    assert [rule.name for rule in result.rules] == ["bearing_temperature_high", "held_open", "seal_leak"]
    gone = result.rules[-1]
    assert (gone.rule_id, gone.asset_id, gone.draft) == (seal.id, "pump-1", None)


def test_a_draft_with_mistakes_is_refused_with_all_of_them() -> None:
    rule = FACILITY.rules[BEARING_HIGH]
    with pytest.raises(ConfigurationError, match=r"pump-1/bearing_temperature_high:0: condition.*limits"):
        draft_of(FACILITY, rule, {"condition": {"type": "threshold", "limits": {}}})
    with pytest.raises(ConfigurationError, match="pump has no point 'bearing'"):
        draft_of(FACILITY, rule, {"point": "bearing"})


def test_a_cancelled_back_test_ends_at_once_and_the_next_one_runs(jobs: Jobs, tmp_path: Path) -> None:
    first = jobs.submit(noon_rule(), author="Eva")
    second = jobs.submit(noon_rule(), author="Eva")
    third = jobs.submit(noon_rule(), author="Eva")
    jobs.cancel(first.id)
    jobs.cancel(second.id)
    assert over(jobs, third).state is BacktestState.DONE
    assert {first.state, second.state} == {BacktestState.CANCELLED}
    assert jobs.cancel(third.id).state is BacktestState.DONE
    reached(lambda: not list((tmp_path / "back-tests").iterdir()))  # no file of history is held any longer


def test_a_process_that_dies_is_an_error_of_its_back_test_only(jobs: Jobs) -> None:
    doomed, healthy = jobs.submit(noon_rule(), author="Eva"), jobs.submit(noon_rule(), author="Eva")
    reached(lambda: doomed.worker is not None)
    doomed.worker.kill()  # type: ignore[union-attr]  # just seen
    assert over(jobs, doomed).state is BacktestState.FAILED
    assert "ended by itself (signal SIGKILL)" in (doomed.error or "")
    assert "Try a shorter period" in (doomed.error or "")
    assert over(jobs, healthy).state is BacktestState.DONE


def test_no_more_wait_than_fit_and_old_ones_are_forgotten(history: DuckDbHistory, tmp_path: Path) -> None:
    clock = VirtualClock(END_NS)
    jobs = Jobs(history, tmp_path / "back-tests", clock)  # runs none
    for _ in range(MOST_WAITING):
        jobs.submit(noon_rule(), author="Eva")
    with pytest.raises(InvalidCommandError, match="8 back-tests wait already"):
        jobs.submit(noon_rule(), author="Eva")
    for _ in range(MOST_KEPT + 10):
        jobs.cancel(jobs.all()[0].id)
        jobs.submit(noon_rule(), author="Eva")
    assert sum(job.state is BacktestState.CANCELLED for job in jobs.all()) == MOST_KEPT
    clock.advance(KEPT_NS / NS_PER_S + 1)
    assert len(jobs.all()) == MOST_WAITING
    with pytest.raises(NotFoundError, match="There is no back-test 9"):
        jobs.job(9)


def test_a_back_test_has_the_lowest_priority_of_the_machine(tmp_path: Path) -> None:
    worker, seen = Worker(tmp_path, niceness=BACKGROUND), []

    def progress(share: float) -> None:
        seen.append(share)
        worker.kill()

    with pytest.raises(BacktestFailedError):
        worker.ask(Endless(), progress)
    worker.close()
    assert seen[0] == pytest.approx(0.19)


def test_the_last_words_of_a_process_stand_in_its_error(tmp_path: Path) -> None:
    worker = Worker(tmp_path, niceness=0)
    with pytest.raises(BacktestFailedError, match="signal SIGSEGV"):
        worker.ask(Deadly())
    worker.close()


def test_no_back_test_outlives_the_process_that_asked_for_it(tmp_path: Path) -> None:
    code = (
        "import pathlib; from app.backtest.worker import Worker; from tests.app.test_backtest_jobs import Endless\n"
        f"worker = Worker(pathlib.Path({str(tmp_path)!r}), niceness=0)\n"
        "worker.ask(Endless(), lambda _: print(worker._process.pid, flush=True))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)  # noqa: S603  # our own
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    reached(lambda: not runs(child))


def runs(process: int) -> bool:
    """Tell whether a process is there and does anything: one that ended may wait for whoever collects it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "state=", "-p", str(process)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return not state.stdout.startswith("Z")
