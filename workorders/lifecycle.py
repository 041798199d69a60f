"""The life of a work order as a table of named rows, with guards that say what is missing.

The rows' names stand in the journal. What is not in the table does not happen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from people.model import Account, Permission, Role


class OrderState(StrEnum):
    """Where an order stands."""

    TRIAGED = "triaged"
    """Kind, priority and place are known; nobody has it yet."""
    DISPATCHED = "dispatched"
    """Someone has it."""
    IN_PROGRESS = "in_progress"
    """Work has begun."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({OrderState.COMPLETED, OrderState.CANCELLED})
"""Finished, one way or the other."""
UNFINISHED = frozenset(OrderState) - TERMINAL


class Action(StrEnum):
    """What can happen to an order."""

    OPEN_FOR_ALARM = "open_for_alarm"
    OPEN_FOR_PLAN = "open_for_plan"
    RAISE_AGAIN = "raise_again"
    """An alarm of the order's failure family was raised while the order is unfinished."""
    ESCALATE = "escalate"
    """An alarm of the order became more urgent than the order."""
    RETIRE_ALARM = "retire_alarm"
    """The rule of an alarm that the order answers was removed."""
    ASSIGN = "assign"
    START = "start"
    TICK = "tick"
    UNTICK = "untick"
    COMPLETE = "complete"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that guards look at."""

    actor: Account
    assignee_id: int | None = None
    """Who has the order; ``None`` for nobody."""
    candidate: Account | None = None
    """Who is to get it; ``None`` unless assigning."""
    life_safety: bool = False
    open_steps: Sequence[int] = ()
    """Numbers of mandatory steps that are not done."""
    standing_alarms: Sequence[int] = ()
    """Linked alarms that are still active."""
    reason: str = ""
    """Why it is cancelled, or complete although an alarm stands."""


Guard = Callable[[Situation], str | None]
"""Returns what is missing and what to do about it; ``None`` when the way is free."""


def actor_has_the_order(situation: Situation) -> str | None:
    """Only the assignee, or a supervisor in their place."""
    if situation.actor.role is Role.SUPERVISOR or situation.actor.id == situation.assignee_id:
        return None
    return "Only its assignee or a supervisor may do this. Have it assigned to you first."


def candidate_may_execute(situation: Situation) -> str | None:
    """Whoever gets the order may execute orders."""
    candidate = situation.candidate
    if candidate is not None and candidate.may(Permission.EXECUTE_ORDER):
        return None
    name = candidate.name if candidate else "nobody"
    return f"{name} may not execute orders. Choose someone from the list of those who may."


def mandatory_steps_done(situation: Situation) -> str | None:
    """Every mandatory step is ticked."""
    if not situation.open_steps:
        return None
    numbers = ", ".join(map(str, situation.open_steps))
    return f"Mandatory steps are not done: {numbers}. Do and tick them first."


def alarms_clear_or_reason(situation: Situation) -> str | None:
    """Every linked alarm is clear, or a reason says why the work is complete nevertheless."""
    if not situation.standing_alarms or situation.reason:
        return None
    numbers = ", ".join(map(str, situation.standing_alarms))
    return f"Alarms are still active: {numbers}. Remove their cause, or give a reason why the work is complete."


def reason_given(situation: Situation) -> str | None:
    """A reason is given."""
    return None if situation.reason else "A reason is missing. Say why the order is not needed."


def not_life_safety(situation: Situation) -> str | None:
    """Orders for fire and entrapment are never cancelled."""
    if not situation.life_safety:
        return None
    return "It is about life safety and cannot be cancelled. Have it carried out and completed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table."""

    name: str
    before: OrderState | None
    """``None``: there is no order yet."""
    action: Action
    after: OrderState
    guards: Sequence[Guard] = ()
    meaning: str = field(compare=False)
    """For the documentation."""


_T, _D, _P = OrderState.TRIAGED, OrderState.DISPATCHED, OrderState.IN_PROGRESS

