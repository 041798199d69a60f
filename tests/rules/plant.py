"""A small plant for the tests of the rules: one pump whose rules each test chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from facility.conditions import (
    BadQuality,
    Condition,
    ForbiddenState,
    LimitDefinition,
    LimitSide,
    NoData,
    State,
    Threshold,
)
from facility.definition import LocalText
from facility.equipment import (
    ChecklistStep,
    EquipmentClass,
    MaintenancePlan,
    OrderKind,
    OrderTemplate,
    PointDefinition,
    PointKind,
    RuleDefinition,
    System,
)
from facility.model import Asset, Facility, Point, Rule
from facility.priority import ConsequenceClass, Priority
from facility.quality import Quality
from facility.samples import Sample, SampleBatch
from rules import kernel
from rules.events import Evaluation

S = 1_000_000_000
TEMPERATURE, MODE, HOURS = 1, 2, 3
"""Keys of the pump's points."""
MODES = {"stopped": 0, "running": 1, "jammed": 2, "manual": 3, "burnt": 4}
SERVICE_EVERY_H = 500.0
VOID = cast("Quality", kernel.VOID)
"""No driver's quality, so none of the enumeration's."""


def say(text: str) -> LocalText:
    return LocalText(en=text, zh=text)


def hot(
    *,
    high: float = 80.0,
    high_high: float | None = 90.0,
    deadband: float = 2.0,
    on_delay_s: float = 0.0,
    off_delay_s: float = 0.0,
) -> Threshold:
    """The bearing is too hot; far too hot is critical."""
    limits = {LimitSide.HIGH: LimitDefinition(value=high)}
    if high_high is not None:
        limits[LimitSide.HIGH_HIGH] = LimitDefinition(value=high_high, consequence_class=ConsequenceClass.SEVERE)
    return Threshold(type="threshold", limits=limits, deadband=deadband, on_delay_s=on_delay_s, off_delay_s=off_delay_s)


def broken(*states: str, on_delay_s: float = 0.0, off_delay_s: float = 0.0) -> State:
    return State(type="state", states=list(states), on_delay_s=on_delay_s, off_delay_s=off_delay_s)


def only(*allowed: str, on_delay_s: float = 0.0, off_delay_s: float = 0.0) -> ForbiddenState:
    return ForbiddenState(type="forbidden_state", allowed=list(allowed), on_delay_s=on_delay_s, off_delay_s=off_delay_s)


def silent(timeout_s: float) -> NoData:
    return NoData(type="no_data", timeout_s=timeout_s)


def untrusted(
    *reasons: str, on_delay_s: float = 0.0, off_delay_s: float = 0.0, timeout_s: float | None = None
) -> BadQuality:
    """The device is lost, or its sensor failed."""
    return BadQuality(
        type="bad_quality",
        reasons=list(reasons) or ["bad"],
        on_delay_s=on_delay_s,
        off_delay_s=off_delay_s,
        timeout_s=timeout_s,
    )


def plant(
    rules: Mapping[int, tuple[int, Condition]] | Sequence[tuple[int, Condition]] = (), **changes: str
) -> Facility:
    """One pump with rules by id, each a point and a condition; ``changes`` renames them."""
    numbered = rules if isinstance(rules, Mapping) else dict(enumerate(rules, 1))
    title = say(changes.get("title", "Attention"))
    order = OrderTemplate(
        kind=OrderKind.PREVENTIVE,
        title=say("Service"),
        priority=Priority.LOW,
        checklist=[ChecklistStep(text=say("Grease the bearings"))],
    )
    pump = EquipmentClass(
        name="pump",
        title=say("Pump"),
        system=System.PUMP,
        points={
            "temperature": PointDefinition(kind=PointKind.ANALOG, name=say("Temperature"), unit="degC"),
            "mode": PointDefinition(kind=PointKind.MULTISTATE, name=say("Mode"), states=MODES),
            "hours": PointDefinition(kind=PointKind.COUNTER, name=say("Run hours"), unit="h"),
        },
        orders={"service": order},
        maintenance={
            "greasing": MaintenancePlan(
                name="greasing", meter="hours", every=SERVICE_EVERY_H, order="service", source="the maker's manual"
            )
        },
    )
    points = {
        key: Point(key=key, asset_id="pump-1", name=name, definition=definition)
        for key, (name, definition) in enumerate(pump.points.items(), 1)
    }
    asset = Asset(
        id="pump-1", name=say("Pump 1"), equipment_class=pump, space_id="cellar", connection_id="bus", profile="any"
    )
    definitions = {
        rule_id: Rule(
            id=rule_id,
            asset_id="pump-1",
            point_key=key,
            definition=RuleDefinition(
                name=f"rule-{rule_id}",
                point=points[key].name,
                title=title,
                condition=condition,
                cause=title,
                consequence=title,
                corrective_action=title,
                consequence_class=ConsequenceClass.MODERATE,
                time_to_respond_min=10,
            ),
        )
        for rule_id, (key, condition) in numbered.items()
        if key in points
    }
    return Facility(
        site_id="site",
        name=say("Site"),
        time_zone="UTC",
        spaces={},
        connections={},
        assets={"pump-1": asset},
        points=points,
        rules=definitions,
    )


def sample(
    seconds: float, value: float, *, point: int = TEMPERATURE, quality: Quality = Quality.GOOD, late_s: float = 0.0
) -> Sample:
    return Sample(point, round(seconds * S), round((seconds + late_s) * S), value, quality)


def void(seconds: float, *, point: int = TEMPERATURE, late_s: float = 0.0) -> Sample:
    """What computes the point's values has nothing to say now."""
    return sample(seconds, math.nan, point=point, quality=VOID, late_s=late_s)


def readings(*pairs: tuple[float, float], point: int = TEMPERATURE) -> SampleBatch:
    """Good samples from (seconds, value)."""
    return SampleBatch.of([sample(seconds, value, point=point) for seconds, value in pairs])


def story(evaluation: Evaluation) -> list[tuple[str, str, float]]:
    """What was announced: kind, reason and second."""
    return [(change.kind.value, change.reason.value, change.at_ns / S) for change in evaluation.transitions]
