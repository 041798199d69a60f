"""What a rule may hold a point against: the grammar of ``condition:`` in class, site and rule files.

Every condition is one quantity or one truth over time with limits, a deadband and delays where they make sense. Those
of :data:`DIRECT` are decided by the kernel on the point's own samples. All others are *signals*: something is computed
from one or several points (:mod:`rules.signals`), and the kernel decides on what was computed as if a device sent it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self, get_args

from pydantic import AwareDatetime, Field, PrivateAttr, model_validator

from facility.definition import Definition
from facility.priority import ConsequenceClass, Priority

COMPUTED: Final = (
    "a priority is computed and not written; write consequence_class (minor, moderate, major or severe) and "
    "time_to_respond_min, from which the site's priority_matrix computes it"
)
"""Told to who writes ``priority:`` in a rule or a limit."""


class LimitSide(StrEnum):
    """The four limits of a threshold, from the lowest value up."""

    LOW_LOW = "low_low"
    LOW = "low"
    HIGH = "high"
    HIGH_HIGH = "high_high"


class Consequential(Definition):
    """A limit beyond which the consequence is graver, or comes sooner, than the rule as a whole says."""

    instead: ClassVar = {"priority": COMPUTED}

    consequence_class: ConsequenceClass | None = None
    """``None``: the rule's own."""
    time_to_respond_min: float | None = Field(default=None, gt=0.0)
    """``None``: the rule's own."""
    _priority: Priority | None = PrivateAttr(default=None)

    @property
    def priority(self) -> Priority | None:
        """Return how urgent it is while this limit is exceeded, as its rule computes it; ``None``: as the rule."""
        return self._priority if self.has_own_consequence else None

    @property
    def has_own_consequence(self) -> bool:
        """Tell whether it differs from its rule in class or time."""
        return self.consequence_class is not None or self.time_to_respond_min is not None

    def with_priority(self, priority: Priority) -> Self:
        """Return the same limit with a priority that its rule computed."""
        limit = self.model_copy()
        limit._priority = priority  # noqa: SLF001  # a copy of its own kind
        return limit


class LimitDefinition(Consequential):
    """One limit of a quantity."""

    value: float
    """In the quantity's unit; the condition is true beyond it, not at it."""


class Delays(Definition):
    """How long a condition must hold."""

    on_delay_s: float = Field(default=0.0, ge=0.0)
    """Seconds the condition must hold before it is raised; 0 raises at once."""
    off_delay_s: float = Field(default=0.0, ge=0.0)
    """Seconds it must be gone before it clears; 0 clears at once."""


class Limited(Delays):
    """A quantity is beyond a limit."""

    limits: dict[LimitSide, LimitDefinition] = Field(min_length=1)
    deadband: float = Field(default=0.0, ge=0.0)
    """How far the quantity must come back before the condition clears, in its unit."""


class Threshold(Limited):
    """The point's value is beyond a limit."""

    type: Literal["threshold"]


class State(Delays):
    """The point is in one of the named states."""

    type: Literal["state"]
    states: list[str] = Field(min_length=1)
    """Names from the point's ``states``."""


class ForbiddenState(Delays):
    """The point is in any state but the named ones, also in one whose code nobody named."""

    type: Literal["forbidden_state"]
    allowed: list[str] = Field(min_length=1)
    """Names from the point's ``states``."""


class NoData(Definition):
    """No usable sample came for a time."""

    type: Literal["no_data"]
    timeout_s: float = Field(gt=0.0)


class BadQuality(Delays):
    """What comes cannot be trusted: the driver says that the device is lost, or the device that its sensor failed."""

    type: Literal["bad_quality"]
    reasons: list[str] = Field(default=["bad"], min_length=1)
    """Which qualities: levels (``bad``, ``uncertain``) or single ones by name, such as ``bad_communication``."""
    timeout_s: float | None = Field(default=None, gt=0.0)
    """Also true when no usable sample came for so long, for devices that report by themselves and whose end nobody
    else notices; ``None``: quality alone decides."""


class RateOfChange(Limited):
    """The value rises or falls too fast; limits are in the point's unit per ``per``."""

    type: Literal["rate_of_change"]
    window_s: float = Field(gt=0.0)
    """The rate is the slope of the straight line that fits the samples of so many seconds best."""
    per: Literal["s", "min", "h"] = "min"


class Deviation(Limited):
    """The value is too far from another point's, such as a set-point; limits are of value less reference."""

    type: Literal["deviation"]
    reference: str
    """Name of another point of the same asset; its unit may differ in scale."""


class MovingLimit(Consequential):
    """A limit that is another point's value."""

    point: str
    """Name of another point of the same asset; its unit may differ in scale."""
    offset: float = 0.0
    """Added to that point's value, in the watched point's unit."""


class MovingThreshold(Delays):
    """The value is beyond a limit that is taken from another point."""

    type: Literal["moving_threshold"]
    limits: dict[LimitSide, MovingLimit] = Field(min_length=1)
    deadband: float = Field(default=0.0, ge=0.0)
    """How far the value must come back before the condition clears, in the point's unit."""


