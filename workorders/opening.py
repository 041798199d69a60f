"""Orders that open by themselves: for alarms and for maintenance that falls due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from alarms.events import AlarmEvent
from alarms.lifecycle import ESCALATIONS, RETURNS
from facility.equipment import OrderTemplate, RuleDefinition
from facility.model import Facility
from facility.priority import Priority
from people import journal
from people.model import SYSTEM
from rules.events import MeterDue
from workorders import repository, store
from workorders.events import OrderEvent
from workorders.lifecycle import Action, Refusal, Situation, advance
from workorders.model import WorkOrder
from workorders.store import Draft


@dataclass(frozen=True, slots=True)
class _Call:
    """An alarm event that asks for an order."""

    event: AlarmEvent
    rule: RuleDefinition
    template: OrderTemplate

    @property
    def key(self) -> str:
        """Asset and failure family; the rule is the family."""
        return f"{self.event.asset_id}/{self.rule.name}"

    @property
    def priority(self) -> Priority:
        """How urgent the order is with the alarm as it is now."""
        return urgency(self.template, self.rule, self.event.priority)

    def draft(self) -> Draft:
        """Return the order that it asks for."""
        return Draft(
            template=self.template,
            asset_id=self.event.asset_id,
            priority=self.priority,
            correlation_key=self.key,
            life_safety=self.rule.life_safety,
        )


def urgency(template: OrderTemplate, rule: RuleDefinition, alarm: Priority) -> Priority:
    """Return an order's priority: the template's, or the alarm's where that became more urgent than its rule."""
    return template.priority if alarm >= rule.priority else min(template.priority, alarm)


def respond_to_alarms(
    connection: Connection, facility: Facility, events: Sequence[AlarmEvent], *, now_ns: int
) -> list[OrderEvent]:
    """Open or extend the orders that alarms ask for; return every row of the lifecycle that was taken.

    An episode gets exactly one order, and an asset's failure at most one unfinished order: a new episode joins it. An
    alarm that became more urgent raises its order's priority.
    """
    calls = _calls(facility, events)
    if not calls:
        return []
    linked = repository.order_ids_of_alarms(connection, {call.event.alarm_id for call in calls})
    made = store.insert_absent(connection, _missing(connection, calls, linked), now_ns=now_ns)
    standing = repository.unfinished_by_key(connection, {call.key for call in calls})
    answers = _answers(calls, linked, set(made), standing)
    store.link(connection, {answer.call.event.alarm_id: answer.order.id for answer in answers if answer.links})
    store.raise_priorities(
        connection, {answer.order.id: answer.priority for answer in answers if answer.is_more_urgent}
    )
    taken = [_event(answer.order, answer.transition, now_ns) for answer in answers]
    store.tell(connection, [_line(answer, now_ns) for answer in answers], taken, now_ns)
    return taken


def open_due_maintenance(
    connection: Connection, facility: Facility, due: Sequence[MeterDue], *, now_ns: int
) -> list[OrderEvent]:
    """Open one order for each occurrence of a plan that has none yet; return those that opened."""
    row = advance(None, Action.OPEN_FOR_PLAN, Situation(actor=SYSTEM))
    if not due or isinstance(row, Refusal):
        return []
    drafts = {draft.identity: draft for draft in (_planned(facility, one) for one in due)}
    made = store.insert_absent(connection, list(drafts.values()), now_ns=now_ns)
    values = {(one.asset_id, one.plan, one.due_key): one.value for one in due}
    entries = [
        store.entry(order_id, row.name, now_ns=now_ns, evidence={"meter": values[occurrence], "due_key": occurrence[2]})
        for occurrence, order_id in made.items()
        if isinstance(occurrence, tuple)
    ]
    opened = [
        OrderEvent(
            order_id=order_id,
            asset_id=drafts[occurrence].asset_id,
            transition=row.name,
            kind=drafts[occurrence].template.kind,
            at_ns=now_ns,
        )
        for occurrence, order_id in made.items()
    ]
    store.tell(connection, entries, opened, now_ns)
    return opened


