"""What one asset changes of its class's rules: applied when a site is read, found again when it is written."""

from __future__ import annotations

import math
import re
from typing import Any

from facility.class_checks import check_rule
from facility.conditions import BadQuality, Condition, LimitDefinition, NoData, State, Threshold
from facility.equipment import EquipmentClass, RuleDefinition
from facility.errors import UnitError
from facility.grammar import Finding
from facility.site_grammar import LimitEntry, RuleEntry
from facility.units import conversion

CONDITION_KEYS: dict[type[Condition], tuple[str, ...]] = {
    Threshold: ("limits", "deadband", "on_delay_s", "off_delay_s"),
    State: ("states", "on_delay_s", "off_delay_s"),
    NoData: ("timeout_s",),
    BadQuality: ("timeout_s", "on_delay_s", "off_delay_s"),
}
"""What can be changed of each type of condition."""

RULE_KEYS = ("consequence_class", "time_to_respond_min", "acknowledge", "latched", "order")
"""What can be changed of a rule besides its condition."""

_QUANTITY = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(\D.*?)?\s*")


class _Refused(Exception):  # noqa: N818  # never leaves this module
    """A finding that stops the work on one rule."""

    def __init__(self, *finding: Any) -> None:  # noqa: ANN401
        self.finding: Finding = (tuple(finding[:-1]), finding[-1])
        super().__init__(finding)


def overridden(
    equipment: EquipmentClass, rule: RuleDefinition, entry: RuleEntry
) -> tuple[RuleDefinition, list[Finding]]:
    """Return the rule as changed, and what is wrong with the change; a wrong change leaves the rule as it was."""
    try:
        changed = _changed(equipment, rule, entry)
    except _Refused as refused:
        return rule, [refused.finding]
    # A finding about the condition stands right below the rule in a site file.
    findings = [
        (place[1:] if place[:1] == ("condition",) else place, text) for place, text in check_rule(equipment, changed)
    ]
    return (rule, findings) if findings else (changed, [])


def difference(rule: RuleDefinition, changed: RuleDefinition) -> dict[str, Any]:
    """Return the override that makes ``changed`` of ``rule``, as a site file writes it."""
    before, after = rule.model_dump(mode="json"), changed.model_dump(mode="json")
    override = {key: after[key] for key in RULE_KEYS if after[key] != before[key]}
    before, after = before["condition"], after["condition"]
    override |= {key: after[key] for key in after if key != "limits" and after[key] != before[key]}
    if isinstance(rule.condition, Threshold) and isinstance(changed.condition, Threshold):
        override |= _limit_difference(rule.condition, changed.condition)
    return override


def _limit_difference(rule: Threshold, changed: Threshold) -> dict[str, Any]:
    sides: dict[str, Any] = {
        side.value: _written_limit(limit) for side, limit in changed.limits.items() if limit != rule.limits.get(side)
    }
    sides |= {side.value: None for side in rule.limits if side not in changed.limits}
    return {"limits": sides} if sides else {}


def _written_limit(limit: LimitDefinition) -> float | dict[str, Any]:
    return limit.model_dump(mode="json", exclude_none=True) if limit.has_own_consequence else limit.value


def _changed(equipment: EquipmentClass, rule: RuleDefinition, entry: RuleEntry) -> RuleDefinition:
    keys = CONDITION_KEYS[type(rule.condition)]
    for key in sorted(entry.model_fields_set - {*keys, *RULE_KEYS, "enabled"}):
        raise _Refused(key, f"{rule.name} has no {key!r}; it takes {', '.join((*keys, *RULE_KEYS, 'enabled'))}")
    written = entry.model_fields_set
    condition = {key: getattr(entry, key) for key in keys if key in written and key != "limits"}
    own = {key: getattr(entry, key) for key in RULE_KEYS if key in written}
    for key, value in (*condition.items(), *own.items()):
        _check_value(key, value)
    if "limits" in written and isinstance(rule.condition, Threshold):
        condition["limits"] = _limits(equipment, rule, rule.condition, entry)
    return rule.model_copy(update={**own, "condition": rule.condition.model_copy(update=condition)})


def _check_value(key: str, value: object) -> None:
    """Refuse what the rule's own grammar would refuse; copies of models are not validated."""
    if value is None and key != "order":
        raise _Refused(key, f"{key} needs a value; remove the line to keep the class's")
    least = {"timeout_s": 0.0, "time_to_respond_min": 0.0}.get(key)
    if isinstance(value, float) and not (math.isfinite(value) and value >= 0 and value != least):
        raise _Refused(key, f"{key} {value:g} must be {'above' if least is not None else 'at least'} 0")
    if value == []:
        raise _Refused(key, "name at least one state; write enabled: false to switch the rule off")


def _limits(
    equipment: EquipmentClass, rule: RuleDefinition, condition: Threshold, entry: RuleEntry
) -> dict[Any, LimitDefinition]:
    unit = equipment.points[rule.point].unit
    limits = dict(condition.limits)
    for side, limit in (entry.limits or {}).items():
        if limit is None:
            limits.pop(side, None)
        else:
            before = limits.get(side)
            own = limit.model_dump(include={"consequence_class", "time_to_respond_min"}, exclude_none=True)
            kept = before.model_dump(include={"consequence_class", "time_to_respond_min"}) if before else {}
            limits[side] = LimitDefinition(value=_limit_value(side.value, limit, unit), **{**kept, **own})
    if not limits:
        raise _Refused("limits", f"{rule.name} has no limit left; write enabled: false to switch it off")
    return limits


def _limit_value(side: str, limit: LimitEntry, unit: str) -> float:
    """Return a limit in the point's unit."""
    if isinstance(limit.value, float):
        number, source = limit.value, unit
    else:
        number, source = _quantity(side, limit.value, unit)
    try:
        scale, offset = conversion(source, unit)
    except UnitError as error:
        raise _Refused("limits", side, str(error)) from error
    value = scale * number + offset
    if not math.isfinite(value):
        raise _Refused("limits", side, f"{value} is no limit; write a finite number")
    return value


def _quantity(side: str, text: str, unit: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        example = f"80 {unit}".rstrip()
        raise _Refused("limits", side, f"{text!r} is no limit; write a number, or one with its unit such as {example}")
    return float(match[1]), match[2] or unit
