"""What must hold between the parts of an equipment class, whether a class file or a site's override wrote them."""

from __future__ import annotations

from collections.abc import Iterator

from facility.condition_checks import NAMED, check_condition
from facility.conditions import Limited, LimitSide, MovingThreshold
from facility.equipment import EquipmentClass, PointDefinition, PointKind, RuleDefinition
from facility.grammar import Finding
from facility.units import is_known
from facility.yaml_file import Place, did_you_mean

BINARY_CODES = {0, 1}


def check_class(equipment: EquipmentClass) -> Iterator[Finding]:
    """Yield everything that does not fit together in a class."""
    for name, point in equipment.points.items():
        yield from _below(("points", name), check_point(point))
    for name, rule in equipment.rules.items():
        yield from _below(("rules", name), check_rule(equipment, rule))
    yield from _check_maintenance(equipment)


def check_point(point: PointDefinition) -> Iterator[Finding]:
    """Yield what is wrong with one point."""
    if not is_known(point.unit):
        yield ("unit",), f"{point.unit!r} is not a unit; write it as pint does, such as m**3/h, degC or mm/s"
    if point.range is not None and not point.range[0] < point.range[1]:
        yield ("range",), f"the range {list(point.range)} is empty; write the smaller value first"
    if point.kind not in NAMED and point.states:
        yield ("states",), f"a point of kind {point.kind} has no states; remove them or make it multistate"
    if point.kind in NAMED:
        yield from _check_states(point)
        if point.report is not None:
            yield ("report",), f"a point of kind {point.kind} always reports; remove report"


def check_rule(equipment: EquipmentClass, rule: RuleDefinition) -> Iterator[Finding]:
    """Yield what is wrong with one rule of a class, with or without an asset's overrides in it."""
    point = equipment.points.get(rule.point)
    if point is None:
        yield ("point",), f"{equipment.name} has no point {rule.point!r}{did_you_mean(rule.point, equipment.points)}"
    else:
        yield from check_condition(equipment, rule, point)
    yield from _check_consequences(rule)
    yield from _check_texts(rule)
    if rule.order is not None and rule.order not in equipment.orders:
        hint = did_you_mean(rule.order, equipment.orders)
        yield ("order",), f"{equipment.name} has no order template {rule.order!r}{hint}"


def _below(place: Place, findings: Iterator[Finding]) -> Iterator[Finding]:
    return (((*place, *inner), message) for inner, message in findings)


def _check_states(point: PointDefinition) -> Iterator[Finding]:
    codes = list(point.states.values())
    if not codes:
        yield (), f"a point of kind {point.kind} needs states, such as states: {{no: 0, yes: 1}}"
    elif len(set(codes)) != len(codes):
        yield ("states",), "two states share a code; give each its own"
    elif point.kind is PointKind.BINARY and set(codes) != BINARY_CODES:
        yield ("states",), "a binary point has exactly the codes 0 and 1; write multistate for others"
    for name in point.states.keys() - point.state_names.keys():
        yield ("states", name), f"state {name!r} has no words; add state_names: {{{name}: {{en: …, zh: …}}}}"
    for name in point.state_names.keys() - point.states.keys():
        yield ("state_names", name), f"there is no state {name!r}{did_you_mean(name, point.states)}"


def _check_consequences(rule: RuleDefinition) -> Iterator[Finding]:
    """Refuse an outer limit that some matrix, now or later, would find less urgent than the inner one."""
    limits = rule.condition.limits if isinstance(rule.condition, Limited | MovingThreshold) else {}
    for inner, outer in ((LimitSide.LOW, LimitSide.LOW_LOW), (LimitSide.HIGH, LimitSide.HIGH_HIGH)):
        if {inner, outer} <= limits.keys():
            near, far = rule.consequence_at(inner), rule.consequence_at(outer)
            if far.consequence_class.rank < near.consequence_class.rank:
                message = f"{outer} must be at least as grave as {inner}; give it consequence_class"
                yield ("condition", "limits", outer.value), f"{message}: {near.consequence_class}"
            if far.time_to_respond_min > near.time_to_respond_min:
                message = f"{outer} cannot leave more time than {inner}; give it time_to_respond_min"
                yield ("condition", "limits", outer.value), f"{message}: {near.time_to_respond_min:g} or less"


def _check_texts(rule: RuleDefinition) -> Iterator[Finding]:
    """Refuse a rationalisation that says nothing."""
    for key in ("cause", "consequence", "corrective_action"):
        for language, text in getattr(rule, key).model_dump().items():
            if not text.strip():
                yield (key, language), f"{key} says nothing; write what an operator is to know at three in the morning"


def _check_maintenance(equipment: EquipmentClass) -> Iterator[Finding]:
    for name, plan in equipment.maintenance.items():
        meter = equipment.points.get(plan.meter)
        if meter is None:
            hint = did_you_mean(plan.meter, equipment.points)
            yield ("maintenance", name, "meter"), f"{equipment.name} has no point {plan.meter!r}{hint}"
        elif meter.kind is not PointKind.COUNTER:
            yield ("maintenance", name, "meter"), f"{plan.meter} is {meter.kind}; a plan needs a counter"
        if plan.order not in equipment.orders:
            hint = did_you_mean(plan.order, equipment.orders)
            yield ("maintenance", name, "order"), f"{equipment.name} has no order template {plan.order!r}{hint}"
