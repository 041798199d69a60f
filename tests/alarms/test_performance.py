"""Figures of an alarm system, held against the plainest way to count them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarms.performance import (
    ORDER_OPEN_NS,
    EpisodeLog,
    Episodes,
    Label,
    chatters,
    figures,
    flood_periods,
    label_figures,
    orders_opened,
    unmatched,
)
from facility.clock import NS_PER_S
from facility.priority import Priority
from rules.events import Reason, RuleTransition, TransitionKind
from rules.spans import STANDING

S = NS_PER_S
START, END = 1_000_000 * S, 1_000_000 * S + 172_800 * S
Row = tuple[int, int, int, int]


@st.composite
def logbooks(draw: st.DrawFn) -> list[Row]:
    """Episodes of a few rules around the judged time: those of one rule follow each other."""
    rows = []
    gaps = st.sampled_from([1, 5, 20, 40, 300, 4_000, 90_000])
    for rule in range(1, draw(st.integers(1, 4)) + 1):
        at_s = 1_000_000 + draw(st.integers(-200_000, 20_000))
        for _ in range(draw(st.integers(0, 12))):
            at_s += draw(gaps)
            raised_s, at_s = at_s, at_s + draw(gaps)
            rows.append((rule, raised_s * S, at_s * S, int(draw(st.sampled_from(Priority)))))
        if draw(st.booleans()):
            rows.append((rule, (at_s + 7) * S, STANDING, 2))
    return [row for row in rows if row[2] >= START]


def in_time(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if START <= row[1] < END]


@given(logbooks())
def test_alarms_are_counted_by_day_and_by_priority(rows: list[Row]) -> None:
    found = figures(Episodes.of(rows), START, END)
    counted = in_time(rows)
    assert found.alarms == len(counted)
    assert found.alarms_per_day == pytest.approx(len(counted) / 2)
    assert found.by_priority == {priority: sum(row[3] == priority for row in counted) for priority in Priority}


@given(logbooks())
def test_the_worst_ten_minutes_are_the_worst(rows: list[Row]) -> None:
    found = figures(Episodes.of(rows), START, END)
    counts = [sum(at <= row[1] < at + 600 * S for row in rows) for at in range(START, END, 600 * S)]
    assert found.peak_10_min == max(counts)


@given(logbooks())
def test_time_in_alarm_is_what_a_second_hand_would_count(rows: list[Row]) -> None:
    found = figures(Episodes.of(rows), START, END)
    spans = [(max(row[1], START), min(row[2], END)) for row in rows]
    assert found.in_alarm_s == pytest.approx(sum(max(end - start, 0) for start, end in spans) / S)


@given(logbooks())
def test_stale_and_fleeting_alarms_are_told_by_how_long_they_stood(rows: list[Row]) -> None:
    found = figures(Episodes.of(rows), START, END)
    assert found.stale == sum(min(row[2], END) - row[1] > 86_400 * S for row in rows)
    short = [row for row in in_time(rows) if row[2] - row[1] < 60 * S]
    assert found.fleeting == sum(not chattering(row, in_time(rows)) for row in short)
    assert found.chattering == sum(chattering(row, in_time(rows)) for row in in_time(rows))


def chattering(row: Row, rows: Sequence[Row]) -> bool:
    """Three alarms of its rule, it among them, began within a minute."""
    raised = [other[1] for other in rows if other[0] == row[0]]
    windows = [[at for at in raised if first <= at <= first + 60 * S] for first in raised]
    return any(len(window) >= 3 and row[1] in window for window in windows)


@given(logbooks())
def test_the_ten_worst_of_few_rules_are_all(rows: list[Row]) -> None:
    found = figures(Episodes.of(rows), START, END)
    assert found.ten_worst_percent == (100.0 if in_time(rows) else 0.0)


def test_ten_rules_of_twelve_make_the_worst() -> None:
    rows = [
        (rule, START + place * 700 * S, START + (place * 700 + 1) * S, 3)
        for rule in range(1, 13)
        for place in range(rule)
    ]
    assert figures(Episodes.of(rows), START, END).ten_worst_percent == pytest.approx(100 * (78 - 3) / 78)


@given(st.lists(st.integers(0, 14), max_size=60))
def test_a_flood_lasts_until_a_period_is_calm(counts: list[int]) -> None:
    inside, flooded = False, []
    for count in counts:
        inside = count >= 5 if inside else count > 10
        flooded.append(inside)
    found = list(flood_periods(np.array(counts, np.int64)))
    assert [any(first <= place < after for first, after in found) for place in range(len(counts))] == flooded
    assert len(found) == sum(now and not before for before, now in pairwise([False, *flooded]))


def test_a_flood_counts_until_the_judged_time_ends_within_it() -> None:
    rows = [(place, START + place * S, START + (place + 1) * S, 3) for place in range(1, 12)]
    found = figures(Episodes.of(rows), START, START + 900 * S)
    assert (found.floods, found.peak_10_min) == (1, 11)
    assert found.flood_percent == pytest.approx(100 * 600 / 900)


@given(logbooks(), st.sets(st.integers(1, 4)))
def test_a_failure_has_one_unfinished_order_at_a_time(rows: list[Row], ordering: set[int]) -> None:
    expected = 0
    for rule in ordering:
        free_ns = -STANDING
        for _, raised, cleared, _ in sorted(row for row in rows if row[0] == rule):
            if raised >= free_ns:
                expected += START <= raised < END
                free_ns = raised + ORDER_OPEN_NS
            free_ns = max(free_ns, cleared)
    assert orders_opened(Episodes.of(rows), START, END, ordering=ordering) == expected


@given(logbooks(), logbooks())
def test_an_episode_is_new_when_no_other_of_its_rule_overlaps_it(rows: list[Row], others: list[Row]) -> None:
    found = unmatched(Episodes.of(rows), Episodes.of(others))
    assert found.tolist() == [
        not any(other[0] == row[0] and other[1] <= row[2] and row[1] <= other[2] for other in others)
        for row in sorted(rows)
    ]


@given(
    logbooks(),
    st.lists(
        st.tuples(st.integers(0, 172_000), st.sampled_from([1, 60, 9_000]), st.sets(st.integers(1, 4), min_size=1)),
        max_size=5,
    ),
)
def test_labels_are_caught_missed_and_told_falsely(rows: list[Row], windows: list[tuple[int, int, set[int]]]) -> None:
    labels = [Label(START + at * S, START + (at + long) * S, frozenset(rules)) for at, long, rules in windows]
    found = label_figures(Episodes.of(rows), labels, START, END)
    meets = [
        [row for row in rows if row[0] in label.rules and row[1] <= label.end_ns and row[2] >= label.start_ns]
        for label in labels
    ]
    assert found.labels == len(labels)
    assert found.caught == sum(map(bool, meets))
    assert found.missed == sum(not met for met in meets)
    delays = [
        max(min(row[1] for row in met) - label.start_ns, 0) / S for met, label in zip(meets, labels, strict=True) if met
    ]
    assert found.delay_s == (pytest.approx(float(np.median(delays))) if delays else None)
    judged = set().union(*(label.rules for label in labels)) if labels else set()
    told = {row for met in meets for row in met}
    assert found.false == sum(row[0] in judged and row not in told for row in in_time(rows))


def said(rule: int, kind: TransitionKind, at_s: int, priority: Priority = Priority.MEDIUM) -> RuleTransition:
    return RuleTransition(
        rule_id=rule,
        kind=kind,
        reason=Reason.HIGH,
        priority=priority,
        at_ns=START + at_s * S,
        since_ns=0,
        value=1,
        limit=0,
    )


def test_transitions_become_episodes_with_the_most_urgent_priority_that_each_reached() -> None:
    log = EpisodeLog()
    raised, escalated, eased, cleared = TransitionKind
    log.take([said(2, raised, -90), said(2, cleared, -30), said(2, raised, -5), said(1, raised, 10)])
    log.take([said(1, escalated, 20, Priority.CRITICAL), said(1, eased, 30), said(1, cleared, 40), said(1, raised, 50)])
    found = log.episodes(START)
    columns = (found.rule, (found.raised_ns - START) // S, found.priority)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [(1, 10, 1), (1, 50, 3), (2, -5, 3)]
    assert (found.cleared_ns == STANDING).tolist() == [False, True, True]
    log.take([said(2, cleared, 60)])  # what was looked at meanwhile goes on
    assert len(log.episodes(START)) == 3


def test_no_alarm_at_all_has_figures_too() -> None:
    found = figures(EpisodeLog().episodes(START), START, END)
    assert (found.alarms, found.peak_10_min, found.flood_percent, found.ten_worst_percent) == (0, 0, 0.0, 0.0)
    assert chatters(Episodes.of([])).tolist() == []
