"""Rules on history say what they would have said live."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alarms.performance import EpisodeLog, Episodes
from facility.clock import NS_PER_S
from facility.conditions import Composite, Condition, Deviation, WindowStatistic
from facility.history.days import NS_PER_DAY
from facility.model import Facility
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from rules import kernel
from rules.backtest import (
    LEAST_WARM_UP_S,
    Order,
    Period,
    Read,
    RuleSet,
    as_they_arrived,
    backtest,
    cut,
    needed,
    readings,
    standing,
    transitions,
    with_rules,
)
from rules.compiled import compiled
from rules.engine import RuleEngine
from rules.events import RuleTransition
from rules.layout import Kernel
from tests.rules.plant import MODE, MODES, TEMPERATURE, S, broken, hot, plant, sample, silent, untrusted
from tests.rules.test_properties import days, plants
from tests.rules.test_signal_properties import Plan
from tests.rules.test_signal_properties import days as signal_days
from tests.rules.test_signal_properties import plans as signal_plans
from tests.rules.works import PRESSURE, SETPOINT, told, works

START_NS = 20_000 * NS_PER_DAY


def lying(samples: Sequence[Sample]) -> Read:
    """A history that gives its days as they lie on disk, or by arrival."""

    def read(points: Collection[int], start_ns: int, end_ns: int, order: Order) -> Iterable[SampleBatch]:
        key: Callable[[Sample], tuple[int, ...]] = operator.attrgetter("point", "source_time_ns", "gateway_time_ns")
        if order is Order.ARRIVAL:
            key = operator.attrgetter("gateway_time_ns", "point")
        wanted = [each for each in samples if each.point in points and start_ns <= each.source_time_ns < end_ns]
        for day in sorted({each.source_time_ns // NS_PER_DAY for each in wanted}):
            yield SampleBatch.of(sorted((each for each in wanted if each.source_time_ns // NS_PER_DAY == day), key=key))

    return read


def tried(
    facility: Facility, samples: Sequence[Sample], period: Period, *, fast: Kernel = kernel.plain
) -> list[RuleTransition]:
    steps = backtest([RuleSet(facility)], facility.rules, period, lying(samples), fast=fast)
    return [transition for step in steps for transition in step.transitions[0]]


def by_rule(transitions: Iterable[RuleTransition]) -> dict[int, list[str]]:
    """As text, since no NaN equals itself."""
    found: dict[int, list[str]] = {}
    for transition in transitions:
        found.setdefault(transition.rule_id, []).append(repr(transition))
    return found


@given(facility=plants, samples=days(), split=st.integers(0, 40), offset_s=st.integers(-20, 20))
@settings(max_examples=60)
def test_history_by_point_says_what_live_said(
    facility: Facility, samples: list[Sample], split: int, offset_s: int
) -> None:
    midnight_ns = START_NS + offset_s * NS_PER_S  # the story may go over midnight anywhere
    moved = [
        each._replace(
            source_time_ns=each.source_time_ns + midnight_ns, gateway_time_ns=each.gateway_time_ns + midnight_ns
        )
        for each in samples
    ]
    period = Period(start_ns=midnight_ns, end_ns=moved[-1].gateway_time_ns + 20 * S)
    live = RuleEngine(facility, now_ns=midnight_ns, fast=kernel.plain)
    said = [*live.evaluate(SampleBatch.of(moved[:split])).transitions]
    said += live.sweep(moved[split - 1].gateway_time_ns if 0 < split <= len(moved) else midnight_ns).transitions
    said += live.evaluate(SampleBatch.of(moved[split:])).transitions
    said += live.sweep(period.end_ns).transitions
    assert by_rule(tried(facility, moved, period)) == by_rule(said)


def test_the_compiled_kernel_says_the_same() -> None:
    fast = compiled()
    if fast is None:
        pytest.skip("numba is not installed")
    facility = plant([(TEMPERATURE, hot(on_delay_s=3)), (TEMPERATURE, silent(40)), (MODE, broken("jammed"))])
    story = [sample(at, 70 + at % 37) for at in range(0, 900, 2)] + [
        sample(at, at % 3, point=MODE) for at in range(7, 800, 50)
    ]
    period = Period(start_ns=0, end_ns=1_000 * S)
    assert tried(facility, story, period, fast=fast)
    assert repr(tried(facility, story, period, fast=fast)) == repr(tried(facility, story, period))


def test_a_delay_that_runs_at_the_end_is_finished_if_it_ends_within_the_period() -> None:
    facility = plant([(TEMPERATURE, hot(high_high=None, on_delay_s=30))])
    story = [sample(at, 85) for at in (100, 110)]
    assert [each.at_ns for each in tried(facility, story, Period(start_ns=0, end_ns=130 * S))] == [130 * S]
    assert tried(facility, story, Period(start_ns=0, end_ns=129 * S)) == []


def test_what_stood_before_the_period_is_known_at_its_start() -> None:
    facility = plant([(TEMPERATURE, hot(high_high=None, deadband=5))])
    story = [sample(at, value) for at, value in ((0, 85.0), (2_000, 78.0), (5_000, 70.0))]
    found = tried(facility, story, Period(start_ns=3_000 * S, end_ns=6_000 * S))
    assert [(each.kind.value, each.at_ns // S) for each in found] == [("raised", 0), ("cleared", 5_000)]


def test_a_door_that_was_left_open_hours_before_is_known_to_stand_open() -> None:
    facility = plant([(MODE, broken("jammed"))])
    story = [sample(1_000, MODES["jammed"], point=MODE), sample(50_000, MODES["running"], point=MODE)]
    found = tried(facility, story, Period(start_ns=40_000 * S, end_ns=60_000 * S))
    assert [(each.kind.value, each.at_ns // S) for each in found] == [("raised", 1_000), ("cleared", 50_000)]
    longer_ago = Period(start_ns=NS_PER_DAY + 5_000 * S, end_ns=NS_PER_DAY + 9_000 * S)
    assert tried(facility, story[:1], longer_ago) == []


def test_a_set_point_that_nobody_has_moved_for_hours_still_holds() -> None:
    deviation = Deviation.model_validate(
        {"type": "deviation", "reference": "setpoint", "limits": {"high": {"value": 1}}}
    )
    facility = works({"too_high": (PRESSURE, deviation)})
    lost = told(30_500, SETPOINT, math.nan, Quality.BAD_COMMUNICATION)
    story = [told(1_000, SETPOINT, 400.0), told(41_000, PRESSURE, 6.0), told(42_000, PRESSURE, 4.5)]
    period = Period(start_ns=40_000 * S, end_ns=60_000 * S)
    found = tried(facility, story, period)
    assert [(each.kind.value, each.at_ns // S) for each in found] == [("raised", 41_000), ("cleared", 42_000)]
    assert tried(facility, [story[0], lost, *story[1:]], period) == []


@given(plan=signal_plans(), samples=signal_days(), split=st.integers(0, 40))
@settings(max_examples=60)
def test_a_period_in_the_middle_of_a_run_says_what_was_said_live(plan: Plan, samples: list[Sample], split: int) -> None:
    live = RuleEngine(plan.facility(), now_ns=0, fast=kernel.plain)
    end_ns = samples[-1].gateway_time_ns + 200 * S
    said = [*live.evaluate(SampleBatch.of(samples)).transitions, *live.sweep(end_ns).transitions]
    start_ns = samples[min(split, len(samples) - 1)].gateway_time_ns
    found = tried(plan.facility(), samples, Period(start_ns=start_ns, end_ns=end_ns))
    assert by_rule(each for each in found if each.at_ns >= start_ns) == by_rule(
        each for each in said if each.at_ns >= start_ns
    )


def test_silence_counts_from_the_period_where_history_has_nothing_before() -> None:
    facility = plant([(TEMPERATURE, silent(60))])
    found = tried(facility, [sample(100_030, 1)], Period(start_ns=100_000 * S, end_ns=100_080 * S))
    assert found == []
    found = tried(facility, [sample(100_070, 1)], Period(start_ns=100_000 * S, end_ns=100_080 * S))
    assert [each.at_ns // S for each in found] == [100_060, 100_070]


def test_a_sample_that_came_late_is_ignored_as_it_was_live() -> None:
    late = SampleBatch.of(
        [sample(10, 1), sample(20, 99, late_s=60), sample(30, 2), sample(40, 3), sample(5, 7, point=MODE)]
    )
    assert as_they_arrived(late).source_time_ns.tolist() == [10 * S, 30 * S, 40 * S, 20 * S, 5 * S]
    orderly = late.where(late.value != 99)
    assert as_they_arrived(orderly) is orderly
    facility = plant([(TEMPERATURE, hot(high_high=None))])
    story = [sample(10, 1), sample(20, 99, late_s=60), sample(30, 2)]
    assert tried(facility, story, Period(start_ns=0, end_ns=100 * S)) == []


def test_a_draft_runs_beside_the_live_rule_in_one_reading() -> None:
    live = plant([(TEMPERATURE, hot(high_high=None)), (MODE, broken("jammed"))])
    rule = live.rules[1]
    lower = replace(rule, definition=rule.definition.model_copy(update={"condition": hot(high=60, high_high=None)}))
    draft = with_rules(live, {1: lower, 2: None})
    reads = []

    def read(points: Collection[int], start_ns: int, end_ns: int, order: Order) -> Iterable[SampleBatch]:
        reads.append((sorted(points), order))
        return lying([sample(1, 70), sample(2, 2, point=MODE)])(points, start_ns, end_ns, order)

    steps = list(
        backtest([RuleSet(live), RuleSet(draft)], {1, 2}, Period(start_ns=0, end_ns=10 * S), read, fast=kernel.plain)
    )
    ours = [each.rule_id for step in steps for each in step.transitions[0]]
    theirs = [each.rule_id for step in steps for each in step.transitions[1]]
    assert (ours, theirs) == ([2], [1])
    assert reads == 2 * [([TEMPERATURE, MODE], Order.POINT)]  # what stood before, and the period
    assert (steps[-1].share, sum(step.samples for step in steps)) == (1.0, 2)


def test_progress_grows_with_the_days_and_within_them() -> None:
    facility = plant([(TEMPERATURE, hot()), (MODE, broken("jammed"))])
    story = [
        sample(day * 86_400 + at, 1, point=point)
        for day in range(4)
        for point in (TEMPERATURE, MODE)
        for at in (10, 80_000)
    ]

    def by_piece(points: Collection[int], start_ns: int, end_ns: int, order: Order) -> Iterable[SampleBatch]:
        for batch in lying(story)(points, start_ns, end_ns, order):
            yield from (batch.part(0, 2), batch.part(2, 4))

    period = Period(start_ns=0, end_ns=4 * NS_PER_DAY)
    shares = [step.share for step in backtest([RuleSet(facility)], facility.rules, period, by_piece, fast=kernel.plain)]
    assert shares == pytest.approx([0.13, 0.25, 0.38, 0.5, 0.63, 0.75, 0.88, 1.0, 1.0], abs=0.02)


@given(facility=plants, samples=days(), split=st.integers(0, 40))
@example(  # quality runs on the source's clock, and the silence beside it on the gateway's
    facility=plant([(TEMPERATURE, untrusted("bad", timeout_s=6.0))]),
    samples=[
        sample(6, 0, quality=Quality.BAD_COMMUNICATION, late_s=0.5),
        sample(6, 0, late_s=0.5),
    ],
    split=0,
)
@settings(max_examples=100)
def test_spans_are_what_the_transitions_say(facility: Facility, samples: list[Sample], split: int) -> None:
    period = Period(start_ns=0, end_ns=samples[-1].gateway_time_ns + 20 * S)

    def in_two(points: Collection[int], start_ns: int, end_ns: int, order: Order) -> Iterable[SampleBatch]:
        for batch in lying(samples)(points, start_ns, end_ns, order):
            place = int(np.searchsorted(batch.point, batch.point[min(split, len(batch) - 1)]))  # a point stays whole
            yield from (part for part in (batch.part(0, place), batch.part(place, len(batch))) if len(part))

    (reading,) = readings([RuleSet(facility)], facility.rules)
    told, seen = EpisodeLog(), EpisodeLog()
    for step in transitions(reading, period, in_two, fast=kernel.plain):
        told.take(step.transitions[0])
    for step in standing(reading, period, in_two, fast=kernel.plain):
        for spans in step.spans:
            seen.add(spans)
    assert rows(seen.episodes(0)) == rows(told.episodes(0))


def rows(episodes: Episodes) -> list[tuple[int, ...]]:
    columns = (episodes.rule, episodes.raised_ns, episodes.cleared_ns, episodes.priority)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_rules_look_back_before_the_period_for_as_long_as_they_remember() -> None:
    mean = WindowStatistic.model_validate(
        {"type": "window", "statistic": "mean", "window_s": 9_000, "limits": {"high": {"value": 50}}}
    )
    assert look_back_s(hot(on_delay_s=5)) == LEAST_WARM_UP_S
    assert look_back_s(silent(7_200)) == 7_200
    assert look_back_s(mean) >= 9_000


def look_back_s(condition: Condition) -> float:
    facility = plant([(TEMPERATURE, condition)])
    (reading,) = readings([RuleSet(facility)], facility.rules)
    return reading.look_back_ns / S


def test_a_rule_travels_with_what_it_looks_at_and_nothing_else() -> None:
    composite = Composite(type="composite", expression="rule_1 and temperature > 30")
    facility = plant({1: (TEMPERATURE, hot()), 2: (MODE, broken("jammed")), 3: (TEMPERATURE, composite)})
    facility = replace(
        facility,
        rules={
            key: replace(rule, definition=rule.definition.model_copy(update={"name": f"rule_{key}"}))
            for key, rule in facility.rules.items()
        },
    )
    assert needed(facility, {3}) == {1, 3}
    assert needed(facility, {2, 77}) == {2}
    alone, joined = readings([RuleSet(facility)], {2, 3})
    assert (alone.order, alone.points, alone.tested) == (Order.POINT, frozenset({MODE}), (frozenset({2}),))
    assert (joined.order, joined.points) == (Order.ARRIVAL, frozenset({TEMPERATURE}))
    assert joined.tested == (frozenset({3}),)
    part = cut(facility, {2})
    assert (list(part.rules), list(part.assets), list(part.points)) == ([2], ["pump-1"], [1, 2, 3])
    assert part.assets["pump-1"].equipment_class.maintenance == {}


def test_a_composite_on_history_says_what_it_said_live() -> None:
    composite = Composite(type="composite", expression="temperature > 80 and mode == 'running'", on_delay_s=3)
    facility = plant([(TEMPERATURE, composite), (TEMPERATURE, hot(high_high=None))])
    story = [sample(at, 70 + at % 20) for at in range(0, 300, 2)]
    story += [sample(at, at // 50 % 2, point=MODE) for at in range(1, 300, 25)]
    story.sort(key=lambda each: each.gateway_time_ns)
    live = RuleEngine(facility, now_ns=0, fast=kernel.plain)
    said = [change for each in story for change in live.evaluate(SampleBatch.of([each])).transitions]
    said += live.sweep(400 * S).transitions
    found = tried(facility, story, Period(start_ns=0, end_ns=400 * S))
    assert len(found) > 10
    assert by_rule(found) == by_rule(said)
