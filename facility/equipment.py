"""Equipment classes: what every lift, pump, fire device or door brings with it.

A class is one YAML file in ``facility/classes/``: points with units, ranges and tags; default rules with cause,
consequence and corrective action; maintenance plans with the standard they come from; order templates with checklists.
These models are the file's grammar.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from facility.conditions import Condition, Schedule
from facility.definition import Definition, LocalText
from facility.priority import Priority


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


class RuleDefinition(Definition):
    """One alarm rule of a class, with what ISA-18.2 asks a rationalised alarm to say."""

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
    priority: Priority
    cause: LocalText
    consequence: LocalText
    corrective_action: LocalText
    time_to_respond_min: float = Field(gt=0.0)
    """Minutes until the consequence follows if nobody acts."""
    acknowledge: bool = True
    """False: the alarm goes back to normal by itself when the condition clears."""
    latched: bool = False
    """True: stays until it is clear, acknowledged *and* reset."""
    life_safety: bool = False
    """Fire and entrapment: never shelved, never auto-cancelled."""
    order: str | None = None
    """Order template of the class that an episode opens; ``None``: the alarm alone is enough."""


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
