"""The site as it is once some of its rules are different."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from facility.equipment import RuleDefinition
from facility.model import Facility, Rule
from rules.changes.model import LiveRule


def with_rules(facility: Facility, changed: Sequence[LiveRule]) -> Facility:
    """Return the site with rules as they are now; what is off goes into its archive, for the words of old alarms."""
    ever = {**facility.ever.rules, **{live.rule_id: _rule(facility, live) for live in changed}}
    on, off = ({live.rule_id for live in changed if live.is_on is wanted} for wanted in (True, False))
    rules = _in_order(facility, {**facility.rules, **{rule_id: ever[rule_id] for rule_id in on}})
    for rule_id in off:
        rules.pop(rule_id, None)
    gone = ever.keys() - rules.keys()
    archive = None
    if gone or _lost(facility):
        retired = {rule_id: ever[rule_id] for rule_id in sorted(gone)}
        archive = replace(facility.ever, rules={**rules, **retired}, archive=None)
    return replace(facility, rules=rules, archive=archive)


def _lost(facility: Facility) -> bool:
    """Tell whether anything but rules was ever retired."""
    ever = facility.ever
    return any(
        len(all_that_were) > len(living)
        for all_that_were, living in (
            (ever.spaces, facility.spaces),
            (ever.assets, facility.assets),
            (ever.points, facility.points),
        )
    )


def _rule(facility: Facility, live: LiveRule) -> Rule:
    return Rule(
        id=live.rule_id,
        asset_id=live.asset_id,
        point_key=live.point_key,
        definition=RuleDefinition.model_validate(live.definition).under(facility.priority_matrix),
    )


def _in_order(facility: Facility, rules: dict[int, Rule]) -> dict[int, Rule]:
    """Return rules by asset; one that was added or switched on stands behind the others of its asset."""
    if rules.keys() <= facility.rules.keys():
        return rules
    places = {asset_id: place for place, asset_id in enumerate(facility.assets)}
    ordered: Iterable[Rule] = sorted(rules.values(), key=lambda rule: places[rule.asset_id])
    return {rule.id: rule for rule in ordered}
