"""Every question that is asked about work orders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from facility.definition import LocalText
from facility.equipment import OrderKind
from facility.errors import NotFoundError
from facility.priority import Priority
from facility.storage.statements import in_parts
from workorders.lifecycle import UNFINISHED, OrderState
from workorders.model import Step, WorkOrder
from workorders.tables import work_order as order_table
from workorders.tables import work_order_alarm, work_order_step

_URGENCY = (order_table.c.priority, order_table.c.opened_at_ns, order_table.c.id)
_UNFINISHED = order_table.c.state.in_(sorted(state.value for state in UNFINISHED))


def work_order(connection: Connection, order_id: int) -> WorkOrder:
    """Return one order.

    Raises:
        NotFoundError: There is none with this id.
    """
    found = work_orders_by_id(connection, [order_id])
    if not found:
        raise NotFoundError(f"There is no work order {order_id}. Look it up in the list of work orders.")
    return found[0]


def held_work_order(connection: Connection, order_id: int) -> WorkOrder:
    """Return one order and hold it until the transaction ends, so that no alarm joins while its guards are asked.

    Raises:
        NotFoundError: There is none with this id.
    """
    connection.execute(select(order_table.c.id).where(order_table.c.id == order_id).with_for_update())
    return work_order(connection, order_id)


def open_work_orders(connection: Connection) -> list[WorkOrder]:
    """Return all unfinished orders, the most urgent and oldest first."""
    return _orders(connection, select(order_table).where(_UNFINISHED).order_by(*_URGENCY))


def work_orders_by_id(connection: Connection, ids: Collection[int]) -> list[WorkOrder]:
    """Return the orders that exist among ``ids``, in the order of their ids."""
    return [
        found
        for part in in_parts(ids)
        for found in _orders(
            connection, select(order_table).where(order_table.c.id.in_(part)).order_by(order_table.c.id)
        )
    ]


def unfinished_by_key(connection: Connection, keys: Collection[str]) -> dict[str, WorkOrder]:
    """Return the unfinished orders of the correlation keys, and hold them until the transaction ends."""
    found: dict[str, WorkOrder] = {}
    for part in in_parts(keys):
        statement = (
            select(order_table)
            .where(order_table.c.correlation_key.in_(part), _UNFINISHED)
            .order_by(order_table.c.id)
            .with_for_update()
        )
        found |= {order.correlation_key: order for order in _orders(connection, statement) if order.correlation_key}
    return found


def work_order_page(
    connection: Connection,
    *,
    open_only: bool,
    asset_id: str | None,
    limit: int,
    offset: int,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> tuple[list[WorkOrder], int]:
    """Return one page, the most urgent and oldest first, and how many there are on all pages.

    ``asset_id`` is a filter; ``None`` means every asset. So are ``start_ns`` and ``end_ns``: an order fits that was
    opened from the one up to, not including, the other.
    """
    conditions: list[ColumnElement[bool]] = []
    if open_only:
        conditions.append(_UNFINISHED)
    if asset_id is not None:
        conditions.append(order_table.c.asset_id == asset_id)
    if start_ns is not None:
        conditions.append(order_table.c.opened_at_ns >= start_ns)
    if end_ns is not None:
        conditions.append(order_table.c.opened_at_ns < end_ns)
    page = select(order_table).where(*conditions).order_by(*_URGENCY).limit(limit).offset(offset)
    total = connection.scalar(select(func.count()).select_from(order_table).where(*conditions))
    return _orders(connection, page), total or 0


def steps_of(connection: Connection, order_id: int) -> list[Step]:
    """Return an order's checklist in its order."""
    statement = select(work_order_step).where(work_order_step.c.order_id == order_id).order_by(work_order_step.c.number)
    return [
        Step(
            number=row.number,
            text=LocalText.model_validate(row.text),
            mandatory=row.mandatory,
            done=row.done,
            done_by=row.done_by,
            done_at_ns=row.done_at_ns,
        )
        for row in connection.execute(statement)
    ]


def alarm_ids_of(connection: Connection, order_id: int) -> list[int]:
    """Return the episodes that an order answers, oldest first."""
    statement = (
        select(work_order_alarm.c.alarm_id)
        .where(work_order_alarm.c.order_id == order_id)
        .order_by(work_order_alarm.c.alarm_id)
    )
    return list(connection.scalars(statement))


def alarm_counts(connection: Connection, order_ids: Collection[int]) -> dict[int, int]:
    """Return how many episodes each order answers; planned work is absent."""
    counts: dict[int, int] = {}
    for part in in_parts(order_ids):
        statement = (
            select(work_order_alarm.c.order_id, func.count())
            .where(work_order_alarm.c.order_id.in_(part))
            .group_by(work_order_alarm.c.order_id)
        )
        counts |= dict(connection.execute(statement).all())
    return counts


def order_ids_of_alarms(connection: Connection, alarm_ids: Collection[int]) -> dict[int, int]:
    """Return which order answers each episode; episodes without one are absent."""
    orders: dict[int, int] = {}
    for part in in_parts(alarm_ids):
        statement = select(work_order_alarm.c.alarm_id, work_order_alarm.c.order_id).where(
            work_order_alarm.c.alarm_id.in_(part)
        )
        orders |= dict(connection.execute(statement).all())
    return orders


def _orders(connection: Connection, statement: Select[*tuple[Any, ...]]) -> list[WorkOrder]:
    return [_order(row) for row in connection.execute(statement)]


def _order(row: Row[*tuple[Any, ...]]) -> WorkOrder:
    return WorkOrder(
        id=row.id,
        version=row.version,
        kind=OrderKind(row.kind),
        state=OrderState(row.state),
        title=LocalText.model_validate(row.title),
        priority=Priority(row.priority),
        asset_id=row.asset_id,
        correlation_key=row.correlation_key,
        life_safety=row.life_safety,
        opened_at_ns=row.opened_at_ns,
        assignee_id=row.assignee_id,
        assignee=row.assignee,
        started_at_ns=row.started_at_ns,
        completed_at_ns=row.completed_at_ns,
        plan=row.plan,
        due_key=row.due_key,
        source=row.source,
        remark=row.remark,
    )
