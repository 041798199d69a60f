"""What nobody operates from here: fire systems, what belongs to them, and points that a life-safety rule reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from facility.equipment import EquipmentClass, RuleDefinition, System
from facility.model import Asset, Facility, Point
from facility.rule_inputs import names_read


def class_refusal(equipment: EquipmentClass, point: str) -> str | None:
    """Return why a point of a class can never be commanded; ``None`` when nothing of life safety is about it."""
    if equipment.system is System.FIRE:
        return f"{equipment.name} belongs to the fire system, which is read and never operated"
    return rules_refusal(equipment.rules.values(), point)


def rules_refusal(rules: Iterable[RuleDefinition], point: str) -> str | None:
    """Return why a point that rules watch can never be commanded; ``None`` when none of them is for life safety."""
    if any(rule.life_safety and point in names_read(rule) for rule in rules):
        return f"{point} is watched for life safety and is read only"
    return None


def refusal(assets: Mapping[str, Asset], asset: Asset, point: str) -> str | None:
    """Return why a point of an asset can never be commanded: by its class, or by an asset that it belongs to."""
    for each in _with_parents(assets, asset):
        if each.equipment_class.system is System.FIRE and each is not asset:
            return f"{asset.id} belongs to {each.id} of the fire system, which is read and never operated"
    return class_refusal(asset.equipment_class, point)


def point_refusal(facility: Facility, point: Point) -> str | None:
    """Return why a point can never be commanded: as :func:`refusal`, or by a rule that its asset alone has."""
    rules = (rule.definition for rule in facility.rules.values() if rule.asset_id == point.asset_id)
    return refusal(facility.assets, facility.assets[point.asset_id], point.name) or rules_refusal(rules, point.name)


def _with_parents(assets: Mapping[str, Asset], asset: Asset) -> Iterator[Asset]:
    seen: set[str] = set()
    each: Asset | None = asset
    while each is not None and each.id not in seen:  # a circle is a mistake of the file, which is told elsewhere
        seen.add(each.id)
        yield each
        each = None if each.parent_id is None else assets.get(each.parent_id)