TRANSITIONS: Sequence[Transition] = (
    Transition(
        name="opened_by_alarm",
        before=None,
        action=Action.OPEN_FOR_ALARM,
        after=_T,
        meaning="an alarm whose rule names an order template was raised",
    ),
    Transition(
        name="opened_by_plan",
        before=None,
        action=Action.OPEN_FOR_PLAN,
        after=_T,
        meaning="a maintenance plan fell due",
    ),
    *(
        Transition(
            name="raised_again",
            before=state,
            action=Action.RAISE_AGAIN,
            after=state,
            meaning="an alarm of the same failure came or came back; counted, and the order becomes as urgent",
        )
        for state in (_T, _D, _P)
    ),
    *(
        Transition(
            name="escalated",
            before=state,
            action=Action.ESCALATE,
            after=state,
            meaning="its alarm became more urgent, and so does the order",
        )
        for state in (_T, _D, _P)
    ),
    *(
        Transition(
            name="alarm_retired",
            before=state,
            action=Action.RETIRE_ALARM,
            after=state,
            meaning="the rule or asset of its alarm was removed; a person decides what becomes of the work",
        )
        for state in (_T, _D, _P)
    ),
    Transition(
        name="assigned",
        before=_T,
        action=Action.ASSIGN,
        after=_D,
        guards=(candidate_may_execute,),
        meaning="someone gets the order",
    ),
    *(
        Transition(
            name="reassigned",
            before=state,
            action=Action.ASSIGN,
            after=_D,
            guards=(candidate_may_execute,),
            meaning="someone else gets the order; ticked steps stay",
        )
        for state in (_D, _P)
    ),
    Transition(
        name="started",
        before=_D,
        action=Action.START,
        after=_P,
        guards=(actor_has_the_order,),
        meaning="work begins",
    ),
    Transition(
        name="step_done",
        before=_P,
        action=Action.TICK,
        after=_P,
        guards=(actor_has_the_order,),
        meaning="a step of the checklist is done",
    ),
    Transition(
        name="step_undone",
        before=_P,
        action=Action.UNTICK,
        after=_P,
        guards=(actor_has_the_order,),
        meaning="a step was ticked by mistake",
    ),
    Transition(
        name="completed",
        before=_P,
        action=Action.COMPLETE,
        after=OrderState.COMPLETED,
        guards=(actor_has_the_order, mandatory_steps_done, alarms_clear_or_reason),
        meaning="work is done",
    ),
    *(
        Transition(
            name="cancelled",
            before=state,
            action=Action.CANCEL,
            after=OrderState.CANCELLED,
            guards=(not_life_safety, reason_given),
            meaning="not needed after all",
        )
        for state in (_T, _D)
    ),
)
"""Every row; several may share a name where the same thing happens from several states."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row was not taken."""

    missing: str
    """What is missing and what to do, for the person."""


def advance(state: OrderState | None, action: Action, situation: Situation) -> Transition | Refusal:
    """Decide what an action does to an order in ``state`` (``None``: there is none yet)."""
    for row in TRANSITIONS:
        if row.before is state and row.action is action:
            missing = next(filter(None, (guard(situation) for guard in row.guards)), None)
            return Refusal(missing) if missing else row
    return Refusal(_no_row(state, action))


def as_markdown() -> str:
    """Return the table as the documentation shows it."""
    lines = ["| row | from | action | to | guards | meaning |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.before or 'new'} | {row.action} | {row.after} | {_guards(row)} | {row.meaning} |"
        for row in TRANSITIONS
    ]
    return "\n".join(lines)


def _no_row(state: OrderState | None, action: Action) -> str:
    standing = (state or "not open").replace("_", " ")
    befores = [row.before.replace("_", " ") for row in TRANSITIONS if row.action is action and row.before]
    return f"It is {standing}; to {action.replace('_', ' ')} it must be {' or '.join(befores) or 'new'}."


def _guards(row: Transition) -> str:
    return ", ".join(guard.__name__.replace("_", " ") for guard in row.guards) or "none"
