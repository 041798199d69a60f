"""Every question that is asked about alarm episodes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Row, Select, bindparam, func, select

from alarms.model import Alarm
from alarms.tables import alarm_episode
from facility.errors import NotFoundError
from facility.priority import Priority
from facility.storage.statements import in_parts
from rules.events import Reason

_URGENCY = (alarm_episode.c.priority, alarm_episode.c.raised_at_ns.desc(), alarm_episode.c.id.desc())


def open_alarms(connection: Connection) -> list[Alarm]:
    """Return all open episodes, the most urgent and newest first."""
    return _alarms(connection, select(alarm_episode).where(alarm_episode.c.closed_at_ns.is_(None)).order_by(*_URGENCY))


def alarm(connection: Connection, alarm_id: int) -> Alarm:
    """Return one episode, open or closed.

    Raises:
        NotFoundError: There is none with this id.
    """
    found = alarms_by_id(connection, [alarm_id])
    if not found:
        raise NotFoundError(f"There is no alarm {alarm_id}. Look it up in the alarm list.")
    return found[0]


def alarms_by_id(connection: Connection, ids: Collection[int]) -> list[Alarm]:
    """Return the episodes that exist among ``ids``, in the order of their ids."""
    return [
        found
        for part in in_parts(ids)
        for found in _alarms(
            connection, select(alarm_episode).where(alarm_episode.c.id.in_(part)).order_by(alarm_episode.c.id)
        )
    ]


def open_alarms_of_rules(connection: Connection, rule_ids: Collection[int]) -> list[Alarm]:
    """Return the rules' open episodes and hold them until the transaction ends, so that no command comes between."""
    return [
        found
        for part in in_parts(rule_ids)
        for found in _alarms(
            connection,
            select(alarm_episode)
            .where(alarm_episode.c.rule_id.in_(part), alarm_episode.c.closed_at_ns.is_(None))
            .order_by(alarm_episode.c.id)
            .with_for_update(),
        )
    ]


def alarm_page(
    connection: Connection,
    *,
    open_only: bool,
    rule_ids: Collection[int] | None,
    priority: Priority | None,
    limit: int,
    offset: int,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> tuple[list[Alarm], int]:
    """Return one page, the most urgent and newest first, and how many there are on all pages.

    ``rule_ids`` and ``priority`` are filters; ``None`` means every rule, every priority. So are ``start_ns`` and
    ``end_ns``: an episode fits that stood at some time from the one up to the other.
    """
    conditions: list[ColumnElement[bool]] = []
    if open_only:
        conditions.append(alarm_episode.c.closed_at_ns.is_(None))
    if rule_ids is not None:
        # Written into the statement: a system may have more rules than a statement takes parameters.
        written: BindParameter[int] = bindparam("rule_ids", sorted(rule_ids), expanding=True, literal_execute=True)
        conditions.append(alarm_episode.c.rule_id.in_(written))
    if priority is not None:
        conditions.append(alarm_episode.c.priority == priority)
    if start_ns is not None:
        conditions.append(alarm_episode.c.cleared_at_ns.is_(None) | (alarm_episode.c.cleared_at_ns >= start_ns))
    if end_ns is not None:
        conditions.append(alarm_episode.c.raised_at_ns < end_ns)
    page = select(alarm_episode).where(*conditions).order_by(*_URGENCY).limit(limit).offset(offset)
    total = connection.scalar(select(func.count()).select_from(alarm_episode).where(*conditions))
    return _alarms(connection, page), total or 0


def _alarms(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[Alarm]:
    return [_alarm(row) for row in connection.execute(statement)]


def _alarm(row: Row[*tuple[Any, ...]]) -> Alarm:
    return Alarm(
        id=row.id,
        version=row.version,
        rule_id=row.rule_id,
        asset_id=row.asset_id,
        priority=Priority(row.priority),
        active=row.active,
        acknowledged=row.acknowledged,
        latched=row.latched,
        reason=Reason(row.reason),
        value=row.value,
        limit=row.limit,
        explanation=row.explanation,
        since_ns=row.since_ns,
        raised_at_ns=row.raised_at_ns,
        cleared_at_ns=row.cleared_at_ns,
        acknowledged_at_ns=row.acknowledged_at_ns,
        acknowledged_by=row.acknowledged_by,
        comment=row.comment,
        closed_at_ns=row.closed_at_ns,
    )
