"""Every question that is asked about changes of rules and their revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_

from facility.errors import NotFoundError
from facility.storage.statements import in_parts
from facility.storage.tables import configuration_change, rule
from rules.changes.lifecycle import ChangeState
from rules.changes.model import Address, Head, Imported, LiveRule, RuleChange, RuleRevision, Source, Written
from rules.changes.tables import rule_change, rule_revision

_LIVE_COLUMNS = (
    rule.c.id,
    rule.c.asset_id,
    rule.c.name,
    rule.c.point_key,
    rule.c.revision,
    rule.c.definition,
    rule.c.retired_ns,
)
_PAIRS_AT_ONCE = 1_000


def change(connection: Connection, change_id: int) -> RuleChange:
    """Return one change.

    Raises:
        NotFoundError: There is none with this id.
    """
    found = changes_by_id(connection, [change_id])
    if not found:
        raise NotFoundError(f"There is no change of rules {change_id}. GET /api/rule-changes lists all.")
    return found[0]


def changes_by_id(connection: Connection, ids: Collection[int]) -> list[RuleChange]:
    """Return the changes that exist among ``ids``, in the order of their ids."""
    statement = select(rule_change).order_by(rule_change.c.id)
    return [
        _change(row)
        for part in in_parts(ids)
        for row in connection.execute(statement.where(rule_change.c.id.in_(part)))
    ]


def change_page(
    connection: Connection, *, state: ChangeState | None, limit: int, offset: int
) -> tuple[list[RuleChange], int]:
    """Return one page, the newest first, and how many there are on all pages; ``state`` ``None``: any."""
    conditions: list[ColumnElement[bool]] = [] if state is None else [rule_change.c.state == state.value]
    page = select(rule_change).where(*conditions).order_by(rule_change.c.id.desc()).limit(limit).offset(offset)
    total = connection.scalar(select(func.count()).select_from(rule_change).where(*conditions))
    return [_change(row) for row in connection.execute(page)], total or 0


def revisions_of_change(
    connection: Connection, change_id: int, *, limit: int | None = None, offset: int = 0
) -> list[RuleRevision]:
    """Return what a change makes of each rule, in the order it was written; ``limit`` ``None``: all."""
    statement = select(rule_revision).where(rule_revision.c.change_id == change_id).order_by(rule_revision.c.id)
    return [_revision(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def history_of_rule(connection: Connection, rule_id: int) -> list[RuleRevision]:
    """Return everything that changes ever made live of a rule, oldest first."""
    statement = (
        select(rule_revision)
        .where(rule_revision.c.rule_id == rule_id, rule_revision.c.number.is_not(None))
        .order_by(rule_revision.c.number)
    )
    return [_revision(row) for row in connection.execute(statement)]


def whole_history(connection: Connection, live: LiveRule) -> list[RuleRevision]:
    """Return everything that a rule ever was, its first definition first, also where no change made that."""
    changed = history_of_rule(connection, live.rule_id)
    if changed and changed[0].number == 1:  # a change added the rule
        return changed
    first = RuleRevision(
        change_id=None,
        rule_id=live.rule_id,
        asset_id=live.asset_id,
        name=live.name,
        base=0,
        number=1,
        restores=None,
        before=None,
        definition=definition_at(connection, live, 1),
        note=None,
    )
    return [first, *changed]


def import_of(connection: Connection, live: LiveRule) -> Imported | None:
    """Return the import of the site that first brought a rule; ``None``: the configuration's journal has none."""
    line = configuration_change
    statement = (
        select(line.c.at_ns, line.c.author, line.c.reason)
        .where(line.c.kind == "rule", line.c.entity == live.address)
        .order_by(line.c.id)
        .limit(1)
    )
    found = connection.execute(statement).one_or_none()
    return None if found is None else Imported(*found)


