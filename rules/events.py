"""What the rules hand to alarms and work orders: transitions with a named reason and the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from facility.conditions import LimitSide
from facility.priority import Priority


class TransitionKind(StrEnum):
    """What happened to a rule's condition."""

    RAISED = "raised"
    """It became true, and stayed true through the on-delay."""
    ESCALATED = "escalated"
    """Still true, and now with a more urgent priority (an outer limit)."""
    EASED = "eased"
    """Still true, and now with a less urgent priority."""
    CLEARED = "cleared"
    """It became false, through deadband and off-delay."""


class Reason(StrEnum):
    """Why a condition is true or no longer true."""

    LOW_LOW = "low_low"
    LOW = "low"
    HIGH = "high"
    HIGH_HIGH = "high_high"
    STATE = "state"
    FORBIDDEN_STATE = "forbidden_state"
    """In a state that is not among the allowed ones."""
    NO_DATA = "no_data"
    BAD_QUALITY = "bad_quality"
    """The samples came with a quality that cannot be trusted."""
    RATE_OF_CHANGE = "rate_of_change"
    """The value rises or falls too fast."""
    DEVIATION = "deviation"
    """The value is too far from its reference."""
    STUCK = "stuck"
    """The value does not move although samples come."""
    EVENT_COUNT = "event_count"
    """Something happened too often within a window."""
    COINCIDENCE = "coincidence"
    """Several devices in one space say the same."""
    COMPOSITE = "composite"
    """An expression over points and rules is true."""
    WINDOW = "window"
    """A statistic over a window is beyond a limit."""
    COUNTER = "counter"
    """A counter grew too much or too little within a window."""
    FORECAST = "forecast"
    """The value reaches a limit soon."""
    BASELINE = "baseline"
    """Several points together are not as in a good period."""
    NORMAL = "normal"
    """The value is back inside its limits, out of the state, or data came again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTransition:
    """One change of one rule's condition."""

    rule_id: int
    kind: TransitionKind
    reason: Reason
    priority: Priority
    """Of the most urgent limit now exceeded; of the rule itself when cleared."""
    at_ns: int
    """When it counts as true or false: the deciding sample's source time, or the delay's deadline."""
    since_ns: int
    """When the condition began, before any delay."""
    value: float
    """The deciding quantity (:func:`facility.condition_units.quantity_unit` says its unit); NaN for missing data, for
    data not to be trusted, and for a composite."""
    limit: float
    """The limit, state code or seconds that it was held against; the quality's code for bad quality; NaN for a
    composite."""
    side: LimitSide | None = None
    """The limit now exceeded; ``None`` for conditions without limits, and when cleared."""
    explanation: str = ""
    """What made it so, such as ``zone-1: detector-101, detector-102``; empty where value and limit say it all, and when
    cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterDue:
    """A maintenance plan's counter passed another multiple of its interval."""

    asset_id: str
    plan: str
    due_key: int
    """Which multiple: ``floor(value / every)``. With asset and plan it names the occurrence for ever."""
    value: float
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that one batch or one sweep changed, in order of time."""

    transitions: tuple[RuleTransition, ...] = ()
    due: tuple[MeterDue, ...] = ()
