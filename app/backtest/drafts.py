"""Reads what people want tested: drafts of rules, and stretches of history in which something was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from alarms.performance import Label
from dashboards.backtest_schemas import LabelWindow
from facility.class_checks import check_rule
from facility.clock import NS_PER_MS
from facility.equipment import RuleDefinition
from facility.errors import ConfigurationError, Mistake, NotFoundError
from facility.model import Facility, Rule


def rule_of(facility: Facility, rule_id: int) -> Rule:
    """Return a live rule.

    Raises:
        NotFoundError: There is none with this id.
    """
    rule = facility.rules.get(rule_id)
    if rule is None:
        raise NotFoundError(f"There is no rule {rule_id}. GET /api/rules lists all rules with their ids.")
    return rule


def draft_of(facility: Facility, rule: Rule, written: Mapping[str, Any]) -> Rule:
    """Return a rule as somebody wants it; what they left out is as in the live one.

    Raises:
        ConfigurationError: It has mistakes; lists all of them.
    """
    place = f"rule {rule.definition.name} of {rule.asset_id}"
    equipment = facility.assets[rule.asset_id].equipment_class
    try:
        definition = RuleDefinition.model_validate(
            {**rule.definition.model_dump(), **written, "name": rule.definition.name}
        ).under(facility.priority_matrix)
    except ValidationError as error:
        raise ConfigurationError(
            [Mistake(f"{place}, {'.'.join(map(str, each['loc']))}", 0, each["msg"]) for each in error.errors()]
        ) from error
    findings = [
        Mistake(f"{place}, {'.'.join(map(str, where))}", 0, message)
        for where, message in check_rule(equipment, definition)
    ]
    if findings:
        raise ConfigurationError(findings)
    keys = {point.name: point.key for point in facility.points_of(rule.asset_id)}
    return replace(rule, point_key=keys[definition.point], definition=definition)


def labels_of(windows: Sequence[LabelWindow], facility: Facility, tested: frozenset[int]) -> list[Label]:
    """Return labels with the tested rules that each is about; one that is about none of them is left out."""
    labels = [
        Label(
            window.from_ms * NS_PER_MS,
            window.to_ms * NS_PER_MS,
            frozenset(key for key in tested if _is_about(window, key, facility)),
        )
        for window in windows
    ]
    return [label for label in labels if label.rules]


def _is_about(window: LabelWindow, rule_id: int, facility: Facility) -> bool:
    if window.rule_id is not None:
        return window.rule_id == rule_id
    return window.asset_id in (None, facility.rules[rule_id].asset_id)
