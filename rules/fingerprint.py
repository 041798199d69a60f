"""What a rule's live state depends on, as one short text.

Renaming a rule, or changing its texts or whether it wants an acknowledgement, keeps the fingerprint and so the state. A
moved limit, delay, priority or state code changes it, and the state is decided afresh by the next sample.
"""

from __future__ import annotations

import hashlib

from facility.conditions import Condition, ForbiddenState, Limited, MovingThreshold, State
from facility.equipment import MaintenancePlan
from facility.model import Point, Rule
from facility.priority import Priority

COMPUTED = "~"

_CONSEQUENCE = {"consequence_class", "time_to_respond_min"}
"""Of a limit: they count by the priority that they make."""


def of_rule(rule: Rule, point: Point) -> str:
    """Return the fingerprint of a rule's condition on its point."""
    return of_semantics(semantics_of(rule.definition.condition, rule.definition.priority, point), point)


def semantics_of(condition: Condition, priority: Priority, point: Point) -> str:
    """Return what the condition of a rule of a priority means on any point that is defined as this one."""
    codes = [point.definition.states[name] for name in named_states(condition)]
    semantic = condition.model_dump_json(exclude={"states": True, "allowed": True, "limits": {"__all__": _CONSEQUENCE}})
    return f"{_priorities(condition, priority)} {semantic} {sorted(codes)}"


def of_semantics(semantics: str, point: Point) -> str:
    """Return the fingerprint of what :func:`semantics_of` returned on one point."""
    return _digest(f"{point.key} {semantics}")


def of_computed(rule: Rule, point: Point, refers: str) -> str:
    """Return the fingerprint of a rule that is decided on something computed.

    Args:
        rule: The rule.
        point: Its own point.
        refers: All that it refers to besides: other points with units and states, rules, gate.
    """
    condition = rule.definition.condition
    semantic = condition.model_dump_json(exclude={"limits": {"__all__": _CONSEQUENCE}})
    priorities = _priorities(condition, rule.definition.priority)
    return COMPUTED + _digest(f"{point.key} {priorities} {semantic} {refers}")[len(COMPUTED) :]


def is_computed(text: str) -> bool:
    """Tell whether a fingerprint is of a rule that was decided on something computed, on times of the gateway."""
    return text.startswith(COMPUTED)


def _priorities(condition: Condition, priority: Priority) -> list[int]:
    """Return a rule's priority and those of its limits; 0: as the rule."""
    limits = condition.limits if isinstance(condition, Limited | MovingThreshold) else {}
    return [int(priority), *(int(limit.priority or 0) for limit in limits.values())]


def named_states(condition: Condition) -> list[str]:
    """Return the states of the point that a condition names; their codes, not their names, are what it means."""
    match condition:
        case State(states=names) | ForbiddenState(allowed=names):
            return names
    return []


def of_plan(plan: MaintenancePlan, point: Point) -> str:
    """Return the fingerprint of a plan's interval on its meter."""
    return _digest(f"{point.key} every {plan.every!r}")


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
