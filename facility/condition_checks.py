"""What a condition must keep to beside its grammar: limits that can be passed, units that fit, names that exist."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from facility.circles import circle_through
from facility.conditions import (
    PREVENTIVE,
    BadQuality,
    Baseline,
    Coincidence,
    Composite,
    CounterIncrease,
    Deviation,
    EventCount,
    ForbiddenState,
    Forecast,
    Limited,
    LimitSide,
    MovingThreshold,
    NoData,
    RateOfChange,
    State,
    StuckValue,
    Threshold,
    WindowStatistic,
)
from facility.equipment import EquipmentClass, OrderKind, PointDefinition, PointKind, RuleDefinition
from facility.errors import UnitError
from facility.expression import ExpressionError, Operand, names_in, parse
from facility.grammar import Finding
from facility.quality import REASONS
from facility.units import conversion, display_unit, has_own_zero, is_known
from facility.yaml_file import did_you_mean

NAMED: Final = frozenset({PointKind.BINARY, PointKind.MULTISTATE, PointKind.EVENT})
"""Kinds whose codes have names."""
QUANTITIES: Final = frozenset({PointKind.ANALOG, PointKind.COUNTER})
"""Kinds that measure something."""

_OF_QUANTITIES = (Threshold, RateOfChange, Deviation, MovingThreshold, StuckValue, WindowStatistic, Forecast, Baseline)
"""Conditions that a point of a named kind cannot have."""


def check_condition(equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition) -> Iterator[Finding]:
    """Yield what is wrong with a rule's condition and with when it is watched.

    Args:
        equipment: The rule's class, with the rules as they are to be.
        rule: The rule.
        point: The rule's own point.
    """
    wrong_kind = _wrong_kind(rule, point)
    if wrong_kind:
        yield ("condition",), wrong_kind
    else:
        for place, message in _check_parts(equipment, rule, point):
            yield ("condition", *place), message
    yield from _check_gate(equipment, rule)
    yield from _check_order(equipment, rule)


def check_devices(rule: RuleDefinition, classes: Mapping[str, EquipmentClass]) -> Iterator[Finding]:
    """Yield what is wrong with the devices that a coincidence counts, which are of another class."""
    condition = rule.condition
    if not isinstance(condition, Coincidence):
        return
    devices = classes.get(condition.devices)
    if devices is None:
        hint = did_you_mean(condition.devices, classes)
        yield ("condition", "devices"), f"there is no class {condition.devices!r}{hint}"
        return
    point = devices.points.get(condition.device_point)
    if point is None:
        hint = did_you_mean(condition.device_point, devices.points)
        yield ("condition", "device_point"), f"{condition.devices} has no point {condition.device_point!r}{hint}"
        return
    for place, message in _check_states("states", condition.states, condition.device_point, point):
        yield ("condition", *place), message


def possible_values(
    equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition
) -> tuple[float, float] | None:
    """Return the values that the quantity of limits can have at all; ``None``: any."""
    match rule.condition:
        case Threshold() | WindowStatistic():
            return point.range
        case CounterIncrease():
            return 0.0, math.inf
        case Deviation(reference=name):
            reference = equipment.points.get(name)
            if reference is None or point.range is None or reference.range is None or point.unit != reference.unit:
                return None
            return point.range[0] - reference.range[1], point.range[1] - reference.range[0]
    return None


def _wrong_kind(rule: RuleDefinition, point: PointDefinition) -> str:
    """Return why a point of this kind cannot have the condition; empty: it can."""
    condition = rule.condition
    if isinstance(condition, _OF_QUANTITIES) and point.kind not in QUANTITIES:
        return f"{rule.point} is {point.kind} and has no limits; write type: state"
    if isinstance(condition, CounterIncrease) and point.kind is not PointKind.COUNTER:
        return f"{rule.point} is {point.kind} and does not count; write type: window, or name a counter"
    if isinstance(condition, State | ForbiddenState) and point.kind not in NAMED - {PointKind.EVENT}:
        return f"{rule.point} is {point.kind} and does not stay in a state; write type: threshold"
    if isinstance(condition, EventCount) and point.kind not in NAMED:
        return f"{rule.point} is {point.kind} and has no states to enter; write type: counter or threshold"
    if isinstance(condition, NoData | BadQuality) and point.kind is PointKind.EVENT:
        return f"{rule.point} is an event, whose silence means nothing; watch another point"
    return ""


def _check_parts(equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition) -> Iterator[Finding]:
    condition = rule.condition
    if isinstance(condition, Limited):
        yield from _check_limits(condition, possible_values(equipment, rule, point), display_unit(_unit(rule, point)))
    check = _CHECKS.get(type(condition))
    if check is not None:
        yield from check(equipment, rule, point)


def _unit(rule: RuleDefinition, point: PointDefinition) -> str:
    if isinstance(rule.condition, Deviation | RateOfChange) and is_known(point.unit) and has_own_zero(point.unit):
        return f"delta_{point.unit}"
    return point.unit


def _check_limits(condition: Limited, possible: tuple[float, float] | None, unit: str) -> Iterator[Finding]:
    sides = [side for side in LimitSide if side in condition.limits]
    for lower, upper in pairwise(sides):
        low, high = condition.limits[lower].value, condition.limits[upper].value
        if not low < high:
            yield ("limits", upper.value), f"{upper} {high:g} {unit} must lie above {lower} {low:g} {unit}".rstrip()
    for side in sides:
        value = condition.limits[side].value
        if possible is not None and not possible[0] <= value <= possible[1]:
            low, high = possible
            message = f"{side} {value:g} {unit} lies outside the point's range {low:g} … {high:g} {unit}"
            yield ("limits", side.value), f"{message}; it can never be passed"
    yield from _check_deadband(condition)


def _check_deadband(condition: Limited) -> Iterator[Finding]:
    if not {LimitSide.LOW, LimitSide.HIGH} <= condition.limits.keys():
        return
    gap = condition.limits[LimitSide.HIGH].value - condition.limits[LimitSide.LOW].value
    if 0 < gap <= condition.deadband:
        message = f"a deadband of {condition.deadband:g} between limits {gap:g} apart never clears; make it smaller"
        yield ("deadband",), message


def _check_state(_equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition) -> Iterator[Finding]:
    condition = rule.condition
    if isinstance(condition, State | EventCount):
        yield from _check_states("states", condition.states, rule.point, point)
    elif isinstance(condition, ForbiddenState):
        yield from _check_states("allowed", condition.allowed, rule.point, point)
        if set(condition.allowed) >= point.states.keys() and point.kind is PointKind.BINARY:
            yield ("allowed",), f"every state of {rule.point} is allowed, so this is never true; take one out"


def _check_states(key: str, states: Sequence[str], name: str, point: PointDefinition) -> Iterator[Finding]:
    for number, state in enumerate(states):
        if state not in point.states:
            yield (key, number), f"{name} has no state {state!r}{did_you_mean(state, point.states)}"


def _check_reasons(_equipment: EquipmentClass, rule: RuleDefinition, _point: PointDefinition) -> Iterator[Finding]:
    reasons = rule.condition.reasons if isinstance(rule.condition, BadQuality) else []
    for number, reason in enumerate(reasons):
        if reason not in REASONS:
            yield ("reasons", number), f"{reason!r} is no quality{did_you_mean(reason, REASONS)}"


def _check_reference(equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition) -> Iterator[Finding]:
    condition = rule.condition
    if isinstance(condition, Deviation):
        message = _misfit(equipment, rule, point, condition.reference)
        if message:
            yield ("reference",), message
    elif isinstance(condition, MovingThreshold):
        for side, limit in condition.limits.items():
            message = _misfit(equipment, rule, point, limit.point)
            if message:
                yield ("limits", side.value, "point"), message
        yield from _check_offsets(condition)


def _misfit(equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition, name: str) -> str:
    """Return why a point cannot be held against another; empty: it can."""
    other = equipment.points.get(name)
    if other is None:
        return f"{equipment.name} has no point {name!r}{did_you_mean(name, equipment.points)}"
    if name == rule.point:
        return f"{name} would be held against itself; name another point"
    if other.kind not in QUANTITIES:
        return f"{name} is {other.kind} and measures nothing; name a quantity"
    try:
        conversion(other.unit, point.unit)
    except UnitError as error:
        return f"{name} does not fit {rule.point}: {error}"
    return ""


def _check_offsets(condition: MovingThreshold) -> Iterator[Finding]:
    """Refuse limits in the wrong order where it can be told: those taken from one point."""
    sides = [side for side in LimitSide if side in condition.limits]
    for lower, upper in pairwise(sides):
        low, high = condition.limits[lower], condition.limits[upper]
        if low.point == high.point and not low.offset < high.offset:
            message = f"{upper} must lie above {lower}: give it an offset of more than {low.offset:g}"
            yield ("limits", upper.value), message


def _check_forecast(_equipment: EquipmentClass, rule: RuleDefinition, point: PointDefinition) -> Iterator[Finding]:
    condition = rule.condition
    if not isinstance(condition, Forecast):
        return
    unit = display_unit(point.unit)
    if point.range is not None and not point.range[0] <= condition.limit <= point.range[1]:
        low, high = point.range
        message = f"{condition.limit:g} {unit} lies outside the point's range {low:g} … {high:g} {unit}"
        yield ("limit",), f"{message}; it can never be reached"


def _check_baseline(equipment: EquipmentClass, rule: RuleDefinition, _point: PointDefinition) -> Iterator[Finding]:
    condition = rule.condition
    if not isinstance(condition, Baseline):
        return
    if rule.point not in condition.points:
        yield ("points",), f"the rule's own point {rule.point} is not among them; add it"
    for number, name in enumerate(condition.points):
        other = equipment.points.get(name)
        if other is None:
            yield ("points", number), f"{equipment.name} has no point {name!r}{did_you_mean(name, equipment.points)}"
        elif other.kind not in QUANTITIES:
            yield ("points", number), f"{name} is {other.kind} and measures nothing; take it out"
        elif name in condition.points[:number]:
            yield ("points", number), f"{name} stands here twice; take one out"


def _check_composite(equipment: EquipmentClass, rule: RuleDefinition, _point: PointDefinition) -> Iterator[Finding]:
    condition = rule.condition
    if not isinstance(condition, Composite):
        return
    others = {name: Operand() for name in equipment.rules if name != rule.name}
    yield from _check_expression("expression", rule, condition.expression, {**others, **_operands(equipment)})
    circle = circle_through(rule.name, lambda name: _rules_read(equipment, name))
    if circle:
        way = " reads ".join(circle)
        yield ("expression",), f"{way}, which is a circle; take one of these names out of its expression"


def _rules_read(equipment: EquipmentClass, name: str) -> list[str]:
    """Return the rules that a rule of the class reads; of a point and a rule with one name it reads the point."""
    rule = equipment.rules.get(name)
    if rule is None or not isinstance(rule.condition, Composite):
        return []
    return sorted((names_in(rule.condition.expression) & equipment.rules.keys()) - equipment.points.keys())


def _check_gate(equipment: EquipmentClass, rule: RuleDefinition) -> Iterator[Finding]:
    if rule.only_when is not None:
        yield from _check_expression("only_when", rule, rule.only_when, _operands(equipment))
    if rule.schedule is not None and rule.schedule.start == rule.schedule.end:
        message = f"it begins and ends at {rule.schedule.start}; for whole days write start: 00:00 and end: 24:00"
        yield ("schedule", "end"), message


def _check_expression(key: str, rule: RuleDefinition, text: str, operands: Mapping[str, Operand]) -> Iterator[Finding]:
    try:
        parse(text, operands)
    except ExpressionError as error:
        yield (key,), f"rule {rule.name}: {error}"


def _operands(equipment: EquipmentClass) -> dict[str, Operand]:
    return {name: Operand(unit=point.unit, states=point.states) for name, point in equipment.points.items()}


def _check_order(equipment: EquipmentClass, rule: RuleDefinition) -> Iterator[Finding]:
    template = None if rule.order is None else equipment.orders.get(rule.order)
    if template is not None and isinstance(rule.condition, PREVENTIVE) and template.kind is not OrderKind.PREVENTIVE:
        message = f"{rule.order} is {template.kind}, and nothing is broken yet; name a template of kind preventive"
        yield ("order",), message


_CHECKS: Final[Mapping[type, Callable[[EquipmentClass, RuleDefinition, PointDefinition], Iterator[Finding]]]] = {
    State: _check_state,
    ForbiddenState: _check_state,
    EventCount: _check_state,
    BadQuality: _check_reasons,
    Deviation: _check_reference,
    MovingThreshold: _check_reference,
    Forecast: _check_forecast,
    Baseline: _check_baseline,
    Composite: _check_composite,
}
"""What each type of condition must keep to besides its limits."""
