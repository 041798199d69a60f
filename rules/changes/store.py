"""Writes changes and revisions, and makes revisions live; each function within the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from facility.model import Facility
from facility.storage.rule_import import RuleDecision
from facility.storage.statements import in_parts
from facility.storage.tables import rule
from people.model import SYSTEM, Account
from rules.changes.lifecycle import ChangeState, Transition
from rules.changes.model import Draft, RuleChange, Source
from rules.changes.tables import rule_change, rule_revision

Row = dict[str, Any]


def begin_change(
    connection: Connection, row: Transition, *, source: Source, reason: str, author: Account, size: int, now_ns: int
) -> int:
    """Write a new change down; return its number."""
    values = {
        "version": 1,
        "state": row.after.value,
        "source": source.value,
        "reason": reason,
        "author_id": None if author == SYSTEM else author.id,
        "author": author.name,
        "proposed_at_ns": now_ns,
        "decided_at_ns": None if row.after is ChangeState.PROPOSED else now_ns,
        "size": size,
    }
    made: int = connection.execute(insert(rule_change).values(values).returning(rule_change.c.id)).scalar_one()
    return made


def decide(
    connection: Connection, change: RuleChange, row: Transition, *, actor: Account, comment: str | None, now_ns: int
) -> None:
    """Write down what somebody decided about a change."""
    values = {
        "version": change.version + 1,
        "state": row.after.value,
        "reviewer": actor.name,
        "comment": comment,
        "decided_at_ns": now_ns,
    }
    connection.execute(update(rule_change).where(rule_change.c.id == change.id).values(values))


def add_drafts(connection: Connection, change_id: int, drafts: Sequence[Draft], *, restores: int | None = None) -> None:
    """Write down the revisions of a change; none of them is live yet."""
    rows = [
        {
            "change_id": change_id,
            "rule_id": draft.rule_id,
            "asset_id": draft.asset_id,
            "name": draft.name,
            "base": draft.base,
            "number": None,
            "restores": restores,
            "before": draft.before,
            "definition": _written(draft),
        }
        for draft in drafts
    ]
    connection.execute(insert(rule_revision), rows)


def add_decisions(connection: Connection, change_id: int, decisions: Sequence[RuleDecision]) -> None:
    """Write down what an import of the site file made live already."""
    rows = [
        {
            "change_id": change_id,
            "rule_id": decision.rule_id,
            "asset_id": decision.asset_id,
            "name": decision.name,
            "base": decision.revision - 1,
            "number": decision.revision,
            "before": decision.before,
            "definition": decision.after,
            "note": decision.note,
        }
        for decision in decisions
    ]
    connection.execute(insert(rule_revision), rows)


def go_live(
    connection: Connection, facility: Facility, change_id: int, drafts: Sequence[Draft], *, now_ns: int
) -> list[int]:
    """Make the revisions of a change what their rules are; return the rules' ids in the order of the drafts."""
    keys = {(point.asset_id, point.name): point.key for point in facility.points.values()}
    known = {draft.address: draft.rule_id for draft in drafts if draft.rule_id is not None}
    _change_rules(connection, [draft for draft in drafts if draft.rule_id is not None], keys, now_ns=now_ns)
    known |= _add_rules(connection, [draft for draft in drafts if draft.rule_id is None], keys)
    numbers = [
        {"asset": draft.asset_id, "rule": draft.name, "key": known[draft.address], "live": draft.base + 1}
        for draft in drafts
    ]
    table = rule_revision
    statement = update(table).where(
        table.c.change_id == change_id, table.c.asset_id == bindparam("asset"), table.c.name == bindparam("rule")
    )
    connection.execute(statement.values(rule_id=bindparam("key"), number=bindparam("live")), numbers)
    return [known[draft.address] for draft in drafts]


def superseded_by(connection: Connection, rule_ids: Sequence[int]) -> list[int]:
    """Return the changes none of whose revisions is live any more, now that these rules were decided about again."""
    ours, table = rule_revision.c.rule_id == rule.c.id, rule_revision
    replaced = select(table.c.change_id).join(rule, ours).where(table.c.number == rule.c.revision - 1).distinct()
    candidates = {
        change_id
        for part in in_parts(rule_ids)
        for change_id in connection.scalars(replaced.where(rule.c.id.in_(part)))
    }
    standing = select(table.c.change_id).join(rule, ours).where(table.c.number == rule.c.revision).distinct()
    still_live = {
        change_id
        for part in in_parts(candidates)
        for change_id in connection.scalars(standing.where(table.c.change_id.in_(part)))
    }
    return sorted(candidates - still_live)


def supersede(connection: Connection, change_ids: Sequence[int], row: Transition) -> None:
    """Write down that changes are no longer live; what their reviewers said stays."""
    table = rule_change
    for part in in_parts(change_ids):
        values = {"state": row.after.value, "version": table.c.version + 1}
        connection.execute(update(table).where(table.c.id.in_(part)).values(values))


def _change_rules(
    connection: Connection, drafts: Sequence[Draft], keys: Mapping[tuple[str, str], int], *, now_ns: int
) -> None:
    rows: dict[int, Row] = {}
    for part in in_parts([draft.rule_id for draft in drafts if draft.rule_id is not None]):
        rows |= {row.id: row._asdict() for row in connection.execute(select(rule).where(rule.c.id.in_(part)))}
    values = [_new_row(rows[draft.rule_id], draft, keys, now_ns) for draft in drafts if draft.rule_id is not None]
    if values:
        new: dict[str, Any] = {key: bindparam(f"new_{key}") for key in values[0]}
        given = [{f"new_{key}": value for key, value in row.items()} for row in values]
        connection.execute(update(rule).where(rule.c.id == new.pop("id")).values(new), given)


def _new_row(row: Row, draft: Draft, keys: Mapping[tuple[str, str], int], now_ns: int) -> Row:
    said = row["definition"] if row["retired_ns"] is None else None
    definition = draft.definition
    return {
        "id": row["id"],
        "point_key": row["point_key"] if definition is None else keys[draft.asset_id, definition.point],
        "definition": row["definition"] if definition is None else _written(draft),
        "revision": draft.base + 1,
        "follows_file": False,
        "file_definition": said if row["follows_file"] else row["file_definition"],
        "retired_ns": now_ns if definition is None else None,
    }


def _add_rules(connection: Connection, drafts: Sequence[Draft], keys: Mapping[tuple[str, str], int]) -> dict[str, int]:
    if not drafts:
        return {}
    places = select(rule.c.asset_id, func.max(rule.c.position).label("last")).group_by(rule.c.asset_id)
    last = {row.asset_id: row.last for row in connection.execute(places)}
    rows = []
    for draft in drafts:
        if draft.definition is not None:
            last[draft.asset_id] = last.get(draft.asset_id, -1) + 1
            row = {"asset_id": draft.asset_id, "name": draft.name, "definition": _written(draft), "revision": 1}
            key = keys[draft.asset_id, draft.definition.point]
            rows.append({**row, "point_key": key, "follows_file": False, "position": last[draft.asset_id]})
    made = connection.execute(insert(rule).returning(rule.c.id, rule.c.asset_id, rule.c.name), rows)
    return {f"{row.asset_id}/{row.name}": row.id for row in made}


def _written(draft: Draft) -> Row | None:
    return None if draft.definition is None else draft.definition.model_dump(mode="json")