class StuckValue(Definition):
    """The value has not moved although samples come: a sensor that froze. It ends with the first sample that moved."""

    type: Literal["stuck"]
    for_s: float = Field(gt=0.0)
    """Seconds without a move."""
    tolerance: float = Field(default=0.0, ge=0.0)
    """Moves of up to so much, in the point's unit, are none."""


class EventCount(Delays):
    """The point entered one of the states at least so many times within a window."""

    type: Literal["event_count"]
    states: list[str] = Field(min_length=1)
    count: int = Field(ge=1)
    window_s: float = Field(gt=0.0)


class Coincidence(Delays):
    """At least so many devices in one space say the same: two detectors in one zone.

    The rule stands at the asset that the devices belong to (their ``parent``), such as the panel; its evidence names
    the space and the devices.
    """

    type: Literal["coincidence"]
    devices: str
    """Class of the devices."""
    device_point: str
    """Name of the point of that class that is counted."""
    states: list[str] = Field(min_length=1)
    count: int = Field(ge=2)
    within: Literal["building", "floor", "zone", "room"] = "zone"
    """Kind of the space in which they are counted together."""


class Composite(Delays):
    """An expression over points of the asset and over its other rules is true (:mod:`facility.expression`)."""

    type: Literal["composite"]
    expression: str
    """Such as ``flow < 5 and running == 'running' and not seal_leak``: names of points, and of rules for whether their
    condition stands."""


class WindowStatistic(Limited):
    """A statistic of the value over the last ``window_s`` seconds; each value counts for as long as it held."""

    type: Literal["window"]
    statistic: Literal["mean", "min", "max", "percentile"]
    percentile: float | None = Field(default=None, gt=0.0, lt=100.0)
    """Of the time in the window, for ``statistic: percentile``; ``None`` with the others."""
    window_s: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _percentile_fits(self) -> WindowStatistic:
        if (self.statistic == "percentile") is (self.percentile is None):
            raise ValueError("write 'percentile: 95' with statistic percentile, and with no other")
        return self


class CounterIncrease(Limited):
    """A counter (run hours, starts, trips) grew too much, or too little, within a window."""

    type: Literal["counter"]
    window_s: float = Field(gt=0.0)
    modulus: float | None = Field(default=None, gt=0.0)
    """Value at which the device's counter begins again at 0; ``None``: a fall is an exchanged counter, and counts as
    no growth."""


class Forecast(Delays):
    """At its present trend the value reaches a limit within a time; robust to noise."""

    type: Literal["forecast"]
    limit: float
    """In the point's unit."""
    direction: Literal["rising", "falling"]
    horizon_h: float = Field(gt=0.0)
    """True while fewer hours than this are left."""
    window_h: float = Field(gt=0.0)
    """Hours of samples that the trend is found in."""


class GoodPeriod(Definition):
    """A stretch of history in which a machine was well."""

    name: str
    """As people know it, such as ``after commissioning``."""
    start: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _has_length(self) -> GoodPeriod:
        if not self.start < self.end:
            raise ValueError("the good period ends before it begins; write the earlier time as start")
        return self


class Baseline(Delays):
    """Several points together are not as in a good period (:mod:`rules.baseline`)."""

    type: Literal["baseline"]
    points: list[str] = Field(min_length=2)
    """Names of points of the same asset; the rule's own point is among them."""
    good_period: GoodPeriod | None = None
    """``None``: nobody has named one yet, and the rule watches nothing until a site or an engineer does."""
    sample_s: float = Field(default=1.0, gt=0.0)
    """Seconds between two rows."""
    smoothing: float = Field(default=0.1, gt=0.0, le=1.0)
    """Weight of the newest row."""
    limit_factor: float = Field(default=4.0, gt=0.0)
    """Limit as a multiple of the good rows' own 99th percentile."""


Condition = Annotated[
    Threshold
    | State
    | ForbiddenState
    | NoData
    | BadQuality
    | RateOfChange
    | Deviation
    | MovingThreshold
    | StuckValue
    | EventCount
    | Coincidence
    | Composite
    | WindowStatistic
    | CounterIncrease
    | Forecast
    | Baseline,
    Field(discriminator="type"),
]

CONDITION_TYPES: Final = tuple(
    get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(Condition)[0])
)
"""What may stand after ``type:``."""

DIRECT: Final = (Threshold, State, ForbiddenState, NoData, BadQuality)
"""Conditions that the kernel decides on the point's own samples."""

PREVENTIVE: Final = (CounterIncrease, Forecast, Baseline)
"""Conditions that say what is going to happen, so that their orders are preventive ones."""


class Schedule(Definition):
    """When a rule is watched, in the site's time zone."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=["mon", "tue", "wed", "thu", "fri", "sat", "sun"], min_length=1
    )
    """Days on which it begins."""
    start: str = Field(default="00:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(default="24:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")
    """Not after ``start``: on the next day."""
    holidays: Literal["included", "excluded", "only"] = "included"
    """What becomes of the site's holidays (``site: {holidays: …}``)."""
