"""Reads what people want tested: drafts of rules, and stretches of history in which something was wrong."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from alarms.performance import Label
from dashboards.backtest_schemas import LabelWindow
from facility.clock import NS_PER_MS
from facility.errors import NotFoundError
from facility.model import Facility, Rule
from rules.changes import repository
from rules.changes.checks import Definitions, Fault, faults, refuse
from rules.changes.drafting import proposed
from rules.changes.model import Draft


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
    name = rule.definition.name
    address = [f"{rule.asset_id}/{name}"]
    live = rule.definition.model_dump(mode="json", exclude={"name"})
    equipment = facility.assets[rule.asset_id].equipment_class
    definition, findings = Definitions().read(equipment, name, {**live, **written})
    refuse((Fault(0, *finding) for finding in findings), address)
    draft = Draft(rule_id=rule.id, asset_id=rule.asset_id, name=name, base=0, before=None, definition=definition)
    refuse(faults(facility, [draft]), address)
    return _rules_of(facility, [draft])[rule.id] or rule


def proposed_rules(facility: Facility, connection: Connection, change_id: int) -> dict[int, Rule | None]:
    """Return what a proposed change makes of rules, by id; one that it adds gets an id that no rule ever had.

    Raises:
        NotFoundError: There is no such change.
        StaleCommandError: A rule was decided about since it was proposed.
        ConfigurationError: A definition does not fit any more; lists every mistake.
    """
    return _rules_of(facility, proposed(connection, facility, repository.change(connection, change_id)))


def _rules_of(facility: Facility, drafts: Sequence[Draft]) -> dict[int, Rule | None]:
    fresh = itertools.count(max(facility.ever.rules, default=0) + 1)
    found: dict[int, Rule | None] = {}
    for draft in drafts:
        key = next(fresh) if draft.rule_id is None else draft.rule_id
        points = {point.name: point.key for point in facility.points_of(draft.asset_id)}
        found[key] = (
            None
            if draft.definition is None
            else Rule(
                id=key,
                asset_id=draft.asset_id,
                point_key=points[draft.definition.point],
                definition=draft.definition.under(facility.priority_matrix),
            )
        )
    return found


def labels_of(windows: Sequence[LabelWindow], tested: Mapping[int, Rule]) -> list[Label]:
    """Return labels with the tested rules that each is about; one that is about none of them is left out."""
    labels = [
        Label(
            window.from_ms * NS_PER_MS,
            window.to_ms * NS_PER_MS,
            frozenset(rule.id for rule in tested.values() if _is_about(window, rule)),
        )
        for window in windows
    ]
    return [label for label in labels if label.rules]


def _is_about(window: LabelWindow, rule: Rule) -> bool:
    if window.rule_id is not None:
        return window.rule_id == rule.id
    return window.asset_id in (None, rule.asset_id)
