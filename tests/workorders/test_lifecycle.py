from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from people.model import SYSTEM, Account, Role
from workorders.lifecycle import TERMINAL, TRANSITIONS, Action, OrderState, Refusal, Situation, advance, as_markdown

PAGE = Path(__file__).parents[2] / "docs" / "work-order-lifecycle.md"

TECHNICIAN = Account(id=1, login="t", name="Tang", role=Role.TECHNICIAN)
OTHER = Account(id=2, login="o", name="Ou", role=Role.TECHNICIAN)
SUPERVISOR = Account(id=3, login="s", name="Sun", role=Role.SUPERVISOR)
PEOPLE = [TECHNICIAN, OTHER, SUPERVISOR]

situations = st.builds(
    Situation,
    actor=st.sampled_from(PEOPLE),
    assignee_id=st.sampled_from([None, 1, 2]),
    candidate=st.sampled_from([None, *PEOPLE]),
    life_safety=st.booleans(),
    open_steps=st.lists(st.integers(1, 9), max_size=2),
    standing_alarms=st.lists(st.integers(1, 9), max_size=2),
    reason=st.sampled_from(["", "because"]),
)


@given(st.lists(st.tuples(st.sampled_from(Action), situations), max_size=30))
def test_an_order_is_completed_only_by_whom_it_was_given_to_with_its_steps_done(
    actions: list[tuple[Action, Situation]],
) -> None:
    state: OrderState | None = None
    for action, situation in actions:
        row = advance(state, action, situation)
        if isinstance(row, Refusal):
            continue
        if row.after is OrderState.COMPLETED:
            assert situation.actor in (SUPERVISOR, *(one for one in PEOPLE if one.id == situation.assignee_id))
            assert not situation.open_steps
            assert situation.reason or not situation.standing_alarms
            assert state is OrderState.IN_PROGRESS
        state = row.after


@given(st.sampled_from(Action), st.sampled_from(sorted(TERMINAL)), situations)
def test_nothing_happens_to_a_finished_order(action: Action, state: OrderState, situation: Situation) -> None:
    assert isinstance(advance(state, action, situation), Refusal)


@given(st.sampled_from(OrderState), situations)
def test_an_order_about_life_safety_is_never_cancelled(state: OrderState, situation: Situation) -> None:
    row = advance(state, Action.CANCEL, situation)
    assert isinstance(row, Refusal) or not situation.life_safety


@given(st.none() | st.sampled_from(OrderState), st.sampled_from(Action))
def test_a_row_is_named_by_where_the_order_stands_and_what_happens(state: OrderState | None, action: Action) -> None:
    assert sum(row.before is state and row.action is action for row in TRANSITIONS) <= 1


@pytest.mark.parametrize(
    ("state", "action", "situation", "missing"),
    [
        (OrderState.DISPATCHED, Action.START, Situation(actor=OTHER, assignee_id=1), "Only its assignee"),
        (OrderState.TRIAGED, Action.ASSIGN, Situation(actor=SUPERVISOR), "nobody may not execute"),
        (
            OrderState.TRIAGED,
            Action.START,
            Situation(actor=SUPERVISOR),
            "It is triaged; to start it must be dispatched",
        ),
        (
            OrderState.IN_PROGRESS,
            Action.COMPLETE,
            Situation(actor=SUPERVISOR, open_steps=[2, 3]),
            "Mandatory steps are not done: 2, 3",
        ),
        (
            OrderState.IN_PROGRESS,
            Action.COMPLETE,
            Situation(actor=SUPERVISOR, standing_alarms=[12]),
            "Alarms are still active: 12",
        ),
        (OrderState.TRIAGED, Action.CANCEL, Situation(actor=SUPERVISOR), "A reason is missing"),
        (
            OrderState.TRIAGED,
            Action.CANCEL,
            Situation(actor=SUPERVISOR, life_safety=True, reason="false alarm"),
            "life safety",
        ),
        (None, Action.START, Situation(actor=SYSTEM), "It is not open"),
    ],
)
def test_a_refusal_says_what_is_missing(
    state: OrderState | None, action: Action, situation: Situation, missing: str
) -> None:
    refusal = advance(state, action, situation)
    assert isinstance(refusal, Refusal)
    assert missing in refusal.missing


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text().endswith(f"\n\n{as_markdown()}\n"), (
        "put the output of workorders.lifecycle.as_markdown there"
    )
