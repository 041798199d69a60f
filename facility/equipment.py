"""Equipment classes: what every lift, pump, fire device or door brings with it.

A class is one YAML file in ``facility/classes/``: points with units, ranges and tags; default rules with cause,
consequence and corrective action; maintenance plans with the standard they come from; order templates with checklists.
These models are the file's grammar.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import Field, PrivateAttr, model_validator

from facility.conditions import COMPUTED, Condition, Consequential, Limited, LimitSide, MovingThreshold, Schedule
from facility.definition import Definition, LocalText
from facility.priority import SHIPPED_MATRIX, ConsequenceClass, Priority, PriorityMatrix, priority_of


class System(StrEnum):
    """The four systems of a facility that the console shows."""

    LIFT = "lift"
    PUMP = "pump"
    FIRE = "fire"
    ACCESS = "access"


class PointKind(StrEnum):
    """What the numbers of a point mean."""

    ANALOG = "analog"
    """A measured quantity in the point's unit."""
    BINARY = "binary"
    """0 or 1, with a name for each in ``states``."""
    MULTISTATE = "multistate"
    """A code, with a name for each in ``states``."""
    COUNTER = "counter"
    """A quantity that only grows (run hours, starts, trips)."""
    EVENT = "event"
    """A code for something that happened (a door was opened with a badge); text may ride beside it."""


class ReportDefinition(Definition):
    """How far a measured value must move before it is reported again (report by exception)."""

    absolute: float | None = Field(default=None, gt=0.0)
    """In the point's unit."""
    percent: float | None = Field(default=None, gt=0.0)
    """Of the value that was reported last."""
    heartbeat_s: float | None = Field(default=None, gt=0.0)
    """Seconds after which an unmoved value is reported all the same; ``None``: 60 s, or half the shortest time after
    which a rule takes the point's silence for a loss, if that is less."""

    @model_validator(mode="after")
    def _has_one_deadband(self) -> ReportDefinition:
        if (self.absolute is None) == (self.percent is None):
            raise ValueError("write how far the value must move: either 'absolute' or 'percent'")
        return self


class PointDefinition(Definition):
    """One point of a class."""

    kind: PointKind
    name: LocalText
    unit: str = ""
    """In pint's spelling, such as ``m**3/h``, ``degC``, ``mm/s``; empty for a number without one."""
    range: tuple[float, float] | None = None
    """Physically possible values in ``unit``; a sample outside is bad. ``None``: any finite value."""
    states: dict[str, int] = Field(default_factory=dict)
    """Name to code, for binary, multistate and event points."""
    state_names: dict[str, LocalText] = Field(default_factory=dict)
    """What people read for a state's name."""
    report: ReportDefinition | None = None
    """``None``: every sample is reported; a device profile may say otherwise."""
    tags: dict[str, str] = Field(default_factory=dict)
    """``brick``: Brick class; ``haystack``: Haystack markers."""
    overview: bool = False
    """Shown on the system's overview tile."""


class OrderKind(StrEnum):
    """Work order kinds after EN 13306; emergency stands for corrective work that cannot wait."""

    EMERGENCY = "emergency"
    CORRECTIVE = "corrective"
    PREVENTIVE = "preventive"


class Consequence(NamedTuple):
    """What a priority is computed from."""

    consequence_class: ConsequenceClass
    time_to_respond_min: float


