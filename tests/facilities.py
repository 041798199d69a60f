"""A small facility made of values, for tests that need one without files: a pump, a smoke detector and a door."""

from __future__ import annotations

from itertools import count

from facility.conditions import LimitDefinition, LimitSide, State, Threshold
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
from facility.model import Asset, Connection, Facility, Point, Protocol, Rule, Space
from facility.priority import ConsequenceClass, Priority

BEARING_HIGH = 1
"""Pump: corrective order; priority 3, and 1 beyond the outer limit."""
SEAL_LEAK = 2
"""Pump: ends by itself, corrective order."""
SMOKE = 3
"""Smoke detector: life safety, latched, priority 1, emergency order."""
HELD_OPEN = 4
"""Door: no order."""

PUMP, DETECTOR, DOOR = "pump-1", "detector-101", "door-1"


def text(english: str) -> LocalText:
    """Return a text whose Chinese is recognisable."""
    return LocalText(en=english, zh=f"中 {english}")


def small_facility() -> Facility:
    """Return the facility; every call gives equal values."""
    classes = {PUMP: _pump(), DETECTOR: _detector(), DOOR: _door()}
    assets = {asset_id: _asset(asset_id, equipment) for asset_id, equipment in classes.items()}
    keys = count(1)
    points = [
        Point(key=next(keys), asset_id=asset.id, name=name, definition=definition)
        for asset in assets.values()
        for name, definition in asset.equipment_class.points.items()
    ]
    key_of = {(point.asset_id, point.name): point.key for point in points}
    ids = count(1)
    rules = [
        Rule(id=next(ids), asset_id=asset.id, point_key=key_of[asset.id, rule.point], definition=rule)
        for asset in assets.values()
        for rule in asset.equipment_class.rules.values()
    ]
    return Facility(
        site_id="small",
        name=text("Small"),
        time_zone="Asia/Shanghai",
        spaces={"plant": Space(id="plant", name=text("Plant"), kind="building")},
        connections={"wire": Connection(id="wire", protocol=Protocol.MQTT, host="127.0.0.1", port=1883)},
        assets=assets,
        points={point.key: point for point in points},
        rules={rule.id: rule for rule in rules},
    )


def _asset(asset_id: str, equipment: EquipmentClass) -> Asset:
    return Asset(
        id=asset_id,
        name=text(asset_id),
        equipment_class=equipment,
        space_id="plant",
        connection_id="wire",
        profile="none",
    )


def _rule(
    name: str,
    point: str,
    condition: Threshold | State,
    consequence_class: ConsequenceClass,
    *,
    acknowledge: bool = True,
    latched: bool = False,
    life_safety: bool = False,
    order: str | None = None,
) -> RuleDefinition:
    return RuleDefinition(
        name=name,
        point=point,
        title=text(name.replace("_", " ")),
        condition=condition,
        cause=text("cause"),
        consequence=text("consequence"),
        corrective_action=text("action"),
        consequence_class=consequence_class,
        time_to_respond_min=10.0,
        acknowledge=acknowledge,
        latched=latched,
        life_safety=life_safety,
        order=order,
    )


def _order(kind: OrderKind, title: str, priority: Priority) -> OrderTemplate:
    steps = [
        ChecklistStep(text=text("isolate")),
        ChecklistStep(text=text("repair")),
        ChecklistStep(text=text("photograph"), mandatory=False),
    ]
    return OrderTemplate(kind=kind, title=text(title), priority=priority, checklist=steps)


def _binary(name: str, on: str) -> PointDefinition:
    return PointDefinition(kind=PointKind.BINARY, name=text(name), states={"no": 0, on: 1})


def _pump() -> EquipmentClass:
    limits = {
        LimitSide.HIGH: LimitDefinition(value=80.0),
        LimitSide.HIGH_HIGH: LimitDefinition(value=95.0, consequence_class=ConsequenceClass.SEVERE),
    }
    bearing = Threshold(type="threshold", limits=limits, deadband=2.0)
    leak = State(type="state", states=["leak"])
    rules = [
        _rule("bearing_temperature_high", "bearing_temperature", bearing, ConsequenceClass.MODERATE, order="bearing"),
        _rule("seal_leak", "seal_leak", leak, ConsequenceClass.MAJOR, acknowledge=False, order="seal"),
    ]
    plan = MaintenancePlan(name="grease", meter="run_hours", every=500.0, order="grease", source="Maker's manual 7.2")
    return EquipmentClass(
        name="pump",
        title=text("Pump"),
        system=System.PUMP,
        points={
            "bearing_temperature": PointDefinition(kind=PointKind.ANALOG, name=text("Bearing"), unit="degC"),
            "seal_leak": _binary("Seal", "leak"),
            "run_hours": PointDefinition(kind=PointKind.COUNTER, name=text("Run hours"), unit="h"),
        },
        rules={rule.name: rule for rule in rules},
        orders={
            "bearing": _order(OrderKind.CORRECTIVE, "Check the bearing", Priority.MEDIUM),
            "seal": _order(OrderKind.CORRECTIVE, "Replace the seal", Priority.HIGH),
            "grease": _order(OrderKind.PREVENTIVE, "Grease the bearings", Priority.LOW),
        },
        maintenance={"grease": plan},
    )


def _detector() -> EquipmentClass:
    smoke = _rule(
        "fire",
        "alarm",
        State(type="state", states=["fire"]),
        ConsequenceClass.SEVERE,
        latched=True,
        life_safety=True,
        order="fire",
    )
    return EquipmentClass(
        name="smoke-detector",
        title=text("Smoke detector"),
        system=System.FIRE,
        points={"alarm": _binary("Alarm", "fire")},
        rules={"fire": smoke},
        orders={"fire": _order(OrderKind.EMERGENCY, "Go and look", Priority.CRITICAL)},
    )


def _door() -> EquipmentClass:
    held = _rule("held_open", "held_open", State(type="state", states=["yes"]), ConsequenceClass.MINOR)
    return EquipmentClass(
        name="door",
        title=text("Door"),
        system=System.ACCESS,
        points={"held_open": _binary("Held open", "yes")},
        rules={"held_open": held},
    )
