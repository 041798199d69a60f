"""What people do with work orders, each command within the caller's transaction.

Orders that open by themselves come from :mod:`workorders.opening`; its functions are offered here as well, so that
a caller needs one module.
"""

from __future__ import annotations

from sqlalchemy import Connection

from alarms.repository import alarms_by_id
from facility.errors import InvalidCommandError, NotFoundError, StaleCommandError
from facility.model import Facility
from facility.storage.outbox import Topic
from people.journal import last_line_of
from people.model import Account
from workorders import repository, store
from workorders.events import OrderEvent
from workorders.lifecycle import Action, Refusal, Situation, Transition, advance
from workorders.model import WorkOrder
from workorders.opening import note_retired_alarms, open_due_maintenance, respond_to_alarms

__all__ = [
    "assign",
    "cancel",
    "complete",
    "note_retired_alarms",
    "open_due_maintenance",
    "respond_to_alarms",
    "start",
    "tick_step",
]


def assign(
    connection: Connection,
    facility: Facility,
    order_id: int,
    *,
    version: int,
    assignee: Account,
    actor: Account,
    now_ns: int,
) -> WorkOrder:
    """Give the order to someone, or to someone else.

    Raises:
        NotFoundError: There is no such order.
        StaleCommandError: It changed meanwhile.
        InvalidCommandError: It is finished, or the assignee may not execute orders.
    """
    order = _as_seen(connection, facility, order_id, version)
    row = _row(facility, order, Action.ASSIGN, Situation(actor=actor, candidate=assignee))
    return _change(
        connection,
        facility,
        order,
        row,
        actor=actor,
        comment=assignee.name,
        now_ns=now_ns,
        assignee_id=assignee.id,
        assignee=assignee.name,
    )


def start(
    connection: Connection, facility: Facility, order_id: int, *, version: int, actor: Account, now_ns: int
) -> WorkOrder:
    """Begin the work.

    Raises:
        NotFoundError: There is no such order.
        StaleCommandError: It changed meanwhile.
        InvalidCommandError: It is not dispatched, or to someone else.
    """
    order = _as_seen(connection, facility, order_id, version)
    row = _row(facility, order, Action.START, Situation(actor=actor, assignee_id=order.assignee_id))
    began_ns = now_ns if order.started_at_ns is None else order.started_at_ns
    return _change(connection, facility, order, row, actor=actor, now_ns=now_ns, started_at_ns=began_ns)


def tick_step(
    connection: Connection,
    facility: Facility,
    order_id: int,
    *,
    version: int,
    number: int,
    done: bool,
    actor: Account,
    now_ns: int,
) -> WorkOrder:
    """Mark one step of the checklist done, or not done after all.

    Raises:
        NotFoundError: There is no such order, or it has no such step.
        StaleCommandError: It changed meanwhile.
        InvalidCommandError: Work has not begun, or someone else does it.
    """
    order = _as_seen(connection, facility, order_id, version)
    if number not in {step.number for step in repository.steps_of(connection, order_id)}:
        raise NotFoundError(f"{_name(facility, order)} has no step {number}. Look at its checklist again.")
    action = Action.TICK if done else Action.UNTICK
    row = _row(facility, order, action, Situation(actor=actor, assignee_id=order.assignee_id))
    changed = _change(connection, facility, order, row, actor=actor, comment=str(number), now_ns=now_ns)
    store.save_step(connection, order_id, number, done=done, actor=actor, now_ns=now_ns)
    return changed


def complete(
    connection: Connection,
    facility: Facility,
    order_id: int,
    *,
    version: int,
    remark: str,
    override_reason: str,
    actor: Account,
    now_ns: int,
) -> WorkOrder:
    """Finish the work.

    Raises:
        NotFoundError: There is no such order.
        StaleCommandError: It changed meanwhile.
        InvalidCommandError: A mandatory step is open, an alarm stands and no reason is given, or someone else does it.
    """
    order = _as_seen(connection, facility, order_id, version)
    reason, said = override_reason.strip(), remark.strip()
    situation = Situation(
        actor=actor,
        assignee_id=order.assignee_id,
        open_steps=_open_steps(connection, order_id),
        standing_alarms=_standing_alarms(connection, order_id),
        reason=reason,
    )
    row = _row(facility, order, Action.COMPLETE, situation)
    comment = "\n".join(filter(None, (said, reason))) or None
    return _change(
        connection,
        facility,
        order,
        row,
        actor=actor,
        comment=comment,
        now_ns=now_ns,
        completed_at_ns=now_ns,
        remark=comment,
    )


def cancel(
    connection: Connection,
    facility: Facility,
    order_id: int,
    *,
    version: int,
    reason: str,
    actor: Account,
    now_ns: int,
) -> WorkOrder:
    """Call the order off.

    Raises:
        NotFoundError: There is no such order.
        StaleCommandError: It changed meanwhile.
        InvalidCommandError: It is about life safety, work has begun, or no reason is given.
    """
    order = _as_seen(connection, facility, order_id, version)
    why = reason.strip()
    row = _row(facility, order, Action.CANCEL, Situation(actor=actor, life_safety=order.life_safety, reason=why))
    return _change(connection, facility, order, row, actor=actor, comment=why, now_ns=now_ns, remark=why)


def _as_seen(connection: Connection, facility: Facility, order_id: int, version: int) -> WorkOrder:
    order = repository.held_work_order(connection, order_id)
    if order.version != version:
        raise _stale(connection, facility, order)
    return order


def _row(facility: Facility, order: WorkOrder, action: Action, situation: Situation) -> Transition:
    """Return the row to take, or say what is missing."""
    row = advance(order.state, action, situation)
    if isinstance(row, Refusal):
        raise InvalidCommandError(f"{_name(facility, order)}: {row.missing}")
    return row


def _change(
    connection: Connection,
    facility: Facility,
    order: WorkOrder,
    row: Transition,
    *,
    actor: Account,
    now_ns: int,
    comment: str | None = None,
    **columns: object,
) -> WorkOrder:
    """Take the row: next version, journal, announcement; unless someone else was faster."""
    changed = store.save(connection, order, state=row.after.value, **columns)
    if changed is None:
        raise _stale(connection, facility, order)
    event = OrderEvent(order_id=order.id, asset_id=order.asset_id, transition=row.name, kind=order.kind, at_ns=now_ns)
    line = store.entry(order.id, row.name, now_ns=now_ns, actor=actor, comment=comment)
    store.tell(connection, [line], [event], now_ns)
    return changed


def _open_steps(connection: Connection, order_id: int) -> list[int]:
    return [step.number for step in repository.steps_of(connection, order_id) if step.mandatory and not step.done]


def _standing_alarms(connection: Connection, order_id: int) -> list[int]:
    linked = alarms_by_id(connection, repository.alarm_ids_of(connection, order_id))
    return [alarm.id for alarm in linked if alarm.active]


def _stale(connection: Connection, facility: Facility, order: WorkOrder) -> StaleCommandError:
    last = last_line_of(connection, Topic.WORK_ORDER, order.id)
    what = f"{last.transition.replace('_', ' ')} ({last.actor})" if last else "changed"
    return StaleCommandError(f"{_name(facility, order)} has changed: {what}. Look again and decide again.")


def _name(facility: Facility, order: WorkOrder) -> str:
    asset = facility.ever.assets.get(order.asset_id)
    return f"Work order {order.id} ({asset.name.en if asset else order.asset_id}: {order.title.en})"