def definition_at(connection: Connection, live: LiveRule, number: int) -> Written | None:
    """Return what a rule was as its revision ``number``; ``None``: off.

    Raises:
        NotFoundError: It never had such a revision.
    """
    if number == live.revision:
        return live.now
    revisions = {each.number: each for each in history_of_rule(connection, live.rule_id)}
    if number in revisions:
        return revisions[number].definition
    if number + 1 in revisions and number > 0:  # the first definition has no revision of its own
        return revisions[number + 1].before
    raise NotFoundError(
        f"{live.asset_id}/{live.name} never had a revision {number}. GET /api/rules/{live.rule_id} lists what it had."
    )


def open_changes_of(connection: Connection, live: LiveRule) -> list[RuleChange]:
    """Return the changes that wait for a review and would change a rule, oldest first."""
    statement = (
        select(rule_change)
        .join(rule_revision, rule_revision.c.change_id == rule_change.c.id)
        .where(
            rule_change.c.state == ChangeState.PROPOSED.value,
            rule_revision.c.asset_id == live.asset_id,
            rule_revision.c.name == live.name,
        )
        .order_by(rule_change.c.id)
    )
    return [_change(row) for row in connection.execute(statement)]


def last_change_of(connection: Connection, rule_id: int) -> RuleChange | None:
    """Return the change that made a rule what it is; ``None``: it is as it first came from the site file."""
    statement = (
        select(rule_change)
        .join(rule_revision, rule_revision.c.change_id == rule_change.c.id)
        .where(rule_revision.c.rule_id == rule_id, rule_revision.c.number.is_not(None))
        .order_by(rule_revision.c.number.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else _change(row)


def live_rule(connection: Connection, rule_id: int) -> LiveRule:
    """Return a rule as it stands, also one that is off.

    Raises:
        NotFoundError: There never was such a rule.
    """
    found = live_rules(connection, [rule_id])
    if not found:
        raise NotFoundError(f"There is no rule {rule_id}. GET /api/rules lists all.")
    return found[0]


def live_rules(connection: Connection, ids: Collection[int]) -> list[LiveRule]:
    """Return the rules that exist among ``ids``, in the order of their ids."""
    statement = select(*_LIVE_COLUMNS).order_by(rule.c.id)
    return [_live(row) for part in in_parts(ids) for row in connection.execute(statement.where(rule.c.id.in_(part)))]


def rules_named(connection: Connection, addresses: Iterable[Address]) -> list[LiveRule]:
    """Return the rules that exist among pairs of asset and name, also those that are off."""
    pairs = sorted(set(addresses))
    statement = select(*_LIVE_COLUMNS)
    return [
        _live(row)
        for start in range(0, len(pairs), _PAIRS_AT_ONCE)
        for row in connection.execute(
            statement.where(tuple_(rule.c.asset_id, rule.c.name).in_(pairs[start : start + _PAIRS_AT_ONCE]))
        )
    ]


def heads(connection: Connection) -> dict[Address, Head]:
    """Return where every rule stands that there ever was, by asset and name."""
    rows = connection.execute(select(rule.c.id, rule.c.asset_id, rule.c.name, rule.c.revision, rule.c.retired_ns))
    return {(row.asset_id, row.name): Head(row.id, row.revision, row.retired_ns is None) for row in rows}


def _change(row: Row[*tuple[Any, ...]]) -> RuleChange:
    return RuleChange(
        id=row.id,
        version=row.version,
        state=ChangeState(row.state),
        source=Source(row.source),
        reason=row.reason,
        author_id=row.author_id,
        author=row.author,
        proposed_at_ns=row.proposed_at_ns,
        reviewer=row.reviewer,
        comment=row.comment,
        decided_at_ns=row.decided_at_ns,
        size=row.size,
    )


def _revision(row: Row[*tuple[Any, ...]]) -> RuleRevision:
    return RuleRevision(
        change_id=row.change_id,
        rule_id=row.rule_id,
        asset_id=row.asset_id,
        name=row.name,
        base=row.base,
        number=row.number,
        restores=row.restores,
        before=row.before,
        definition=row.definition,
        note=row.note,
    )


def _live(row: Row[*tuple[Any, ...]]) -> LiveRule:
    return LiveRule(
        rule_id=row.id,
        asset_id=row.asset_id,
        name=row.name,
        point_key=row.point_key,
        revision=row.revision,
        definition=row.definition,
        is_on=row.retired_ns is None,
    )
