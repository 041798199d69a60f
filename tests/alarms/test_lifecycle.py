from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alarms.lifecycle import (
    NORMAL,
    TRANSITIONS,
    AlarmState,
    Policy,
    Signal,
    Step,
    Suppression,
    advance,
    as_markdown,
    isa_letter,
)

PAGE = Path(__file__).parents[2] / "docs" / "alarm-lifecycle.md"

LIVING = [signal for signal in Signal if signal is not Signal.RETIRED]
"""What can happen while the rule is there."""

policies = st.builds(Policy, st.booleans(), st.booleans())
signals = st.lists(st.sampled_from(LIVING), max_size=30)
states = st.builds(AlarmState, st.booleans(), st.booleans(), st.booleans(), st.frozensets(st.sampled_from(Suppression)))


def live(
    policy: Policy, sequence: list[Signal], begin: AlarmState = NORMAL
) -> list[tuple[Signal, Step | None, AlarmState]]:
    """Return what each signal did, and the state afterwards."""
    history, state = [], begin
    for signal in sequence:
        step = advance(state, signal, policy=policy)
        state = step.state if step else state
        history.append((signal, step, state))
    return history


@given(policies, signals)
@example(Policy(), [Signal.RAISED, Signal.CLEARED, Signal.ACKNOWLEDGE])
def test_no_alarm_goes_quiet_before_someone_has_seen_it(policy: Policy, sequence: list[Signal]) -> None:
    seen = True
    for signal, step, _ in live(policy, sequence):
        if step is None:
            continue
        seen = signal is Signal.ACKNOWLEDGE or (seen and signal not in {Signal.RAISED, Signal.ESCALATED})
        assert not step.closed or seen or not policy.must_be_seen


@given(policies, signals)
def test_an_alarm_never_ends_while_its_condition_is_true(policy: Policy, sequence: list[Signal]) -> None:
    true = False
    for signal, step, state in live(policy, sequence):
        true = (true or signal is Signal.RAISED) and signal is not Signal.CLEARED
        assert state.active == true
        assert not (step and step.closed and true)


@given(signals, st.booleans())
def test_a_latched_alarm_ends_only_by_a_reset(sequence: list[Signal], acknowledge: bool) -> None:  # noqa: FBT001  # hypothesis hands it in
    for signal, step, _ in live(Policy(acknowledge=acknowledge, latched=True), sequence):
        assert not (step and step.closed) or signal is Signal.RESET


@given(policies, signals)
def test_every_episode_opens_once_before_it_closes_once(policy: Policy, sequence: list[Signal]) -> None:
    marks = [
        mark
        for _, step, _ in live(policy, sequence)
        if step
        for mark in "oc"
        if (step.opened, step.closed)["oc".index(mark)]
    ]
    assert all(before != after for before, after in pairwise(marks))
    assert marks[:1] in ([], ["o"])


@given(policies, states, st.sampled_from(Signal))
def test_at_most_one_row_applies_and_suppression_never_changes_it(
    policy: Policy, state: AlarmState, signal: Signal
) -> None:
    assert sum(row.applies(state, signal, policy) for row in TRANSITIONS) <= 1
    step = advance(state, signal, policy=policy)
    assert step is None or step.state.suppressed == state.suppressed


@given(policies, signals, st.sampled_from([Signal.RAISED, Signal.CLEARED, Signal.ACKNOWLEDGE, Signal.RESET]))
def test_what_is_delivered_twice_does_nothing_the_second_time(
    policy: Policy, sequence: list[Signal], signal: Signal
) -> None:
    *_, (_, second, _) = live(policy, [*sequence, signal, signal])
    assert second is None


@given(policies, signals)
def test_whatever_happened_the_alarm_can_be_brought_to_rest(policy: Policy, sequence: list[Signal]) -> None:
    *_, (_, _, end) = live(policy, [*sequence, Signal.CLEARED, Signal.ACKNOWLEDGE, Signal.RESET])
    assert end == NORMAL


@given(policies, signals)
def test_an_alarm_whose_rule_is_removed_ends_wherever_it_stands_and_once(
    policy: Policy, sequence: list[Signal]
) -> None:
    history = live(policy, sequence)
    stood = history[-1][2] if history else NORMAL
    (_, first, end), (_, second, _) = live(policy, [Signal.RETIRED, Signal.RETIRED], begin=stood)
    assert end == NORMAL
    assert (first is not None and first.closed) == (stood != NORMAL)
    assert second is None


def test_every_row_is_reached_and_its_name_says_where_its_signal_leads() -> None:
    assert len({(row.name, row.before) for row in TRANSITIONS}) == len(TRANSITIONS)
    assert len({row.name for row in TRANSITIONS}) == len({(row.name, row.signal, row.after) for row in TRANSITIONS})
    found = {advance(state, signal, policy=policy) for state in REACHABLE for signal in Signal for policy in POLICIES}
    assert {step.transition for step in found if step} == {row.name for row in TRANSITIONS}


POLICIES = [Policy(), Policy(acknowledge=False), Policy(latched=True), Policy(acknowledge=False, latched=True)]
REACHABLE = [
    AlarmState(active, acknowledged, latched)
    for active in (False, True)
    for acknowledged in (False, True)
    for latched in (False, True)
]


def test_an_acknowledged_alarm_that_becomes_more_urgent_wants_to_be_seen_again() -> None:
    *_, (_, step, state) = live(Policy(), [Signal.RAISED, Signal.ACKNOWLEDGE, Signal.ESCALATED])
    assert step is not None
    assert step.transition == "re_alarmed"
    assert isa_letter(state) == "B"


def test_easing_does_not_touch_an_acknowledgement() -> None:
    *_, (_, _, state) = live(Policy(), [Signal.RAISED, Signal.ACKNOWLEDGE, Signal.EASED])
    assert isa_letter(state) == "C"


def test_an_alarm_that_comes_back_unseen_is_still_the_same_episode() -> None:
    *_, (_, step, state) = live(Policy(), [Signal.RAISED, Signal.CLEARED, Signal.RAISED])
    assert step is not None
    assert not step.opened
    assert isa_letter(state) == "B"


@pytest.mark.parametrize(
    ("sequence", "letter"),
    [
        ([], "A"),
        ([Signal.RAISED], "B"),
        ([Signal.RAISED, Signal.ACKNOWLEDGE], "C"),
        ([Signal.RAISED, Signal.CLEARED], "D"),
        ([Signal.RAISED, Signal.CLEARED, Signal.ACKNOWLEDGE], "L"),
        ([Signal.RAISED, Signal.CLEARED, Signal.ACKNOWLEDGE, Signal.RESET], "A"),
    ],
)
def test_the_letters_of_a_latched_alarm_are_those_of_the_standard(sequence: list[Signal], letter: str) -> None:
    state = live(Policy(latched=True), sequence)[-1][2] if sequence else NORMAL
    assert isa_letter(state) == letter


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text().endswith(f"\n\n{as_markdown()}\n"), "put the output of alarms.lifecycle.as_markdown there"
