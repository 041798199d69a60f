"""Writes of work orders, each within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from facility.definition import LocalText
from facility.equipment import ChecklistStep, OrderTemplate
from facility.priority import Priority
from facility.storage.outbox import Topic, announce
from facility.storage.statements import insert_if_absent
from people import journal
from people.model import SYSTEM, Account
from workorders import repository
from workorders.events import OrderEvent
from workorders.lifecycle import OrderState
from workorders.model import WorkOrder
from workorders.tables import work_order as order_table
from workorders.tables import work_order_alarm, work_order_step

Occurrence = tuple[str, str, int]
"""Asset, plan and due key: one piece of planned work, for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order that is about to be opened."""

    template: OrderTemplate
    asset_id: str
    priority: Priority
    correlation_key: str | None = None
    life_safety: bool = False
    occurrence: Occurrence | None = None
    """``None`` for work that an alarm asked for."""
    source: str | None = None

    @property
    def identity(self) -> str | Occurrence:
        """Return what makes it the same order when it is delivered twice."""
        return self.occurrence or self.correlation_key or ""


def insert_absent(connection: Connection, drafts: Sequence[Draft], *, now_ns: int) -> dict[str | Occurrence, int]:
    """Open the orders that are not there yet, each with its checklist; return the new ones' ids by identity."""
    if not drafts:
        return {}
    statement = insert_if_absent(connection, order_table).returning(
        order_table.c.id,
        order_table.c.correlation_key,
        order_table.c.asset_id,
        order_table.c.plan,
        order_table.c.due_key,
    )
    rows = connection.execute(statement, [_row(draft, now_ns) for draft in drafts]).all()
    made = {row.correlation_key or (row.asset_id, row.plan, row.due_key): row.id for row in rows}
    steps = [
        _step_row(made[draft.identity], number, step)
        for draft in drafts
        if draft.identity in made
        for number, step in enumerate(draft.template.checklist, start=1)
    ]
    if steps:
        connection.execute(insert(work_order_step), steps)
    return made


def link(connection: Connection, order_of_alarm: Mapping[int, int]) -> None:
    """Say which order answers each episode."""
    if order_of_alarm:
        rows = [{"alarm_id": alarm_id, "order_id": order_id} for alarm_id, order_id in order_of_alarm.items()]
        connection.execute(insert(work_order_alarm), rows)


def raise_priorities(connection: Connection, priority_of_order: Mapping[int, Priority]) -> None:
    """Write new priorities of orders that this transaction holds."""
    if priority_of_order:
        rows = [{"key": order_id, "to": int(priority)} for order_id, priority in priority_of_order.items()]
        statement = update(order_table).where(order_table.c.id == bindparam("key"))
        connection.execute(statement.values(priority=bindparam("to"), version=order_table.c.version + 1), rows)


def save(connection: Connection, before: WorkOrder, **changes: object) -> WorkOrder | None:
    """Write the order's next version; ``None`` when someone else was faster, and nothing is written."""
    statement = (
        update(order_table)
        .where(order_table.c.id == before.id, order_table.c.version == before.version)
        .values(version=before.version + 1, **changes)
    )
    if connection.execute(statement).rowcount != 1:
        return None
    return repository.work_order(connection, before.id)


def save_step(connection: Connection, order_id: int, number: int, *, done: bool, actor: Account, now_ns: int) -> None:
    """Write whether a step is done, by whom and when."""
    statement = update(work_order_step).where(
        work_order_step.c.order_id == order_id, work_order_step.c.number == number
    )
    values = {"done": done, "done_by": actor.name if done else None, "done_at_ns": now_ns if done else None}
    connection.execute(statement.values(values))


def entry(
    order_id: int,
    transition: str,
    *,
    now_ns: int,
    actor: Account = SYSTEM,
    comment: str | None = None,
    evidence: journal.Evidence | None = None,
) -> journal.Entry:
    """Return a line for an order's journal."""
    return journal.Entry(
        subject=Topic.WORK_ORDER,
        subject_id=order_id,
        at_ns=now_ns,
        transition=transition,
        actor=actor,
        comment=comment,
        evidence=evidence,
    )


def tell(connection: Connection, entries: Sequence[journal.Entry], events: Iterable[OrderEvent], now_ns: int) -> None:
    """Write the journal and announce every order that changed."""
    journal.record(connection, entries)
    announce(connection, Topic.WORK_ORDER, dict.fromkeys(event.order_id for event in events), now_ns)


def _row(draft: Draft, now_ns: int) -> dict[str, Any]:
    _, plan, due_key = draft.occurrence or (None, None, None)
    return {
        "version": 1,
        "kind": draft.template.kind.value,
        "state": OrderState.TRIAGED.value,
        "title": _both(draft.template.title),
        "priority": int(draft.priority),
        "asset_id": draft.asset_id,
        "correlation_key": draft.correlation_key,
        "life_safety": draft.life_safety,
        "opened_at_ns": now_ns,
        "plan": plan,
        "due_key": due_key,
        "source": draft.source,
    }


def _step_row(order_id: int, number: int, step: ChecklistStep) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "number": number,
        "text": _both(step.text),
        "mandatory": step.mandatory,
        "done": False,
    }


def _both(text: LocalText) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}
