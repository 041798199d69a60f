"""Turns rules and their changes into what the console gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from dashboards.rule_schemas import (
    DifferenceView,
    HistoryEntry,
    ImportedView,
    ImportReport,
    MistakeView,
    PlannedView,
    RevisionView,
    RuleChangeDetail,
    RuleChangeView,
    RuleContent,
    RuleDetail,
    RuleView,
)
from dashboards.views import journal_entries, moment, moment_or_none
from facility.errors import NotFoundError
from facility.model import Facility, Rule
from facility.storage.outbox import Topic
from facility.units import display_unit
from rules.changes import repository
from rules.changes.bulk import Plan
from rules.changes.differences import Difference, Units, differences, in_words, units_of
from rules.changes.model import Imported, LiveRule, RuleChange, RuleRevision


def rule_view(facility: Facility, rule: Rule) -> RuleView:
    """Show one rule of the site, also a retired one."""
    site, definition = facility.ever, rule.definition
    asset = site.assets[rule.asset_id]
    return RuleView(
        id=rule.id,
        asset_id=rule.asset_id,
        asset_name=asset.name,
        system=asset.equipment_class.system,
        name=definition.name,
        title=definition.title,
        point_key=rule.point_key,
        unit=display_unit(site.points[rule.point_key].definition.unit),
        condition=definition.condition.type,
        priority=definition.priority,
        life_safety=definition.life_safety,
    )


def rule_detail(connection: Connection, facility: Facility, rule_id: int) -> RuleDetail:
    """Show one rule with its history.

    Raises:
        NotFoundError: There never was such a rule.
    """
    live = repository.live_rule(connection, rule_id)
    rule = facility.ever.rules.get(rule_id)
    if rule is None:
        raise NotFoundError(f"Rule {rule_id} has just changed. Ask again.")
    return RuleDetail(
        **dict(rule_view(facility, rule)),
        on=live.is_on,
        revision=live.revision,
        definition=content(live.definition),
        history=history_entries(connection, facility, live),
        open_changes=[rule_change_view(change) for change in repository.open_changes_of(connection, live)],
    )


def history_entries(connection: Connection, facility: Facility, live: LiveRule) -> list[HistoryEntry]:
    """Show all that a rule ever was, its first definition first."""
    revisions = repository.whole_history(connection, live)
    ids = [each.change_id for each in revisions if each.change_id is not None]
    changes = {change.id: rule_change_view(change) for change in repository.changes_by_id(connection, ids)}
    return [
        HistoryEntry(
            revision=revision_view(facility, each),
            change=None if each.change_id is None else changes[each.change_id],
            imported=imported_view(repository.import_of(connection, live)) if each.change_id is None else None,
        )
        for each in revisions
    ]


def imported_view(imported: Imported | None) -> ImportedView | None:
    """Show who imported a rule, as far as anybody knows."""
    if imported is None:
        return None
    return ImportedView(at=moment(imported.at_ns), author=imported.author, reason=imported.reason)


def rule_change_view(change: RuleChange) -> RuleChangeView:
    """Show one change as a row."""
    return RuleChangeView(
        id=change.id,
        version=change.version,
        state=change.state,
        source=change.source,
        reason=change.reason,
        author=change.author,
        proposed_at=moment(change.proposed_at_ns),
        reviewer=change.reviewer,
        comment=change.comment,
        decided_at=moment_or_none(change.decided_at_ns),
        size=change.size,
    )


def rule_change_detail(
    connection: Connection, facility: Facility, change_id: int, *, limit: int, offset: int
) -> RuleChangeDetail:
    """Show one change with a page of its revisions."""
    change = repository.change(connection, change_id)
    revisions = repository.revisions_of_change(connection, change_id, limit=limit, offset=offset)
    return RuleChangeDetail(
        **dict(rule_change_view(change)),
        revisions=[revision_view(facility, each) for each in revisions],
        journal=journal_entries(connection, Topic.RULE_CHANGE, change_id),
    )


def revision_view(facility: Facility, revision: RuleRevision) -> RevisionView:
    """Show what a change makes of one rule."""
    definition = revision.definition or revision.before
    unit = _unit(facility, revision.asset_id, str(definition["point"]) if definition else "")
    return RevisionView(
        change_id=revision.change_id,
        rule_id=revision.rule_id,
        asset_id=revision.asset_id,
        name=revision.name,
        unit=display_unit(unit),
        base=revision.base,
        number=revision.number,
        restores=revision.restores,
        definition=None if revision.definition is None else content(revision.definition),
        note=revision.note,
        differences=difference_views(differences(revision.before, revision.definition), units_of(definition, unit)),
    )


def difference_views(found: Iterable[Difference], units: Units) -> list[DifferenceView]:
    """Show differences of a rule."""
    return [
        DifferenceView(path=list(each.path), before=each.before, after=each.after, text=in_words(each, units))
        for each in found
    ]


def import_report(facility: Facility, plan: Plan, change: RuleChange | None) -> ImportReport:
    """Show what a file changes, or would change."""
    return ImportReport(
        changes=[
            PlannedView(
                asset_id=each.address[0],
                name=each.address[1],
                line=each.line,
                differences=difference_views(
                    each.differences, units_of(each.draft.definition, _unit(facility, each.address[0], each.point))
                ),
            )
            for each in plan.changes
        ],
        mistakes=[MistakeView(line=each.line, message=each.message) for each in plan.mistakes],
        unchanged=plan.unchanged,
        change=None if change is None else rule_change_view(change),
    )


def content(definition: Mapping[str, Any]) -> RuleContent:
    """Return a definition without its name."""
    return {key: value for key, value in definition.items() if key != "name"}


def _unit(facility: Facility, asset_id: str, point: str) -> str:
    """Return the unit of an asset's point, in pint's spelling; empty for none."""
    asset = facility.ever.assets.get(asset_id)
    definition = asset.equipment_class.points.get(point) if asset else None
    return definition.unit if definition else ""
