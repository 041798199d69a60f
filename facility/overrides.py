"""What one asset changes of its class's rules, and the rules it has of its own: read from a site, and written again.

An override's keys are those of the rule and, beside them, those of its condition. It is merged into the class's rule
and read by the same grammar, so that whatever a class file may say of a rule a site may say, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from facility.conditions import LimitSide
from facility.equipment import EquipmentClass, RuleDefinition
from facility.grammar import Finding, check
from facility.measures import as_limit, in_units
from facility.yaml_file import did_you_mean

Entry = Mapping[str, Any]
"""What a site writes below a rule's name."""

RULE_KEYS: Final = tuple(key for key in RuleDefinition.model_fields if key not in {"name", "condition"})
"""What can be changed of a rule beside its condition."""

_CONDITION: Final = "condition"
"""Written whole where the class's is of no use: another point, type or unit of time."""
_ENABLED: Final = "enabled"
"""False takes the rule off this asset."""
_LONGEST_NAME: Final = 64
"""Characters of a rule's name that the database keeps."""


def asset_rule(equipment: EquipmentClass, name: str, entry: Entry) -> tuple[RuleDefinition | None, list[Finding]]:
    """Return the rule that an asset's entry makes; :func:`facility.class_checks.check_rule` has not seen it yet.

    ``None``: it is switched off, or the findings say what is wrong.
    """
    enabled = entry.get(_ENABLED, True)
    if not isinstance(enabled, bool):
        return None, [((_ENABLED,), f"{enabled!r} does not fit: write true or false")]
    rule = equipment.rules.get(name)
    made, findings = _own(equipment, name, entry) if rule is None else _changed(equipment, rule, entry)
    return (made if enabled else None), findings


def where_written(entry: Entry, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings about a rule where its entry has them: a changed condition's keys stand right below the rule."""
    whole = _CONDITION in entry
    return [
        (place if whole or place[:1] != (_CONDITION,) else place[1:], _needing(entry, place, message))
        for place, message in findings
    ]


def difference(rule: RuleDefinition, changed: RuleDefinition) -> dict[str, Any]:
    """Return the entry that makes ``changed`` of ``rule``, as a site file writes it."""
    before, after = rule.model_dump(mode="json"), changed.model_dump(mode="json")
    entry = {key: after[key] for key in RULE_KEYS if after[key] != before[key]}
    if _meaning(before) != _meaning(after):
        return {**entry, _CONDITION: changed.condition.model_dump(mode="json", exclude_defaults=True)}
    before, after = before[_CONDITION], after[_CONDITION]
    entry |= {key: after[key] for key in after if key != "limits" and after[key] != before[key]}
    sides = _limit_differences(before.get("limits", {}), after.get("limits", {}))
    return {**entry, "limits": sides} if sides else entry


def written_rule(rule: RuleDefinition) -> dict[str, Any]:
    """Return an asset's own rule as a site file writes it."""
    return rule.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)


def _meaning(rule: Entry) -> tuple[object, ...]:
    """Return what the numbers of a condition depend on."""
    return rule["point"], rule[_CONDITION]["type"], rule[_CONDITION].get("per")


def _limit_differences(before: Entry, after: Entry) -> dict[str, Any]:
    sides: dict[str, Any] = {}
    for side, limit in after.items():
        was = before.get(side, {})
        changed = {key: value for key, value in limit.items() if value != was.get(key)}
        if changed:
            sides[side] = changed["value"] if changed.keys() == {"value"} else changed
    return sides | dict.fromkeys(before.keys() - after.keys())


def _own(equipment: EquipmentClass, name: str, entry: Entry) -> tuple[RuleDefinition | None, list[Finding]]:
    if not {"point", _CONDITION} & entry.keys():
        hint = did_you_mean(name, equipment.rules)
        message = f"{equipment.name} has no rule {name!r}{hint}; a rule of its own has point, condition and all texts"
        return None, [((), message)]
    if not (name.isidentifier() and name.isascii() and len(name) <= _LONGEST_NAME):
        message = f"{name!r} is no name of a rule; use up to {_LONGEST_NAME} small letters, digits and _"
        return None, [((), message)]
    return _read(equipment, {"name": name, **{key: entry[key] for key in entry if key != _ENABLED}})


def _changed(
    equipment: EquipmentClass, rule: RuleDefinition, entry: Entry
) -> tuple[RuleDefinition | None, list[Finding]]:
    findings = list(_misplaced(rule, entry))
    if findings:
        return None, findings
    whole = rule.model_dump(mode="json")
    whole |= {key: entry[key] for key in entry if key in RULE_KEYS or key == _CONDITION}
    if _CONDITION in entry:
        return _read(equipment, whole)
    base = whole[_CONDITION]
    changes = {key: entry[key] for key in entry if key in base}
    if "limits" in changes:
        changes["limits"] = _merged_limits(base["limits"], changes["limits"])
        if changes["limits"] == {}:
            return None, [(("limits",), f"{rule.name} has no limit left; write enabled: false to switch it off")]
    return _read(equipment, {**whole, _CONDITION: {**base, **changes}})


def _misplaced(rule: RuleDefinition, entry: Entry) -> Iterator[Finding]:
    own = type(rule.condition).model_fields
    known = (*own, *RULE_KEYS, _CONDITION, _ENABLED)
    for key in entry:
        if key not in known:
            told = rule.instead.get(key) or f"{rule.name} has no {key!r}{did_you_mean(key, known)}"
            yield (key,), told
        elif key in own and _CONDITION in entry:
            yield (key,), f"{key} stands beside 'condition'; write it inside"
    if _CONDITION not in entry:
        for key in ("point", "type", "per"):
            was = rule.point if key == "point" else getattr(rule.condition, key, None)
            if entry.get(key, was) != was:
                yield (key,), f"with another {key} the class's numbers mean something else; write the whole 'condition'"
    if rule.life_safety and not entry.get("life_safety", True):
        yield ("life_safety",), f"{rule.name} is for life safety everywhere; remove this line"


def _merged_limits(before: Entry, changes: object) -> object:
    """Return all limits; ``null`` takes one of the class's away."""
    if not isinstance(changes, dict):
        return changes
    merged = dict(before)
    for side, limit in changes.items():
        if limit is None and side in set(LimitSide):
            merged.pop(side, None)
        else:
            merged[side] = {**before.get(side, {}), **as_limit(limit)}
    return merged


def _read(equipment: EquipmentClass, data: Entry) -> tuple[RuleDefinition | None, list[Finding]]:
    """Read a whole rule whose condition may have texts for numbers."""
    name, condition = data.get("point"), data.get(_CONDITION)
    if not (isinstance(name, str) and isinstance(condition, dict)):
        return check(RuleDefinition, data)
    if name not in equipment.points:
        return None, [(("point",), f"{equipment.name} has no point {name!r}{did_you_mean(name, equipment.points)}")]
    measured, findings = in_units(condition, equipment.points[name].unit)
    if findings:
        return None, [((_CONDITION, *place), message) for place, message in findings]
    return check(RuleDefinition, {**data, _CONDITION: measured})


def _needing(entry: Entry, place: tuple[str | int, ...], message: str) -> str:
    key = place[-1] if place else ""
    if key in entry and entry[str(key)] is None:
        return f"{key} needs a value; remove the line to keep the class's"
    return message