def note_retired_alarms(connection: Connection, events: Sequence[AlarmEvent], *, now_ns: int) -> list[OrderEvent]:
    """Write into every unfinished order that its alarm was retired; the order stands until a person decides."""
    order_of = repository.order_ids_of_alarms(connection, {event.alarm_id for event in events})
    orders = {order.id: order for order in repository.work_orders_by_id(connection, set(order_of.values()))}
    entries, taken = [], []
    for alarm_id, order_id in sorted(order_of.items()):
        row = advance(orders[order_id].state, Action.RETIRE_ALARM, Situation(actor=SYSTEM))
        if not isinstance(row, Refusal):
            entries.append(store.entry(order_id, row.name, now_ns=now_ns, evidence={"alarm_id": alarm_id}))
            taken.append(_event(orders[order_id], row.name, now_ns))
    store.tell(connection, entries, taken, now_ns)
    return taken


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one call does to one order."""

    call: _Call
    order: WorkOrder
    """As it is before this answer."""
    transition: str
    links: bool
    """The episode joins the order."""

    @property
    def priority(self) -> Priority:
        """The order's priority afterwards; it never falls by itself."""
        return min(self.order.priority, self.call.priority)

    @property
    def is_more_urgent(self) -> bool:
        """Tell whether the priority changes."""
        return self.priority < self.order.priority


def _calls(facility: Facility, events: Iterable[AlarmEvent]) -> list[_Call]:
    """Return the events whose rule names an order template."""
    calls = []
    for event in events:
        rule = facility.rules.get(event.rule_id)
        if rule is not None and rule.definition.order is not None:
            template = facility.assets[rule.asset_id].equipment_class.orders[rule.definition.order]
            calls.append(_Call(event, rule.definition, template))
    return calls


def _missing(connection: Connection, calls: Sequence[_Call], linked: Mapping[int, int]) -> list[Draft]:
    """Return one draft for each failure that has neither an order for this episode nor an unfinished one."""
    wanting = [call for call in calls if call.event.opened and call.event.alarm_id not in linked]
    standing = repository.unfinished_by_key(connection, {call.key for call in wanting})
    drafts: dict[str, Draft] = {}
    for call in wanting:
        if call.key not in standing:
            drafts.setdefault(call.key, call.draft())
    return list(drafts.values())


def _answers(
    calls: Sequence[_Call],
    linked: Mapping[int, int],
    made: Collection[str | store.Occurrence],
    standing: Mapping[str, WorkOrder],
) -> list[_Answer]:
    """Decide, in order, what each call does to its failure's unfinished order."""
    orders, known, new = dict(standing), set(linked), set(made)
    answers = []
    for call in calls:
        order = orders.get(call.key)
        if order is None:  # finished, and this event does not begin an episode
            continue
        action = _action(call, order, is_known=call.event.alarm_id in known, is_new=call.key in new)
        if action is None:
            continue
        row = advance(None if call.key in new else order.state, action, Situation(actor=SYSTEM))
        if isinstance(row, Refusal):
            continue
        answer = _Answer(call, order, row.name, links=call.event.alarm_id not in known)
        answers.append(answer)
        known.add(call.event.alarm_id)
        new.discard(call.key)
        orders[call.key] = replace(order, priority=answer.priority)
    return answers


def _action(call: _Call, order: WorkOrder, *, is_known: bool, is_new: bool) -> Action | None:
    if call.event.opened:
        if is_known:  # delivered twice
            return None
        return Action.OPEN_FOR_ALARM if is_new else Action.RAISE_AGAIN
    if call.event.transition in RETURNS:
        return Action.RAISE_AGAIN
    if call.event.transition in ESCALATIONS and call.priority < order.priority:
        return Action.ESCALATE
    return None


def _planned(facility: Facility, due: MeterDue) -> Draft:
    equipment = facility.assets[due.asset_id].equipment_class
    plan = equipment.maintenance[due.plan]
    template = equipment.orders[plan.order]
    return Draft(
        template=template,
        asset_id=due.asset_id,
        priority=template.priority,
        occurrence=(due.asset_id, due.plan, due.due_key),
        source=plan.source,
    )


def _line(answer: _Answer, now_ns: int) -> journal.Entry:
    event = answer.call.event
    evidence = {"alarm_id": event.alarm_id, "alarm_priority": int(event.priority), "priority": int(answer.priority)}
    return store.entry(answer.order.id, answer.transition, now_ns=now_ns, evidence=evidence)


def _event(order: WorkOrder, transition: str, now_ns: int) -> OrderEvent:
    return OrderEvent(order_id=order.id, asset_id=order.asset_id, transition=transition, kind=order.kind, at_ns=now_ns)
