"""An hour of Harbour Tower, back-tested from what was recorded of it, says what the rules said while it passed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest

from alarms.performance import EpisodeLog
from app.backtest.report import judged, result_of
from app.backtest.service import work_of
from app.backtest.work import Work
from dashboards.backtest_schemas import BacktestState, StartBacktest
from facility.clock import NS_PER_MS, NS_PER_S
from facility.conditions import CONDITION_TYPES
from facility.history.snapshot import read_days
from facility.samples import SampleBatch
from facility.storage.database import reading
from rules import kernel
from rules.backtest import Order, transitions
from rules.events import RuleTransition
from tests.app.backtests import over, running_jobs
from tests.app.tower_hour import HOUR_S, Hour, lived_hour


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    with lived_hour(tmp_path_factory.mktemp("tower")) as lived:
        yield lived


def all_rules(hour: Hour) -> Work:
    """What a person asks for who tests all rules on the hour."""
    asked = StartBacktest(from_ms=hour.start_ns // NS_PER_MS, to_ms=hour.end_ns // NS_PER_MS, all=True)
    with reading(hour.system.database) as connection:
        return work_of(asked, hour.facility, connection)


def by_rule(hour: Hour, said: Iterable[RuleTransition]) -> dict[str, list[str]]:
    """As text, since no NaN equals itself."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for transition in said:
        rule = hour.facility.rules[transition.rule_id]
        found[f"{rule.asset_id}/{rule.definition.name}"].append(repr(transition))
    return found


def told(hour: Hour) -> str:
    """How much was compared."""
    rules = {transition.rule_id for transition in hour.transitions}
    return f"{len(hour.transitions)} transitions of {len(rules)} of {len(hour.facility.rules)} rules"


def test_the_hour_had_every_kind_of_condition_in_it(hour: Hour) -> None:
    definitions = [rule.definition for rule in hour.facility.rules.values()]
    assert {each.condition.type for each in definitions} == set(CONDITION_TYPES)
    assert any(each.schedule for each in definitions)
    assert any(each.only_when for each in definitions)
    said = {hour.facility.rules[each.rule_id].definition.condition.type for each in hour.transitions}
    assert len(said) >= len(CONDITION_TYPES) - 3, said  # how many samples come in a minute is up to the machine
    assert hour.end_ns - hour.start_ns >= HOUR_S * NS_PER_S
    assert hour.system.inbox.dropped == 0


def test_every_transition_comes_again_at_the_same_time_with_the_same_evidence(hour: Hour, tmp_path: Path) -> None:
    work = all_rules(hour)
    files = work.snapshot(hour.system.services.history, tmp_path)

    def read(points: Collection[int], start_ns: int, end_ns: int, order: Order) -> Iterable[SampleBatch]:
        return read_days(files, points, start_ns, end_ns, by=order.value)

    steps = [step for each in work.readings for step in transitions(each, work.period, read, fast=kernel.plain)]
    replayed = by_rule(hour, (transition for step in steps for transition in step.transitions[0]))
    live = by_rule(hour, hour.transitions)
    assert replayed.keys() == live.keys(), told(hour)
    for rule, said in live.items():
        assert replayed[rule] == said, f"{rule}; {told(hour)}"


def test_a_back_test_in_its_own_process_counts_the_alarms_that_there_were(hour: Hour, tmp_path: Path) -> None:
    work = all_rules(hour)
    with running_jobs(hour.system.services.history, tmp_path / "back-tests") as jobs:
        job = over(jobs, jobs.submit(work, author="Eva"))
    assert job.state is BacktestState.DONE, job.error
    assert job.result is not None
    log = EpisodeLog()
    log.take(hour.transitions)
    lived = judged(work.live, log.episodes(hour.start_ns), work.tested, work.period, ())
    figures = result_of(lived, None, samples=job.result.samples, seconds=job.result.seconds)
    assert job.result == figures