class RuleDefinition(Definition):
    """One alarm rule of a class, with what ISA-18.2 asks a rationalised alarm to say.

    Its priority is no field: it is computed by a priority matrix, the shipped one until :meth:`under` names the site's.
    """

    instead: ClassVar = {"priority": COMPUTED}

    name: str
    """Key within the class, such as ``bearing_temperature_high``; filled in from the file's key."""
    point: str
    title: LocalText
    condition: Condition
    only_when: str | None = None
    """Operating state in which the rule is watched: an expression over points of the asset, such as
    ``running == 'running'`` (:mod:`facility.expression`); ``None``: always."""
    schedule: Schedule | None = None
    """``None``: at any time."""
    cause: LocalText
    consequence: LocalText
    corrective_action: LocalText
    consequence_class: ConsequenceClass
    """How grave the worst credible consequence is if nobody acts."""
    time_to_respond_min: float = Field(gt=0.0)
    """Minutes until the consequence follows if nobody acts."""
    acknowledge: bool = True
    """False: the alarm goes back to normal by itself when the condition clears."""
    latched: bool = False
    """True: stays until it is clear, acknowledged *and* reset."""
    life_safety: bool = False
    """Fire and entrapment: never shelved, never auto-cancelled, priority 1 in any matrix."""
    order: str | None = None
    """Order template of the class that an episode opens; ``None``: the alarm alone is enough."""
    _matrix: PriorityMatrix = PrivateAttr(default_factory=lambda: SHIPPED_MATRIX)

    def model_post_init(self, _context: object) -> None:
        """Compute the priorities of the limits that have a consequence of their own."""
        self._compute()

    @property
    def priority(self) -> Priority:
        """Return how urgent it is, where no limit with a consequence of its own is exceeded."""
        return self._priority_of(Consequence(self.consequence_class, self.time_to_respond_min))

    def under(self, matrix: PriorityMatrix) -> Self:
        """Return the same rule with its priorities computed by a matrix."""
        if matrix is self._matrix or matrix == self._matrix:
            return self
        rule = super().model_copy()
        rule._matrix = matrix  # noqa: SLF001  # a copy of its own kind
        rule._compute()  # noqa: SLF001
        return rule

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; its priorities follow what was updated."""
        rule = super().model_copy(update=update, deep=deep)
        rule._compute()  # noqa: SLF001
        return rule

    def consequence_at(self, side: LimitSide | None) -> Consequence:
        """Return what the priority is computed from while a limit is exceeded; ``None``: for the rule as a whole."""
        limits = self.condition.limits if isinstance(self.condition, Limited | MovingThreshold) else {}
        limit = limits.get(side) if side is not None else None
        return self._consequence_of(limit or Consequential())

    def _consequence_of(self, limit: Consequential) -> Consequence:
        return Consequence(
            limit.consequence_class or self.consequence_class,
            limit.time_to_respond_min or self.time_to_respond_min,
        )

    def _priority_of(self, consequence: Consequence) -> Priority:
        # A matrix is edited for the flood of ordinary alarms; no such edit may make a fire wait.
        return Priority.CRITICAL if self.life_safety else priority_of(self._matrix, *consequence)

    def _compute(self) -> None:
        condition = self.condition
        if not isinstance(condition, Limited | MovingThreshold):
            return
        own = {side: limit for side, limit in condition.limits.items() if limit.has_own_consequence}
        if not own:
            return
        computed = {
            side: limit.with_priority(self._priority_of(self._consequence_of(limit))) for side, limit in own.items()
        }
        # Conditions are shared between rules, and only copies may be told what this rule makes of them.
        condition = condition.model_copy(update={"limits": {**condition.limits, **computed}})
        object.__setattr__(self, "condition", condition)


class ChecklistStep(Definition):
    """One step of an order."""

    text: LocalText
    mandatory: bool = True
    """The order cannot be completed before this step is done."""


class OrderTemplate(Definition):
    """What an order of this class says and asks."""

    kind: OrderKind
    title: LocalText
    priority: Priority
    checklist: list[ChecklistStep] = Field(min_length=1)


class MaintenancePlan(Definition):
    """Preventive work that falls due each time a counter passes another multiple of ``every``."""

    name: str
    """Key within the class; filled in from the file's key."""
    meter: str
    """Name of a counter point."""
    every: float = Field(gt=0.0)
    """In the meter's unit."""
    order: str
    """Order template of the class."""
    source: str
    """The standard or manual that asks for it."""


class EquipmentClass(Definition):
    """One kind of equipment."""

    name: str
    """Key, equal to the file's stem, such as ``pump``."""
    title: LocalText
    system: System
    points: dict[str, PointDefinition]
    rules: dict[str, RuleDefinition] = Field(default_factory=dict)
    orders: dict[str, OrderTemplate] = Field(default_factory=dict)
    maintenance: dict[str, MaintenancePlan] = Field(default_factory=dict)
