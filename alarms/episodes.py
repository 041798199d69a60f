"""What one signal makes of one episode: pure functions from an alarm to the next."""

from __future__ import annotations

import math
from dataclasses import replace

from alarms.lifecycle import NORMAL, Policy, Signal, Step, advance
from alarms.model import Alarm
from facility.model import Facility
from people.journal import Evidence
from people.model import Account
from rules.events import RuleTransition, TransitionKind

UNSAVED = 0
"""The id of an episode that the database has not numbered yet."""


def policy_of(facility: Facility, rule_id: int) -> Policy:
    """Return how the rule wants its alarms treated; a rule that was removed wants them seen."""
    rule = facility.rules.get(rule_id)
    return Policy(rule.definition.acknowledge, rule.definition.latched) if rule else Policy()


def signal_of(transition: RuleTransition, standing: Alarm | None) -> Signal | None:
    """Return what a rule's transition says to the episode that stands open; ``None`` when it says nothing new.

    Held against what stands, a transition that is delivered twice is silent, and one whose predecessor was lost still
    counts: a condition that is true raises an alarm that is not active.
    """
    if transition.kind is TransitionKind.CLEARED:
        return Signal.CLEARED
    if standing is None or not standing.active:
        return Signal.RAISED
    if transition.priority < standing.priority:
        return Signal.ESCALATED
    if transition.kind is TransitionKind.EASED and transition.priority > standing.priority:
        return Signal.EASED
    return None


def step_of(transition: RuleTransition, standing: Alarm | None, policy: Policy) -> Step | None:
    """Return the row of the lifecycle that a rule's transition takes; ``None`` when it changes nothing."""
    signal = signal_of(transition, standing)
    if signal is None:
        return None
    return advance(standing.lifecycle if standing else NORMAL, signal, policy=policy)


def begun(transition: RuleTransition, step: Step, asset_id: str) -> Alarm:
    """Return the first version of a new episode, still without an id."""
    return Alarm(
        id=UNSAVED,
        version=1,
        rule_id=transition.rule_id,
        asset_id=asset_id,
        priority=transition.priority,
        active=step.state.active,
        acknowledged=step.state.acknowledged,
        latched=step.state.latched,
        reason=transition.reason,
        value=number(transition.value),
        limit=number(transition.limit),
        explanation=transition.explanation,
        since_ns=transition.since_ns,
        raised_at_ns=transition.at_ns,
    )


def continued(alarm: Alarm, transition: RuleTransition, step: Step) -> Alarm:
    """Return the episode after a transition of its rule."""
    if step.state.active:
        return _still_true(alarm, transition, step)
    return replace(
        alarm,
        version=alarm.version + 1,
        active=False,
        acknowledged=step.state.acknowledged,
        latched=step.state.latched,
        cleared_at_ns=transition.at_ns,
        closed_at_ns=transition.at_ns if step.closed else None,
    )


def acknowledged(alarm: Alarm, step: Step, *, actor: Account, comment: str | None, now_ns: int) -> Alarm:
    """Return the episode after someone has seen it."""
    return replace(
        alarm,
        version=alarm.version + 1,
        acknowledged=True,
        latched=step.state.latched,
        acknowledged_at_ns=now_ns,
        acknowledged_by=actor.name,
        comment=comment,
        closed_at_ns=now_ns if step.closed else None,
    )


def released(alarm: Alarm, *, now_ns: int) -> Alarm:
    """Return the episode after its reset."""
    return replace(alarm, version=alarm.version + 1, latched=False, closed_at_ns=now_ns)


def retired(alarm: Alarm, *, now_ns: int) -> Alarm:
    """Return the episode after its rule was removed; that nobody saw it clear, or saw it at all, stays visible."""
    return replace(
        alarm, version=alarm.version + 1, active=False, acknowledged=True, latched=False, closed_at_ns=now_ns
    )


def evidence_of(transition: RuleTransition) -> Evidence:
    """Return what the journal keeps of a rule's transition."""
    return {
        "reason": transition.reason.value,
        "priority": int(transition.priority),
        "value": number(transition.value),
        "limit": number(transition.limit),
        "since_ns": transition.since_ns,
        **({"explanation": transition.explanation} if transition.explanation else {}),
    }


def number(value: float) -> float | None:
    """Return ``None`` for NaN, which neither SQL nor JSON can say."""
    return None if math.isnan(value) else value


def _still_true(alarm: Alarm, transition: RuleTransition, step: Step) -> Alarm:
    seen = step.state.acknowledged
    return replace(
        alarm,
        version=alarm.version + 1,
        priority=transition.priority,
        active=True,
        acknowledged=seen,
        latched=step.state.latched,
        reason=transition.reason,
        value=number(transition.value),
        limit=number(transition.limit),
        explanation=transition.explanation,
        since_ns=transition.since_ns,
        cleared_at_ns=None,
        acknowledged_at_ns=alarm.acknowledged_at_ns if seen else None,
        acknowledged_by=alarm.acknowledged_by if seen else None,
        comment=alarm.comment if seen else None,
    )
